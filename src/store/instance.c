/* One opening of the file: the database object, the columns that were found in it, and how many
 * sessions use it.
 *
 * Faults end an instance (`is_faulty`). DuckDB declares a database invalid after some errors. After
 * a commit that failed (a full disk) it does not, but its index then holds keys of rows that are
 * not there: the same rows can never be inserted again, and a checkpoint would make that permanent.
 * So a faulty instance is left to the sessions that still read from it, closes with the last of
 * them *without* a checkpoint, and the next session opens the file again: what it finds is the last
 * commit that succeeded.
 *
 * The tables are checked once, when the file is opened, so that a missing column is an error of the
 * session's beginning and not of each query. */
#include "store/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Between two checks of the stop token while an instance is waited for. */
enum { AWAIT_MS = 50 };

bool store_instance_is_faulty(const struct instance *instance)
{
    return atomic_load_explicit(&instance->is_faulty, memory_order_relaxed);
}

void store_mark_faulty(struct store_session *session)
{
    atomic_store_explicit(&session->instance->is_faulty, true, memory_order_relaxed);
}

enum status store_connect(struct store_session *session, struct error *error)
{
    struct store *store = session->store;
    if (store_database_connect(store, &session->instance->database, &session->connection))
        return STATUS_OK;
    store_mark_faulty(session);
    return store_fail(store, STATUS_IO, "cannot connect", error);
}

/* The .wal of a file that is gone is of no use to any process, and a file that has taken its place
 * could not be opened beside it. */
static void remove_own_log(const struct store *store, const struct instance *instance)
{
    struct stat wal;
    if (stat(store->wal_path, &wal) == 0 && wal.st_dev == instance->identity.wal.device &&
        wal.st_ino == instance->identity.wal.inode)
        unlink(store->wal_path);
}

void store_instance_close(struct store *store, struct instance *instance)
{
    bool is_faulty = store_instance_is_faulty(instance);
    list_remove(&instance->link);
    store_database_close(store, &instance->database, !is_faulty);
    log_debug("database closed", log_text("path", store->path),
              log_int("opening", (int64_t)instance->opening),
              log_text("faulty", is_faulty ? "yes" : "no"));
    if (instance->is_gone)
        remove_own_log(store, instance);
    free(instance);
    pthread_cond_broadcast(&store->closed);
}

enum status store_await_close(struct store *store, const struct stop_token *stop,
                              struct error *error)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + AWAIT_MS * INT64_C(1000000);
    until.tv_sec += nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    pthread_cond_timedwait(&store->closed, &store->mutex, &until);
    return stop_token_check(stop, error);
}

static void log_opening(const struct store *store, const struct instance *instance,
                        uint64_t start_ns)
{
    log_debug("database opened", log_text("path", store->path),
              log_text("mode", store->mode == STORE_OWNER ? "owner"
                               : instance->is_writable    ? "brief"
                                                          : "shared"),
              log_int("opening", (int64_t)instance->opening),
              log_real("ms", (double)(clock_monotonic_ns() - start_ns) / 1e6));
}

/* What an instance needs before its first session, on a connection of its own. */
static enum status prepare(struct store *store, struct instance *instance, struct error *error)
{
    struct store_session session = {.store = store, .instance = instance};
    enum status status = store_connect(&session, error);
    if (status != STATUS_OK)
        goto cleanup;
    /* Times with a zone read as UTC; a DuckDB without zones knows no such setting. */
    store_run(&session, "SET GLOBAL TimeZone = 'UTC'", NULL, 0, NULL, NULL);
    if (instance->is_writable) {
        /* store_owner_checkpoint() and store_brief_settle() do that, and only where all is well. */
        status = store_run(&session, "PRAGMA disable_checkpoint_on_shutdown", NULL, 0, NULL, error);
        if (status == STATUS_OK)
            status = store_create_tables(&session, error);
    }
    if (status == STATUS_OK)
        status = store_check_schema(&session, &instance->schema, error);
cleanup:
    duckdb_disconnect(&session.connection);
    return status;
}

enum status store_instance_open(struct store *store, const struct identity *identity,
                                bool is_writable, struct instance **opened, struct error *error)
{
    uint64_t start_ns = clock_monotonic_ns();
    struct instance *instance = memory_try_allocate_zeroed(1, sizeof *instance);
    if (instance == NULL)
        return error_set(error, STATUS_NO_MEMORY, "no memory to open %s", store->path);
    list_init(&instance->link);
    if (identity != NULL)
        instance->identity = *identity;
    instance->is_writable = is_writable;
    enum status status = store_database_open(store, is_writable, &instance->database, error);
    if (status == STATUS_OK)
        status = prepare(store, instance, error);
    if (status != STATUS_OK) {
        store_database_close(store, &instance->database, false);
        free(instance);
        return status;
    }
    instance->opening = ++store->openings;
    list_push_back(&store->instances, &instance->link);
    log_opening(store, instance, start_ns);
    *opened = instance;
    return STATUS_OK;
}
