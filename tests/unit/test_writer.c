/* What is collected reaches the database, whatever stands in the way, and what is too old leaves
 * it. */
#include "foreign_database.h"
#include "market_fixture.h"
#include "other_process.h"

#include "base/clock.h"
#include "sources/collect/writer.h"

#include <stdatomic.h>
#include <time.h>

/* The machine's clocks, of which the date can be set: these take the place of base/clock.c. */
static _Atomic int64_t wall_off_ms;

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    return (int64_t)(clock_ns(CLOCK_REALTIME) / 1000000) + atomic_load(&wall_off_ms);
}

enum { STOP_MS = 20000 };

static const char *const symbols[] = {"BTCUSDT"};

static struct writer_options options(struct store *store)
{
    return (struct writer_options){.store = store,
                                   .write_seconds = 0.05,
                                   .waiting_bytes_max = 64000000,
                                   .symbols = symbols,
                                   .symbol_count = 1};
}

static struct writer *start(struct store *store)
{
    const struct writer_options chosen = options(store);
    return writer_start(&chosen);
}

static struct writer_status status_of(struct writer *writer)
{
    struct writer_status status;
    writer_status(writer, &status);
    return status;
}

static bool is_idle(struct writer *writer)
{
    return status_of(writer).waiting_rows == 0;
}

static void put_candle(struct writer *writer, int index, int close)
{
    const struct kline_row row = kline("BTCUSDT", index, 100, 200, 50, close);
    writer_put_kline(writer, &row);
}

static void put_print(struct writer *writer, int64_t time_ms, int number)
{
    struct liquidation_row row = {.exchange = "binance",
                                  .symbol = "BTCUSDT",
                                  .time_ms = time_ms,
                                  .is_long = true,
                                  .price_e8 = DECIMAL_ONE,
                                  .quantity_e8 = DECIMAL_ONE,
                                  .value_e8 = DECIMAL_ONE};
    snprintf(row.id, sizeof row.id, "%d", number);
    writer_put_liquidation(writer, &row);
}

static int64_t ask(void **state, const char *sql)
{
    return ask_foreign(database(state), sql);
}

/* -- what is written --------------------------------------------------------------------------- */

static void all_kinds_are_written_and_the_final_candle_replaces_a_half_one(void **state)
{
    const struct interest_row stamp = interest("BTCUSDT", 1, 7000);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct writer *writer = start(store);
    put_candle(writer, 1, 100);
    wait_until(is_idle(writer));
    put_candle(writer, 1, 150);
    put_candle(writer, 2, 100);
    writer_put_interest(writer, &stamp, "bybit");
    put_print(writer, T0 + 5, 1);
    put_print(writer, T0 + 5, 1);
    wait_until(is_idle(writer));
    struct writer_status status = status_of(writer);
    assert_int_equal(status.fault.status, STATUS_OK);
    assert_int_equal(status.written_klines, 2);
    assert_int_equal(status.written_interest, 1);
    assert_int_equal(status.written_liquidations, 1);
    assert_int_equal(status.waiting_ms, 0);
    assert_true(status.held_seconds > 0);
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
    assert_int_equal(ask(state, "SELECT count(*) FROM klines_5m_history WHERE close = 150"), 1);
    assert_int_equal(ask(state, "SELECT count(*) FROM klines_5m_history"), 2);
    assert_int_equal(ask(state, "SELECT count(*) FROM open_interest_history WHERE source = 'bybit' "
                                "AND open_interest_value = 7000"),
                     1);
    assert_int_equal(ask(state, "SELECT count(*) FROM liquidations"), 1);
}

static void rows_that_come_together_are_one_transaction(void **state)
{
    struct store *store = open_store(database(state), STORE_SHARED);
    struct writer_options chosen = options(store);
    chosen.write_seconds = 0.5;
    struct writer *writer = writer_start(&chosen);
    for (int i = 0; i < 100; i++)
        put_candle(writer, i, 100);
    wait_until(is_idle(writer));
    assert_true(status_of(writer).writes <= 2);
    assert_int_equal(status_of(writer).written_klines, 100);
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
}

static void what_waits_is_written_before_the_end(void **state)
{
    struct store *store = open_store(database(state), STORE_SHARED);
    struct writer_options chosen = options(store);
    chosen.write_seconds = 60;
    struct writer *writer = writer_start(&chosen);
    for (int i = 0; i < 9000; i++) /* more than a transaction takes */
        put_candle(writer, i, 100);
    put_print(writer, T0, 1);
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
    assert_int_equal(ask(state, "SELECT count(*) FROM klines_5m_history"), 9000);
    assert_int_equal(ask(state, "SELECT count(*) FROM liquidations"), 1);
}

