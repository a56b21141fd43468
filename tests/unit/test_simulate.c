/* The simulated market: fifteen days of it, its restart, and that it stays away from real data. */
#include "market_fixture.h"

#include "sources/simulate/simulate.h"

#include <math.h>

static const struct symbol_list symbols = {.count = 3, .names = {"BTCUSDT", "ETHUSDT", "XYZUSDT"}};

static struct source *simulate(struct store *store, double step_seconds)
{
    struct source *source = NULL;
    assert_ok(simulate_start(store, &symbols, step_seconds, NULL, NULL, &source, fault));
    return source;
}

static struct series load_all(struct store *store, const char *symbol)
{
    struct series series = {0};
    struct store_session *session = begin(store);
    assert_ok(store_load(session, symbol, T0, clock_wall_ms() + DAY_MS, CANDLE_MS, &series, fault));
    store_end(session);
    return series;
}

static void assert_no_hole(const struct series *series)
{
    for (size_t i = 1; i < series->count; i++)
        assert_int_equal(series->candles[i].open_time_ms - series->candles[i - 1].open_time_ms,
                         CANDLE_MS);
}

/* A market of the past, as the simulation itself would have left it. */
static void write_simulated(struct store *store, int64_t newest_ms, int count)
{
    struct store_session *session = begin(store);
    assert_ok(store_write_begin(session, SOURCE_SIMULATED, true, fault));
    for (size_t i = 0; i < symbols.count; i++)
        for (int k = 0; k < count; k++) {
            struct kline_row row = kline(symbols.names[i], 0, 4990, 5050, 4950, 5000);
            struct interest_row value = interest(symbols.names[i], 0, 1234567890);
            row.candle.open_time_ms = value.timestamp_ms = newest_ms - k * CANDLE_MS;
            assert_ok(store_write_kline(session, &row, fault));
            assert_ok(store_write_interest(session, &value, fault));
        }
    assert_ok(store_write_commit(session, NULL, NULL, fault));
    store_end(session);
}

static int64_t now_candle_ms(void)
{
    return clock_wall_ms() / CANDLE_MS * CANDLE_MS;
}

static void an_empty_database_gets_fifteen_days(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct source *source = simulate(store, 3600);
    for (size_t i = 0; i < symbols.count; i++) {
        struct series series = load_all(store, symbols.names[i]);
        assert_in_range(series.count, 15 * 288, 15 * 288 + 2);
        assert_no_hole(&series);
        assert_true(clock_wall_ms() - series.candles[series.count - 1].open_time_ms <
                    CANDLE_MS + 60000);
        series_deinit(&series);
    }
    source_stop(source, NULL);
    store_close(store);
}

static void the_market_is_believable(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct source *source = simulate(store, 3600);
    struct series series = load_all(store, "BTCUSDT");
    double moves = 0, rises = 0, falls = 0;
    for (size_t i = 0; i + 1 < series.count; i++) { /* the last one has just begun */
        const struct candle *candle = &series.candles[i];
        assert_true(candle->low_e8 <= candle->open_e8 && candle->low_e8 <= candle->close_e8);
        assert_true(candle->high_e8 >= candle->open_e8 && candle->high_e8 >= candle->close_e8);
        assert_int_equal(candle->close_e8 % (DECIMAL_ONE / 10), 0);
        assert_int_equal(candle->high_e8 % (DECIMAL_ONE / 10), 0);
        assert_true(candle->volume > 0);
        assert_true(candle->close_e8 > 50000 * DECIMAL_ONE &&
                    candle->close_e8 < 200000 * DECIMAL_ONE);
        moves += fabs(log((double)candle->close_e8 / (double)candle->open_e8));
        rises += series.deltas[i] > 0 ? series.deltas[i] : 0;
        falls -= series.deltas[i] < 0 ? series.deltas[i] : 0;
    }
    moves /= (double)series.count;
    assert_true(moves > 0.0003 && moves < 0.003);
    assert_true(rises > 1e9 && falls > 1e9);
    assert_int_equal(series.candles[0].open_e8, 98000 * DECIMAL_ONE);
    series_deinit(&series);
    series = load_all(store, "ETHUSDT");
    assert_int_equal(series.candles[0].open_e8, 3400 * DECIMAL_ONE);
    assert_int_equal(series.candles[99].close_e8 % (DECIMAL_ONE / 100), 0);
    series_deinit(&series);
    source_stop(source, NULL);
    store_close(store);
}

