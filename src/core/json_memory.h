/*
 * jansson's memory. Private to json*.c.
 *
 * jansson 2.14 passes over some of its failed allocations while it parses: a text that could not
 * grow loses a character, so that the tree is not what was posted, or an assertion ends the
 * program. So its memory comes from here, and a parse that is refused any is left at once.
 */
#ifndef INTAKE_CORE_JSON_MEMORY_H
#define INTAKE_CORE_JSON_MEMORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * json_loadb(): no duplicate keys, U+0000 let through. False, and nothing is left behind, when
 * memory is out. NULL and `ret_error` when the text is not JSON. Any thread.
 */
bool json_memory_load(const char *data, size_t len, json_t **ret_root, json_error_t *ret_error);

#endif
