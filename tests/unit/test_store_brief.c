/* Writing beside others: a brief session of a store in shared mode. */
#include "foreign_database.h"
#include "market_fixture.h"
#include "other_process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

static struct store_session *begin_brief(struct store *store)
{
    struct store_session *session = NULL;
    assert_ok(store_begin_brief(store, &session, fault));
    return session;
}

static void write_klines(struct store_session *session, int first, int count)
{
    assert_ok(store_write_begin(session, "test", true, fault));
    for (int i = 0; i < count; i++) {
        struct kline_row row = kline("BTCUSDT", first + i, 100, 103, 97, 101);
        assert_ok(store_write_kline(session, &row, fault));
    }
    assert_ok(store_write_commit(session, NULL, NULL, fault));
}

static void write_briefly(struct store *store, int first, int count)
{
    struct store_session *session = begin_brief(store);
    write_klines(session, first, count);
    store_end(session);
}

static int64_t count_klines(struct store *store)
{
    int64_t count = 0;
    struct store_session *session = begin(store);
    assert_ok(store_count(session, "BTCUSDT", T0, T0 + 365 * DAY_MS, CANDLE_MS, &count, fault));
    store_end(session);
    return count;
}

/* -- other processes -------------------------------------------------------------------------- */

static void the_file_is_made_with_its_tables_and_held_only_for_the_session(void **state)
{
    const char *path = path_in(state, "folder/new.duckdb");
    umask(0022);
    struct store *store = open_store(path, STORE_SHARED);
    struct store_session *session = begin_brief(store);
    write_klines(session, 0, 3);
    assert_false(is_free_for(path, F_RDLCK));
    store_end(session);
    assert_true(is_free_for(path, F_WRLCK));
    struct stat made;
    assert_int_equal(stat(path, &made), 0);
    assert_int_equal(made.st_mode & 0777, 0600);
    assert_int_equal(count_klines(store), 3);
    store_close(store);
    assert_int_equal(ask_foreign(path, "SELECT count(*) FROM klines_5m_history"), 3);
    assert_int_equal(ask_foreign(path, "SELECT count(*) FROM open_interest_history"), 0);
}

static void a_file_that_another_process_has_is_busy_at_once_and_can_be_written_after(void **state)
{
    struct store_session *session;
    struct error error;
    struct store *store = open_store(database(state), STORE_SHARED);
    write_briefly(store, 0, 3);
    static const short types[] = {F_RDLCK, F_WRLCK};
    for (int i = 0; i < 2; i++) {
        pid_t holder = hold_elsewhere(database(state), types[i]);
        assert_int_equal(store_begin_brief(store, &session, &error), STATUS_BUSY);
        assert_non_null(strstr(error.message, "another process"));
        if (types[i] == F_RDLCK)
            assert_int_equal(count_klines(store), 3 + i);
        let_go_elsewhere(holder);
        write_briefly(store, 3 + i, 1);
        assert_int_equal(count_klines(store), 4 + i);
    }
    store_close(store);
}

static void *kill_soon(void *argument)
{
    sleep_ms(100);
    let_go_elsewhere(*(pid_t *)argument);
    return NULL;
}

/* Whether a reader that came while another process wrote for a moment could read. */
static bool reads_after_a_moment(const char *path, struct store *store)
{
    struct store_session *session;
    pthread_t killer;
    pid_t other = hold_elsewhere(path, F_WRLCK);
    assert_int_equal(pthread_create(&killer, NULL, kill_soon, &other), 0);
    bool can_read = store_begin(store, &session, NULL) == STATUS_OK;
    pthread_join(killer, NULL);
    store_end(session);
    return can_read;
}

static void a_reader_waits_for_the_short_write_of_another_process(void **state)
{
    struct store *store = open_store(database(state), STORE_SHARED);
    write_briefly(store, 0, 3);
    bool can_read = false;
    for (int i = 0; i < 10 && !can_read; i++) /* the machine may be busy */
        can_read = reads_after_a_moment(database(state), store);
    assert_true(can_read);
    store_close(store);
}

static void in_owner_mode_it_is_a_session_like_any_other(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct store_session *reader = begin(store);
    write_briefly(store, 0, 3);
    store_end(reader);
    assert_false(is_free_for(database(state), F_RDLCK));
    assert_int_equal(count_klines(store), 3);
    store_close(store);
}

