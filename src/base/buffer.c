/* Nearly everything that leaves the program is text put together from pieces whose number is not
 * known before: JSON, log lines, metrics, answers of 20 MB. A buffer doubles its memory when it is
 * full, so appending costs amortized constant time.
 *
 * Code that appends would be hard to read if each call could fail. So none does: an unbounded
 * buffer, whose size the program itself limits, aborts when there is no memory; a bounded one drops
 * what does not fit and remembers it, so that a writer of answers asks once at its end, or once in
 * a while, and everything below it appends as if memory had no end. A failure stays: what is
 * appended after it would be text with a hole. */
#include "base/buffer.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { BUFFER_CAPACITY_MIN = 256, PAGE_BYTES = 4096 };

/* From this size a buffer asks for huge pages: for a large answer, the page faults of small ones
 * take longer than most of the writing. */
#define HUGE_PAGES_FROM ((size_t)4 << 20)

void buffer_deinit(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
}

/* A request: where it is refused, the buffer works as well with small pages. */
static void ask_for_huge_pages(const struct buffer *buffer)
{
#ifdef MADV_HUGEPAGE
    uintptr_t offset = (uintptr_t)buffer->data % PAGE_BYTES;
    if (buffer->capacity >= HUGE_PAGES_FROM)
        madvise(buffer->data - offset, buffer->capacity + offset, MADV_HUGEPAGE);
#else
    (void)buffer;
#endif
}

static bool fail(struct buffer_bound *bound, enum buffer_failure failure)
{
    if (bound->failure == BUFFER_COMPLETE)
        bound->failure = failure;
    return false;
}

static bool is_within(struct buffer_bound *bound, size_t size)
{
    return bound->failure == BUFFER_COMPLETE &&
           (size <= bound->size_max || fail(bound, BUFFER_OVER_BOUND));
}

void buffer_fail(struct buffer *buffer)
{
    check(buffer->bound != NULL);
    fail(buffer->bound, BUFFER_NO_MEMORY);
}

/* Gives a bounded buffer `wanted` bytes, or what its bound allows. */
static bool grow_bounded(struct buffer *buffer, size_t wanted)
{
    struct buffer_bound *bound = buffer->bound;
    size_t capacity = wanted < bound->size_max ? wanted : bound->size_max;
    char *data = memory_try_resize(buffer->data, capacity, 1);
    if (data == NULL)
        return fail(bound, BUFFER_NO_MEMORY);
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

static bool grow(struct buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity > 0 ? buffer->capacity * 2 : BUFFER_CAPACITY_MIN;
    if (capacity < needed)
        capacity = needed;
    if (buffer->bound == NULL) {
        buffer->data = memory_resize(buffer->data, capacity, 1);
        buffer->capacity = capacity;
    } else if (!grow_bounded(buffer, capacity)) {
        return false;
    }
    ask_for_huge_pages(buffer);
    return true;
}

char *buffer_reserve(struct buffer *buffer, size_t size)
{
    check(size <= SIZE_MAX / 2 - buffer->size);
    size_t needed = buffer->size + size;
    if (buffer->bound != NULL && !is_within(buffer->bound, needed))
        return NULL;
    if ((needed > buffer->capacity || buffer->data == NULL) && !grow(buffer, needed))
        return NULL;
    return buffer->data + buffer->size;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
    char *room = size > 0 ? buffer_reserve(buffer, size) : NULL;
    if (room == NULL)
        return;
    memcpy(room, bytes, size);
    buffer->size += size;
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_char(struct buffer *buffer, char c)
{
    char *room = buffer_reserve(buffer, 1);
    if (room == NULL)
        return;
    *room = c;
    buffer->size++;
}

void buffer_append_int(struct buffer *buffer, int64_t value)
{
    char digits[24];
    char *end = digits + sizeof digits, *start = end;
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--start = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (value < 0)
        *--start = '-';
    buffer_append(buffer, start, (size_t)(end - start));
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    check(length >= 0);
    char *room = buffer_reserve(buffer, (size_t)length + 1);
    if (room != NULL) {
        vsnprintf(room, (size_t)length + 1, format, again);
        buffer->size += (size_t)length;
    }
    va_end(again);
}

void buffer_append_json_string(struct buffer *buffer, const char *text, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    buffer_append_char(buffer, '"');
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            buffer_append_char(buffer, '\\');
            buffer_append_char(buffer, (char)c);
            i++;
        } else if (c < 0x20 || c == 0x7f) {
            char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            buffer_append(buffer, escape, sizeof escape);
            i++;
        } else {
            size_t length = utf8_sequence_size(text + i, size - i);
            if (length > 0)
                buffer_append(buffer, text + i, length);
            else
                buffer_append_text(buffer, "\xEF\xBF\xBD");
            i += length > 0 ? length : 1;
        }
    }
    buffer_append_char(buffer, '"');
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    check(size <= buffer->size);
    if (size == 0)
        return;
    buffer->size -= size;
    memmove(buffer->data, buffer->data + size, buffer->size);
}

const char *buffer_text(struct buffer *buffer)
{
    check(buffer->bound == NULL);
    *buffer_reserve(buffer, 1) = '\0';
    return buffer->data;
}

char *buffer_detach(struct buffer *buffer)
{
    char *data = buffer->data;
    *buffer = (struct buffer){0};
    return data;
}
