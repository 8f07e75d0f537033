/* Files that are built into the binary by src/tools/embed.py: migrations, pages. */
#ifndef INTAKE_CORE_EMBEDDED_H
#define INTAKE_CORE_EMBEDDED_H

#include <stddef.h>

/* Static storage, read-only, any thread. */
struct embedded_file {
    const char *name;          /* without a folder */
    const unsigned char *data; /* a NUL follows it */
    size_t size;               /* bytes, without that NUL */
    const char *digest;        /* of the content, hexadecimal */
    const unsigned char *gzip; /* the same, compressed; NULL where it was not asked for */
    size_t gzip_size;
};

#endif
