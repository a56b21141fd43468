/* Questions about the past, asked of a real database. */
#include "base/clock.h"
#include "base/decimal.h"
#include "engine/history.h"
#include "model/snapshot_text.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#define E8 DECIMAL_ONE
#define START_MS INT64_C(1764547200000) /* 2025-12-01T00:00:00Z */

/* ETHUSDT: three candles by hand. BTCUSDT: a random walk of WALK_COUNT candles. SOLUSDT: a hole of
 * three days between two candles. XRPUSDT: candles without open interest. WRONGUSDT: one value
 * of open interest that is far from all others. */
enum { WALK_COUNT = 6000 };

static char folder[] = "/tmp/heatcast-history-XXXXXX";
static char path[sizeof folder + 16];
static struct store *store;
static struct history *history;
static struct model_settings settings = {.lookback_ms = 7 * DAY_MS};
static struct bucket_map buckets;

static void succeed(enum status status, const struct error *error)
{
    if (status != STATUS_OK)
        fail_msg("status %d: %s", status, error->message);
}

/* -- data -------------------------------------------------------------------------------------- */

static void write_candle(struct store_session *session, const char *symbol, int64_t time_ms,
                         int64_t open_e8, int64_t high_e8, int64_t low_e8, int64_t close_e8)
{
    struct error error;
    struct kline_row row = {
        .candle = {time_ms, open_e8, high_e8, low_e8, close_e8, 1.5},
        .volume_e8 = 150000000,
        .close_time_ms = time_ms + CANDLE_MS - 1,
    };
    snprintf(row.symbol, sizeof row.symbol, "%s", symbol);
    succeed(store_write_kline(session, &row, &error), &error);
}

static void write_interest(struct store_session *session, const char *symbol, int64_t time_ms,
                           int64_t value_e8)
{
    struct error error;
    struct interest_row row = {.timestamp_ms = time_ms, .value_e8 = value_e8};
    snprintf(row.symbol, sizeof row.symbol, "%s", symbol);
    succeed(store_write_interest(session, &row, &error), &error);
}

/* xorshift: the same walk on every machine and in every run. */
static double random_unit(void)
{
    static uint64_t seed = 88172645463325252u;
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)(seed >> 11) / 9007199254740992.0;
}

static void write_walk(struct store_session *session)
{
    int64_t price_e8 = 98000 * E8, interest_e8 = 8000000000 * E8;
    for (int i = 0; i < WALK_COUNT; i++) {
        int64_t time_ms = START_MS + i * CANDLE_MS, open_e8 = price_e8;
        price_e8 += (int64_t)(300 * (random_unit() - 0.5)) * E8;
        int64_t high_e8 = (open_e8 > price_e8 ? open_e8 : price_e8) + 20 * E8;
        int64_t low_e8 = (open_e8 < price_e8 ? open_e8 : price_e8) - 20 * E8;
        write_candle(session, "BTCUSDT", time_ms, open_e8, high_e8, low_e8, price_e8);
        interest_e8 += (int64_t)(2e6 * (random_unit() - 0.45)) * E8;
        write_interest(session, "BTCUSDT", time_ms, interest_e8);
    }
}

static void write_by_hand(struct store_session *session)
{
    static const int64_t closes[] = {1000, 1000, 990}, interests[] = {5000, 6000, 8000};
    for (int i = 0; i < 3; i++) {
        int64_t close_e8 = closes[i] * E8;
        write_candle(session, "ETHUSDT", START_MS + i * CANDLE_MS, close_e8, close_e8, close_e8,
                     close_e8);
        write_interest(session, "ETHUSDT", START_MS + i * CANDLE_MS, interests[i] * E8);
    }
    for (int i = 0; i < 2; i++) {
        int64_t time_ms = START_MS + i * (3 * DAY_MS + CANDLE_MS);
        write_candle(session, "SOLUSDT", time_ms, 100 * E8, 100 * E8, 100 * E8, 100 * E8);
        write_interest(session, "SOLUSDT", time_ms, (1000 + i * 1000) * E8);
        write_candle(session, "XRPUSDT", START_MS + i * CANDLE_MS, E8, E8, E8, E8);
    }
}

/* 5,100 candles around a hole of 200 days; open interest that is older than the first candle. */
static void write_with_hole(struct store_session *session)
{
    for (int i = 0; i < 5100; i++) {
        int64_t time_ms = START_MS + i * CANDLE_MS + (i >= 2600 ? 200 * DAY_MS : 0);
        write_candle(session, "HOLEUSDT", time_ms, E8, E8, E8, E8);
    }
    for (int i = -20; i < 6; i++)
        write_interest(session, "HOLEUSDT", START_MS + i * CANDLE_MS, (1000 + i) * E8);
}

/* Open interest that grows a little, with one value of 50,000 times as much. */
static void write_with_wrong_value(struct store_session *session)
{
    for (int i = 0; i < 600; i++) {
        int64_t time_ms = START_MS + i * CANDLE_MS, price_e8 = (100 * 100 + i) * (E8 / 100);
        write_candle(session, "WRONGUSDT", time_ms, price_e8, price_e8 + E8 / 50,
                     price_e8 - E8 / 50, price_e8 + E8 / 100);
        int64_t value = i == 300 ? 80000000000 : 1000000 + 1000 * i + 500 * (i % 3);
        write_interest(session, "WRONGUSDT", time_ms, value * E8);
    }
}