static void in_a_long_queue_others_get_the_file_between_transactions(void **state)
{
    enum { COUNT = 30000 };
    int turns = 0;
    struct store *store = open_store(database(state), STORE_SHARED);
    struct writer *writer = start(store);
    put_candle(writer, 0, 100);
    wait_until(is_idle(writer));
    for (int i = 1; i < COUNT; i++)
        put_candle(writer, i, 100);
    while (!is_idle(writer)) {
        pid_t other = 0;
        wait_until((other = try_hold_elsewhere(database(state), F_WRLCK)) != 0);
        let_go_elsewhere(other);
        uint64_t writes = status_of(writer).writes;
        wait_until(is_idle(writer) || status_of(writer).writes > writes);
        turns += !is_idle(writer);
    }
    assert_true(turns > 0);
    assert_true(status_of(writer).writes > 5);
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
    assert_int_equal(ask(state, "SELECT count(*) FROM klines_5m_history"), COUNT);
}

/* -- what stands in the way -------------------------------------------------------------------- */

static void rows_wait_while_another_process_has_the_file(void **state)
{
    static const short types[] = {F_RDLCK, F_WRLCK};
    struct store *store = open_store(database(state), STORE_SHARED);
    struct writer *writer = start(store);
    put_candle(writer, 0, 100);
    wait_until(is_idle(writer));
    for (int i = 0; i < 2; i++) {
        pid_t other = hold_elsewhere(database(state), types[i]);
        uint64_t failures = status_of(writer).failures;
        for (int k = 0; k < 50; k++) {
            put_candle(writer, 1 + 50 * i + k, 100);
            put_print(writer, T0 + k, 50 * i + k);
        }
        wait_until(status_of(writer).failures >= failures + 3);
        struct writer_status status = status_of(writer);
        assert_int_equal(status.waiting_rows, 100);
        assert_true(status.waiting_ms > 0);
        assert_int_equal(status.fault.status, STATUS_BUSY);
        let_go_elsewhere(other);
        wait_until(is_idle(writer));
        assert_int_equal(status_of(writer).fault.status, STATUS_OK);
    }
    assert_int_equal(status_of(writer).written_klines, 101);
    assert_int_equal(status_of(writer).written_liquidations, 100);
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
}

static void how_long_rows_wait_is_no_matter_of_the_date(void **state)
{
    struct store *store = open_store(database(state), STORE_SHARED);
    struct writer *writer = start(store);
    put_candle(writer, 0, 100);
    wait_until(is_idle(writer));
    pid_t other = hold_elsewhere(database(state), F_WRLCK);
    put_candle(writer, 1, 100);
    wait_until(status_of(writer).waiting_ms > 0);
    for (int i = 0; i < 2; i++) {
        atomic_store(&wall_off_ms, i == 0 ? 400 * DAY_MS : -400 * DAY_MS);
        assert_in_range(status_of(writer).waiting_ms, 1, DAY_MS);
    }
    atomic_store(&wall_off_ms, 0);
    let_go_elsewhere(other);
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
}

static void the_end_does_not_wait_for_ever(void **state)
{
    struct store *store = open_store(database(state), STORE_SHARED);
    struct writer *writer = start(store);
    put_candle(writer, 0, 100);
    wait_until(is_idle(writer));
    pid_t other = hold_elsewhere(database(state), F_RDLCK);
    put_candle(writer, 1, 100);
    uint64_t start_ns = clock_monotonic_ns();
    struct error error = {0};
    assert_int_equal(writer_stop(writer, 300, &error), STATUS_IO);
    assert_true(clock_monotonic_ns() - start_ns < PATIENCE_NS);
    assert_non_null(strstr(error.message, "0 liquidations, 1 candles and 0 rows of open interest"));
    let_go_elsewhere(other);
    store_close(store);
    assert_int_equal(ask(state, "SELECT count(*) FROM klines_5m_history"), 1);
}

struct lost {
    int count;
    int64_t last_ms;
};

static void note_lost(const struct writer_dropped *dropped, void *context)
{
    struct lost *lost = context;
    assert_true(dropped->is_candle);
    assert_string_equal(dropped->symbol, "BTCUSDT");
    lost->count++;
    lost->last_ms = dropped->time_ms;
}

