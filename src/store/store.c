/* The database file: opening it, sharing it, telling whether it changed.
 *
 * DuckDB lets one process write or many read. In shared mode heatcast is a reader that stays out of
 * the way: the file is open only while a session uses it. Sessions that overlap share one database
 * object (`struct instance`), counted under the store's mutex, for a reason beyond cost: DuckDB's
 * lock is a POSIX record lock, which belongs to the process, and closing *any* descriptor of the
 * file drops it. Two objects of one file in one process would silently unlock each other. Hence
 * also the rule that a process has one store for a path.
 *
 * When the file differs (by stat) from what an instance in use was opened on, there are two cases.
 * Another inode has another lock, so a second instance is opened at once and the old one goes with
 * its last session. The same inode means that somebody copied over the file in place, past all
 * locks: a new session waits until the last one on the old content has ended.
 *
 * A .wal that a dead writer left behind is replayed in memory by read-only opens too; it is part of
 * the file's identity.
 *
 * In owner mode there is one instance, and faults are what ends it (`is_spent`). DuckDB declares a
 * database invalid after some errors. After a commit that failed (a full disk) it does not, but its
 * index then holds keys of rows that are not there: the same rows can never be inserted again, and
 * a checkpoint would make that last. So such an instance is left to those who still read from it,
 * closes with the last of them *without* a checkpoint, and the next session opens the file anew:
 * what it finds is the last commit that went well. The same happens when the file's name has come
 * to mean another file, or none.
 *
 * Nothing here is for worker loops: opening takes milliseconds, a busy writer longer. */
#include "store/store_internal.h"

#include "base/check.h"
#include "base/hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    OWNER_PATIENCE_MS = 2000, /* readers hold the file for milliseconds: an owner waits that out */
    OWNER_RETRY_MS = 20,
    OPEN_TRIES_MAX = 3, /* of a file that is being replaced just now */
};

/* -- statements -------------------------------------------------------------------------------- */

static bool is_spent(const struct instance *instance)
{
    return atomic_load_explicit(&instance->is_spent, memory_order_relaxed);
}

void store_spend(struct store_session *session)
{
    atomic_store_explicit(&session->instance->is_spent, true, memory_order_relaxed);
}

static bool is_fatal(duckdb_error_type type)
{
    return type == DUCKDB_ERROR_FATAL || type == DUCKDB_ERROR_INTERNAL;
}

/* DuckDB tells the type of an error of a result only, not of a statement that was not prepared. */
static bool is_invalidated(struct store_session *session)
{
    duckdb_result result;
    bool is_invalidated = duckdb_query(session->connection, "SELECT 1", &result) != DuckDBSuccess &&
                          is_fatal(duckdb_result_error_type(&result));
    duckdb_destroy_result(&result);
    return is_invalidated;
}

enum status store_fail(const struct store *store, enum status status, const char *message,
                       struct error *error)
{
    if (message == NULL)
        message = "unknown error";
    return error_set(error, status, "%s: %.*s", store->path, (int)strcspn(message, "\n"), message);
}

static duckdb_state bind(duckdb_prepared_statement statement, idx_t index,
                         const struct parameter *parameter)
{
    if (parameter->type == PARAMETER_TEXT)
        return duckdb_bind_varchar(statement, index, parameter->text);
    if (parameter->type == PARAMETER_INTEGER)
        return duckdb_bind_int64(statement, index, parameter->integer);
    return duckdb_bind_timestamp(statement, index,
                                 (duckdb_timestamp){.micros = parameter->time_ms * 1000});
}

enum status store_run(struct store_session *session, const char *sql,
                      const struct parameter *parameters, size_t parameter_count,
                      duckdb_result *result, struct error *error)
{
    enum status status = STATUS_OK;
    duckdb_prepared_statement statement = NULL;
    duckdb_result unused;
    if (duckdb_prepare(session->connection, sql, &statement) != DuckDBSuccess) {
        status = store_fail(session->store, STATUS_IO, duckdb_prepare_error(statement), error);
        if (is_invalidated(session))
            store_spend(session);
        goto cleanup;
    }
    for (size_t i = 0; i < parameter_count; i++)
        check(bind(statement, i + 1, &parameters[i]) == DuckDBSuccess);

    if (result == NULL)
        result = &unused;
    if (duckdb_execute_prepared(statement, result) != DuckDBSuccess) {
        duckdb_error_type type = duckdb_result_error_type(result);
        status = store_fail(session->store,
                            type == DUCKDB_ERROR_INTERRUPT ? STATUS_CANCELLED : STATUS_IO,
                            duckdb_result_error(result), error);
        if (is_fatal(type))
            store_spend(session);
        duckdb_destroy_result(result);
    } else if (result == &unused) {
        duckdb_destroy_result(result);
    }
cleanup:
    duckdb_destroy_prepare(&statement);
    return status;
}

