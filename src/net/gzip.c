/* A week of history is 20 MB, and a client waits for it. So this is libdeflate rather than zlib,
 * which the WebSockets use: it knows no streams, as permessage-deflate needs them, but on whole
 * texts, as answers are, it is several times as fast. It also has the checksums that tell contents
 * apart, which an ETag needs. A snapshot has been compressed by then, as every subscriber gets it;
 * gzip_wrap() makes that a gzip file without compressing it again.
 *
 * What clients ask for is compressed here, so memory may run out (base/memory.h): the text then
 * goes out as it is, which costs its sender less than the memory that there is not. */
#include "net/gzip.h"

#include "base/check.h"
#include "base/memory.h"
#include "wire/deflate.h"

#include <libdeflate.h>
#include <pthread.h>
#include <stdlib.h>

/* On repetitive JSON the next level takes half as long again to become a thirtieth smaller. */
enum { LEVEL = 1 };

static void *allocate(size_t size)
{
    return memory_try_resize(NULL, size, 1);
}

static void set_allocator(void)
{
    libdeflate_set_memory_allocator(allocate, free);
}

/* Before the first compressor is made, as libdeflate wants it. */
static struct libdeflate_compressor *make_compressor(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    check(pthread_once(&once, set_allocator) == 0);
    return libdeflate_alloc_compressor(LEVEL);
}

/* Room for `size` bytes, or NULL. */
static char *try_reserve(struct buffer *out, size_t size)
{
    struct buffer_bound bound = {.size_max = SIZE_MAX / 2};
    check(out->bound == NULL);
    out->bound = &bound;
    char *room = buffer_reserve(out, size);
    out->bound = NULL;
    return room;
}

bool gzip_append(struct buffer *out, const char *text, size_t text_size)
{
    struct libdeflate_compressor *compressor = make_compressor();
    if (compressor == NULL)
        return false;
    size_t bound = libdeflate_gzip_compress_bound(compressor, text_size);
    char *to = try_reserve(out, bound);
    if (to != NULL) {
        size_t size = libdeflate_gzip_compress(compressor, text, text_size, to, bound);
        check(size > 0);
        buffer_commit(out, size);
    }
    libdeflate_free_compressor(compressor);
    return to != NULL;
}

static void append_le32(struct buffer *out, uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8)
        buffer_append_char(out, (char)(value >> shift));
}

/* RFC 1952 §2.3: head, DEFLATE stream, checksum and size of the text. The stream is followed by
 * what permessage-deflate takes off, and an empty last block. */
bool gzip_wrap(struct buffer *out, struct iovec deflated, const char *text, size_t text_size)
{
    static const char head[10] = "\x1f\x8b\x08\0\0\0\0\0\0\xff", last_block[2] = "\x03\0";
    size_t size = sizeof head + deflated.iov_len + WS_DEFLATE_TAIL_SIZE + sizeof last_block + 8;
    if (try_reserve(out, size) == NULL)
        return false;
    buffer_append(out, head, sizeof head);
    buffer_append(out, deflated.iov_base, deflated.iov_len);
    buffer_append(out, WS_DEFLATE_TAIL, WS_DEFLATE_TAIL_SIZE);
    buffer_append(out, last_block, sizeof last_block);
    append_le32(out, libdeflate_crc32(0, text, text_size));
    append_le32(out, (uint32_t)text_size);
    return true;
}

uint64_t gzip_content_tag(const char *text, size_t text_size)
{
    return (uint64_t)libdeflate_crc32(0, text, text_size) << 32 |
           libdeflate_adler32(1, text, text_size);
}
