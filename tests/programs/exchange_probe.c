/* Runs what sources/collect knows of exchanges at the word of a test: reads commands, one JSON
 * object a line, from standard input, and writes what comes of each, one object a line, to standard
 * output. tests/support/exchange-probe.mjs speaks with it, and has the sockets.
 *
 *     {"do":"instrument","exchange":"okx","native":"X-USDT-SWAP","symbol":"XUSDT","contract":"0.1"}
 *     {"do":"ask","exchange":"okx","kind":"candles","native":...,"now":...,"start":...,"end":...}
 *     {"do":"answer","status":200,"text":"...","headers":{"date":"..."},"now":...}  to that
 * question
 *     {"do":"subscribe","exchange":"okx","kind":"candles","natives":[...]}
 *     {"do":"message","exchange":"okx","text":"...","now":...,"since":...} */
#include "base/check.h"
#include "base/decimal.h"
#include "base/json.h"
#include "sources/collect/exchange.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INSTRUMENTS_MAX = 64, TOLERANCE_MS = 5000 };

struct known {
    struct exchange_instrument instrument; /* first, so that it can be found again by it */
    enum exchange_id exchange;
};

struct probe {
    struct known known[INSTRUMENTS_MAX];
    size_t known_count;
    enum exchange_id exchange; /* of the command at hand */
    struct exchange_query query;
    struct exchange_request request;
    char cursor[EXCHANGE_CURSOR_SIZE];
    struct json json; /* the line that is written */
};

/* -- members of a command ---------------------------------------------------------------------- */

static const char *text_of(const json_t *command, const char *key)
{
    const char *text = json_string_value(json_object_get(command, key));
    return text != NULL ? text : "";
}

static int64_t number_of(const json_t *command, const char *key)
{
    return json_integer_value(json_object_get(command, key));
}

static enum exchange_id exchange_of(const json_t *command)
{
    struct exchange_list list;
    check(exchange_list_parse(text_of(command, "exchange"), &list, NULL) == STATUS_OK);
    return list.ids[0];
}

static int index_in(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    check(false && "a word that the probe does not know");
    return -1;
}

static const struct exchange_instrument *find_instrument(const char *native, void *context)
{
    struct probe *probe = context;
    for (size_t i = 0; i < probe->known_count; i++)
        if (probe->known[i].exchange == probe->exchange &&
            strcmp(probe->known[i].instrument.native, native) == 0)
            return &probe->known[i].instrument;
    return NULL;
}

/* -- rows -------------------------------------------------------------------------------------- */

static void member_figure(struct json *json, const char *key, bool is_known, int64_t value_e8)
{
    struct buffer text = {0};
    if (!is_known) {
        json_member_null(json, key);
        return;
    }
    decimal_append(&text, value_e8);
    json_member_text(json, key, buffer_text(&text));
    buffer_deinit(&text);
}

static struct json *begin_row(struct probe *probe, const char *kind, const char *symbol)
{
    json_open_object(&probe->json);
    json_member_text(&probe->json, "row", kind);
    json_member_text(&probe->json, "symbol", symbol);
    return &probe->json;
}

static void on_instrument(const struct exchange_instrument *instrument, void *context)
{
    struct json *json = begin_row(context, "instrument", instrument->native);
    member_figure(json, "contract", instrument->contract_e8 > 0, instrument->contract_e8);
    json_member_integer(json, "listed", instrument->listed_ms);
    json_member_bool(json, "isTrading", instrument->is_trading);
    json_close_object(json);
}

static void on_candle(const struct exchange_instrument *instrument, const struct kline_row *row,
                      bool is_closed, void *context)
{
    struct json *json = begin_row(context, "candle", instrument->symbol);
    json_member_integer(json, "time", row->candle.open_time_ms);
    member_figure(json, "open", true, row->candle.open_e8);
    member_figure(json, "high", true, row->candle.high_e8);
    member_figure(json, "low", true, row->candle.low_e8);
    member_figure(json, "close", true, row->candle.close_e8);
    member_figure(json, "volume", row->volume_e8 >= 0, row->volume_e8);
    member_figure(json, "quoteVolume", row->has_quote_volume, row->quote_volume_e8);
    json_member_bool(json, "isClosed", is_closed);
    json_close_object(json);
}

static void on_interest(const struct exchange_instrument *instrument,
                        const struct exchange_interest *interest, void *context)
{
    struct json *json = begin_row(context, "interest", instrument->symbol);
    json_member_integer(json, "time", interest->time_ms);
    json_member_bool(json, "isLabel", interest->is_label);
    member_figure(json, "contracts", interest->has_contracts, interest->contracts_e8);
    member_figure(json, "value", interest->has_value, interest->value_e8);
    json_close_object(json);
}

