/* Owner mode: this process holds the file read-write, for as long as it is good.
 *
 *                    open                        close: CHECKPOINT
 *          (none) -----------> GOOD ------------------------------------> (none)
 *            ^                  |
 *            |                  |  a fault (is_faulty), or the name means another file, or none
 *            |                  v  any more (is_gone)
 *            |               UNUSABLE   sessions on it may read on; new ones wait for its end
 *            |                  |
 *            +------------------+  the last session ends: closes without a checkpoint; the next
 *                                  session opens the file again
 *
 * What makes an instance faulty, and why it must not be checkpointed, is in instance.c. That a name
 * means another file by now is found by stat() when a session begins; what was committed to the
 * old file stays in it. Callers see one call that fails and need to know nothing of all this: the
 * generator and the simulator try again at their next tick. */
#include "store/internal.h"

#include <time.h>

enum {
    PATIENCE_MS = 2000, /* readers hold the file for milliseconds: an owner waits that long */
    RETRY_MS = 20,
};

/* Opens, and where there is none makes, the file that this process writes. */
static enum status open_file(struct store *store, struct instance **opened, struct error *error)
{
    enum status status = store_make_ready(store, error);
    if (status == STATUS_OK)
        status = store_instance_open(store, NULL, true, opened, error);
    if (status != STATUS_OK)
        return status;
    status = store_identify(store, &(*opened)->identity, error);
    if (status != STATUS_OK)
        store_instance_close(store, *opened);
    /* It may be another database. */
    atomic_fetch_add_explicit(&store->changes, 1, memory_order_release);
    return status;
}

/* Finds out whether the name still means the file that the instance has open. */
static void identify_again(const struct store *store, struct instance *instance)
{
    struct identity identity;
    enum status status = store_identify(store, &identity, NULL);
    if (status == STATUS_OK && store_is_same_file(&identity, &instance->identity))
        instance->identity = identity;
    else if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        instance->is_gone = true;
}

enum status store_owner_join(struct store *store, const struct stop_token *stop,
                             struct instance **joined, struct error *error)
{
    enum status status = STATUS_OK;
    while (!list_is_empty(&store->instances)) {
        struct instance *instance = list_entry(store->instances.next, struct instance, link);
        identify_again(store, instance);
        if (!store_instance_is_faulty(instance) && !instance->is_gone) {
            *joined = instance;
            return STATUS_OK;
        }
        if (instance->session_count == 0)
            store_instance_close(store, instance);
        else
            status = store_await_close(store, stop, error);
        if (status != STATUS_OK)
            return status;
    }
    return open_file(store, joined, error);
}

enum status store_owner_open(struct store *store, struct error *error)
{
    for (int waited_ms = 0;; waited_ms += RETRY_MS) {
        struct instance *instance;
        enum status status = open_file(store, &instance, error);
        if (status != STATUS_BUSY || waited_ms >= PATIENCE_MS)
            return status;
        nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL);
    }
}

void store_owner_checkpoint(struct store *store, struct instance *instance)
{
    struct store_session session = {.store = store, .instance = instance};
    if (!store_instance_is_faulty(instance) && !instance->is_gone &&
        store_connect(&session, NULL) == STATUS_OK)
        store_run(&session, "CHECKPOINT", NULL, 0, NULL, NULL);
    duckdb_disconnect(&session.connection);
}