static int set_up(void **state)
{
    (void)state;
    struct error error;
    struct store_session *session;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/test.duckdb", folder);
    succeed(store_open(path, STORE_OWNER, &store, &error), &error);
    succeed(store_begin(store, &session, &error), &error);
    succeed(store_write_begin(session, "test", false, &error), &error);
    write_walk(session);
    write_by_hand(session);
    write_with_hole(session);
    write_with_wrong_value(session);
    succeed(store_write_commit(session, NULL, NULL, &error), &error);
    store_end(session);
    succeed(value_parse_weights(LEVERAGE_WEIGHTS_DEFAULT, &settings.weights, &error), &error);
    succeed(value_parse_buckets("SOLUSDT:20", &buckets, &error), &error);
    history = history_create(
        &(struct history_options){store, model_of(MODEL_REFERENCE), &buckets, &settings});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char wal[sizeof path + 8];
    history_destroy(history);
    store_close(store);
    unlink(path);
    snprintf(wal, sizeof wal, "%s.wal", path);
    unlink(wal);
    return rmdir(folder);
}

/* -- asking ------------------------------------------------------------------------------------ */

typedef enum status answer_function(struct history *, const struct range *,
                                    const struct question_limits *, struct buffer *,
                                    struct error *);

/* Parameters as "name=value&name=value". */
static struct range range_of(const char *symbol, const char *parameters)
{
    struct range range = {0};
    struct error error;
    char text[512], *rest = text, *item;
    snprintf(range.symbol, sizeof range.symbol, "%s", symbol);
    snprintf(text, sizeof text, "%s", parameters);
    while ((item = strsep(&rest, "&")) != NULL && *item != '\0') {
        char *value = strchr(item, '=');
        *value++ = '\0';
        succeed(range_set(&range, item, value, &error), &error);
    }
    return range;
}

static json_t *ask(answer_function *question, const char *symbol, const char *parameters)
{
    struct range range = range_of(symbol, parameters);
    struct buffer out = {0};
    struct error error;
    json_error_t json_error;
    succeed(question(history, &range, NULL, &out, &error), &error);
    json_t *answer = json_loadb(out.data, out.size, 0, &json_error);
    if (answer == NULL)
        fail_msg("%s at %d", json_error.text, json_error.position);
    buffer_deinit(&out);
    return answer;
}

