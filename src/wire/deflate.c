/* One compressed form for all clients. A client may ask for a small window
 * (server_max_window_bits, 8 to 15), and zlib with its smallest window, 512 bytes, never refers
 * back further than 250 (its MAX_DIST): such a stream fits any window that can be asked for, the
 * one of 256 bytes included, which zlib itself does not offer. For the texts of this program that
 * costs nothing: a level's digits are new, its words stand in the level before it, and short
 * distances have short codes, so that snapshots come out a seventh smaller than with the window of
 * 32 KiB.
 *
 * Nothing is taken over from one message to the next (server_no_context_takeover): that would
 * compress better, but each client would need a window of its own and its own compression of every
 * snapshot. */
#include "wire/deflate.h"

#include "base/check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    DEFLATE_WINDOW_BITS = 9,
    DEFLATE_MEMORY_LEVEL = 4, /* a hash table that suits the window: it is slid every 512 bytes */
    DEFLATE_LEVEL = 6,
    INFLATE_WINDOW_BITS = 15, /* the largest: client_max_window_bits is not asked of the client */
    INFLATE_STEP = 4096,
    WINDOW_BITS_MIN = 8, /* RFC 7692 §7.1.2 */
    WINDOW_BITS_MAX = 15,
};

/* -- negotiation ------------------------------------------------------------------------------- */

