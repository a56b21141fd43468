/* What was liquidated: the answer about a range of times. */
#include "question_fixture.h"

#include <jansson.h>

static struct liquidation_row print(const char *exchange, int64_t time_ms, bool is_long,
                                    int64_t value, int id)
{
    struct liquidation_row row = {.time_ms = time_ms,
                                  .is_long = is_long,
                                  .price_e8 = 9810050000000,
                                  .quantity_e8 = 12345678,
                                  .value_e8 = value * DECIMAL_ONE};
    snprintf(row.exchange, sizeof row.exchange, "%s", exchange);
    snprintf(row.symbol, sizeof row.symbol, "BTCUSDT");
    snprintf(row.id, sizeof row.id, "%d", id);
    return row;
}

static void write_prints(struct store *store, const struct liquidation_row *rows, size_t count)
{
    struct store_session *session = begin(store);
    assert_ok(store_write_begin(session, "test", false, fault));
    for (size_t i = 0; i < count; i++)
        assert_ok(store_write_liquidation(session, &rows[i], fault));
    assert_ok(store_write_commit(session, NULL, NULL, fault));
    store_end(session);
}

static json_t *ask(struct store *store, const struct range *range)
{
    struct history *history = open_history(store);
    struct buffer out = {0};
    json_error_t reason;
    assert_ok(history_liquidations(history, range, NULL, false, &out, fault));
    json_t *answer = json_loads(buffer_text(&out), 0, &reason);
    if (answer == NULL)
        fail_msg("%s in %s", reason.text, buffer_text(&out));
    buffer_deinit(&out);
    history_destroy(history);
    return answer;
}

static size_t count_of(struct store *store, struct range range)
{
    json_t *answer = ask(store, &range);
    size_t count = json_array_size(json_object_get(answer, "data"));
    json_decref(answer);
    return count;
}

static const char *text_of(json_t *answer, const char *name)
{
    return json_string_value(json_object_get(json_object_get(answer, "meta"), name));
}

static void each_print_is_told_by_time_with_the_sums(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    const struct liquidation_row rows[] = {
        print("okx", T0 + 2 * CANDLE_MS + 7, true, 300, 1),
        print("binance", T0 + CANDLE_MS, false, 200, 2),
        print("okx", T0 - 2 * DAY_MS, true, 5000, 3),
    };
    write_walk(store, 10);
    write_prints(store, rows, 3);
    json_t *answer = ask(store, &(struct range){.symbol = "BTCUSDT"});
    json_t *data = json_object_get(answer, "data"), *meta = json_object_get(answer, "meta");
    char *first =
        json_dumps(json_array_get(data, 0), JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12));
    assert_int_equal(json_array_size(data), 2);
    assert_string_equal(first, "{\"time\": \"2025-12-01T00:05:00Z\", \"exchange\": \"binance\", "
                               "\"side\": \"short\", \"price\": 98100.5, "
                               "\"quantity\": 0.12345678, \"value\": 200}");
    assert_string_equal(json_string_value(json_object_get(json_array_get(data, 1), "time")),
                        "2025-12-01T00:10:00.007Z");
    assert_int_equal(json_integer_value(json_object_get(meta, "count")), 2);
    assert_int_equal(json_number_value(json_object_get(meta, "long_value")), 300);
    assert_int_equal(json_number_value(json_object_get(meta, "short_value")), 200);
    assert_string_equal(text_of(answer, "recorded_from"), "2025-11-29T00:00:00Z");
    assert_string_equal(text_of(answer, "end_time"), "2025-12-01T00:49:59.999Z");
    free(first);
    json_decref(answer);
    assert_int_equal(count_of(store, range_of("window=5d")), 3);
    assert_int_equal(count_of(store, range_of("start=2025-12-01T00:05:00Z")), 2);
    assert_int_equal(count_of(store, range_of("start=2025-12-01T00:05:00.001Z")), 1);
    store_close(store);
}

