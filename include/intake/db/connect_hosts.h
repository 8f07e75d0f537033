/*
 * Connecting when the conninfo names several hosts of which one is the primary. All are asked at
 * once: libpq would ask one after the other, and one that is frozen or unreachable would cost its
 * whole time-out each time.
 */
#ifndef INTAKE_DB_CONNECT_HOSTS_H
#define INTAKE_DB_CONNECT_HOSTS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONNECT_HOSTS_MAX = 8 };

/* Parameters of PQconnectdbParams(), all but the host; its conninfo (expand_dbname) among them. */
struct connect_parameters {
    const char *const *keywords;
    const char *const *values;
    int count;
};

struct connect_hosts;

/*
 * The hosts of `conninfo` that are to be asked at once, for connect_hosts_destroy(); NULL when it
 * is libpq's to connect: a single host, hosts of which any will do (target_session_attrs is neither
 * read-write nor primary), more than CONNECT_HOSTS_MAX of them, no valid conninfo, or no memory.
 */
struct connect_hosts *connect_hosts_create(const char *conninfo);
void connect_hosts_destroy(struct connect_hosts *hosts);

/*
 * To say that a host is of no use: it is the last to be asked the next time. A primary that was
 * replaced without its knowledge still calls itself one. NULL is accepted.
 */
void connect_hosts_shun(struct connect_hosts *hosts, size_t host);

/* Which host the latest connection was to, the same in all handles of one conninfo; 0 of NULL. */
size_t connect_hosts_latest(const struct connect_hosts *hosts);

/*
 * Asks every host but `except` (CONNECT_HOSTS_MAX: every one), and those that refuse again and
 * again while another has not answered yet; the first that is what target_session_attrs demands is
 * the connection. Otherwise, when all refused or `deadline_us` (monotonic clock; 0 is none) passed,
 * NULL, and the reasons in `ret_message`.
 */
PGconn *connect_hosts_connect(struct connect_hosts *hosts,
                              const struct connect_parameters *parameters, size_t except,
                              int64_t deadline_us, char *ret_message, size_t message_size);

#endif