enum status store_run_row(struct store_session *session, const char *sql,
                          const struct parameter *parameters, size_t parameter_count,
                          int64_t *values, bool *is_null, size_t value_count, struct error *error)
{
    duckdb_result result;
    enum status status = store_run(session, sql, parameters, parameter_count, &result, error);
    if (status != STATUS_OK)
        return status;
    duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    check(chunk != NULL && duckdb_data_chunk_get_size(chunk) == 1);
    for (size_t i = 0; i < value_count; i++) {
        duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, i);
        bool is_valid = duckdb_validity_row_is_valid(duckdb_vector_get_validity(vector), 0);
        const void *data = duckdb_vector_get_data(vector);
        bool is_flag = duckdb_column_type(&result, i) == DUCKDB_TYPE_BOOLEAN;
        values[i] = !is_valid ? 0 : is_flag ? *(const bool *)data : *(const int64_t *)data;
        if (is_null != NULL)
            is_null[i] = !is_valid;
    }
    duckdb_destroy_data_chunk(&chunk);
    duckdb_destroy_result(&result);
    return STATUS_OK;
}

/* -- identity ---------------------------------------------------------------------------------- */

enum status store_missing(const struct store *store, struct error *error)
{
    return error_set(error, STATUS_NOT_FOUND,
                     "no database at %s; import data with `heatcast import`, or try "
                     "`heatcast serve --demo`",
                     store->path);
}

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static enum status read_identity(const struct store *store, struct identity *identity,
                                 struct error *error)
{
    struct stat file, wal;
    *identity = (struct identity){0};
    if (stat(store->path, &file) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return store_missing(store, error);
        return store_fail(store, STATUS_IO, strerror(errno), error);
    }
    identity->file.device = file.st_dev;
    identity->file.inode = file.st_ino;
    identity->file.size_bytes = (uint64_t)file.st_size;
    identity->file.modified_ns = nanoseconds(&file.st_mtim);
    identity->file.changed_ns = nanoseconds(&file.st_ctim);
    if (stat(store->wal_path, &wal) == 0) {
        identity->wal.device = wal.st_dev;
        identity->wal.inode = wal.st_ino;
        identity->wal.size_bytes = (uint64_t)wal.st_size;
        identity->wal.modified_ns = nanoseconds(&wal.st_mtim);
        identity->wal.changed_ns = nanoseconds(&wal.st_ctim);
    }
    return STATUS_OK;
}

static bool is_same_identity(const struct identity *a, const struct identity *b)
{
    return memcmp(a, b, sizeof *a) == 0; /* all members are 64 bits: no padding */
}

static bool is_same_file(const struct identity *a, const struct identity *b)
{
    return a->file.device == b->file.device && a->file.inode == b->file.inode;
}

enum status store_version(struct store *store, uint64_t *version, struct error *error)
{
    if (store->mode == STORE_OWNER) {
        /* Relaxed would do for the number; acquire pairs with the commit's release, so that who
         * sees the new version also queries after the commit. */
        *version = atomic_load_explicit(&store->changes, memory_order_acquire);
        return STATUS_OK;
    }
    struct identity identity;
    enum status status = read_identity(store, &identity, error);
    if (status == STATUS_OK)
        *version = hash_bytes(HASH_START, &identity, sizeof identity);
    return status;
}

/* -- opening and closing the database ---------------------------------------------------------- */

static enum status connect_session(struct store_session *session, struct error *error)
{
    struct store *store = session->store;
    if (store_engine_connect(store, &session->instance->engine, &session->connection))
        return STATUS_OK;
    store_spend(session);
    return store_fail(store, STATUS_IO, "cannot connect", error);
}

/* Nobody else can want the .wal of a file that is gone, and what has taken its place could not be
 * opened beside it. */
static void remove_own_log(const struct store *store, const struct instance *instance)
{
    struct stat wal;
    if (stat(store->wal_path, &wal) == 0 && wal.st_dev == instance->identity.wal.device &&
        wal.st_ino == instance->identity.wal.inode)
        unlink(store->wal_path);
}

