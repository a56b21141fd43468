/* RFC 6455 §4.2: checks come in the order in which a person would want to know of a fault, and a
 * place is taken last, when nothing else can fail any more. */
#include "net/upgrade.h"

#include "base/check.h"
#include "base/log.h"
#include "net/respond.h"
#include "net/site.h"
#include "wire/deflate.h"
#include "wire/http_fields.h"
#include "wire/websocket.h"

#include <stdlib.h>
#include <string.h>

#define SUBPROTOCOL "heatcast.v1"

/* "13": 0 to 255, without leading zeros (RFC 6455 §4.3). */
static bool is_version(struct slice text)
{
    uint64_t version;
    return slice_parse_unsigned(text, 255, &version) && (*text.data != '0' || text.size == 1);
}

/* What is wrong with the handshake's own fields (RFC 6455 §4.2.1), or NULL; that is a 400. */
static const char *field_fault(const struct http_head *head, char accept[WS_ACCEPT_SIZE])
{
    const struct slice *key = http_head_find_only(head, "Sec-WebSocket-Key");
    const struct slice *version = http_head_find_only(head, "Sec-WebSocket-Version");
    if (version == NULL || !is_version(*version))
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
    if (version != NULL && is_version(*version) && !slice_equals(*version, "13"))
        return "Sec-WebSocket-Version must be 13";
    return NULL;
}

/* The value of `symbols` in the query; false if it is broken. */
static bool read_symbols(struct exchange *exchange, struct slice query)
{
    char name[32], value[HTTP_TARGET_SIZE_MAX];
    bool is_valid;
    while (http_query_next(&query, name, sizeof name, value, sizeof value, &is_valid)) {
        if (strcmp(name, "symbols") != 0)
            continue; /* others may be as long as they like */
        if (!is_valid)
            return false;
        free(exchange->websocket_symbols);
        exchange->websocket_symbols = memory_copy_string(value);
    }
    return true;
}

static void refuse(struct exchange *exchange, const struct http_head *head, int status,
                   const char *code, const char *message, const char *extra)
{
    char address[CLIENT_ADDRESS_TEXT_SIZE];
    log_debug("websocket refused",
              log_text("address", exchange_client_text(exchange, head, address)),
              log_text("code", code), log_text("reason", message));
    respond_error(exchange, status, code, message, extra);
}

/* Whoever runs the server sees which page it is, and what the server takes its own address for. */
static void log_foreign_origin(struct exchange *exchange, const struct http_head *head,
                               const struct site *site)
{
    char origin[SLICE_SHOWN_MAX + 1], scheme[SLICE_SHOWN_MAX + 1], host[SLICE_SHOWN_MAX + 1];
    char address[CLIENT_ADDRESS_TEXT_SIZE];
    const struct net_shared *shared = exchange->host->shared;
    log_warn(
        "websocket refused: foreign origin",
        log_text("origin", slice_show(*http_head_find(head, "Origin"), origin)),
        log_text("own_scheme", site->scheme.size > 0 ? slice_show(site->scheme, scheme) : "any"),
        log_text("own_host", slice_show(site->host, host)), log_int("own_port", site->port),
        log_text("address", exchange_client_text(exchange, head, address)),
        log_int("refused", (int64_t)net_refusals(shared, REFUSED_ORIGIN)),
        log_text("hint", "WS_ALLOWED_ORIGINS, TRUSTED_PROXIES"));
}

/* True if the page may connect; else it is answered. */
static bool admit_origin(struct exchange *exchange, const struct http_head *head)
{
    struct net_shared *shared = exchange->host->shared;
    struct site site;
    site_find(head, shared->tls != NULL, exchange_is_from_proxy(exchange), &site);
    if (site_admits_origin(&site, shared->config->ws_allowed_origins, head))
        return true;
    net_count_refusal(shared, REFUSED_ORIGIN);
    if (log_end_pause(&shared->refused_pauses[REFUSED_ORIGIN]))
        log_foreign_origin(exchange, head, &site);
    refuse(exchange, head, 403, "FOREIGN_ORIGIN",
           "Pages of this origin may not connect (WS_ALLOWED_ORIGINS)", NULL);
    return false;
}

static void refuse_place(struct exchange *exchange, const struct http_head *head,
                         enum refusal reason)
{
    char address[CLIENT_ADDRESS_TEXT_SIZE];
    net_count_refusal(exchange->host->shared, reason);
    notices_tell(&exchange->host->shared->notices,
                 reason == REFUSED_LIMIT ? NOTICE_FULL : NOTICE_CONNECTIONS,
                 exchange_client_text(exchange, head, address));
    refuse(exchange, head, 503, "TOO_MANY_CONNECTIONS",
           reason == REFUSED_LIMIT
               ? "All WebSocket places are taken; try again later"
               : "This address has as many WebSocket connections as it may; close one",
           "Retry-After: 5\r\n");
}

/* True if the exchange has a place; else it is answered. */
static bool take_place(struct exchange *exchange, const struct http_head *head)
{
    enum place_result result = exchange->host->take_place(exchange);
    if (result == PLACE_TAKEN)
        return true;
    refuse_place(exchange, head,
                 result == PLACE_ALL_TAKEN ? REFUSED_LIMIT : REFUSED_LIMIT_PER_ADDRESS);
    return false;
}

static void accept_websocket(struct exchange *exchange, const struct http_head *head,
                             const struct session_protocol *protocol, const char *accept,
                             const char *extensions)
{
    char address[CLIENT_ADDRESS_TEXT_SIZE];
    log_debug(
        "websocket opened", log_text("address", exchange_client_text(exchange, head, address)),
        log_text("symbols", exchange->websocket_symbols != NULL ? exchange->websocket_symbols : ""),
        log_text("extensions", extensions));
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
    } else if (!read_symbols(exchange, head->query)) {
        refuse(exchange, head, 400, "INVALID_PARAMETER",
               "A parameter is too long or wrongly encoded (symbols=BTCUSDT,ETHUSDT)", NULL);
    } else if (ws_deflate_negotiate(head, extensions) == WS_DEFLATE_MALFORMED) {
        refuse(exchange, head, 400, "BAD_REQUEST",
               "Sec-WebSocket-Extensions is not a list of extensions (RFC 6455 section 9.1)", NULL);
    } else if (admit_origin(exchange, head) && take_place(exchange, head)) {
        accept_websocket(exchange, head, protocol, accept, extensions);
    }
}
