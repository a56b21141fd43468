/* The file of a database: who may read it, and one whose maker was killed. */
#include "foreign_database.h"
#include "market_fixture.h"

#include <fcntl.h>
#include <sys/wait.h>

static mode_t mode_of(const char *path)
{
    struct stat stat_of;
    assert_int_equal(stat(path, &stat_of), 0);
    return stat_of.st_mode & 0777;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* What a process leaves that is killed while it makes the file. */
static void make_unfinished(const char *path, off_t size)
{
    duckdb_database made;
    assert_int_equal(duckdb_open(path, &made), DuckDBSuccess);
    duckdb_close(&made);
    assert_int_equal(truncate(path, size), 0);
}

/* -- who may read it --------------------------------------------------------------------------- */

static void only_its_owner_may_read_the_file_and_its_log(void **state)
{
    umask(0022);
    struct store *store = open_store(path_in(state, "folder/new.duckdb"), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 3, 5);
    assert_int_equal(mode_of(path_in(state, "folder/new.duckdb")), 0600);
    assert_int_equal(mode_of(path_in(state, "folder/new.duckdb.wal")), 0600);
    assert_int_equal(mode_of(path_in(state, "folder")), 0700);
    store_close(store);
    assert_int_equal(mode_of(path_in(state, "folder/new.duckdb")), 0600);
}

static void the_log_of_a_file_that_others_may_read_can_be_read_by_them(void **state)
{
    store_close(open_store(database(state), STORE_OWNER));
    assert_int_equal(chmod(database(state), 0640), 0);
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 0, 3, 5);
    assert_int_equal(mode_of(path_in(state, "test.duckdb.wal")), 0640);
    store_close(store);
    assert_int_equal(mode_of(database(state)), 0640);
}

/* -- one whose maker was killed ---------------------------------------------------------------- */

