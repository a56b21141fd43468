/* Nothing here blocks the loop. A handler answers at once (files of the page, counters, a shared
 * frame), waits for the hub, or asks a question of the backend; in the last two cases it installs
 * what is called with the answer. */
#include "net/routes.h"

#include "base/log.h"
#include "base/utf8.h"
#include "net/address_count.h"
#include "net/page.h"
#include "net/respond.h"
#include "net/site.h"
#include "net/upgrade.h"
#include "stream/echo.h"
#include "stream/request.h"

#include <stdio.h>
#include <string.h>

/* The page's policy: nothing inline, nothing from anywhere else; an arrow in the style is data. */
#define PAGE_POLICY                                                                                \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "           \
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "              \
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r\n"

struct route_match {
    const struct http_head *head;
    int symbol_index; /* -1 if the path has none */
    int argument;     /* of the table's row */
};

static struct net_shared *shared_of(struct exchange *exchange)
{
    return exchange->host->shared;
}

static const struct symbol_list *symbols_of(struct exchange *exchange)
{
    return &shared_of(exchange)->config->symbols;
}

static void serve_nothing(struct exchange *exchange)
{
    respond_error(exchange, 404, "NOT_FOUND", "There is nothing at this path", NULL);
}

/* -- at once ----------------------------------------------------------------------------------- */

static void serve_health(struct exchange *exchange, const struct route_match *match)
{
    (void)match;
    buffer_append_text(&exchange->body, "{\"status\":\"ok\"}");
    respond(exchange, 200, TYPE_JSON, NO_STORE);
}

static void serve_stats(struct exchange *exchange, const struct route_match *match)
{
    (void)match;
    struct net_shared *shared = shared_of(exchange);
    shared->append_stats(&exchange->body, shared->server);
    respond(exchange, 200, TYPE_JSON, NO_STORE);
}

static void serve_websocket(struct exchange *exchange, const struct route_match *match)
{
    upgrade_answer(exchange, match->head, &request_protocol);
}

static void serve_echo(struct exchange *exchange, const struct route_match *match)
{
    if (shared_of(exchange)->has_echo)
        upgrade_answer(exchange, match->head, &echo_protocol);
    else
        serve_nothing(exchange);
}

