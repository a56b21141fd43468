/* RFC 6455, the wire part, of both roles: handshake key, frame decoder, frame encoder. Sans-I/O:
 * there are no sockets here, and nothing allocates but for a control frame that comes in pieces.
 * Compressed messages (RFC 7692) are marked, not inflated: see wire/deflate.h.
 *
 * The decoder is resumable at any byte. It unmasks in place and returns pieces of payload as they
 * come, so a message of any size needs no memory here; what to collect and how much of it is the
 * caller's policy. One decoder a connection, one thread at a time. */
#ifndef HEATCAST_WIRE_WEBSOCKET_H
#define HEATCAST_WIRE_WEBSOCKET_H

#include "base/buffer.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_CONTROL_PAYLOAD_MAX 125 /* RFC 6455 §5.5 */
#define WS_FRAME_HEADER_MAX 10     /* unmasked, as a server sends it */
#define WS_ACCEPT_SIZE 29          /* Sec-WebSocket-Accept and its terminator */

enum ws_opcode {
    WS_CONTINUATION = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xA,
};

/* Close codes, RFC 6455 §7.4.1 and the registry it set up. */
enum ws_close_code {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL_ERROR = 1002,
    WS_CLOSE_NO_STATUS = 1005, /* never on the wire */
    WS_CLOSE_INVALID_PAYLOAD = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
};

enum ws_event_type {
    WS_EVENT_NEEDS_MORE, /* all input is consumed */
    WS_EVENT_DATA,       /* a piece of a text or binary message */
    WS_EVENT_CONTROL,    /* a whole ping, pong or close */
    WS_EVENT_ERROR,      /* the peer broke the protocol: close with `close_code` */
};

struct ws_event {
    enum ws_event_type type;
    enum ws_opcode opcode; /* DATA: of the message (text or binary); CONTROL: of the frame */
    const char *payload;   /* unmasked; CONTROL: valid until the next call */
    size_t payload_size;
    bool is_message_start; /* DATA: the message's first piece */
    bool is_message_end;   /* DATA: its last */
    bool is_compressed;    /* DATA: the payload is compressed; text is not known to be UTF-8 yet */
    uint16_t close_code;   /* ERROR: to send; CONTROL close: received, 1005 if it had none */
    const char *reason;    /* ERROR: why, for people */
};

struct ws_decoder {
    uint64_t payload_left; /* of the current frame */
    uint8_t header[14];    /* bytes of a frame header that is not complete */
    uint8_t header_size;
    uint8_t mask[4];
    uint8_t mask_offset; /* where in the mask the next payload byte stands */
    uint8_t frame_opcode;
    uint8_t message_opcode; /* 0: between messages */
    uint8_t control_size;
    bool is_final : 1;
    bool is_in_frame : 1;
    bool has_message_data : 1;   /* the first piece was returned */
    bool allows_compression : 1; /* permessage-deflate was negotiated; set it after init */
    bool is_client : 1;          /* frames come from a server, unmasked; set it after init */
    bool is_compressed : 1;      /* the current message is */
    bool has_failed : 1;
    struct utf8 utf8; /* of the current text message */
    char *control;    /* payload of a control frame that comes in pieces; NULL until one does */
};

void ws_decoder_init(struct ws_decoder *decoder);
void ws_decoder_deinit(struct ws_decoder *decoder);

/* Takes input until something is to be reported. `*consumed` says how much was used; call again
 * with the rest until WS_EVENT_NEEDS_MORE. `bytes` are unmasked in place. After an error every
 * call returns it again and consumes nothing. */
struct ws_event ws_decoder_feed(struct ws_decoder *decoder, char *bytes, size_t size,
                                size_t *consumed);

/* How much of the current data frame's payload is still to come, by its header; 0 between
 * frames. */
static inline uint64_t ws_decoder_data_left(const struct ws_decoder *decoder)
{
    return decoder->is_in_frame && decoder->frame_opcode <= WS_BINARY ? decoder->payload_left : 0;
}

/* Writes an unmasked final frame's header; returns its size (2, 4 or 10). */
size_t ws_encode_header(char header[WS_FRAME_HEADER_MAX], enum ws_opcode opcode,
                        uint64_t payload_size);

/* Marks a text or binary frame's header: its payload is compressed (RFC 7692 §6). */
void ws_mark_compressed(char *header);

/* Writes a close frame's payload (code and reason, cut to fit); returns its size. */
size_t ws_encode_close(char payload[WS_CONTROL_PAYLOAD_MAX], uint16_t code, const char *reason);

/* Appends a whole frame as a client sends it: masked with a key that nobody can foresee (RFC 6455
 * §5.3). */
void ws_append_masked_frame(struct buffer *out, enum ws_opcode opcode, const char *payload,
                            size_t payload_size);

/* Sec-WebSocket-Accept for a key, RFC 6455 §4.2.2. False if the key is not 16 bytes in base64. */
bool ws_accept_key(const char *key, size_t key_size, char accept[WS_ACCEPT_SIZE]);

#endif
