/* Databases of another program's making: tables whose columns cannot hold what is written, or
 * cannot be read as what they are named after. */
#include "foreign_database.h"
#include "market_fixture.h"

#define KLINES_OF(open_time, rest)                                                                 \
    "CREATE TABLE klines_5m_history (open_time " open_time ", symbol VARCHAR, open DOUBLE, "       \
    "high DOUBLE, low DOUBLE, close DOUBLE, volume DOUBLE" rest ");"
#define INTEREST_OF(timestamp, value, rest)                                                        \
    "CREATE TABLE open_interest_history (id BIGINT, timestamp " timestamp ", symbol VARCHAR, "     \
    "open_interest_value " value rest ");"

/* -- what cannot be read ----------------------------------------------------------------------- */

static void assert_not_begun(void **state, const char *const *words)
{
    struct error error = {0};
    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *session = NULL;
    assert_int_equal(store_begin(store, &session, &error), STATUS_IO);
    assert_null(session);
    for (; *words != NULL; words++)
        if (strstr(error.message, *words) == NULL)
            fail_msg("'%s' lacks '%s'", error.message, *words);
    store_close(store);
}

static void times_that_are_numbers_are_named_with_what_to_do(void **state)
{
    run_foreign(database(state),
                KLINES_OF("BIGINT", ", PRIMARY KEY (symbol, open_time)")
                    INTEREST_OF("TIMESTAMP", "DOUBLE", "") "INSERT INTO klines_5m_history VALUES "
                                                           "(1764547200000, 'BTCUSDT', 1, 1, 1, "
                                                           "1, 1)");
    static const char convert[] = "CREATE OR REPLACE TABLE klines_5m_history AS SELECT * REPLACE "
                                  "(epoch_ms(CAST(open_time AS BIGINT)) AS open_time) FROM "
                                  "klines_5m_history";
    assert_not_begun(state, (const char *[]){"test.duckdb: the column open_time of the table "
                                             "klines_5m_history is of type BIGINT, and TIMESTAMP "
                                             "is expected",
                                             convert, NULL});
    run_foreign(database(state), convert);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *session = begin(store);
    int64_t newest_ms = 0;
    assert_ok(store_newest(session, "BTCUSDT", &newest_ms, fault));
    assert_int_equal(newest_ms, T0);
    store_end(session);
    store_close(store);
}

