/* Identifiers made here: UUIDv7 for rows, and random tokens for requests and secrets. */
#ifndef INTAKE_CORE_ID_H
#define INTAKE_CORE_ID_H

#include <stdbool.h>
#include <stddef.h>

#define UUID_TEXT_SIZE 37 /* 36 characters and the NUL */

/*
 * A UUIDv7 (RFC 9562 section 5.7): milliseconds since 1970 first, so that indexes grow at one
 * end, and 74 random bits after them. Lower case. Any thread.
 */
void id_uuid7(char ret_text[static UUID_TEXT_SIZE]);

/* Whether `text` is a UUID in its 36-character form, either case. */
bool id_is_uuid(const char *text);

/* `size - 1` (at least 0) random lower-case hexadecimal characters and a NUL. Any thread. */
void id_random_hex(char *ret_text, size_t size);

#endif
