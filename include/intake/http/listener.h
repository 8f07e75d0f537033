/* The listening socket. */
#ifndef INTAKE_HTTP_LISTENER_H
#define INTAKE_HTTP_LISTENER_H

#include "intake/core/err.h"

/*
 * Listens on an IPv4 or IPv6 address, not a name (`::` takes both kinds); port 0 takes a free
 * one. `ret_fd` is the caller's. STATUS_INVALID when the address is none, STATUS_UNAVAILABLE when
 * it cannot be had.
 */
enum status listener_open(const char *address, long port, int *ret_fd, struct err *err);

/* Makes a socket that the service manager opened fit for use; it must be listening. */
enum status listener_adopt(int fd, struct err *err);

/* The TCP port of a socket; 0 for another kind. */
unsigned listener_port(int fd);

#endif
