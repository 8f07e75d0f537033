/* The pages and what they load, which are built into the binary: see src/web. */
#include <string.h>

#include "intake/core/embedded.h"
#include "intake/core/text.h"
#include "intake/http/content.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"

/* Made by the build from src/web. */
extern const struct embedded_file embedded_web[];
extern const size_t embedded_web_count;
extern const char embedded_web_digest[];

/* A page loads from here alone, runs no script that is not a file, and is nobody's frame. */
static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'";

static const struct {
    const char *suffix;
    const char *type;
} content_types[] = {
    {".css", "text/css; charset=utf-8"},
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".svg", "image/svg+xml"},
};

static bool ends_with(const char *text, const char *suffix)
{
    const size_t len = strlen(text);
    const size_t suffix_len = strlen(suffix);
    return len > suffix_len && memcmp(text + len - suffix_len, suffix, suffix_len) == 0;
}

static const char *content_type_of(const char *name)
{
    for (size_t i = 0; i < sizeof content_types / sizeof content_types[0]; i++) {
        if (ends_with(name, content_types[i].suffix)) {
            return content_types[i].type;
        }
    }
    return "application/octet-stream";
}

static const struct embedded_file *find_file(const char *name)
{
    for (size_t i = 0; i < embedded_web_count; i++) {
        if (text_equal(embedded_web[i].name, name)) {
            return &embedded_web[i];
        }
    }
    return NULL;
}

/* `file` is NULL where there is none. */
static void reply_file(struct request *request, const struct embedded_file *file,
                       const char *cache_control)
{
    if (file == NULL) {
        reply_problem(request, 404, "There is no such file in this version of the pages.");
        return;
    }
    const struct content content = {
        .type = content_type_of(file->name),
        .digest = file->digest,
        .cache_control = cache_control,
        .plain = {(const char *)file->data, file->size},
        .gzip = {(const char *)file->gzip, file->gzip_size},
    };
    reply_content(request, &content);
}

static enum handled reply_page(struct request *request, const char *name)
{
    reply_header(request, "Content-Security-Policy", "%s", page_policy);
    reply_header(request, "Referrer-Policy",
                 "no-referrer"); /* an address may hold a link's token */
    reply_header(request, "X-Frame-Options", "DENY");
    reply_file(request, find_file(name), "no-cache"); /* to be kept, but asked for each time */
    return HANDLED_NOW;
}

/* The same whatever the booking: whether there is such a one is told to its link alone. */
enum handled handle_page_patient(struct request *request, struct connection *connection)
{
    (void)connection;
    return reply_page(request, "patient.html");
}

enum handled handle_page_staff(struct request *request, struct connection *connection)
{
    (void)connection;
    return reply_page(request, "staff.html");
}

enum handled handle_page_docs(struct request *request, struct connection *connection)
{
    (void)connection;
    return reply_page(request, "docs.html");
}

enum handled handle_openapi(struct request *request, struct connection *connection)
{
    (void)connection;
    reply_file(request, find_file("openapi.json"), "no-cache");
    return HANDLED_NOW;
}

enum handled handle_asset(struct request *request, struct connection *connection)
{
    (void)connection;
    const bool is_served = text_equal(request->params[0], embedded_web_digest) &&
                           !ends_with(request->params[1], ".html");
    reply_file(request, is_served ? find_file(request->params[1]) : NULL,
               "public, max-age=31536000, immutable");
    return HANDLED_NOW;
}
