/* The frame decoder, fed whole and in pieces, must see the same: the same messages and control
 * frames, payloads joined, and the same error. The input's first byte says into how many pieces
 * (its highest bit: whether compression was negotiated; the next: whether the decoder is a
 * client's), one byte for each says how long it is, and the rest is what the peer sends. */
#include "fuzz.h"

#include "base/buffer.h"
#include "wire/websocket.h"

enum { PIECES_MAX = 15 };

/* What a decoder has reported, in a form that does not depend on where pieces end. */
struct report {
    struct ws_decoder decoder;
    struct buffer events;
    bool is_in_message, has_failed;
    uint16_t close_code;
    const char *reason;
    struct utf8 utf8;
    bool is_compressed;
};

static void add_data(struct report *report, const struct ws_event *event)
{
    check(event->opcode == WS_TEXT || event->opcode == WS_BINARY);
    check(event->is_message_start == !report->is_in_message);
    if (event->is_message_start) {
        buffer_append_format(&report->events, "\nmessage %d %d:", event->opcode,
                             event->is_compressed);
        report->is_compressed = event->is_compressed;
        report->utf8 = (struct utf8){0};
    }
    buffer_append(&report->events, event->payload, event->payload_size);
    check(event->is_compressed == report->is_compressed);
    check(!event->is_compressed || report->decoder.allows_compression);
    bool is_text = event->opcode == WS_TEXT && !event->is_compressed;
    if (is_text)
        check(utf8_feed(&report->utf8, event->payload, event->payload_size));
    report->is_in_message = !event->is_message_end;
    if (event->is_message_end) {
        check(!is_text || utf8_is_complete(&report->utf8));
        buffer_append_text(&report->events, "\nend");
    }
}

static void add_control(struct report *report, const struct ws_event *event)
{
    check(event->opcode == WS_CLOSE || event->opcode == WS_PING || event->opcode == WS_PONG);
    check(event->payload_size <= WS_CONTROL_PAYLOAD_MAX);
    buffer_append_format(&report->events, "\ncontrol %d %d %zu:", event->opcode, event->close_code,
                         event->payload_size);
    buffer_append(&report->events, event->payload, event->payload_size);
}

static void add_error(struct report *report, const struct ws_event *event)
{
    check(event->close_code == WS_CLOSE_PROTOCOL_ERROR ||
          event->close_code == WS_CLOSE_INVALID_PAYLOAD);
    check(event->reason != NULL && event->reason[0] != '\0');
    report->has_failed = true;
    report->close_code = event->close_code;
    report->reason = event->reason;
    char byte = 0;
    size_t consumed;
    struct ws_event again = ws_decoder_feed(&report->decoder, &byte, 1, &consumed);
    check(again.type == WS_EVENT_ERROR && again.close_code == event->close_code && consumed == 0);
}

static void feed(struct report *report, const uint8_t *data, size_t size)
{
    char *bytes = fuzz_copy(data, size);
    for (size_t at = 0, consumed; !report->has_failed; at += consumed) {
        struct ws_event event = ws_decoder_feed(&report->decoder, bytes + at, size - at, &consumed);
        check(consumed <= size - at);
        if (event.type == WS_EVENT_NEEDS_MORE) {
            check(consumed == size - at);
            break;
        }
        if (event.type == WS_EVENT_DATA)
            add_data(report, &event);
        else if (event.type == WS_EVENT_CONTROL)
            add_control(report, &event);
        else
            add_error(report, &event);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cuts = size > 0 ? data[0] % (PIECES_MAX + 1) : 0;
    if (size < 1 + cuts)
        return 0;
    const uint8_t *sizes = data + 1, *stream = data + 1 + cuts;
    size_t left = size - 1 - cuts;
    struct report whole = {0}, pieces = {0};
    ws_decoder_init(&whole.decoder);
    ws_decoder_init(&pieces.decoder);
    whole.decoder.allows_compression = pieces.decoder.allows_compression = (data[0] & 0x80) != 0;
    whole.decoder.is_client = pieces.decoder.is_client = (data[0] & 0x40) != 0;
    feed(&whole, stream, left);
    for (size_t i = 0; i < cuts; i++) {
        size_t piece = sizes[i] < left ? sizes[i] : left;
        feed(&pieces, stream, piece);
        stream += piece;
        left -= piece;
    }
    feed(&pieces, stream, left);

    check(whole.has_failed == pieces.has_failed && whole.close_code == pieces.close_code);
    check(!whole.has_failed || strcmp(whole.reason, pieces.reason) == 0);
    /* Before a fault within a text, pieces may already have brought more of it. */
    check(whole.events.size <= pieces.events.size);
    check(whole.has_failed || whole.events.size == pieces.events.size);
    check(whole.events.size == 0 ||
          memcmp(whole.events.data, pieces.events.data, whole.events.size) == 0);
    ws_decoder_deinit(&whole.decoder);
    ws_decoder_deinit(&pieces.decoder);
    buffer_deinit(&whole.events);
    buffer_deinit(&pieces.events);
    return 0;
}