static void assert_refused(answer_function *question, const char *symbol, const char *parameters,
                           enum status expected, const char *part)
{
    struct range range = range_of(symbol, parameters);
    struct buffer out = {0};
    struct error error = {.message = ""};
    enum status status = question(history, &range, NULL, &out, &error);
    if (status != expected || error.status != expected || strstr(error.message, part) == NULL)
        fail_msg("status %d: %s", status, error.message);
    assert_int_equal(out.size, 0);
    buffer_deinit(&out);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

static double number_of(const json_t *object, const char *key)
{
    assert_true(json_is_number(json_object_get(object, key)));
    return json_number_value(json_object_get(object, key));
}

static void assert_range(const json_t *answer, size_t count, const char *start, const char *end)
{
    const json_t *data = json_object_get(answer, "data"), *meta = json_object_get(answer, "meta");
    assert_int_equal(json_array_size(data), count);
    assert_string_equal(text_of(json_array_get(data, 0), "timestamp"), start);
    assert_string_equal(text_of(json_array_get(data, count - 1), "timestamp"), end);
    assert_string_equal(text_of(meta, "start_time"), start);
    assert_string_equal(text_of(meta, "end_time"), end);
}

/* -- ranges ------------------------------------------------------------------------------------ */

static void the_default_range_is_the_lookback_before_the_newest_candle(void **state)
{
    (void)state;
    json_t *answer = ask(history_run, "BTCUSDT", "");
    assert_range(answer, 2017, "2025-12-14T19:55:00Z", "2025-12-21T19:55:00Z");
    json_decref(answer);
}

static void a_range_is_what_start_end_and_window_make(void **state)
{
    (void)state;
    static const struct {
        const char *parameters;
        size_t count;
        const char *start, *end;
    } expected[] = {
        {"window=1h", 13, "2025-12-21T18:55:00Z", "2025-12-21T19:55:00Z"},
        {"start=2025-12-21T19:00Z", 12, "2025-12-21T19:00:00Z", "2025-12-21T19:55:00Z"},
        {"start=2025-12-02&window=10m", 3, "2025-12-02T00:00:00Z", "2025-12-02T00:10:00Z"},
        {"end=2025-12-02&window=10m", 3, "2025-12-01T23:50:00Z", "2025-12-02T00:00:00Z"},
        {"end=2025-12-02", 289, "2025-12-01T00:00:00Z", "2025-12-02T00:00:00Z"},
        {"start=2025-12-02&end=2025-12-02", 1, "2025-12-02T00:00:00Z", "2025-12-02T00:00:00Z"},
        {"start=2025-12-02T00:01Z&end=2025-12-02T00:11Z", 2, "2025-12-02T00:05:00Z",
         "2025-12-02T00:10:00Z"},
        {"start=2025-12-21&end=2099-01-01", 240, "2025-12-21T00:00:00Z", "2025-12-21T19:55:00Z"},
        {"start=2025-12-20&interval=1h&window=1d", 25, "2025-12-20T00:00:00Z",
         "2025-12-21T00:00:00Z"},
        {"start=0000-01-01&end=9999-12-31&interval=1d", 21, "2025-12-01T00:00:00Z",
         "2025-12-21T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        json_t *answer = ask(history_candles, "BTCUSDT", expected[i].parameters);
        assert_range(answer, expected[i].count, expected[i].start, expected[i].end);
        json_decref(answer);
        answer = ask(history_run, "BTCUSDT", expected[i].parameters);
        assert_range(answer, expected[i].count, expected[i].start, expected[i].end);
        json_decref(answer);
    }
}

static void parameters_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    static answer_function *const questions[] = {history_run, history_candles, history_grid};
    for (size_t i = 0; i < 3; i++) {
        assert_refused(questions[i], "BTCUSDT", "start=2025-12-02&end=2025-12-03&window=1d",
                       STATUS_INVALID, "start, end and window");
        assert_refused(questions[i], "BTCUSDT", "start=2025-12-03&end=2025-12-02", STATUS_INVALID,
                       "start 2025-12-03T00:00:00Z is after end 2025-12-02T00:00:00Z");
    }
}

static void a_range_without_candles_has_no_data(void **state)
{
    (void)state;
    static answer_function *const questions[] = {history_run, history_candles, history_grid};
    for (size_t i = 0; i < 3; i++) {
        assert_refused(questions[i], "NONEUSDT", "", STATUS_NO_DATA, "NONEUSDT");
        assert_refused(questions[i], "BTCUSDT", "end=2025-11-01", STATUS_NO_DATA,
                       "no candle of BTCUSDT from 2025-10-25T00:00:00Z to 2025-11-01T00:00:00Z");
        assert_refused(questions[i], "BTCUSDT", "start=2026-11-01", STATUS_NO_DATA, "BTCUSDT");
    }
    assert_refused(history_run, "BTCUSDT", "start=2020-01-01&end=2025-11-01", STATUS_NO_DATA,
                   "BTCUSDT");
}

static void too_long_a_range_names_an_interval_that_fits(void **state)
{
    (void)state;
    assert_refused(history_run, "BTCUSDT", "window=30d", STATUS_TOO_LARGE, "interval=15m fits");
    assert_refused(history_candles, "BTCUSDT", "start=1970-01-01", STATUS_TOO_LARGE,
                   "6000 candles of 5m, an answer at most 5000; interval=15m fits");
    json_t *answer = ask(history_run, "BTCUSDT", "window=30d&interval=15m");
    assert_range(answer, 2000, "2025-12-01T00:00:00Z", "2025-12-21T19:45:00Z");
    json_decref(answer);
    /* Exactly as many as are allowed. */
    answer = ask(history_candles, "BTCUSDT", "start=2025-12-01&end=2025-12-18T08:35Z");
    assert_int_equal(json_array_size(json_object_get(answer, "data")), HISTORY_SNAPSHOTS_MAX);
    json_decref(answer);
    assert_refused(history_candles, "BTCUSDT", "start=2025-12-01&end=2025-12-18T08:40Z",
                   STATUS_TOO_LARGE, "5001 candles");
}

static void a_long_range_with_little_data_is_answered(void **state)
{
    (void)state;
    json_t *answer = ask(history_run, "ETHUSDT", "start=1970-01-01&end=2099-01-01");
    assert_range(answer, 3, "2025-12-01T00:00:00Z", "2025-12-01T00:10:00Z");
    json_decref(answer);
}

static void candles_are_counted_not_the_time_between_them(void **state)
{
    (void)state;
    assert_refused(history_run, "HOLEUSDT", "start=2025-12-01", STATUS_TOO_LARGE,
                   "the range holds 5100 candles of 5m, an answer at most 5000; interval=15m fits");
    json_t *answer = ask(history_run, "HOLEUSDT", "start=2025-12-01&interval=15m");
    assert_int_equal(json_array_size(json_object_get(answer, "data")), 867 + 834);
    json_decref(answer);
}

static void how_far_back_a_range_reaches_before_the_data_changes_nothing(void **state)
{
    (void)state;
    json_t *near = ask(history_run, "HOLEUSDT", "start=2025-11-30&end=2025-12-01T02:00Z");
    json_t *far = ask(history_run, "HOLEUSDT", "start=1970-01-01&end=2025-12-01T02:00Z");
    json_t *first = json_array_get(json_object_get(near, "data"), 0);
    /* Open interest from before the first candle says what the first candle's change was. */
    assert_int_equal(json_integer_value(json_object_get(first, "positions_created")), 5);
    assert_true(json_equal(near, far));
    json_decref(near);
    json_decref(far);
}

static void an_end_between_candles_takes_no_later_open_interest(void **state)
{
    (void)state;
    const char *even = "start=2025-12-01&interval=15m&end=2025-12-01T00:15Z";
    const char *odd = "start=2025-12-01&interval=15m&end=2025-12-01T00:19:59Z";
    json_t *at_a_candle = ask(history_run, "HOLEUSDT", even);
    json_t *between = ask(history_run, "HOLEUSDT", odd);
    assert_true(json_equal(at_a_candle, between));
    json_decref(at_a_candle);
    json_decref(between);
}

/* -- answers ----------------------------------------------------------------------------------- */

static void assert_text(answer_function *question, const char *symbol, const char *parameters,
                        const char *expected)
{
    struct range range = range_of(symbol, parameters);
    struct buffer out = {0};
    struct error error;
    buffer_append_text(&out, "before ");
    succeed(question(history, &range, NULL, &out, &error), &error);
    assert_memory_equal(buffer_text(&out), "before ", 7);
    assert_string_equal(out.data + 7, expected);
    buffer_deinit(&out);
}

static void a_history_reads_as_the_protocol_says(void **state)
{
    (void)state;
    /* +1,000 at 1,000; then the fall to 990 liquidates 100x (990.04), and +2,000 at 990. */
    assert_text(history_run, "ETHUSDT", "bucket=100",
                "{\"data\":["
                "{\"timestamp\":\"2025-12-01T00:00:00Z\",\"levels\":[],\"positions_created\":0,"
                "\"positions_consumed\":0},"
                "{\"timestamp\":\"2025-12-01T00:05:00Z\",\"levels\":["
                "{\"price\":800,\"long_density\":150,\"short_density\":0},"
                "{\"price\":900,\"long_density\":850,\"short_density\":0}],"
                "\"positions_created\":5,\"positions_consumed\":0},"
                "{\"timestamp\":\"2025-12-01T00:10:00Z\",\"levels\":["
                "{\"price\":700,\"long_density\":300,\"short_density\":0},"
                "{\"price\":800,\"long_density\":750,\"short_density\":0},"
                "{\"price\":900,\"long_density\":1850,\"short_density\":0}],"
                "\"positions_created\":5,\"positions_consumed\":1}],"
                "\"meta\":{\"symbol\":\"ETHUSDT\",\"start_time\":\"2025-12-01T00:00:00Z\","
                "\"end_time\":\"2025-12-01T00:10:00Z\",\"interval\":\"5m\",\"bucket\":100,"
                "\"total_snapshots\":3,\"price_range\":{\"min\":700,\"max\":900},"
                "\"total_long_volume\":2900,\"total_short_volume\":0,\"total_consumed\":1}}");
}

static void a_history_without_levels_has_no_price_range(void **state)
{
    (void)state;
    assert_text(history_run, "XRPUSDT", "window=5m",
                "{\"data\":["
                "{\"timestamp\":\"2025-12-01T00:00:00Z\",\"levels\":[],\"positions_created\":0,"
                "\"positions_consumed\":0},"
                "{\"timestamp\":\"2025-12-01T00:05:00Z\",\"levels\":[],\"positions_created\":0,"
                "\"positions_consumed\":0}],"
                "\"meta\":{\"symbol\":\"XRPUSDT\",\"start_time\":\"2025-12-01T00:00:00Z\","
                "\"end_time\":\"2025-12-01T00:05:00Z\",\"interval\":\"5m\",\"bucket\":0.001,"
                "\"total_snapshots\":2,\"price_range\":{\"min\":null,\"max\":null},"
                "\"total_long_volume\":0,\"total_short_volume\":0,\"total_consumed\":0}}");
}

static void candles_read_as_the_protocol_says(void **state)
{
    (void)state;
    assert_text(history_candles, "ETHUSDT", "interval=15m",
                "{\"data\":[{\"timestamp\":\"2025-12-01T00:00:00Z\",\"open\":1000,\"high\":1000,"
                "\"low\":990,\"close\":990,\"volume\":4.5}],"
                "\"meta\":{\"symbol\":\"ETHUSDT\",\"start_time\":\"2025-12-01T00:00:00Z\","
                "\"end_time\":\"2025-12-01T00:00:00Z\",\"interval\":\"15m\"}}");
}

static double bucket_of(const char *symbol, const char *parameters)
{
    json_t *answer = ask(history_run, symbol, parameters);
    double bucket = number_of(json_object_get(answer, "meta"), "bucket");
    json_decref(answer);
    return bucket;
}

static void the_bucket_is_asked_for_configured_or_chosen(void **state)
{
    (void)state;
    assert_true(bucket_of("SOLUSDT", "bucket=0.25") == 0.25);
    assert_true(bucket_of("SOLUSDT", "") == 20);
    assert_true(bucket_of("ETHUSDT", "") == 1);
    assert_true(bucket_of("BTCUSDT", "window=1h") == 100);
}

static void weights_that_are_asked_for_replace_the_configured_ones(void **state)
{
    (void)state;
    json_t *answer = ask(history_run, "ETHUSDT", "weights=10:1,20:3");
    json_t *second = json_array_get(json_object_get(answer, "data"), 1);
    assert_true(number_of(second, "positions_created") == 2);
    json_t *levels = json_object_get(second, "levels");
    assert_int_equal(json_array_size(levels), 2);
    assert_true(number_of(json_array_get(levels, 0), "long_density") == 250);
    assert_true(number_of(json_array_get(levels, 1), "long_density") == 750);
    json_decref(answer);
}

static json_t *levels_json(const struct level_list *levels)
{
    struct buffer text = {0};
    snapshot_text_append_levels(&text, levels);
    json_t *json = json_loadb(text.data, text.size, 0, NULL);
    buffer_deinit(&text);
    return json;
}

static void the_last_of_a_history_is_the_snapshot(void **state)
{
    (void)state;
    static const char *const ends[] = {"", "end=2025-12-15T08:05:00Z"};
    for (size_t i = 0; i < 2; i++) {
        struct range range = range_of("BTCUSDT", ends[i]);
        struct snapshot snapshot = {0};
        struct error error;
        succeed(history_snapshot(history, "BTCUSDT", range.has_end ? range.end_ms : INT64_MAX, NULL,
                                 &snapshot, &error),
                &error);
        json_t *answer = ask(history_run, "BTCUSDT", ends[i]);
        json_t *last = json_array_get(json_object_get(answer, "data"), 2016);
        json_t *expected = levels_json(&snapshot.levels);
        assert_true(json_array_size(expected) > 100);
        assert_true(json_equal(json_object_get(last, "levels"), expected));
        assert_true(number_of(last, "positions_created") == snapshot.change.created);
        assert_true(number_of(last, "positions_consumed") == snapshot.change.consumed);
        double total = 0;
        for (size_t l = 0; l < snapshot.levels.count; l++)
            total += snapshot.levels.levels[l].long_density;
        json_t *meta = json_object_get(answer, "meta");
        assert_true(fabs(number_of(meta, "total_long_volume") / total - 1) < 1e-9);
        json_decref(expected);
        json_decref(answer);
        snapshot_deinit(&snapshot);
    }
}

static void the_totals_of_a_history_are_the_sums_of_its_snapshots(void **state)
{
    (void)state;
    json_t *answer = ask(history_run, "BTCUSDT", ""), *snapshot, *level;
    json_t *meta = json_object_get(answer, "meta");
    double consumed = 0, min = INFINITY, max = 0;
    size_t i, l;
    json_array_foreach(json_object_get(answer, "data"), i, snapshot)
    {
        consumed += number_of(snapshot, "positions_consumed");
        json_array_foreach(json_object_get(snapshot, "levels"), l, level)
        {
            min = fmin(min, number_of(level, "price"));
            max = fmax(max, number_of(level, "price"));
        }
    }
    assert_true(number_of(meta, "total_snapshots") == 2017);
    assert_true(number_of(meta, "total_consumed") == consumed && consumed > 100);
    assert_true(number_of(json_object_get(meta, "price_range"), "min") == min);
    assert_true(number_of(json_object_get(meta, "price_range"), "max") == max);
    json_decref(answer);
}

static int64_t snapshot_time(const char *symbol, int64_t at_ms)
{
    struct snapshot snapshot = {0};
    struct error error;
    succeed(history_snapshot(history, symbol, at_ms, NULL, &snapshot, &error), &error);
    int64_t time_ms = snapshot.timestamp_ms;
    assert_string_equal(snapshot.symbol, symbol);
    snapshot_deinit(&snapshot);
    return time_ms;
}

static void a_moment_has_the_snapshot_of_the_candle_before_it(void **state)
{
    (void)state;
    const int64_t second_ms = START_MS + 3 * DAY_MS + CANDLE_MS;
    assert_int_equal(snapshot_time("BTCUSDT", START_MS), START_MS);
    assert_int_equal(snapshot_time("BTCUSDT", START_MS + 1), START_MS);
    assert_int_equal(snapshot_time("BTCUSDT", START_MS + 2 * CANDLE_MS - 1), START_MS + CANDLE_MS);
    assert_int_equal(snapshot_time("SOLUSDT", second_ms - 1), START_MS); /* across the hole */
    assert_int_equal(snapshot_time("SOLUSDT", second_ms), second_ms);
    assert_int_equal(snapshot_time("SOLUSDT", INT64_MAX), second_ms);
    struct snapshot snapshot = {0};
    struct error error;
    assert_int_equal(history_snapshot(history, "BTCUSDT", START_MS - 1, NULL, &snapshot, &error),
                     STATUS_NO_DATA);
    assert_non_null(strstr(error.message, "BTCUSDT at or before 2025-11-30T23:59:59.999Z"));
    assert_int_equal(history_snapshot(history, "NONEUSDT", INT64_MAX, NULL, &snapshot, &error),
                     STATUS_NO_DATA);
}

static void a_snapshot_uses_the_configured_bucket(void **state)
{
    (void)state;
    struct snapshot snapshot = {0};
    struct error error;
    succeed(history_snapshot(history, "SOLUSDT", INT64_MAX, NULL, &snapshot, &error), &error);
    assert_int_equal(snapshot.bucket_e8, 20 * E8);
    assert_int_equal(snapshot.current_price_e8, 100 * E8);
    snapshot_deinit(&snapshot);
}

/* -- grid -------------------------------------------------------------------------------------- */

static unsigned char *decode(const char *text, size_t expected_size)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    assert_int_equal(strlen(text), (expected_size + 2) / 3 * 4);
    unsigned char *bytes = malloc(expected_size + 3);
    size_t size = 0;
    for (; *text != '\0' && *text != '='; text += 4) {
        uint32_t bits = 0;
        for (int i = 0; i < 4; i++) {
            const char *letter = text[i] == '=' ? alphabet : strchr(alphabet, text[i]);
            assert_non_null(letter);
            bits = bits << 6 | (uint32_t)(letter - alphabet);
        }
        bytes[size++] = (unsigned char)(bits >> 16);
        bytes[size++] = (unsigned char)(bits >> 8);
        bytes[size++] = (unsigned char)bits;
    }
    return bytes;
}

