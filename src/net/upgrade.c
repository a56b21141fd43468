/* RFC 6455 §4.2: checks come in the order in which a person would want to know of a fault, and a
 * place is taken last, when nothing else can fail any more. */
#include "net/upgrade.h"

#include "net/connection.h"
#include "wire/deflate.h"
#include "wire/websocket.h"

#include <string.h>
#include <strings.h>

/* Where the origin's host and port begin: behind "scheme://". */
static struct slice origin_authority(struct slice origin)
{
    for (size_t i = 0; i + 2 < origin.size; i++)
        if (memcmp(origin.data + i, "://", 3) == 0)
            return (struct slice){origin.data + i + 3, origin.size - i - 3};
    return (struct slice){origin.data, 0};
}

/* Programs send no Origin and are welcome; browsers always send one (RFC 6455 §10.2). */
static bool is_origin_allowed(const char *allowed, const struct http_head *head)
{
    const struct slice *origin = http_head_find(head, "Origin");
    if (origin == NULL || strcmp(allowed, "*") == 0)
        return true;
    if (allowed[0] == '\0') {
        const struct slice *host = http_head_find(head, "Host");
        struct slice authority = origin_authority(*origin);
        return host != NULL && authority.size == host->size && host->size > 0 &&
               strncasecmp(authority.data, host->data, host->size) == 0;
    }
    for (const char *item = allowed; *item != '\0';) {
        while (*item == ',' || *item == ' ')
            item++;
        size_t size = strcspn(item, ", ");
        if (size == origin->size && size > 0 && strncasecmp(item, origin->data, size) == 0)
            return true;
        item += size;
    }
    return false;
}

/* What is wrong with the handshake (RFC 6455 §4.2.1), or NULL. HTTP/1.1 has a Host already. */
static const char *handshake_fault(const struct http_head *head, char accept[WS_ACCEPT_SIZE])
{
    const struct slice *key = http_head_find(head, "Sec-WebSocket-Key");
    const struct slice *version = http_head_find(head, "Sec-WebSocket-Version");
    if (!http_head_has_token(head, "Upgrade", "websocket") ||
        !http_head_has_token(head, "Connection", "upgrade"))
        return "This path speaks WebSocket: connect with a WebSocket client";
    if (!slice_equals(head->method, "GET") || head->minor_version < 1 || head->content_length > 0)
        return "A WebSocket handshake is a GET of HTTP/1.1 without a body";
    if (version == NULL || !slice_equals(*version, "13"))
        return "Sec-WebSocket-Version must be 13";
    if (key == NULL || !ws_accept_key(key->data, key->size, accept))
        return "Sec-WebSocket-Key must be 16 bytes in base64";
    return NULL;
}

/* The value of `symbols` in the query; false if it is broken. */
static bool read_symbols(struct http_exchange *exchange, struct slice query)
{
    char name[32], value[sizeof exchange->websocket_symbols];
    bool is_valid;
    while (http_query_next(&query, name, sizeof name, value, sizeof value, &is_valid)) {
        if (!is_valid)
            return false;
        if (strcmp(name, "symbols") == 0)
            strcpy(exchange->websocket_symbols, value);
    }
    return true;
}

/* `extensions` is what was negotiated, or "". */
static void accept_websocket(struct http_exchange *exchange,
                             const struct session_protocol *protocol, const char *accept,
                             const char *extensions)
{
    buffer_append_format(&exchange->head,
                         "HTTP/1.1 101 Switching Protocols\r\n"
                         "Upgrade: websocket\r\n"
                         "Connection: Upgrade\r\n"
                         "Sec-WebSocket-Accept: %s\r\n",
                         accept);
    if (extensions[0] != '\0')
        buffer_append_format(&exchange->head, "Sec-WebSocket-Extensions: %s\r\n", extensions);
    buffer_append_text(&exchange->head, "\r\n");
    exchange->deflates = extensions[0] != '\0';
    exchange->websocket = protocol;
    connection_send_answer(exchange->connection);
}

static void refuse(struct http_exchange *exchange, int status, const char *code,
                   const char *message, const char *extra)
{
    http_answer_error(exchange, status, code, message, extra);
    connection_send_answer(exchange->connection);
}

static void refuse_place(struct http_exchange *exchange, enum refusal reason)
{
    refuse(exchange, 503, "TOO_MANY_CONNECTIONS",
           reason == REFUSED_LIMIT
               ? "All WebSocket places are taken; try again later"
               : "This address has as many WebSocket connections as it may; close one",
           "Retry-After: 5\r\n");
}

void upgrade_answer(struct http_exchange *exchange, const struct http_head *head,
                    const struct session_protocol *protocol)
{
    struct net_shared *shared = exchange->connection->worker->shared;
    char accept[WS_ACCEPT_SIZE], extensions[WS_DEFLATE_ANSWER_SIZE] = "";
    enum refusal reason;
    const char *fault = handshake_fault(head, accept);
    if (!shared->config->ws_enabled) {
        refuse(exchange, 503, "WS_DISABLED", "The WebSocket endpoint is switched off (WS_ENABLED)",
               NULL);
    } else if (fault != NULL) {
        refuse(exchange, 426, "UPGRADE_REQUIRED", fault,
               "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
    } else if (!is_origin_allowed(shared->config->ws_allowed_origins, head)) {
        atomic_fetch_add_explicit(&shared->refused[REFUSED_ORIGIN], 1, memory_order_relaxed);
        refuse(exchange, 403, "FOREIGN_ORIGIN",
               "Pages of this origin may not connect (WS_ALLOWED_ORIGINS)", NULL);
    } else if (!read_symbols(exchange, head->query)) {
        refuse(exchange, 400, "INVALID_PARAMETER",
               "A parameter is too long or wrongly encoded (symbols=BTCUSDT,ETHUSDT)", NULL);
    } else if (ws_deflate_negotiate(head, extensions) == WS_DEFLATE_MALFORMED) {
        refuse(exchange, 400, "BAD_REQUEST",
               "Sec-WebSocket-Extensions is not a list of extensions (RFC 6455 section 9.1)", NULL);
    } else if (!connection_take_place(exchange->connection, head, &reason)) {
        refuse_place(exchange, reason);
    } else {
        accept_websocket(exchange, protocol, accept, extensions);
    }
}
