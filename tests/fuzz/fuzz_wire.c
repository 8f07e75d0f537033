/* Any bytes as what comes over a connection, read by libmicrohttpd and scanned by us: at once, and
 * cut into pieces. What becomes of them must not depend on the cuts, and what passes for plain must
 * be plain to a reader who knows nothing but the grammar. The first byte says where to cut. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "intake/core/cleanup.h"
#include "intake/core/text.h"
#include "intake/http/target.h"
#include "intake/http/wire.h"

enum { HEADERS_MAX_BYTES = 32 * 1024, STEPS_MAX = 100000 };

/* The connection's other end. */
static struct {
    const char *bytes;
    size_t len;
    size_t come;   /* how much of it has come */
    size_t taken;  /* how much of that the library has read */
    bool ended;    /* the client has closed its direction */
    bool closed;   /* the library has closed the connection */
    bool moved;    /* something was done since this was reset */
    size_t at;     /* where the next request begins, if all before it were plain */
    bool followed; /* whether `at` is known */
    bool odd;      /* what the library does depends on the cuts: a request without a body waits for
                      100, or there may be a trailer */
    struct strbuf *story;
} wire;

static struct {
    bool begun;
    size_t target_len;
    char target[HEADERS_MAX_BYTES];
    struct wire_headers headers;
    enum wire_verdict verdict;
} current;

static struct MHD_Daemon *server;
static struct MHD_Response *reply;
static struct MHD_Response *refusal;

/* Instead of the kernel's, for the library's sake: there is nothing else here that uses a socket.
 */
ssize_t recv(int fd, void *buffer, size_t max, int flags)
{
    (void)fd;
    (void)flags;
    size_t len = wire.come - wire.taken;
    if (len == 0 && wire.ended) {
        wire.moved = true;
        return 0;
    }
    if (len == 0) {
        errno = EAGAIN;
        return -1;
    }
    len = len < max ? len : max;
    memcpy(buffer, wire.bytes + wire.taken, len);
    wire.taken += len;
    wire.moved = true;
    return (ssize_t)len;
}

/* Whether the library says "100 Continue" depends on how early the body comes. */
static void take_sent(const void *data, size_t len)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    wire.moved = true;
    if (len != sizeof go_on - 1 || memcmp(data, go_on, len) != 0) {
        strbuf_append(wire.story, data, len);
    }
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    (void)fd;
    (void)flags;
    take_sent(data, len);
    return (ssize_t)len;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    (void)fd;
    (void)flags;
    ssize_t len = 0;
    for (size_t i = 0; i < (size_t)message->msg_iovlen; i++) {
        take_sent(message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
        len += (ssize_t)message->msg_iov[i].iov_len;
    }
    return len;
}

static void tell_view(const char *name, struct view view)
{
    if (view.data != NULL) {
        strbuf_printf(wire.story, "%s=", name);
        strbuf_append(wire.story, view.data, view.len);
        strbuf_putc(wire.story, '\n');
    }
}

static void tell_headers(const struct wire_headers *headers)
{
    strbuf_printf(wire.story, "length=%lld chunked=%d continue=%d cookies=%zu\n",
                  (long long)headers->content_length, headers->chunked, headers->expects_continue,
                  headers->session_cookies);
    tell_view("authorization", headers->authorization);
    tell_view("type", headers->content_type);
    tell_view("origin", headers->origin);
    tell_view("host", headers->host);
    tell_view("cors", headers->cors_method);
    tell_view("session", headers->session_cookie);
    for (size_t i = 0; i < headers->forwarded_count; i++) {
        tell_view("forwarded", headers->forwarded_for[i]);
    }
}

