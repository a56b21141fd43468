/* gzip for HTTP answers (RFC 1952), through libdeflate. Any thread. */
#ifndef HEATCAST_NET_GZIP_H
#define HEATCAST_NET_GZIP_H

#include "base/buffer.h"

#include <sys/uio.h>

#define GZIP_SIZE_MIN 1024 /* below this it is not worth a client's time */

/* Appends the gzip form of `text`. False: there is no memory, and `out` is as it was; so it is
 * below. `out` is not bounded. */
bool gzip_append(struct buffer *out, const char *text, size_t text_size);

/* The same of a text of which ws_deflate() has made `deflated` already. */
bool gzip_wrap(struct buffer *out, struct iovec deflated, const char *text, size_t text_size);

/* Tells contents apart, by two checksums; several times as fast as base/hash.h. */
uint64_t gzip_content_tag(const char *text, size_t text_size);

#endif
