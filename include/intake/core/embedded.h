/* Files that are built into the binary by src/tools/embed.py: migrations, pages. */
#ifndef INTAKE_CORE_EMBEDDED_H
#define INTAKE_CORE_EMBEDDED_H

#include <stddef.h>

/* Static storage, read-only, any thread. */
struct embedded_file {
    const char *name;          /* without a folder */
    const unsigned char *data; /* a NUL follows it */
    size_t size;               /* bytes, without that NUL */
};

#endif
