/* Connecting to whichever of several hosts is the primary. */
#include "intake/db/connect_hosts.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"

enum {
    AGAIN_US = 200 * 1000, /* after which a host that refused is asked again */
    SHUNNED_US =
        1000 * 1000, /* how much later than the others a shunned host is asked at the most */
    NOBODY = CONNECT_HOSTS_MAX,
    PARAMETERS_MAX = 16,
};

/* Lists that libpq splits at commas, and the pieces of ours. */
enum list { LIST_HOST, LIST_HOSTADDR, LIST_PORT, LISTS };

static const char *const list_keywords[LISTS] = {"host", "hostaddr", "port"};

struct connect_hosts {
    char *texts[LISTS]; /* what the pieces point into */
    const char *pieces[LISTS][CONNECT_HOSTS_MAX];
    size_t counts[LISTS];
    size_t count;
    size_t latest;  /* whose connection was the last; NOBODY */
    size_t shunned; /* NOBODY */
};

/* One host of an attempt. */
struct candidate {
    PGconn *pg; /* NULL: it refused */
    PostgresPollingStatusType waits_for;
    int64_t again_us; /* when to ask it again */
};

struct race {
    struct connect_hosts *hosts;
    const struct connect_parameters *parameters;
    struct candidate candidates[CONNECT_HOSTS_MAX];
    char *message;
    size_t message_size;
};

static const char *option(const PQconninfoOption *options, const char *keyword)
{
    while (options->keyword != NULL && strcmp(options->keyword, keyword) != 0) {
        options++;
    }
    return options->val;
}

/* False when there are too many pieces or an empty one, which means libpq's own default. */
static bool split(struct connect_hosts *hosts, enum list list, const char *text)
{
    if (text == NULL || *text == '\0') {
        return true;
    }
    hosts->texts[list] = strdup(text);
    char *rest = hosts->texts[list];
    while (rest != NULL) {
        const char *piece = strsep(&rest, ",");
        if (*piece == '\0' || hosts->counts[list] == CONNECT_HOSTS_MAX) {
            return false;
        }
        hosts->pieces[list][hosts->counts[list]++] = piece;
    }
    return hosts->counts[list] > 0;
}

static bool wants_the_primary(const PQconninfoOption *options)
{
    const char *target = option(options, "target_session_attrs");
    return target != NULL && (strcmp(target, "read-write") == 0 || strcmp(target, "primary") == 0);
}

static bool read_hosts(struct connect_hosts *hosts, const PQconninfoOption *options)
{
    for (enum list list = 0; list < LISTS; list++) {
        if (!split(hosts, list, option(options, list_keywords[list]))) {
            return false;
        }
    }
    const size_t names = hosts->counts[LIST_HOST];
    const size_t addresses = hosts->counts[LIST_HOSTADDR];
    const size_t ports = hosts->counts[LIST_PORT];
    hosts->count = names > addresses ? names : addresses;
    return hosts->count > 1 && (names == 0 || names == hosts->count) &&
           (addresses == 0 || addresses == hosts->count) && (ports <= 1 || ports == hosts->count);
}

struct connect_hosts *connect_hosts_create(const char *conninfo)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    struct connect_hosts *hosts = options != NULL ? calloc(1, sizeof *hosts) : NULL;
    if (hosts != NULL) {
        hosts->latest = hosts->shunned = NOBODY;
    }
    if (hosts != NULL && (!wants_the_primary(options) || !read_hosts(hosts, options))) {
        connect_hosts_destroy(TAKE(hosts));
    }
    PQconninfoFree(options);
    return hosts;
}

void connect_hosts_destroy(struct connect_hosts *hosts)
{
    if (hosts == NULL) {
        return;
    }
    for (enum list list = 0; list < LISTS; list++) {
        free(hosts->texts[list]);
    }
    free(hosts);
}

void connect_hosts_shun(struct connect_hosts *hosts, size_t host)
{
    if (hosts != NULL) {
        hosts->shunned = host;
    }
}

size_t connect_hosts_latest(const struct connect_hosts *hosts)
{
    return hosts != NULL ? hosts->latest : 0;
}

/* The host's own parameters come last: they count. */
static PGconn *ask(const struct race *race, size_t index)
{
    const char *keywords[PARAMETERS_MAX] = {NULL};
    const char *values[PARAMETERS_MAX] = {NULL};
    size_t count = 0;
    while (count < (size_t)race->parameters->count && count < PARAMETERS_MAX - LISTS - 1) {
        keywords[count] = race->parameters->keywords[count];
        values[count] = race->parameters->values[count];
        count++;
    }
    for (enum list list = 0; list < LISTS; list++) {
        const size_t pieces = race->hosts->counts[list];
        if (pieces > 0) {
            keywords[count] = list_keywords[list];
            values[count] = race->hosts->pieces[list][pieces > 1 ? index : 0];
            count++;
        }
    }
    return PQconnectStartParams(keywords, values, 1);
}

