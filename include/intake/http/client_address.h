/* Who is asking: the peer's address, or the one that a trusted proxy forwarded. */
#ifndef INTAKE_HTTP_CLIENT_ADDRESS_H
#define INTAKE_HTTP_CLIENT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "intake/core/err.h"
#include "intake/core/text.h"

enum { CLIENT_ADDRESS_SIZE = 46 }; /* of the longest as text, and the NUL */

/* IPv6, or IPv4 as ::ffff:a.b.c.d; all zero for a socket that has no such address. */
struct client_address {
    unsigned char bytes[16];
};

/* Networks whose word about their clients is believed. Zero-initialise it. */
struct address_list {
    struct address_network {
        struct client_address address;
        unsigned prefix_bits;
    } * networks;
    size_t count;
};

void client_address_from_socket(const struct sockaddr *socket_address,
                                struct client_address *ret_address);
/* Reads `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, the first and the last also with `:port`. */
bool client_address_parse(const char *text, size_t len, struct client_address *ret_address);
bool client_address_is_v4(const struct client_address *address);
bool client_address_is_loopback(const struct client_address *address);
/* `192.0.2.1` or `2001:db8::1`; "" where there is none. */
void client_address_print(const struct client_address *address,
                          char ret_text[static CLIENT_ADDRESS_SIZE]);

/*
 * Reads addresses and networks (`192.0.2.0/24`), separated by commas; `ret_list` is freed with
 * address_list_finish. STATUS_INVALID names what is neither.
 */
enum status address_list_parse(const char *text, struct address_list *ret_list, struct err *err);
void address_list_finish(struct address_list *list);
bool address_list_has(const struct address_list *list, const struct client_address *address);

/*
 * Goes back through the values of X-Forwarded-For, in their order on the wire, as long as the
 * proxies are trusted, and returns the last address that a trusted one named.
 */
struct client_address client_address_forwarded(const struct address_list *trusted,
                                               const struct client_address *peer,
                                               const struct view *values, size_t values_count);

#endif
