/* Tables in, candles and deltas out: windows, holes, foreign databases, locks, and what a write
 * counts. */
#include "foreign_database.h"
#include "market_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

static struct series load(struct store *store, const char *symbol, int first, int last,
                          int64_t interval_ms)
{
    struct series series = {0};
    struct store_session *session = begin(store);
    assert_ok(store_load(session, symbol, T0 + first * CANDLE_MS, T0 + last * CANDLE_MS,
                         interval_ms, &series, fault));
    store_end(session);
    return series;
}

/* A database with the candles 0..count-1 of BTCUSDT (100, 103, 97, 101) and this open interest; 0
 * leaves a hole. */
static struct store *with_interest(void **state, const int64_t *values, int count)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct kline_row klines[16];
    struct interest_row interests[16];
    size_t interest_count = 0;
    for (int i = 0; i < count; i++) {
        klines[i] = kline("BTCUSDT", i, 100, 103, 97, 101);
        if (values[i] != 0)
            interests[interest_count++] = interest("BTCUSDT", i, values[i]);
    }
    write_rows(store, false, klines, (size_t)count, interests, interest_count, NULL, NULL);
    return store;
}

static void assert_deltas(struct series series, const double *deltas, size_t count)
{
    assert_int_equal(series.count, count);
    for (size_t i = 0; i < count; i++)
        if (series.deltas[i] != deltas[i])
            fail_msg("delta %zu is %f instead of %f", i, series.deltas[i], deltas[i]);
    series_deinit(&series);
}

/* -- reading ----------------------------------------------------------------------------------- */

static void what_is_written_is_read(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct kline_row row = kline("BTCUSDT", 3, 100, 104, 96, 101);
    row.candle.open_e8 = 9845012345678;
    row.candle.high_e8 = 999999999999999999; /* the most that DECIMAL(18,8) holds */
    row.candle.low_e8 = 1;
    row.volume_e8 = 250000000;
    write_rows(store, false, &row, 1, NULL, 0, NULL, NULL);
    struct series series = load(store, "BTCUSDT", 0, 10, CANDLE_MS);
    assert_int_equal(series.count, 1);
    assert_int_equal(series.candles[0].open_time_ms, T0 + 3 * CANDLE_MS);
    assert_int_equal(series.candles[0].open_e8, 9845012345678);
    assert_int_equal(series.candles[0].high_e8, 999999999999999999);
    assert_int_equal(series.candles[0].low_e8, 1);
    assert_int_equal(series.candles[0].close_e8, 101 * DECIMAL_ONE);
    assert_true(series.candles[0].volume == 2.5);
    series_deinit(&series);
    store_close(store);
}

static void both_ends_of_a_window_are_inclusive(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 10, 5);
    struct series series = load(store, "BTCUSDT", 2, 5, CANDLE_MS);
    assert_int_equal(series.count, 4);
    assert_int_equal(series.candles[0].open_time_ms, T0 + 2 * CANDLE_MS);
    assert_int_equal(series.candles[3].open_time_ms, T0 + 5 * CANDLE_MS);
    series_deinit(&series);
    store_close(store);
}

static void an_empty_window_is_no_error(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 3, 5);
    struct series series = load(store, "BTCUSDT", 50, 60, CANDLE_MS);
    assert_int_equal(series.count, 0);
    series_deinit(&series);
    series = load(store, "NONEUSDT", 0, 60, CANDLE_MS);
    assert_int_equal(series.count, 0);
    series_deinit(&series);
    store_close(store);
}

/* Of the symbols that are asked for at once. */
struct found_newest {
    int64_t open_time_ms, digest_ms;
    size_t digest_count;
};

static void on_newest(const struct store_newest *newest, void *context)
{
    struct found_newest *found = context;
    assert_false(slice_equals(newest->symbol, "VOIDUSDT"));
    if (slice_equals(newest->symbol, "BTCUSDT"))
        found->open_time_ms = newest->open_time_ms;
}

static void on_digest(const struct store_digest *digest, void *context)
{
    struct found_newest *found = context;
    if (digest->newest_ms > found->digest_ms)
        found->digest_ms = digest->newest_ms;
    found->digest_count++;
}

/* Rows without prices, or of the future, are no candles, and none of the ways to ask takes them for
 * the newest one. */
static void the_newest_candle_is_one_that_can_be_used(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 10, 5);
    write_market(store, "OLDUSDT", -600000, 10, 5);
    store_close(store);
    run_foreign(database(state),
                "INSERT INTO klines_5m_history (symbol, open_time, open, high, low, close, volume) "
                "VALUES ('BTCUSDT', '2025-12-01 02:00:00', 1, 1, 1, NULL, 1), "
                "('BTCUSDT', '2025-12-02 02:00:00', 1, 1, 0, 1, 1), "
                "('BTCUSDT', '2099-01-01 00:00:00', 1, 1, 1, 1, 1), "
                "('VOIDUSDT', '2025-12-02 02:00:00', 1, 1, 0, 1, 1)");
    store = open_store(database(state), STORE_SHARED);
    struct store_session *session = begin(store);
    struct found_newest found = {0};
    int64_t newest_ms;
    assert_ok(store_newest(session, "BTCUSDT", &newest_ms, fault));
    assert_int_equal(newest_ms, T0 + 9 * CANDLE_MS);
    assert_ok(store_newest(session, "OLDUSDT", &newest_ms, fault));
    assert_int_equal(newest_ms, T0 - 599991 * CANDLE_MS);
    assert_int_equal(store_newest(session, "VOIDUSDT", &newest_ms, NULL), STATUS_NO_DATA);
    assert_ok(store_newest_all(session, T0 - DAY_MS, false, on_newest, &found, fault));
    assert_int_equal(found.open_time_ms, T0 + 9 * CANDLE_MS);
    assert_ok(store_digest(session, STORE_CANDLES, "BTCUSDT", T0 / STORE_BLOCK_MS * STORE_BLOCK_MS,
                           on_digest, &found, fault));
    assert_int_equal(found.digest_ms, T0 + 9 * CANDLE_MS);
    assert_int_equal(found.digest_count, 2); /* of the two days */
    store_end(session);
    /* Up to a moment of the past, too, which is after the row without a price, or before it. */
    static const int known[][2] = {{25, 9}, {5, 4}};
    for (size_t i = 0; i < 2; i++) {
        store_set_horizon(store, T0 + known[i][0] * CANDLE_MS);
        session = begin(store);
        assert_ok(store_newest(session, "BTCUSDT", &newest_ms, fault));
        assert_int_equal(newest_ms, T0 + known[i][1] * CANDLE_MS);
        found = (struct found_newest){0};
        assert_ok(store_newest_all(session, T0, false, on_newest, &found, fault));
        assert_int_equal(found.open_time_ms, T0 + known[i][1] * CANDLE_MS);
        store_end(session);
    }
    store_close(store);
}

