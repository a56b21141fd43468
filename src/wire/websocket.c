/* Two states: a frame header is being collected, or a frame's payload is passing through. Checks
 * are made at the first byte that shows the fault (a reserved bit, a bad opcode, a half
 * character), so that a peer gets the answer before it has sent the rest.
 *
 * Written by hand, because the payload must not be copied: the decoder works in the loop's read
 * buffer, and keeps no more than a header between two reads. A client that only listens costs 48
 * bytes here. */
#include "wire/websocket.h"

#include "base/check.h"
#include "base/random.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

enum {
    BIT_FIN = 0x80,
    BITS_RSV = 0x70,
    BIT_RSV1 = 0x40, /* "compressed", RFC 7692 §6 */
    BITS_OPCODE = 0x0F,
    BIT_MASK = 0x80,
    BITS_LENGTH = 0x7F,
};

enum { KEY_SIZE = 24 }; /* Sec-WebSocket-Key */

void ws_decoder_init(struct ws_decoder *decoder)
{
    *decoder = (struct ws_decoder){0};
}

void ws_decoder_deinit(struct ws_decoder *decoder)
{
    free(decoder->control);
    decoder->control = NULL;
}

static struct ws_event fail(struct ws_decoder *decoder, uint16_t close_code, const char *reason)
{
    decoder->has_failed = true;
    decoder->payload_left = close_code; /* remembered, so that every further call says the same */
    return (struct ws_event){.type = WS_EVENT_ERROR, .close_code = close_code, .reason = reason};
}

static bool is_control(uint8_t opcode)
{
    return (opcode & 0x8) != 0;
}

/* Bytes of the header that begins with these two bytes, RFC 6455 §5.2. */
static size_t header_size(const uint8_t *header)
{
    uint8_t length = header[1] & BITS_LENGTH;
    return 2 + (length == 126 ? 2u : length == 127 ? 8u : 0u) + (header[1] & BIT_MASK ? 4u : 0u);
}

/* What is wrong with the first byte of a frame (FIN, RSV, opcode), or NULL. */
static const char *fault_in_first_byte(const struct ws_decoder *decoder, uint8_t byte)
{
    uint8_t opcode = byte & BITS_OPCODE;
    if (byte & BITS_RSV & ~(decoder->allows_compression ? BIT_RSV1 : 0))
        return "reserved bits are set without an extension";
    if ((opcode > WS_BINARY && opcode < WS_CLOSE) || opcode > WS_PONG)
        return "unknown opcode";
    if ((byte & BIT_RSV1) && opcode != WS_TEXT && opcode != WS_BINARY)
        return "only the first frame of a message may say that it is compressed";
    if (is_control(opcode))
        return byte & BIT_FIN ? NULL : "a control frame must not be fragmented";
    if (opcode == WS_CONTINUATION && decoder->message_opcode == 0)
        return "a continuation without a message";
    if (opcode != WS_CONTINUATION && decoder->message_opcode != 0)
        return "a new message inside a fragmented one";
    return NULL;
}

/* What is wrong with the second byte (mask bit, length), or NULL. */
static const char *fault_in_second_byte(const struct ws_decoder *decoder, uint8_t byte)
{
    bool is_masked = (byte & BIT_MASK) != 0;
    if (is_masked == decoder->is_client)
        return is_masked ? "a server's frames must not be masked"
                         : "a client's frames must be masked";
    if (is_control(decoder->header[0] & BITS_OPCODE) &&
        (byte & BITS_LENGTH) > WS_CONTROL_PAYLOAD_MAX)
        return "a control frame is longer than 125 bytes";
    return NULL;
}

/* The header is complete: enter the frame. Returns a fault or NULL. */
static const char *begin_frame(struct ws_decoder *decoder)
{
    const uint8_t *header = decoder->header;
    uint8_t length = header[1] & BITS_LENGTH;
    size_t at = 2;
    uint64_t payload_size = length;
    if (length >= 126) {
        size_t bytes = length == 126 ? 2 : 8;
        payload_size = 0;
        for (size_t i = 0; i < bytes; i++)
            payload_size = payload_size << 8 | header[at + i];
        at += bytes;
        if (length == 127 && payload_size >> 63 != 0)
            return "a payload length has its highest bit set";
        if (payload_size < (length == 126 ? 126u : 65536u))
            return "a payload length is not in its shortest form";
    }
    if (header[1] & BIT_MASK)
        memcpy(decoder->mask, header + at, sizeof decoder->mask);
    decoder->mask_offset = 0;
    decoder->payload_left = payload_size;
    decoder->is_final = (header[0] & BIT_FIN) != 0;
    decoder->frame_opcode = header[0] & BITS_OPCODE;
    decoder->is_in_frame = true;
    decoder->header_size = 0;
    if (is_control(decoder->frame_opcode)) {
        decoder->control_size = 0;
    } else if (decoder->frame_opcode != WS_CONTINUATION) {
        decoder->message_opcode = decoder->frame_opcode;
        decoder->has_message_data = false;
        decoder->is_compressed = (header[0] & BIT_RSV1) != 0;
        decoder->utf8 = (struct utf8){0};
    }
    return NULL;
}

