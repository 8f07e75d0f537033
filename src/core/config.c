/* The configuration: what is done with the table of keys. */
#include "intake/core/config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config_keys.h"
#include "intake/core/cleanup.h"
#include "intake/core/text.h"

extern char **environ;

/* What inih's handler works on. */
struct source {
    struct config *config;
    struct err *err;
    bool failed;
};

static const struct config_key *find_key(const char *section, const char *name)
{
    for (size_t i = 0; i < config_keys_count; i++) {
        if (text_equal(config_keys[i].section, section) && text_equal(config_keys[i].name, name)) {
            return &config_keys[i];
        }
    }
    return NULL;
}

static bool is_section(const char *section)
{
    for (size_t i = 0; i < config_keys_count; i++) {
        if (text_equal(config_keys[i].section, section)) {
            return true;
        }
    }
    return false;
}

static void *member(const struct config_key *key, struct config *config)
{
    return (char *)config + key->offset;
}

static enum status set_text(char **text, const char *value, struct err *err)
{
    char *copy = strdup(value);
    if (copy == NULL) {
        return err_no_memory(err);
    }
    free(*text);
    *text = copy;
    return STATUS_OK;
}

static enum status set_value(const struct config_key *key, const char *value, struct config *config,
                             struct err *err)
{
    enum log_level level;
    switch (key->type) {
    case KEY_NUMBER:
        if (!text_to_long(value, key->min, key->max, member(key, config))) {
            return err_set(err, STATUS_INVALID,
                           "[%s] %s: \"%s\" is not a whole number from %ld to %ld", key->section,
                           key->name, value, key->min, key->max);
        }
        return STATUS_OK;
    case KEY_BOOLEAN:
        if (!text_equal(value, "true") && !text_equal(value, "false")) {
            return err_set(err, STATUS_INVALID, "[%s] %s: \"%s\" is neither true nor false",
                           key->section, key->name, value);
        }
        *(bool *)member(key, config) = text_equal(value, "true");
        return STATUS_OK;
    case KEY_OFF_OR_REQUIRED:
        if (!text_equal(value, "off") && !text_equal(value, "required")) {
            return err_set(err, STATUS_INVALID, "[%s] %s: \"%s\" is neither off nor required",
                           key->section, key->name, value);
        }
        return set_text(member(key, config), value, err);
    case KEY_LOG_LEVEL:
        if (!log_level_from_name(value, &level)) {
            return err_set(err, STATUS_INVALID,
                           "[%s] %s: \"%s\" is none of error, warning, info, debug", key->section,
                           key->name, value);
        }
        return set_text(member(key, config), value, err);
    case KEY_TEXT:
        return set_text(member(key, config), value, err);
    }
    return STATUS_INTERNAL;
}

/* inih's handler; 0 tells it to report the line as the first with an error. */
static int take_line(void *user, const char *section, const char *name, const char *value)
{
    struct source *source = user;
    if (source->failed) {
        return 1;
    }
    const struct config_key *key = find_key(section, name);
    if (key != NULL) {
        source->failed = set_value(key, value, source->config, source->err) != STATUS_OK;
    } else {
        source->failed = true;
        (void)err_set(source->err, STATUS_INVALID,
                      is_section(section) ? "[%s] has no key \"%s\""
                                          : "no section [%s] (key \"%s\")",
                      section, name);
    }
    return !source->failed;
}

static enum status load_file(const char *path, struct config *config, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return err_set(err, STATUS_INVALID, "%s: %s", path, strerror(errno));
    }
    struct err local = {0};
    struct source source = {.config = config, .err = &local};
    const int line = ini_parse_file(file, take_line, &source);
    fclose(file);
    if (line == 0) {
        return STATUS_OK;
    }
    if (line < 0) {
        return err_set(err, STATUS_INVALID, "%s: cannot be read", path);
    }
    return err_set(err, source.failed ? local.status : STATUS_INVALID, "%s:%d: %s", path, line,
                   source.failed ? local.message : "neither a [section] nor a key = value");
}

static enum status load_credential(const struct config_key *key, const char *directory,
                                   struct config *config, struct err *err)
{
    struct strbuf path = {0};
    strbuf_printf(&path, "%s/%s.%s", directory, key->section, key->name);
    AUTO_FREE char *name = strbuf_take(&path);
    if (name == NULL) {
        return err_no_memory(err);
    }
    FILE *file = fopen(name, "re");
    if (file == NULL) {
        return errno == ENOENT ? STATUS_OK
                               : err_set(err, STATUS_INVALID, "%s: %s", name, strerror(errno));
    }
    char value[4096];
    const size_t len = fread(value, 1, sizeof value - 1, file);
    fclose(file);
    const struct view trimmed = text_trim(value, len);
    AUTO_FREE char *copy = text_copy(trimmed.data, trimmed.len);
    if (copy == NULL) {
        return err_no_memory(err);
    }
    const enum status status = set_value(key, copy, config, err);
    return status == STATUS_OK ? status : err_prefix(err, "%s", name);
}