static void close_instance(struct store *store, struct instance *instance)
{
    list_remove(&instance->link);
    store_engine_close(store, &instance->engine, !is_spent(instance));
    if (instance->is_gone)
        remove_own_log(store, instance);
    free(instance);
    pthread_cond_broadcast(&store->closed);
}

/* Opens the file and looks at its tables. With the store's mutex held, so that nobody opens it a
 * second time meanwhile. */
static enum status open_instance(struct store *store, const struct identity *identity,
                                 struct instance **opened, struct error *error)
{
    struct instance *instance = memory_allocate_zeroed(1, sizeof *instance);
    struct store_session session = {.store = store, .instance = instance};
    list_init(&instance->link);
    enum status status = store_engine_open(store, &instance->engine, error);
    if (status != STATUS_OK)
        goto cleanup;
    if (identity != NULL)
        instance->identity = *identity;
    status = connect_session(&session, error);
    if (status != STATUS_OK)
        goto cleanup;
    /* Times with a zone read as UTC; a DuckDB without zones knows no such setting. */
    store_run(&session, "SET GLOBAL TimeZone = 'UTC'", NULL, 0, NULL, NULL);
    if (store->mode == STORE_OWNER) {
        /* store_close() does that, and only where all is well. */
        status = store_run(&session, "PRAGMA disable_checkpoint_on_shutdown", NULL, 0, NULL, error);
        if (status == STATUS_OK)
            status = store_create_tables(&session, error);
    }
    if (status == STATUS_OK)
        status = store_check_schema(&session, &instance->schema, error);
cleanup:
    duckdb_disconnect(&session.connection);
    if (status == STATUS_OK) {
        instance->opening = ++store->openings;
        list_push_back(&store->instances, &instance->link);
        *opened = instance;
    } else {
        store_engine_close(store, &instance->engine, false);
        free(instance);
    }
    return status;
}

/* Finds or opens the instance for the file as it is now, with the store's mutex held. */
static enum status join_instance(struct store *store, struct instance **joined, struct error *error)
{
    for (int tries = 0; tries < OPEN_TRIES_MAX;) {
        struct identity identity, after;
        enum status status = read_identity(store, &identity, error);
        if (status != STATUS_OK)
            return status;

        struct instance *same_file = NULL;
        list_for_each_safe(link, following, &store->instances)
        {
            struct instance *instance = list_entry(link, struct instance, link);
            if (is_same_file(&instance->identity, &identity))
                same_file = instance;
        }
        if (same_file != NULL && is_same_identity(&same_file->identity, &identity) &&
            !is_spent(same_file)) {
            *joined = same_file;
            return STATUS_OK;
        }
        if (same_file != NULL) {
            pthread_cond_wait(&store->closed, &store->mutex);
            continue;
        }
        status = open_instance(store, &identity, joined, error);
        if (status != STATUS_OK)
            return status;
        /* The name may have come to mean another file between stat and open. */
        if (read_identity(store, &after, NULL) == STATUS_OK && is_same_identity(&identity, &after))
            return STATUS_OK;
        close_instance(store, *joined);
        tries++;
    }
    return store_fail(store, STATUS_BUSY, "the file is being replaced", error);
}

static enum status make_parent_folders(const struct store *store, struct error *error)
{
    char *path = memory_copy_string(store->path);
    enum status status = STATUS_OK;
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            status = error_set(error, STATUS_IO, "cannot create the folder %s: %s", path,
                               strerror(errno));
            break;
        }
        *slash = '/';
    }
    free(path);
    return status;
}

/* Opens, and where there is none makes, the file that this process writes. */
static enum status open_owned(struct store *store, struct instance **opened, struct error *error)
{
    enum status status = make_parent_folders(store, error);
    if (status == STATUS_OK)
        status = open_instance(store, NULL, opened, error);
    if (status != STATUS_OK)
        return status;
    status = read_identity(store, &(*opened)->identity, error);
    if (status != STATUS_OK)
        close_instance(store, *opened);
    /* It may be another database. */
    atomic_fetch_add_explicit(&store->changes, 1, memory_order_release);
    return status;
}

/* Looks whether the name still means the file that the instance has open. */
static void look_after(const struct store *store, struct instance *instance)
{
    struct identity identity;
    enum status status = read_identity(store, &identity, NULL);
    if (status == STATUS_OK && is_same_file(&identity, &instance->identity))
        instance->identity = identity;
    else if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        instance->is_gone = true;
}

