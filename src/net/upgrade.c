/* RFC 6455 §4.2: checks come in the order in which a person would want to know of a fault, and a
 * place is taken last, when nothing else can fail any more. */
#include "net/upgrade.h"

#include "base/log.h"
#include "net/client_address.h"
#include "net/respond.h"
#include "wire/deflate.h"
#include "wire/http_fields.h"
#include "wire/websocket.h"

#include <string.h>
#include <strings.h>

#define SUBPROTOCOL "heatcast.v1"

static bool equals_ignoring_case(struct slice a, struct slice b)
{
    return a.size == b.size && a.size > 0 && strncasecmp(a.data, b.data, a.size) == 0;
}

/* Whether the origin's host and port, behind "scheme://", are those that the client has asked. */
static bool is_same_origin(const struct http_head *head, struct slice origin)
{
    const struct slice *host = http_head_find(head, "Host");
    const char *authority = memmem(origin.data, origin.size, "://", 3);
    if (host == NULL || authority == NULL)
        return false;
    slice_take(&origin, (size_t)(authority + 3 - origin.data));
    return equals_ignoring_case(origin, *host);
}

static bool is_listed(const char *allowed, struct slice origin)
{
    struct slice list = slice_of(allowed), item;
    while (slice_take_word(&list, ", ", &item))
        if (equals_ignoring_case(item, origin))
            return true;
    return false;
}

