/* Conformance suites send long messages in many small frames, as fast as they can, and read the
 * answers late. That is no abuse here, so the limits are those of memory alone; the path is closed
 * unless it is asked for. */
#include "stream/echo.h"

static void on_message(struct session *session, enum ws_opcode opcode, const char *payload,
                       size_t size)
{
    if (session->subscriber.outbox.deflates)
        session_reply_deflated(session, opcode, payload, size);
    else
        session_reply(session, opcode, payload, size);
}

const struct session_protocol echo_protocol = {
    .message_size_max = ECHO_MESSAGE_SIZE_MAX,
    .reply_bytes_max = ECHO_REPLY_BYTES_MAX,
    .frames_max = UINT32_MAX,
    .on_message = on_message,
};
