/* Reads what a server has written: whole, unmasked, final frames, one after the other,
 * compressed ones (RFC 7692) among them. */
#ifndef HEATCAST_TESTS_SERVER_FRAMES_H
#define HEATCAST_TESTS_SERVER_FRAMES_H

#include "base/buffer.h"
#include "wire/websocket.h"

#include <stdbool.h>

struct server_frame {
    enum ws_opcode opcode;
    const char *payload;
    size_t size;
    bool is_compressed;
};

/* Cuts the next frame off `bytes` at `*at`. False if what is left is not a whole frame. */
static inline bool server_frame_next(const struct buffer *bytes, size_t *at,
                                     struct server_frame *frame)
{
    const unsigned char *header = (const unsigned char *)bytes->data + *at;
    size_t left = bytes->size - *at;
    if (left < 2 || (header[0] & 0xB0) != 0x80 || (header[1] & 0x80) != 0)
        return false;
    size_t header_size = header[1] < 126 ? 2 : header[1] == 126 ? 4 : 10, size = 0;
    if (left < header_size)
        return false;
    if (header_size == 2)
        size = header[1];
    for (size_t i = 2; i < header_size; i++)
        size = size << 8 | header[i];
    if (left - header_size < size)
        return false;
    *frame =
        (struct server_frame){(enum ws_opcode)(header[0] & 0x0F),
                              (const char *)header + header_size, size, (header[0] & 0x40) != 0};
    *at += header_size + size;
    return true;
}

#endif
