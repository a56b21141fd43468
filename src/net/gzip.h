/* gzip for HTTP answers (RFC 1952), through zlib. Any thread. */
#ifndef HEATCAST_NET_GZIP_H
#define HEATCAST_NET_GZIP_H

#include "base/buffer.h"

#define GZIP_SIZE_MIN 1024 /* below this it is not worth a client's time */

/* Replaces the content by its gzip form. */
void gzip_buffer(struct buffer *buffer);

#endif
