/* Files of the archive are remembered with their rows: in one transaction, by the checksum that was
 * published for them. */
#include "import_fixture.h"

#define PATH_1 "data/futures/um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12-01.zip"
#define PATH_2 "data/futures/um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12-02.zip"
#define SUM_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define SUM_2 "2222222222222222222222222222222222222222222222222222222222222222"

static void note(struct store *store, const char *path, const char *checksum, bool commits)
{
    struct store_session *session = NULL;
    assert_ok(store_begin_brief(store, &session, fault));
    assert_ok(store_write_begin(session, "test", false, fault));
    struct store_archive_file file = {.first_ms = T0, .last_ms = T0 + DAY_MS};
    strcpy(file.checksum, checksum);
    assert_ok(store_write_archive_file(session, path, "BTCUSDT", &file, fault));
    if (commits)
        assert_ok(store_write_commit(session, NULL, NULL, fault));
    store_end(session);
}

static void assert_noted(struct store *store, const char *path, const char *expected)
{
    struct store_archive_file file = {.checksum = "unset"};
    struct store_session *session = begin(store);
    assert_ok(store_archive_file(session, path, &file, fault));
    assert_string_equal(file.checksum, expected);
    assert_true((file.first_ms == STORE_NONE) == (expected[0] == '\0'));
    store_end(session);
}

static void a_file_is_known_by_its_last_checksum(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    assert_noted(store, PATH_1, ""); /* the table is not there yet */
    note(store, PATH_1, SUM_1, true);
    assert_noted(store, PATH_1, SUM_1);
    assert_noted(store, PATH_2, "");
    note(store, PATH_1, SUM_2, true);
    assert_noted(store, PATH_1, SUM_2);
    store_close(store);
    store = open_store(database(state), STORE_SHARED);
    assert_noted(store, PATH_1, SUM_2);
    store_close(store);
}

static void what_is_rolled_back_is_not_known(void **state)
{
    struct store *store = open_store(database(state), STORE_SHARED);
    note(store, PATH_1, SUM_1, true);
    note(store, PATH_1, SUM_2, false);
    note(store, PATH_2, SUM_2, false);
    assert_noted(store, PATH_1, SUM_1);
    assert_noted(store, PATH_2, "");
    store_close(store);
}

/* -- with the rows of an import ---------------------------------------------------------------- */

static enum status note_as_sum_1(struct store_session *session, const struct import_stored *stored,
                                 void *context, struct error *error)
{
    const struct outcome *outcome = context;
    const struct store_archive_file file = {SUM_1, stored->first_ms, stored->last_ms};
    assert_int_equal(outcome->status, STATUS_OK);
    assert_int_equal(stored->first_ms, T0);
    return store_write_archive_file(session, stored->path, "BTCUSDT", &file, error);
}

/* As note_as_sum_1(), for a file that had two candles before. */
static enum status note_replaced(struct store_session *session, const struct import_stored *stored,
                                 void *context, struct error *error)
{
    store_write_replaced(session, STORE_CANDLES, "BTCUSDT", T0, T0 + CANDLE_MS);
    return note_as_sum_1(session, stored, context, error);
}

static enum status refuse(struct store_session *session, const struct import_stored *stored,
                          void *context, struct error *error)
{
    (void)session;
    (void)stored;
    (void)context;
    return error_set(error, STATUS_IO, "refused");
}

static struct outcome run_noting(struct store *store, const char *path, bool replaces,
                                 enum status (*on_commit)(struct store_session *,
                                                          const struct import_stored *, void *,
                                                          struct error *))
{
    struct outcome outcome = {0};
    struct import_summary summaries[IMPORT_KIND_COUNT];
    outcome.status = import_run(&(struct import_options){.store = store,
                                                         .replaces = replaces,
                                                         .on_commit = on_commit,
                                                         .on_problem = on_problem,
                                                         .context = &outcome},
                                &path, 1, summaries, &outcome.error);
    outcome.klines = summaries[IMPORT_KLINES];
    return outcome;
}

static void each_usable_file_is_noted_with_its_rows(void **state)
{
    char good[256];
    snprintf(good, sizeof good, "%s", put(state, "in/BTCUSDT-5m-2025-12-01.csv", KLINE_0 KLINE_1));
    put(state, "in/BTCUSDT-5m-2025-12-02.csv", "7,7,7\n");
    struct store *store = open_store(database(state), STORE_SHARED);
    struct outcome outcome = run_noting(store, path_in(state, "in"), false, note_as_sum_1);
    assert_int_equal(outcome.klines.rows_new, 2);
    assert_noted(store, good, SUM_1);
    assert_noted(store, path_in(state, "in/BTCUSDT-5m-2025-12-02.csv"), "");
    store_close(store);
}

