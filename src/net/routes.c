/* The one table of HTTP paths. A handler answers at once (static files, counters, a shared frame),
 * waits for the hub, or hands a question to the thread pool: nothing here blocks the loop. */
#include "net/routes.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/answers.h"
#include "net/connection.h"
#include "net/page.h"
#include "net/server_stats.h"
#include "net/upgrade.h"
#include "stream/echo.h"
#include "stream/request.h"

#include <stdlib.h>

#define TYPE_JSON "application/json"

/* The page's policy: nothing inline, nothing from anywhere else; an arrow in the style is data. */
#define PAGE_POLICY                                                                                \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "           \
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "              \
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r\n"

#define LOG_PAUSE_NS UINT64_C(60000000000)

enum { WORKS_MAX = 64 }; /* questions on the thread pool at a time, over all loops */

/* A question on the thread pool, and all of a loop who wait for its answer. */
struct work {
    uv_work_t request;
    struct list in_worker;
    struct list exchanges; /* struct http_exchange; who goes leaves. The loop's alone */
    struct answers *answers;
    struct backend_request question;
    bool gzips;
    atomic_bool is_begun; /* the data that it is about may have been looked at already */
    struct answer *answer;
    enum status status;
    struct error error;
};

static atomic_int works_under_way;

/* -- the thread pool --------------------------------------------------------------------------- */

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

static void answer_work(struct http_exchange *exchange, const struct work *work)
{
    if (work->status == STATUS_OK) {
        http_answer_shared(exchange, work->answer);
    } else if (work->question.question == BACKEND_READY && work->answer != NULL) {
        const struct buffer *body = &work->answer->body;
        buffer_append(&exchange->body, body->data, body->size);
        http_answer(exchange, 503, TYPE_JSON, "Cache-Control: no-store\r\n");
    } else {
        if (work->status == STATUS_IO || work->status == STATUS_NOT_FOUND)
            log_failure(work->error.message);
        http_answer_failure(exchange, work->status, work->error.message);
    }
    connection_send_answer(exchange->connection);
}

