/* Nothing here blocks the loop. A handler answers at once (files of the page, counters, a shared
 * frame), waits for the hub, or hands a question to the thread pool. */
#include "net/routes.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/answers.h"
#include "net/page.h"
#include "net/respond.h"
#include "net/upgrade.h"
#include "stream/echo.h"
#include "stream/request.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* The page's policy: nothing inline, nothing from anywhere else; an arrow in the style is data. */
#define PAGE_POLICY                                                                                \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "           \
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "              \
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r\n"

#define LOG_PAUSE_NS UINT64_C(60000000000)

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

static void serve_metrics(struct exchange *exchange, const struct route_match *match)
{
    (void)match;
    metrics_render(shared_of(exchange)->metrics, &exchange->body);
    respond(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", NO_STORE);
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
    buffer_append_format(&extra, "ETag: %s\r\nCache-Control: %s\r\n", asset->etag,
                         asset->is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
    if (strncmp(asset->content_type, "text/html", 9) == 0)
        buffer_append_text(&extra, PAGE_POLICY);
    bool zips = exchange->accepts_gzip && asset->gzip_size > 0;
    if (strstr(exchange->if_none_match, asset->etag) != NULL)
        respond_not_modified(exchange, buffer_text(&extra));
    else
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
        respond_failure(exchange, status, "there is no snapshot of this symbol yet");
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

enum { WORKS_MAX = 64 }; /* questions on the thread pool at a time, over all loops */

/* A question on the thread pool, and all of a loop who wait for its answer. */
struct work {
    uv_work_t request;
    struct list in_worker;
    struct list exchanges; /* struct exchange; who goes leaves. The loop's alone */
    struct answers *answers;
    struct backend_request question;
    bool gzips;
    atomic_bool is_begun; /* the data that it is about may have been looked at already */
    struct answer *answer;
    enum status status;
    struct error error;
};

static atomic_int works_under_way;

static void run_work(uv_work_t *request)
{
    struct work *work = request->data;
    atomic_store_explicit(&work->is_begun, true, memory_order_relaxed);
    work->status =
        answers_get(work->answers, &work->question, work->gzips, &work->answer, &work->error);
}

/* One line a minute and loop: clients may ask as often as they like. */
static void log_failure(const char *reason)
{
    static _Thread_local uint64_t logged_ns;
    uint64_t now_ns = clock_monotonic_ns();
    if (logged_ns != 0 && now_ns - logged_ns < LOG_PAUSE_NS)
        return;
    log_warn("requests fail", log_text("reason", reason));
    logged_ns = now_ns;
}

static void answer_work(struct exchange *exchange, const struct work *work)
{
    if (work->status == STATUS_OK) {
        respond_answer(exchange, work->answer);
    } else if (work->question.question == BACKEND_READY && work->answer != NULL) {
        const struct buffer *body = &work->answer->body;
        buffer_append(&exchange->body, body->data, body->size);
        respond(exchange, 503, TYPE_JSON, NO_STORE);
    } else {
        if (work->status == STATUS_IO || work->status == STATUS_NOT_FOUND)
            log_failure(work->error.message);
        respond_failure(exchange, work->status, work->error.message);
    }
}

static void after_work(uv_work_t *request, int status)
{
    (void)status;
    struct work *work = request->data;
    atomic_fetch_sub_explicit(&works_under_way, 1, memory_order_relaxed);
    list_remove(&work->in_worker);
    while (!list_is_empty(&work->exchanges)) {
        struct exchange *exchange = list_entry(work->exchanges.next, struct exchange, in_work);
        list_remove(&exchange->in_work);
        answer_work(exchange, work);
    }
    answer_release(work->answer);
    free(work);
}

static bool is_same_question(const struct backend_request *a, const struct backend_request *b)
{
    if (a->question != b->question || strcmp(a->symbol, b->symbol) != 0 ||
        a->parameter_count != b->parameter_count)
        return false;
    for (size_t i = 0; i < a->parameter_count; i++)
        if (strcmp(a->parameters[i].name, b->parameters[i].name) != 0 ||
            strcmp(a->parameters[i].value, b->parameters[i].value) != 0)
            return false;
    return true;
}

/* The work that will answer the same question in the same form, or NULL. One that has begun may not
 * know of the newest data; who comes then waits in the cache if they are the same. */
static struct work *find_work(const struct exchange_host *host,
                              const struct backend_request *question, bool gzips)
{
    for (struct list *link = host->works->next; link != host->works; link = link->next) {
        struct work *work = list_entry(link, struct work, in_worker);
        bool is_begun = atomic_load_explicit(&work->is_begun, memory_order_relaxed);
        if (!is_begun && work->gzips == gzips && is_same_question(&work->question, question))
            return work;
    }
    return NULL;
}

/* Hands the question to the thread pool; NULL if there are too many. */
static struct work *begin_work(const struct exchange_host *host,
                               const struct backend_request *question, bool gzips)
{
    if (atomic_fetch_add_explicit(&works_under_way, 1, memory_order_relaxed) >= WORKS_MAX) {
        atomic_fetch_sub_explicit(&works_under_way, 1, memory_order_relaxed);
        return NULL;
    }
    struct work *work = memory_allocate_zeroed(1, sizeof *work);
    work->request.data = work;
    work->answers = host->shared->answers;
    work->question = *question;
    work->gzips = gzips;
    list_init(&work->exchanges);
    list_push_back(host->works, &work->in_worker);
    check(uv_queue_work(host->loop, &work->request, run_work, after_work) == 0);
    return work;
}

/* Answers what the backend has to be asked, on the thread pool. */
static void ask_backend(struct exchange *exchange, const struct backend_request *question)
{
    const struct exchange_host *host = exchange->host;
    struct work *work = find_work(host, question, exchange->accepts_gzip);
    if (work == NULL)
        work = begin_work(host, question, exchange->accepts_gzip);
    if (work == NULL) {
        respond_error(exchange, 503, "BUSY", "Too many queries at a time; try again",
                      "Retry-After: 1\r\n");
        return;
    }
    list_push_back(&work->exchanges, &exchange->in_work);
}

/* Reads the query into the request. False if it cannot: then it is answered (400). */
static bool read_parameters(struct exchange *exchange, struct slice query,
                            struct backend_request *request)
{
    bool is_valid = true;
    for (;;) {
        struct backend_parameter parameter;
        if (!http_query_next(&query, parameter.name, sizeof parameter.name, parameter.value,
                             sizeof parameter.value, &is_valid))
            return true;
        if (!is_valid || request->parameter_count == BACKEND_PARAMETERS_MAX)
            break;
        request->parameters[request->parameter_count++] = parameter;
    }
    respond_error(exchange, 400, "INVALID_PARAMETER",
                  is_valid ? "More than 8 parameters in the query"
                           : "A parameter of the query is too long or wrongly encoded",
                  NULL);
    return false;
}

static void serve_question(struct exchange *exchange, const struct route_match *match)
{
    struct backend_request question = {.question = (enum backend_question)match->argument};
    if (match->symbol_index >= 0)
        strcpy(question.symbol, symbols_of(exchange)->names[match->symbol_index]);
    if (read_parameters(exchange, match->head->query, &question))
        ask_backend(exchange, &question);
}

/* -- the table --------------------------------------------------------------------------------- */

/* `*` in a pattern stands for a symbol of the whitelist. */
static const struct route {
    const char *pattern;
    void (*serve)(struct exchange *exchange, const struct route_match *match);
    int argument;
} routes[] = {
    {"/ws/heatmap", serve_websocket, 0},
    {"/ws/echo", serve_echo, 0},
    {"/ws/stats", serve_stats, 0},
    {"/api/v1/symbols", serve_question, BACKEND_SYMBOLS},
    {"/api/v1/heatmap/*", serve_snapshot, 0},
    {"/api/v1/heatmap/*/history", serve_question, BACKEND_HISTORY},
    {"/api/v1/heatmap/*/grid", serve_question, BACKEND_GRID},
    {"/api/v1/candles/*", serve_question, BACKEND_CANDLES},
    {"/metrics", serve_metrics, 0},
    {"/healthz", serve_health, 0},
    {"/readyz", serve_question, BACKEND_READY},
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

static void answer_unknown_symbol(struct exchange *exchange)
{
    const struct symbol_list *symbols = symbols_of(exchange);
    struct buffer message = {0};
    buffer_append_text(&message, "Symbol not supported. Valid: ");
    for (size_t i = 0; i < symbols->count; i++)
        buffer_append_format(&message, "%s%s", i > 0 ? ", " : "", symbols->names[i]);
    respond_error(exchange, 404, "INVALID_SYMBOL", buffer_text(&message), NULL);
    buffer_deinit(&message);
}

static void serve_route(struct exchange *exchange, const struct route *route,
                        const struct http_head *head, struct slice symbol)
{
    struct route_match match = {.head = head, .symbol_index = -1, .argument = route->argument};
    if (symbol.size > 0) {
        match.symbol_index = symbol_list_find(symbols_of(exchange), symbol.data, symbol.size);
        if (match.symbol_index < 0) {
            answer_unknown_symbol(exchange);
            return;
        }
    }
    route->serve(exchange, &match);
}

static void serve(struct exchange *exchange, const struct http_head *head)
{
    if (!slice_equals(head->method, "GET") && !slice_equals(head->method, "HEAD")) {
        respond_error(exchange, 405, "METHOD_NOT_ALLOWED", "Only GET and HEAD are answered here",
                      "Allow: GET, HEAD\r\n");
        return;
    }
    const struct page_asset *asset = find_asset(head->path);
    if (asset != NULL) {
        serve_asset(exchange, asset);
        return;
    }
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        struct slice symbol;
        if (fits(routes[i].pattern, head->path, &symbol)) {
            serve_route(exchange, &routes[i], head, symbol);
            return;
        }
    }
    serve_nothing(exchange);
}

static void refuse(struct exchange *exchange, enum http_head_result result)
{
    if (result == HTTP_HEAD_TOO_LARGE)
        respond_error(exchange, 431, "HEAD_TOO_LARGE",
                      "A request head may have 8192 bytes and 64 headers", NULL);
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
        serve(exchange, &head);
        exchange_end_request(exchange, &head);
    } else {
        refuse(exchange, result);
    }
    exchange->is_serving = false;
    return exchange->is_answered ? EXCHANGE_ANSWERED : EXCHANGE_WAITS;
}
