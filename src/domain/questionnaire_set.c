/* All questionnaires of a directory. */
#include "intake/domain/questionnaire_set.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/text.h"
#include "intake/domain/questionnaire.h"

struct questionnaire_set {
    struct questionnaire **items; /* by id, newest version first */
    size_t count;
    const char *default_id; /* the default's own id: lives as long as it */
};

void questionnaire_set_destroy(struct questionnaire_set *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        questionnaire_destroy(set->items[i]);
    }
    free(set->items);
    free(set);
}

/* By id, then from the newest version: 10.2 is newer than 9. */
static int compare(const void *a, const void *b)
{
    const struct questionnaire *x = *(struct questionnaire *const *)a;
    const struct questionnaire *y = *(struct questionnaire *const *)b;
    const int order = strcmp(questionnaire_id(x), questionnaire_id(y));
    return order != 0 ? order : strverscmp(questionnaire_version(y), questionnaire_version(x));
}

static int is_definition(const struct dirent *entry)
{
    const size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

static enum status load_file(struct questionnaire_set *set, const char *directory, const char *name,
                             struct err *err)
{
    struct strbuf path = {0};
    struct issues issues = {0};
    struct questionnaire *questionnaire = NULL;
    strbuf_printf(&path, "%s/%s", directory, name);
    enum status status = path.failed ? err_no_memory(err)
                                     : questionnaire_load(path.data, &issues, &questionnaire, err);
    if (status == STATUS_OK && questionnaire_id(questionnaire)[0] == '\0') {
        status = err_set(err, STATUS_INVALID, "%s: the questionnaire has no id", path.data);
        questionnaire_destroy(questionnaire);
    } else if (status == STATUS_OK && !questionnaire_pack(questionnaire)) {
        status = err_no_memory(err);
        questionnaire_destroy(questionnaire);
    } else if (status == STATUS_OK) {
        set->items[set->count++] = questionnaire;
    }
    issues_finish(&issues);
    strbuf_finish(&path);
    return status;
}

static enum status check_set(struct questionnaire_set *set, const char *default_id, struct err *err)
{
    for (size_t i = 1; i < set->count; i++) {
        if (compare(&set->items[i - 1], &set->items[i]) == 0) {
            return err_set(err, STATUS_INVALID, "questionnaire %s version \"%s\" is there twice",
                           questionnaire_id(set->items[i]), questionnaire_version(set->items[i]));
        }
    }
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(questionnaire_id(set->items[i]), default_id) == 0) {
            set->default_id = questionnaire_id(set->items[i]);
            return STATUS_OK;
        }
    }
    return err_set(err, STATUS_INVALID, "there is no questionnaire with the default id %s",
                   default_id);
}

static struct questionnaire_set *create(size_t capacity)
{
    struct questionnaire_set *set = calloc(1, sizeof *set);
    if (set == NULL) {
        return NULL;
    }
    set->items = calloc(capacity + 1, sizeof(struct questionnaire *));
    if (set->items == NULL) {
        free(set);
        return NULL;
    }
    return set;
}

static void free_entries(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free(entries);
}

enum status questionnaire_set_load(const char *directory, const char *default_id,
                                   struct questionnaire_set **ret, struct err *err)
{
    struct dirent **entries = NULL;
    const int found = scandir(directory, &entries, is_definition, alphasort);
    if (found < 0) {
        return err_set(err, errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_INVALID, "%s: %s",
                       directory, strerror(errno));
    }
    struct questionnaire_set *set = create((size_t)found);
    if (set == NULL) {
        free_entries(entries, found);
        return err_no_memory(err);
    }
    enum status status = STATUS_OK;
    for (int i = 0; i < found && status == STATUS_OK; i++) {
        status = load_file(set, directory, entries[i]->d_name, err);
    }
    free_entries(entries, found);
    if (status == STATUS_OK) {
        qsort(set->items, set->count, sizeof(struct questionnaire *), compare);
        status = check_set(set, default_id, err);
    }
    if (status != STATUS_OK) {
        questionnaire_set_destroy(set);
        return status;
    }
    *ret = set;
    return STATUS_OK;
}

const struct questionnaire *questionnaire_set_default(const struct questionnaire_set *set)
{
    return questionnaire_set_find(set, set->default_id, NULL);
}

const struct questionnaire *questionnaire_set_find(const struct questionnaire_set *set,
                                                   const char *id, const char *version)
{
    const int64_t now = clock_wall_us() / 1000;
    for (size_t i = 0; i < set->count; i++) {
        const struct questionnaire *item = set->items[i];
        if (strcmp(questionnaire_id(item), id) == 0 &&
            (version == NULL ? questionnaire_is_offered(item, now)
                             : strcmp(questionnaire_version(item), version) == 0)) {
            return item;
        }
    }
    return NULL;
}

static bool is_named(const char *text, const char *name, size_t len)
{
    return len > 0 && strlen(text) == len && memcmp(text, name, len) == 0;
}

const struct questionnaire *questionnaire_set_resolve(const struct questionnaire_set *set,
                                                      const char *name)
{
    const char *bar = strchr(name, '|');
    const size_t len = bar == NULL ? strlen(name) : (size_t)(bar - name);
    const int64_t now = clock_wall_us() / 1000;
    const struct questionnaire *newest = NULL;
    for (size_t i = 0; i < set->count; i++) {
        const struct questionnaire *item = set->items[i];
        if (!is_named(questionnaire_id(item), name, len) &&
            !is_named(questionnaire_url(item), name, len)) {
            continue;
        }
        if (bar == NULL ? questionnaire_is_offered(item, now)
                        : strcmp(questionnaire_version(item), bar + 1) == 0) {
            return item;
        }
        newest = newest == NULL && bar == NULL ? item : newest;
    }
    return newest;
}

const struct questionnaire *questionnaire_set_answered(const struct questionnaire_set *set,
                                                       const char *id, const char *version)
{
    if (id == NULL) {
        return questionnaire_set_resolve(set, set->default_id);
    }
    const struct questionnaire *found =
        version == NULL ? NULL : questionnaire_set_find(set, id, version);
    return found != NULL ? found : questionnaire_set_resolve(set, id);
}

const struct questionnaire *questionnaire_set_choose(const struct questionnaire_set *set,
                                                     const char *name, const char *field,
                                                     const char *path, struct issues *issues)
{
    const bool blank = name == NULL || text_is_blank(name, strlen(name));
    const struct questionnaire *found =
        questionnaire_set_resolve(set, blank ? set->default_id : name);
    if (found == NULL) {
        issues_add(issues, "questionnaireNotFound", field, path,
                   "There is no such questionnaire to answer.");
        return NULL;
    }
    if (questionnaire_is_offered(found, clock_wall_us() / 1000)) {
        return found;
    }
    const char *status = questionnaire_status(found);
    const bool draft = strcmp(status, "draft") == 0;
    const bool retired = strcmp(status, "retired") == 0;
    issues_add(issues,
               draft     ? "questionnaireDraft"
               : retired ? "questionnaireRetired"
                         : "questionnaireInactive",
               field, path,
               draft     ? "This questionnaire is a draft: it does not take answers yet."
               : retired ? "This questionnaire is no longer in use: it takes no more answers."
                         : "This questionnaire does not take answers at this time.");
    return NULL;
}

size_t questionnaire_set_count(const struct questionnaire_set *set)
{
    return set->count;
}

const struct questionnaire *questionnaire_set_at(const struct questionnaire_set *set, size_t index)
{
    return set->items[index];
}
