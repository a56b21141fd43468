/* A session: one connection to the instance that the store's mode gives it, used by one thread.
 *
 * The mutex of the store is held while an instance is found, opened or closed, so a file is never
 * opened twice and never opened before it is closed; queries run without it. */
#include "store/internal.h"

#include "base/memory.h"

#include <stdlib.h>

/* Gives up one use of an instance; the last one closes it in shared mode, or when it is unusable.
 */
static void leave_instance(struct store *store, struct instance *instance, bool is_brief)
{
    pthread_mutex_lock(&store->mutex);
    if (--instance->session_count == 0 &&
        (store->mode == STORE_SHARED || store_instance_is_faulty(instance) || instance->is_gone))
        store_instance_close(store, instance);
    if (is_brief) {
        store_note_own_file(store);
        store_brief_leave(store);
    }
    pthread_mutex_unlock(&store->mutex);
}

/* A session on the instance, which it is counted for; on failure that is given up. */
static enum status begin_on(struct store *store, struct instance *instance,
                            const struct stop_token *stop, bool is_brief,
                            struct store_session **begun, struct error *error)
{
    struct store_session *session = memory_try_allocate_zeroed(1, sizeof *session);
    if (session == NULL) {
        leave_instance(store, instance, is_brief);
        return error_set(error, STATUS_NO_MEMORY, "no memory to read %s", store->path);
    }
    session->store = store;
    session->stop = stop;
    session->instance = instance;
    session->horizon_ms = atomic_load_explicit(&store->horizon_ms, memory_order_relaxed);
    session->is_brief = is_brief;
    enum status status = store_connect(session, error);
    if (status == STATUS_OK)
        *begun = session;
    else
        store_end(session);
    return status;
}

enum status store_begin(struct store *store, struct store_session **begun, struct error *error)
{
    return store_begin_stoppable(store, NULL, begun, error);
}

enum status store_begin_stoppable(struct store *store, const struct stop_token *stop,
                                  struct store_session **begun, struct error *error)
{
    struct instance *instance = NULL;
    enum status status = STATUS_OK;
    *begun = NULL;
    pthread_mutex_lock(&store->mutex);
    if (store->mode == STORE_OWNER)
        status = store_owner_join(store, stop, &instance, error);
    else
        status = store_shared_join(store, stop, &instance, error);
    if (status == STATUS_OK)
        instance->session_count++;
    pthread_mutex_unlock(&store->mutex);
    return status == STATUS_OK ? begin_on(store, instance, stop, false, begun, error) : status;
}

enum status store_begin_brief(struct store *store, struct store_session **begun,
                              struct error *error)
{
    if (store->mode == STORE_OWNER)
        return store_begin(store, begun, error);
    struct instance *instance = NULL;
    *begun = NULL;
    pthread_mutex_lock(&store->mutex);
    enum status status = store_brief_join(store, &instance, error);
    if (status == STATUS_OK)
        instance->session_count++;
    pthread_mutex_unlock(&store->mutex);
    return status == STATUS_OK ? begin_on(store, instance, NULL, true, begun, error) : status;
}

bool store_is_current(const struct store_session *session)
{
    struct identity identity;
    return session->instance->is_writable ||
           (store_stat(session->store, &identity, NULL) == STATUS_OK &&
            store_is_same_identity(&identity, &session->instance->identity));
}

int64_t store_last_candle(const struct store_session *session, int64_t open_time_ms)
{
    int64_t last_ms = session->horizon_ms - CANDLE_MS;
    return open_time_ms < last_ms ? open_time_ms : last_ms;
}

int64_t store_interest_end(const struct store_session *session, int64_t end_ms)
{
    if (session->horizon_ms == INT64_MAX)
        return end_ms;
    const int64_t last_ms = session->horizon_ms + STORE_STAMP_LATE_MS;
    return end_ms < last_ms ? end_ms : last_ms;
}

bool store_is_foreign(const struct store_session *session)
{
    const struct schema *schema = &session->instance->schema;
    return schema->is_foreign[TABLE_KLINES] || schema->is_foreign[TABLE_INTEREST];
}

uint64_t store_opening(const struct store_session *session)
{
    return session->instance->opening;
}

void store_interrupt(struct store_session *session)
{
    duckdb_interrupt(session->connection);
}

void store_end(struct store_session *session)
{
    if (session == NULL)
        return;
    store_write_rollback(session);
    if (session->is_brief)
        store_brief_settle(session);
    duckdb_disconnect(&session->connection);
    leave_instance(session->store, session->instance, session->is_brief);
    free(session);
}
