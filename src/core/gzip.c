/* Compression by zlib. */
#include "intake/core/gzip.h"

#include <limits.h>
#include <stdlib.h>
#define ZLIB_CONST /* what is compressed is not written to */
#include <zlib.h>

enum {
    WINDOW_BITS = 15 + 16, /* the largest window; with gzip's header */
    MEMORY_LEVEL = 9,
};

bool gzip_compress(const void *data, size_t len, char **ret_gzip, size_t *ret_len)
{
    z_stream stream = {.next_in = data, .avail_in = (uInt)len};
    if (len > UINT_MAX / 2 || deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, WINDOW_BITS,
                                           MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        return false;
    }
    const uLong bound = deflateBound(&stream, (uLong)len);
    char *gzip = malloc(bound);
    bool done = false;
    if (gzip != NULL) {
        stream.next_out = (Bytef *)gzip;
        stream.avail_out = (uInt)bound;
        done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    }
    const size_t size = stream.total_out;
    deflateEnd(&stream);
    if (!done) {
        free(gzip);
        return false;
    }
    *ret_gzip = gzip;
    *ret_len = size;
    return true;
}
