/* Bytes that grow. The struct is the caller's; one thread at a time.
 *
 * `struct buffer b = {0};` is a valid empty buffer. Appending aborts when there is no memory, so a
 * call needs no check. The content is not terminated; buffer_text() terminates it.
 *
 * A bounded buffer, for what clients may make large, does not abort: what is over its bound, or
 * finds no memory, is left out together with all that comes after it, and the bound remembers why.
 * Calls need no check either; after the last one `failure` is checked. */
#ifndef HEATCAST_BASE_BUFFER_H
#define HEATCAST_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum buffer_failure { BUFFER_COMPLETE, BUFFER_OVER_BOUND, BUFFER_NO_MEMORY };

struct buffer_bound {
    size_t size_max; /* of the buffer's whole content */
    enum buffer_failure failure;
};

struct buffer {
    char *data;
    size_t size;                /* bytes in use */
    size_t capacity;            /* bytes allocated */
    struct buffer_bound *bound; /* owned elsewhere; NULL: there is none */
};

void buffer_deinit(struct buffer *buffer); /* frees, and leaves a valid empty buffer */
void buffer_clear(struct buffer *buffer);  /* keeps the memory for the next use */

/* Makes room for `size` more bytes and returns where they go; buffer_commit() after writing. NULL:
 * they do not fit a bounded buffer. */
char *buffer_reserve(struct buffer *buffer, size_t size);

/* Something that the content is made from found no memory: as if there were none for the buffer
 * itself. An unbounded one aborts. */
void buffer_fail(struct buffer *buffer);

static inline bool buffer_has_failed(const struct buffer *buffer)
{
    return buffer->bound != NULL && buffer->bound->failure != BUFFER_COMPLETE;
}

static inline void buffer_commit(struct buffer *buffer, size_t size)
{
    buffer->size += size;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t size);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_char(struct buffer *buffer, char c);
void buffer_append_int(struct buffer *buffer, int64_t value); /* decimal digits */
void buffer_append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* `size` bytes of text as a JSON string with its quotes (RFC 8259 §7). Bytes that are not valid
 * UTF-8 become U+FFFD, so that the result always is JSON. */
void buffer_append_json_string(struct buffer *buffer, const char *text, size_t size);

/* Removes the first `size` bytes. */
void buffer_consume(struct buffer *buffer, size_t size);

/* The content as a C string: terminated, owned by the buffer, valid until it changes. Not of a
 * bounded buffer. */
const char *buffer_text(struct buffer *buffer);

/* Hands the memory to the caller (to free()) and leaves an empty buffer. */
char *buffer_detach(struct buffer *buffer);

#endif