static void columns_of_a_type_that_cannot_be_read_are_named(void **state)
{
    static const struct {
        const char *tables;
        const char *words[3];
    } cases[] = {
        {KLINES_OF("TIMESTAMP", "") INTEREST_OF("DOUBLE", "DOUBLE", ""),
         {"column timestamp of the table open_interest_history is of type DOUBLE", "TIMESTAMP"}},
        {KLINES_OF("TIMESTAMP", "") INTEREST_OF("TIMESTAMP", "DOUBLE[]", ""),
         {"column open_interest_value of the table open_interest_history is of type DOUBLE[]",
          "DECIMAL"}},
        {KLINES_OF("TIMESTAMP", "") INTEREST_OF("TIMESTAMP", "BOOLEAN", ""),
         {"is of type BOOLEAN", "DECIMAL"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run_foreign(database(state), cases[i].tables);
        assert_not_begun(state, cases[i].words);
        assert_int_equal(unlink(database(state)), 0);
    }
}

static void types_with_the_same_meaning_are_read(void **state)
{
    run_foreign(database(state),
                "CREATE TYPE pair AS ENUM ('BTCUSDT', 'ETHUSDT');"
                "CREATE TABLE klines_5m_history (open_time VARCHAR, symbol pair, open INTEGER, "
                "high FLOAT, low DECIMAL(30,10), close VARCHAR, volume HUGEINT);"
                "CREATE TABLE open_interest_history (timestamp TIMESTAMP_S, symbol VARCHAR, "
                "open_interest_value UBIGINT);"
                "INSERT INTO klines_5m_history VALUES ('2025-12-01 00:00:00', 'BTCUSDT', 1, 2, 1, "
                "'1.5', 7)");
    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *session = begin(store);
    struct series series = {0};
    assert_ok(store_load(session, "BTCUSDT", T0, T0, CANDLE_MS, &series, fault));
    assert_int_equal(series.count, 1);
    assert_int_equal(series.candles[0].close_e8, 3 * DECIMAL_ONE / 2);
    series_deinit(&series);
    store_end(session);
    store_close(store);
}

/* -- what cannot be written -------------------------------------------------------------------- */

/* What was refused, a line each. */
struct refusals {
    char text[1024];
    enum status answer;
};

static enum status on_refused(uint64_t origin, const char *reason, void *context,
                              struct error *error)
{
    struct refusals *refusals = context;
    size_t size = strlen(refusals->text);
    snprintf(refusals->text + size, sizeof refusals->text - size, "%llu %s\n",
             (unsigned long long)origin, reason);
    return refusals->answer == STATUS_OK ? STATUS_OK
                                         : error_set(error, refusals->answer, "as is wished");
}

static struct store_session *begin_refusing(struct store *store, struct refusals *refusals)
{
    struct store_session *session = begin(store);
    assert_ok(store_write_begin(session, "test", false, fault));
    const struct store_telling telling = {.on_refused = on_refused, .context = refusals};
    assert_ok(store_write_tell(session, &telling, fault));
    return session;
}

/* Of two symbols in turn, from candle `first` on. */
static void write_both(struct store_session *session, int first, int count)
{
    for (int i = first; i < first + count; i++)
        for (int is_second = 0; is_second < 2; is_second++) {
            struct kline_row candle =
                kline(is_second ? "ETHUSDT" : "BTCUSDT", i, 100 + i, 200, 90, 100 + i);
            candle.origin = (uint64_t)(2 * i + is_second);
            assert_ok(store_write_kline(session, &candle, fault));
        }
}

static void rows_that_an_index_does_not_allow_are_told_and_left_out(void **state)
{
    struct refusals refusals = {0};
    uint64_t klines_new = 0;
    store_close(open_store(database(state), STORE_OWNER));
    run_foreign(database(state), "CREATE UNIQUE INDEX by_symbol ON klines_5m_history (symbol, "
                                 "open_time); CREATE UNIQUE INDEX by_time ON klines_5m_history "
                                 "(open_time);");
    struct store *store = open_store(database(state), STORE_OWNER);
    struct store_session *session = begin_refusing(store, &refusals);
    assert_true(store_is_foreign(session));
    write_both(session, 0, 2);
    assert_ok(store_write_commit(session, &klines_new, NULL, fault));
    store_end(session);
    assert_int_equal(klines_new, 2);
    assert_non_null(strstr(refusals.text, "1 the table klines_5m_history has another row that its "
                                          "index by_time does not allow beside this one\n3 "));

    /* Beside rows that are stored already, some of them its own. */
    refusals = (struct refusals){0};
    session = begin_refusing(store, &refusals);
    write_both(session, 1, 2);
    assert_ok(store_write_commit(session, &klines_new, NULL, fault));
    store_end(session);
    store_close(store);
    assert_int_equal(klines_new, 1);
    assert_int_equal(strncmp(refusals.text, "3 ", 2), 0);
    assert_non_null(strstr(refusals.text, "\n5 "));
    assert_int_equal(ask_foreign(database(state), "SELECT count(*) FROM klines_5m_history"), 3);
}

static void values_that_a_column_would_change_are_refused(void **state)
{
    struct refusals refusals = {0};
    uint64_t klines_new = 0, interest_new = 0;
    run_foreign(database(state),
                "CREATE TABLE klines_5m_history (open_time DATE, symbol VARCHAR, open FLOAT, high "
                "INTEGER, low DECIMAL(18,1), close DOUBLE, volume INTEGER);" INTEREST_OF(
                    "TIMESTAMP", "FLOAT", ""));
    struct store *store = open_store(database(state), STORE_OWNER);
    struct store_session *session = begin_refusing(store, &refusals);
    const struct interest_row stamp = interest("BTCUSDT", 1, 123456789);
    struct kline_row rows[] = {
        kline("BTCUSDT", 0, 100, 101, 99, 100), kline("BTCUSDT", 1, 100, 101, 99, 100),
        kline("BTCUSDT", 288, 100, 101, 99, 100), kline("BTCUSDT", 576, 100, 101, 99, 100)};
    rows[0].candle.open_e8 += 1234;      /* as a FLOAT has it */
    rows[2].candle.high_e8 += 12345678;  /* no whole number */
    rows[3].candle.low_e8 -= 5000000;    /* more than a decimal */
    rows[0].volume_e8 = DECIMAL_ONE + 5; /* which no model needs to the last digit */
    for (size_t i = 0; i < 4; i++) {
        rows[i].origin = i;
        assert_ok(store_write_kline(session, &rows[i], fault));
    }
    assert_ok(store_write_interest(session, &stamp, fault));
    assert_ok(store_write_commit(session, &klines_new, &interest_new, fault));
    store_end(session);
    store_close(store);
    assert_int_equal(klines_new, 1);
    assert_int_equal(interest_new, 1);
    assert_non_null(strstr(refusals.text, "1 open_time '2025-12-01 00:05:00' does not fit the "
                                          "column's type DATE\n2 high '101.12345678' does not"));
    assert_non_null(strstr(refusals.text, "\n3 low '98.95"));
}

static void an_index_that_is_not_understood_makes_a_table_foreign(void **state)
{
    struct refusals refusals = {0};
    store_close(open_store(database(state), STORE_OWNER));
    run_foreign(database(state), "CREATE UNIQUE INDEX odd ON klines_5m_history ((close + 1));");
    struct store *store = open_store(database(state), STORE_OWNER);
    struct store_session *session = begin(store);
    assert_false(store_is_foreign(session));
    store_end(session);
    session = begin_refusing(store, &refusals);
    assert_true(store_is_foreign(session));
    write_both(session, 0, 1);
    struct error error;
    assert_int_equal(store_write_commit(session, NULL, NULL, &error), STATUS_TOO_LARGE);
    store_end(session);
    store_close(store);
}

static void rows_that_a_column_cannot_hold_are_told_and_left_out(void **state)
{
    run_foreign(database(state), KLINES_OF("TIMESTAMP", ", taker_buy_volume DOUBLE NOT NULL")
                                     INTEREST_OF("TIMESTAMP", "DECIMAL(18,8)", ""));
    struct store *store = open_store(database(state), STORE_OWNER);
    struct refusals refusals = {0};
    struct store_session *session = begin_refusing(store, &refusals);
    assert_true(store_is_foreign(session));
    for (int i = 0; i < 4; i++) {
        struct kline_row candle = kline("BTCUSDT", i, 100, 101, 99, 100);
        struct interest_row stamp = interest("BTCUSDT", i, i == 2 ? 12000000000 : 5000);
        candle.has_taker_buy_volume = i != 1;
        candle.origin = stamp.origin = (uint64_t)i + 10;
        assert_ok(store_write_kline(session, &candle, fault));
        assert_ok(store_write_interest(session, &stamp, fault));
    }
    uint64_t klines_new, interest_new;
    assert_ok(store_write_commit(session, &klines_new, &interest_new, fault));
    assert_int_equal(klines_new, 3);
    assert_int_equal(interest_new, 3);
    assert_string_equal(refusals.text,
                        "11 taker_buy_volume is not known, which the table does not allow\n"
                        "12 open_interest_value '12000000000.00000000' does not fit the column's "
                        "type DECIMAL(18,8)\n");
    store_end(session);
    store_close(store);
    assert_int_equal(ask_foreign(database(state), "SELECT count(*) FROM open_interest_history "
                                                  "WHERE open_interest_value = 5000"),
                     3);
}

static void a_refusal_may_fail_the_commit(void **state)
{
    run_foreign(database(state),
                KLINES_OF("TIMESTAMP", "") INTEREST_OF("TIMESTAMP", "DECIMAL(18,8)", ""));
    struct store *store = open_store(database(state), STORE_OWNER);
    struct refusals refusals = {.answer = STATUS_INVALID};
    struct store_session *session = begin_refusing(store, &refusals);
    const struct interest_row stamps[] = {interest("BTCUSDT", 0, 12000000000),
                                          interest("BTCUSDT", 1, 5000)};
    struct error error = {0};
    for (size_t i = 0; i < 2; i++)
        assert_ok(store_write_interest(session, &stamps[i], fault));
    assert_int_equal(store_write_commit(session, NULL, NULL, &error), STATUS_INVALID);
    assert_string_equal(error.message, "as is wished");
    assert_ok(store_write_begin(session, "test", false, fault)); /* the next one is as any */
    assert_ok(store_write_interest(session, &stamps[1], fault));
    assert_ok(store_write_commit(session, NULL, NULL, fault));
    store_end(session);
    store_close(store);
    assert_int_equal(ask_foreign(database(state), "SELECT count(*) FROM open_interest_history"), 1);
}

static void a_column_that_nobody_fills_is_named_before_anything_is_written(void **state)
{
    run_foreign(database(state), KLINES_OF("TIMESTAMP", ", venue VARCHAR NOT NULL")
                                     INTEREST_OF("TIMESTAMP", "DOUBLE", ""));
    struct store *store = open_store(database(state), STORE_OWNER);
    struct store_session *session = begin(store);
    const struct kline_row candle = kline("BTCUSDT", 0, 100, 101, 99, 100);
    struct error error = {0};
    assert_ok(store_write_begin(session, "test", false, fault));
    assert_int_equal(store_write_kline(session, &candle, &error), STATUS_IO);
    assert_non_null(strstr(error.message, "the column venue of the table klines_5m_history"));
    assert_non_null(strstr(error.message, "ALTER \"venue\" SET DEFAULT"));
    store_end(session);
    store_close(store);
    run_foreign(database(state), "ALTER TABLE klines_5m_history ALTER venue SET DEFAULT 'none'");
    store = open_store(database(state), STORE_OWNER);
    write_rows(store, false, &candle, 1, NULL, 0, NULL, NULL);
    store_close(store);
    assert_int_equal(ask_foreign(database(state), "SELECT count(*) FROM klines_5m_history "
                                                  "WHERE venue = 'none'"),
                     1);
}

static bool is_foreign_after(void **state, const char *sql)
{
    run_foreign(database(state), sql);
    struct store *store = open_store(database(state), STORE_OWNER);
    struct store_session *session = begin(store);
    bool is_foreign = store_is_foreign(session);
    store_end(session);
    store_close(store);
    return is_foreign;
}

static void tables_that_hold_all_rows_are_not_foreign(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    store_close(store);
    assert_false(is_foreign_after(state, "SELECT 1"));
    assert_false(is_foreign_after(state, "ALTER TABLE klines_5m_history ADD COLUMN venue VARCHAR"));
    assert_true(is_foreign_after(
        state, "DROP TABLE klines_5m_history;"
               "CREATE TABLE klines_5m_history (open_time TIMESTAMP PRIMARY KEY, symbol VARCHAR, "
               "open DECIMAL(18,8), high DECIMAL(18,8), low DECIMAL(18,8), close DECIMAL(18,8), "
               "volume DECIMAL(18,8))"));
    assert_true(
        is_foreign_after(state, "DROP TABLE klines_5m_history;" KLINES_OF("TIMESTAMP", "")));
}

/* -- series, which are stored without sorting and, where there is nothing yet, without a join ---
 */

static int64_t sum_of(void **state)
{
    return ask_foreign(database(state),
                       "SELECT CAST(sum(hash(open_time, symbol, open) % 1000003) AS BIGINT) + "
                       "1000003 * count(*) FROM klines_5m_history");
}

/* Candles `first` to `last` of both symbols, in order or not, and a candle of them stored before.
 */
static int64_t write_and_sum(void **state, bool is_in_order, bool replaces)
{
    enum { COUNT = 30 };
    struct kline_row rows[COUNT];
    struct store *store = open_store(database(state), STORE_OWNER);
    const struct kline_row before[] = {kline("BTCUSDT", 7, 50, 51, 49, 50),
                                       kline("ETHUSDT", 9, 70, 71, 69, 70)};
    write_rows(store, false, before, 2, NULL, 0, NULL, NULL);
    for (int i = 0; i < COUNT; i++)
        rows[is_in_order ? i : i * 7 % COUNT] = kline("BTCUSDT", i, 100 + i, 200, 90, 100);
    uint64_t klines_new;
    write_rows(store, replaces, rows, COUNT, NULL, 0, &klines_new, NULL);
    assert_int_equal(klines_new, COUNT - 1);
    write_rows(store, replaces, rows, COUNT, NULL, 0, &klines_new, NULL);
    assert_int_equal(klines_new, 0);
    store_close(store);
    int64_t sum = sum_of(state);
    assert_int_equal(unlink(database(state)), 0);
    return sum;
}

static void the_order_in_which_rows_come_makes_no_difference(void **state)
{
    int64_t kept = write_and_sum(state, true, false), replaced = write_and_sum(state, true, true);
    assert_int_equal(write_and_sum(state, false, false), kept);
    assert_int_equal(write_and_sum(state, false, true), replaced);
    assert_int_not_equal(kept, replaced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(times_that_are_numbers_are_named_with_what_to_do),
        in_folder(columns_of_a_type_that_cannot_be_read_are_named),
        in_folder(types_with_the_same_meaning_are_read),
        in_folder(rows_that_an_index_does_not_allow_are_told_and_left_out),
        in_folder(values_that_a_column_would_change_are_refused),
        in_folder(an_index_that_is_not_understood_makes_a_table_foreign),
        in_folder(rows_that_a_column_cannot_hold_are_told_and_left_out),
        in_folder(a_refusal_may_fail_the_commit),
        in_folder(a_column_that_nobody_fills_is_named_before_anything_is_written),
        in_folder(tables_that_hold_all_rows_are_not_foreign),
        in_folder(the_order_in_which_rows_come_makes_no_difference),
    };
    return cmocka_run_group_tests_name("store_foreign", tests, NULL, NULL);
}
