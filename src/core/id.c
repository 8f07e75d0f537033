/* Identifiers made here: UUIDv7 for rows, and random tokens for requests and secrets. */
#include "intake/core/id.h"

#include <sodium.h>
#include <stdint.h>
#include <string.h>
#include <uuid/uuid.h>

#include "intake/core/clock.h"

void id_uuid7(char ret_text[static UUID_TEXT_SIZE])
{
    uuid_t uuid;
    uuid_generate_random(uuid);
    const uint64_t ms = (uint64_t)(clock_wall_us() / 1000);
    for (size_t i = 0; i < 6; i++) {
        uuid[i] = (unsigned char)(ms >> (40 - 8 * i));
    }
    uuid[6] = (unsigned char)((uuid[6] & 0x0F) | 0x70); /* version 7; the variant is set already */
    uuid_unparse_lower(uuid, ret_text);
}

bool id_is_uuid(const char *text)
{
    uuid_t uuid;
    return uuid_parse(text, uuid) == 0;
}

void id_random_hex(char *ret_text, size_t size)
{
    unsigned char bytes[64];
    size_t done = 0;
    while (done + 1 < size) {
        randombytes_buf(bytes, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes && done + 1 < size; i++) {
            static const char hex[] = "0123456789abcdef";
            ret_text[done++] = hex[bytes[i] & 15];
        }
    }
    ret_text[done] = '\0';
}
