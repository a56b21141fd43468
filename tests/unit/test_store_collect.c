/* What a collector needs of the store: liquidations, what is there of many symbols, and the removal
 * of what is too old. */
#include "foreign_database.h"
#include "market_fixture.h"

/* -- liquidations ------------------------------------------------------------------------------ */

static struct liquidation_row print(const char *exchange, const char *symbol, int index,
                                    const char *id)
{
    struct liquidation_row row = {.time_ms = T0 + index * 1000 + 7,
                                  .is_long = index % 2 == 0,
                                  .price_e8 = 12345678,
                                  .quantity_e8 = 2 * DECIMAL_ONE,
                                  .value_e8 = 24691356};
    snprintf(row.exchange, sizeof row.exchange, "%s", exchange);
    snprintf(row.symbol, sizeof row.symbol, "%s", symbol);
    snprintf(row.id, sizeof row.id, "%s", id);
    return row;
}

static uint64_t write_prints(struct store *store, const struct liquidation_row *rows, size_t count)
{
    struct store_session *session = NULL;
    assert_ok(store_begin_brief(store, &session, fault));
    assert_ok(store_write_begin(session, "test", true, fault));
    for (size_t i = 0; i < count; i++)
        assert_ok(store_write_liquidation(session, &rows[i], fault));
    assert_ok(store_write_commit(session, NULL, NULL, fault));
    uint64_t written = store_liquidations_new(session);
    store_end(session);
    return written;
}

static int64_t count_prints(struct store *store)
{
    int64_t count = -1;
    struct store_session *session = begin(store);
    assert_ok(store_count_liquidations(session, &count, fault));
    store_end(session);
    return count;
}

static void a_liquidation_is_stored_once_however_often_it_is_told(void **state)
{
    const struct liquidation_row rows[] = {
        print("binance", "BTCUSDT", 0, "a"), print("binance", "BTCUSDT", 1, "b"),
        print("bybit", "BTCUSDT", 0, "a"),   print("binance", "ETHUSDT", 0, "a"),
        print("binance", "BTCUSDT", 0, "c"), print("binance", "BTCUSDT", 0, "a"),
    };
    struct liquidation_row changed = rows[0];
    struct store *store = open_store(database(state), STORE_SHARED);
    changed.value_e8 = 1;
    assert_int_equal(write_prints(store, rows, 6), 5);
    assert_int_equal(write_prints(store, rows, 6), 0);
    assert_int_equal(write_prints(store, &changed, 1), 0);
    assert_int_equal(count_prints(store), 5);
    store_close(store);
    assert_int_equal(
        ask_foreign(database(state),
                    "SELECT count(*) FROM liquidations WHERE exchange = 'binance' AND symbol = "
                    "'BTCUSDT' AND time = TIMESTAMP '2025-12-01 00:00:01.007' AND side = 'short' "
                    "AND price = 0.12345678 AND quantity = 2 AND value = 0.24691356 AND id = 'b'"),
        1);
    assert_int_equal(
        ask_foreign(database(state), "SELECT count(*) FROM liquidations WHERE side = 'long'"), 4);
}

static void a_database_has_their_table_from_the_first_one_on(void **state)
{
    const struct liquidation_row row = print("binance", "BTCUSDT", 0, "a");
    struct store *store = open_store(database(state), STORE_SHARED);
    assert_int_equal(write_prints(store, NULL, 0), 0);
    assert_int_equal(count_prints(store), 0);
    assert_int_equal(write_prints(store, &row, 1), 1);
    assert_int_equal(count_prints(store), 1);
    store_close(store);
}

/* -- what is there ----------------------------------------------------------------------------- */

struct hole {
    size_t symbol;
    int first, last; /* in candles from T0 */
};

struct holes {
    size_t count;
    struct hole holes[16];
};

static void note_hole(size_t symbol, int64_t first_ms, int64_t last_ms, void *context)
{
    struct holes *holes = context;
    assert_true(holes->count < 16);
    assert_int_equal((first_ms - T0) % CANDLE_MS, 0);
    holes->holes[holes->count++] = (struct hole){symbol, (int)((first_ms - T0) / CANDLE_MS),
                                                 (int)((last_ms - T0) / CANDLE_MS)};
}

static const char *const names[] = {"BTCUSDT", "ETHUSDT", "SOLUSDT"};

static struct store_scope scope(int from, int to)
{
    return (struct store_scope){names, 3, T0 + from * CANDLE_MS, T0 + to * CANDLE_MS};
}

