/* The past as if it happened now: what the database gives by a moment is what it would give had
 * nothing come after; and the clock that runs over it. */
#include "market_fixture.h"

#include "engine/replay.h"
#include "model/series.h"

#include <inttypes.h>

static const struct symbol_list symbols = {.count = 2, .names = {"BTCUSDT", "ETHUSDT"}};

/* -- what a session finds, as text --------------------------------------------------------------
 */

static void add_newest(const struct store_newest *newest, void *context)
{
    buffer_append_format(context, "newest %.*s %" PRId64 " %" PRId64 "\n", (int)newest->symbol.size,
                         newest->symbol.data, newest->open_time_ms, newest->close_e8);
}

static void add_digest(const struct store_digest *digest, void *context)
{
    buffer_append_format(
        context, "digest %.*s %" PRId64 " %" PRId64 " %" PRId64 " %" PRIu64 " %" PRIx64 "\n",
        (int)digest->symbol.size, digest->symbol.data, digest->block, digest->oldest_ms,
        digest->newest_ms, digest->count, digest->sum);
}

static void add_row(const struct store_row *row, void *context)
{
    buffer_append_format(context, "row %.*s %" PRId64 " %" PRId64 " %" PRId64 "\n",
                         (int)row->symbol.size, row->symbol.data, row->time_us,
                         row->candle.close_e8, (int64_t)row->interest.value_e8);
}

static void add_series(struct store_session *session, int64_t interval_ms, struct buffer *out)
{
    struct series series = {0};
    int64_t count, rows;
    const int64_t start_ms = T0, end_ms = T0 + 2 * DAY_MS;
    assert_ok(store_load(session, "BTCUSDT", start_ms, end_ms, interval_ms, &series, fault));
    for (size_t i = 0; i < series.count; i++)
        buffer_append_format(out, "candle %" PRId64 " %" PRId64 " %" PRId64 " %g\n",
                             series.candles[i].open_time_ms, series.candles[i].high_e8,
                             series.candles[i].close_e8, series.deltas[i]);
    assert_ok(store_count(session, "BTCUSDT", start_ms, end_ms, interval_ms, &count, fault));
    assert_ok(store_count_rows(session, "BTCUSDT", start_ms, end_ms, &rows, fault));
    buffer_append_format(out, "count %" PRId64 " %" PRId64 "\n", count, rows);
    series_deinit(&series);
}

static void add_single(struct store_session *session, struct buffer *out)
{
    for (size_t i = 0; i < symbols.count; i++) {
        int64_t newest_ms = -1, value_e8 = -1;
        enum status newest = store_newest(session, symbols.names[i], &newest_ms, NULL);
        enum status interest = store_newest_interest(session, symbols.names[i], &value_e8, NULL);
        buffer_append_format(out, "%s %d %" PRId64 " %d %" PRId64 "\n", symbols.names[i],
                             (int)newest, newest_ms, (int)interest, value_e8);
    }
}

static void add_all(struct store *store, struct buffer *out)
{
    static const char both[] = "BTCUSDT\nETHUSDT";
    struct store_session *session = begin(store);
    const int64_t start_ms = T0 - T0 % STORE_BLOCK_MS, end_ms = T0 + 2 * DAY_MS;
    buffer_clear(out);
    add_single(session, out);
    add_series(session, CANDLE_MS, out);
    add_series(session, 3 * CANDLE_MS, out);
    assert_ok(store_newest_all(session, 0, true, add_newest, out, fault));
    for (enum store_kind kind = STORE_CANDLES; kind <= STORE_INTEREST; kind++) {
        assert_ok(store_digest(session, kind, both, start_ms, add_digest, out, fault));
        assert_ok(store_read(session, kind, both, start_ms, end_ms, add_row, out, fault));
    }
    store_end(session);
}

/* Lines in an order of their own: queries over several symbols promise none. */
static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(struct buffer *text)
{
    enum { LINES_MAX = 4096 };
    static char *lines[LINES_MAX];
    size_t count = 0;
    char *copy = strdup(buffer_text(text)), *rest = copy, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        assert_true(count < LINES_MAX);
        lines[count++] = line;
    }
    qsort(lines, count, sizeof lines[0], compare_lines);
    buffer_clear(text);
    for (size_t i = 0; i < count; i++)
        buffer_append_format(text, "%s\n", lines[i]);
    free(copy);
}