/* -- readers of this process ------------------------------------------------------------------- */

static void a_reader_that_stays_makes_it_busy_and_is_not_disturbed(void **state)
{
    struct store_session *session;
    struct error error;
    int64_t newest_ms;
    struct store *store = open_store(database(state), STORE_SHARED);
    write_briefly(store, 0, 3);
    struct store_session *reader = begin(store);
    assert_int_equal(store_begin_brief(store, &session, &error), STATUS_BUSY);
    assert_non_null(strstr(error.message, "read by this process"));
    assert_ok(store_newest(reader, "BTCUSDT", &newest_ms, fault));
    assert_int_equal(newest_ms, T0 + 2 * CANDLE_MS);
    assert_int_equal(count_klines(store), 3); /* another one joins it */
    store_end(reader);
    write_briefly(store, 3, 1);
    assert_int_equal(count_klines(store), 4);
    store_close(store);
}

struct reading {
    struct store *store;
    atomic_int reads;
    atomic_bool is_over;
};

static void *read_always(void *argument)
{
    struct reading *reading = argument;
    int64_t before = 0;
    while (!atomic_load(&reading->is_over)) {
        int64_t count = count_klines(reading->store);
        assert_true(count >= before && count % 3 == 0); /* whole transactions */
        before = count;
        atomic_fetch_add(&reading->reads, 1);
    }
    return NULL;
}

static void readers_and_writes_take_turns_and_neither_starves(void **state)
{
    enum { THREADS = 3, WRITES = 60 };
    struct reading reading = {.store = open_store(database(state), STORE_SHARED)};
    pthread_t threads[THREADS];
    write_briefly(reading.store, 0, 3);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_always, &reading), 0);
    for (int i = 1; i < WRITES; i++)
        write_briefly(reading.store, 3 * i, 3);
    int reads = atomic_load(&reading.reads);
    wait_until(atomic_load(&reading.reads) > reads + THREADS);
    atomic_store(&reading.is_over, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(count_klines(reading.store), 3 * WRITES);
    assert_true(reads > 0);
    store_close(reading.store);
}

/* -- the log ----------------------------------------------------------------------------------- */

static off_t log_size(void **state)
{
    struct stat wal;
    return stat(path_in(state, "test.duckdb.wal"), &wal) == 0 ? wal.st_size : 0;
}

static void the_log_is_read_by_all_and_moves_into_the_file_now_and_then(void **state)
{
    enum { COUNT = 500, TURNS_MAX = 60 };
    struct store *store = open_store(database(state), STORE_SHARED);
    bool has_grown = false, has_moved = false;
    int turns = 0;
    off_t before = 0;
    for (; turns < TURNS_MAX && !has_moved; turns++) {
        write_briefly(store, turns * COUNT, COUNT);
        off_t size = log_size(state);
        has_grown = has_grown || size > before;
        has_moved = size < before;
        before = size;
        assert_int_equal(count_klines(store), (turns + 1) * COUNT);
    }
    assert_true(has_grown && has_moved && turns > 3);
    write_briefly(store, turns * COUNT, 1);
    assert_true(log_size(state) > 0);
    store_close(store);
    assert_int_equal(log_size(state), 0);
    assert_int_equal(ask_foreign(database(state), "SELECT count(*) FROM klines_5m_history"),
                     turns * COUNT + 1);
}

/* Another program, which is this one started again, ends without closing what it has written to. */
static int run_and_leave(const char *path, const char *sql)
{
    duckdb_database foreign;
    duckdb_connection connection;
    bool is_done = duckdb_open(path, &foreign) == DuckDBSuccess &&
                   duckdb_connect(foreign, &connection) == DuckDBSuccess &&
                   duckdb_query(connection, sql, NULL) == DuckDBSuccess;
    _exit(is_done ? 0 : 1);
}

static void leave_log(void **state, const char *sql)
{
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "foreign", database(state), sql, (char *)NULL);
        _exit(127);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_true(log_size(state) > 0);
}

