/* /ws/echo, for conformance suites (--conformance-echo): each message is sent back with the same
 * opcode, compressed where that was negotiated. On the session's loop. */
#ifndef HEATCAST_STREAM_ECHO_H
#define HEATCAST_STREAM_ECHO_H

#include "stream/session.h"

#define ECHO_MESSAGE_SIZE_MAX ((size_t)16 * 1024 * 1024)
#define ECHO_REPLY_BYTES_MAX (64u * 1024 * 1024)

extern const struct session_protocol echo_protocol;

#endif