static void over_its_memory_the_oldest_candles_are_dropped_and_liquidations_kept(void **state)
{
    struct store *store = open_store(database(state), STORE_SHARED);
    struct writer_options chosen = options(store);
    struct lost lost = {0};
    chosen.waiting_bytes_max = 1000000;
    chosen.on_dropped = note_lost;
    chosen.context = &lost;
    struct writer *writer = writer_start(&chosen);
    put_candle(writer, 0, 100);
    wait_until(is_idle(writer));
    pid_t other = hold_elsewhere(database(state), F_RDLCK);
    for (int i = 0; i < 1000; i++)
        put_print(writer, T0 + i, i);
    assert_false(writer_is_full(writer));
    int count = 1;
    while (status_of(writer).dropped_klines == 0)
        put_candle(writer, count++, 100);
    assert_true(writer_is_full(writer));
    assert_int_equal(status_of(writer).dropped_liquidations, 0);
    let_go_elsewhere(other);
    wait_until(is_idle(writer));
    struct writer_status status = status_of(writer);
    assert_int_equal(status.written_liquidations, 1000);
    assert_int_equal(status.written_klines + status.dropped_klines, count);
    assert_int_equal(lost.count, status.dropped_klines);
    assert_int_equal(lost.last_ms, T0 + lost.count * CANDLE_MS); /* the oldest but the first */
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
}

static void a_full_disk_loses_nothing(void **state)
{
    struct store *store = open_store(database(state), STORE_SHARED);
    struct writer *writer = start(store);
    for (int i = 0; i < 2; i++) { /* the second is in the log, which the first has not left */
        put_candle(writer, i, 100);
        wait_until(is_idle(writer));
    }
    leave_space(state, 30);
    for (int i = 2; i < 50; i++) {
        put_candle(writer, i, 100);
        put_print(writer, T0 + i, i);
    }
    wait_until(status_of(writer).failures >= 3);
    assert_int_equal(status_of(writer).waiting_rows, 96);
    assert_int_equal(status_of(writer).fault.status, STATUS_IO);
    leave_space(state, -1);
    wait_until(is_idle(writer));
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
    assert_int_equal(ask(state, "SELECT count(*) FROM klines_5m_history"), 50);
    assert_int_equal(ask(state, "SELECT count(*) FROM liquidations"), 48);
}

static void a_row_that_the_tables_cannot_hold_is_left_out_alone(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "ETHUSDT", 0, 3, 5);
    store_close(store);
    run_foreign(database(state), "ALTER TABLE klines_5m_history ALTER high TYPE DECIMAL(6,2)");
    store = open_store(database(state), STORE_SHARED);
    struct writer_options chosen = options(store);
    chosen.write_seconds = 0.5;
    struct writer *writer = writer_start(&chosen);
    for (int i = 0; i < 200; i++) {
        const struct kline_row row = kline("BTCUSDT", i, 100, i % 100 == 7 ? 10000 : 200, 50, 100);
        writer_put_kline(writer, &row);
    }
    wait_until(is_idle(writer));
    assert_int_equal(status_of(writer).refused_rows, 2);
    assert_int_equal(status_of(writer).written_klines, 198);
    assert_int_equal(status_of(writer).fault.status, STATUS_OK);
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
}

static void a_foreign_table_of_liquidations_stops_them_alone(void **state)
{
    run_foreign(database(state), "CREATE TABLE liquidations (name VARCHAR)");
    struct store *store = open_store(database(state), STORE_SHARED);
    struct writer *writer = start(store);
    put_print(writer, T0, 1);
    put_candle(writer, 0, 100);
    wait_until(status_of(writer).written_klines == 1);
    wait_until(status_of(writer).fault.status == STATUS_IO);
    assert_int_equal(status_of(writer).waiting_rows, 1);
    put_candle(writer, 1, 100);
    wait_until(status_of(writer).written_klines == 2);
    writer_stop(writer, 0, NULL);
    store_close(store);
}

/* -- what is too old --------------------------------------------------------------------------- */

/* Candles, open interest and liquidations of `days` days, of which the last begins at `end_ms`;
 * four of each a day. */
static void fill(struct writer *writer, const char *symbol, int64_t end_ms, int days)
{
    for (int i = 0; i < days * 4; i++) {
        struct kline_row candle = kline(symbol, 0, 100, 200, 50, 100);
        struct interest_row stamp = interest(symbol, 0, 1000);
        candle.candle.open_time_ms = stamp.timestamp_ms = end_ms - i * (DAY_MS / 4);
        writer_put_kline(writer, &candle);
        writer_put_interest(writer, &stamp, "test");
        put_print(writer, candle.candle.open_time_ms, i);
    }
}

