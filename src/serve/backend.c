/* The network side knows questions, not what answers them. Here they reach the database: the
 * symbols and their newest candles, the readiness, and what engine/history.h computes of the past.
 *
 * A question about the past is read twice: on the loop that was asked, to refuse what is wrong at
 * once and to find the text by which equal ones are known; and on the thread that computes the
 * answer. That costs microseconds, and a text that had to be read back would have to be exact as
 * well as readable.
 *
 * A relay has no database. It answers what it can from the snapshots that it has received, and says
 * of the rest that it cannot. */
#include "serve/backend.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "model/bucket.h"
#include "net/fault.h"
#include "serve/collecting.h"
#include "serve/readiness.h"
#include "serve/server_internal.h"

#include <stdlib.h>

#define RELAY_HAS_NO_DATABASE                                                                      \
    "this server is a relay and has no database: ask one that has (CLUSTER_ROLE)"
#define LIVE_AGE_MAX_MS (3 * CANDLE_MS) /* a symbol is live while its newest candle is younger */

enum { STALE_CLOSES_MAX = 64 }; /* closes of old candles that are looked up for one answer */

/* -- symbols ----------------------------------------------------------------------------------- */

/* What is known of the symbols' newest candles. */
struct newest_candles {
    const struct symbol_list *symbols;
    struct newest_candle {
        int64_t open_time_ms; /* 0: there is none */
        int64_t close_e8;     /* 0: not known */
    } * of;                   /* by symbol */
};

static void on_newest(const struct store_newest *newest, void *context)
{
    struct newest_candles *candles = context;
    int index = symbol_list_find(candles->symbols, newest->symbol.data, newest->symbol.size);
    if (index >= 0)
        candles->of[index] = (struct newest_candle){newest->open_time_ms, newest->close_e8};
}

static int64_t read_close(struct store_session *session, const char *symbol, int64_t open_time_ms)
{
    struct series series = {0};
    int64_t close_e8 = 0;
    if (store_load(session, symbol, open_time_ms, open_time_ms, CANDLE_MS, &series, NULL) ==
            STATUS_OK &&
        series.count > 0)
        close_e8 = series_last(&series)->close_e8;
    series_deinit(&series);
    return close_e8;
}

/* One query for all symbols, over the last day that there is anything of: the generator has told
 * how new each symbol's data are, if it has found out yet. Those without anything so new, which are
 * few, have what it has told. */
static enum status find_newest(struct server *server, struct store_session *session,
                               struct newest_candles *candles, struct error *error)
{
    const size_t count = candles->symbols->count;
    int64_t newest_ms = 0, closes_left = STALE_CLOSES_MAX;
    for (size_t i = 0; i < count; i++) {
        candles->of[i].open_time_ms = publisher_data_time_ms(server->publisher, i);
        if (candles->of[i].open_time_ms > newest_ms)
            newest_ms = candles->of[i].open_time_ms;
    }
    int64_t since_ms = newest_ms > DAY_MS ? newest_ms - DAY_MS : 0;
    if (session == NULL)
        return STATUS_OK;
    enum status status = store_newest_all(session, since_ms, true, on_newest, candles, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct newest_candle *candle = &candles->of[i];
        if (candle->open_time_ms != 0 && candle->close_e8 == 0 && closes_left-- > 0)
            candle->close_e8 =
                read_close(session, candles->symbols->names[i], candle->open_time_ms);
    }
    return status;
}

static void append_symbol(struct server *server, size_t index, const struct newest_candle *newest,
                          const struct source_reading *readings, size_t reading_count,
                          struct json *json)
{
    const char *symbol = server->config->symbols.names[index];
    int64_t bucket_e8 = bucket_map_find(&server->config->heatmap_buckets, symbol);
    const bool has_data = newest->open_time_ms != 0;
    if (bucket_e8 == 0 && newest->close_e8 > 0)
        bucket_e8 = bucket_default(symbol, newest->close_e8);
    json_open_object(json);
    json_member_text(json, "symbol", symbol);
    if (has_data)
        json_member_time(json, "newest", newest->open_time_ms);
    else
        json_member_null(json, "newest");
    if (bucket_e8 > 0)
        json_member_decimal(json, "bucket", bucket_e8);
    else
        json_member_null(json, "bucket");
    json_member_bool(json, "live",
                     has_data && server_now_ms(server) - newest->open_time_ms < LIVE_AGE_MAX_MS);
    collecting_append_streams(readings, reading_count, index, json);
    json_close_object(json);
}

static enum status open_session(struct server *server, struct store_session **session,
                                struct error *error)
{
    if (role_is_relay(server->config))
        return error_set(error, STATUS_UNREACHABLE, RELAY_HAS_NO_DATABASE);
    return store_begin(server->store, session, error);
}

static void append_replay(const struct server *server, struct json *json)
{
    const struct replay *replay = server->replay;
    if (replay == NULL)
        return;
    json_key(json, "replay");
    json_open_object(json);
    json_member_time(json, "from", replay->from_ms);
    json_member_time(json, "to", replay->end_ms);
    json_member_time(json, "now", replay_now_ms(replay) / 1000 * 1000);
    json_member_number(json, "speed", replay->speed);
    json_close_object(json);
}

