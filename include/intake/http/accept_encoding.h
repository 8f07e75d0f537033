/* The header Accept-Encoding (RFC 9110 section 12.5.3). */
#ifndef INTAKE_HTTP_ACCEPT_ENCODING_H
#define INTAKE_HTTP_ACCEPT_ENCODING_H

#include <stdbool.h>

/* Whether `value` (NULL: no such header) takes gzip, by its name or by `*`. */
bool accept_encoding_has_gzip(const char *value);

#endif
