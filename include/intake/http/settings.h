/* Those settings of the HTTP layer that change while it runs, in the form in which it asks them. */
#ifndef INTAKE_HTTP_SETTINGS_H
#define INTAKE_HTTP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "intake/core/config.h"
#include "intake/core/err.h"
#include "intake/core/text.h"
#include "intake/http/client_address.h"

struct http_settings {
    struct address_list trusted_proxies;
    char *origins_text; /* what `origins` points into */
    struct view *origins;
    size_t origins_count;
    bool every_origin; /* "*" */
};

/* Freed with http_settings_finish. STATUS_INVALID names the key and the bad value. */
enum status http_settings_parse(const struct config *config, struct http_settings *ret_settings,
                                struct err *err);
void http_settings_finish(struct http_settings *settings);

/* Whether pages of that origin may call us (CORS). */
bool http_settings_allow_origin(const struct http_settings *settings, struct view origin);

#endif