static void the_newest_candle_is_found_for_each_symbol(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 10, 5);
    write_market(store, "ETHUSDT", 0, 4, 5);
    struct store_session *session = begin(store);
    int64_t newest_ms = 0;
    assert_ok(store_newest(session, "BTCUSDT", &newest_ms, fault));
    assert_int_equal(newest_ms, T0 + 9 * CANDLE_MS);
    assert_ok(store_newest(session, "ETHUSDT", &newest_ms, fault));
    assert_int_equal(newest_ms, T0 + 3 * CANDLE_MS);
    struct error error;
    assert_int_equal(store_newest(session, "XRPUSDT", &newest_ms, &error), STATUS_NO_DATA);
    assert_non_null(strstr(error.message, "XRPUSDT"));
    store_end(session);
    store_close(store);
}

static void the_first_bucket_has_delta_zero(void **state)
{
    struct store *store = with_interest(state, (int64_t[]){1000, 1500, 1200}, 3);
    assert_deltas(load(store, "BTCUSDT", 0, 2, CANDLE_MS), (double[]){0, 500, -300}, 3);
    /* The first of the window, not of the table. */
    assert_deltas(load(store, "BTCUSDT", 1, 2, CANDLE_MS), (double[]){0, -300}, 2);
    store_close(store);
}

static void a_hole_gives_the_next_bucket_the_whole_change(void **state)
{
    struct store *store = with_interest(state, (int64_t[]){1000, 0, 0, 1600}, 4);
    assert_deltas(load(store, "BTCUSDT", 0, 3, CANDLE_MS), (double[]){0, 0, 0, 600}, 4);
    store_close(store);
}

static void an_open_interest_of_zero_is_missing_data(void **state)
{
    struct store *store = with_interest(state, (int64_t[]){1000, 0, 1100}, 3);
    struct interest_row zero = interest("BTCUSDT", 1, 0);
    write_rows(store, false, NULL, 0, &zero, 1, NULL, NULL);
    assert_deltas(load(store, "BTCUSDT", 0, 2, CANDLE_MS), (double[]){0, 0, 100}, 3);
    store_close(store);
}

static void a_bucket_without_a_candle_still_is_the_previous_one(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    const struct kline_row klines[] = {kline("BTCUSDT", 0, 100, 101, 99, 100),
                                       kline("BTCUSDT", 2, 100, 101, 99, 100)};
    const struct interest_row interests[] = {
        interest("BTCUSDT", 0, 1000), interest("BTCUSDT", 1, 1700), interest("BTCUSDT", 2, 1800)};
    write_rows(store, false, klines, 2, interests, 3, NULL, NULL);
    assert_deltas(load(store, "BTCUSDT", 0, 2, CANDLE_MS), (double[]){0, 100}, 2);
    store_close(store);
}

static void a_late_stamp_belongs_to_the_candle_it_falls_in(void **state)
{
    struct store *store = with_interest(state, (int64_t[]){1000, 0, 0}, 3);
    struct interest_row late[] = {interest("BTCUSDT", 1, 1400), interest("BTCUSDT", 2, 1500)};
    late[0].timestamp_ms += 2000;
    late[1].timestamp_ms += CANDLE_MS - 1; /* the last moment of the window's last candle */
    write_rows(store, false, NULL, 0, late, 2, NULL, NULL);
    assert_deltas(load(store, "BTCUSDT", 0, 2, CANDLE_MS), (double[]){0, 400, 100}, 3);
    store_close(store);
}

static void several_values_in_a_bucket_are_averaged(void **state)
{
    struct store *store = with_interest(state, (int64_t[]){1000, 2000}, 2);
    struct interest_row second = interest("BTCUSDT", 1, 3000);
    second.timestamp_ms += 60000;
    write_rows(store, false, NULL, 0, &second, 1, NULL, NULL);
    assert_deltas(load(store, "BTCUSDT", 0, 1, CANDLE_MS), (double[]){0, 1500}, 2);
    store_close(store);
}

static void longer_intervals_aggregate_candles(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    const struct kline_row klines[] = {
        kline("BTCUSDT", 0, 100, 105, 95, 102), kline("BTCUSDT", 1, 102, 120, 101, 110),
        kline("BTCUSDT", 2, 110, 111, 90, 108), kline("BTCUSDT", 3, 108, 109, 107, 109)};
    const struct interest_row interests[] = {
        interest("BTCUSDT", 0, 1000), interest("BTCUSDT", 1, 2000), interest("BTCUSDT", 2, 3000),
        interest("BTCUSDT", 3, 2500)};
    write_rows(store, false, klines, 4, interests, 4, NULL, NULL);
    struct series series = load(store, "BTCUSDT", 0, 3, 3 * CANDLE_MS);
    assert_int_equal(series.count, 2);
    assert_int_equal(series.candles[0].open_e8, 100 * DECIMAL_ONE);
    assert_int_equal(series.candles[0].high_e8, 120 * DECIMAL_ONE);
    assert_int_equal(series.candles[0].low_e8, 90 * DECIMAL_ONE);
    assert_int_equal(series.candles[0].close_e8, 108 * DECIMAL_ONE);
    assert_true(series.candles[0].volume == 3);
    assert_int_equal(series.candles[1].open_time_ms, T0 + 3 * CANDLE_MS);
    assert_deltas(series, (double[]){0, 500}, 2); /* 2500 less the average 2000 */
    store_close(store);
}

/* -- foreign databases ------------------------------------------------------------------------- */

#define FOREIGN_KLINES                                                                             \
    "CREATE TABLE klines_5m_history (open_time %s, symbol VARCHAR, open %s, high %s, low %s, "     \
    "close %s, volume %s, note VARCHAR);"
#define FOREIGN_INTEREST                                                                           \
    "CREATE TABLE open_interest_history (timestamp %s, symbol VARCHAR, open_interest_value %s);"

static void make_foreign(const char *path, const char *time, const char *number)
{
    char sql[1024];
    snprintf(sql, sizeof sql, FOREIGN_KLINES FOREIGN_INTEREST, time, number, number, number, number,
             number, time, number);
    run_foreign(path, sql);
}

static void foreign_column_types_are_read(void **state)
{
    static const char *const times[] = {"TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_S",
                                        "TIMESTAMP WITH TIME ZONE"};
    static const char *const numbers[] = {"DOUBLE", "DECIMAL(38,12)", "DECIMAL(12,2)", "VARCHAR"};
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "foreign%d", i);
        const char *path = path_in(state, name);
        make_foreign(path, times[i], numbers[i]);
        run_foreign(path, "SET TimeZone = 'UTC';"
                          "INSERT INTO klines_5m_history VALUES "
                          "('2025-12-01 00:05:00', 'BTCUSDT', 100.1, 103, 97, 101.25, 2, 'second'),"
                          "('2025-12-01 00:00:00', 'BTCUSDT', 100.1, 103, 97, 101.25, 2, 'first');"
                          "INSERT INTO open_interest_history VALUES "
                          "('2025-12-01 00:05:01', 'BTCUSDT', 8000000500.5),"
                          "('2025-12-01 00:00:00', 'BTCUSDT', 8000000000);");
        struct store *store = open_store(path, STORE_SHARED);
        struct series series = load(store, "BTCUSDT", 0, 5, CANDLE_MS);
        assert_int_equal(series.candles[0].open_time_ms, T0);
        assert_int_equal(series.candles[0].open_e8, 10010000000);
        assert_int_equal(series.candles[1].close_e8, 10125000000);
        assert_deltas(series, (double[]){0, 500.5}, 2);
        store_close(store);
    }
}