struct picture {
    json_t *answer, *meta;
    size_t rows, columns;
    double price_min, bucket, max_density;
    unsigned char *sides[2];
};

static struct picture picture_of(const char *symbol, const char *parameters)
{
    struct picture picture = {.answer = ask(history_grid, symbol, parameters)};
    picture.meta = json_object_get(picture.answer, "meta");
    picture.rows = (size_t)number_of(picture.meta, "rows");
    picture.columns = (size_t)number_of(picture.meta, "columns");
    picture.price_min = number_of(picture.meta, "price_min");
    picture.bucket = number_of(picture.meta, "bucket");
    picture.max_density = number_of(picture.meta, "max_density");
    picture.sides[0] = decode(text_of(picture.answer, "long"), picture.rows * picture.columns);
    picture.sides[1] = decode(text_of(picture.answer, "short"), picture.rows * picture.columns);
    assert_int_equal(json_array_size(json_object_get(picture.answer, "times")), picture.columns);
    assert_int_equal(json_array_size(json_object_get(picture.answer, "closes")), picture.columns);
    return picture;
}

static void picture_free(struct picture *picture)
{
    json_decref(picture->answer);
    free(picture->sides[0]);
    free(picture->sides[1]);
}

/* A byte is half a step (10^(1/102), 2.3 %) from the density at most. */
static void assert_byte(const struct picture *picture, unsigned char byte, double density)
{
    if (density == 0) {
        assert_int_equal(byte, 0);
        return;
    }
    assert_true(byte > 0);
    double ratio = density / (picture->max_density * pow(10, (byte - 255) / 51.0));
    assert_true(byte == 1 ? ratio < 1.024 : fabs(log10(ratio)) <= 1.0001 / 102);
}

