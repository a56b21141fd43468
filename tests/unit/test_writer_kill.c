/* What a collector leaves that is killed while it writes, at any moment: a file that opens, with
 * whole rows and none of them twice, to which the next one adds what is missing.
 *
 * The collector is this program itself, started again with arguments, since only a process can be
 * killed. Row number `step` of a symbol has values that follow from the step, so a row that is cut
 * or mixed up is found. */
#include "foreign_database.h"
#include "market_fixture.h"
#include "sources/collect/writer.h"

#include "base/random.h"

#include <sys/wait.h>

enum {
    SYMBOLS = 50,
    KILLS = 30,
    KILL_MS_MAX = 400,
    STEPS = 40, /* of a collector, if it lives */
    STOP_MS = 60000,
};

/* -- the collector ----------------------------------------------------------------------------- */

static int64_t value_of(int64_t step, int symbol)
{
    return step * 1000 + symbol + 1;
}

static void put_step(struct writer *writer, int64_t step)
{
    for (int i = 0; i < SYMBOLS; i++) {
        char symbol[SYMBOL_SIZE];
        int value = (int)value_of(step, i);
        snprintf(symbol, sizeof symbol, "SYM%dUSDT", i);
        const struct kline_row candle = kline(symbol, (int)step, value, value, value, value);
        const struct interest_row stamp = interest(symbol, (int)step, value);
        struct liquidation_row print = {.exchange = "test",
                                        .time_ms = T0 + step * CANDLE_MS,
                                        .price_e8 = value * DECIMAL_ONE,
                                        .quantity_e8 = DECIMAL_ONE,
                                        .value_e8 = value * DECIMAL_ONE};
        snprintf(print.symbol, sizeof print.symbol, "%s", symbol);
        snprintf(print.id, sizeof print.id, "%lld", (long long)step);
        writer_put_kline(writer, &candle);
        writer_put_interest(writer, &stamp, "test");
        writer_put_liquidation(writer, &print);
    }
}

/* Writes its steps, a few at a time, and ends. */
static int collect(const char *path, int64_t first_step)
{
    struct store *store = open_store(path, STORE_SHARED);
    const struct writer_options options = {
        .store = store, .write_seconds = 0.001, .waiting_bytes_max = 64000000};
    struct writer *writer = writer_start(&options);
    for (int64_t step = first_step; step < first_step + STEPS; step++) {
        put_step(writer, step);
        sleep_ms(5); /* so that it writes all the time, a little each time */
    }
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
    return 0;
}

/* -- killing it -------------------------------------------------------------------------------- */

static pid_t start(const char *path, int64_t first_step)
{
    char step[24];
    snprintf(step, sizeof step, "%lld", (long long)first_step);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "collector", path, step, (char *)NULL);
        _exit(127);
    }
    return child;
}

static void run_to_its_end(const char *path, int64_t first_step)
{
    int result;
    pid_t child = start(path, first_step);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

static void kill_after(const char *path, int64_t first_step, long ms)
{
    pid_t child = start(path, first_step);
    sleep_ms(ms);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static int64_t ask(const char *path, const char *sql)
{
    return ask_foreign(path, sql);
}

/* Rows that are not as they were put, or are there twice. */
static int64_t count_wrong(const char *path)
{
    static const char *const sql[] = {
        "SELECT count(*) FROM klines_5m_history WHERE open IS NULL OR volume IS NULL OR "
        "open <> close OR open <> high OR open <> low OR open <> "
        "(epoch_ms(open_time) - 1764547200000) // 300000 * 1000 + symbol[4:-5]::INT + 1",
        "SELECT count(*) FROM open_interest_history WHERE open_interest_value <> "
        "(epoch_ms(timestamp) - 1764547200000) // 300000 * 1000 + symbol[4:-5]::INT + 1",
        "SELECT count(*) FROM liquidations WHERE value <> "
        "(epoch_ms(time) - 1764547200000) // 300000 * 1000 + symbol[4:-5]::INT + 1",
        "SELECT count(*) - count(DISTINCT symbol || epoch_ms(open_time)) FROM klines_5m_history",
        "SELECT count(*) - count(DISTINCT symbol || epoch_ms(timestamp)) "
        "FROM open_interest_history",
        "SELECT count(*) - count(DISTINCT id) FROM open_interest_history",
        "SELECT count(*) - count(DISTINCT symbol || id) FROM liquidations",
    };
    int64_t wrong = 0;
    for (size_t i = 0; i < sizeof sql / sizeof sql[0]; i++)
        wrong += ask(path, sql[i]);
    return wrong;
}

/* As a reader of heatcast finds it: by opening it read-only, with the log that was left. */
static int64_t count_read(const char *path)
{
    int64_t count = 0;
    struct store *store = open_store(path, STORE_SHARED);
    struct store_session *session = NULL;
    struct error error;
    enum status status = store_begin(store, &session, &error);
    if (status == STATUS_OK)
        assert_ok(store_count_rows(session, "SYM7USDT", T0, T0 + 3650 * DAY_MS, &count, fault));
    else if (status != STATUS_NOT_FOUND) /* it was killed before the file had its tables */
        fail_msg("%s", error.message);
    store_end(session);
    store_close(store);
    return count;
}

static void a_killed_collector_leaves_whole_rows_and_the_next_adds_the_rest(void **state)
{
    struct random random = random_seeded_by_system();
    int64_t before = 0;
    int unfinished = 0;
    for (int i = 0; i < KILLS; i++) {
        kill_after(database(state), i * STEPS, (long)random_between(&random, 0, KILL_MS_MAX));
        int64_t count = count_read(database(state));
        assert_true(count >= before); /* nothing that was there is gone */
        unfinished += count < (i + 1) * STEPS;
        before = count;
    }
    assert_true(unfinished > 0);
    /* What is missing is collected again, beside what is there. */
    for (int i = 0; i < KILLS; i++)
        run_to_its_end(database(state), i * STEPS);
    assert_int_equal(count_wrong(database(state)), 0);
    static const char *const tables[] = {"klines_5m_history", "open_interest_history",
                                         "liquidations"};
    for (size_t i = 0; i < 3; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", tables[i]);
        assert_int_equal(ask(database(state), sql), KILLS * STEPS * SYMBOLS);
    }
}

static void no_moment_of_the_first_write_leaves_what_the_next_cannot_use(void **state)
{
    enum { FIRST_KILLS = 10 };
    struct random random = random_seeded_by_system();
    for (int i = 0; i < FIRST_KILLS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.duckdb", i);
        const char *path = path_in(state, name);
        kill_after(path, 0, (long)random_between(&random, 0, 60));
        count_read(path);
        run_to_its_end(path, 0);
        assert_int_equal(count_read(path), STEPS);
        assert_int_equal(count_wrong(path), 0);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return collect(argv[1], atoll(argv[2]));
    const struct CMUnitTest tests[] = {
        in_folder(a_killed_collector_leaves_whole_rows_and_the_next_adds_the_rest),
        in_folder(no_moment_of_the_first_write_leaves_what_the_next_cannot_use),
    };
    return cmocka_run_group_tests_name("writer_kill", tests, NULL, NULL);
}
