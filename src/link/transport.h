/* What HTTP requests and WebSocket connections ask of libcurl alike: time to connect, trust,
 * proxies, and what its errors mean. One thread. */
#ifndef HEATCAST_LINK_TRANSPORT_H
#define HEATCAST_LINK_TRANSPORT_H

#include "base/buffer.h"
#include "link/http_client.h"

#include <curl/curl.h>

/* A new easy handle for the URL, http:// or https://. `ca_file` as in the client's options; 0 is
 * the default of the timeout. libcurl writes its errors to `error_text`, CURL_ERROR_SIZE bytes. */
CURL *transport_create(const char *url, const char *ca_file, uint64_t connect_timeout_ms,
                       char *error_text);

/* What a result of libcurl's means, for a handle that it has just returned. */
enum http_outcome transport_outcome(CURL *easy, CURLcode code);

/* "host: timed out (words)", the sentence for a person. `url` is that of the request. */
void transport_append_message(struct buffer *out, const char *url, enum http_outcome outcome,
                              const char *words);

/* How long Retry-After says to wait: a number of seconds or a date (RFC 9110 §10.2.3); a date that
 * is over is 0. -1 if it is neither. At most HTTP_RETRY_AFTER_MAX_MS. */
int64_t transport_retry_after_ms(const char *text);

#endif