/* The whitelist is known even where the database cannot be read; then the answer says why. */
static enum status answer_symbols(struct server *server, struct buffer *out)
{
    struct error error;
    struct store_session *session = NULL;
    const struct symbol_list *symbols = &server->config->symbols;
    struct newest_candles candles = {
        .symbols = symbols, .of = memory_allocate_zeroed(symbols->count, sizeof *candles.of)};
    enum status status = open_session(server, &session, &error);
    enum status found = find_newest(server, session, &candles, &error);
    if (status == STATUS_OK)
        status = found;
    size_t reading_count;
    struct source_reading *readings = collecting_read(server, &reading_count);
    struct json json = json_start(out);
    json_open_object(&json);
    json_key(&json, "symbols");
    json_open_array(&json);
    for (size_t i = 0; i < symbols->count; i++)
        append_symbol(server, i, &candles.of[i], readings, reading_count, &json);
    json_close_array(&json);
    free(readings);
    store_end(session);
    free(candles.of);
    json_member_bool(&json, "simulated", server->is_demo);
    append_replay(server, &json);
    json_member_text(&json, "version", HEATCAST_VERSION);
    json_member_text(&json, "database",
                     status == STATUS_OK            ? "ok"
                     : status == STATUS_UNREACHABLE ? error.message
                                                    : fault_text(status));
    json_close_object(&json);
    return STATUS_OK;
}

/* -- the past ---------------------------------------------------------------------------------- */

static enum status read_range(const struct backend_request *request, struct range *range,
                              struct error *error)
{
    *range = (struct range){0};
    memcpy(range->symbol, request->symbol, sizeof range->symbol);
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct backend_parameter *parameter = &request->parameters[i];
        enum status status = range_set(range, parameter->name, parameter->value, error);
        if (status == STATUS_NOT_FOUND)
            return error_set(error, STATUS_INVALID,
                             "there is no parameter '%s' (" RANGE_PARAMETERS ")", parameter->name);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Counted from now: how long a question waits for a thread is not its own doing. */
static struct question_limits limits_of(const struct server *server,
                                        const struct question_control *control)
{
    const struct config *config = server->config;
    return (struct question_limits){
        .stop = {.is_cancelled = &control->is_cancelled,
                 .deadline_ns =
                     clock_monotonic_ns() + (uint64_t)(config->question_seconds_max * 1e9)},
        .candles_max = config->question_candles_max,
        .answer_bytes_max = config->answer_bytes_max,
        .memory_bytes_max = config->question_memory_max,
    };
}

static enum status answer_past(struct server *server, const struct backend_request *request,
                               const struct question_control *control, struct buffer *out,
                               struct error *error)
{
    struct range range;
    const struct question_limits limits = limits_of(server, control);
    enum status status = read_range(request, &range, error);
    if (status != STATUS_OK)
        return status;
    if (request->kind == QUESTION_HISTORY)
        return history_run(server->history, &range, &limits, out, error);
    if (request->kind == QUESTION_GRID)
        return history_grid(server->history, &range, &limits, out, error);
    if (request->kind == QUESTION_LIQUIDATIONS)
        return history_liquidations(server->history, &range, &limits, false, out, error);
    if (request->kind == QUESTION_LIQUIDATIONS_CSV)
        return history_liquidations(server->history, &range, &limits, true, out, error);
    if (request->kind == QUESTION_SCORE)
        return history_score(server->history, &range, &limits, out, error);
    return history_candles(server->history, &range, &limits, out, error);
}

/* -- the interface ----------------------------------------------------------------------------- */

static enum status canonicalize(void *context, const struct backend_request *request,
                                struct buffer *canonical, struct error *error)
{
    const struct server *server = context;
    struct range range;
    if (question_is_short(request->kind))
        return STATUS_OK; /* its kind says it all */
    if (role_is_relay(server->config))
        return error_set(error, STATUS_UNREACHABLE, RELAY_HAS_NO_DATABASE);
    enum status status = read_range(request, &range, error);
    if (status == STATUS_OK)
        status = range_check(&range, error);
    if (status == STATUS_OK &&
        (request->kind == QUESTION_LIQUIDATIONS || request->kind == QUESTION_LIQUIDATIONS_CSV))
        status = range_check_times_only(&range, error);
    else if (status == STATUS_OK && request->kind == QUESTION_SCORE)
        status = range_check_five_minutes(&range, error);
    else if (status == STATUS_OK && request->kind != QUESTION_GRID)
        status = range_check_no_part(&range, error);
    if (status == STATUS_OK)
        range_append_canonical(canonical, &range);
    return status;
}

static enum status answer(void *context, const struct backend_request *request,
                          const struct question_control *control, struct buffer *out,
                          struct error *error)
{
    struct server *server = context;
    switch (request->kind) {
    case QUESTION_SYMBOLS:
        return answer_symbols(server, out);
    case QUESTION_READY:
        return readiness_append_json(server, out, error);
    case QUESTION_HISTORY:
    case QUESTION_GRID:
    case QUESTION_CANDLES:
    case QUESTION_LIQUIDATIONS:
    case QUESTION_LIQUIDATIONS_CSV:
    case QUESTION_SCORE:
        return answer_past(server, request, control, out, error);
    case QUESTION_METRICS:
        break;
    }
    check(!"a question that is not for the backend");
    return STATUS_INVALID;
}

/* Answers about the past depend on the database, and on settings that do not change. */
static bool find_version(void *context, uint64_t *version)
{
    const struct server *server = context;
    return !role_is_relay(server->config) &&
           store_version(server->store, version, NULL) == STATUS_OK;
}

static int64_t find_time(void *context)
{
    return server_now_ms(context);
}

struct backend backend_of(struct server *server)
{
    return (struct backend){.context = server,
                            .canonicalize = canonicalize,
                            .answer = answer,
                            .version = find_version,
                            .now_ms = find_time};
}
