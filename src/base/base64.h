/* Base64 (RFC 4648 §4), with padding. Any thread. */
#ifndef HEATCAST_BASE_BASE64_H
#define HEATCAST_BASE_BASE64_H

#include "base/buffer.h"

void base64_append(struct buffer *buffer, const void *bytes, size_t size);

#endif