/* Open interest at the end of the newest candle, as far as that is known. */
static double forming_contracts(struct store *store)
{
    struct series series = load_all(store, "BTCUSDT");
    double contracts = series.contracts[series.count - 1];
    series_deinit(&series);
    return contracts;
}

struct told {
    const struct series *series;
    size_t long_count, short_count;
};

static void check_liquidation(const struct store_liquidation *row, void *context)
{
    struct told *told = context;
    const int64_t first_ms = told->series->candles[0].open_time_ms;
    const size_t at = (size_t)((row->time_ms - first_ms) / CANDLE_MS);
    assert_true(row->time_ms >= first_ms && at < told->series->count);
    const struct candle *candle = &told->series->candles[at];
    if (row->is_long)
        assert_true(row->price_e8 >= candle->low_e8);
    else
        assert_true(row->price_e8 <= candle->high_e8);
    assert_true(row->quantity_e8 > 0 && row->value_e8 > 0);
    assert_true(slice_equals(row->exchange, "simulated"));
    told->long_count += row->is_long;
    told->short_count += !row->is_long;
}

static void positions_that_price_reaches_are_told_as_liquidations(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    source_stop(simulate(store, 3600), NULL);
    struct series series = load_all(store, "BTCUSDT");
    struct told told = {.series = &series};
    struct store_session *session = begin(store);
    assert_ok(store_read_liquidations(session, "BTCUSDT", T0, clock_wall_ms() + DAY_MS,
                                      check_liquidation, &told, fault));
    store_end(session);
    assert_true(told.long_count > 200 && told.short_count > 200);
    series_deinit(&series);
    store_close(store);
}

static void the_forming_candle_moves(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct source *source = simulate(store, 0.02);
    double seen = forming_contracts(store);
    for (int changes = 0; changes < 5; changes++) {
        wait_until(fabs(forming_contracts(store) - seen) > 0.001);
        seen = forming_contracts(store);
    }
    source_stop(source, NULL);
    /* Rewritten, not added. */
    struct series series = load_all(store, "BTCUSDT");
    assert_in_range(series.count, 15 * 288, 15 * 288 + 2);
    assert_no_hole(&series);
    series_deinit(&series);
    store_close(store);
}

static void a_restart_continues_where_it_stopped(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    source_stop(simulate(store, 3600), NULL);
    struct series before = load_all(store, "BTCUSDT");
    store_close(store);
    store = open_store(database(state), STORE_OWNER);
    source_stop(simulate(store, 3600), NULL);
    struct series after = load_all(store, "BTCUSDT");
    assert_in_range(after.count, before.count, before.count + 1);
    assert_memory_equal(before.candles, after.candles,
                        (before.count - 1) * sizeof before.candles[0]);
    assert_int_equal(before.candles[before.count - 1].open_e8,
                     after.candles[before.count - 1].open_e8);
    series_deinit(&before);
    series_deinit(&after);
    store_close(store);
}

static void a_candle_that_was_forming_is_not_begun_again(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    int64_t forming_ms = now_candle_ms();
    write_simulated(store, forming_ms, 3);
    uint64_t before, after;
    assert_ok(store_version(store, &before, fault));
    struct source *source = simulate(store, 0.02);
    do {
        sleep_ms(5);
        assert_ok(store_version(store, &after, fault));
    } while (after < before + 5);
    source_stop(source, NULL);
    struct series series = load_all(store, "BTCUSDT");
    const struct candle *candle = &series.candles[2];
    assert_int_equal(candle->open_time_ms, forming_ms);
    assert_int_equal(candle->open_e8, 4990 * DECIMAL_ONE);
    assert_true(candle->high_e8 >= 5050 * DECIMAL_ONE && candle->low_e8 <= 4950 * DECIMAL_ONE);
    series_deinit(&series);
    store_close(store);
}

static void a_gap_is_filled(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_simulated(store, now_candle_ms() - 12 * CANDLE_MS, 10);
    source_stop(simulate(store, 3600), NULL);
    struct series series = load_all(store, "XYZUSDT");
    assert_in_range(series.count, 22, 23);
    assert_no_hole(&series);
    assert_int_equal(series.candles[10].open_e8, series.candles[9].close_e8);
    assert_true(fabs(series.deltas[10]) < 0.05 * 1234567890);
    series_deinit(&series);
    store_close(store);
}

