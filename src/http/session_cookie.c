/* The cookie of the staff page. */
#include "intake/http/session_cookie.h"

#include <string.h>
#include <strings.h>

#include "intake/http/request.h"

size_t session_cookie_find(struct view header, struct view *first)
{
    static const char name[] = SESSION_COOKIE "=";
    const size_t name_len = sizeof name - 1;
    size_t count = 0;
    while (header.len > 0) {
        const char *end = memchr(header.data, ';', header.len);
        const size_t len = end != NULL ? (size_t)(end - header.data) : header.len;
        const struct view pair = text_trim(header.data, len);
        if (pair.len >= name_len && memcmp(pair.data, name, name_len) == 0) {
            count++;
            if (first->data == NULL) {
                *first = (struct view){pair.data + name_len, pair.len - name_len};
            }
        }
        const size_t taken = end != NULL ? len + 1 : len;
        header = (struct view){header.data + taken, header.len - taken};
    }
    return count;
}

static bool begins_with(struct view text, const char *prefix)
{
    const size_t len = strlen(prefix);
    return text.len >= len && strncasecmp(text.data, prefix, len) == 0;
}

/* `host` without the port that its scheme has anyway. */
static struct view without_port(struct view host, const char *port)
{
    const size_t len = strlen(port);
    if (host.len > len && strncmp(host.data + host.len - len, port, len) == 0) {
        host.len -= len;
    }
    return host;
}

bool session_cookie_origin_fits(struct view origin, struct view host)
{
    static const struct {
        const char *prefix;
        const char *port;
    } schemes[] = {{"https://", ":443"}, {"http://", ":80"}};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (begins_with(origin, schemes[i].prefix)) {
            const size_t skip = strlen(schemes[i].prefix);
            const struct view named = {origin.data + skip, origin.len - skip};
            const struct view ours = without_port(host, schemes[i].port);
            return named.len > 0 && named.len == ours.len &&
                   strncasecmp(named.data, ours.data, ours.len) == 0;
        }
    }
    return false; /* "null", and what browsers do not send */
}

bool session_cookie_is_same_origin(const struct request *request)
{
    const struct wire_headers *headers = &request->headers;
    if (headers->origin.data != NULL) {
        return session_cookie_origin_fits(headers->origin, headers->host);
    }
    return text_equal(request_header(request, "Sec-Fetch-Site"), "same-origin");
}

bool session_cookie_host_is_loopback(struct view host)
{
    static const char name[] = "localhost";
    const size_t len = sizeof name - 1;
    if (begins_with(host, name)) {
        return host.len == len || host.data[len] == ':';
    }
    struct client_address address;
    return client_address_parse(host.data, host.len, &address) &&
           client_address_is_loopback(&address);
}

void session_cookie_set(struct request *request, const char *session)
{
    const struct view host = request->headers.host;
    const bool plain = host.data != NULL && session_cookie_host_is_loopback(host);
    reply_header(request, "Set-Cookie", SESSION_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict%s",
                 session, plain ? "" : "; Secure");
}

void session_cookie_clear(struct request *request)
{
    reply_header(request, "Set-Cookie",
                 SESSION_COOKIE "=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
}