static void unmask(struct ws_decoder *decoder, char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)((uint8_t)bytes[i] ^ decoder->mask[(decoder->mask_offset + i) & 3]);
    decoder->mask_offset = (uint8_t)((decoder->mask_offset + size) & 3);
}

/* Codes that may stand in a close frame, RFC 6455 §7.4. */
static bool is_valid_close_code(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static struct ws_event control_event(struct ws_decoder *decoder, const char *payload, size_t size)
{
    struct ws_event event = {.type = WS_EVENT_CONTROL,
                             .opcode = (enum ws_opcode)decoder->frame_opcode,
                             .payload = payload,
                             .payload_size = size,
                             .close_code = WS_CLOSE_NO_STATUS};
    if (event.opcode != WS_CLOSE || event.payload_size == 0)
        return event;
    if (event.payload_size == 1)
        return fail(decoder, WS_CLOSE_PROTOCOL_ERROR, "a close frame with half a code");
    event.close_code = (uint16_t)((uint8_t)payload[0] << 8 | (uint8_t)payload[1]);
    if (!is_valid_close_code(event.close_code))
        return fail(decoder, WS_CLOSE_PROTOCOL_ERROR, "a close code that must not be sent");
    struct utf8 reason = {0};
    if (!utf8_feed(&reason, payload + 2, size - 2) || !utf8_is_complete(&reason))
        return fail(decoder, WS_CLOSE_INVALID_PAYLOAD, "a close reason that is not UTF-8");
    return event;
}

/* Keeps a piece of a control frame's payload that did not come whole. Hardly ever needed: such
 * frames are small, so a connection has no room for one until it is. */
static void collect_control(struct ws_decoder *decoder, const char *bytes, size_t size)
{
    check(decoder->control_size + size <= WS_CONTROL_PAYLOAD_MAX);
    if (decoder->control == NULL)
        decoder->control = memory_allocate(WS_CONTROL_PAYLOAD_MAX);
    memcpy(decoder->control + decoder->control_size, bytes, size);
    decoder->control_size = (uint8_t)(decoder->control_size + size);
}

static struct ws_event data_event(struct ws_decoder *decoder, const char *bytes, size_t size)
{
    bool ends = decoder->payload_left == 0 && decoder->is_final;
    struct ws_event event = {.type = WS_EVENT_DATA,
                             .opcode = (enum ws_opcode)decoder->message_opcode,
                             .payload = bytes,
                             .payload_size = size,
                             .is_message_start = !decoder->has_message_data,
                             .is_message_end = ends,
                             .is_compressed = decoder->is_compressed};
    if (event.opcode == WS_TEXT && !event.is_compressed &&
        (!utf8_feed(&decoder->utf8, bytes, size) || (ends && !utf8_is_complete(&decoder->utf8))))
        return fail(decoder, WS_CLOSE_INVALID_PAYLOAD, "text that is not UTF-8");
    decoder->has_message_data = true;
    if (ends)
        decoder->message_opcode = 0;
    return event;
}

/* Collects header bytes; true when the frame was entered, false when input ended or `*fault`. */
static bool take_header(struct ws_decoder *decoder, const char *bytes, size_t size, size_t *used,
                        const char **fault)
{
    while (*used < size) {
        uint8_t byte = (uint8_t)bytes[(*used)++];
        decoder->header[decoder->header_size++] = byte;
        if (decoder->header_size == 1)
            *fault = fault_in_first_byte(decoder, byte);
        else if (decoder->header_size == 2)
            *fault = fault_in_second_byte(decoder, byte);
        if (*fault != NULL)
            return false;
        if (decoder->header_size >= 2 && decoder->header_size == header_size(decoder->header)) {
            *fault = begin_frame(decoder);
            return *fault == NULL;
        }
    }
    return false;
}

struct ws_event ws_decoder_feed(struct ws_decoder *decoder, char *bytes, size_t size,
                                size_t *consumed)
{
    const struct ws_event needs_more = {.type = WS_EVENT_NEEDS_MORE};
    *consumed = 0;
    if (decoder->has_failed)
        return fail(decoder, (uint16_t)decoder->payload_left, "the stream has failed before");
    for (;;) {
        if (!decoder->is_in_frame) {
            const char *fault = NULL;
            if (!take_header(decoder, bytes, size, consumed, &fault))
                return fault != NULL ? fail(decoder, WS_CLOSE_PROTOCOL_ERROR, fault) : needs_more;
        }
        char *piece = bytes + *consumed;
        size_t piece_size = size - *consumed;
        if (piece_size > decoder->payload_left)
            piece_size = (size_t)decoder->payload_left;
        if (piece_size == 0 && decoder->payload_left > 0)
            return needs_more;
        if (!decoder->is_client)
            unmask(decoder, piece, piece_size);
        *consumed += piece_size;
        decoder->payload_left -= piece_size;
        if (decoder->payload_left == 0)
            decoder->is_in_frame = false;
        if (!is_control(decoder->frame_opcode)) {
            /* An empty frame in the middle of a message adds nothing. */
            if (piece_size == 0 && !decoder->is_final && decoder->has_message_data)
                continue;
            return data_event(decoder, piece, piece_size);
        }
        if (!decoder->is_in_frame && decoder->control_size == 0)
            return control_event(decoder, piece, piece_size);
        collect_control(decoder, piece, piece_size);
        if (!decoder->is_in_frame)
            return control_event(decoder, decoder->control, decoder->control_size);
    }
}

size_t ws_encode_header(char header[WS_FRAME_HEADER_MAX], enum ws_opcode opcode,
                        uint64_t payload_size)
{
    header[0] = (char)(BIT_FIN | opcode);
    if (payload_size < 126) {
        header[1] = (char)payload_size;
        return 2;
    }
    size_t bytes = payload_size < 65536 ? 2 : 8;
    header[1] = bytes == 2 ? 126 : 127;
    for (size_t i = 0; i < bytes; i++)
        header[2 + i] = (char)(payload_size >> (8 * (bytes - 1 - i)));
    return 2 + bytes;
}

void ws_append_masked_frame(struct buffer *out, enum ws_opcode opcode, const char *payload,
                            size_t payload_size)
{
    char header[WS_FRAME_HEADER_MAX], mask[4];
    size_t size = ws_encode_header(header, opcode, payload_size);
    header[1] = (char)(header[1] | BIT_MASK);
    random_system_bytes(mask, sizeof mask);
    buffer_append(out, header, size);
    buffer_append(out, mask, sizeof mask);
    char *to = buffer_reserve(out, payload_size);
    for (size_t i = 0; i < payload_size; i++)
        to[i] = (char)(payload[i] ^ mask[i & 3]);
    buffer_commit(out, payload_size);
}

void ws_mark_compressed(char *header)
{
    header[0] = (char)(header[0] | BIT_RSV1);
}

size_t ws_encode_close(char payload[WS_CONTROL_PAYLOAD_MAX], uint16_t code, const char *reason)
{
    size_t size = strnlen(reason, WS_CONTROL_PAYLOAD_MAX - 2);
    payload[0] = (char)(code >> 8);
    payload[1] = (char)(code & 0xFF);
    memcpy(payload + 2, reason, size);
    return 2 + size;
}

static bool is_base64_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* 16 bytes in base64 are 22 characters and two signs of padding. */
static bool is_key(const char *key, size_t key_size)
{
    if (key_size != KEY_SIZE || memcmp(key + KEY_SIZE - 2, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < KEY_SIZE - 2; i++)
        if (!is_base64_char(key[i]))
            return false;
    return true;
}

bool ws_accept_key(const char *key, size_t key_size, char accept[WS_ACCEPT_SIZE])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char input[KEY_SIZE + sizeof guid - 1], digest[SHA_DIGEST_LENGTH];
    if (!is_key(key, key_size))
        return false;
    memcpy(input, key, KEY_SIZE);
    memcpy(input + KEY_SIZE, guid, sizeof guid - 1);
    SHA1(input, sizeof input, digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
    return true;
}