/* Programs send no Origin and are welcome; browsers always send one (RFC 6455 §10.2). */
static bool is_origin_allowed(const char *allowed, const struct http_head *head)
{
    const struct slice *origin = http_head_find(head, "Origin");
    if (origin == NULL || strcmp(allowed, "*") == 0)
        return true;
    return allowed[0] == '\0' ? is_same_origin(head, *origin) : is_listed(allowed, *origin);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What is wrong with the handshake's own fields (RFC 6455 §4.2.1), or NULL; that is a 400. */
static const char *field_fault(const struct http_head *head, char accept[WS_ACCEPT_SIZE])
{
    const struct slice *key = http_head_find_only(head, "Sec-WebSocket-Key");
    const struct slice *version = http_head_find_only(head, "Sec-WebSocket-Version");
    struct slice rest = version != NULL ? *version : (struct slice){0};
    if (rest.size == 0 || slice_take_while(&rest, is_digit).size == 0 || rest.size > 0)
        return "There must be one Sec-WebSocket-Version, a number";
    if (key == NULL || !ws_accept_key(key->data, key->size, accept))
        return "There must be one Sec-WebSocket-Key, 16 bytes in base64";
    return NULL;
}

/* Why it is no WebSocket handshake, or none of this version, or NULL; that is a 426, whose header
 * lines say what would be (RFC 6455 §4.2.2). HTTP/1.1 has a Host already. */
static const char *handshake_fault(const struct http_head *head)
{
    const struct slice *version = http_head_find_only(head, "Sec-WebSocket-Version");
    if (!http_head_has_token(head, "Upgrade", "websocket") ||
        !http_head_has_token(head, "Connection", "upgrade"))
        return "This path speaks WebSocket: connect with a WebSocket client";
    if (!slice_equals(head->method, "GET") || head->minor_version < 1 || head->content_length > 0)
        return "A WebSocket handshake is a GET of HTTP/1.1 without a body";
    if (version != NULL && !slice_equals(*version, "13"))
        return "Sec-WebSocket-Version must be 13";
    return NULL;
}

/* The value of `symbols` in the query; false if it is broken. */
static bool read_symbols(struct exchange *exchange, struct slice query)
{
    char name[32], value[sizeof exchange->websocket_symbols];
    bool is_valid;
    while (http_query_next(&query, name, sizeof name, value, sizeof value, &is_valid)) {
        if (strcmp(name, "symbols") != 0)
            continue; /* others may be as long as they like */
        if (!is_valid)
            return false;
        strcpy(exchange->websocket_symbols, value);
    }
    return true;
}

/* For the log. */
static const char *client_text(struct exchange *exchange, const struct http_head *head,
                               char text[CLIENT_ADDRESS_TEXT_SIZE])
{
    struct sockaddr_storage address = {0};
    exchange_find_client(exchange, head, &address);
    return client_address_format((const struct sockaddr *)&address, text);
}

static void refuse(struct exchange *exchange, const struct http_head *head, int status,
                   const char *code, const char *message, const char *extra)
{
    char address[CLIENT_ADDRESS_TEXT_SIZE];
    log_debug("websocket refused", log_text("address", client_text(exchange, head, address)),
              log_text("code", code), log_text("reason", message));
    respond_error(exchange, status, code, message, extra);
}

static void refuse_place(struct exchange *exchange, const struct http_head *head,
                         enum refusal reason)
{
    net_count_refusal(exchange->host->shared, reason);
    refuse(exchange, head, 503, "TOO_MANY_CONNECTIONS",
           reason == REFUSED_LIMIT
               ? "All WebSocket places are taken; try again later"
               : "This address has as many WebSocket connections as it may; close one",
           "Retry-After: 5\r\n");
}

/* True if the exchange has a place; else it is answered. */
static bool take_place(struct exchange *exchange, const struct http_head *head)
{
    const struct exchange_host *host = exchange->host;
    struct sockaddr_storage address = {0};
    if (places_are_per_address(&host->shared->places))
        exchange_find_client(exchange, head, &address);
    switch (host->take_place(exchange, (const struct sockaddr *)&address)) {
    case PLACE_TAKEN:
        return true;
    case PLACE_ALL_TAKEN:
        refuse_place(exchange, head, REFUSED_LIMIT);
        return false;
    case PLACE_ADDRESS_HAS_ITS_SHARE:
        refuse_place(exchange, head, REFUSED_LIMIT_PER_ADDRESS);
        return false;
    }
    return false;
}

static void accept_websocket(struct exchange *exchange, const struct http_head *head,
                             const struct session_protocol *protocol, const char *accept,
                             const char *extensions)
{
    char address[CLIENT_ADDRESS_TEXT_SIZE];
    log_debug("websocket opened", log_text("address", client_text(exchange, head, address)),
              log_text("symbols", exchange->websocket_symbols), log_text("extensions", extensions));
    struct slice subprotocol = {0};
    http_choose_subprotocol(head, SUBPROTOCOL, &subprotocol);
    respond_websocket(exchange, protocol, accept, extensions, subprotocol);
}

void upgrade_answer(struct exchange *exchange, const struct http_head *head,
                    const struct session_protocol *protocol)
{
    struct net_shared *shared = exchange->host->shared;
    char accept[WS_ACCEPT_SIZE], extensions[WS_DEFLATE_ANSWER_SIZE] = "";
    const char *fault = handshake_fault(head), *bad_field = field_fault(head, accept);
    if (!shared->config->ws_enabled) {
        refuse(exchange, head, 503, "WS_DISABLED",
               "The WebSocket endpoint is switched off (WS_ENABLED)", NULL);
    } else if (fault != NULL) {
        refuse(exchange, head, 426, "UPGRADE_REQUIRED", fault,
               "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
    } else if (bad_field != NULL) {
        refuse(exchange, head, 400, "BAD_REQUEST", bad_field, "Sec-WebSocket-Version: 13\r\n");
    } else if (!is_origin_allowed(shared->config->ws_allowed_origins, head)) {
        net_count_refusal(shared, REFUSED_ORIGIN);
        refuse(exchange, head, 403, "FOREIGN_ORIGIN",
               "Pages of this origin may not connect (WS_ALLOWED_ORIGINS)", NULL);
    } else if (!read_symbols(exchange, head->query)) {
        refuse(exchange, head, 400, "INVALID_PARAMETER",
               "A parameter is too long or wrongly encoded (symbols=BTCUSDT,ETHUSDT)", NULL);
    } else if (ws_deflate_negotiate(head, extensions) == WS_DEFLATE_MALFORMED) {
        refuse(exchange, head, 400, "BAD_REQUEST",
               "Sec-WebSocket-Extensions is not a list of extensions (RFC 6455 section 9.1)", NULL);
    } else if (take_place(exchange, head)) {
        accept_websocket(exchange, head, protocol, accept, extensions);
    }
}