static void what_is_too_old_is_removed_of_the_collected_symbols(void **state)
{
    int64_t end_ms = clock_wall_ms() / CANDLE_MS * CANDLE_MS - CANDLE_MS;
    struct store *store = open_store(database(state), STORE_SHARED);
    struct writer_options chosen = options(store);
    chosen.keep_candles_ms = 10 * DAY_MS;
    chosen.keep_liquidations_ms = 3 * DAY_MS;
    struct writer *writer = start(store);
    fill(writer, "BTCUSDT", end_ms, 30);
    fill(writer, "ETHUSDT", end_ms, 30);
    wait_until(is_idle(writer));
    assert_int_equal(status_of(writer).removed_rows, 0);
    writer_stop(writer, STOP_MS, NULL);

    writer = writer_start(&chosen);
    wait_until(status_of(writer).removed_rows >= 79 + 79 + 107);
    put_candle(writer, 0, 100);
    wait_until(is_idle(writer));
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
    assert_int_equal(ask(state, "SELECT count(*) FROM klines_5m_history WHERE symbol = 'BTCUSDT' "
                                "AND open_time > TIMESTAMP '2025-12-01'"),
                     41);
    assert_int_equal(
        ask(state, "SELECT count(*) FROM open_interest_history WHERE symbol = 'BTCUSDT'"), 41);
    assert_int_equal(ask(state, "SELECT count(*) FROM liquidations"), 13);
    assert_int_equal(ask(state, "SELECT count(*) FROM klines_5m_history WHERE symbol = 'ETHUSDT'"),
                     120);
}

static void much_is_removed_in_steps_between_which_others_have_the_file(void **state)
{
    enum { COUNT = 60000, FRESH = 300 };
    int64_t end_ms = clock_wall_ms() / CANDLE_MS * CANDLE_MS - CANDLE_MS;
    int first = (int)((end_ms - T0) / CANDLE_MS) - COUNT + 1, turns = 0;
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", first, COUNT, 0);
    store_close(store);
    store = open_store(database(state), STORE_SHARED);
    struct writer_options chosen = options(store);
    chosen.keep_candles_ms = (FRESH - 1) * CANDLE_MS;
    struct writer *writer = writer_start(&chosen);
    for (uint64_t removed = 0; removed < 2 * (COUNT - FRESH); turns++) {
        wait_until(status_of(writer).removed_rows > removed);
        removed = status_of(writer).removed_rows;
        pid_t other = hold_elsewhere(database(state), F_RDLCK);
        put_candle(writer, first + turns, 100); /* and what is new is written meanwhile */
        let_go_elsewhere(other);
    }
    assert_true(turns >= 2 * (COUNT - FRESH) / STORE_PRUNE_ROWS / 4);
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
    assert_int_equal(ask(state, "SELECT count(*) FROM open_interest_history"), FRESH);
}

static void nothing_is_removed_where_nothing_new_comes(void **state)
{
    struct store *store = open_store(database(state), STORE_SHARED);
    struct writer_options chosen = options(store);
    chosen.keep_candles_ms = chosen.keep_liquidations_ms = DAY_MS;
    struct writer *writer = writer_start(&chosen);
    fill(writer, "BTCUSDT", clock_wall_ms() / CANDLE_MS * CANDLE_MS - 40 * DAY_MS, 10);
    wait_until(is_idle(writer) && status_of(writer).writes > 0);
    writer_stop(writer, STOP_MS, NULL);
    writer = writer_start(&chosen);
    wait_until(status_of(writer).held_seconds > 0); /* it has looked */
    assert_int_equal(status_of(writer).removed_rows, 0);
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
    assert_int_equal(ask(state, "SELECT count(*) FROM klines_5m_history"), 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(all_kinds_are_written_and_the_final_candle_replaces_a_half_one),
        in_folder(rows_that_come_together_are_one_transaction),
        in_folder(what_waits_is_written_before_the_end),
        in_folder(in_a_long_queue_others_get_the_file_between_transactions),
        in_folder(rows_wait_while_another_process_has_the_file),
        in_folder(how_long_rows_wait_is_no_matter_of_the_date),
        in_folder(the_end_does_not_wait_for_ever),
        in_folder(over_its_memory_the_oldest_candles_are_dropped_and_liquidations_kept),
        in_folder(a_full_disk_loses_nothing),
        in_folder(a_row_that_the_tables_cannot_hold_is_left_out_alone),
        in_folder(a_foreign_table_of_liquidations_stops_them_alone),
        in_folder(what_is_too_old_is_removed_of_the_collected_symbols),
        in_folder(much_is_removed_in_steps_between_which_others_have_the_file),
        in_folder(nothing_is_removed_where_nothing_new_comes),
    };
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