/* The state at the horizon itself, of a market that write_market() has written. */
static void write_state(struct store *store, const char *symbol, int index, int64_t step)
{
    const struct interest_row row = interest(symbol, index, 1000000 + step * index);
    write_rows(store, true, NULL, 0, &row, 1, NULL, NULL);
}

static void what_comes_after_the_horizon_is_not_there(void **state)
{
    struct store *whole = open_store(database(state), STORE_OWNER);
    write_market(whole, "BTCUSDT", 0, 300, 1000);
    write_market(whole, "ETHUSDT", 100, 200, 500);
    static const int known[] = {1, 71, 72, 100, 101, 299, 300};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct buffer seen = {0}, expected = {0};
        char name[32];
        snprintf(name, sizeof name, "part-%d.duckdb", known[i]);
        struct store *part = open_store(path_in(state, name), STORE_OWNER);
        write_market(part, "BTCUSDT", 0, known[i], 1000);
        if (known[i] > 100)
            write_market(part, "ETHUSDT", 100, known[i] - 100, 500);
        if (known[i] < 300)
            write_state(part, "BTCUSDT", known[i], 1000);
        if (known[i] >= 100 && known[i] < 300)
            write_state(part, "ETHUSDT", known[i], 500);
        store_set_horizon(whole, T0 + known[i] * CANDLE_MS);
        add_all(whole, &seen);
        add_all(part, &expected);
        sort_lines(&seen);
        sort_lines(&expected);
        assert_string_equal(buffer_text(&seen), buffer_text(&expected));
        buffer_deinit(&seen);
        buffer_deinit(&expected);
        store_close(part);
    }
    store_close(whole);
}

static int64_t newest_interest(struct store *store)
{
    struct store_session *session = begin(store);
    int64_t value_e8;
    assert_ok(store_newest_interest(session, "BTCUSDT", &value_e8, fault));
    store_end(session);
    return value_e8 / DECIMAL_ONE;
}

static void open_interest_may_be_stamped_a_little_late(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct interest_row rows[] = {interest("BTCUSDT", 0, 1), interest("BTCUSDT", 1, 2),
                                  interest("BTCUSDT", 2, 3)};
    rows[1].timestamp_ms += MINUTE_MS - 1;
    rows[2].timestamp_ms += MINUTE_MS;
    write_rows(store, true, NULL, 0, rows, 3, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        store_set_horizon(store, T0 + i * CANDLE_MS);
        assert_int_equal(newest_interest(store), i + 1);
    }
    store_set_horizon(store, T0 + 2 * CANDLE_MS);
    assert_int_equal(newest_interest(store), 2);
    store_close(store);
}

static void each_horizon_has_a_version_and_a_session_keeps_its_own(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    uint64_t all, first, second, again;
    int64_t newest_ms;
    write_market(store, "BTCUSDT", 0, 10, 1000);
    assert_ok(store_version(store, &all, fault));
    store_set_horizon(store, T0 + 4 * CANDLE_MS);
    assert_ok(store_version(store, &first, fault));
    struct store_session *session = begin(store);
    store_set_horizon(store, T0 + 5 * CANDLE_MS);
    assert_ok(store_version(store, &second, fault));
    assert_ok(store_newest(session, "BTCUSDT", &newest_ms, fault));
    assert_int_equal(newest_ms, T0 + 3 * CANDLE_MS);
    store_end(session);
    store_set_horizon(store, INT64_MAX);
    assert_ok(store_version(store, &again, fault));
    assert_true(all != first && first != second && second != all);
    assert_int_equal(again, all);
    store_close(store);
}

/* -- the clock --------------------------------------------------------------------------------- */

static void expect_refused(struct store *store, int64_t from_ms, const char *words)
{
    struct replay replay;
    struct error error;
    assert_int_equal(replay_open(&replay, store, &symbols, from_ms, 1, &error), STATUS_NO_DATA);
    if (strstr(error.message, words) == NULL)
        fail_msg("'%s' lacks '%s'", error.message, words);
    store_set_horizon(store, INT64_MAX);
}

