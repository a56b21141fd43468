/* Queries that would take too long, or too much memory. */
#include "foreign_database.h"
#include "market_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define OPEN_INTEREST                                                                              \
    "CREATE VIEW open_interest_history AS SELECT TIMESTAMP '2025-12-01' AS timestamp, "            \
    "'BTCUSDT' AS symbol, 5 AS open_interest_value;"

/* Candles that DuckDB would look for for days: none of them counts. */
static void make_endless(const char *path)
{
    run_foreign(path, OPEN_INTEREST
                "CREATE VIEW klines_5m_history AS SELECT TIMESTAMP '2025-12-01' AS open_time, "
                "'BTCUSDT' AS symbol, 1 AS open, 1 AS high, 1 AS low, 1 AS close, 1 AS volume "
                "FROM range(10000000000) AS a(i), range(1000) AS b(k) WHERE i + k = -1");
}

/* Candles that DuckDB can make only with some gigabytes; the others are there at once. */
static void make_huge(const char *path)
{
    run_foreign(path, OPEN_INTEREST
                "CREATE TABLE candles AS SELECT TIMESTAMP '2025-12-01' AS open_time, "
                "'BTCUSDT' AS symbol, 1 AS open, 1 AS high, 1 AS low, 1 AS close, 1 AS volume;"
                "CREATE VIEW klines_5m_history AS SELECT * FROM candles UNION ALL "
                "SELECT TIMESTAMP '2025-12-01', 'HUGE', 1, 1, 1, 1, len(list(i)) "
                "FROM range(100000000) AS a(i) WHERE getvariable('never') IS NULL");
}

static enum status load(struct store_session *session, const char *symbol, struct series *series,
                        struct error *error)
{
    return store_load(session, symbol, T0 - DAY_MS, T0 + DAY_MS, CANDLE_MS, series, error);
}

static struct store_session *begin_stoppable(struct store *store, const struct stop_token *stop)
{
    struct store_session *session = NULL;
    assert_ok(store_begin_stoppable(store, stop, &session, fault));
    return session;
}

static void a_query_ends_at_its_deadline(void **state)
{
    make_endless(database(state));
    struct store *store = open_store(database(state), STORE_SHARED);
    const struct stop_token stop = {.deadline_ns = clock_monotonic_ns() + 200000000};
    struct store_session *session = begin_stoppable(store, &stop);
    struct series series = {0};
    struct error error;
    int64_t count;
    assert_int_equal(load(session, "BTCUSDT", &series, &error), STATUS_TIMEOUT);
    assert_true(clock_monotonic_ns() >= stop.deadline_ns);
    assert_non_null(strstr(error.message, "takes longer than is allowed"));
    /* So does what the session is asked next, and another session is as good as ever. */
    assert_int_equal(store_count_rows(session, "BTCUSDT", T0, T0, &count, &error), STATUS_TIMEOUT);
    store_end(session);
    session = begin(store);
    assert_int_equal(store_newest_interest(session, "BTCUSDT", &count, NULL), STATUS_OK);
    store_end(session);
    store_close(store);
}

struct canceller {
    pthread_t thread;
    atomic_bool is_cancelled;
};

static void *cancel_soon(void *context)
{
    struct canceller *canceller = context;
    sleep_ms(100);
    atomic_store(&canceller->is_cancelled, true);
    return NULL;
}

static void a_query_ends_when_it_is_cancelled(void **state)
{
    make_endless(database(state));
    struct store *store = open_store(database(state), STORE_SHARED);
    struct canceller canceller = {.is_cancelled = false};
    const struct stop_token stop = {.is_cancelled = &canceller.is_cancelled};
    struct store_session *session = begin_stoppable(store, &stop);
    int64_t newest;
    assert_int_equal(pthread_create(&canceller.thread, NULL, cancel_soon, &canceller), 0);
    assert_int_equal(store_newest(session, "BTCUSDT", &newest, NULL), STATUS_CANCELLED);
    pthread_join(canceller.thread, NULL);
    store_end(session);
    store_close(store);
}

static void waiting_for_the_sessions_on_an_older_file_ends_at_the_deadline(void **state)
{
    char command[600];
    store_close(open_store(database(state), STORE_OWNER));
    store_close(open_store(path_in(state, "new.duckdb"), STORE_OWNER));
    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *old = begin(store), *session;
    snprintf(command, sizeof command, "cp '%s' '%s'", path_in(state, "new.duckdb"),
             database(state));
    assert_int_equal(system(command), 0);
    const struct stop_token stop = {.deadline_ns = clock_monotonic_ns() + 100000000};
    assert_int_equal(store_begin_stoppable(store, &stop, &session, NULL), STATUS_TIMEOUT);
    assert_null(session);
    store_end(old);
    store_end(begin(store));
    store_close(store);
}

static void a_query_that_is_over_the_databases_memory_fails_alone(void **state)
{
    make_huge(database(state));
    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *session = begin(store);
    struct series series = {0};
    struct error error;
    enum status status = load(session, "HUGE", &series, &error);
    if (status != STATUS_NO_MEMORY)
        fail_msg("%s", error.message);
    assert_non_null(strstr(error.message, "Out of Memory"));
    assert_int_equal(store_newest_interest(session, "BTCUSDT", &(int64_t){0}, NULL), STATUS_OK);
    store_end(session);
    session = begin_stoppable(store, &(struct stop_token){0});
    assert_int_equal(load(session, "HUGE", &series, NULL), STATUS_NO_MEMORY);
    store_end(session);
    series_deinit(&series);
    store_close(store);
}

static void a_query_that_may_be_stopped_finds_the_same(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct series plain = {0}, stoppable = {0};
    write_market(store, "BTCUSDT", 0, 3000, 5);
    struct store_session *session = begin(store);
    assert_ok(store_load(session, "BTCUSDT", T0, T0 + 30 * DAY_MS, CANDLE_MS, &plain, fault));
    store_end(session);
    session = begin_stoppable(store, &(struct stop_token){0});
    assert_ok(store_load(session, "BTCUSDT", T0, T0 + 30 * DAY_MS, CANDLE_MS, &stoppable, fault));
    store_end(session);
    assert_int_equal(plain.count, 3000);
    assert_int_equal(stoppable.count, 3000);
    assert_memory_equal(plain.candles, stoppable.candles, 3000 * sizeof *plain.candles);
    assert_memory_equal(plain.deltas, stoppable.deltas, 3000 * sizeof *plain.deltas);
    series_deinit(&plain);
    series_deinit(&stoppable);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_query_ends_at_its_deadline),
        in_folder(a_query_ends_when_it_is_cancelled),
        in_folder(waiting_for_the_sessions_on_an_older_file_ends_at_the_deadline),
        in_folder(a_query_that_is_over_the_databases_memory_fails_alone),
        in_folder(a_query_that_may_be_stopped_finds_the_same),
    };
    return cmocka_run_group_tests_name("store_limits", tests, NULL, NULL);
}
