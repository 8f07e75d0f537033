/* Cross-origin requests from browsers. */
#include "intake/http/cors.h"

/* How long a browser remembers a preflight; after this a changed list counts. */
enum { PREFLIGHT_SECONDS = 600 };

bool cors_allow(struct request *request, const struct http_settings *settings)
{
    if (settings->origins_count == 0 && !settings->every_origin) {
        return false;
    }
    reply_header(request, "Vary", "Origin");
    const struct view origin = request->headers.origin;
    if (origin.data == NULL || !http_settings_allow_origin(settings, origin)) {
        return false;
    }
    reply_header(request, "Access-Control-Allow-Origin", "%.*s", (int)origin.len, origin.data);
    reply_header(request, "Access-Control-Expose-Headers",
                 "ETag, Location, Retry-After, X-Request-Id");
    return true;
}

void cors_allow_preflight(struct request *request, const char *methods)
{
    if (request->headers.cors_method.data == NULL) {
        return;
    }
    reply_header(request, "Access-Control-Allow-Methods", "%s", methods);
    reply_header(request, "Access-Control-Allow-Headers",
                 "Authorization, Content-Type, If-Match, If-None-Match, X-Intake-Link, "
                 "X-Intake-Reason, X-Intake-Unattended");
    reply_header(request, "Access-Control-Max-Age", "%d", PREFLIGHT_SECONDS);
}