static void a_moment_without_a_past_or_a_future_is_refused(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "OTHER", 0, 100, 1000);
    expect_refused(store, T0 + CANDLE_MS, "no candles of the symbols");
    write_market(store, "ETHUSDT", 10, 10, 1000);
    expect_refused(store, T0 + 11 * CANDLE_MS - 1, "no candle is stored that closes by");
    expect_refused(store, T0 + 20 * CANDLE_MS, "newest candle is that of 2025-12-01T01:35:00Z");
    expect_refused(store, INT64_C(-62167219200000), "no candle is stored");
    struct replay replay;
    assert_ok(replay_open(&replay, store, &symbols, T0 + 20 * CANDLE_MS - 1, 1, fault));
    assert_ok(replay_open(&replay, store, &symbols, T0 + 11 * CANDLE_MS, 1, fault));
    store_close(store);
}

static int64_t newest_of(struct store *store)
{
    struct store_session *session = begin(store);
    int64_t newest_ms;
    assert_ok(store_newest(session, "BTCUSDT", &newest_ms, fault));
    store_end(session);
    return newest_ms;
}

static void it_runs_so_many_times_as_fast_and_stands_at_the_end(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    const int64_t from_ms = T0 + 5 * CANDLE_MS + 1000, end_ms = T0 + 10 * CANDLE_MS;
    struct replay replay;
    write_market(store, "BTCUSDT", 0, 10, 1000);
    assert_ok(replay_open(&replay, store, &symbols, from_ms, 6000, fault));
    assert_int_equal(replay_now_ms(&replay), from_ms);
    assert_int_equal(newest_of(store), T0 + 4 * CANDLE_MS);
    sleep_ms(20); /* it has not begun */
    uint64_t before_ns = clock_monotonic_ns();
    replay_advance(&replay);
    assert_int_equal(replay_now_ms(&replay), from_ms);
    uint64_t begun_ns = clock_monotonic_ns();
    while (replay_now_ms(&replay) < end_ms) {
        uint64_t earliest_ns = clock_monotonic_ns() - begun_ns;
        replay_advance(&replay);
        uint64_t latest_ns = clock_monotonic_ns() - before_ns;
        int64_t now_ms = replay_now_ms(&replay), passed_ms = now_ms - from_ms;
        if (now_ms < end_ms)
            assert_true(passed_ms >= (int64_t)(earliest_ns * 6 / 1000) - 1);
        assert_true(passed_ms <= (int64_t)(latest_ns * 6 / 1000) + 1);
        assert_int_equal(newest_of(store), (now_ms - T0) / CANDLE_MS * CANDLE_MS + T0 - CANDLE_MS);
        sleep_ms(5);
    }
    write_market(store, "BTCUSDT", 10, 10, 1000); /* comes after the end */
    sleep_ms(60);
    replay_advance(&replay);
    assert_int_equal(replay_now_ms(&replay), end_ms);
    assert_int_equal(newest_of(store), end_ms - CANDLE_MS);
    store_close(store);
}

static void it_is_looked_at_as_often_as_candles_come(void **state)
{
    (void)state;
    static const struct {
        double speed, shortest, longest, expected;
    } cases[] = {
        {100, 1, 5, 3},    {1, 1, 5, 5},      {1000, 1, 5, 1},
        {1000, 0, 5, 0.3}, {1e6, 0, 5, 0.05}, {10, 2, 1, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct replay replay = {.speed = cases[i].speed};
        double seconds = replay_interval_seconds(&replay, cases[i].shortest, cases[i].longest);
        assert_float_equal(seconds, cases[i].expected, 1e-9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(what_comes_after_the_horizon_is_not_there),
        in_folder(open_interest_may_be_stamped_a_little_late),
        in_folder(each_horizon_has_a_version_and_a_session_keeps_its_own),
        in_folder(a_moment_without_a_past_or_a_future_is_refused),
        in_folder(it_runs_so_many_times_as_fast_and_stands_at_the_end),
        cmocka_unit_test(it_is_looked_at_as_often_as_candles_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
