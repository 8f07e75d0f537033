/* Identifiers made here: UUIDv7 for rows, and random tokens for requests and secrets. */
#include "intake/core/id.h"

#include <sodium.h>
#include <stdint.h>
#include <string.h>
#include <uuid/uuid.h>

#include "intake/core/clock.h"

void id_uuid7(char ret_text[static UUID_TEXT_SIZE])
{
    /* Not uuid_generate_random(): it seeds a second generator for every id. */
    uuid_t uuid;
    randombytes_buf(uuid, sizeof uuid);
    const uint64_t ms = (uint64_t)(clock_wall_us() / 1000);
    for (size_t i = 0; i < 6; i++) {
        uuid[i] = (unsigned char)(ms >> (40 - 8 * i));
    }
    uuid[6] = (unsigned char)((uuid[6] & 0x0F) | 0x70); /* version 7 */
    uuid[8] = (unsigned char)((uuid[8] & 0x3F) | 0x80); /* variant of RFC 9562 */
    uuid_unparse_lower(uuid, ret_text);
}

bool id_is_uuid(const char *text)
{
    uuid_t uuid;
    return uuid_parse(text, uuid) == 0;
}

void id_random_hex(char *ret_text, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[32];
    for (size_t done = 0; done + 1 < size;) {
        const size_t left = size - 1 - done;
        const size_t take = left < 2 * sizeof bytes ? left : 2 * sizeof bytes;
        randombytes_buf(bytes, (take + 1) / 2);
        for (size_t i = 0; i < take; i++) {
            ret_text[done++] = hex[i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15];
        }
    }
    ret_text[size - 1] = '\0';
}
