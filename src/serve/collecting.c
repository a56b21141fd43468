/* The collector knows no generator: what it hears is handed over here. What it tells of itself is a
 * list of readings, one a stream (a series of a symbol on an exchange), from which /readyz names
 * those that are not well, /api/v1/symbols each with its symbol, and the metrics all.
 *
 * A stream that fails does not make the server unready: it serves what it has, and says how old
 * that is. */
#include "serve/collecting.h"

#include "base/check.h"
#include "base/decimal.h"
#include "serve/prints.h"
#include "sources/collect/collector.h"

#include <stdlib.h>

#define STOP_TIMEOUT_MS 2500 /* for what waits to be written: half of STOPPING_TIMEOUT_MS */

static const char *const stream_names[SOURCE_STREAM_COUNT] = {
    [SOURCE_CANDLES] = "candles",
    [SOURCE_INTEREST] = "open_interest",
    [SOURCE_LIQUIDATIONS] = "liquidations",
};

static const char *const state_names[SOURCE_STATE_COUNT] = {
    [SOURCE_LIVE] = "live",       [SOURCE_POLLED] = "polled",     [SOURCE_STARTING] = "starting",
    [SOURCE_FILLING] = "filling", [SOURCE_FAILING] = "failing",   [SOURCE_REFUSED] = "refused",
    [SOURCE_BLOCKED] = "blocked", [SOURCE_UNKNOWN] = "no_symbol", [SOURCE_FOREIGN] = "other_market",
};

static bool is_well(enum source_state state)
{
    return state <= SOURCE_FILLING;
}

/* -- the feed (collector's thread) ------------------------------------------------------------- */

static void on_candle(size_t symbol_index, const struct candle *candle, bool is_closed,
                      void *context)
{
    const struct server *server = context;
    generator_feed_candle(server->role.generator, symbol_index, candle, is_closed);
}

static void on_interest(size_t symbol_index, const struct interest *interest, void *context)
{
    const struct server *server = context;
    generator_feed_interest(server->role.generator, symbol_index, interest);
}

static void on_liquidation(size_t symbol_index, const struct liquidation_row *row, void *context)
{
    prints_publish(context, symbol_index, row);
}

enum status collecting_start(struct server *server, struct error *error)
{
    return collector_start(
        &(struct collector_options){
            .config = server->config,
            .store = server->store,
            .stop_timeout_ms = STOP_TIMEOUT_MS,
            .feed = {.on_candle = on_candle,
                     .on_interest = on_interest,
                     .on_liquidation = on_liquidation,
                     .context = server},
        },
        &server->source, error);
}

/* -- JSON -------------------------------------------------------------------------------------- */

struct source_reading *collecting_read(struct server *server, size_t *count)
{
    size_t most = source_read(server->source, NULL, 0);
    *count = 0;
    if (most == 0)
        return NULL;
    struct source_reading *readings = memory_allocate_zeroed(most, sizeof *readings);
    size_t now = source_read(server->source, readings, most);
    *count = now < most ? now : most;
    return readings;
}

static void append_reading(const struct source_reading *reading, struct json *json)
{
    json_open_object(json);
    json_member_text(json, "exchange", reading->exchange);
    json_member_text(json, "stream", stream_names[reading->stream]);
    json_member_text(json, "state", state_names[reading->state]);
    if (reading->newest_ms > 0)
        json_member_time(json, "newest", reading->newest_ms);
    else
        json_member_null(json, "newest");
    json_member_integer(json, "taken", (int64_t)reading->taken);
    json_member_integer(json, "refused", (int64_t)reading->refused);
    json_member_integer(json, "missing", (int64_t)reading->missing);
    if (reading->fault[0] != '\0')
        json_member_text(json, "error", reading->fault);
    if (reading->next_try_ms > 0)
        json_member_number(json, "next_try_seconds", (double)reading->next_try_ms / 1000);
}

void collecting_append_streams(const struct source_reading *readings, size_t count,
                               size_t symbol_index, struct json *json)
{
    if (count == 0)
        return;
    json_key(json, "streams");
    json_open_array(json);
    for (size_t i = 0; i < count; i++) {
        if (readings[i].symbol_index != symbol_index)
            continue;
        append_reading(&readings[i], json);
        json_close_object(json);
    }
    json_close_array(json);
}

static void append_unwell(const struct server *server, const struct source_reading *readings,
                          size_t count, struct json *json)
{
    size_t unwell = 0;
    json_key(json, "not_well");
    json_open_array(json);
    for (size_t i = 0; i < count; i++) {
        if (is_well(readings[i].state) || unwell++ >= COLLECTING_NAMED_MAX)
            continue;
        append_reading(&readings[i], json);
        json_member_text(json, "symbol", server->config->symbols.names[readings[i].symbol_index]);
        json_close_object(json);
    }
    json_close_array(json);
    json_member_integer(json, "not_well_count", (int64_t)unwell);
}