static void times_with_a_zone_are_utc_whatever_the_machine_says(void **state)
{
    const char *path = database(state);
    make_foreign(path, "TIMESTAMP WITH TIME ZONE", "DOUBLE");
    run_foreign(path, "INSERT INTO klines_5m_history VALUES "
                      "('2025-12-01 02:00:00+02', 'BTCUSDT', 100, 103, 97, 101, 2, NULL);");
    setenv("TZ", "Asia/Tokyo", 1);
    tzset();
    struct store *store = open_store(path, STORE_SHARED);
    struct series series = load(store, "BTCUSDT", 0, 0, CANDLE_MS);
    assert_int_equal(series.count, 1);
    assert_int_equal(series.candles[0].open_time_ms, T0);
    series_deinit(&series);
    store_close(store);
    unsetenv("TZ");
    tzset();
}

static void rows_without_a_price_are_passed_over(void **state)
{
    const char *path = database(state);
    make_foreign(path, "TIMESTAMP", "DOUBLE");
    run_foreign(path, "INSERT INTO klines_5m_history VALUES "
                      "('2025-12-01 00:00:00', 'BTCUSDT', 100, 103, 97, 101, NULL, ''),"
                      "('2025-12-01 00:05:00', 'BTCUSDT', NULL, 103, 97, 101, 2, ''),"
                      "('2025-12-01 00:10:00', 'BTCUSDT', 100, 'nan', 97, 101, 2, ''),"
                      "('2025-12-01 00:15:00', 'BTCUSDT', 100, 103, 0, 101, 2, ''),"
                      "('2025-12-01 00:20:00', 'BTCUSDT', 100, 103, 97, -1, 2, ''),"
                      "('2025-12-01 00:25:00', 'BTCUSDT', 100, 1e300, 97, 101, 2, ''),"
                      "('2025-12-01 00:30:00', NULL, 100, 103, 97, 101, 2, ''),"
                      "(NULL, 'BTCUSDT', 100, 103, 97, 101, 2, ''),"
                      "('infinity', 'BTCUSDT', 100, 103, 97, 101, 2, ''),"
                      "('2025-12-01 00:35:00', 'BTCUSDT', 100, 103, 97, 101, 2, '');"
                      "INSERT INTO open_interest_history VALUES "
                      "('2025-12-01 00:00:00', 'BTCUSDT', 1000),"
                      "('2025-12-01 00:00:00', 'BTCUSDT', NULL),"
                      "('2025-12-01 00:05:00', 'BTCUSDT', 'nan'),"
                      "('2025-12-01 00:10:00', 'BTCUSDT', -5),"
                      "('2025-12-01 00:15:00', 'BTCUSDT', 'infinity'),"
                      "('2025-12-01 00:35:00', 'BTCUSDT', 1001);");
    struct store *store = open_store(path, STORE_SHARED);
    struct series series = load(store, "BTCUSDT", 0, 20, CANDLE_MS);
    assert_true(series.candles[0].volume == 0);
    assert_int_equal(series.candles[1].open_time_ms, T0 + 7 * CANDLE_MS);
    assert_deltas(series, (double[]){0, 1}, 2);
    struct store_session *session = begin(store);
    int64_t newest_ms;
    assert_ok(store_newest(session, "BTCUSDT", &newest_ms, fault));
    assert_int_equal(newest_ms, T0 + 7 * CANDLE_MS);
    store_end(session);
    store_close(store);
}

/* Loads candle 0 of two databases that hold the same rows in opposite order. */
static void duplicates_do_not_depend_on_row_order(void **state)
{
    static const char *const orders[] = {"ORDER BY volume, close",
                                         "ORDER BY volume DESC, close DESC"};
    struct candle found[2];
    double deltas[2];
    for (int i = 0; i < 2; i++) {
        const char *path = path_in(state, i == 0 ? "up" : "down");
        char sql[1024];
        make_foreign(path, "TIMESTAMP", "DOUBLE");
        snprintf(sql, sizeof sql,
                 "INSERT INTO klines_5m_history SELECT * FROM (VALUES "
                 "(TIMESTAMP '2025-12-01 00:00:00', 'BTCUSDT', 100, 103, 97, 101, 2, ''),"
                 "(TIMESTAMP '2025-12-01 00:00:00', 'BTCUSDT', 100, 103, 97, 101, 2, ''),"
                 "(TIMESTAMP '2025-12-01 00:00:00', 'BTCUSDT', 100, 105, 97, 104, 7, ''),"
                 "(TIMESTAMP '2025-12-01 00:00:00', 'BTCUSDT', 100, 105, 97, 102, 7, ''),"
                 "(TIMESTAMP '2025-12-01 00:05:00', 'BTCUSDT', 100, 103, 97, 101, 1, '')) "
                 "AS rows(open_time, symbol, open, high, low, close, volume, note) %s;"
                 "INSERT INTO open_interest_history SELECT * FROM (VALUES "
                 "(TIMESTAMP '2025-12-01 00:00:00', 'BTCUSDT', 1000.1),"
                 "(TIMESTAMP '2025-12-01 00:00:00', 'BTCUSDT', 1000.1),"
                 "(TIMESTAMP '2025-12-01 00:00:00', 'BTCUSDT', 3000.7),"
                 "(TIMESTAMP '2025-12-01 00:05:00', 'BTCUSDT', 2500.3)) "
                 "AS rows(timestamp, symbol, volume) ORDER BY volume %s;",
                 orders[i], i == 0 ? "ASC" : "DESC");
        run_foreign(path, sql);
        struct store *store = open_store(path, STORE_SHARED);
        struct series series = load(store, "BTCUSDT", 0, 1, CANDLE_MS);
        assert_int_equal(series.count, 2);
        found[i] = series.candles[0];
        deltas[i] = series.deltas[1];
        series_deinit(&series);
        store_close(store);
    }
    assert_memory_equal(&found[0], &found[1], sizeof found[0]);
    assert_int_equal(found[0].close_e8, 104 * DECIMAL_ONE);
    assert_true(deltas[0] == deltas[1]);
    assert_true(deltas[0] > 499.8 && deltas[0] < 500); /* the same row twice counts once */
}

static void assert_unusable(const char *path, enum status expected, const char *const *words)
{
    struct store *store = open_store(path, STORE_SHARED);
    struct store_session *session;
    struct error error = {0};
    assert_int_equal(store_begin(store, &session, &error), expected);
    assert_null(session);
    assert_non_null(strstr(error.message, path));
    for (; *words != NULL; words++)
        if (strstr(error.message, *words) == NULL)
            fail_msg("'%s' does not say '%s'", error.message, *words);
    store_close(store);
}