static void rows_are_not_stored_without_the_note(void **state)
{
    const char *path = put(state, "BTCUSDT-5m-2025-12-01.csv", KLINE_0 KLINE_1);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct outcome outcome = run_noting(store, path, false, refuse);
    assert_int_equal(outcome.status, STATUS_IO);
    assert_string_equal(outcome.error.message, "refused");
    store_close(store);
    assert_stored(state, "BTCUSDT", 0);
}

static void replacing_overwrites_what_an_earlier_file_said(void **state)
{
    char path[256];
    snprintf(path, sizeof path, "%s", put(state, "BTCUSDT-5m-2025-12-01.csv", KLINE_0 KLINE_1));
    struct store *store = open_store(database(state), STORE_SHARED);
    run_noting(store, path, false, note_as_sum_1);
    put(state, "BTCUSDT-5m-2025-12-01.csv", "1764547200000,200,203,197,201,5,,,,,,0\n");
    struct outcome outcome = run_noting(store, path, false, note_as_sum_1);
    assert_int_equal(outcome.klines.rows_new, 0);
    struct series before = stored(state, "BTCUSDT");
    assert_int_equal(before.candles[0].open_e8, 100 * DECIMAL_ONE);
    outcome = run_noting(store, path, true, note_as_sum_1);
    assert_int_equal(outcome.status, STATUS_OK);
    store_close(store);
    struct series after = stored(state, "BTCUSDT");
    assert_int_equal(after.count, 2);
    assert_int_equal(after.candles[0].open_e8, 200 * DECIMAL_ONE);
    assert_int_equal(after.candles[1].open_e8, 101 * DECIMAL_ONE);
    series_deinit(&before);
    series_deinit(&after);
}

static void what_a_replaced_file_has_not_any_more_goes(void **state)
{
    char path[256];
    snprintf(path, sizeof path, "%s", put(state, "BTCUSDT-5m-2025-12-01.csv", KLINE_0 KLINE_1));
    struct store *store = open_store(database(state), STORE_OWNER);
    write_market(store, "BTCUSDT", 2, 1, 5);
    write_market(store, "ETHUSDT", 0, 3, 5);
    run_noting(store, path, false, note_as_sum_1);
    put(state, "BTCUSDT-5m-2025-12-01.csv", KLINE_0);
    struct outcome outcome = run_noting(store, path, true, note_replaced);
    assert_int_equal(outcome.status, STATUS_OK);
    store_close(store);
    struct series left = stored(state, "BTCUSDT"), other = stored(state, "ETHUSDT");
    assert_int_equal(left.count, 2);
    assert_int_equal(left.candles[0].open_time_ms, T0);
    assert_int_equal(left.candles[1].open_time_ms, T0 + 2 * CANDLE_MS);
    assert_int_equal(other.count, 3);
    series_deinit(&left);
    series_deinit(&other);
}

static void files_are_forgotten_with_rows_that_are_deleted(void **state)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct store_deleted deleted;
    write_market(store, "BTCUSDT", 0, 3, 5);
    note(store, PATH_1, SUM_1, true);
    struct store_session *session = begin(store);
    assert_ok(
        store_delete(session, "BTCUSDT", T0 + DAY_MS, T0 + 2 * DAY_MS, false, &deleted, fault));
    assert_int_equal(deleted.candle_count, 0);
    store_end(session);
    assert_noted(store, PATH_1, SUM_1);
    session = begin(store);
    assert_ok(store_delete(session, "BTCUSDT", T0, T0, false, &deleted, fault));
    assert_int_equal(deleted.candle_count, 1);
    store_end(session);
    assert_noted(store, PATH_1, "");
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_file_is_known_by_its_last_checksum),
        in_folder(what_is_rolled_back_is_not_known),
        in_folder(each_usable_file_is_noted_with_its_rows),
        in_folder(rows_are_not_stored_without_the_note),
        in_folder(replacing_overwrites_what_an_earlier_file_said),
        in_folder(what_a_replaced_file_has_not_any_more_goes),
        in_folder(files_are_forgotten_with_rows_that_are_deleted),
    };
    return cmocka_run_group_tests_name("archive_files", tests, NULL, NULL);
}