static void on_liquidation(const struct exchange_instrument *instrument,
                           const struct exchange_liquidation *row, void *context)
{
    struct json *json = begin_row(context, "liquidation", instrument->symbol);
    json_member_integer(json, "time", row->time_ms);
    json_member_text(json, "side", row->is_long ? "long" : "short");
    member_figure(json, "price", true, row->price_e8);
    member_figure(json, "quantity", row->has_quantity, row->quantity_e8);
    member_figure(json, "value", true, row->value_e8);
    json_close_object(json);
}

static void on_price(const struct exchange_instrument *instrument, int64_t time_ms,
                     int64_t price_e8, void *context)
{
    struct json *json = begin_row(context, "price", instrument->symbol);
    json_member_integer(json, "time", time_ms);
    member_figure(json, "price", true, price_e8);
    json_close_object(json);
}

static void on_refused(const struct exchange_instrument *instrument, enum exchange_row_kind kind,
                       const char *why, void *context)
{
    (void)kind;
    struct json *json =
        begin_row(context, "refused", instrument != NULL ? instrument->symbol : "?");
    json_member_text(json, "why", why);
    json_close_object(json);
}

static struct exchange_sink sink_of(struct probe *probe, const json_t *command)
{
    return (struct exchange_sink){
        .context = probe,
        .now_ms = number_of(command, "now"),
        .tolerance_ms = TOLERANCE_MS,
        .subscribed_ms = number_of(command, "since"),
        .find_instrument = find_instrument,
        .on_instrument = on_instrument,
        .on_candle = on_candle,
        .on_interest = on_interest,
        .on_liquidation = on_liquidation,
        .on_price = on_price,
        .on_refused = on_refused,
    };
}

/* -- commands ---------------------------------------------------------------------------------- */

static void add_instrument(struct probe *probe, const json_t *command)
{
    check(probe->known_count < INSTRUMENTS_MAX);
    struct known *known = &probe->known[probe->known_count++];
    const char *contract = text_of(command, "contract");
    known->exchange = probe->exchange;
    known->instrument.bundle_digits = (int)number_of(command, "bundle");
    known->instrument.contract_e8 = DECIMAL_ONE;
    check(slice_copy(slice_of(text_of(command, "native")), known->instrument.native,
                     EXCHANGE_NATIVE_SIZE));
    check(slice_copy(slice_of(text_of(command, "symbol")), known->instrument.symbol, SYMBOL_SIZE));
    if (contract[0] != '\0')
        check(decimal_parse(contract, strlen(contract), &known->instrument.contract_e8));
}

static void write_request(struct probe *probe, const struct exchange_api *api)
{
    struct json *json = &probe->json;
    bool is_asked = exchange_request_build(api, &probe->query, &probe->request);
    json_member_bool(json, "isAsked", is_asked);
    if (!is_asked)
        return;
    const struct exchange_request *request = &probe->request;
    json_member_text(json, "path", request->path);
    json_member_text(json, "body", request->body);
    json_member_text(json, "budget", api->budgets[request->budget].name);
    json_member_integer(json, "weight", request->weight);
    json_member_integer(json, "start", request->start_ms);
    json_member_integer(json, "end", request->end_ms);
}

static void ask(struct probe *probe, const struct exchange_api *api, const json_t *command)
{
    static const char *const kinds[] = {"instruments", "candles", "history", "now"};
    const char *cursor = text_of(command, "cursor");
    probe->query = (struct exchange_query){
        .kind = (enum exchange_request_kind)index_in(kinds, EXCHANGE_REQUEST_KIND_COUNT,
                                                     text_of(command, "kind")),
        .now_ms = number_of(command, "now"),
        .start_ms = number_of(command, "start"),
        .end_ms = number_of(command, "end"),
        .is_newest_first = json_is_true(json_object_get(command, "newest")),
    };
    if (!api->offers[probe->query.kind].is_for_all)
        probe->query.instrument = find_instrument(text_of(command, "native"), probe);
    if (cursor[0] != '\0') {
        check(slice_copy(slice_of(cursor), probe->cursor, sizeof probe->cursor));
        probe->query.cursor = probe->cursor;
    }
    write_request(probe, api);
}

static const char *find_header(const char *name, void *context)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)context, key, value)
    {
        if (slice_equals_ignoring_case(slice_of(key), name))
            return json_string_value(value);
    }
    return NULL;
}

static void write_outcome(struct json *json, const struct exchange_verdict *verdict,
                          const struct exchange_counts *rows, int64_t server_ms)
{
    json_member_text(json, "verdict", exchange_verdict_name(verdict->kind));
    json_member_integer(json, "until", verdict->until_ms);
    json_member_text(json, "message", verdict->message);
    json_member_integer(json, "taken", (int64_t)rows->taken);
    json_member_integer(json, "refused", (int64_t)rows->refused);
    json_member_integer(json, "outside", (int64_t)rows->outside);
    json_member_integer(json, "server", server_ms);
}