static void a_missing_table_is_named(void **state)
{
    run_foreign(database(state), "CREATE TABLE something (i INTEGER)");
    assert_unusable(database(state), STATUS_NOT_FOUND, (const char *[]){"klines_5m_history", NULL});
}

static void a_missing_column_is_named(void **state)
{
    run_foreign(database(state),
                "CREATE TABLE klines_5m_history (open_time TIMESTAMP, symbol VARCHAR, open DOUBLE, "
                "high DOUBLE, low DOUBLE, close DOUBLE, volume DOUBLE);"
                "CREATE TABLE open_interest_history (timestamp TIMESTAMP, symbol VARCHAR)");
    assert_unusable(database(state), STATUS_NOT_FOUND,
                    (const char *[]){"open_interest_history", "open_interest_value", NULL});
}

static void names_may_be_written_in_capitals(void **state)
{
    run_foreign(database(state),
                "CREATE TABLE KLINES_5M_HISTORY (\"Open_Time\" TIMESTAMP, SYMBOL VARCHAR, \"OPEN\" "
                "DOUBLE, HIGH DOUBLE, LOW DOUBLE, CLOSE DOUBLE, VOLUME DOUBLE);"
                "CREATE VIEW open_interest_history AS SELECT '2025-12-01'::TIMESTAMP AS timestamp, "
                "'BTCUSDT' AS symbol, 5 AS open_interest_value;");
    struct store *store = open_store(database(state), STORE_SHARED);
    store_end(begin(store));
    store_close(store);
}

static void a_view_of_other_tables_is_as_good_as_a_table(void **state)
{
    run_foreign(
        database(state),
        "CREATE SCHEMA raw; CREATE TABLE raw.candles AS SELECT TIMESTAMP '2025-12-01' AS t, "
        "'BTCUSDT' AS symbol, 100.0 AS open, 101.0 AS high, 99.0 AS low, 100.5 AS close, 7 AS "
        "volume; CREATE TABLE interest AS SELECT t AS timestamp, symbol, 5.0 AS "
        "open_interest_value FROM raw.candles;"
        "CREATE MACRO same(x) AS x;"
        "CREATE VIEW klines_5m_history AS SELECT same(t) AS open_time, * FROM raw.candles;"
        "CREATE VIEW open_interest_history AS SELECT * FROM interest;");
    struct store *store = open_store(database(state), STORE_SHARED);
    struct series series = load(store, "BTCUSDT", 0, 0, CANDLE_MS);
    assert_int_equal(series.count, 1);
    assert_int_equal(series.candles[0].high_e8, 101 * DECIMAL_ONE);
    series_deinit(&series);
    store_close(store);
}

static void a_view_may_name_its_database(void **state)
{
    static const char *const files[] = {"v2.duckdb", "system.db", ".x.y.z"};
    static const char *const catalogs[] = {"v2", "system_db", "x"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = path_in(state, files[i]);
        struct store *owner = open_store(path, STORE_OWNER);
        write_market(owner, "BTCUSDT", 0, 3, 5);
        store_close(owner);
        char sql[300];
        snprintf(sql, sizeof sql,
                 "CREATE TABLE raw AS FROM klines_5m_history; DROP TABLE klines_5m_history; "
                 "CREATE VIEW klines_5m_history AS FROM \"%s\".main.raw",
                 catalogs[i]);
        run_foreign(path, sql);
        struct store *store = open_store(path, STORE_SHARED);
        struct series series = load(store, "BTCUSDT", 0, 2, CANDLE_MS);
        assert_int_equal(series.count, 3);
        series_deinit(&series);
        store_close(store);
    }
}

static void any_name_of_a_file_will_do(void **state)
{
    static const char *const names[] = {"memory.duckdb",
                                        "Memory",
                                        "it's.duckdb",
                                        "a b;c",
                                        "x\"y",
                                        "100%s",
                                        "main.duckdb",
                                        "Main",
                                        "TEMP",
                                        "temp.duckdb",
                                        "system",
                                        "pg_catalog.x",
                                        ".main",
                                        "...",
                                        "information_schema",
                                        "select.db",
                                        "-x",
                                        "\xE5\xB8\x81.db",
                                        "sqlite:x",
                                        "'; DROP TABLE x; --"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct store *owner = open_store(path_in(state, names[i]), STORE_OWNER);
        write_market(owner, "BTCUSDT", 0, 3, 5);
        store_close(owner);
        struct store *store = open_store(path_in(state, names[i]), STORE_SHARED);
        struct series series = load(store, "BTCUSDT", 0, 0, CANDLE_MS);
        assert_int_equal(series.count, 1);
        series_deinit(&series);
        store_close(store);
    }
}

static void a_name_without_a_folder_is_a_file_whatever_it_means_to_duckdb(void **state)
{
    static const char *const names[] = {":memory:", "sqlite:x", "md:x", "main"};
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(*state), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct store *owner = open_store(names[i], STORE_OWNER);
        write_market(owner, "BTCUSDT", 0, 3, 5);
        store_close(owner);
        assert_int_equal(access(names[i], F_OK), 0);
        struct store *store = open_store(names[i], STORE_SHARED);
        struct series series = load(store, "BTCUSDT", 0, 0, CANDLE_MS);
        assert_int_equal(series.count, 1);
        series_deinit(&series);
        store_close(store);
    }
    assert_int_equal(chdir(before), 0);
}

static void a_name_that_duckdb_cannot_open_is_refused(void **state)
{
    struct store *store;
    struct error error;
    assert_int_equal(store_open(path_in(state, "what?"), STORE_OWNER, &store, &error),
                     STATUS_INVALID);
    assert_null(store);
    assert_non_null(strstr(error.message, "'?'"));
}

static void a_schema_may_be_called_as_the_file_is(void **state)
{
    const char *path = path_in(state, "market.duckdb");
    struct store *owner = open_store(path, STORE_OWNER);
    write_market(owner, "BTCUSDT", 0, 3, 5);
    store_close(owner);
    run_foreign(path, "CREATE SCHEMA market");
    struct store *store = open_store(path, STORE_SHARED);
    struct series series = load(store, "BTCUSDT", 0, 0, CANDLE_MS);
    assert_int_equal(series.count, 1);
    series_deinit(&series);
    store_close(store);
}

static void a_missing_file_says_what_to_do(void **state)
{
    assert_unusable(database(state), STATUS_NOT_FOUND,
                    (const char *[]){"heatcast import", "--demo", NULL});
    struct store *store = open_store(database(state), STORE_SHARED);
    uint64_t version;
    assert_int_equal(store_version(store, &version, NULL), STATUS_NOT_FOUND);
    store_close(store);
    assert_int_equal(access(database(state), F_OK), -1);
}