/* One extension's or parameter's words: name, or name = value. */
struct words {
    struct slice name, value;
    bool has_value;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Removes a sign and the blanks before it. False if something else is next. */
static bool take_sign(struct slice *text, const char *sign)
{
    slice_take_while(text, is_blank);
    return slice_try_take(text, sign);
}

static bool take_token(struct slice *text, struct slice *token)
{
    slice_take_while(text, is_blank);
    *token = slice_take_while(text, http_is_token_char);
    return token->size > 0;
}

/* A value may stand in quotes, and must be a token then too (RFC 6455 §9.1). */
static bool take_value(struct slice *text, struct slice *value)
{
    if (!take_sign(text, "\""))
        return take_token(text, value);
    *value = slice_take_while(text, http_is_token_char);
    return value->size > 0 && slice_try_take(text, "\"");
}

static bool take_words(struct slice *text, struct words *words)
{
    *words = (struct words){0};
    if (!take_token(text, &words->name))
        return false;
    words->has_value = take_sign(text, "=");
    return !words->has_value || take_value(text, &words->value);
}

/* A decimal number of window bits without leading zeros, or 0. */
static int window_bits(struct slice value)
{
    uint64_t bits;
    bool is_valid = !slice_starts_with(value, "0") &&
                    slice_parse_unsigned(value, WINDOW_BITS_MAX, &bits) && bits >= WINDOW_BITS_MIN;
    return is_valid ? (int)bits : 0;
}

struct offer {
    bool is_deflate, is_valid;
    bool seen_server_takeover, seen_client_takeover, seen_server_bits, seen_client_bits;
    int server_bits; /* 0: not limited */
};

static bool claim(bool *seen)
{
    bool is_first = !*seen;
    *seen = true;
    return is_first;
}

/* RFC 7692 §7.1: each parameter at most once, known, and with a value that it may have. */
static bool take_parameter(struct offer *offer, const struct words *words)
{
    if (slice_equals_ignoring_case(words->name, "server_no_context_takeover"))
        return !words->has_value && claim(&offer->seen_server_takeover);
    if (slice_equals_ignoring_case(words->name, "client_no_context_takeover"))
        return !words->has_value && claim(&offer->seen_client_takeover);
    if (slice_equals_ignoring_case(words->name, "client_max_window_bits"))
        return (!words->has_value || window_bits(words->value) != 0) &&
               claim(&offer->seen_client_bits);
    if (!slice_equals_ignoring_case(words->name, "server_max_window_bits"))
        return false;
    offer->server_bits = window_bits(words->value);
    return offer->server_bits != 0 && claim(&offer->seen_server_bits);
}

/* Cuts one extension with its parameters off the list. False if that is not what stands there. */
static bool take_offer(struct slice *text, struct offer *offer)
{
    struct words words;
    *offer = (struct offer){.is_valid = true};
    if (!take_words(text, &words) || words.has_value)
        return false;
    offer->is_deflate = slice_equals_ignoring_case(words.name, "permessage-deflate");
    while (take_sign(text, ";")) {
        if (!take_words(text, &words))
            return false;
        offer->is_valid = take_parameter(offer, &words) && offer->is_valid;
    }
    return true;
}

static void write_answer(const struct offer *offer, char answer[WS_DEFLATE_ANSWER_SIZE])
{
    int size = snprintf(answer, WS_DEFLATE_ANSWER_SIZE, WS_DEFLATE_OFFER);
    if (offer->server_bits != 0)
        snprintf(answer + size, WS_DEFLATE_ANSWER_SIZE - (size_t)size,
                 "; server_max_window_bits=%d", offer->server_bits);
}

static enum ws_deflate_offer find_offer(struct slice list, char answer[WS_DEFLATE_ANSWER_SIZE])
{
    enum ws_deflate_offer result = WS_DEFLATE_NONE;
    for (;;) {
        struct offer offer;
        while (take_sign(&list, ",")) /* lists may have empty elements, RFC 9110 §5.6.1 */
            continue;
        if (list.size == 0)
            return result;
        if (!take_offer(&list, &offer))
            return WS_DEFLATE_MALFORMED;
        if (result == WS_DEFLATE_NONE && offer.is_deflate && offer.is_valid) {
            write_answer(&offer, answer);
            result = WS_DEFLATE_ACCEPTED;
        }
        slice_take_while(&list, is_blank);
        if (list.size > 0 && *list.data != ',')
            return WS_DEFLATE_MALFORMED;
    }
}

enum ws_deflate_offer ws_deflate_negotiate(const struct http_head *head,
                                           char answer[WS_DEFLATE_ANSWER_SIZE])
{
    enum ws_deflate_offer result = WS_DEFLATE_NONE;
    char unused[WS_DEFLATE_ANSWER_SIZE] = "";
    for (size_t i = 0; i < head->header_count; i++) {
        if (!slice_equals_ignoring_case(head->headers[i].name, "Sec-WebSocket-Extensions"))
            continue;
        bool is_open = result == WS_DEFLATE_NONE;
        enum ws_deflate_offer found = find_offer(head->headers[i].value, is_open ? answer : unused);
        if (found == WS_DEFLATE_MALFORMED)
            return found;
        if (is_open)
            result = found;
    }
    return result;
}

bool ws_deflate_is_accepted(const struct http_head *head)
{
    const struct slice *value = http_head_find_only(head, "Sec-WebSocket-Extensions");
    struct offer answer;
    if (value == NULL)
        return false;
    struct slice rest = *value;
    return take_offer(&rest, &answer) && slice_trim(rest).size == 0 && answer.is_deflate &&
           answer.is_valid && answer.seen_server_takeover && !answer.seen_client_bits;
}

/* -- compressing ------------------------------------------------------------------------------- */

struct ws_deflater {
    z_stream stream;
};

struct ws_deflater *ws_deflater_create(void)
{
    struct ws_deflater *deflater = memory_allocate_zeroed(1, sizeof *deflater);
    check(deflateInit2(&deflater->stream, DEFLATE_LEVEL, Z_DEFLATED, -DEFLATE_WINDOW_BITS,
                       DEFLATE_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK);
    return deflater;
}

void ws_deflater_destroy(struct ws_deflater *deflater)
{
    if (deflater == NULL)
        return;
    deflateEnd(&deflater->stream);
    free(deflater);
}

void ws_deflate(struct ws_deflater *deflater, const char *data, size_t size, struct buffer *out)
{
    z_stream *stream = &deflater->stream;
    check(size < UINT_MAX);
    check(deflateReset(stream) == Z_OK);
    size_t bound = deflateBound(stream, size) + WS_DEFLATE_TAIL_SIZE + 16; /* and for the flush */
    stream->next_in = (Bytef *)data;
    stream->avail_in = (uInt)size;
    stream->next_out = (Bytef *)buffer_reserve(out, bound);
    stream->avail_out = (uInt)bound;
    check(deflate(stream, Z_SYNC_FLUSH) == Z_OK && stream->avail_out > 0);
    check(stream->total_out > WS_DEFLATE_TAIL_SIZE);
    buffer_commit(out, stream->total_out - WS_DEFLATE_TAIL_SIZE);
}

/* -- inflating --------------------------------------------------------------------------------- */

struct ws_inflater {
    z_stream stream;
};

struct ws_inflater *ws_inflater_create(void)
{
    struct ws_inflater *inflater = memory_allocate_zeroed(1, sizeof *inflater);
    check(inflateInit2(&inflater->stream, -INFLATE_WINDOW_BITS) == Z_OK);
    return inflater;
}

void ws_inflater_destroy(struct ws_inflater *inflater)
{
    if (inflater == NULL)
        return;
    inflateEnd(&inflater->stream);
    free(inflater);
}

/* Inflates one piece of the message. `*left` is what the result may still grow by. */
static enum ws_inflate_result inflate_piece(z_stream *stream, const char *piece, size_t size,
                                            size_t *left, struct buffer *out)
{
    stream->next_in = (Bytef *)piece;
    stream->avail_in = (uInt)size;
    for (;;) {
        /* One byte more than is allowed, so that a result of just that length differs from one
         * that is longer. */
        size_t room = *left < INFLATE_STEP ? *left + 1 : INFLATE_STEP;
        stream->next_out = (Bytef *)buffer_reserve(out, room);
        stream->avail_out = (uInt)room;
        int result = inflate(stream, Z_SYNC_FLUSH);
        size_t made = room - stream->avail_out;
        if (made > *left)
            return WS_INFLATE_TOO_BIG;
        buffer_commit(out, made);
        *left -= made;
        if (result == Z_STREAM_END) /* a block marked as the last, §7.2.3.4: another may follow */
            check(inflateReset(stream) == Z_OK);
        else if (result != Z_OK && result != Z_BUF_ERROR)
            return WS_INFLATE_INVALID;
        if (stream->avail_in == 0 && stream->avail_out > 0)
            return WS_INFLATE_DONE;
    }
}

enum ws_inflate_result ws_inflate(struct ws_inflater *inflater, const char *payload, size_t size,
                                  size_t size_max, struct buffer *out)
{
    enum { BETWEEN_BLOCKS = 128 }; /* zlib.h, of inflate()'s data_type */
    z_stream *stream = &inflater->stream;
    check(size < UINT_MAX);
    check(inflateReset(stream) == Z_OK);
    size_t left = size_max;
    enum ws_inflate_result result = inflate_piece(stream, payload, size, &left, out);
    if (result == WS_INFLATE_DONE)
        result = inflate_piece(stream, WS_DEFLATE_TAIL, WS_DEFLATE_TAIL_SIZE, &left, out);
    if (result == WS_INFLATE_DONE && (stream->data_type & BETWEEN_BLOCKS) == 0)
        result = WS_INFLATE_INVALID; /* it ends inside a block */
    return result;
}
