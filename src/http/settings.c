/* Those settings of the HTTP layer that change while it runs. */
#include "intake/http/settings.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* scheme "://" host [":" port], and nothing behind it: what browsers put into Origin. */
static bool is_origin(struct view text)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        const size_t len = strlen(schemes[i]);
        if (text.len > len && strncasecmp(text.data, schemes[i], len) == 0) {
            for (size_t k = len; k < text.len; k++) {
                const char c = text.data[k];
                if (c <= ' ' || c == '/' || c == '?' || c == '#' || c == '@' || c == 0x7f) {
                    return false;
                }
            }
            return true;
        }
    }
    return false;
}

static enum status parse_origins(struct http_settings *settings, struct err *err)
{
    for (const char *at = settings->origins_text; *at != '\0';) {
        const size_t len = strcspn(at, ",");
        const struct view item = text_trim(at, len);
        at += len + (at[len] == ',');
        if (item.len == 0) {
            continue;
        }
        if (item.len == 1 && item.data[0] == '*') {
            settings->every_origin = true;
            continue;
        }
        if (!is_origin(item)) {
            return err_set(err, STATUS_INVALID,
                           "[http] cors_origins: \"%.*s\" is not an origin such as "
                           "https://www.example.org",
                           (int)item.len, item.data);
        }
        struct view *grown =
            reallocarray(settings->origins, settings->origins_count + 1, sizeof *settings->origins);
        if (grown == NULL) {
            return err_no_memory(err);
        }
        settings->origins = grown;
        settings->origins[settings->origins_count++] = item;
    }
    return STATUS_OK;
}

enum status http_settings_parse(const struct config *config, struct http_settings *ret_settings,
                                struct err *err)
{
    struct http_settings settings = {.origins_text = strdup(config->http.cors_origins)};
    if (settings.origins_text == NULL) {
        return err_no_memory(err);
    }
    enum status status =
        address_list_parse(config->http.trusted_proxies, &settings.trusted_proxies, err);
    if (status == STATUS_INVALID) {
        (void)err_prefix(err, "[http] trusted_proxies");
    }
    if (status == STATUS_OK) {
        status = parse_origins(&settings, err);
    }
    if (status != STATUS_OK) {
        http_settings_finish(&settings);
        return status;
    }
    *ret_settings = settings;
    return STATUS_OK;
}

void http_settings_finish(struct http_settings *settings)
{
    address_list_finish(&settings->trusted_proxies);
    free(settings->origins);
    free(settings->origins_text);
    *settings = (struct http_settings){0};
}

bool http_settings_allow_origin(const struct http_settings *settings, struct view origin)
{
    for (size_t i = 0; i < settings->origins_count; i++) {
        if (settings->origins[i].len == origin.len &&
            strncasecmp(settings->origins[i].data, origin.data, origin.len) == 0) {
            return true;
        }
    }
    return settings->every_origin;
}