static void write_file(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void a_file_that_is_no_database_is_an_error_that_names_it(void **state)
{
    char text[8192];
    memset(text, 'z', sizeof text);
    write_file(path_in(state, "text"), text, sizeof text);
    assert_unusable(path_in(state, "text"), STATUS_IO, (const char *[]){NULL});
    assert_unusable(*state, STATUS_IO, (const char *[]){NULL});
}

static void a_truncated_database_is_an_error_or_whole(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 2000, 5);
    store_close(store);
    assert_int_equal(truncate(database(state), 40000), 0);
    store = open_store(database(state), STORE_SHARED);
    struct store_session *session;
    struct series series = {0};
    struct error error = {0};
    enum status status = store_begin(store, &session, &error);
    if (status == STATUS_OK)
        status = store_load(session, "BTCUSDT", T0, T0 + DAY_MS, CANDLE_MS, &series, &error);
    assert_int_equal(status, STATUS_IO);
    assert_non_null(strstr(error.message, database(state)));
    store_end(session);
    series_deinit(&series);
    store_close(store);
}

/* -- sharing ----------------------------------------------------------------------------------- */

struct child {
    pid_t pid;
    int hold[2]; /* closing the write end ends the child */
};

/* A process that has the database open for writing. It dies without cleaning up. */
static struct child hold_in_child(const char *path)
{
    struct child child;
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(child.hold), 0);
    assert_int_equal(pipe(ready), 0);
    child.pid = fork();
    if (child.pid == 0) {
        struct store *store;
        close(child.hold[1]);
        if (store_open(path, STORE_OWNER, &store, NULL) != STATUS_OK)
            _exit(1);
        struct store_session *session;
        struct kline_row row = kline("BTCUSDT", 999, 100, 101, 99, 100);
        if (store_begin(store, &session, NULL) != STATUS_OK ||
            store_write_begin(session, "test", true, NULL) != STATUS_OK ||
            store_write_kline(session, &row, NULL) != STATUS_OK ||
            store_write_commit(session, NULL, NULL, NULL) != STATUS_OK)
            _exit(2);
        if (write(ready[1], "x", 1) != 1 || read(child.hold[0], &byte, 1) < 0)
            _exit(3);
        _exit(0);
    }
    close(ready[1]);
    close(child.hold[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void end_child(struct child *child)
{
    int status;
    close(child->hold[1]);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_locked_file_is_busy_not_an_error(void **state)
{
    struct child child = hold_in_child(database(state));
    struct store *store = open_store(database(state), STORE_SHARED), *owner;
    struct store_session *session;
    struct error error = {0};
    assert_int_equal(store_begin(store, &session, &error), STATUS_BUSY);
    assert_non_null(strstr(error.message, database(state)));
    assert_int_equal(store_open(database(state), STORE_OWNER, &owner, &error), STATUS_BUSY);
    assert_null(owner);
    end_child(&child);
    store_end(begin(store));
    store_close(store);
}

static void between_sessions_the_file_is_free_for_writers(void **state)
{
    struct store *owner = open_store(database(state), STORE_OWNER);
    write_market(owner, "BTCUSDT", 0, 3, 5);
    store_close(owner);
    struct store *store = open_store(database(state), STORE_SHARED);
    for (int i = 0; i < 3; i++) {
        struct store_session *session;
        store_end(begin(store));
        struct child child = hold_in_child(database(state)); /* which fails if it may not write */
        assert_int_equal(store_begin(store, &session, NULL), STATUS_BUSY);
        end_child(&child);
    }
    struct series series = load(store, "BTCUSDT", 999, 999, CANDLE_MS);
    assert_int_equal(series.count, 1);
    series_deinit(&series);
    store_close(store);
}

static void it_opens_as_often_as_need_be(void **state)
{
    enum { OPENINGS = 1100 }; /* more than one database object is used for */
    struct store *owner = open_store(database(state), STORE_OWNER);
    write_market(owner, "BTCUSDT", 0, 3, 5);
    store_close(owner);
    struct store *store = open_store(database(state), STORE_SHARED);
    for (int i = 0; i < OPENINGS; i++) {
        int64_t newest_ms;
        struct store_session *session = begin(store);
        assert_ok(store_newest(session, "BTCUSDT", &newest_ms, fault));
        assert_int_equal(newest_ms, T0 + 2 * CANDLE_MS);
        store_end(session);
    }
    store_close(store);
}

static void a_log_left_by_a_dead_writer_is_read(void **state)
{
    struct child child = hold_in_child(database(state));
    end_child(&child);
    char wal[300];
    snprintf(wal, sizeof wal, "%s.wal", database(state));
    assert_int_equal(access(wal, F_OK), 0);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct series series = load(store, "BTCUSDT", 999, 999, CANDLE_MS);
    assert_int_equal(series.count, 1);
    series_deinit(&series);
    store_close(store);
}

static void the_version_changes_with_the_file_alone(void **state)
{
    struct store *owner = open_store(database(state), STORE_OWNER);
    write_market(owner, "BTCUSDT", 0, 3, 5);
    store_close(owner);
    struct store *store = open_store(database(state), STORE_SHARED);
    uint64_t before, after;
    assert_ok(store_version(store, &before, fault));
    store_end(begin(store));
    assert_ok(store_version(store, &after, fault));
    assert_int_equal(before, after);
    struct child child = hold_in_child(database(state));
    end_child(&child);
    assert_ok(store_version(store, &after, fault));
    assert_int_not_equal(before, after);
    store_close(store);
}

static void an_owners_version_counts_its_commits(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    uint64_t before, after;
    assert_ok(store_version(store, &before, fault));
    store_end(begin(store));
    assert_ok(store_version(store, &after, fault));
    assert_int_equal(before, after);
    write_market(store, "BTCUSDT", 0, 3, 5);
    assert_ok(store_version(store, &after, fault));
    assert_int_not_equal(before, after);
    store_close(store);
}

static void a_replaced_file_is_seen_while_the_old_one_is_in_use(void **state)
{
    struct store *owner = open_store(database(state), STORE_OWNER);
    write_market(owner, "BTCUSDT", 0, 3, 5);
    store_close(owner);
    owner = open_store(path_in(state, "new.duckdb"), STORE_OWNER);
    write_market(owner, "BTCUSDT", 0, 7, 5);
    store_close(owner);

    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *old = begin(store);
    assert_int_equal(rename(path_in(state, "new.duckdb"), database(state)), 0);
    struct series series = load(store, "BTCUSDT", 0, 10, CANDLE_MS);
    assert_int_equal(series.count, 7);
    assert_ok(store_load(old, "BTCUSDT", T0, T0 + DAY_MS, CANDLE_MS, &series, fault));
    assert_int_equal(series.count, 3);
    store_end(old);
    series_deinit(&series);
    store_close(store);
}

/* Begins a session on another thread, which may have to wait. */
struct beginner {
    pthread_t thread;
    struct store *store;
    size_t count;
    atomic_bool is_done;
};

static void *begin_and_count(void *context)
{
    struct beginner *beginner = context;
    struct series series = load(beginner->store, "BTCUSDT", 0, 100, CANDLE_MS);
    beginner->count = series.count;
    series_deinit(&series);
    beginner->is_done = true;
    return NULL;
}

static void a_file_that_was_copied_over_waits_for_the_sessions_on_it(void **state)
{
    struct store *owner = open_store(database(state), STORE_OWNER);
    write_market(owner, "BTCUSDT", 0, 3, 5);
    store_close(owner);
    owner = open_store(path_in(state, "new.duckdb"), STORE_OWNER);
    write_market(owner, "BTCUSDT", 0, 7, 5);
    store_close(owner);

    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *old = begin(store);
    char command[600];
    snprintf(command, sizeof command, "cp '%s' '%s'", path_in(state, "new.duckdb"),
             database(state));
    assert_int_equal(system(command), 0);
    struct beginner beginner = {.store = store};
    pthread_create(&beginner.thread, NULL, begin_and_count, &beginner);
    sleep_ms(100);
    assert_false(beginner.is_done);
    store_end(old);
    pthread_join(beginner.thread, NULL);
    assert_int_equal(beginner.count, 7);
    store_close(store);
}

struct reader {
    pthread_t thread;
    struct store *store;
    int failures;
};

static void *read_many_times(void *context)
{
    struct reader *reader = context;
    struct series series = {0};
    for (int i = 0; i < 30; i++) {
        struct store_session *session;
        if (store_begin(reader->store, &session, NULL) != STATUS_OK ||
            store_load(session, "BTCUSDT", T0, T0 + DAY_MS, CANDLE_MS, &series, NULL) !=
                STATUS_OK ||
            series.count != 100)
            reader->failures++;
        store_end(session);
    }
    series_deinit(&series);
    return NULL;
}

static void many_threads_may_read_at_once(void **state)
{
    struct store *owner = open_store(database(state), STORE_OWNER);
    write_market(owner, "BTCUSDT", 0, 100, 5);
    store_close(owner);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct reader readers[4];
    for (int i = 0; i < 4; i++) {
        readers[i] = (struct reader){.store = store};
        pthread_create(&readers[i].thread, NULL, read_many_times, &readers[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].failures, 0);
    }
    /* It is not open now: another process may write. */
    struct child child = hold_in_child(database(state));
    end_child(&child);
    store_close(store);
}

/* -- writing ----------------------------------------------------------------------------------- */

static void writing_twice_changes_nothing(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    const struct kline_row first = kline("BTCUSDT", 0, 100, 101, 99, 100),
                           other = kline("BTCUSDT", 0, 200, 201, 199, 200);
    const struct interest_row value = interest("BTCUSDT", 0, 1000);
    uint64_t klines_new, interest_new;
    write_rows(store, false, &first, 1, &value, 1, &klines_new, &interest_new);
    assert_int_equal(klines_new, 1);
    assert_int_equal(interest_new, 1);
    write_rows(store, false, &other, 1, &value, 1, &klines_new, &interest_new);
    assert_int_equal(klines_new, 0);
    assert_int_equal(interest_new, 0);
    struct series series = load(store, "BTCUSDT", 0, 5, CANDLE_MS);
    assert_int_equal(series.count, 1);
    assert_int_equal(series.candles[0].open_e8, 100 * DECIMAL_ONE);
    series_deinit(&series);
    store_close(store);
}

static void a_replacing_write_overwrites(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    for (int i = 0; i < 5; i++) {
        const struct kline_row klines[] = {kline("BTCUSDT", 0, 100 + i, 110, 90, 100),
                                           kline("BTCUSDT", i, 100 + i, 110, 90, 100)};
        const struct interest_row value = interest("BTCUSDT", 0, 1000 + i);
        uint64_t klines_new, interest_new;
        write_rows(store, true, klines, 2, &value, 1, &klines_new, &interest_new);
        assert_int_equal(klines_new, 1);
        assert_int_equal(interest_new, i == 0);
    }
    struct series series = load(store, "BTCUSDT", 0, 5, CANDLE_MS);
    assert_int_equal(series.count, 5);
    assert_int_equal(series.candles[0].open_e8, 104 * DECIMAL_ONE);
    series_deinit(&series);
    store_close(store);
    assert_int_equal(ask_foreign(database(state), "SELECT count(*) FROM open_interest_history"), 1);
    assert_int_equal(ask_foreign(database(state),
                                 "SELECT open_interest_value::BIGINT FROM open_interest_history"),
                     1004);
}

static void a_row_twice_in_one_batch_is_one_row(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    const struct kline_row klines[] = {kline("BTCUSDT", 0, 100, 101, 99, 100),
                                       kline("BTCUSDT", 0, 200, 201, 199, 200)};
    uint64_t klines_new;
    write_rows(store, false, klines, 2, NULL, 0, &klines_new, NULL);
    assert_int_equal(klines_new, 1);
    struct series series = load(store, "BTCUSDT", 0, 5, CANDLE_MS);
    assert_int_equal(series.candles[0].open_e8, 100 * DECIMAL_ONE); /* the first */
    write_rows(store, true, klines, 2, NULL, 0, NULL, NULL);
    series_deinit(&series);
    series = load(store, "BTCUSDT", 0, 5, CANDLE_MS);
    assert_int_equal(series.candles[0].open_e8, 200 * DECIMAL_ONE); /* the last */
    series_deinit(&series);
    store_close(store);
}

static void two_symbols_with_the_same_open_time_both_survive(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    const struct kline_row klines[] = {kline("BTCUSDT", 0, 100, 101, 99, 100),
                                       kline("ETHUSDT", 0, 200, 201, 199, 200)};
    const struct interest_row values[] = {interest("BTCUSDT", 0, 1), interest("ETHUSDT", 0, 2)};
    uint64_t klines_new, interest_new;
    write_rows(store, false, klines, 2, values, 2, &klines_new, &interest_new);
    assert_int_equal(klines_new, 2);
    assert_int_equal(interest_new, 2);
    struct series series = load(store, "ETHUSDT", 0, 0, CANDLE_MS);
    assert_int_equal(series.candles[0].open_e8, 200 * DECIMAL_ONE);
    series_deinit(&series);
    store_close(store);
}

static void a_rollback_leaves_nothing(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct store_session *session = begin(store);
    struct kline_row row = kline("BTCUSDT", 0, 100, 101, 99, 100);
    assert_ok(store_write_begin(session, "test", false, fault));
    assert_ok(store_write_kline(session, &row, fault));
    store_write_rollback(session);
    store_end(session);
    session = begin(store);
    assert_ok(store_write_begin(session, "test", false, fault));
    assert_ok(store_write_kline(session, &row, fault));
    store_end(session); /* an open write is rolled back */
    struct series series = load(store, "BTCUSDT", 0, 5, CANDLE_MS);
    assert_int_equal(series.count, 0);
    write_market(store, "BTCUSDT", 0, 3, 5); /* and the next write works */
    store_close(store);
}

static void unknown_values_are_null_and_known_ones_exact(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct kline_row rows[] = {kline("BTCUSDT", 0, 100, 101, 99, 100),
                               kline("BTCUSDT", 1, 100, 101, 99, 100)};
    struct interest_row value = interest("BTCUSDT", 0, 1);
    rows[1].has_quote_volume = rows[1].has_count = true;
    rows[1].quote_volume_e8 = INT64_C(5000000000012345678);
    rows[1].count = 77;
    rows[1].volume_e8 = -1;
    value.value_e8 = 806496386447508100;
    write_rows(store, false, rows, 2, &value, 1, NULL, NULL);
    store_close(store);
    const char *path = database(state);
    assert_int_equal(ask_foreign(path, "SELECT count(*) FROM klines_5m_history WHERE quote_volume "
                                       "IS NULL AND count IS NULL AND taker_buy_volume IS NULL "
                                       "AND close_time = '2025-12-01 00:04:59.999'"),
                     1);
    assert_int_equal(ask_foreign(path, "SELECT count(*) FROM klines_5m_history WHERE quote_volume "
                                       "= 50000000000.12345678 AND count = 77 AND volume IS NULL"),
                     1);
    assert_int_equal(ask_foreign(path, "SELECT count(*) FROM open_interest_history WHERE "
                                       "open_interest_value = 8064963864.475081 AND id = 1 "
                                       "AND source = 'test' AND open_interest_contracts IS NULL"),
                     1);
}

static void ids_continue_from_the_greatest(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 5, 5);
    store_close(store);
    store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 3, 5, 5);
    store_close(store);
    assert_int_equal(ask_foreign(database(state), "SELECT max(id) FROM open_interest_history"), 8);
}

static void a_foreign_table_without_constraints_can_be_written(void **state)
{
    make_foreign(database(state), "TIMESTAMP", "DOUBLE");
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 5, 5);
    write_market(store, "BTCUSDT", 0, 5, 5);
    struct series series = load(store, "BTCUSDT", 0, 10, CANDLE_MS);
    assert_deltas(series, (double[]){0, 5, 5, 5, 5}, 5);
    store_close(store);
    assert_int_equal(ask_foreign(database(state), "SELECT count(*) FROM klines_5m_history"), 5);
    assert_int_equal(ask_foreign(database(state), "SELECT count(*) FROM open_interest_history"), 5);
}

