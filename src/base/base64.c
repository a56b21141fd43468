/* The cells of a map travel inside JSON, as base64. There are millions of them, so room is reserved
 * once, and three bytes become four characters without a branch. Nothing here needs the way back.
 */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put_group(char *to, uint32_t bits)
{
    to[0] = alphabet[bits >> 18 & 63];
    to[1] = alphabet[bits >> 12 & 63];
    to[2] = alphabet[bits >> 6 & 63];
    to[3] = alphabet[bits & 63];
}

void base64_append(struct buffer *buffer, const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;
    size_t encoded_size = (size + 2) / 3 * 4;
    char *to = buffer_reserve(buffer, encoded_size);
    if (to == NULL)
        return;
    for (; size >= 3; byte += 3, size -= 3, to += 4)
        put_group(to, (uint32_t)byte[0] << 16 | (uint32_t)byte[1] << 8 | byte[2]);
    if (size > 0) {
        put_group(to, (uint32_t)byte[0] << 16 | (size > 1 ? (uint32_t)byte[1] << 8 : 0));
        to[3] = '=';
        if (size == 1)
            to[2] = '=';
    }
    buffer_commit(buffer, encoded_size);
}
