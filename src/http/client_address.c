/* Who is asking: the peer's address, or the one that a trusted proxy forwarded. */
#include "intake/http/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

enum { V4_OFFSET = sizeof v4_prefix, V4_PREFIX_BITS = 8 * V4_OFFSET, ADDRESS_BITS = 128 };

void client_address_from_socket(const struct sockaddr *socket_address,
                                struct client_address *ret_address)
{
    memset(ret_address, 0, sizeof *ret_address);
    if (socket_address == NULL) {
        return;
    }
    if (socket_address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, socket_address, sizeof in);
        memcpy(ret_address->bytes, v4_prefix, sizeof v4_prefix);
        memcpy(ret_address->bytes + V4_OFFSET, &in.sin_addr, sizeof in.sin_addr);
    } else if (socket_address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, socket_address, sizeof in6);
        memcpy(ret_address->bytes, &in6.sin6_addr, sizeof ret_address->bytes);
    }
}

bool client_address_is_v4(const struct client_address *address)
{
    return memcmp(address->bytes, v4_prefix, sizeof v4_prefix) == 0;
}

bool client_address_is_loopback(const struct client_address *address)
{
    return (client_address_is_v4(address) && address->bytes[V4_OFFSET] == 127) ||
           memcmp(address->bytes, &in6addr_loopback, sizeof address->bytes) == 0;
}

void client_address_print(const struct client_address *address,
                          char ret_text[static CLIENT_ADDRESS_SIZE])
{
    static const struct client_address none = {0};
    const bool is_v4 = client_address_is_v4(address);
    _Static_assert(CLIENT_ADDRESS_SIZE >= INET6_ADDRSTRLEN, "every address fits");
    if (memcmp(address, &none, sizeof none) == 0 ||
        inet_ntop(is_v4 ? AF_INET : AF_INET6, address->bytes + (is_v4 ? V4_OFFSET : 0), ret_text,
                  CLIENT_ADDRESS_SIZE) == NULL) {
        ret_text[0] = '\0';
    }
}

/* Where the address ends and a port begins; removes the brackets of IPv6. */
static bool cut_port(struct view *text)
{
    if (text->len > 0 && text->data[0] == '[') {
        const char *end = memchr(text->data, ']', text->len);
        if (end == NULL) {
            return false;
        }
        const size_t rest = text->len - (size_t)(end - text->data) - 1;
        if (rest > 0 && end[1] != ':') {
            return false;
        }
        *text = (struct view){text->data + 1, (size_t)(end - text->data) - 1};
        return true;
    }
    const char *colon = memchr(text->data, ':', text->len);
    if (colon != NULL && memchr(text->data, '.', (size_t)(colon - text->data)) != NULL) {
        text->len = (size_t)(colon - text->data);
    }
    return true;
}

bool client_address_parse(const char *text, size_t len, struct client_address *ret_address)
{
    struct view view = text_trim(text, len);
    char copy[INET6_ADDRSTRLEN];
    if (!cut_port(&view) || view.len == 0 || view.len >= sizeof copy ||
        memchr(view.data, '\0', view.len) != NULL) {
        return false;
    }
    memcpy(copy, view.data, view.len);
    copy[view.len] = '\0';

    struct client_address address;
    memcpy(address.bytes, v4_prefix, sizeof v4_prefix);
    if (inet_pton(AF_INET, copy, address.bytes + V4_OFFSET) != 1 &&
        inet_pton(AF_INET6, copy, address.bytes) != 1) {
        return false;
    }
    *ret_address = address;
    return true;
}

static bool parse_network(struct view text, struct address_network *ret_network)
{
    const char *slash = memchr(text.data, '/', text.len);
    const size_t address_len = slash != NULL ? (size_t)(slash - text.data) : text.len;
    struct address_network network = {.prefix_bits = ADDRESS_BITS};
    if (!client_address_parse(text.data, address_len, &network.address)) {
        return false;
    }
    if (slash != NULL) {
        const bool v4 = client_address_is_v4(&network.address);
        char bits_text[8] = "";
        const size_t bits_len = text.len - address_len - 1;
        long bits;
        if (bits_len >= sizeof bits_text) {
            return false;
        }
        memcpy(bits_text, slash + 1, bits_len);
        if (!text_to_long(bits_text, 0, v4 ? 32 : ADDRESS_BITS, &bits)) {
            return false;
        }
        network.prefix_bits = (unsigned)bits + (v4 ? V4_PREFIX_BITS : 0);
    }
    *ret_network = network;
    return true;
}

enum status address_list_parse(const char *text, struct address_list *ret_list, struct err *err)
{
    struct address_list list = {0};
    for (const char *at = text; *at != '\0';) {
        const size_t len = strcspn(at, ",");
        const struct view item = text_trim(at, len);
        at += len + (at[len] == ',');
        if (item.len == 0) {
            continue;
        }
        struct address_network network;
        if (!parse_network(item, &network)) {
            address_list_finish(&list);
            return err_set(err, STATUS_INVALID, "\"%.*s\" is neither an address nor a network",
                           (int)item.len, item.data);
        }
        struct address_network *grown =
            reallocarray(list.networks, list.count + 1, sizeof *list.networks);
        if (grown == NULL) {
            address_list_finish(&list);
            return err_no_memory(err);
        }
        list.networks = grown;
        list.networks[list.count++] = network;
    }
    *ret_list = list;
    return STATUS_OK;
}

void address_list_finish(struct address_list *list)
{
    free(list->networks);
    *list = (struct address_list){0};
}

static bool network_has(const struct address_network *network, const struct client_address *address)
{
    const size_t whole = network->prefix_bits / 8;
    const unsigned rest = network->prefix_bits % 8;
    if (memcmp(network->address.bytes, address->bytes, whole) != 0) {
        return false;
    }
    const unsigned mask = rest == 0 ? 0 : (0xffu << (8 - rest)) & 0xffu;
    return mask == 0 || ((network->address.bytes[whole] ^ address->bytes[whole]) & mask) == 0;
}

bool address_list_has(const struct address_list *list, const struct client_address *address)
{
    for (size_t i = 0; i < list->count; i++) {
        if (network_has(&list->networks[i], address)) {
            return true;
        }
    }
    return false;
}

struct client_address client_address_forwarded(const struct address_list *trusted,
                                               const struct client_address *peer,
                                               const struct view *values, size_t values_count)
{
    struct client_address client = *peer;
    for (size_t i = values_count; i-- > 0;) {
        size_t end = values[i].len;
        while (address_list_has(trusted, &client)) {
            const char *comma = end == 0 ? NULL : memrchr(values[i].data, ',', end);
            const size_t begin = comma != NULL ? (size_t)(comma - values[i].data) + 1 : 0;
            struct client_address named;
            if (!client_address_parse(values[i].data + begin, end - begin, &named)) {
                return client; /* what is behind an unreadable word is nobody's word */
            }
            client = named;
            if (comma == NULL) {
                break;
            }
            end = begin - 1;
        }
    }
    return client;
}