static void a_foreign_key_on_the_time_alone_keeps_the_other_symbol(void **state)
{
    run_foreign(database(state),
                "CREATE TABLE klines_5m_history (open_time TIMESTAMP PRIMARY KEY, symbol VARCHAR, "
                "open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE, volume DOUBLE)");
    struct store *store = open_store(database(state), STORE_OWNER);
    const struct kline_row bitcoin = kline("BTCUSDT", 0, 100, 101, 99, 100),
                           ether = kline("ETHUSDT", 0, 200, 201, 199, 200);
    uint64_t klines_new;
    write_rows(store, false, &bitcoin, 1, NULL, 0, &klines_new, NULL);
    assert_int_equal(klines_new, 1);
    /* The table cannot hold it; that is said, and nothing is lost. */
    struct store_session *session = begin(store);
    struct error error = {0};
    assert_ok(store_write_begin(session, "test", true, fault));
    assert_ok(store_write_kline(session, &ether, fault));
    assert_int_equal(store_write_commit(session, NULL, NULL, &error), STATUS_TOO_LARGE);
    assert_non_null(strstr(error.message, "open_time"));
    store_end(session);
    struct series series = load(store, "BTCUSDT", 0, 0, CANDLE_MS);
    assert_int_equal(series.candles[0].open_e8, 100 * DECIMAL_ONE);
    series_deinit(&series);
    store_close(store);
}