static void assert_column(const struct picture *picture, size_t column, const json_t *levels)
{
    size_t painted = 0, present = 0, l;
    json_t *level;
    for (size_t row = 0; row < picture->rows; row++)
        for (size_t side = 0; side < 2; side++)
            painted += picture->sides[side][row * picture->columns + column] != 0;
    json_array_foreach(levels, l, level)
    {
        double row = (number_of(level, "price") - picture->price_min) / picture->bucket;
        assert_true(row >= 0 && row < (double)picture->rows && row == floor(row));
        size_t cell = (size_t)row * picture->columns + column;
        assert_byte(picture, picture->sides[0][cell], number_of(level, "long_density"));
        assert_byte(picture, picture->sides[1][cell], number_of(level, "short_density"));
        present += number_of(level, "long_density") > 0;
        present += number_of(level, "short_density") > 0;
    }
    assert_int_equal(painted, present);
}

static void the_grid_is_a_picture_of_the_history(void **state)
{
    (void)state;
    struct picture picture = picture_of("BTCUSDT", "");
    json_t *run = ask(history_run, "BTCUSDT", ""), *snapshot;
    assert_int_equal(picture.columns, 2017);
    assert_string_equal(text_of(picture.meta, "interval"), "5m");
    assert_string_equal(text_of(picture.meta, "step"), "5m");
    assert_string_equal(text_of(picture.meta, "start_time"), "2025-12-14T19:55:00Z");
    assert_string_equal(text_of(picture.meta, "end_time"), "2025-12-21T19:55:00Z");
    size_t column, brightest = 0;
    json_array_foreach(json_object_get(run, "data"), column, snapshot)
    {
        assert_column(&picture, column, json_object_get(snapshot, "levels"));
        assert_true(
            json_integer_value(json_array_get(json_object_get(picture.answer, "times"), column)) ==
            START_MS / 1000 + (int64_t)(WALK_COUNT - 2017 + column) * 300);
    }
    for (size_t i = 0; i < picture.rows * picture.columns; i++)
        brightest += picture.sides[0][i] == 255 || picture.sides[1][i] == 255;
    assert_true(brightest >= 1);
    double changes = number_of(picture.meta, "interest_changes");
    assert_true(changes > 1000 && changes <= number_of(picture.meta, "interest_known"));
    assert_true(number_of(picture.meta, "interest_known") <= 2017);
    json_decref(run);
    picture_free(&picture);
}

