#include "net/gzip.h"

#include "base/check.h"

#include <limits.h>
#include <zlib.h>

/* Level 4 is where zlib's cost begins to rise faster than its gain on repetitive JSON. */
enum { LEVEL = 4, WINDOW_BITS_GZIP = 15 + 16, MEMORY_LEVEL = 8 };

void gzip_buffer(struct buffer *buffer)
{
    check(buffer->size < UINT_MAX);
    z_stream stream = {0};
    check(deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_BITS_GZIP, MEMORY_LEVEL,
                       Z_DEFAULT_STRATEGY) == Z_OK);
    struct buffer compressed = {0};
    size_t bound = deflateBound(&stream, buffer->size);
    stream.next_in = (Bytef *)buffer->data;
    stream.avail_in = (uInt)buffer->size;
    stream.next_out = (Bytef *)buffer_reserve(&compressed, bound);
    stream.avail_out = (uInt)bound;
    check(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    buffer_commit(&compressed, stream.total_out);
    deflateEnd(&stream);
    buffer_deinit(buffer);
    *buffer = compressed;
}