static void a_foreign_sequence_keeps_numbering(void **state)
{
    run_foreign(database(state),
                "CREATE SEQUENCE ids START 500;"
                "CREATE TABLE open_interest_history (id BIGINT PRIMARY KEY DEFAULT nextval('ids'), "
                "timestamp TIMESTAMP, symbol VARCHAR, open_interest_value DOUBLE)");
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 3, 5);
    store_close(store);
    assert_int_equal(ask_foreign(database(state), "SELECT max(id) FROM open_interest_history"),
                     502);
    run_foreign(database(state), "INSERT INTO open_interest_history (timestamp, symbol) "
                                 "VALUES ('2025-12-05', 'BTCUSDT')");
}

static bool has_others(struct store_session *session, const char *source)
{
    bool has_others = false;
    assert_ok(store_has_others(session, source, &has_others, fault));
    return has_others;
}

static void rows_of_another_source_are_found(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct store_session *session = begin(store);
    assert_false(has_others(session, "simulated"));

    const struct kline_row row = kline("BTCUSDT", 0, 100, 101, 99, 100);
    const struct interest_row value = interest("BTCUSDT", 0, 1000);
    assert_ok(store_write_begin(session, "simulated", false, fault));
    assert_ok(store_write_kline(session, &row, fault));
    assert_ok(store_write_interest(session, &value, fault));
    assert_ok(store_write_commit(session, NULL, NULL, fault));
    assert_false(has_others(session, "simulated"));
    assert_true(has_others(session, "test"));

    /* Klines of a symbol without open interest are taken for another source's. */
    const struct kline_row real = kline("ETHUSDT", 0, 100, 101, 99, 100);
    write_rows(store, false, &real, 1, NULL, 0, NULL, NULL);
    assert_true(has_others(session, "simulated"));
    store_end(session);
    store_close(store);
}

static void without_a_source_column_all_rows_are_of_another_source(void **state)
{
    const char *path = database(state);
    make_foreign(path, "TIMESTAMP", "DOUBLE");
    struct store *store = open_store(path, STORE_OWNER);
    struct store_session *session = begin(store);
    assert_false(has_others(session, "simulated"));
    const struct interest_row value = interest("BTCUSDT", 0, 1000);
    write_rows(store, false, NULL, 0, &value, 1, NULL, NULL);
    assert_true(has_others(session, "simulated"));
    store_end(session);
    store_close(store);
}

/* Writes these five candles, or fails. */
static enum status try_write(struct store *store, uint64_t *new, struct error *error)
{
    struct store_session *session = begin(store);
    enum status status = store_write_begin(session, "test", false, error);
    for (int i = 20; i < 25 && status == STATUS_OK; i++) {
        struct kline_row row = kline("BTCUSDT", i, 100, 101, 99, 100);
        status = store_write_kline(session, &row, error);
    }
    if (status == STATUS_OK)
        status = store_write_commit(session, new, NULL, error);
    store_end(session);
    return status;
}

static void assert_count(struct store *store, const char *symbol, size_t count)
{
    struct series series = load(store, symbol, 0, 100, CANDLE_MS);
    assert_int_equal(series.count, count);
    series_deinit(&series);
}