static void an_unfinished_file_has_no_data_yet_and_is_finished_by_the_next_owner(void **state)
{
    static const off_t sizes[] = {0, 4096, 8192};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    const char *paths[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu.duckdb", i);
        paths[i] = path_in(state, name);
        make_unfinished(paths[i], sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        struct store_session *session;
        struct error error;
        struct store *reader = open_store(paths[i], STORE_SHARED);
        assert_int_equal(store_begin(reader, &session, &error), STATUS_NOT_FOUND);
        assert_non_null(strstr(error.message, "holds no data yet; import some"));

        struct store *owner = open_store(paths[i], STORE_OWNER);
        write_market(owner, "BTCUSDT", 0, 3, 5);
        store_close(owner);
        session = begin(reader);
        int64_t count;
        assert_ok(store_count(session, "BTCUSDT", T0, T0 + DAY_MS, CANDLE_MS, &count, fault));
        assert_int_equal(count, 3);
        store_end(session);
        store_close(reader);
    }
}

static void a_file_that_is_being_made_is_left_alone(void **state)
{
    struct error error;
    struct store *store;
    make_unfinished(database(state), 4096);
    int fd = open(database(state), O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pid_t maker = fork();
    if (maker == 0) { /* holds the lock until it is killed */
        if (fcntl(fd, F_SETLK, &lock) == 0)
            pause();
        _exit(1);
    }
    close(fd);
    sleep_ms(100);
    assert_int_equal(store_open(database(state), STORE_OWNER, &store, &error), STATUS_BUSY);
    assert_int_equal(size_of(database(state)), 4096);
    kill(maker, SIGKILL);
    waitpid(maker, NULL, 0);
    store_close(open_store(database(state), STORE_OWNER));
}

static void a_link_to_an_unfinished_file_stays_a_link(void **state)
{
    make_unfinished(path_in(state, "there.duckdb"), 4096);
    assert_int_equal(symlink("there.duckdb", database(state)), 0);
    store_close(open_store(database(state), STORE_OWNER));
    struct stat link;
    assert_int_equal(lstat(database(state), &link), 0);
    assert_true(S_ISLNK(link.st_mode));
    assert_true(size_of(path_in(state, "there.duckdb")) >= 12288);
}

static void a_small_file_of_another_kind_is_not_touched(void **state)
{
    struct error error;
    struct store *store;
    write_text(database(state), "a list of things to buy");
    assert_int_equal(store_open(database(state), STORE_OWNER, &store, &error), STATUS_IO);
    assert_int_equal(size_of(database(state)), 23);
    make_unfinished(path_in(state, "other"), 0);
    write_text(path_in(state, "other"), "1234567");
    assert_int_equal(store_open(path_in(state, "other"), STORE_OWNER, &store, &error), STATUS_IO);
    assert_int_equal(size_of(path_in(state, "other")), 7);
}

static void tables_that_are_missing_are_made(void **state)
{
    struct store_session *session;
    struct error error;
    run_foreign(database(state), "SELECT 1");
    struct store *reader = open_store(database(state), STORE_SHARED);
    assert_int_equal(store_begin(reader, &session, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "`heatcast import` makes it"));
    struct store *owner = open_store(database(state), STORE_OWNER);
    write_market(owner, "BTCUSDT", 0, 3, 5);
    store_close(owner);
    store_end(begin(reader));
    store_close(reader);
}

/* -- what other programs leave ------------------------------------------------------------------
 */

/* Runs it in a process that ends without closing the file. */
static void run_and_die(const char *path, const char *sql)
{
    pid_t child = fork();
    if (child == 0) {
        duckdb_database foreign;
        duckdb_connection connection;
        bool is_done = duckdb_open(path, &foreign) == DuckDBSuccess &&
                       duckdb_connect(foreign, &connection) == DuckDBSuccess &&
                       duckdb_query(connection, sql, NULL) == DuckDBSuccess;
        _exit(is_done ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void make_log_that_no_reader_can_use(void **state)
{
    struct store *owner = open_store(database(state), STORE_OWNER);
    write_market(owner, "BTCUSDT", 0, 3, 5);
    store_close(owner);
    run_and_die(database(state), "CREATE INDEX prices ON klines_5m_history(close)");
    assert_true(size_of(path_in(state, "test.duckdb.wal")) > 0);
}

static void a_log_that_no_reader_can_use_is_mended(void **state)
{
    make_log_that_no_reader_can_use(state);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *session = begin(store);
    struct series series = {0};
    assert_ok(store_load(session, "BTCUSDT", T0, T0 + DAY_MS, CANDLE_MS, &series, fault));
    assert_int_equal(series.count, 3);
    series_deinit(&series);
    store_end(session);
    store_close(store);
    assert_int_equal(access(path_in(state, "test.duckdb.wal"), F_OK), -1);
}

static void a_log_that_cannot_be_mended_says_what_to_do(void **state)
{
    make_log_that_no_reader_can_use(state);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *session;
    struct error error;
    struct rlimit before, none;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 0; /* as on a disk that is full */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    enum status status = store_begin(store, &session, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, STATUS_IO);
    assert_non_null(strstr(error.message, "open it for writing once"));
    store_end(begin(store)); /* there is space again */
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(only_its_owner_may_read_the_file_and_its_log),
        in_folder(the_log_of_a_file_that_others_may_read_can_be_read_by_them),
        in_folder(an_unfinished_file_has_no_data_yet_and_is_finished_by_the_next_owner),
        in_folder(a_file_that_is_being_made_is_left_alone),
        in_folder(a_link_to_an_unfinished_file_stays_a_link),
        in_folder(a_small_file_of_another_kind_is_not_touched),
        in_folder(tables_that_are_missing_are_made),
        in_folder(a_log_that_no_reader_can_use_is_mended),
        in_folder(a_log_that_cannot_be_mended_says_what_to_do),
    };
    return cmocka_run_group_tests_name("store_file", tests, NULL, NULL);
}