static void serve_asset(struct exchange *exchange, const struct page_asset *asset)
{
    struct buffer extra = {0};
    char etag[64]; /* weak, since the plain and the gzip form share it */
    snprintf(etag, sizeof etag, "W/%s", asset->etag);
    buffer_append_format(&extra, "ETag: %s\r\nCache-Control: %s\r\n", etag,
                         asset->is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
    if (strncmp(asset->content_type, "text/html", 9) == 0)
        buffer_append_text(&extra, PAGE_POLICY);
    bool zips = exchange->accepts_gzip && asset->gzip_size > 0;
    if (!respond_if_decided(exchange, etag, buffer_text(&extra)))
        respond_static(exchange, asset->content_type, zips ? asset->gzip : asset->plain,
                       zips ? asset->gzip_size : asset->plain_size, zips ? "gzip" : NULL,
                       buffer_text(&extra));
    buffer_deinit(&extra);
}

/* -- the newest snapshot ----------------------------------------------------------------------- */

static void on_checked(struct hub_waiter *waiter, struct frame *frame, enum status status)
{
    struct exchange *exchange = list_entry(waiter, struct exchange, waiter);
    if (frame != NULL && status != STATUS_NO_DATA)
        respond_frame(exchange, frame);
    else
        respond_failure(exchange, status, "there is no snapshot of this symbol yet", NULL);
}

static void serve_snapshot(struct exchange *exchange, const struct route_match *match)
{
    struct publisher *publisher = shared_of(exchange)->publisher;
    size_t symbol_index = (size_t)match->symbol_index;
    struct frame *newest = NULL;
    if (publisher_request(publisher, symbol_index, exchange->accepts_gzip))
        newest = publisher_newest(publisher, symbol_index);
    if (newest != NULL) {
        respond_frame(exchange, newest);
        frame_release(newest);
        return;
    }
    exchange->waiter.on_ready = on_checked;
    hub_wait(exchange->host->hub, symbol_index, &exchange->waiter);
}

/* -- questions to the backend ------------------------------------------------------------------ */

static void respond_to_question(struct exchange *exchange, struct answer *answer)
{
    if (answer->status == STATUS_OK && exchange->question_kind == QUESTION_METRICS) {
        respond_page(exchange, answer, "text/plain; version=0.0.4; charset=utf-8");
    } else if (answer->status == STATUS_OK) {
        respond_answer(exchange, answer,
                       exchange->question_kind == QUESTION_LIQUIDATIONS_CSV ? TYPE_CSV : TYPE_JSON);
    } else if (exchange->question_kind == QUESTION_READY) {
        buffer_append(&exchange->body, answer->body.data, answer->body.size);
        respond(exchange, 503, TYPE_JSON, NO_STORE);
    } else {
        respond_failure(exchange, answer->status, answer->message, &answer->fit);
    }
}

static void tell_of_peer(struct exchange *exchange, enum notice kind)
{
    struct sockaddr_storage peer = {0};
    char text[CLIENT_ADDRESS_TEXT_SIZE];
    exchange->host->find_peer(exchange, &peer);
    notices_tell(&shared_of(exchange)->notices, kind,
                 client_address_format((const struct sockaddr *)&peer, text));
}

static void on_answered(struct asker *asker, enum question_outcome outcome, struct answer *answer)
{
    struct exchange *exchange = list_entry(asker, struct exchange, asker);
    switch (outcome) {
    case QUESTION_ANSWERED:
        respond_to_question(exchange, answer);
        break;
    case QUESTION_REFUSED:
        tell_of_peer(exchange, NOTICE_QUESTIONS);
        respond_error(exchange, 503, "BUSY", "Too many queries at a time; try again",
                      "Retry-After: 1\r\n");
        break;
    case QUESTION_STOPPED:
        respond_error(exchange, 503, "SHUTTING_DOWN", "This server is stopping; ask again later",
                      "Retry-After: 5\r\n");
        break;
    }
}

static void refuse_parameter(struct exchange *exchange, const char *name)
{
    char message[sizeof((struct backend_parameter *)NULL)->name + 64];
    snprintf(message, sizeof message,
             name[0] != '\0' ? "The parameter '%s' is too long or wrongly encoded"
                             : "A parameter of the query is too long or wrongly encoded%s",
             name);
    respond_error(exchange, 400, "INVALID_PARAMETER", message, NULL);
}

/* Reads the query into the request. False if it cannot: then it is answered (400). Paths that take
 * no parameters do not look at them, like those that are no questions. */
static bool read_parameters(struct exchange *exchange, struct slice query,
                            struct backend_request *request)
{
    struct backend_parameter parameter;
    bool is_valid, wants_csv = false;
    while (!question_is_short(request->kind)) {
        if (!http_query_next(&query, parameter.name, sizeof parameter.name, parameter.value,
                             sizeof parameter.value, &is_valid)) {
            request->kind = wants_csv ? QUESTION_LIQUIDATIONS_CSV : request->kind;
            return true;
        }
        if (!is_valid) {
            refuse_parameter(exchange, parameter.name);
            return false;
        }
        if (request->kind == QUESTION_LIQUIDATIONS && strcmp(parameter.name, "format") == 0) {
            wants_csv = strcmp(parameter.value, "csv") == 0;
            if (wants_csv || strcmp(parameter.value, "json") == 0)
                continue;
            respond_error(exchange, 400, "INVALID_PARAMETER", "format: it is neither json nor csv",
                          NULL);
            return false;
        }
        if (request->parameter_count == BACKEND_PARAMETERS_MAX) {
            respond_error(exchange, 400, "INVALID_PARAMETER", "More than 10 parameters", NULL);
            return false;
        }
        request->parameters[request->parameter_count++] = parameter;
    }
    return true;
}

/* What stands for the client where addresses are counted. */
static uint64_t client_key(struct exchange *exchange, const struct http_head *head)
{
    struct sockaddr_storage address = {0};
    exchange_find_client(exchange, head, &address);
    return address_count_key((const struct sockaddr *)&address);
}

/* What `canonical` holds is taken over. */
static void ask(struct exchange *exchange, const struct http_head *head,
                const struct backend_request *request, struct buffer *canonical)
{
    exchange->question_kind = request->kind;
    exchange->asker.on_answered = on_answered;
    exchange->asker.address_key = client_key(exchange, head);
    questions_ask(shared_of(exchange)->questions, &exchange->asker, request, canonical,
                  exchange->accepts_gzip);
}

static void serve_metrics(struct exchange *exchange, const struct route_match *match)
{
    const struct backend_request request = {.kind = QUESTION_METRICS};
    struct buffer canonical = {0};
    ask(exchange, match->head, &request, &canonical);
}

/* What is wrong with a request is said here, at no cost; what is right goes to the threads. */
static void serve_question(struct exchange *exchange, const struct route_match *match)
{
    const struct backend *backend = shared_of(exchange)->backend;
    struct backend_request request = {.kind = (enum question_kind)match->argument};
    struct buffer canonical = {0};
    struct error error;
    if (match->symbol_index >= 0)
        strcpy(request.symbol, symbols_of(exchange)->names[match->symbol_index]);
    if (!read_parameters(exchange, match->head->query, &request))
        return;
    enum status status = backend->canonicalize(backend->context, &request, &canonical, &error);
    if (status == STATUS_OK)
        ask(exchange, match->head, &request, &canonical);
    else
        respond_failure(exchange, status, error.message, NULL);
    buffer_deinit(&canonical);
}

/* -- the table --------------------------------------------------------------------------------- */

enum { PATH_SIZE_MAX = 256 };

/* `*` in a pattern stands for a symbol of the whitelist. */
static const struct route {
    const char *pattern;
    void (*serve)(struct exchange *exchange, const struct route_match *match);
    int argument;
} routes[] = {
    {"/ws/heatmap", serve_websocket, 0},
    {"/ws/echo", serve_echo, 0},
    {"/ws/stats", serve_stats, 0},
    {"/api/v1/symbols", serve_question, QUESTION_SYMBOLS},
    {"/api/v1/heatmap/*", serve_snapshot, 0},
    {"/api/v1/heatmap/*/history", serve_question, QUESTION_HISTORY},
    {"/api/v1/heatmap/*/grid", serve_question, QUESTION_GRID},
    {"/api/v1/candles/*", serve_question, QUESTION_CANDLES},
    {"/api/v1/liquidations/*", serve_question, QUESTION_LIQUIDATIONS},
    {"/api/v1/score/*", serve_question, QUESTION_SCORE},
    {"/metrics", serve_metrics, 0},
    {"/healthz", serve_health, 0},
    {"/readyz", serve_question, QUESTION_READY},
};

static const struct page_asset *find_asset(struct slice path)
{
    for (size_t i = 0; i < page_asset_count; i++)
        if (slice_equals(path, page_assets[i].path))
            return &page_assets[i];
    return NULL;
}

static bool try_take_end(struct slice *rest, const char *end)
{
    size_t size = strlen(end);
    if (rest->size < size || memcmp(rest->data + rest->size - size, end, size) != 0)
        return false;
    rest->size -= size;
    return true;
}

/* Whether the path fits the pattern; `*symbol` is what stands for its star, empty if it has none.
 */
static bool fits(const char *pattern, struct slice path, struct slice *symbol)
{
    struct slice rest = slice_of(pattern), before;
    *symbol = (struct slice){path.data, 0};
    if (!slice_split(&rest, '*', &before))
        return slice_equals(path, pattern);
    if (path.size < before.size || memcmp(path.data, before.data, before.size) != 0)
        return false;
    slice_take(&path, before.size);
    *symbol = path;
    return try_take_end(symbol, rest.data) && symbol->size > 0 &&
           memchr(symbol->data, '/', symbol->size) == NULL;
}

/* `name` is what the path says, decoded: it is repeated only where it is text. */
static void answer_unknown_symbol(struct exchange *exchange, const char *name)
{
    struct buffer message = {0};
    struct utf8 state = {0};
    bool is_text =
        name[0] != '\0' && utf8_feed(&state, name, strlen(name)) && utf8_is_complete(&state);
    if (is_text)
        buffer_append_format(&message, "Symbol '%s' not supported. Valid: ", name);
    else
        buffer_append_text(&message, "Symbol not supported. Valid: ");
    symbol_list_append_some(&message, symbols_of(exchange));
    respond_error(exchange, 404, "INVALID_SYMBOL", buffer_text(&message), NULL);
    buffer_deinit(&message);
}

static void serve_route(struct exchange *exchange, const struct route *route,
                        const struct http_head *head, struct slice symbol)
{
    struct route_match match = {.head = head, .symbol_index = -1, .argument = route->argument};
    if (symbol.size > 0) {
        char name[SYMBOL_SIZE] = ""; /* the colon of a prefix may be encoded */
        bool is_decoded = slice_percent_decode(symbol, false, name, sizeof name);
        if (is_decoded)
            match.symbol_index = symbol_list_find(symbols_of(exchange), name, strlen(name));
        if (match.symbol_index < 0) {
            answer_unknown_symbol(exchange, is_decoded ? name : "");
            return;
        }
    }
    route->serve(exchange, &match);
}

#define ALLOW "Allow: GET, HEAD, OPTIONS\r\n"

/* Methods other than GET and HEAD: what RFC 9110 §9.3 and RFC 5789 define is known and not allowed,
 * the rest is unknown (§15.6.2). OPTIONS is how load balancers ask whether a server is there. */
static void serve_other_method(struct exchange *exchange, struct slice method)
{
    static const char *const known[] = {"POST", "PUT", "DELETE", "PATCH", "CONNECT", "TRACE"};
    if (slice_equals(method, "OPTIONS")) {
        respond(exchange, 204, NULL, ALLOW);
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (slice_equals(method, known[i])) {
            respond_error(exchange, 405, "METHOD_NOT_ALLOWED",
                          "Only GET, HEAD and OPTIONS are answered here", ALLOW);
            return;
        }
    respond_error(exchange, 501, "UNKNOWN_METHOD", "No such method is known here", NULL);
}

static void serve_path(struct exchange *exchange, const struct http_head *head, struct slice path)
{
    const struct page_asset *asset = find_asset(path);
    if (asset != NULL) {
        serve_asset(exchange, asset);
        return;
    }
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        struct slice symbol;
        if (fits(routes[i].pattern, path, &symbol)) {
            serve_route(exchange, &routes[i], head, symbol);
            return;
        }
    }
    serve_nothing(exchange);
}

/* The server is not the one that was asked for (RFC 9110 §15.5.20). */
static void refuse_host(struct exchange *exchange, const struct http_head *head, struct slice host)
{
    struct net_shared *shared = shared_of(exchange);
    char name[SLICE_SHOWN_MAX + 1], address[CLIENT_ADDRESS_TEXT_SIZE];
    struct buffer message = {0};
    slice_show(host, name);
    net_count_refusal(shared, REFUSED_HOST);
    if (log_end_pause(&shared->refused_pauses[REFUSED_HOST]))
        log_warn("request refused: unknown host", log_text("host", name),
                 log_text("address", exchange_client_text(exchange, head, address)),
                 log_int("refused", (int64_t)net_refusals(shared, REFUSED_HOST)),
                 log_text("hint", "if this server is to answer for it, name it in ALLOWED_HOSTS"));
    buffer_append_format(&message, "This server does not answer for the host '%s' (ALLOWED_HOSTS)",
                         name);
    exchange->is_keep_alive = false;
    respond_error(exchange, 421, "UNKNOWN_HOST", buffer_text(&message), NULL);
    buffer_deinit(&message);
}

/* True if the server answers for the host that was asked; else that is answered. */
static bool admit_host(struct exchange *exchange, const struct http_head *head)
{
    const struct net_shared *shared = shared_of(exchange);
    struct site site;
    site_find(head, false, false, &site);
    if (site_is_answered(&site, shared->config->allowed_hosts, shared->is_local))
        return true;
    refuse_host(exchange, head, site.host);
    return false;
}

static void refuse_connection(struct exchange *exchange, const char *message)
{
    exchange->is_keep_alive = false;
    respond_error(exchange, 503, "TOO_MANY_CONNECTIONS", message, "Retry-After: 5\r\n");
}

/* True if the client may have this connection; else it is answered. A proxy's connections are those
 * of its clients, each while a request of it is served; one that is itself a proxy is nobody. */
static bool admit_client(struct exchange *exchange, const struct http_head *head)
{
    struct net_shared *shared = shared_of(exchange);
    struct sockaddr_storage client = {0};
    const struct sockaddr *address = (const struct sockaddr *)&client;
    if (exchange->refusal != NULL) {
        refuse_connection(exchange, exchange->refusal);
        return false;
    }
    if (!exchange_is_from_proxy(exchange))
        return true;
    exchange_find_client(exchange, head, &client);
    bool is_proxy = network_list_has(&shared->config->trusted_proxies, address);
    if (exchange->host->count_for(exchange, is_proxy ? 0 : address_count_key(address)) ==
        PLACE_TAKEN)
        return true;
    char text[CLIENT_ADDRESS_TEXT_SIZE];
    net_count_refusal(shared, REFUSED_CONNECTIONS_PER_ADDRESS);
    notices_tell(&shared->notices, NOTICE_CONNECTIONS, client_address_format(address, text));
    refuse_connection(exchange, "This address has as many connections as it may; close one");
    return false;
}

static void serve(struct exchange *exchange, const struct http_head *head)
{
    char path[PATH_SIZE_MAX];
    if (!admit_client(exchange, head) || !admit_host(exchange, head))
        return;
    if (!slice_equals(head->method, "GET") && !slice_equals(head->method, "HEAD"))
        serve_other_method(exchange, head->method);
    else if (http_path_normalize(head->path, path, sizeof path))
        serve_path(exchange, head, slice_of(path));
    else
        serve_nothing(exchange); /* longer than any path here */
}

static void refuse(struct exchange *exchange, enum http_head_result result)
{
    tell_of_peer(exchange, NOTICE_BAD_REQUEST);
    if (result == HTTP_HEAD_TOO_LARGE)
        respond_error(exchange, 431, "HEAD_TOO_LARGE",
                      "A request head may have 16384 bytes and 64 headers", NULL);
    else if (result == HTTP_HEAD_TARGET_TOO_LONG)
        respond_error(exchange, 414, "TARGET_TOO_LONG", "A request target may have 8000 bytes",
                      NULL);
    else if (result == HTTP_HEAD_UNKNOWN_CODING)
        respond_error(exchange, 501, "UNKNOWN_CODING",
                      "No transfer coding but chunked is known here", NULL);
    else if (result == HTTP_HEAD_BAD_VERSION)
        respond_error(exchange, 505, "BAD_VERSION", "HTTP/1.0 and HTTP/1.1 are spoken here", NULL);
    else
        respond_error(exchange, 400, "BAD_REQUEST", "This is not a request that HTTP/1.1 allows",
                      NULL);
}

enum exchange_progress routes_serve_next(struct exchange *exchange)
{
    struct http_head head;
    enum http_head_result result = exchange_begin_request(exchange, &head);
    if (result == HTTP_HEAD_NEEDS_MORE)
        return EXCHANGE_READS;
    exchange->is_serving = true;
    if (result == HTTP_HEAD_DONE) {
        exchange_note_request(exchange, &head);
        serve(exchange, &head);
        exchange_end_request(exchange, &head);
    } else {
        refuse(exchange, result);
    }
    exchange->is_serving = false;
    return exchange->is_answered ? EXCHANGE_ANSWERED : EXCHANGE_WAITS;
}

void routes_serve_late(struct exchange *exchange)
{
    exchange->is_serving = true;
    exchange_give_up_request(exchange);
    if (exchange->refusal != NULL)
        refuse_connection(exchange, exchange->refusal);
    else
        respond_error(exchange, 408, "REQUEST_TIMEOUT",
                      "The request head was not complete within 10 seconds", NULL);
    exchange->is_serving = false;
}