static void append_backlog(const struct source_backlog *backlog, struct json *json)
{
    json_key(json, "writing");
    json_open_object(json);
    json_member_integer(json, "rows_waiting", (int64_t)backlog->waiting_rows);
    json_member_number(json, "seconds_waiting", (double)backlog->waiting_ms / 1000);
    json_member_integer(json, "rows_lost", (int64_t)backlog->lost_rows);
    if (backlog->fault.status != STATUS_OK)
        json_member_text(json, "error", backlog->fault.message);
    json_close_object(json);
}

void collecting_append_json(struct server *server, struct json *json)
{
    size_t count;
    uint64_t missing = 0;
    struct source_backlog backlog;
    struct source_reading *readings = collecting_read(server, &count);
    if (!server->is_collecting || !source_read_backlog(server->source, &backlog)) {
        free(readings);
        return;
    }
    for (size_t i = 0; i < count; i++)
        missing += readings[i].missing;
    json_key(json, "collect");
    json_open_object(json);
    json_member_integer(json, "rows_missing", (int64_t)missing);
    append_backlog(&backlog, json);
    append_unwell(server, readings, count, json);
    json_close_object(json);
    free(readings);
}

/* -- metrics ----------------------------------------------------------------------------------- */

static void sample(struct buffer *out, const char *name, const struct server *server,
                   const struct source_reading *reading, const char *more, double number)
{
    buffer_append_format(out, "%s{exchange=\"%s\",symbol=\"%s\",stream=\"%s\"%s} ", name,
                         reading->exchange, server->config->symbols.names[reading->symbol_index],
                         stream_names[reading->stream], more);
    decimal_append_double(out, number);
    buffer_append_char(out, '\n');
}

static void collect_backlog(struct buffer *out, const struct server *server)
{
    struct source_backlog backlog;
    if (!source_read_backlog(server->source, &backlog))
        return;
    metrics_family(out, "heatcast_collect_waiting_rows", "gauge",
                   "Collected rows that are not written to the database yet.");
    metrics_sample(out, "heatcast_collect_waiting_rows", (double)backlog.waiting_rows);
    metrics_family(out, "heatcast_collect_waiting_seconds", "gauge",
                   "How long the oldest of them has waited.");
    metrics_sample(out, "heatcast_collect_waiting_seconds", (double)backlog.waiting_ms / 1000);
    metrics_family(out, "heatcast_collect_lost_rows_total", "counter",
                   "Collected rows that were dropped because too many waited to be written.");
    metrics_sample(out, "heatcast_collect_lost_rows_total", (double)backlog.lost_rows);
}

static void collect_streams(struct buffer *out, const struct server *server,
                            const struct source_reading *readings, size_t count)
{
    static const char up[] = "heatcast_collect_up", age[] = "heatcast_collect_age_seconds",
                      rows[] = "heatcast_collect_rows_total",
                      missing[] = "heatcast_collect_missing_rows",
                      next[] = "heatcast_collect_next_try_seconds";
    metrics_family(out, up, "gauge",
                   "Whether the stream comes, or is asked for, without failures.");
    for (size_t i = 0; i < count; i++)
        sample(out, up, server, &readings[i], "", is_well(readings[i].state));
    metrics_family(out, age, "gauge", "Age of the stream's newest final row.");
    for (size_t i = 0; i < count; i++)
        if (readings[i].age_ms >= 0)
            sample(out, age, server, &readings[i], "", (double)readings[i].age_ms / 1000);
    metrics_family(out, missing, "gauge", "Rows that are to be fetched.");
    for (size_t i = 0; i < count; i++)
        sample(out, missing, server, &readings[i], "", (double)readings[i].missing);
    metrics_family(out, next, "gauge",
                   "Until what failed of the stream is tried again; 0: nothing waits.");
    for (size_t i = 0; i < count; i++)
        sample(out, next, server, &readings[i], "", (double)readings[i].next_try_ms / 1000);
    metrics_family(out, rows, "counter", "Final rows since the start, by what became of them.");
    for (size_t i = 0; i < count; i++) {
        sample(out, rows, server, &readings[i], ",result=\"taken\"", (double)readings[i].taken);
        sample(out, rows, server, &readings[i], ",result=\"refused\"", (double)readings[i].refused);
    }
}

void collecting_collect_metrics(struct buffer *out, void *context)
{
    struct server *server = context;
    size_t count;
    if (!server->is_collecting)
        return;
    struct source_reading *readings = collecting_read(server, &count);
    collect_backlog(out, server);
    collect_streams(out, server, readings, count);
    free(readings);
}