static void a_short_grid_ends_in_the_live_snapshot(void **state)
{
    (void)state;
    struct picture picture = picture_of("BTCUSDT", "window=1h");
    struct snapshot snapshot = {0};
    struct error error;
    assert_int_equal(picture.columns, 13);
    succeed(history_snapshot(history, "BTCUSDT", INT64_MAX, NULL, &snapshot, &error), &error);
    json_t *levels = levels_json(&snapshot.levels);
    assert_column(&picture, 12, levels);
    json_decref(levels);
    snapshot_deinit(&snapshot);
    picture_free(&picture);
}

static void a_long_grid_has_wider_steps_and_the_newest_candle(void **state)
{
    (void)state;
    struct picture picture = picture_of("BTCUSDT", "window=30d");
    assert_string_equal(text_of(picture.meta, "step"), "15m");
    assert_int_equal(picture.columns, 2001); /* 2,000 quarters of an hour, and 19:55 */
    json_t *times = json_object_get(picture.answer, "times");
    int64_t newest = START_MS / 1000 + (WALK_COUNT - 1) * 300;
    assert_int_equal(json_integer_value(json_array_get(times, 2000)), newest);
    assert_int_equal(json_integer_value(json_array_get(times, 1999)), newest - 600);
    assert_int_equal(json_integer_value(json_array_get(times, 0)), START_MS / 1000);
    picture_free(&picture);
}

