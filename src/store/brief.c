/* Shared mode writes, too: for one short session the file is attached read-write, and let go again.
 *
 *                 begin                        the older sessions have ended, attached
 *      (readers) -------> WANTED: new ones ---------------------------------------> WRITING
 *          ^              wait               patience is over, or another process       |
 *          |                 |               has the file: STATUS_BUSY                  |
 *          +-----------------+                                                          |
 *          +----------------------------------------------------------------------------+
 *                                        end: let go
 *
 * DuckDB's lock belongs to the process, so a file cannot be open for reading and for writing in it
 * at once. Readers that are under way end first; new ones wait for as long as the write takes
 * instead of joining it, for a question about the past that had joined could hold the file against
 * all other processes for seconds, and the write itself takes milliseconds.
 *
 * What was committed stays in the .wal, which readers of all processes replay in memory, and moves
 * into the file when that log has grown to LOG_BYTES_MAX: to move it rewrites the last part of each
 * table, some megabytes for a row or for thousands, while to replay that much takes a reader a few
 * milliseconds (ARCHITECTURE.md, "The database"). A log that another process left is moved at once:
 * it may hold what a reader cannot replay, such as an index. */
#include "store/internal.h"

#include "base/clock.h"

#include <sys/stat.h>

enum {
    PATIENCE_MS = 500, /* for readers of this process that are under way */
    LOG_BYTES_MAX = 128 * 1024,
};

/* Waits for the write of another thread, which does not take long, and lets the readers go first
 * that the last write has kept waiting: who writes again at once would get the file each time. */
static void await_turn(struct store *store)
{
    uint64_t end_ns = clock_monotonic_ns() + PATIENCE_MS * UINT64_C(1000000);
    while (store->brief.is_wanted || (store->brief.readers > 0 && clock_monotonic_ns() < end_ns))
        store_await_close(store, NULL, NULL);
}

/* Waits until nobody in this process uses the file. */
static enum status await_readers(struct store *store, struct error *error)
{
    uint64_t end_ns = clock_monotonic_ns() + PATIENCE_MS * UINT64_C(1000000);
    while (!list_is_empty(&store->instances)) {
        if (clock_monotonic_ns() > end_ns)
            return store_fail(store, STATUS_BUSY, "it is being read by this process", error);
        store_await_close(store, NULL, NULL);
    }
    return STATUS_OK;
}

/* Waits while the file is copied over; where there is none, it is made. */
static enum status await_settled(struct store *store, struct error *error)
{
    uint64_t end_ns = clock_monotonic_ns() + PATIENCE_MS * UINT64_C(1000000);
    struct identity identity;
    while (store_stat(store, &identity, NULL) == STATUS_OK &&
           !store_has_settled(store, &identity)) {
        if (clock_monotonic_ns() > end_ns)
            return store_fail(store, STATUS_BUSY, "the file is being written, past its lock",
                              error);
        store_await_close(store, NULL, NULL);
    }
    return STATUS_OK;
}

static bool has_own_log(const struct store *store)
{
    struct identity now;
    return store_stat(store, &now, NULL) == STATUS_OK &&
           (now.wal.inode == 0 || store_is_same_log(&now, &store->brief.left));
}

enum status store_brief_join(struct store *store, struct instance **joined, struct error *error)
{
    await_turn(store);
    store->brief.is_wanted = true;
    enum status status = await_readers(store, error);
    if (status == STATUS_OK)
        status = await_settled(store, error);
    if (status == STATUS_OK)
        status = store_make_ready(store, error);
    store->brief.has_own_log = has_own_log(store);
    if (status == STATUS_OK)
        status = store_instance_open(store, NULL, true, joined, error);
    if (status == STATUS_OK) {
        status = store_stat(store, &(*joined)->identity, error);
        if (status != STATUS_OK)
            store_instance_close(store, *joined);
    }
    if (status != STATUS_OK)
        store_brief_leave(store);
    return status;
}

void store_brief_leave(struct store *store)
{
    store->brief.is_wanted = false;
    pthread_cond_broadcast(&store->closed);
}

void store_brief_settle(struct store_session *session)
{
    struct store *store = session->store;
    struct stat wal;
    bool has_log = stat(store->wal_path, &wal) == 0 && wal.st_size > 0;
    bool moves =
        has_log && (!store->brief.has_own_log || wal.st_size > LOG_BYTES_MAX || session->moves_log);
    if (moves && !store_instance_is_faulty(session->instance) &&
        store_run(session, "CHECKPOINT", NULL, 0, NULL, NULL) != STATUS_OK)
        store_mark_faulty(session);
    if (store_stat(store, &store->brief.left, NULL) != STATUS_OK)
        store->brief.left = (struct identity){0};
}

void store_brief_close(struct store *store)
{
    struct store_session *session;
    struct identity now;
    if (store_stat(store, &now, NULL) != STATUS_OK || now.wal.inode == 0 ||
        !store_is_same_log(&now, &store->brief.left) ||
        store_begin_brief(store, &session, NULL) != STATUS_OK)
        return;
    session->moves_log = true;
    store_end(session);
}