static void of_a_long_gap_fifteen_days_are_filled(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_simulated(store, now_candle_ms() - 28 * DAY_MS, 10);
    source_stop(simulate(store, 3600), NULL);
    struct series series = load_all(store, "ETHUSDT");
    assert_in_range(series.count, 10 + 15 * 288, 10 + 15 * 288 + 2);
    assert_true(series.candles[10].open_time_ms - series.candles[9].open_time_ms > 12 * DAY_MS);
    assert_int_equal(series.candles[10].open_e8, 5000 * DECIMAL_ONE);
    series_deinit(&series);
    store_close(store);
}

static void real_data_is_left_alone(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 10, 1000);
    struct source *source = NULL;
    struct error error = {0};
    assert_int_equal(simulate_start(store, &symbols, 1, NULL, NULL, &source, &error),
                     STATUS_INVALID);
    assert_null(source);
    assert_non_null(strstr(error.message, "real data"));
    assert_non_null(strstr(error.message, database(state)));
    struct series series = load_all(store, "BTCUSDT");
    assert_int_equal(series.count, 10);
    series_deinit(&series);
    source_stop(NULL, NULL);
    store_close(store);
}

static void after_a_full_disk_the_market_continues_without_a_hole(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct source *source = simulate(store, 0.02);
    struct error error = {0};
    uint64_t failures, before, after;
    assert_ok(source_status(source, &failures, fault));
    assert_int_equal(failures, 0);
    leave_space(state, 100);
    wait_until(source_status(source, &failures, &error) != STATUS_OK && failures >= 3);
    assert_non_null(strstr(error.message, database(state)));
    struct series series = load_all(store, "BTCUSDT");
    assert_in_range(series.count, 15 * 288, 15 * 288 + 2);
    series_deinit(&series);
    leave_space(state, -1);

    wait_until(source_status(source, NULL, NULL) == STATUS_OK);
    assert_ok(store_version(store, &before, fault));
    do {
        sleep_ms(5);
        assert_ok(store_version(store, &after, fault));
    } while (after < before + 5);
    assert_ok(source_status(source, NULL, fault));
    source_stop(source, NULL);
    series = load_all(store, "BTCUSDT");
    assert_in_range(series.count, 15 * 288, 15 * 288 + 2);
    assert_no_hole(&series);
    series_deinit(&series);
    store_close(store);
}

static void a_database_that_takes_the_place_is_filled_up_to_now(void **state)
{
    struct store *store = open_store(path_in(state, "older.duckdb"), STORE_OWNER);
    write_simulated(store, now_candle_ms() - 12 * CANDLE_MS, 10);
    store_close(store);
    store = open_store(path_in(state, "real.duckdb"), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 10, 1000);
    store_close(store);

    store = open_store(database(state), STORE_OWNER);
    struct source *source = simulate(store, 0.02);
    struct error error = {0};
    assert_int_equal(rename(path_in(state, "real.duckdb"), database(state)), 0);
    wait_until(source_status(source, NULL, &error) == STATUS_INVALID);
    assert_non_null(strstr(error.message, "real data"));
    struct series series = load_all(store, "BTCUSDT");
    assert_int_equal(series.count, 10);
    series_deinit(&series);

    assert_int_equal(rename(path_in(state, "older.duckdb"), database(state)), 0);
    wait_until(source_status(source, NULL, NULL) == STATUS_OK);
    source_stop(source, NULL);
    series = load_all(store, "XYZUSDT");
    assert_in_range(series.count, 22, 23);
    assert_no_hole(&series);
    assert_int_equal(series.candles[10].open_e8, series.candles[9].close_e8);
    series_deinit(&series);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(an_empty_database_gets_fifteen_days),
        in_folder(the_market_is_believable),
        in_folder(positions_that_price_reaches_are_told_as_liquidations),
        in_folder(the_forming_candle_moves),
        in_folder(a_restart_continues_where_it_stopped),
        in_folder(a_candle_that_was_forming_is_not_begun_again),
        in_folder(a_gap_is_filled),
        in_folder(of_a_long_gap_fifteen_days_are_filled),
        in_folder(real_data_is_left_alone),
        in_folder(after_a_full_disk_the_market_continues_without_a_hole),
        in_folder(a_database_that_takes_the_place_is_filled_up_to_now),
    };
    return cmocka_run_group_tests_name("simulate", tests, NULL, NULL);
}