static void a_part_of_a_grid_is_finer_and_the_same_map(void **state)
{
    (void)state;
    struct picture part = picture_of(
        "BTCUSDT", "window=30d&shown_start=2025-12-10T00:00:00Z&shown_end=2025-12-10T01:00:00Z");
    assert_string_equal(text_of(part.meta, "step"), "5m");
    assert_string_equal(text_of(part.meta, "start_time"), "2025-12-10T00:00:00Z");
    assert_string_equal(text_of(part.meta, "end_time"), "2025-12-10T01:00:00Z");
    assert_int_equal(part.columns, 13);
    json_t *history_of_range =
        ask(history_run, "BTCUSDT", "start=2025-12-01T00:00:00Z&end=2025-12-10T01:00:00Z");
    json_t *moments = json_object_get(history_of_range, "data");
    for (size_t column = 0; column < 13; column++) {
        size_t moment = json_array_size(moments) - 13 + column;
        assert_column(&part, column, json_object_get(json_array_get(moments, moment), "levels"));
    }
    json_decref(history_of_range);
    picture_free(&part);
}

static void a_part_without_candles_and_one_of_a_history_are_refused(void **state)
{
    (void)state;
    static const char before[] = "window=1d&shown_end=2025-12-01T00:00:00Z";
    assert_refused(history_grid, "BTCUSDT", before, STATUS_NO_DATA, "no candle of BTCUSDT from");
    assert_refused(history_run, "BTCUSDT", before, STATUS_INVALID, "shown_end");
    assert_refused(history_candles, "BTCUSDT", before, STATUS_INVALID, "shown_end");
}

static void one_wrong_value_takes_the_scale_from_no_other(void **state)
{
    (void)state;
    struct picture picture = picture_of("WRONGUSDT", "");
    double greatest = number_of(picture.meta, "greatest_density");
    assert_true(picture.max_density * 100 < greatest);
    size_t painted = 0, lowest = 0, highest = 0;
    for (size_t i = 0; i < 2 * picture.rows * picture.columns; i++) {
        unsigned char byte = picture.sides[i % 2][i / 2];
        painted += byte != 0;
        lowest += byte == 1;
        highest += byte == 255;
    }
    assert_true(painted > 10000 && highest >= 1 && highest < painted / 500);
    assert_true(lowest < painted / 10);
    picture_free(&picture);
    picture = picture_of("BTCUSDT", "");
    assert_true(picture.max_density == number_of(picture.meta, "greatest_density"));
    picture_free(&picture);
}

static void a_grid_without_levels_has_no_rows(void **state)
{
    (void)state;
    assert_text(history_grid, "XRPUSDT", "",
                "{\"meta\":{\"symbol\":\"XRPUSDT\",\"start_time\":\"2025-12-01T00:00:00Z\","
                "\"end_time\":\"2025-12-01T00:05:00Z\",\"interval\":\"5m\",\"step\":\"5m\","
                "\"bucket\":0.001,\"price_min\":1,\"rows\":0,\"columns\":2,\"max_density\":0,"
                "\"greatest_density\":0,\"interest_known\":0,\"interest_changes\":0},"
                "\"times\":[1764547200,1764547500],\"closes\":[1,1],\"long\":\"\",\"short\":\"\"}");
}

static void a_grid_of_too_many_cells_names_a_bucket(void **state)
{
    (void)state;
    static const char asked_for[] = "bucket=0.01";
    struct range range = range_of("BTCUSDT", asked_for);
    struct buffer out = {0};
    struct error error;
    assert_int_equal(history_grid(history, &range, NULL, &out, &error), STATUS_TOO_LARGE);
    assert_int_equal(out.size, 0);
    assert_non_null(strstr(error.message, " has too many cells; bucket="));
    assert_string_equal(error.fit.parameter, "bucket");
    char bucket[64];
    snprintf(bucket, sizeof bucket, "bucket=%s", error.fit.value);
    struct picture picture = picture_of("BTCUSDT", bucket);
    assert_int_equal(picture.columns, 2017);
    picture_free(&picture);
}

/* A browser's pictures are not as high. */
static void a_grid_of_few_columns_has_not_many_more_rows(void **state)
{
    (void)state;
    struct range range = range_of("ETHUSDT", "bucket=0.01");
    struct buffer out = {0};
    struct error error;
    assert_int_equal(history_grid(history, &range, NULL, &out, &error), STATUS_TOO_LARGE);
    assert_non_null(strstr(error.message, " has too many rows; bucket="));
    char bucket[64];
    snprintf(bucket, sizeof bucket, "bucket=%s", error.fit.value);
    struct picture picture = picture_of("ETHUSDT", bucket);
    assert_int_equal(picture.columns, 3);
    assert_true(picture.rows > 1000 && picture.rows <= 16384);
    picture_free(&picture);
}

/* -- the cache --------------------------------------------------------------------------------- */

static void an_answer_is_as_new_as_the_data(void **state)
{
    (void)state;
    struct error error;
    struct store_session *session;
    json_t *before = ask(history_candles, "XRPUSDT", "");
    json_t *again = ask(history_candles, "XRPUSDT", "");
    assert_true(json_equal(before, again));
    succeed(store_begin(store, &session, &error), &error);
    succeed(store_write_begin(session, "test", false, &error), &error);
    write_candle(session, "XRPUSDT", START_MS + 2 * CANDLE_MS, E8, E8, E8, E8);
    succeed(store_write_commit(session, NULL, NULL, &error), &error);
    store_end(session);
    json_t *after = ask(history_candles, "XRPUSDT", "");
    assert_int_equal(json_array_size(json_object_get(before, "data")), 2);
    assert_int_equal(json_array_size(json_object_get(after, "data")), 3);
    json_decref(before);
    json_decref(again);
    json_decref(after);
}