static void after_work(uv_work_t *request, int status)
{
    (void)status;
    struct work *work = request->data;
    atomic_fetch_sub_explicit(&works_under_way, 1, memory_order_relaxed);
    list_remove(&work->in_worker);
    while (!list_is_empty(&work->exchanges)) {
        struct http_exchange *exchange =
            list_entry(work->exchanges.next, struct http_exchange, in_work);
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
static struct work *find_work(struct worker *worker, const struct backend_request *question,
                              bool gzips)
{
    for (struct list *link = worker->works.next; link != &worker->works; link = link->next) {
        struct work *work = list_entry(link, struct work, in_worker);
        bool is_begun = atomic_load_explicit(&work->is_begun, memory_order_relaxed);
        if (!is_begun && work->gzips == gzips && is_same_question(&work->question, question))
            return work;
    }
    return NULL;
}

/* Hands the question to the thread pool; NULL if there are too many. */
static struct work *begin_work(struct worker *worker, const struct backend_request *question,
                               bool gzips)
{
    if (atomic_fetch_add_explicit(&works_under_way, 1, memory_order_relaxed) >= WORKS_MAX) {
        atomic_fetch_sub_explicit(&works_under_way, 1, memory_order_relaxed);
        return NULL;
    }
    struct work *work = memory_allocate_zeroed(1, sizeof *work);
    work->request.data = work;
    work->answers = worker->shared->answers;
    work->question = *question;
    work->gzips = gzips;
    list_init(&work->exchanges);
    list_push_back(&worker->works, &work->in_worker);
    check(uv_queue_work(&worker->loop, &work->request, run_work, after_work) == 0);
    return work;
}

/* Answers what the backend has to be asked, on the thread pool. */
static void ask_backend(struct http_exchange *exchange, const struct backend_request *question)
{
    struct worker *worker = exchange->connection->worker;
    struct work *work = find_work(worker, question, exchange->accepts_gzip);
    if (work == NULL)
        work = begin_work(worker, question, exchange->accepts_gzip);
    if (work == NULL) {
        http_answer_error(exchange, 503, "BUSY", "Too many queries at a time; try again",
                          "Retry-After: 1\r\n");
        connection_send_answer(exchange->connection);
        return;
    }
    list_push_back(&work->exchanges, &exchange->in_work);
}

/* -- handlers ---------------------------------------------------------------------------------- */

struct route_match {
    const struct http_head *head;
    int symbol_index; /* -1 if the path has none */
    int argument;     /* of the table's row */
};

static struct worker *worker_of(struct http_exchange *exchange)
{
    return exchange->connection->worker;
}

static void send_error(struct http_exchange *exchange, int status, const char *code,
                       const char *message)
{
    http_answer_error(exchange, status, code, message, NULL);
    connection_send_answer(exchange->connection);
}

static void serve_nothing(struct http_exchange *exchange)
{
    send_error(exchange, 404, "NOT_FOUND", "There is nothing at this path");
}

static void serve_health(struct http_exchange *exchange, const struct route_match *match)
{
    (void)match;
    buffer_append_text(&exchange->body, "{\"status\":\"ok\"}");
    http_answer(exchange, 200, TYPE_JSON, "Cache-Control: no-store\r\n");
    connection_send_answer(exchange->connection);
}

static void serve_stats(struct http_exchange *exchange, const struct route_match *match)
{
    (void)match;
    server_stats_append_json(worker_of(exchange)->shared->server, &exchange->body);
    http_answer(exchange, 200, TYPE_JSON, "Cache-Control: no-store\r\n");
    connection_send_answer(exchange->connection);
}

static void serve_metrics(struct http_exchange *exchange, const struct route_match *match)
{
    (void)match;
    metrics_render(worker_of(exchange)->shared->metrics, &exchange->body);
    http_answer(exchange, 200, "text/plain; version=0.0.4; charset=utf-8",
                "Cache-Control: no-store\r\n");
    connection_send_answer(exchange->connection);
}

static void serve_snapshot(struct http_exchange *exchange, const struct route_match *match)
{
    struct worker *worker = worker_of(exchange);
    size_t symbol_index = (size_t)match->symbol_index;
    struct frame *newest = NULL;
    if (publisher_request(worker->shared->publisher, symbol_index, exchange->accepts_gzip))
        newest = publisher_newest(worker->shared->publisher, symbol_index);
    if (newest != NULL) {
        http_answer_frame(exchange, newest);
        frame_release(newest);
        connection_send_answer(exchange->connection);
        return;
    }
    hub_wait(&worker->hub, symbol_index, &exchange->waiter);
}

/* Reads the query into the question. False if an answer (400) was given. */
static bool read_parameters(struct http_exchange *exchange, struct slice query,
                            struct backend_request *question)
{
    bool is_valid = true;
    for (;;) {
        struct backend_parameter parameter;
        if (!http_query_next(&query, parameter.name, sizeof parameter.name, parameter.value,
                             sizeof parameter.value, &is_valid))
            return true;
        if (!is_valid || question->parameter_count == BACKEND_PARAMETERS_MAX)
            break;
        question->parameters[question->parameter_count++] = parameter;
    }
    send_error(exchange, 400, "INVALID_PARAMETER",
               is_valid ? "More than 8 parameters in the query"
                        : "A parameter of the query is too long or wrongly encoded");
    return false;
}

static void serve_websocket(struct http_exchange *exchange, const struct route_match *match)
{
    upgrade_answer(exchange, match->head, &request_protocol);
}

static void serve_echo(struct http_exchange *exchange, const struct route_match *match)
{
    if (worker_of(exchange)->shared->has_echo)
        upgrade_answer(exchange, match->head, &echo_protocol);
    else
        serve_nothing(exchange);
}

static void serve_question(struct http_exchange *exchange, const struct route_match *match)
{
    struct backend_request question = {.question = (enum backend_question)match->argument};
    if (match->symbol_index >= 0)
        strcpy(question.symbol,
               worker_of(exchange)->shared->config->symbols.names[match->symbol_index]);
    if (read_parameters(exchange, match->head->query, &question))
        ask_backend(exchange, &question);
}

/* -- static files ------------------------------------------------------------------------------ */

static void serve_asset(struct http_exchange *exchange, const struct page_asset *asset)
{
    struct buffer extra = {0};
    buffer_append_format(&extra, "ETag: %s\r\nCache-Control: %s\r\n", asset->etag,
                         asset->is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
    if (strncmp(asset->content_type, "text/html", 9) == 0)
        buffer_append_text(&extra, PAGE_POLICY);
    bool zips = exchange->accepts_gzip && asset->gzip_size > 0;
    if (strstr(exchange->if_none_match, asset->etag) != NULL)
        http_answer_not_modified(exchange, buffer_text(&extra));
    else
        http_answer_static(exchange, asset->content_type, zips ? asset->gzip : asset->plain,
                           zips ? asset->gzip_size : asset->plain_size, zips ? "gzip" : NULL,
                           buffer_text(&extra));
    buffer_deinit(&extra);
    connection_send_answer(exchange->connection);
}

static const struct page_asset *find_asset(struct slice path)
{
    for (size_t i = 0; i < page_asset_count; i++)
        if (slice_equals(path, page_assets[i].path))
            return &page_assets[i];
    return NULL;
}

/* -- the table --------------------------------------------------------------------------------- */

/* `*` in a pattern stands for a symbol of the whitelist. */
static const struct route {
    const char *pattern;
    void (*serve)(struct http_exchange *exchange, const struct route_match *match);
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

/* Whether the path fits the pattern; `*symbol` is what stands for its star, if it has one. */
static bool fits(const char *pattern, struct slice path, struct slice *symbol)
{
    *symbol = (struct slice){path.data, 0};
    const char *star = strchr(pattern, '*');
    if (star == NULL)
        return slice_equals(path, pattern);
    size_t before = (size_t)(star - pattern), after = strlen(star + 1);
    if (path.size <= before + after || memcmp(path.data, pattern, before) != 0 ||
        memcmp(path.data + path.size - after, star + 1, after) != 0)
        return false;
    *symbol = (struct slice){path.data + before, path.size - before - after};
    return memchr(symbol->data, '/', symbol->size) == NULL;
}

static void answer_unknown_symbol(struct http_exchange *exchange)
{
    const struct symbol_list *symbols = &worker_of(exchange)->shared->config->symbols;
    struct buffer message = {0};
    buffer_append_text(&message, "Symbol not supported. Valid: ");
    for (size_t i = 0; i < symbols->count; i++)
        buffer_append_format(&message, "%s%s", i > 0 ? ", " : "", symbols->names[i]);
    send_error(exchange, 404, "INVALID_SYMBOL", buffer_text(&message));
    buffer_deinit(&message);
}

static void serve_route(struct http_exchange *exchange, const struct route *route,
                        const struct http_head *head, struct slice symbol)
{
    struct route_match match = {.head = head, .symbol_index = -1, .argument = route->argument};
    if (symbol.size > 0) {
        match.symbol_index = symbol_list_find(&worker_of(exchange)->shared->config->symbols,
                                              symbol.data, symbol.size);
        if (match.symbol_index < 0) {
            answer_unknown_symbol(exchange);
            return;
        }
    }
    route->serve(exchange, &match);
}

void routes_dispatch(struct http_exchange *exchange, const struct http_head *head)
{
    if (!slice_equals(head->method, "GET") && !slice_equals(head->method, "HEAD")) {
        http_answer_error(exchange, 405, "METHOD_NOT_ALLOWED",
                          "Only GET and HEAD are answered here", "Allow: GET, HEAD\r\n");
        connection_send_answer(exchange->connection);
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
