/* permessage-deflate with foreign bytes, in both roles. What stands behind the input's first byte
 * is, as that byte says,
 *
 *     n  a header that offers extensions
 *     b  a text that we compress: a client with any window must get it back
 *     c  a text that a client compresses and sends in frames, whose sizes are the text's bytes
 *     *  a payload that a client calls compressed */
#include "fuzz.h"

#include "wire/deflate.h"
#include "wire/websocket.h"

#include <zlib.h>

enum { INFLATED_MAX = 4096, WINDOW_BITS_MIN = 8, WINDOW_BITS_MAX = 15 };

static struct ws_deflater *deflater;
static struct ws_inflater *inflater;

static void negotiate(const char *list, size_t size)
{
    struct http_head head = {.header_count = 1,
                             .headers = {{{"Sec-WebSocket-Extensions", 24}, {list, size}}}};
    char answer[WS_DEFLATE_ANSWER_SIZE], again[WS_DEFLATE_ANSWER_SIZE];
    if (ws_deflate_negotiate(&head, answer) != WS_DEFLATE_ACCEPTED)
        return;
    check(strnlen(answer, sizeof answer) < sizeof answer);
    check(strncmp(answer, "permessage-deflate; ", 20) == 0);
    /* What is answered is a legal offer itself, and would be answered by the same. */
    head.headers[0].value = (struct slice){answer, strlen(answer)};
    check(ws_deflate_negotiate(&head, again) == WS_DEFLATE_ACCEPTED);
    check(strcmp(answer, again) == 0);
}

static void inflate_foreign(const char *payload, size_t size)
{
    struct buffer once = {0}, twice = {0};
    enum ws_inflate_result result = ws_inflate(inflater, payload, size, INFLATED_MAX, &once);
    check(once.size <= INFLATED_MAX);
    check(ws_inflate(inflater, payload, size, INFLATED_MAX, &twice) ==
          result); /* no memory of it */
    check(result != WS_INFLATE_DONE || once.size == twice.size);
    check(once.size == 0 || twice.size < once.size ||
          memcmp(once.data, twice.data, once.size) == 0);
    buffer_deinit(&once);
    buffer_deinit(&twice);
}

/* What another implementation makes of our payload, with a window of so many bits (RFC 7692
 * §7.2.2). */
static void inflate_as_client(const struct buffer *payload, int bits, const char *text, size_t size)
{
    z_stream stream = {0};
    struct buffer bytes = {0};
    buffer_append(&bytes, payload->data, payload->size);
    buffer_append(&bytes, WS_DEFLATE_TAIL, WS_DEFLATE_TAIL_SIZE);
    char *out = memory_allocate(size + 1);
    check(inflateInit2(&stream, -bits) == Z_OK);
    stream.next_in = (Bytef *)bytes.data;
    stream.avail_in = (uInt)bytes.size;
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)size + 1;
    check(inflate(&stream, Z_SYNC_FLUSH) == Z_OK && stream.avail_in == 0);
    check(stream.total_out == size && (size == 0 || memcmp(out, text, size) == 0));
    inflateEnd(&stream);
    free(out);
    buffer_deinit(&bytes);
}

static void bring_back(const char *text, size_t size)
{
    struct buffer payload = {0}, out = {0};
    ws_deflate(deflater, text, size, &payload);
    for (int bits = WINDOW_BITS_MIN; bits <= WINDOW_BITS_MAX; bits++)
        inflate_as_client(&payload, bits, text, size);
    check(ws_inflate(inflater, payload.data, payload.size, size, &out) == WS_INFLATE_DONE);
    check(out.size == size && (size == 0 || memcmp(out.data, text, size) == 0));
    buffer_clear(&out);
    check(size == 0 ||
          ws_inflate(inflater, payload.data, payload.size, size - 1, &out) == WS_INFLATE_TOO_BIG);
    buffer_deinit(&payload);
    buffer_deinit(&out);
}

/* -- what a client sends ----------------------------------------------------------------------- */

/* A frame behind an all-zero mask. */
static void put_frame(struct buffer *out, int first, const char *payload, size_t size)
{
    char header[WS_FRAME_HEADER_MAX], mask[4] = {0};
    size_t header_size = ws_encode_header(header, WS_TEXT, size);
    header[0] = (char)first;
    header[1] = (char)(header[1] | 0x80);
    buffer_append(out, header, header_size);
    buffer_append(out, mask, sizeof mask);
    if (size > 0)
        buffer_append(out, payload, size);
}

/* The frames of one compressed message, with a ping behind each but the last. */
static struct buffer frames_of(const struct buffer *payload, const char *sizes, size_t count)
{
    struct buffer frames = {0};
    size_t at = 0;
    for (size_t i = 0;; i++) {
        size_t size = i < count ? (unsigned char)sizes[i] : payload->size;
        size = size < payload->size - at ? size : payload->size - at;
        bool is_last = i >= count || i == 100;
        if (is_last)
            size = payload->size - at;
        int opcode = i == 0 ? 0x40 | WS_BINARY : WS_CONTINUATION;
        put_frame(&frames, (is_last ? 0x80 : 0) | opcode, payload->data + at, size);
        at += size;
        if (is_last)
            return frames;
        put_frame(&frames, 0x80 | WS_PING, "", 0);
    }
}

/* Decodes the frames in pieces, and collects the message. */
static struct buffer decode(struct buffer *frames)
{
    struct ws_decoder decoder;
    struct buffer message = {0};
    ws_decoder_init(&decoder);
    decoder.allows_compression = true;
    bool is_complete = false;
    for (size_t at = 0, consumed; at < frames->size; at += consumed) {
        size_t piece = at % 61 + 1, left = frames->size - at;
        struct ws_event event =
            ws_decoder_feed(&decoder, frames->data + at, piece < left ? piece : left, &consumed);
        check(event.type != WS_EVENT_ERROR);
        if (event.type != WS_EVENT_DATA)
            continue;
        check(event.is_compressed && !is_complete);
        if (event.payload_size > 0)
            buffer_append(&message, event.payload, event.payload_size);
        is_complete = event.is_message_end;
    }
    check(is_complete);
    ws_decoder_deinit(&decoder);
    return message;
}

static void receive_compressed(const char *text, size_t size)
{
    struct buffer payload = {0}, out = {0};
    ws_deflate(deflater, text, size, &payload);
    struct buffer frames = frames_of(&payload, text, size);
    struct buffer message = decode(&frames);
    check(ws_inflate(inflater, message.data, message.size, size, &out) == WS_INFLATE_DONE);
    check(out.size == size && (size == 0 || memcmp(out.data, text, size) == 0));
    buffer_deinit(&payload);
    buffer_deinit(&frames);
    buffer_deinit(&message);
    buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (deflater == NULL) { /* shared by all inputs, as a loop shares them among its clients */
        deflater = ws_deflater_create();
        inflater = ws_inflater_create();
    }
    char *bytes = fuzz_copy(data + 1, size - 1);
    if (data[0] == 'n')
        negotiate(bytes, size - 1);
    else if (data[0] == 'b')
        bring_back(bytes, size - 1);
    else if (data[0] == 'c')
        receive_compressed(bytes, size - 1);
    else
        inflate_foreign(bytes, size - 1);
    free(bytes);
    return 0;
}
