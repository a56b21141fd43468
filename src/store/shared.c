/* Shared mode: a reader that stays out of the way of writers.
 *
 * DuckDB lets one process write or many read. So the file is open only while a session uses it, and
 * sessions that overlap share one instance. That is more than cost: DuckDB's lock is a POSIX record
 * lock, which belongs to the process, and closing *any* descriptor of the file drops it. Two
 * database objects of one file in one process would silently unlock each other. Hence also the rule
 * that a process has one store for a path.
 *
 *                   begin: no instance of this file            end: the last session
 *          (none) ----------------------------------> CURRENT ----------------------> (none)
 *                                                     ^  |  |
 *                          begin: joins, stat() says  |  |  | stat() says that the file is not
 *                          that nothing has changed   +--+  | what it was, or a fault
 *                                                           v
 *                                                       OUTDATED ---------------------> (none)
 *                                                           |      end: the last session
 *               begin, another inode: a second instance  <--+
 *               begin, the same inode: waits until it is gone
 *
 * An outdated instance has two cases, because locks belong to inodes. Another inode has another
 * lock, so a second instance is opened at once and the old one goes with its last session. The same
 * inode means that the file was copied over in place, past all locks: a new session waits until the
 * last one on the old content has ended.
 *
 * While this process writes for a moment (brief.c), new sessions wait. So they do where the file
 * has become another just now: whoever copies one over it may not be done.
 *
 * Nothing of this is stored: CURRENT and OUTDATED are what stat() says when a session begins. */
#include "store/internal.h"

#include "base/clock.h"

enum {
    OPEN_TRIES_MAX = 3, /* of a file that is being replaced just now */
    /* For another process that writes: a collector's transactions are shorter, and readers that met
     * one would fail every now and then. */
    PATIENCE_MS = 250,
};

/* The instance of the file that the name means now, current or outdated; or NULL. */
static struct instance *find_same_file(struct store *store, const struct identity *identity)
{
    struct instance *found = NULL;
    list_for_each_safe(link, following, &store->instances)
    {
        struct instance *instance = list_entry(link, struct instance, link);
        if (store_is_same_file(&instance->identity, identity))
            found = instance;
    }
    return found;
}

static bool is_current(const struct instance *instance, const struct identity *identity)
{
    return store_is_same_identity(&instance->identity, identity) &&
           !store_instance_is_faulty(instance);
}

/* Whether the name still means the file that was identified: it may have been replaced between
 * stat() and open(). */
static bool is_unchanged(const struct store *store, const struct identity *identity)
{
    struct identity now;
    return store_stat(store, &now, NULL) == STATUS_OK && store_is_same_identity(identity, &now);
}

/* Opens the file; or waits a moment where another process writes to it, and has opened nothing. */
static enum status try_to_open(struct store *store, const struct stop_token *stop,
                               const struct identity *identity, uint64_t end_ns,
                               struct instance **opened, struct error *error)
{
    struct error reason = {0};
    enum status status = store_instance_open(store, identity, false, opened, &reason);
    if (status == STATUS_BUSY && clock_monotonic_ns() < end_ns)
        status = store_await_close(store, stop, &reason);
    return status == STATUS_OK ? STATUS_OK : error_set(error, status, "%s", reason.message);
}

/* Waits for the end of a brief write, and tells the next one when all that waited have gone on. */
static enum status await_brief(struct store *store, const struct stop_token *stop,
                               struct error *error)
{
    enum status status = STATUS_OK;
    store->brief.readers++;
    while (status == STATUS_OK && store->brief.is_wanted)
        status = store_await_close(store, stop, error);
    if (--store->brief.readers == 0)
        pthread_cond_broadcast(&store->closed);
    return status;
}

enum status store_shared_join(struct store *store, const struct stop_token *stop,
                              struct instance **joined, struct error *error)
{
    uint64_t end_ns = clock_monotonic_ns() + PATIENCE_MS * UINT64_C(1000000);
    for (int tries = 0; tries < OPEN_TRIES_MAX;) {
        struct identity identity;
        enum status status = STATUS_OK;
        if (store->brief.is_wanted)
            status = await_brief(store, stop, error);
        if (status == STATUS_OK)
            status = store_identify(store, &identity, error);
        if (status != STATUS_OK)
            return status;
        struct instance *same_file = find_same_file(store, &identity);
        if (same_file != NULL && is_current(same_file, &identity)) {
            *joined = same_file;
            return STATUS_OK;
        }
        *joined = NULL;
        const bool is_settled = store_has_settled(store, &identity);
        if (!is_settled && clock_monotonic_ns() > end_ns)
            return store_fail(store, STATUS_BUSY, "the file is being written, past its lock",
                              error);
        if (same_file != NULL || !is_settled)
            status = store_await_close(store, stop, error);
        else
            status = try_to_open(store, stop, &identity, end_ns, joined, error);
        if (status != STATUS_OK)
            return status;
        if (*joined == NULL) /* waited */
            continue;
        if (is_unchanged(store, &identity))
            return STATUS_OK;
        store_instance_close(store, *joined);
        tries++;
    }
    return store_fail(store, STATUS_BUSY, "the file is being replaced", error);
}
