/* The liquidations of a range, print by print, as collectors have stored them: what truly happened,
 * beside what the map expects. No model is run.
 *
 * A time without any may be one in which there were none, or one in which nobody recorded them;
 * `recorded_from` tells the two apart, as far as that can be known: nothing is told before it. */
#include "engine/question.h"

#include "base/decimal.h"
#include "base/iso_time.h"

/* What the answer is made of, while it grows. */
struct writing {
    const struct question *question;
    struct json json;
    double long_value, short_value;
    int64_t count;
    enum status status; /* not OK: what comes is left out */
    struct error error;
};

/* The newest liquidation may be later than the newest candle that has closed, or there may be
 * candles and no liquidation for long. */
static enum status find_newest(struct store_session *session, const char *symbol,
                               int64_t *newest_ms, struct error *error)
{
    struct store_extent extent;
    int64_t candle_ms = 0;
    enum status status = store_liquidations_extent(session, symbol, 0, 0, &extent, error);
    if (status != STATUS_OK)
        return status;
    status = store_newest(session, symbol, &candle_ms, error);
    if (status != STATUS_OK && (status != STATUS_NO_DATA || extent.newest_ms == STORE_NONE))
        return status;
    int64_t closed_ms = status == STATUS_OK ? candle_ms + CANDLE_MS - 1 : STORE_NONE;
    *newest_ms = closed_ms > extent.newest_ms ? closed_ms : extent.newest_ms;
    return STATUS_OK;
}

static enum status check_count(struct question *question, int64_t count, struct error *error)
{
    const struct window *window = &question->window;
    char start[ISO_TIME_SIZE];
    int64_t start_ms = 0;
    if (count <= HISTORY_LIQUIDATIONS_MAX)
        return STATUS_OK;
    enum status status =
        store_liquidations_fit(question->session, question->range->symbol, window->start_ms,
                               window->end_ms, HISTORY_LIQUIDATIONS_MAX, &start_ms, error);
    if (status != STATUS_OK)
        return status;
    iso_time_format(start_ms, start);
    error_set(error, STATUS_TOO_LARGE,
              "the range holds %lld liquidations, an answer %d at most; start=%s fits",
              (long long)count, HISTORY_LIQUIDATIONS_MAX, start);
    error_set_fit(error, "start", start);
    return STATUS_TOO_LARGE;
}

static void write_liquidation(const struct store_liquidation *row, void *context)
{
    struct writing *writing = context;
    struct json *json = &writing->json;
    if (writing->status != STATUS_OK)
        return;
    writing->status = stop_token_check(&writing->question->limits->stop, &writing->error);
    json_open_object(json);
    json_member_time(json, "time", row->time_ms);
    json_key(json, "exchange");
    json_text_of(json, row->exchange.data, row->exchange.size);
    json_member_text(json, "side", row->is_long ? "long" : "short");
    json_member_decimal(json, "price", row->price_e8);
    json_member_decimal(json, "quantity", row->quantity_e8);
    json_member_decimal(json, "value", row->value_e8);
    json_close_object(json);
    *(row->is_long ? &writing->long_value : &writing->short_value) += (double)row->value_e8 / 1e8;
    writing->count++;
}

static void write_meta(const struct question *question, const struct store_extent *extent,
                       struct writing *writing)
{
    struct json *json = &writing->json;
    json_key(json, "meta");
    json_open_object(json);
    json_member_text(json, "symbol", question->range->symbol);
    json_member_time(json, "start_time", question->window.start_ms);
    json_member_time(json, "end_time", question->window.end_ms);
    if (extent->oldest_ms != STORE_NONE)
        json_member_time(json, "recorded_from", extent->oldest_ms);
    else
        json_member_null(json, "recorded_from");
    json_member_integer(json, "count", writing->count);
    json_member_number(json, "long_value", writing->long_value);
    json_member_number(json, "short_value", writing->short_value);
    json_close_object(json);
}

static enum status answer(struct question *question, struct buffer *out, struct error *error)
{
    const struct window *window = &question->window;
    struct writing writing = {.question = question, .json = json_start(out)};
    struct store_extent extent;
    enum status status =
        store_liquidations_extent(question->session, question->range->symbol, window->start_ms,
                                  window->end_ms, &extent, error);
    if (status == STATUS_OK)
        status = check_count(question, extent.count, error);
    if (status != STATUS_OK)
        return status;
    json_open_object(&writing.json);
    json_key(&writing.json, "data");
    json_open_array(&writing.json);
    if (extent.count > 0)
        status =
            store_read_liquidations(question->session, question->range->symbol, window->start_ms,
                                    window->end_ms, write_liquidation, &writing, error);
    if (status == STATUS_OK && writing.status != STATUS_OK)
        status = error_set(error, writing.status, "%s", writing.error.message);
    json_close_array(&writing.json);
    write_meta(question, &extent, &writing);
    json_close_object(&writing.json);
    return status;
}

static const struct question_type type = {
    .name = "liquidations", .find_newest = find_newest, .answer = answer, .may_be_empty = true};

/* -- CSV --------------------------------------------------------------------------------------- */

/* Names of exchanges and ids hold neither commas nor quotes, or import would refuse them. */
static void write_line(const struct store_liquidation *row, void *context)
{
    struct writing *writing = context;
    struct buffer *out = writing->json.out;
    char time[ISO_TIME_SIZE];
    if (writing->status != STATUS_OK)
        return;
    writing->status = stop_token_check(&writing->question->limits->stop, &writing->error);
    buffer_append(out, row->exchange.data, row->exchange.size);
    buffer_append_format(out, ",%s,%s,%s,", writing->question->range->symbol,
                         iso_time_format(row->time_ms, time), row->is_long ? "long" : "short");
    decimal_append(out, row->price_e8);
    buffer_append_char(out, ',');
    decimal_append(out, row->quantity_e8);
    buffer_append_char(out, ',');
    decimal_append(out, row->value_e8);
    buffer_append_char(out, ',');
    buffer_append(out, row->id.data, row->id.size);
    buffer_append_char(out, '\n');
}

static enum status answer_csv(struct question *question, struct buffer *out, struct error *error)
{
    const struct window *window = &question->window;
    const char *symbol = question->range->symbol;
    struct writing writing = {.question = question, .json = {.out = out}};
    struct store_extent extent;
    enum status status = store_liquidations_extent(question->session, symbol, window->start_ms,
                                                   window->end_ms, &extent, error);
    if (status == STATUS_OK)
        status = check_count(question, extent.count, error);
    if (status != STATUS_OK)
        return status;
    buffer_append_text(out, "exchange,symbol,time,side,price,quantity,value,id\n");
    if (extent.count > 0)
        status = store_read_liquidations(question->session, symbol, window->start_ms,
                                         window->end_ms, write_line, &writing, error);
    if (status == STATUS_OK && writing.status != STATUS_OK)
        status = error_set(error, writing.status, "%s", writing.error.message);
    return status;
}

static const struct question_type type_csv = {.name = "liquidations as CSV",
                                              .find_newest = find_newest,
                                              .answer = answer_csv,
                                              .may_be_empty = true};

enum status history_liquidations(struct history *history, const struct range *range,
                                 const struct question_limits *limits, bool as_csv,
                                 struct buffer *out, struct error *error)
{
    struct range day = *range;
    enum status status = range_check_times_only(range, error);
    if (status != STATUS_OK)
        return status;
    if (day.window_ms == 0 && !day.has_start)
        day.window_ms = DAY_MS;
    return question_ask(history, as_csv ? &type_csv : &type, &day, limits, out, error);
}
