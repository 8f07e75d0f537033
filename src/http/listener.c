/* The listening socket. */
#include "intake/http/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel cuts it to net.core.somaxconn. */
enum { BACKLOG = 4096 };
enum { UNSENT_MAX_BYTES = 128 * 1024 };

/*
 * Connections take it over: so much of a reply waits in the kernel for a client that does not read,
 * and not all that its buffers can grow to. What is under way to a client that reads does not
 * count.
 */
static bool limit_unsent(int fd)
{
    const int max_bytes = UNSENT_MAX_BYTES;
    return setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &max_bytes, sizeof max_bytes) == 0;
}

static bool prepare(int fd, const struct sockaddr *address, socklen_t address_len)
{
    const int on = 1;
    const int off = 0;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           (address->sa_family != AF_INET6 ||
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0) &&
           limit_unsent(fd) && bind(fd, address, address_len) == 0 && listen(fd, BACKLOG) == 0;
}

static enum status listen_on(const struct sockaddr *address, socklen_t address_len,
                             const char *name, long port, int *ret_fd, struct err *err)
{
    const int fd =
        socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0 || !prepare(fd, address, address_len)) {
        const int code = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return err_set(err, STATUS_UNAVAILABLE, "cannot listen on %s port %ld: %s", name, port,
                       strerror(code));
    }
    *ret_fd = fd;
    return STATUS_OK;
}

enum status listener_open(const char *address, long port, int *ret_fd, struct err *err)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, address, &in.sin_addr) == 1) {
        return listen_on((const struct sockaddr *)&in, sizeof in, address, port, ret_fd, err);
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1) {
        return listen_on((const struct sockaddr *)&in6, sizeof in6, address, port, ret_fd, err);
    }
    return err_set(err, STATUS_INVALID, "[http] address: \"%s\" is not an IPv4 or IPv6 address",
                   address);
}

enum status listener_adopt(int fd, struct err *err)
{
    int listening = 0;
    socklen_t len = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || listening == 0) {
        return err_set(err, STATUS_INVALID, "inherited descriptor %d is not a listening socket",
                       fd);
    }
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || !limit_unsent(fd)) {
        return err_set(err, STATUS_INTERNAL, "inherited descriptor %d: %s", fd, strerror(errno));
    }
    return STATUS_OK;
}

unsigned listener_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &address, sizeof in);
        return ntohs(in.sin_port);
    }
    if (address.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &address, sizeof in6);
        return ntohs(in6.sin6_port);
    }
    return 0;
}
