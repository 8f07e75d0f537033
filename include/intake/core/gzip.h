/* Compression of what is sent again and again, done once. */
#ifndef INTAKE_CORE_GZIP_H
#define INTAKE_CORE_GZIP_H

#include <stdbool.h>
#include <stddef.h>

/*
 * `data` as a gzip member (RFC 1952), compressed as well as it goes; free with free(). False when
 * memory is out. Any thread.
 */
bool gzip_compress(const void *data, size_t len, char **ret_gzip, size_t *ret_len);

#endif
