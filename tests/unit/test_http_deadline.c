/* Absolute deadlines, on real TCP connections: awaits what the client sees, never sleeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "intake/core/clock.h"
#include "intake/http/deadline.h"
#include "intake/http/listener.h"

enum { PATIENCE_MS = 10000, NEVER_MS = 3600000 };

struct pair {
    struct deadlines *deadlines;
    struct deadline_entry entry;
    int client;
    int64_t started_us;
};

/* Deadlines of an hour but for one phase, and a connection that they watch. */
static void begin(struct pair *pair, enum deadline_phase phase, int64_t limit_ms)
{
    struct deadline_limits limits;
    for (int i = 0; i < DEADLINE_PHASES_COUNT; i++) {
        limits.ms[i] = i == (int)phase ? limit_ms : NEVER_MS;
    }
    memset(pair, 0, sizeof *pair);
    assert_int_equal(deadlines_create(&limits, &pair->deadlines, NULL), STATUS_OK);
    int listener = -1;
    assert_int_equal(listener_open("127.0.0.1", 0, &listener, NULL), STATUS_OK);
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    pair->client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(pair->client, (struct sockaddr *)&address, len), 0);
    struct pollfd waits = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&waits, 1, PATIENCE_MS), 1);
    const int server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    close(listener);
    pair->started_us = clock_monotonic_us();
    deadline_watch(pair->deadlines, &pair->entry, server);
}

static void end(struct pair *pair)
{
    deadline_forget(&pair->entry);
    deadlines_destroy(pair->deadlines);
    close(pair->entry.fd);
    close(pair->client);
}

/* What the client reads until the connection's end. */
static size_t read_all(const struct pair *pair, char *text, size_t size)
{
    size_t len = 0;
    ssize_t got = 1;
    while (got > 0 && len + 1 < size) {
        struct pollfd waits = {.fd = pair->client, .events = POLLIN};
        assert_int_equal(poll(&waits, 1, PATIENCE_MS), 1);
        got = read(pair->client, text + len, size - 1 - len);
        len += got > 0 ? (size_t)got : 0;
    }
    text[len] = '\0';
    return len;
}

static void test_idle_connection_ends_without_a_word(void **state)
{
    (void)state;
    struct pair pair;
    char text[1024];
    begin(&pair, DEADLINE_IDLE, 100);
    assert_int_equal(read_all(&pair, text, sizeof text), 0);
    assert_true(clock_monotonic_us() - pair.started_us >= 100000);
    assert_int_equal(deadline_expired_phase(&pair.entry), DEADLINE_IDLE);
    assert_false(deadline_enter(&pair.entry, DEADLINE_HEADERS));
    end(&pair);
}

static void test_unfinished_first_line_gets_408_after_the_header_limit(void **state)
{
    (void)state;
    struct pair pair;
    char text[1024];
    begin(&pair, DEADLINE_HEADERS, 100);
    assert_int_equal(write(pair.client, "GET /", 5), 5);
    assert_true(read_all(&pair, text, sizeof text) > 0);
    assert_non_null(strstr(text, "HTTP/1.1 408 "));
    assert_int_equal(deadline_expired_phase(&pair.entry), DEADLINE_HEADERS);
    end(&pair);
}

static void test_slow_body_gets_408_with_the_request_id(void **state)
{
    (void)state;
    struct pair pair;
    char text[1024];
    begin(&pair, DEADLINE_BODY, 100);
    atomic_store(&pair.entry.request_id, UINT64_C(0x0123456789abcdef));
    assert_true(deadline_enter(&pair.entry, DEADLINE_HEADERS));
    assert_true(deadline_enter(&pair.entry, DEADLINE_BODY));
    assert_true(read_all(&pair, text, sizeof text) > 0);
    assert_non_null(strstr(text, "HTTP/1.1 408 "));
    assert_non_null(strstr(text, "X-Request-Id: 0123456789abcdef\r\n"));
    const char *body = strstr(text, "\r\n\r\n") + 4;
    char length[64];
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    assert_non_null(strstr(text, length));
    assert_int_equal(deadline_expired_phase(&pair.entry), DEADLINE_BODY);
    end(&pair);
}

static void test_slow_reader_is_cut_without_a_408(void **state)
{
    (void)state;
    struct pair pair;
    char text[1024];
    begin(&pair, DEADLINE_RESPONSE, 100);
    assert_true(deadline_enter(&pair.entry, DEADLINE_RESPONSE));
    assert_int_equal(read_all(&pair, text, sizeof text), 0);
    assert_int_equal(deadline_expired_phase(&pair.entry), DEADLINE_RESPONSE);
    end(&pair);
}

/* Two connections: the one that is worked on outlives the other, which began later. */
static void test_work_on_a_request_has_no_deadline_here(void **state)
{
    (void)state;
    struct pair pair;
    char text[1024];
    begin(&pair, DEADLINE_IDLE, 100);
    assert_true(deadline_enter(&pair.entry, DEADLINE_NONE));
    int others[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, others), 0);
    struct deadline_entry other = {0};
    deadline_watch(pair.deadlines, &other, others[0]);
    struct pair seen = {.client = others[1]};
    assert_int_equal(read_all(&seen, text, sizeof text), 0);
    assert_int_equal(deadline_expired_phase(&other), DEADLINE_IDLE);
    assert_int_equal(deadline_expired_phase(&pair.entry), DEADLINE_EXPIRED);
    deadline_forget(&other);
    close(others[0]);
    close(others[1]);
    assert_true(deadline_enter(&pair.entry, DEADLINE_RESPONSE));
    end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_connection_ends_without_a_word),
        cmocka_unit_test(test_unfinished_first_line_gets_408_after_the_header_limit),
        cmocka_unit_test(test_slow_body_gets_408_with_the_request_id),
        cmocka_unit_test(test_slow_reader_is_cut_without_a_408),
        cmocka_unit_test(test_work_on_a_request_has_no_deadline_here),
    };
    return cmocka_run_group_tests_name("http deadline", tests, NULL, NULL);
}
