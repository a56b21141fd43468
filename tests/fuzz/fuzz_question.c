/* Questions about the past, from the text of a request to the answer, on a small database that is
 * made once. The input is "history", "candles" or "grid", a symbol, and the query of a URL behind a
 * question mark; a number before it makes the allocation of that number fail. Whatever is asked,
 * the answer is JSON within its limits, or a refusal that says why. */
#include "fuzz.h"

#include "base/memory.h"
#include "engine/history.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { CANDLES = 400, PARAMETERS_MAX = 10, ANSWER_BYTES_MAX = 300000, MEMORY_BYTES_MAX = 2000000 };

#define START_MS INT64_C(1764547200000) /* 2025-12-01 */

static char folder[] = "/tmp/heatcast-fuzz-XXXXXX";
static struct store *store;
static struct history *history;

/* -- the database ------------------------------------------------------------------------------ */

static void remove_database(void)
{
    char path[sizeof folder + 32];
    static const char *const names[] = {"/q.duckdb", "/q.duckdb.wal", ""};
    history_destroy(history);
    store_close(store);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", folder, names[i]);
        remove(path);
    }
}

static void write_market(struct store_session *session, const char *symbol, int64_t price_e8)
{
    for (int i = 0; i < CANDLES; i++) {
        int64_t close_e8 = price_e8 + price_e8 / 1000 * (i * 7919 % 13 - 6);
        struct kline_row row = {
            .candle = {START_MS + i * CANDLE_MS, price_e8, price_e8 * 2, price_e8 / 2, close_e8, 1},
            .close_time_ms = START_MS + (i + 1) * CANDLE_MS - 1,
        };
        struct interest_row interest = {.timestamp_ms = row.candle.open_time_ms,
                                        .value_e8 = INT64_C(100000000000000) +
                                                    i * INT64_C(20000000000) * (i % 50)};
        row.candle.high_e8 = (price_e8 > close_e8 ? price_e8 : close_e8) + price_e8 / 500;
        row.candle.low_e8 = (price_e8 < close_e8 ? price_e8 : close_e8) - price_e8 / 500;
        price_e8 = close_e8;
        snprintf(row.symbol, sizeof row.symbol, "%s", symbol);
        snprintf(interest.symbol, sizeof interest.symbol, "%s", symbol);
        check(store_write_kline(session, &row, NULL) == STATUS_OK);
        check(store_write_interest(session, &interest, NULL) == STATUS_OK);
    }
}

static void make_database(void)
{
    static struct model_settings settings = {.lookback_ms = DAY_MS};
    static const struct bucket_map buckets;
    char path[sizeof folder + 32];
    struct store_session *session;
    check(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/q.duckdb", folder);
    check(store_open(path, STORE_OWNER, &store, NULL) == STATUS_OK);
    check(store_begin(store, &session, NULL) == STATUS_OK);
    check(store_write_begin(session, "fuzz", false, NULL) == STATUS_OK);
    write_market(session, "BTCUSDT", INT64_C(9000000000000));
    write_market(session, "DUST", 12345);
    check(store_write_commit(session, NULL, NULL, NULL) == STATUS_OK);
    store_end(session);
    check(value_parse_weights(LEVERAGE_WEIGHTS_DEFAULT, &settings.weights, NULL) == STATUS_OK);
    history = history_create(
        &(struct history_options){store, model_of(MODEL_SURVIVAL), &buckets, &settings});
    atexit(remove_database);
}

/* -- a question -------------------------------------------------------------------------------- */

typedef enum status question_function(struct history *, const struct range *,
                                      const struct question_limits *, struct buffer *,
                                      struct error *);

/* False if the query cannot be read. */
static bool read_range(struct slice query, struct range *range)
{
    struct slice_list list = {.rest = query};
    struct slice name, value;
    char name_text[32], value_text[256];
    for (int i = 0; query.size > 0 && i < PARAMETERS_MAX && slice_list_next(&list, '&', &value);
         i++) {
        struct error error;
        slice_split(&value, '=', &name);
        if (!slice_percent_decode(name, true, name_text, sizeof name_text) ||
            !slice_percent_decode(value, true, value_text, sizeof value_text))
            return false;
        enum status status = range_set(range, name_text, value_text, &error);
        if (status == STATUS_NOT_FOUND)
            continue;
        if (status != STATUS_OK) {
            fuzz_check_refusal(status, &error);
            return false;
        }
    }
    return range_check(range, NULL) == STATUS_OK;
}

static void check_answer(const struct buffer *out)
{
    json_t *answer = json_loadb(out->data, out->size, 0, NULL);
    check(answer != NULL && json_is_object(answer));
    check(out->size <= ANSWER_BYTES_MAX);
    json_decref(answer);
}

static void ask(question_function *question, const struct range *range, uint64_t failing_call)
{
    const struct question_limits limits = {
        .candles_max = CANDLES, /* the lookback of a grid is never too long */
        .answer_bytes_max = ANSWER_BYTES_MAX,
        .memory_bytes_max = MEMORY_BYTES_MAX,
    };
    struct buffer out = {0};
    struct error error = {0};
    memory_fail_call(failing_call);
    enum status status = question(history, range, &limits, &out, &error);
    bool has_failed = memory_fail_call(0) == 0 && failing_call > 0;
    if (status == STATUS_OK) {
        check(!has_failed);
        check_answer(&out);
    } else {
        check(out.data == NULL && error.status == status && error.message[0] != '\0');
        check(status == STATUS_INVALID || status == STATUS_NO_DATA || status == STATUS_TOO_LARGE ||
              (status == STATUS_NO_MEMORY && has_failed));
    }
    buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        const char *name;
        question_function *ask;
    } questions[] = {
        {"history ", history_run}, {"candles ", history_candles}, {"grid ", history_grid}};
    struct slice query = {(const char *)data, size}, symbol, number;
    struct range range = {0};
    uint64_t failing_call = 0;
    if (size == 0)
        return 0;
    if (store == NULL)
        make_database();
    struct slice rest = query;
    if (slice_split(&rest, ' ', &number) && slice_parse_unsigned(number, 200, &failing_call))
        query = rest;
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        if (!slice_try_take(&query, questions[i].name))
            continue;
        slice_split(&query, '?', &symbol);
        if (value_parse_symbol(symbol, range.symbol, NULL) == STATUS_OK &&
            read_range(query, &range))
            ask(questions[i].ask, &range, failing_call);
        break;
    }
    return 0;
}
