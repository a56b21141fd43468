/* A store: a path, a mode, and the instances of the file that are open.
 *
 *     store -- instances: openings of the file, each with the sessions that use it
 *        |       shared mode: while a session uses it (shared.c, brief.c)
 *        |       owner mode:  while it is good (owner.c)
 *        `--- idle: shared mode's database object between two openings (database.c)
 *
 * Nothing in this folder is for worker loops: opening takes milliseconds, waiting for a writer
 * longer. */
#include "store/internal.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* DuckDB reads "sqlite:x", "http://x" and ":memory:" as something else than names of files; as
 * paths they are none of these. */
static char *make_path(const char *path, const char *ending)
{
    char *text = NULL;
    check(asprintf(&text, "%s%s%s", path[0] == '/' ? "" : "./", path, ending) >= 0);
    return text;
}

enum status store_open(const char *path, enum store_mode mode, struct store **opened,
                       struct error *error)
{
    *opened = NULL;
    if (strchr(path, '?') != NULL)
        return error_set(error, STATUS_INVALID,
                         "%s: the name of a database cannot have a '?', which means something else "
                         "to DuckDB",
                         path);
    struct store *store = memory_allocate_zeroed(1, sizeof *store);
    store->path = memory_copy_string(path);
    store->sql_path = make_path(path, "");
    store->wal_path = make_path(path, ".wal");
    store->catalog = store_catalog_name(path);
    store->mode = mode;
    store->horizon_ms = INT64_MAX;
    check(pthread_mutex_init(&store->mutex, NULL) == 0);
    check(pthread_mutex_init(&store->write_mutex, NULL) == 0);
    pthread_condattr_t attributes;
    check(pthread_condattr_init(&attributes) == 0);
    check(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    check(pthread_cond_init(&store->closed, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    list_init(&store->instances);

    enum status status = mode == STORE_OWNER ? store_owner_open(store, error) : STATUS_OK;
    if (status != STATUS_OK) {
        store_close(store);
        store = NULL;
    }
    *opened = store;
    return status;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    if (store->mode == STORE_SHARED)
        store_brief_close(store);
    list_for_each_safe(link, following, &store->instances)
    {
        struct instance *instance = list_entry(link, struct instance, link);
        check(instance->session_count == 0);
        if (store->mode == STORE_OWNER)
            store_owner_checkpoint(store, instance);
        store_instance_close(store, instance);
    }
    duckdb_close(&store->idle.handle);
    pthread_cond_destroy(&store->closed);
    pthread_mutex_destroy(&store->write_mutex);
    pthread_mutex_destroy(&store->mutex);
    free(store->sql_path);
    free(store->wal_path);
    free(store->catalog);
    free(store->path);
    free(store);
}

const char *store_path(const struct store *store)
{
    return store->path;
}

void store_set_horizon(struct store *store, int64_t horizon_ms)
{
    check(horizon_ms == INT64_MAX || horizon_ms % CANDLE_MS == 0);
    atomic_store_explicit(&store->horizon_ms, horizon_ms, memory_order_relaxed);
}

static enum status file_version(struct store *store, uint64_t *version, struct error *error)
{
    if (store->mode == STORE_OWNER) {
        /* Relaxed would do for the number; acquire pairs with the commit's release, so that a
         * thread that sees the new version also queries after the commit. */
        *version = atomic_load_explicit(&store->changes, memory_order_acquire);
        return STATUS_OK;
    }
    struct identity identity;
    enum status status = store_stat(store, &identity, error);
    if (status == STATUS_OK)
        *version = hash_bytes(HASH_START, &identity, sizeof identity);
    return status;
}

enum status store_version(struct store *store, uint64_t *version, struct error *error)
{
    int64_t horizon_ms = atomic_load_explicit(&store->horizon_ms, memory_order_relaxed);
    enum status status = file_version(store, version, error);
    if (status == STATUS_OK && horizon_ms != INT64_MAX)
        *version = hash_bytes(*version, &horizon_ms, sizeof horizon_ms);
    return status;
}
