/* UTF-8 validity (RFC 3629), whole or in pieces. Any thread. */
#ifndef HEATCAST_BASE_UTF8_H
#define HEATCAST_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `struct utf8 u = {0};` stands between characters. */
struct utf8 {
    uint8_t missing;   /* continuation bytes that are still to come */
    uint8_t low, high; /* bounds of the next one; 0, 0 means the usual 0x80 to 0xBF */
};

/* Takes the next piece of a text. False as soon as no continuation could make it valid. */
bool utf8_feed(struct utf8 *state, const void *bytes, size_t size);

/* True if the text may end here: no character is incomplete. */
static inline bool utf8_is_complete(const struct utf8 *state)
{
    return state->missing == 0;
}

/* Bytes (1 to 4) of the valid character at the start of `text`, or 0 if there is none. */
size_t utf8_sequence_size(const char *text, size_t size);

#endif