/* As much as fits of what the hosts say, of those who are asked again the first. */
static void add_message(struct race *race, const PGconn *pg)
{
    const size_t length = strlen(race->message);
    snprintf(race->message + length, race->message_size - length, "%s", PQerrorMessage(pg));
}

/* Takes a candidate out until it is asked again. */
static void refuse(struct candidate *candidate)
{
    PQfinish(candidate->pg);
    candidate->pg = NULL;
    candidate->again_us = clock_monotonic_us() + AGAIN_US;
}

static void ask_again(struct race *race, size_t index)
{
    struct candidate *candidate = &race->candidates[index];
    if (race->hosts->shunned == index) {
        race->hosts->shunned = NOBODY;
    }
    candidate->pg = ask(race, index);
    candidate->waits_for = PGRES_POLLING_WRITING;
    if (candidate->pg == NULL || PQstatus(candidate->pg) == CONNECTION_BAD) {
        add_message(race, candidate->pg);
        refuse(candidate);
    }
}

/* Goes on with a host whose socket is ready; whether it is the one. */
static bool go_on(struct race *race, struct candidate *candidate)
{
    candidate->waits_for = PQconnectPoll(candidate->pg);
    if (candidate->waits_for == PGRES_POLLING_FAILED) {
        add_message(race, candidate->pg);
        refuse(candidate);
    }
    return candidate->waits_for == PGRES_POLLING_OK;
}

/* Until a socket is ready or somebody is to be asked again; negative is no limit. */
static int wait_ms(const struct race *race, int64_t deadline_us)
{
    int64_t until_us = deadline_us != 0 ? deadline_us : INT64_MAX;
    for (size_t i = 0; i < race->hosts->count; i++) {
        const struct candidate *candidate = &race->candidates[i];
        if (candidate->pg == NULL && candidate->again_us < until_us) {
            until_us = candidate->again_us;
        }
    }
    if (until_us == INT64_MAX) {
        return -1;
    }
    const int64_t left_us = until_us - clock_monotonic_us();
    return left_us > 0 ? (int)(left_us / 1000) + 1 : 0;
}

/* Waits for the sockets once; the connection, or NULL. */
static PGconn *wait_once(struct race *race, int64_t deadline_us)
{
    struct pollfd sockets[CONNECT_HOSTS_MAX];
    for (size_t i = 0; i < race->hosts->count; i++) {
        const struct candidate *candidate = &race->candidates[i];
        sockets[i] = (struct pollfd){
            .fd = candidate->pg != NULL ? PQsocket(candidate->pg) : -1,
            .events = candidate->waits_for == PGRES_POLLING_READING ? POLLIN : POLLOUT,
        };
    }
    if (poll(sockets, race->hosts->count, wait_ms(race, deadline_us)) <= 0) {
        return NULL;
    }
    for (size_t i = 0; i < race->hosts->count; i++) {
        struct candidate *candidate = &race->candidates[i];
        if (sockets[i].revents != 0 && go_on(race, candidate)) {
            race->hosts->latest = i;
            return TAKE(candidate->pg);
        }
    }
    return NULL;
}

/* Asks those again whose time has come; false when nobody is left who may answer. */
static bool keep_asking(struct race *race)
{
    size_t waiting = 0;
    for (size_t i = 0; i < race->hosts->count; i++) {
        waiting += race->candidates[i].pg != NULL;
    }
    if (waiting == 0 && race->hosts->shunned != NOBODY) {
        ask_again(race, race->hosts->shunned); /* nobody else is the one */
        return true;
    }
    const int64_t now_us = clock_monotonic_us();
    for (size_t i = 0; i < race->hosts->count && waiting > 0; i++) {
        if (race->candidates[i].pg == NULL && race->candidates[i].again_us <= now_us) {
            ask_again(race, i);
        }
    }
    return waiting > 0;
}

PGconn *connect_hosts_connect(struct connect_hosts *hosts,
                              const struct connect_parameters *parameters, size_t except,
                              int64_t deadline_us, char *ret_message, size_t message_size)
{
    struct connect_hosts look = *hosts; /* beside a link that stands: it changes nothing */
    look.shunned = NOBODY;
    struct race race = {
        .hosts = except == NOBODY ? hosts : &look,
        .parameters = parameters,
        .message = ret_message,
        .message_size = message_size,
    };
    ret_message[0] = '\0';
    for (size_t i = 0; i < hosts->count; i++) {
        if (i == except) {
            race.candidates[i].again_us = INT64_MAX;
        } else if (i == race.hosts->shunned) {
            race.candidates[i].again_us = clock_monotonic_us() + SHUNNED_US;
        } else {
            ask_again(&race, i);
        }
    }
    PGconn *winner = NULL;
    while (winner == NULL && keep_asking(&race) &&
           (deadline_us == 0 || clock_monotonic_us() < deadline_us)) {
        winner = wait_once(&race, deadline_us);
    }
    for (size_t i = 0; i < hosts->count; i++) {
        PQfinish(race.candidates[i].pg);
    }
    if (winner == NULL && ret_message[0] == '\0') {
        snprintf(ret_message, message_size, "no host answered in time");
    }
    return winner;
}
