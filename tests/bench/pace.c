/*
 * Posts at a steady pace, whatever the program's pace is: each post has its time, and its latency
 * counts from that time, also when it had to wait for a connection that others still held. (A load
 * generator that waits for the reply before it sends the next does not see what a stall costs.)
 *
 *   pace PORT PER_SECOND SECONDS CONNECTIONS KEY
 *
 * Every post is another booking and another person, named after KEY. Prints one line:
 * sent, acknowledged, refused (503), p50, p99 and the longest in milliseconds. Exit code 2 when
 * something else came back, or nothing for ten seconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REPLY_MAX = 8192, REQUEST_MAX = 2048, SILENCE_S = 10 };

static const char body_format[] =
    "{\"booking_uid\":\"%s_%zu\",\"attendee_name\":\"Maria Gonzalez\",\"attendee_email\":"
    "\"%s_%zu@example.com\",\"age_range\":\"36-45\",\"current_medications\":\"yes\","
    "\"current_medications_details\":\"Finasteride 1mg daily\",\"allergies\":\"none\","
    "\"medical_conditions\":\"yes\",\"medical_conditions_details\":\"Mild hypertension, "
    "controlled\",\"previous_surgeries\":\"none\",\"hair_loss_duration\":\"5-10-years\","
    "\"hair_loss_pattern\":[\"crown\",\"hairline\"],\"family_history\":[\"father\","
    "\"maternal-grandfather\"],\"previous_treatments\":[\"minoxidil\",\"prp\"]}";

struct link {
    int fd;
    size_t post;
    size_t len;
    char reply[REPLY_MAX + 1];
};

struct load {
    const char *key;
    int epoll;
    size_t total, sent, done;
    size_t acknowledged, refused;
    double began_ns, gap_ns;
    double *latency_ms; /* by post */
    struct link *links;
    struct link **idle;
    size_t idle_count;
};

static void stop(const char *what)
{
    fprintf(stderr, "pace: %s\n", what);
    exit(2);
}

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static long number(const char *text, long min)
{
    char *end = NULL;
    const long value = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < min) {
        stop("PORT PER_SECOND SECONDS CONNECTIONS KEY, the first four positive numbers");
    }
    return value;
}

static void connect_link(struct load *load, struct link *link, long port)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    link->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (link->fd < 0 || connect(link->fd, (const struct sockaddr *)&to, sizeof to) != 0 ||
        setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        stop("cannot connect");
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, link->fd, &event) != 0) {
        stop("epoll_ctl");
    }
    load->idle[load->idle_count++] = link;
}

static double due_ns(const struct load *load, size_t post)
{
    return load->began_ns + (double)post * load->gap_ns;
}

static void send_next(struct load *load)
{
    struct link *link = load->idle[--load->idle_count];
    char body[REQUEST_MAX];
    char request[2 * REQUEST_MAX];
    link->post = load->sent++;
    link->len = 0;
    const int body_len =
        snprintf(body, sizeof body, body_format, load->key, link->post, load->key, link->post);
    const int len = snprintf(request, sizeof request,
                             "POST /v1/submissions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                             "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                             body_len, body);
    if (body_len >= (int)sizeof body || send(link->fd, request, (size_t)len, MSG_NOSIGNAL) != len) {
        stop("cannot send");
    }
}

/* Whether the whole reply is there: its headers, and as much as they announce. */
static bool is_whole(const struct link *link)
{
    const char *end = strstr(link->reply, "\r\n\r\n");
    const char *length = strcasestr(link->reply, "\r\nContent-Length:");
    if (end == NULL) {
        return false;
    }
    if (length == NULL || length > end) {
        stop("a reply without its length");
    }
    const size_t body = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    return link->len >= (size_t)(end + 4 - link->reply) + body;
}

static void settle(struct load *load, struct link *link)
{
    if (strncmp(link->reply, "HTTP/1.1 201", 12) == 0) {
        load->acknowledged++;
    } else if (strncmp(link->reply, "HTTP/1.1 503", 12) == 0) {
        load->refused++;
    } else {
        stop(link->reply);
    }
    load->latency_ms[link->post] = (now_ns() - due_ns(load, link->post)) / 1e6;
    load->done++;
    load->idle[load->idle_count++] = link;
}

static void receive(struct load *load, struct link *link)
{
    const ssize_t got = recv(link->fd, link->reply + link->len, REPLY_MAX - link->len, 0);
    if (got <= 0) {
        stop("a connection was closed");
    }
    link->len += (size_t)got;
    link->reply[link->len] = '\0';
    if (is_whole(link)) {
        settle(load, link);
    }
}

/* Waits for replies until the next post is due; nanoseconds count at ten thousand a second. */
static void wait_for_replies(struct load *load)
{
    struct epoll_event events[64];
    struct timespec timeout = {.tv_sec = SILENCE_S};
    const bool more = load->sent < load->total && load->idle_count > 0;
    if (more) {
        const double left_ns = due_ns(load, load->sent) - now_ns();
        timeout.tv_sec = left_ns > 0 ? (time_t)(left_ns / 1e9) : 0;
        timeout.tv_nsec = left_ns > 0 ? (long)(left_ns - (double)timeout.tv_sec * 1e9) : 0;
    }
    const int count = epoll_pwait2(load->epoll, events, 64, &timeout, NULL);
    if (count < 0 && errno != EINTR) {
        stop("epoll_pwait2");
    }
    if (count == 0 && !more) {
        stop("no reply for ten seconds");
    }
    for (int i = 0; i < count; i++) {
        receive(load, events[i].data.ptr);
    }
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const struct load *load)
{
    qsort(load->latency_ms, load->total, sizeof *load->latency_ms, by_value);
    printf("sent %zu acknowledged %zu refused %zu p50 %.3f p99 %.3f max %.3f\n", load->total,
           load->acknowledged, load->refused, load->latency_ms[load->total / 2],
           load->latency_ms[load->total * 99 / 100], load->latency_ms[load->total - 1]);
}

int main(int argc, char **argv)
{
    if (argc != 6 || strlen(argv[5]) > 100) {
        stop("PORT PER_SECOND SECONDS CONNECTIONS KEY");
    }
    const long rate = number(argv[2], 1);
    const size_t connections = (size_t)number(argv[4], 1);
    struct load load = {.key = argv[5],
                        .epoll = epoll_create1(0),
                        .total = (size_t)(rate * number(argv[3], 1)),
                        .gap_ns = 1e9 / (double)rate};
    load.latency_ms = calloc(load.total, sizeof *load.latency_ms);
    load.links = calloc(connections, sizeof *load.links);
    load.idle = calloc(connections, sizeof(struct link *));
    if (load.latency_ms == NULL || load.links == NULL || load.idle == NULL) {
        stop("out of memory");
    }
    for (size_t i = 0; i < connections; i++) {
        connect_link(&load, &load.links[i], number(argv[1], 1));
    }
    load.began_ns = now_ns();
    while (load.done < load.total) {
        while (load.sent < load.total && load.idle_count > 0 &&
               due_ns(&load, load.sent) <= now_ns()) {
            send_next(&load);
        }
        wait_for_replies(&load);
    }
    report(&load);
    return 0;
}
