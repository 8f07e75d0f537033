/* What libmicrohttpd 0.9.75 lets through although it is not plain HTTP/1.1. */
#include "intake/http/wire.h"

#include <string.h>
#include <strings.h>

#include "intake/core/cleanup.h"
#include "intake/http/session_cookie.h"

/* Told from a client's by its place. */
static const char no_cookies[] = "Cookie";

struct scan {
    struct wire_headers *headers;
    const char *fault;
    const char *next; /* where the line behind those so far has to begin */
    unsigned host_count;
    unsigned length_count;
    unsigned encoding_count;
    unsigned expect_count;
    bool expects_other;
    bool places_known; /* this release hands over pointers into what it read */
};

bool wire_is_token(const char *text, size_t len)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && c != '-' && !(c >= '0' && c <= '9') &&
            memchr(marks, c, sizeof marks - 1) == NULL) {
            return false;
        }
    }
    return len > 0;
}

bool wire_is_value(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

/* 1*DIGIT that fits; libmicrohttpd's own reading is not to differ from ours. */
static bool parse_length(const char *text, size_t len, int64_t *ret_length)
{
    int64_t length = 0;
    if (len == 0 || len > 18) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        length = length * 10 + (text[i] - '0');
    }
    *ret_length = length;
    return true;
}

static bool is_word(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

/* Whether key and value lie as a plain line leaves them, right behind the line before it. */
static bool is_in_place(struct scan *scan, const char *key, size_t key_len, const char *value,
                        size_t value_len)
{
    if (key != scan->next || value < key + key_len + 1) {
        return false;
    }
    for (const char *between = key + key_len + 1; between < value; between++) {
        if (*between != ' ' && *between != '\t') {
            return false;
        }
    }
    scan->next = value + value_len + strlen("\r\n");
    return true;
}

static void take_view(struct view *ret_view, const char *value, size_t value_len)
{
    if (ret_view->data == NULL) {
        *ret_view = (struct view){value, value_len};
    }
}

/* Keeps the last ones: our proxies add theirs behind whatever the client sent. */
static void take_forwarded(struct wire_headers *headers, struct view value)
{
    const size_t max = ARRAY_LENGTH(headers->forwarded_for);
    if (headers->forwarded_count == max) {
        memmove(&headers->forwarded_for[0], &headers->forwarded_for[1],
                (max - 1) * sizeof headers->forwarded_for[0]);
        headers->forwarded_count--;
    }
    headers->forwarded_for[headers->forwarded_count++] = value;
}

static void take_header(struct scan *scan, const char *key, size_t key_len, const char *value,
                        size_t value_len)
{
    struct wire_headers *headers = scan->headers;
    if (is_word(key, key_len, "Host")) {
        scan->host_count++;
        take_view(&headers->host, value, value_len);
    } else if (is_word(key, key_len, "Content-Length")) {
        scan->length_count++;
        if (!parse_length(value, value_len, &headers->content_length)) {
            scan->fault = "Content-Length is not a number.";
        }
    } else if (is_word(key, key_len, "Content-Type")) {
        take_view(&headers->content_type, value, value_len);
    } else if (is_word(key, key_len, "Authorization")) {
        take_view(&headers->authorization, value, value_len);
    } else if (is_word(key, key_len, "Origin")) {
        take_view(&headers->origin, value, value_len);
    } else if (is_word(key, key_len, "Cookie")) {
        headers->session_cookies +=
            session_cookie_find((struct view){value, value_len}, &headers->session_cookie);
    } else if (is_word(key, key_len, "Transfer-Encoding")) {
        scan->encoding_count++;
        headers->chunked = is_word(value, value_len, "chunked");
        if (!headers->chunked) {
            scan->fault = "Transfer-Encoding is not chunked.";
        }
    } else if (is_word(key, key_len, "Expect")) {
        scan->expect_count++;
        headers->expects_continue = is_word(value, value_len, "100-continue");
        scan->expects_other |= !headers->expects_continue;
    } else if (is_word(key, key_len, "Access-Control-Request-Method")) {
        take_view(&headers->cors_method, value, value_len);
    } else if (is_word(key, key_len, "X-Forwarded-For")) {
        take_forwarded(headers, (struct view){value, value_len});
    }
}

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *key,
                                 size_t key_len, const char *value, size_t value_len)
{
    (void)kind;
    struct scan *scan = context;
    if (key == no_cookies) {
        return MHD_YES;
    }
    if (!wire_is_token(key, key_len)) {
        scan->fault = "A header's name has a character that names cannot have.";
    } else if (value == NULL || !wire_is_value(value, value_len)) {
        scan->fault = "A header's value has a control character.";
    } else if (scan->places_known && !is_in_place(scan, key, key_len, value, value_len)) {
        scan->fault = "A header is not one line of name and value.";
    } else {
        take_header(scan, key, key_len, value, value_len);
    }
    return scan->fault == NULL ? MHD_YES : MHD_NO;
}