static void assert_holes(struct store *store, enum store_kind kind, struct store_scope range,
                         const struct hole *expected, size_t count)
{
    struct holes holes = {0};
    struct store_session *session = begin(store);
    assert_ok(store_find_holes(session, kind, &range, note_hole, &holes, fault));
    store_end(session);
    assert_int_equal(holes.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(holes.holes[i].symbol, expected[i].symbol);
        assert_int_equal(holes.holes[i].first, expected[i].first);
        assert_int_equal(holes.holes[i].last, expected[i].last);
    }
}

static void assert_newest(struct store *store, enum store_kind kind, struct store_scope range,
                          int64_t first, int64_t second, int64_t third)
{
    int64_t newest_ms[3];
    struct store_session *session = begin(store);
    assert_ok(store_newest_of_each(session, kind, &range, newest_ms, fault));
    store_end(session);
    const int64_t expected[] = {first, second, third};
    for (int i = 0; i < 3; i++)
        assert_int_equal(newest_ms[i], expected[i] < 0 ? STORE_NONE : T0 + expected[i] * CANDLE_MS);
}

static void holes_and_the_newest_row_of_each_symbol_are_found(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 10, 5);
    write_market(store, "BTCUSDT", 12, 3, 5);
    write_market(store, "ETHUSDT", 4, 2, 5);
    write_market(store, "OTHER", 0, 30, 5);
    const struct interest_row late = {
        .symbol = "ETHUSDT", .timestamp_ms = T0 + 6 * CANDLE_MS + 2000, .value_e8 = DECIMAL_ONE};
    write_rows(store, true, NULL, 0, &late, 1, NULL, NULL);

    assert_newest(store, STORE_CANDLES, scope(0, 100), 14, 5, -1);
    assert_newest(store, STORE_CANDLES, scope(0, 13), 13, 5, -1);
    assert_newest(store, STORE_CANDLES, scope(6, 11), 9, -1, -1);
    static const struct hole holes[] = {
        {0, 10, 11}, {0, 15, 16}, {1, 0, 3}, {1, 6, 16}, {2, 0, 16}};
    assert_holes(store, STORE_CANDLES, scope(0, 16), holes, 5);
    static const struct hole inner[] = {{1, 6, 9}, {2, 5, 9}};
    assert_holes(store, STORE_CANDLES, scope(5, 9), inner, 2);
    /* A stamp of open interest may be a second or two late. */
    static const struct hole stamps[] = {{0, 10, 10}, {1, 7, 10}, {2, 4, 10}};
    assert_holes(store, STORE_INTEREST, scope(4, 10), stamps, 3);
    assert_holes(store, STORE_CANDLES, scope(9, 8), NULL, 0);
    store_close(store);
}

static void rows_that_no_model_uses_are_missing(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 10, 5);
    store_close(store);
    run_foreign(database(state), "UPDATE klines_5m_history SET low = 0 WHERE open_time >= "
                                 "TIMESTAMP '2025-12-01 00:45:00'");
    run_foreign(database(state), "UPDATE open_interest_history SET open_interest_value = 0 WHERE "
                                 "timestamp >= TIMESTAMP '2025-12-01 00:40:00'");
    run_foreign(database(state), "INSERT INTO klines_5m_history (symbol, open_time, open, high, "
                                 "low, close) VALUES ('BTCUSDT', 'infinity', 1, 1, 1, 1)");
    store = open_store(database(state), STORE_SHARED);
    assert_newest(store, STORE_CANDLES, scope(0, 20), 8, -1, -1);
    int64_t newest_ms;
    struct store_scope one = {names, 1, T0, T0 + 9 * CANDLE_MS};
    struct store_session *session = begin(store);
    assert_ok(store_newest_of_each(session, STORE_INTEREST, &one, &newest_ms, fault));
    store_end(session);
    assert_int_equal(newest_ms, T0 + 7 * CANDLE_MS);
    static const struct hole hole[] = {{0, 9, 9}};
    assert_holes(store, STORE_CANDLES, one, hole, 1);
    store_close(store);
}

/* -- what is too old --------------------------------------------------------------------------- */

