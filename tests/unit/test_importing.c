/* An import as a source: it ends by itself, or is stopped, and then what was read whole is stored.
 */
#include "import_fixture.h"

#include "sources/archive/importing.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <unistd.h>

enum { LONG_ROWS = 60000, SLOW_MS = 100, WAIT_MS = 20000 };

/* How slow the second file is, so that it is not read when it is stopped. */
struct pause {
    unsigned ms; /* a block of rows */
    atomic_bool has_begun;
};

static void pause_at_second_file(const char *path, uint64_t bytes_done, uint64_t bytes_total,
                                 void *context)
{
    struct pause *pause = context;
    (void)bytes_done;
    (void)bytes_total;
    if (strstr(path, "2025-12-02") == NULL)
        return;
    atomic_store(&pause->has_begun, true);
    usleep(pause->ms * 1000);
}

static void pass(const char *message, void *context)
{
    (void)message;
    (void)context;
}

/* Of ETHUSDT, so many that they are streamed into a transaction of their own. */
static void put_long_file(void **state)
{
    FILE *file = fopen(path_in(state, "in/ETHUSDT-5m-2025-12-02.csv"), "w");
    assert_non_null(file);
    for (int64_t i = 0; i < LONG_ROWS; i++)
        fprintf(file, "%" PRId64 ",100,103,97,101,5,,,,,,0\n", T0 - (LONG_ROWS - i) * CANDLE_MS);
    assert_int_equal(fclose(file), 0);
}

static struct source *start(void **state, struct store *store, struct pause *pause,
                            struct import_summary *summaries)
{
    static const char *path;
    path = path_in(state, "in");
    return importing_start(&(struct import_options){.store = store,
                                                    .on_problem = pass,
                                                    .on_progress = pause_at_second_file,
                                                    .context = pause},
                           &path, 1, summaries);
}

static void it_ends_by_itself(void **state)
{
    struct import_summary summaries[IMPORT_KIND_COUNT] = {0};
    struct pause pause = {0};
    put(state, "in/BTCUSDT-5m-2025-12-01.csv", KLINE_0 KLINE_1);
    put_long_file(state);
    struct store *store = open_store(database(state), STORE_OWNER);
    struct source *source = start(state, store, &pause, summaries);
    assert_true(source_wait(source, WAIT_MS));
    assert_ok(source_status(source, NULL, fault));
    assert_ok(source_stop(source, fault));
    assert_int_equal(summaries[IMPORT_KLINES].rows_new, 2 + LONG_ROWS);
    store_close(store);
}

static void stopped_it_keeps_whole_files(void **state)
{
    struct import_summary summaries[IMPORT_KIND_COUNT] = {0};
    struct pause pause = {.ms = SLOW_MS};
    struct error error;
    put(state, "in/BTCUSDT-5m-2025-12-01.csv", KLINE_0 KLINE_1);
    put_long_file(state);
    struct store *store = open_store(database(state), STORE_OWNER);
    struct source *source = start(state, store, &pause, summaries);
    wait_until(atomic_load(&pause.has_begun));
    assert_false(source_wait(source, 1));
    assert_ok(source_status(source, NULL, fault));

    assert_int_equal(source_stop(source, &error), STATUS_CANCELLED);
    assert_non_null(strstr(error.message, "interrupted"));
    assert_int_equal(summaries[IMPORT_KLINES].rows_new, 2);
    store_close(store);
    assert_stored(state, "BTCUSDT", 2);
    assert_stored(state, "ETHUSDT", 0);
}

static void what_cannot_be_imported_is_its_outcome(void **state)
{
    struct import_summary summaries[IMPORT_KIND_COUNT] = {0};
    struct pause pause = {0};
    uint64_t failures = 0;
    put(state, "in/BTCUSDT-5m-2025-12-01.csv", "");
    struct store *store = open_store(database(state), STORE_OWNER);
    struct source *source = start(state, store, &pause, summaries);
    assert_true(source_wait(source, WAIT_MS));
    assert_int_equal(source_status(source, &failures, NULL), STATUS_INVALID);
    assert_int_equal(failures, 1);
    assert_int_equal(source_stop(source, NULL), STATUS_INVALID);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(it_ends_by_itself),
        in_folder(stopped_it_keeps_whole_files),
        in_folder(what_cannot_be_imported_is_its_outcome),
    };
    return cmocka_run_group_tests_name("importing", tests, NULL, NULL);
}