static bool same_view(struct view a, struct view b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static struct view trim(const char *data, size_t len)
{
    while (len > 0 && (*data == ' ' || *data == '\t')) {
        data++;
        len--;
    }
    return (struct view){data, len};
}

static bool is_named(const char *line, size_t name_len, const char *name)
{
    return name_len == strlen(name) && strncasecmp(line, name, name_len) == 0;
}

/* One line of a head that passed for plain. */
static void read_line(const char *line, size_t len, unsigned *hosts)
{
    const struct wire_headers *headers = &current.headers;
    const char *colon = memchr(line, ':', len);
    fuzz_assert(colon != NULL && wire_is_token(line, (size_t)(colon - line)), "a name", line);
    const size_t name_len = (size_t)(colon - line);
    const struct view value = trim(colon + 1, len - name_len - 1);
    fuzz_assert(wire_is_value(value.data, value.len), "a value", line);
    if (is_named(line, name_len, "Host")) {
        fuzz_assert(same_view(value, headers->host), "the host", line);
        ++*hosts;
    } else if (is_named(line, name_len, "Content-Length")) {
        fuzz_assert(headers->content_length == strtoll(value.data, NULL, 10), "a length", line);
    } else if (is_named(line, name_len, "Transfer-Encoding")) {
        fuzz_assert(headers->chunked && headers->content_length < 0, "chunks", line);
    }
}

/* How many bytes end a line here: 2, or 4 with the empty line that is the last, else 0. Of others
 * than CR LF these are all that wire.h says nobody can tell from it. */
static size_t count_ends(const char *at, const char *end, bool is_first)
{
    static const char lasts[][4] = {"\r\n\r\n", "\r\n\0\n", "\n\0\r\n", "\n\0\0\n",
                                    /* not behind the first line: */
                                    "\0\n\r\n", "\0\n\0\n", "\0\r\n\n", "\0\0\n\n", "\r\n:\n",
                                    "\0\n:\n", "\n:\r\n", "\n:\0\n"};
    const size_t count = is_first ? 4 : ARRAY_LENGTH(lasts);
    const size_t len = (size_t)(end - at);
    for (size_t i = 0; len >= 4 && i < count; i++) {
        if (memcmp(at, lasts[i], 4) == 0) {
            return 4;
        }
    }
    return len >= 2 && at[1] == '\n' && (at[0] == '\r' || (at[0] == '\0' && !is_first)) ? 2 : 0;
}

/* Skips empty lines, and those that begin with a NUL: see wire.h. */
static const char *skip_lines(const char *line, const char *end)
{
    while (line < end && (*line == '\0' || *line == '\n' || strncmp(line, "\r\n", 2) == 0)) {
        line = memchr(line, '\n', (size_t)(end - line));
        fuzz_assert(line != NULL, "a line before the first ends", wire.bytes);
        line++;
    }
    return line;
}

/* The head that begins at `wire.at`, or behind lines that are skipped. */
static void read_head(const char *method, const char *version)
{
    const char *end = wire.bytes + wire.come;
    const char *line = skip_lines(wire.bytes + wire.at, end);
    unsigned hosts = 0;
    AUTO(strbuf_finish) struct strbuf first = {0};
    strbuf_printf(&first, "%s %s %s", method, current.target, version);
    fuzz_assert((size_t)(end - line) >= first.len && memcmp(line, first.data, first.len) == 0,
                "the first line", line);
    fuzz_assert(wire_is_value(first.data, first.len) && strchr(current.target, ' ') == NULL,
                "three parts", line);
    line += first.len;
    size_t ends = count_ends(line, end, true);
    for (line += ends; ends == 2; line += ends) {
        const size_t len = strcspn(line, "\r\n");
        read_line(line, len, &hosts);
        line += len;
        ends = count_ends(line, end, false);
    }
    fuzz_assert(ends == 4, "the ends of lines", line);
    fuzz_assert(hosts == 1 || (hosts == 0 && strcmp(version, "HTTP/1.0") == 0), "one host", line);
    const int64_t length = current.headers.content_length;
    wire.at = (size_t)(line - wire.bytes) + (length > 0 ? (size_t)length : 0);
}

static void *on_first_line(void *context, const char *target, struct MHD_Connection *connection)
{
    (void)context;
    current.begun = false;
    current.target_len = strlen(target);
    snprintf(current.target, sizeof current.target, "%s", target);
    wire_hide_cookies(connection);
    return &current;
}

static bool ends_line(char c)
{
    return c == '\r' || c == '\n';
}

/*
 * Whether something that may be a last chunk is followed by a trailer: one that is malformed is
 * refused, or overlooked, and that depends on the cuts.
 */
static bool has_trailer(void)
{
    const char *end = wire.bytes + wire.len;
    for (const char *at = wire.bytes + 1; at < end; at++) {
        if (ends_line(at[-1]) && *at == '0') {
            while (at < end && !ends_line(*at)) {
                at++;
            }
            at += end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? 2 : 1;
            if (at < end && !ends_line(*at)) {
                return true;
            }
        }
    }
    return false;
}

static enum MHD_Result begin(struct MHD_Connection *connection, const char *method,
                             const char *version)
{
    const char *fault = NULL;
    current.begun = true;
    current.verdict =
        wire_check(connection, method, current.target_len, version, &current.headers, &fault);
    fuzz_assert((fault != NULL) == (current.verdict != WIRE_PLAIN), "a fault", method);
    strbuf_printf(wire.story, "%s %s %s: %s\n", method, current.target, version,
                  fault != NULL ? fault : "plain");
    /* As admit.c, which looks at the target next. */
    struct target parts;
    char text[HEADERS_MAX_BYTES];
    memcpy(text, current.target, current.target_len + 1);
    if (current.verdict != WIRE_PLAIN || !target_parse(text, &parts)) {
        wire.followed = false;
        return MHD_queue_response(connection, 400, refusal);
    }
    tell_headers(&current.headers);
    wire.odd |= current.headers.expects_continue && !wire_has_body(&current.headers);
    wire.odd |= current.headers.chunked && has_trailer();
    if (wire.followed) {
        read_head(method, version);
    }
    return MHD_YES;
}

static enum MHD_Result on_call(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *size, void **request)
{
    (void)context;
    (void)url;
    (void)request;
    wire.moved = true;
    if (!current.begun) {
        return begin(connection, method, version);
    }
    if (*size > 0) {
        strbuf_append(wire.story, data, *size);
        *size = 0;
        return MHD_YES;
    }
    strbuf_puts(wire.story, "\nwhole\n");
    /* As dispatch.c: what follows chunks is not read as a request. */
    return MHD_queue_response(connection, current.headers.chunked ? 400 : 200,
                              current.headers.chunked ? refusal : reply);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **own,
                          enum MHD_ConnectionNotificationCode code)
{
    (void)context;
    (void)connection;
    (void)own;
    wire.closed = code == MHD_CONNECTION_NOTIFY_CLOSED;
}

static void start(void)
{
    static char text[] = "";
    server = MHD_start_daemon(
        MHD_USE_NO_LISTEN_SOCKET | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, NULL, NULL, on_call, NULL,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX_BYTES, MHD_OPTION_URI_LOG_CALLBACK,
        on_first_line, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_END);
    fuzz_assert(server != NULL, "a server", "");
    reply = MHD_create_response_from_buffer(0, text, MHD_RESPMEM_PERSISTENT);
    refusal = MHD_create_response_from_buffer(0, text, MHD_RESPMEM_PERSISTENT);
    fuzz_assert(MHD_add_response_header(refusal, "Connection", "close") == MHD_YES, "a reply", "");
}

/* Until the library has done all that it can with what has come. */
static void run(int fd)
{
    int idle = 0; /* some of the library's steps do nothing that is seen here */
    for (int steps = 0; !wire.closed && idle < 3; steps++) {
        fd_set readable;
        fd_set writable;
        fd_set failed;
        FD_ZERO(&readable);
        FD_ZERO(&writable);
        FD_ZERO(&failed);
        FD_SET(fd, &readable);
        FD_SET(fd, &writable);
        fuzz_assert(steps < STEPS_MAX, "an end", wire.bytes);
        wire.moved = false;
        (void)MHD_run_from_select(server, &readable, &writable, &failed);
        idle = wire.moved ? 0 : idle + 1;
    }
}

/* Tells what becomes of the bytes; `cut` 0: they come at once; 255: one by one. */
static void tell(const char *bytes, size_t len, uint8_t cut, struct strbuf *story)
{
    const struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(1)};
    uint32_t state = cut;
    const int fd = dup(0);
    wire = (typeof(wire)){.bytes = bytes, .len = len, .followed = true, .story = story};
    fuzz_assert(fd >= 0 && fd < FD_SETSIZE &&
                    MHD_add_connection(server, fd, (const struct sockaddr *)&peer, sizeof peer) ==
                        MHD_YES,
                "a connection", "");
    while (wire.come < len && !wire.closed) {
        state = state * 1103515245 + 12345;
        const size_t piece = cut == 0 ? len : cut == 255 ? 1 : 1 + (state >> 16) % (cut + 1U);
        wire.come = piece < len - wire.come ? wire.come + piece : len;
        run(fd);
    }
    wire.ended = true;
    run(fd);
    (void)MHD_run(server);
    fuzz_assert(wire.closed, "closed", bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(strbuf_finish) struct strbuf whole = {0};
    AUTO(strbuf_finish) struct strbuf pieces = {0};
    if (size == 0) {
        return 0;
    }
    if (server == NULL) {
        start();
    }
    char *bytes = text_copy((const char *)data + 1, size - 1);
    const uint8_t cut = data[0] == 0 ? 255 : data[0];
    tell(bytes, size - 1, 0, &whole);
    const bool odd = wire.odd;
    tell(bytes, size - 1, cut, &pieces);
    fuzz_assert(odd == wire.odd, "odd in either case", bytes);
    if (!odd && (whole.len != pieces.len ||
                 (whole.len > 0 && memcmp(whole.data, pieces.data, whole.len) != 0))) {
        fprintf(stderr, "at once:\n%s\nin pieces:\n%s\n", whole.data, pieces.data);
        fuzz_assert(false, "the cuts change it", bytes);
    }
    free(bytes);
    return 0;
}