static void environment_name(const struct config_key *key, char *ret_name, size_t size)
{
    snprintf(ret_name, size, "INTAKE_%s_%s", key->section, key->name);
    for (char *c = ret_name; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
}

/* A variable of one of our sections that no key answers to is a typing error: say so. */
static enum status refuse_unknown_environment(struct err *err)
{
    for (char **entry = environ; *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        if (equals == NULL || !text_starts_with(*entry, "INTAKE_")) {
            continue;
        }
        const size_t len = (size_t)(equals - *entry);
        bool ours = false;
        bool known = false;
        for (size_t i = 0; i < config_keys_count && !known; i++) {
            char name[128];
            environment_name(&config_keys[i], name, sizeof name);
            known = strlen(name) == len && strncmp(name, *entry, len) == 0;
            const size_t section = strlen("INTAKE_") + strlen(config_keys[i].section) + 1;
            ours = ours || (len > section && strncmp(name, *entry, section) == 0);
        }
        if (ours && !known) {
            return err_set(err, STATUS_INVALID, "environment: no key answers to %.*s", (int)len,
                           *entry);
        }
    }
    return STATUS_OK;
}

static enum status load_environment(struct config *config, struct err *err)
{
    for (size_t i = 0; i < config_keys_count; i++) {
        char name[128];
        environment_name(&config_keys[i], name, sizeof name);
        const char *value = getenv(name);
        if (value != NULL && set_value(&config_keys[i], value, config, err) != STATUS_OK) {
            return err_prefix(err, "environment: %s", name);
        }
    }
    return refuse_unknown_environment(err);
}

static enum status load_all(const char *path, struct config *config, struct err *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < config_keys_count && status == STATUS_OK; i++) {
        status = set_value(&config_keys[i], config_keys[i].standard, config, err);
    }
    if (status == STATUS_OK && path != NULL) {
        status = load_file(path, config, err);
    }
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    for (size_t i = 0; i < config_keys_count && status == STATUS_OK && credentials; i++) {
        status = load_credential(&config_keys[i], credentials, config, err);
    }
    return status == STATUS_OK ? load_environment(config, err) : status;
}

enum status config_load(const char *path, struct config *ret_config, struct err *err)
{
    static const char system_path[] = "/etc/intake/intake.conf";
    if (path == NULL) {
        path = getenv("INTAKE_CONFIG");
    }
    if (path == NULL && access(system_path, F_OK) == 0) {
        path = system_path;
    }
    struct config config = {0};
    const enum status status = load_all(path, &config, err);
    if (status != STATUS_OK) {
        config_finish(&config);
        return status;
    }
    *ret_config = config;
    return STATUS_OK;
}

void config_finish(struct config *config)
{
    for (size_t i = 0; i < config_keys_count; i++) {
        if (config_keys[i].type != KEY_NUMBER && config_keys[i].type != KEY_BOOLEAN) {
            free(*(char **)member(&config_keys[i], config));
        }
    }
    *config = (struct config){0};
}

enum log_level config_log_level(const struct config *config)
{
    enum log_level level = LOG_LEVEL_INFO;
    (void)log_level_from_name(config->log.level, &level);
    return level;
}

const char *config_needs_restart(const struct config *old, const struct config *fresh)
{
    for (size_t i = 0; i < config_keys_count; i++) {
        const struct config_key *key = &config_keys[i];
        const void *a = (const char *)old + key->offset;
        const void *b = (const char *)fresh + key->offset;
        bool same = true;
        switch (key->type) {
        case KEY_NUMBER:
            same = *(const long *)a == *(const long *)b;
            break;
        case KEY_BOOLEAN:
            same = *(const bool *)a == *(const bool *)b;
            break;
        case KEY_TEXT:
        case KEY_OFF_OR_REQUIRED:
        case KEY_LOG_LEVEL:
            same = text_equal(*(char *const *)a, *(char *const *)b);
            break;
        }
        if (!same && !key->reloads) {
            return key->name;
        }
    }
    return NULL;
}

void config_print_documentation(FILE *out)
{
    fputs(
        "# Intake: every key with its default.\n"
        "# Each can also be given as INTAKE_<SECTION>_<KEY> in the environment, or as a file\n"
        "# <section>.<key> in $CREDENTIALS_DIRECTORY (the place for secrets). The environment\n"
        "# wins over a credential, a credential over this file. Keys marked (reload) take effect\n"
        "# at SIGHUP; the others need a restart.\n",
        out);
    const char *section = "";
    for (size_t i = 0; i < config_keys_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (!text_equal(section, key->section)) {
            section = key->section;
            fprintf(out, "\n[%s]\n", section);
        }
        fprintf(out, "\n# %s%s\n", key->meaning, key->reloads ? " (reload)" : "");
        if (key->type == KEY_NUMBER) {
            fprintf(out, "# %ld to %ld.\n", key->min, key->max);
        }
        fprintf(out, "%s =%s%s\n", key->name, *key->standard ? " " : "", key->standard);
    }
}