static void answer(struct probe *probe, const struct exchange_api *api, const json_t *command)
{
    const json_t *text = json_object_get(command, "text");
    json_t *headers = json_object_get(command, "headers");
    const char *retry = headers != NULL ? find_header("retry-after", headers) : NULL;
    struct exchange_response response = {
        .status = (int)number_of(command, "status"),
        .body = json_string_value(text),
        .body_size = json_string_length(text),
        .retry_after_seconds = retry != NULL ? atoll(retry) : -1,
        .find_header = find_header,
        .context = headers,
    };
    struct exchange_sink sink = sink_of(probe, command);
    struct exchange_answer outcome;
    json_key(&probe->json, "rows");
    json_open_array(&probe->json);
    exchange_answer_read(api, &probe->query, &probe->request, &response, &sink, &outcome);
    json_close_array(&probe->json);
    write_outcome(&probe->json, &outcome.verdict, &outcome.rows, outcome.server_ms);
    json_member_integer(&probe->json, "usedWeight", outcome.used_weight);
    json_member_text(&probe->json, "cursor", outcome.cursor);
}

static void subscribe(struct probe *probe, const struct exchange_api *api, const json_t *command)
{
    static const char *const kinds[] = {"candles", "liquidations", "ticker"};
    struct exchange_subscription wanted[INSTRUMENTS_MAX];
    const json_t *natives = json_object_get(command, "natives");
    enum exchange_stream_kind kind = (enum exchange_stream_kind)index_in(
        kinds, EXCHANGE_STREAM_KIND_COUNT, text_of(command, "kind"));
    const struct exchange_stream *stream = &api->streams[kind];
    size_t count = stream->is_for_all ? 1 : json_array_size(natives), done = 0;
    for (size_t i = 0; i < count; i++) {
        const char *native = json_string_value(json_array_get(natives, i));
        wanted[i] = (struct exchange_subscription){
            kind, stream->is_for_all ? NULL : find_instrument(native, probe)};
    }
    if (stream->path == NULL)
        count = 0;
    else
        json_member_text(&probe->json, "path", stream->path);
    json_member_text(&probe->json, "ping", api->socket.ping != NULL ? api->socket.ping : "");
    json_key(&probe->json, "texts");
    json_open_array(&probe->json);
    while (done < count) {
        struct buffer text = {0};
        done += exchange_subscribe(api, wanted + done, count - done, false, done + 1, &text);
        json_text_of(&probe->json, text.data, text.size);
        buffer_deinit(&text);
    }
    json_close_array(&probe->json);
}

static void message(struct probe *probe, const struct exchange_api *api, const json_t *command)
{
    static const char *const kinds[] = {
        [EXCHANGE_MESSAGE_ROWS] = "rows",   [EXCHANGE_MESSAGE_ACKNOWLEDGED] = "acknowledged",
        [EXCHANGE_MESSAGE_PONG] = "pong",   [EXCHANGE_MESSAGE_GREETING] = "greeting",
        [EXCHANGE_MESSAGE_FAULT] = "fault", [EXCHANGE_MESSAGE_CLOSING] = "closing",
        [EXCHANGE_MESSAGE_OTHER] = "other",
    };
    const json_t *text = json_object_get(command, "text");
    struct exchange_sink sink = sink_of(probe, command);
    struct exchange_message outcome;
    json_key(&probe->json, "rows");
    json_open_array(&probe->json);
    exchange_message_read(api, json_string_value(text), json_string_length(text), &sink, &outcome);
    json_close_array(&probe->json);
    json_member_text(&probe->json, "kind", kinds[outcome.kind]);
    write_outcome(&probe->json, &outcome.verdict, &outcome.rows, outcome.server_ms);
}

static void run(struct probe *probe, const json_t *command)
{
    const char *verb = text_of(command, "do");
    struct buffer out = {0};
    if (strcmp(verb, "answer") != 0)
        probe->exchange = exchange_of(command);
    const struct exchange_api *api = exchange_api_of(probe->exchange);
    probe->json = json_start(&out);
    json_open_object(&probe->json);
    if (strcmp(verb, "instrument") == 0)
        add_instrument(probe, command);
    else if (strcmp(verb, "ask") == 0)
        ask(probe, api, command);
    else if (strcmp(verb, "answer") == 0)
        answer(probe, api, command);
    else if (strcmp(verb, "subscribe") == 0)
        subscribe(probe, api, command);
    else
        message(probe, api, command);
    json_close_object(&probe->json);
    buffer_append_char(&out, '\n');
    fwrite(out.data, 1, out.size, stdout);
    fflush(stdout);
    buffer_deinit(&out);
}

int main(void)
{
    static struct probe probe;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    while ((size = getline(&line, &capacity, stdin)) > 0) {
        json_t *command = json_loadb(line, (size_t)size, JSON_ALLOW_NUL, NULL);
        check(command != NULL);
        run(&probe, command);
        json_decref(command);
    }
    free(line);
    return 0;
}
