/* gzip for HTTP answers (RFC 1952), through zlib. Any thread. */
#ifndef HEATCAST_NET_GZIP_H
#define HEATCAST_NET_GZIP_H

#include "base/buffer.h"

#include <sys/uio.h>

#define GZIP_SIZE_MIN 1024 /* below this it is not worth a client's time */

/* Replaces the content by its gzip form. */
void gzip_buffer(struct buffer *buffer);

/* Appends the gzip form of `text`, of which ws_deflate() has made `deflated` already. */
void gzip_wrap(struct buffer *out, struct iovec deflated, const char *text, size_t text_size);

#endif
