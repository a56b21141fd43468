#include "net/gzip.h"

#include "base/check.h"
#include "wire/deflate.h"

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

static void append_le32(struct buffer *out, uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8)
        buffer_append_char(out, (char)(value >> shift));
}

/* RFC 1952 §2.3: head, DEFLATE stream, checksum and size of the text. The stream goes on with what
 * permessage-deflate takes off, and an empty last block. */
void gzip_wrap(struct buffer *out, struct iovec deflated, const char *text, size_t text_size)
{
    static const char head[10] = "\x1f\x8b\x08\0\0\0\0\0\0\xff", last_block[2] = "\x03\0";
    check(text_size < UINT_MAX);
    buffer_append(out, head, sizeof head);
    buffer_append(out, deflated.iov_base, deflated.iov_len);
    buffer_append(out, WS_DEFLATE_TAIL, WS_DEFLATE_TAIL_SIZE);
    buffer_append(out, last_block, sizeof last_block);
    append_le32(out, (uint32_t)crc32(0, (const Bytef *)text, (uInt)text_size));
    append_le32(out, (uint32_t)text_size);
}