/* Later than the newest candle, as while one forms; and nothing yet, as who polls will find. */
static void the_newest_print_is_in_and_later_is_empty(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    const struct liquidation_row row = print("okx", T0 + 10 * CANDLE_MS + 5, true, 300, 1);
    write_walk(store, 10);
    write_prints(store, &row, 1);
    assert_int_equal(count_of(store, range_of("window=1h")), 1);
    assert_int_equal(count_of(store, range_of("start=2025-12-01T00:51:00Z")), 0);
    assert_int_equal(count_of(store, range_of("start=2026-12-01T00:51:00Z")), 0);
    store_close(store);
}

static void who_recorded_nothing_says_so(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct error error;
    struct buffer out = {0};
    const struct range range = {.symbol = "ETHUSDT"};
    write_walk(store, 10);
    json_t *answer = ask(store, &(struct range){.symbol = "BTCUSDT"});
    assert_int_equal(json_array_size(json_object_get(answer, "data")), 0);
    assert_true(json_is_null(json_object_get(json_object_get(answer, "meta"), "recorded_from")));
    json_decref(answer);
    struct history *history = open_history(store);
    assert_int_equal(history_liquidations(history, &range, NULL, false, &out, &error),
                     STATUS_NO_DATA);
    history_destroy(history);
    store_close(store);
}

/* What has not happened yet at the replay's moment. */
static void a_replay_tells_of_nothing_that_is_to_come(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    const struct liquidation_row rows[] = {print("okx", T0 + CANDLE_MS, true, 300, 1),
                                           print("okx", T0 + 5 * CANDLE_MS, true, 300, 2)};
    write_walk(store, 10);
    write_prints(store, rows, 2);
    store_set_horizon(store, T0 + 4 * CANDLE_MS);
    assert_int_equal(count_of(store, range_of("window=1h")), 1);
    assert_int_equal(count_of(store, range_of("start=2025-12-01", "end=2025-12-02")), 1);
    store_close(store);
}

static void too_many_are_refused_with_a_start_that_fits(void **state)
{
    enum { COUNT = HISTORY_LIQUIDATIONS_MAX + 10 };
    struct store *store = open_store(database(state), STORE_OWNER);
    struct liquidation_row *rows = calloc(COUNT, sizeof *rows);
    struct error error;
    struct buffer out = {0};
    struct range range = range_of("start=2025-12-01", "end=2025-12-02");
    for (int i = 0; i < COUNT; i++)
        rows[i] = print("okx", T0 + i / 4, i % 2 == 0, 1, i);
    write_walk(store, 10);
    write_prints(store, rows, COUNT);
    struct history *history = open_history(store);
    assert_int_equal(history_liquidations(history, &range, NULL, false, &out, &error),
                     STATUS_TOO_LARGE);
    assert_string_equal(error.fit.parameter, "start");
    assert_ok(range_set(&range, "start", error.fit.value, fault));
    size_t count = count_of(store, range);
    assert_in_range(count, HISTORY_LIQUIDATIONS_MAX - 4, HISTORY_LIQUIDATIONS_MAX);
    history_destroy(history);
    free(rows);
    store_close(store);
}

static void parameters_of_maps_are_refused(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct history *history = open_history(store);
    const struct range ranges[] = {range_of("bucket=100"), range_of("interval=1h"),
                                   range_of("weights=5:1"), range_of("shown_start=2025-12-01")};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct buffer out = {0};
        struct error error;
        assert_int_equal(history_liquidations(history, &ranges[i], NULL, false, &out, &error),
                         STATUS_INVALID);
        assert_int_equal(out.size, 0);
    }
    history_destroy(history);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(each_print_is_told_by_time_with_the_sums),
        in_folder(the_newest_print_is_in_and_later_is_empty),
        in_folder(who_recorded_nothing_says_so),
        in_folder(a_replay_tells_of_nothing_that_is_to_come),
        in_folder(too_many_are_refused_with_a_start_that_fits),
        in_folder(parameters_of_maps_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