static void a_log_that_no_reader_can_replay_is_healed_by_the_next_write(void **state)
{
    struct store *store = open_store(database(state), STORE_SHARED);
    write_briefly(store, 0, 3);
    store_close(store);
    leave_log(state, "CREATE INDEX mine ON klines_5m_history (volume)");
    store = open_store(database(state), STORE_SHARED);
    write_briefly(store, 3, 1);
    assert_int_equal(log_size(state), 0);
    assert_int_equal(count_klines(store), 4);
    store_close(store);
}

static void a_file_that_its_maker_did_not_finish_is_made_again(void **state)
{
    duckdb_database made;
    assert_int_equal(duckdb_open(database(state), &made), DuckDBSuccess);
    duckdb_close(&made);
    assert_int_equal(truncate(database(state), 8192), 0);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *session = NULL;
    wait_until(store_begin_brief(store, &session, NULL) == STATUS_OK); /* once it has some age */
    write_klines(session, 0, 3);
    store_end(session);
    assert_int_equal(count_klines(store), 3);
    store_close(store);
}

static void a_full_disk_loses_nothing_and_the_next_write_succeeds(void **state)
{
    struct store_session *session;
    struct error error;
    struct kline_row row = kline("BTCUSDT", 3, 100, 103, 97, 101);
    struct store *store = open_store(database(state), STORE_SHARED);
    write_briefly(store, 0, 2);
    write_briefly(store, 2,
                  1); /* is in the log, which the first, that made the file, has not left */
    leave_space(state, 20);
    for (int i = 0; i < 3; i++) {
        session = begin_brief(store);
        assert_ok(store_write_begin(session, "test", true, fault));
        assert_ok(store_write_kline(session, &row, fault));
        assert_int_equal(store_write_commit(session, NULL, NULL, &error), STATUS_IO);
        store_end(session);
        assert_int_equal(count_klines(store), 3);
    }
    leave_space(state, -1);
    write_briefly(store, 3, 1);
    assert_int_equal(count_klines(store), 4);
    store_close(store);
    assert_int_equal(ask_foreign(database(state), "SELECT count(*) FROM klines_5m_history"), 4);
}

/* The file itself is far larger than what is left, so its log can grow and cannot be moved. */
static void a_log_that_cannot_be_moved_is_kept_and_moved_later(void **state)
{
    enum { COUNT = 500, TURNS = 6 };
    int turns = 0;
    struct store *store = open_store(database(state), STORE_SHARED);
    for (; turns < 12 || log_size(state) == 0; turns++)
        write_briefly(store, turns * COUNT, COUNT);
    int first = turns;
    off_t before = log_size(state);
    leave_space(state, 400000);
    assert_true(size_of(database(state)) > 600000 + before);
    for (; turns < first + TURNS; turns++) {
        write_briefly(store, turns * COUNT, COUNT);
        assert_int_equal(count_klines(store), (turns + 1) * COUNT);
    }
    assert_true(log_size(state) > 128 * 1024);
    leave_space(state, -1);
    write_briefly(store, turns * COUNT, 1);
    assert_int_equal(log_size(state), 0);
    store_close(store);
    assert_int_equal(ask_foreign(database(state), "SELECT count(*) FROM klines_5m_history"),
                     turns * COUNT + 1);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return run_and_leave(argv[1], argv[2]);
    const struct CMUnitTest tests[] = {
        in_folder(the_file_is_made_with_its_tables_and_held_only_for_the_session),
        in_folder(a_file_that_another_process_has_is_busy_at_once_and_can_be_written_after),
        in_folder(a_reader_waits_for_the_short_write_of_another_process),
        in_folder(in_owner_mode_it_is_a_session_like_any_other),
        in_folder(a_reader_that_stays_makes_it_busy_and_is_not_disturbed),
        in_folder(readers_and_writes_take_turns_and_neither_starves),
        in_folder(the_log_is_read_by_all_and_moves_into_the_file_now_and_then),
        in_folder(a_log_that_no_reader_can_replay_is_healed_by_the_next_write),
        in_folder(a_file_that_its_maker_did_not_finish_is_made_again),
        in_folder(a_full_disk_loses_nothing_and_the_next_write_succeeds),
        in_folder(a_log_that_cannot_be_moved_is_kept_and_moved_later),
    };
    return cmocka_run_group_tests_name("store_brief", tests, NULL, NULL);
}