/* Finds or opens owner mode's instance, with the store's mutex held. */
static enum status join_owned(struct store *store, struct instance **joined, struct error *error)
{
    while (!list_is_empty(&store->instances)) {
        struct instance *instance = list_entry(store->instances.next, struct instance, link);
        look_after(store, instance);
        if (!is_spent(instance) && !instance->is_gone) {
            *joined = instance;
            return STATUS_OK;
        }
        if (instance->session_count == 0)
            close_instance(store, instance);
        else
            pthread_cond_wait(&store->closed, &store->mutex);
    }
    return open_owned(store, joined, error);
}

/* A reader has the file for some milliseconds at a time, so "busy" is tried again for a moment. */
static enum status open_owner(struct store *store, struct error *error)
{
    for (int waited_ms = 0;; waited_ms += OWNER_RETRY_MS) {
        struct instance *instance;
        enum status status = open_owned(store, &instance, error);
        if (status != STATUS_BUSY || waited_ms >= OWNER_PATIENCE_MS)
            return status;
        nanosleep(&(struct timespec){.tv_nsec = OWNER_RETRY_MS * 1000000L}, NULL);
    }
}

enum status store_open(const char *path, enum store_mode mode, struct store **opened,
                       struct error *error)
{
    struct store *store = memory_allocate_zeroed(1, sizeof *store);
    size_t path_size = strlen(path) + 1;
    store->path = memory_copy_string(path);
    store->wal_path = memory_allocate(path_size + 4);
    snprintf(store->wal_path, path_size + 4, "%s.wal", path);
    store->catalog = store_catalog_name(path);
    store->mode = mode;
    check(pthread_mutex_init(&store->mutex, NULL) == 0);
    check(pthread_mutex_init(&store->write_mutex, NULL) == 0);
    check(pthread_cond_init(&store->closed, NULL) == 0);
    list_init(&store->instances);

    enum status status = mode == STORE_OWNER ? open_owner(store, error) : STATUS_OK;
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
    list_for_each_safe(link, following, &store->instances)
    {
        struct instance *instance = list_entry(link, struct instance, link);
        check(instance->session_count == 0);
        struct store_session session = {.store = store, .instance = instance};
        if (store->mode == STORE_OWNER && !is_spent(instance) && !instance->is_gone &&
            connect_session(&session, NULL) == STATUS_OK)
            store_run(&session, "CHECKPOINT", NULL, 0, NULL, NULL);
        duckdb_disconnect(&session.connection);
        close_instance(store, instance);
    }
    duckdb_close(&store->idle.database);
    pthread_cond_destroy(&store->closed);
    pthread_mutex_destroy(&store->write_mutex);
    pthread_mutex_destroy(&store->mutex);
    free(store->wal_path);
    free(store->catalog);
    free(store->path);
    free(store);
}

const char *store_path(const struct store *store)
{
    return store->path;
}

/* -- sessions ---------------------------------------------------------------------------------- */

/* Gives up one use of an instance; the last one closes it in shared mode, or when it is spent.
 * Closing under the mutex keeps others from opening the file before it is closed. */
static void leave_instance(struct store *store, struct instance *instance)
{
    pthread_mutex_lock(&store->mutex);
    if (--instance->session_count == 0 &&
        (store->mode == STORE_SHARED || is_spent(instance) || instance->is_gone))
        close_instance(store, instance);
    pthread_mutex_unlock(&store->mutex);
}

enum status store_begin(struct store *store, struct store_session **begun, struct error *error)
{
    struct instance *instance = NULL;
    enum status status = STATUS_OK;
    *begun = NULL;
    pthread_mutex_lock(&store->mutex);
    if (store->mode == STORE_OWNER)
        status = join_owned(store, &instance, error);
    else
        status = join_instance(store, &instance, error);
    if (status == STATUS_OK)
        instance->session_count++;
    pthread_mutex_unlock(&store->mutex);
    if (status != STATUS_OK)
        return status;

    struct store_session *session = memory_allocate_zeroed(1, sizeof *session);
    session->store = store;
    session->instance = instance;
    status = connect_session(session, error);
    if (status == STATUS_OK)
        *begun = session;
    else
        store_end(session);
    return status;
}

bool store_is_current(const struct store_session *session)
{
    struct identity identity;
    return session->store->mode == STORE_OWNER ||
           (read_identity(session->store, &identity, NULL) == STATUS_OK &&
            is_same_identity(&identity, &session->instance->identity));
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
    duckdb_disconnect(&session->connection);
    leave_instance(session->store, session->instance);
    free(session);
}