/* What only the whole of the headers shows. */
static const char *find_fault(const struct scan *scan, const char *version)
{
    const bool is_1_0 = strcmp(version, "HTTP/1.0") == 0;
    if (scan->fault != NULL) {
        return scan->fault;
    }
    if (scan->host_count > 1) {
        return "There is more than one Host.";
    }
    if (scan->host_count == 0 && !is_1_0) {
        return "There is no Host.";
    }
    if (scan->length_count > 1) {
        return "There is more than one Content-Length.";
    }
    if (scan->encoding_count > 1) {
        return "There is more than one Transfer-Encoding.";
    }
    if (scan->encoding_count == 1 && (scan->length_count == 1 || is_1_0)) {
        return "Transfer-Encoding comes with Content-Length, or with HTTP/1.0.";
    }
    return NULL;
}

/* Else more than one space, which the library skips, would make up for a CR that is missing. */
static bool first_line_is_plain(const char *method, size_t target_len, const char *version)
{
    return (uintptr_t)version - (uintptr_t)method == strlen(method) + 1 + target_len + 1;
}

/* The library makes a NUL of each byte that ends a line, and so leaves four at the end. */
static bool end_is_plain(struct MHD_Connection *connection, const struct scan *scan,
                         const char *method)
{
    static const char ends[sizeof "\r\n\r\n" - 1] = {0};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *end = scan->next + strlen("\r\n");
    return info != NULL && info->header_size == (uintptr_t)end - (uintptr_t)method &&
           memcmp(end - sizeof ends, ends, sizeof ends) == 0;
}

void wire_hide_cookies(struct MHD_Connection *connection)
{
    /* Where memory is out for it, it is out for the headers too, which is 431. */
    (void)MHD_set_connection_value(connection, MHD_HEADER_KIND, no_cookies, "");
}

enum wire_verdict wire_check(struct MHD_Connection *connection, const char *method,
                             size_t target_len, const char *version,
                             struct wire_headers *ret_headers, const char **ret_fault)
{
    *ret_headers = (struct wire_headers){.content_length = -1};
    struct scan scan = {
        .headers = ret_headers,
        /* 1.0 and later refuse all this themselves, and may store it otherwise. */
        .places_known = strncmp(MHD_get_version(), "0.9.", 4) == 0,
        .next = version + strlen(version) + strlen("\r\n"),
    };
    if (!wire_is_token(method, strlen(method))) {
        scan.fault = "The method has a character that methods cannot have.";
    } else {
        MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_header, &scan);
    }
    const char *fault = find_fault(&scan, version);
    if (fault == NULL && scan.places_known && !first_line_is_plain(method, target_len, version)) {
        fault = "The first line is not a method, a target and a version.";
    }
    if (fault == NULL && scan.places_known && !end_is_plain(connection, &scan, method)) {
        fault = "The headers hold something that is not a header.";
    }
    if (fault != NULL) {
        *ret_fault = fault;
        return WIRE_MALFORMED;
    }
    if (scan.expects_other || scan.expect_count > 1) {
        *ret_fault = "Of all expectations only 100-continue is known.";
        return WIRE_EXPECTATION;
    }
    return WIRE_PLAIN;
}