static void ranges_that_differ_have_their_own_answers(void **state)
{
    (void)state;
    static const char *const parameters[] = {"",
                                             "bucket=10",
                                             "weights=10:1",
                                             "weights=20:1",
                                             "interval=15m",
                                             "window=10m",
                                             "start=2025-12-01T00:05Z",
                                             "end=2025-12-01T00:05Z"};
    enum { COUNT = sizeof parameters / sizeof parameters[0] };
    json_t *answers[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        answers[i] = ask(history_run, "ETHUSDT", parameters[i]);
    for (size_t i = 0; i < COUNT; i++) {
        json_t *again = ask(history_run, "ETHUSDT", parameters[i]);
        for (size_t j = 0; j < COUNT; j++)
            /* A window of ten minutes happens to be all that there is. */
            if (i == j)
                assert_true(json_equal(again, answers[j]));
            else if (i + j != 5 || i * j != 0)
                assert_false(json_equal(again, answers[j]));
        json_decref(again);
    }
    for (size_t i = 0; i < COUNT; i++)
        json_decref(answers[i]);
}

static void *ask_in_thread(void *context)
{
    struct range range = range_of("BTCUSDT", "window=6d");
    history_run(history, &range, NULL, context, NULL);
    return NULL;
}

static void many_threads_get_the_same_answer(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    struct buffer answers[THREADS] = {{0}};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_in_thread, &answers[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        assert_true(answers[i].size > 1000000);
        assert_int_equal(answers[i].size, answers[0].size);
        assert_memory_equal(answers[i].data, answers[0].data, answers[0].size);
    }
    for (int i = 0; i < THREADS; i++)
        buffer_deinit(&answers[i]);
}

static void an_answer_that_is_not_wanted_any_more_is_not_made(void **state)
{
    (void)state;
    static answer_function *const questions[] = {history_run, history_candles, history_grid};
    const struct range range = range_of("BTCUSDT", "window=1d");
    const atomic_bool is_cancelled = true;
    const struct question_limits limits = {.stop = {.is_cancelled = &is_cancelled}};
    for (size_t i = 0; i < 3; i++) {
        struct buffer out = {0};
        assert_int_equal(questions[i](history, &range, &limits, &out, NULL), STATUS_CANCELLED);
        assert_int_equal(out.size, 0);
        buffer_deinit(&out);
    }
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    struct store *missing;
    struct error error;
    struct buffer out = {0};
    succeed(store_open("/nonexistent/heatcast.duckdb", STORE_SHARED, &missing, &error), &error);
    struct history *other = history_create(
        &(struct history_options){missing, model_of(MODEL_REFERENCE), &buckets, &settings});
    struct range range = range_of("BTCUSDT", "");
    assert_int_equal(history_run(other, &range, NULL, &out, &error), STATUS_NOT_FOUND);
    assert_int_equal(out.size, 0);
    history_destroy(other);
    store_close(missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_range_is_the_lookback_before_the_newest_candle),
        cmocka_unit_test(a_range_is_what_start_end_and_window_make),
        cmocka_unit_test(parameters_that_contradict_each_other_are_refused),
        cmocka_unit_test(a_range_without_candles_has_no_data),
        cmocka_unit_test(too_long_a_range_names_an_interval_that_fits),
        cmocka_unit_test(a_long_range_with_little_data_is_answered),
        cmocka_unit_test(candles_are_counted_not_the_time_between_them),
        cmocka_unit_test(how_far_back_a_range_reaches_before_the_data_changes_nothing),
        cmocka_unit_test(an_end_between_candles_takes_no_later_open_interest),
        cmocka_unit_test(a_history_reads_as_the_protocol_says),
        cmocka_unit_test(a_history_without_levels_has_no_price_range),
        cmocka_unit_test(candles_read_as_the_protocol_says),
        cmocka_unit_test(the_bucket_is_asked_for_configured_or_chosen),
        cmocka_unit_test(weights_that_are_asked_for_replace_the_configured_ones),
        cmocka_unit_test(the_last_of_a_history_is_the_snapshot),
        cmocka_unit_test(the_totals_of_a_history_are_the_sums_of_its_snapshots),
        cmocka_unit_test(a_moment_has_the_snapshot_of_the_candle_before_it),
        cmocka_unit_test(a_snapshot_uses_the_configured_bucket),
        cmocka_unit_test(the_grid_is_a_picture_of_the_history),
        cmocka_unit_test(a_short_grid_ends_in_the_live_snapshot),
        cmocka_unit_test(a_long_grid_has_wider_steps_and_the_newest_candle),
        cmocka_unit_test(a_part_of_a_grid_is_finer_and_the_same_map),
        cmocka_unit_test(a_part_without_candles_and_one_of_a_history_are_refused),
        cmocka_unit_test(one_wrong_value_takes_the_scale_from_no_other),
        cmocka_unit_test(a_grid_without_levels_has_no_rows),
        cmocka_unit_test(a_grid_of_too_many_cells_names_a_bucket),
        cmocka_unit_test(a_grid_of_few_columns_has_not_many_more_rows),
        cmocka_unit_test(ranges_that_differ_have_their_own_answers),
        cmocka_unit_test(many_threads_get_the_same_answer),
        cmocka_unit_test(an_answer_that_is_not_wanted_any_more_is_not_made),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(an_answer_is_as_new_as_the_data),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