static void prune_all(struct store *store, enum store_kind kind, int before, int steps, int rest)
{
    const struct store_scope range = {names, 1, 0, T0 + before * CANDLE_MS - 1};
    struct store_session *session = NULL;
    uint64_t count;
    assert_ok(store_begin_brief(store, &session, fault));
    for (int i = 0; i < steps; i++) {
        assert_ok(store_prune(session, kind, &range, &count, fault));
        assert_int_equal(count, STORE_PRUNE_ROWS);
    }
    assert_ok(store_prune(session, kind, &range, &count, fault));
    assert_int_equal(count, rest);
    assert_ok(store_prune(session, kind, &range, &count, fault));
    assert_int_equal(count, 0);
    store_end(session);
}

static void what_is_too_old_goes_in_steps_and_nothing_else(void **state)
{
    enum { COUNT = 11000 };
    struct liquidation_row rows[2 * COUNT / 10];
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, COUNT, 5);
    write_market(store, "ETHUSDT", 0, 100, 5);
    store_close(store);
    store = open_store(database(state), STORE_SHARED);
    prune_all(store, STORE_LIQUIDATIONS, COUNT, 0, 0); /* there are none yet */
    for (int i = 0; i < COUNT / 10; i++) {
        rows[i] = print("binance", "BTCUSDT", i, "a");
        rows[COUNT / 10 + i] = print("binance", "ETHUSDT", i, "a");
    }
    assert_int_equal(write_prints(store, rows, 2 * COUNT / 10), 2 * COUNT / 10);

    prune_all(store, STORE_CANDLES, 10900, 2, 900);
    prune_all(store, STORE_INTEREST, 300, 0, 300);
    prune_all(store, STORE_LIQUIDATIONS, 2, 0, 600);
    store_close(store);
    static const struct {
        const char *sql;
        int count;
    } left[] = {
        {"SELECT count(*) FROM klines_5m_history WHERE symbol = 'BTCUSDT'", 100},
        {"SELECT count(*) FROM klines_5m_history WHERE symbol = 'ETHUSDT'", 100},
        {"SELECT count(*) FROM klines_5m_history WHERE symbol = 'BTCUSDT' AND open_time < "
         "TIMESTAMP '2025-12-01' + to_minutes(5 * 10900)",
         0},
        {"SELECT count(*) FROM open_interest_history WHERE symbol = 'BTCUSDT'", COUNT - 300},
        {"SELECT count(*) FROM liquidations WHERE symbol = 'BTCUSDT'", COUNT / 10 - 600},
        {"SELECT count(*) FROM liquidations WHERE symbol = 'ETHUSDT'", COUNT / 10},
    };
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
        assert_int_equal(ask_foreign(database(state), left[i].sql), left[i].count);
}

static void open_interest_is_numbered_on_whatever_else_has_written(void **state)
{
    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *session = NULL;
    for (int i = 0; i < 4; i++) {
        const struct interest_row row = interest("BTCUSDT", i, 1000);
        assert_ok(store_begin_brief(store, &session, fault));
        assert_ok(store_write_begin(session, i < 2 ? "one" : "two", true, fault));
        store_write_source(session, i % 2 == 0 ? "even" : "odd");
        assert_ok(store_write_interest(session, &row, fault));
        assert_ok(store_write_commit(session, NULL, NULL, fault));
        store_end(session);
        if (i == 0) /* another program takes the next number and one far above it */
            run_foreign(database(state), "INSERT INTO open_interest_history VALUES "
                                         "(2, TIMESTAMP '2025-11-01', 'X', 1, 1, 'x'), "
                                         "(70, TIMESTAMP '2025-11-02', 'X', 1, 1, 'x')");
        if (i == 1)
            run_foreign(database(state), "DELETE FROM open_interest_history WHERE id > 60");
    }
    store_close(store);
    assert_int_equal(
        ask_foreign(database(state), "SELECT count(DISTINCT id) FROM open_interest_history"), 4);
    assert_int_equal(ask_foreign(database(state), "SELECT count(*) FROM open_interest_history "
                                                  "WHERE source IN ('even', 'odd')"),
                     3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_liquidation_is_stored_once_however_often_it_is_told),
        in_folder(a_database_has_their_table_from_the_first_one_on),
        in_folder(holes_and_the_newest_row_of_each_symbol_are_found),
        in_folder(rows_that_no_model_uses_are_missing),
        in_folder(what_is_too_old_goes_in_steps_and_nothing_else),
        in_folder(open_interest_is_numbered_on_whatever_else_has_written),
    };
    return cmocka_run_group_tests_name("store_collect", tests, NULL, NULL);
}
