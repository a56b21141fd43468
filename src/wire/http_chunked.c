/* A byte at a time through a few states, but for the data, which is skipped in one step.
 *
 * Two parsers that disagree about where a body ends are what request smuggling is made of, so this
 * one is strict where RFC 9112 lets it be: lines end with CRLF and nothing else, a size is hex
 * digits alone and fits a number with room, and what is ignored, extensions and trailers, has a
 * limit and holds no control characters. */
#include "wire/http_chunked.h"

#include "base/slice.h"
#include "wire/http_head.h"

enum state {
    FIRST_DIGIT, /* of a chunk's size */
    DIGITS,
    EXTENSIONS, /* ignored (§7.1.1) */
    LINE_FEED,  /* of the chunk's first line */
    DATA,
    DATA_RETURN, /* CRLF behind the data */
    DATA_LINE_FEED,
    TRAILER_START, /* a field, or the empty line (§7.1.2) */
    TRAILER,
    TRAILER_LINE_FEED,
    LAST_LINE_FEED,
    DONE,
    BAD,
};

/* So that no size overflows with one more digit. */
#define CHUNK_SIZE_MAX (UINT64_MAX >> 8)

static enum state take_digit(struct http_chunked *chunked, char c)
{
    int digit = slice_hex_value(c);
    if (digit < 0 || chunked->left > CHUNK_SIZE_MAX)
        return BAD;
    chunked->left = chunked->left * 16 + (uint64_t)digit;
    return DIGITS;
}

/* Behind the digits: more of them, blanks and extensions, or the end of the line. */
static enum state behind_digits(struct http_chunked *chunked, char c)
{
    if (c == '\r')
        return LINE_FEED;
    return c == ';' || c == ' ' || c == '\t' ? EXTENSIONS : take_digit(chunked, c);
}

/* In a part that is ignored up to its CR. */
static enum state ignore(enum state state, enum state behind, char c)
{
    return c == '\r' ? behind : http_is_value_char(c) ? state : BAD;
}

static enum state begin_data(struct http_chunked *chunked, char c)
{
    chunked->line_size = 0;
    if (c != '\n')
        return BAD;
    return chunked->left > 0 ? DATA : TRAILER_START;
}

/* The state behind this byte, which is none of the data. */
static enum state step(struct http_chunked *chunked, char c)
{
    switch ((enum state)chunked->state) {
    case FIRST_DIGIT:
        return take_digit(chunked, c);
    case DIGITS:
        return behind_digits(chunked, c);
    case EXTENSIONS:
        return ignore(EXTENSIONS, LINE_FEED, c);
    case LINE_FEED:
        return begin_data(chunked, c);
    case DATA_RETURN:
        return c == '\r' ? DATA_LINE_FEED : BAD;
    case DATA_LINE_FEED:
        return c == '\n' ? FIRST_DIGIT : BAD;
    case TRAILER_START:
        return c == '\r' ? LAST_LINE_FEED : http_is_token_char(c) ? TRAILER : BAD;
    case TRAILER:
        return ignore(TRAILER, TRAILER_LINE_FEED, c);
    case TRAILER_LINE_FEED:
        return c == '\n' ? TRAILER_START : BAD;
    case LAST_LINE_FEED:
        return c == '\n' ? DONE : BAD;
    case DATA:
    case DONE:
    case BAD:
        break;
    }
    return BAD;
}

static size_t skip_data(struct http_chunked *chunked, size_t size)
{
    size_t count = chunked->left < size ? (size_t)chunked->left : size;
    chunked->left -= count;
    if (chunked->left == 0)
        chunked->state = DATA_RETURN;
    return count;
}

static void skip_byte(struct http_chunked *chunked, char c)
{
    uint32_t size_max = chunked->state < DATA ? HTTP_CHUNK_LINE_MAX : HTTP_TRAILERS_MAX;
    chunked->state = (uint8_t)step(chunked, c);
    if (++chunked->line_size > size_max)
        chunked->state = BAD;
}

enum http_chunked_result http_chunked_skip(struct http_chunked *chunked, const char *bytes,
                                           size_t size, size_t *consumed)
{
    *consumed = 0;
    while (chunked->state < DONE && *consumed < size)
        if (chunked->state == DATA)
            *consumed += skip_data(chunked, size - *consumed);
        else
            skip_byte(chunked, bytes[(*consumed)++]);
    return chunked->state == DONE  ? HTTP_CHUNKED_DONE
           : chunked->state == BAD ? HTTP_CHUNKED_BAD
                                   : HTTP_CHUNKED_NEEDS_MORE;
}
