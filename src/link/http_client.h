/* HTTP requests to other servers, over libcurl, on a libuv loop.
 *
 * A client belongs to one loop and one thread; all calls are made there, and so are all callbacks,
 * never from inside the call that caused them. Names are resolved by a thread of libcurl's, so
 * nothing blocks. Proxies come from the environment (HTTPS_PROXY, NO_PROXY and the like, as libcurl
 * reads them). HTTP/1.1; connections are kept and used again. At most HTTP_REDIRECTS_MAX redirects
 * are followed, to https:// alone, or from http:// to http:// too. How many requests are under way
 * at a time is for the caller to bound. */
#ifndef HEATCAST_LINK_HTTP_CLIENT_H
#define HEATCAST_LINK_HTTP_CLIENT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HTTP_REDIRECTS_MAX 5
#define HTTP_ANSWER_HEAD_BYTES_MAX (64 * 1024) /* the heads of an answer and its redirects */
#define HTTP_CONNECT_TIMEOUT_MS 10000          /* where a request says 0 */
#define HTTP_SILENCE_TIMEOUT_MS 30000          /* where a request says 0 */
#define HTTP_RETRY_AFTER_MAX_MS (INT64_C(30) * 24 * 3600 * 1000)

struct http_client;

struct http_client_options {
    /* PEM file of the certificates to trust, instead of the system's; NULL or "": the system's. */
    const char *ca_file;
    const char *user_agent; /* "heatcast/1.0" */
};

/* NULL, and the error says why: STATUS_INVALID if `ca_file` cannot be read, others if libcurl
 * cannot be used. Texts are copied. */
struct http_client *http_client_create(uv_loop_t *loop, const struct http_client_options *options,
                                       struct error *error);

/* Cancels all transfers; WebSocket clients on it (link/websocket_client.h) have been destroyed
 * before. Handles on the loop close afterwards: the loop must run once more before it is closed.
 * May be called from on_done, not from on_bytes. NULL is harmless. */
void http_client_destroy(struct http_client *client);

/* How a transfer ended. */
enum http_outcome {
    HTTP_ANSWERED,         /* a whole answer, whatever its status */
    HTTP_NAME_UNKNOWN,     /* DNS has no address of the host, or gives no answer */
    HTTP_NOT_CONNECTED,    /* refused, unreachable */
    HTTP_NOT_TRUSTED,      /* TLS: the certificate is not one to trust */
    HTTP_TLS_FAILED,       /* TLS: anything else */
    HTTP_PROXY_FAILED,     /* the proxy cannot be reached, or does not let it through */
    HTTP_TIMED_OUT,        /* connecting, silence, or all of it: the message says which */
    HTTP_CUT_OFF,          /* the connection ended before the answer did */
    HTTP_TOO_LARGE,        /* the answer is over a limit */
    HTTP_BROKEN,           /* the answer is not HTTP, or its compression is broken */
    HTTP_REDIRECT_REFUSED, /* too many, or to where none may lead */
    HTTP_STOPPED,          /* on_bytes returned false */
    HTTP_FAILED,           /* the request cannot be made: its URL, CA_FILE, this machine */
};

struct http_transfer;

/* Valid during on_done. */
struct http_result {
    enum http_outcome outcome;
    int status;             /* of HTTP; 0 if no answer began */
    const char *body;       /* terminated; as much as came if it is no HTTP_ANSWERED; empty where
                               on_bytes took it */
    size_t body_size;       /* without the terminator */
    int64_t retry_after_ms; /* Retry-After, from a number or a date; -1: there is none */
    const char *message;    /* for a person: "api.example: connection refused (...)"; "" if
                               answered */
    const struct http_transfer *transfer;
};

struct http_request {
    const char *method;              /* "GET", "HEAD", "POST" */
    const char *url;                 /* http:// or https://, encoded */
    const char *const *header_lines; /* "Name: value", up to a NULL; or NULL */
    const char *body;                /* or NULL */
    size_t body_size;
    const char *content_type; /* of the body */

    uint64_t connect_timeout_ms; /* name, connection, proxy, TLS; 0: HTTP_CONNECT_TIMEOUT_MS */
    uint64_t silence_timeout_ms; /* without a byte; in whole seconds; 0: HTTP_SILENCE_TIMEOUT_MS */
    uint64_t timeout_ms;         /* for all of it; 0: there is none */
    size_t answer_bytes_max;     /* of the body, decompressed; above 0 */
    bool wants_gzip;             /* ask for compression */

    /* The body as it comes, instead of in the result; only of an answer with a 2xx status, others
     * come in the result. `status` is the answer's. False ends the transfer (HTTP_STOPPED). No
     * function of link/ may be called from here. Or NULL. */
    bool (*on_bytes)(int status, const char *bytes, size_t size, void *context);

    /* Exactly once, unless the transfer is cancelled before; the transfer is gone when it returns.
     */
    void (*on_done)(const struct http_result *result, void *context);
    void *context;
};

/* All that the request points to is copied, but for the context. Never fails: what is wrong comes
 * by on_done. */
struct http_transfer *http_client_start(struct http_client *client,
                                        const struct http_request *request);

/* Ends it at whatever stage; no callback follows. Not from on_bytes. */
void http_transfer_cancel(struct http_transfer *transfer);

/* A header of the last answer (any case), valid during on_done; NULL if there is none. */
const char *http_result_header(const struct http_result *result, const char *name);

/* Whether the same request may succeed later: no answer, or 408, 425, 429 or 5xx. False for what a
 * person has to change first: trust, redirects, sizes, other statuses. */
bool http_result_is_transient(const struct http_result *result);

#endif