static void a_full_disk_fails_a_write_and_leaves_nothing_of_it(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 20, 5);
    struct store_session *reader = begin(store);
    uint64_t opening = store_opening(reader), new = 0, before, after;
    struct series series = {0};
    struct error error = {0};

    leave_space(state, 50);
    assert_int_equal(try_write(store, &new, &error), STATUS_IO);
    assert_non_null(strstr(error.message, database(state)));
    /* A session that was reading continues, and so do others after it. */
    assert_ok(store_load(reader, "BTCUSDT", T0, T0 + DAY_MS, CANDLE_MS, &series, fault));
    assert_int_equal(series.count, 20);
    series_deinit(&series);
    store_end(reader);
    assert_count(store, "BTCUSDT", 20);
    assert_int_equal(try_write(store, &new, &error), STATUS_IO);
    leave_space(state, -1);

    assert_ok(store_version(store, &before, fault));
    assert_ok(try_write(store, &new, fault));
    assert_int_equal(new, 5);
    assert_ok(store_version(store, &after, fault));
    assert_true(after > before);
    reader = begin(store);
    assert_true(store_opening(reader) > opening);
    store_end(reader);
    store_close(store);

    store = open_store(database(state), STORE_OWNER);
    assert_ok(try_write(store, &new, fault));
    assert_int_equal(new, 0);
    write_market(store, "BTCUSDT", 0, 30, 5); /* replaces, and continues */
    assert_count(store, "BTCUSDT", 30);
    store_close(store);
}

static void a_disk_that_is_full_at_the_end_keeps_what_was_written(void **state)
{
    uint64_t new;
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 20, 5);
    leave_space(state, 0);
    store_close(store); /* no space for moving it into the file */
    leave_space(state, -1);
    store = open_store(database(state), STORE_OWNER);
    assert_ok(try_write(store, &new, fault));
    assert_int_equal(new, 5);
    assert_count(store, "BTCUSDT", 25);
    store_close(store);
}

static void an_owner_notices_that_its_file_is_gone(void **state)
{
    struct store *store = open_store(path_in(state, "other.duckdb"), STORE_OWNER);
    write_market(store, "ETHUSDT", 0, 7, 5);
    store_close(store);
    store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 20, 5);
    struct store_session *session = begin(store);
    uint64_t opening = store_opening(session);

    assert_int_equal(rename(database(state), path_in(state, "away.duckdb")), 0);
    store_end(session);
    assert_count(store, "BTCUSDT", 0); /* a new file */
    write_market(store, "BTCUSDT", 0, 3, 5);
    assert_int_equal(rename(path_in(state, "other.duckdb"), database(state)), 0);
    assert_count(store, "ETHUSDT", 7);
    assert_count(store, "BTCUSDT", 0);
    session = begin(store);
    assert_int_equal(store_opening(session), opening + 2);
    store_end(session);
    store_close(store);
}

static void a_session_tells_that_its_file_was_changed_past_all_locks(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 20, 5);
    store_close(store);
    store = open_store(database(state), STORE_SHARED);
    struct store_session *session = begin(store);
    assert_true(store_is_current(session));
    assert_int_equal(chmod(database(state), 0600), 0);
    assert_false(store_is_current(session));
    store_end(session);
    session = begin(store);
    assert_true(store_is_current(session));
    assert_int_equal(unlink(database(state)), 0);
    assert_false(store_is_current(session));
    store_end(session);
    store_close(store);
}

static void missing_folders_are_created(void **state)
{
    const char *path = path_in(state, "a/b/test.duckdb");
    struct store *store = open_store(path, STORE_OWNER);
    assert_string_equal(store_path(store), path);
    store_close(store);
    assert_int_equal(access(path, F_OK), 0);
}

static void *write_some(void *context)
{
    for (int i = 0; i < 10; i++)
        write_market(context, "BTCUSDT", i, 3, 5);
    return NULL;
}

static void writers_of_one_store_take_turns(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, write_some, store);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    struct series series = load(store, "BTCUSDT", 0, 100, CANDLE_MS);
    assert_int_equal(series.count, 12);
    series_deinit(&series);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(what_is_written_is_read),
        in_folder(both_ends_of_a_window_are_inclusive),
        in_folder(an_empty_window_is_no_error),
        in_folder(the_newest_candle_is_found_for_each_symbol),
        in_folder(the_newest_candle_is_one_that_can_be_used),
        in_folder(the_first_bucket_has_delta_zero),
        in_folder(a_hole_gives_the_next_bucket_the_whole_change),
        in_folder(an_open_interest_of_zero_is_missing_data),
        in_folder(a_bucket_without_a_candle_still_is_the_previous_one),
        in_folder(a_late_stamp_belongs_to_the_candle_it_falls_in),
        in_folder(several_values_in_a_bucket_are_averaged),
        in_folder(longer_intervals_aggregate_candles),
        in_folder(foreign_column_types_are_read),
        in_folder(times_with_a_zone_are_utc_whatever_the_machine_says),
        in_folder(rows_without_a_price_are_passed_over),
        in_folder(duplicates_do_not_depend_on_row_order),
        in_folder(a_missing_table_is_named),
        in_folder(a_missing_column_is_named),
        in_folder(names_may_be_written_in_capitals),
        in_folder(a_view_of_other_tables_is_as_good_as_a_table),
        in_folder(a_view_may_name_its_database),
        in_folder(any_name_of_a_file_will_do),
        in_folder(a_name_without_a_folder_is_a_file_whatever_it_means_to_duckdb),
        in_folder(a_name_that_duckdb_cannot_open_is_refused),
        in_folder(a_schema_may_be_called_as_the_file_is),
        in_folder(a_missing_file_says_what_to_do),
        in_folder(a_file_that_is_no_database_is_an_error_that_names_it),
        in_folder(a_truncated_database_is_an_error_or_whole),
        in_folder(a_locked_file_is_busy_not_an_error),
        in_folder(between_sessions_the_file_is_free_for_writers),
        in_folder(it_opens_as_often_as_need_be),
        in_folder(a_log_left_by_a_dead_writer_is_read),
        in_folder(the_version_changes_with_the_file_alone),
        in_folder(an_owners_version_counts_its_commits),
        in_folder(a_replaced_file_is_seen_while_the_old_one_is_in_use),
        in_folder(a_file_that_was_copied_over_waits_for_the_sessions_on_it),
        in_folder(many_threads_may_read_at_once),
        in_folder(writing_twice_changes_nothing),
        in_folder(a_replacing_write_overwrites),
        in_folder(a_row_twice_in_one_batch_is_one_row),
        in_folder(two_symbols_with_the_same_open_time_both_survive),
        in_folder(a_rollback_leaves_nothing),
        in_folder(unknown_values_are_null_and_known_ones_exact),
        in_folder(ids_continue_from_the_greatest),
        in_folder(a_foreign_table_without_constraints_can_be_written),
        in_folder(a_foreign_key_on_the_time_alone_keeps_the_other_symbol),
        in_folder(a_foreign_sequence_keeps_numbering),
        in_folder(rows_of_another_source_are_found),
        in_folder(without_a_source_column_all_rows_are_of_another_source),
        in_folder(a_full_disk_fails_a_write_and_leaves_nothing_of_it),
        in_folder(a_disk_that_is_full_at_the_end_keeps_what_was_written),
        in_folder(an_owner_notices_that_its_file_is_gone),
        in_folder(a_session_tells_that_its_file_was_changed_past_all_locks),
        in_folder(missing_folders_are_created),
        in_folder(writers_of_one_store_take_turns),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
