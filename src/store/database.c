/* DuckDB's object below an instance.
 *
 * To make one takes DuckDB ten milliseconds and more, for it fills a catalog with all of its
 * functions; to attach a file to one takes less than one. So a file is attached to an object that
 * is otherwise empty, and in shared mode, which opens the file for nearly every tick, stays for the
 * next opening. It is allowed no other files than those that it is for.
 *
 * With the store's mutex held. */
#include "store/internal.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Queries run on their caller's thread: a window is some thousand rows, for which a second thread
 * costs more to start than it saves. */
#define THREADS "1"
/* A limit, not a reservation. Readers share a machine of one gigabyte with everything else that a
 * server does; a window needs a few megabytes, and four years of candles some forty. An owner needs
 * the indexes of what it writes to as well. A query that needs more fails. */
#define READER_MEMORY_LIMIT "256MB"
#define OWNER_MEMORY_LIMIT "1GB"

enum { ATTACHMENTS_MAX = 1000 }; /* to one database object, which keeps some 2 KB of each */

/* What DuckDB says if it cannot open the file. */
static enum status open_error(const struct store *store, bool is_writable, const char *message,
                              struct error *error)
{
    if (message != NULL && strstr(message, "Could not set lock") != NULL)
        return store_fail(store, STATUS_BUSY,
                          is_writable ? "another process has it open"
                                      : "another process is writing to it",
                          error);
    if (message != NULL && strstr(message, "database does not exist") != NULL)
        return store_missing(store, error);
    return store_fail(store, STATUS_IO, message, error);
}

/* Makes a database object, of nothing yet. */
static enum status create_object(const struct store *store, struct database *database,
                                 struct error *error)
{
    const struct {
        const char *name, *value;
    } options[] = {
        {"threads", THREADS},
        {"memory_limit", store->mode == STORE_OWNER ? OWNER_MEMORY_LIMIT : READER_MEMORY_LIMIT},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
    };
    duckdb_config config = NULL;
    check(duckdb_create_config(&config) == DuckDBSuccess);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        check(duckdb_set_config(config, options[i].name, options[i].value) == DuckDBSuccess);

    char *message = NULL;
    enum status status = STATUS_OK;
    *database = (struct database){0};
    if (duckdb_open_ext(NULL, &database->handle, config, &message) != DuckDBSuccess) {
        status = open_error(store, false, message, error);
        database->handle = NULL;
    }
    duckdb_free(message);
    duckdb_destroy_config(&config);
    return status;
}

/* Runs a statement on a connection of its own. */
static enum status command(const struct store *store, bool is_writable, struct database *database,
                           const char *sql, struct error *error)
{
    duckdb_connection connection = NULL;
    duckdb_result result;
    if (duckdb_connect(database->handle, &connection) != DuckDBSuccess)
        return store_fail(store, STATUS_IO, "cannot connect", error);
    enum status status = STATUS_OK;
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess)
        status = open_error(store, is_writable, duckdb_result_error(&result), error);
    duckdb_destroy_result(&result);
    duckdb_disconnect(&connection);
    return status;
}

/* Appends a name to a statement: a literal between single quotes, an identifier between double. */
static void append_quoted(struct buffer *sql, char quote, const char *name)
{
    buffer_append_char(sql, quote);
    for (; *name != '\0'; name++) {
        if (*name == quote)
            buffer_append_char(sql, quote);
        buffer_append_char(sql, *name);
    }
    buffer_append_char(sql, quote);
}

/* A name of our own where DuckDB's own means something else in SQL: its catalogs and schemas. */
#define CATALOG_OWN "market"

char *store_catalog_name(const char *path)
{
    static const char *const renamed[] = {"system", "temp"}; /* by DuckDB as well */
    static const char *const reserved[] = {"", "main", "memory", "pg_catalog",
                                           "information_schema"};
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    name += strspn(name, ".");
    struct buffer catalog = {0};
    buffer_append(&catalog, name, strcspn(name, "."));
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++)
        if (strcasecmp(buffer_text(&catalog), renamed[i]) == 0)
            buffer_append_text(&catalog, "_db");
    bool is_reserved = false;
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        is_reserved = is_reserved || strcasecmp(buffer_text(&catalog), reserved[i]) == 0;
    if (is_reserved) {
        buffer_clear(&catalog);
        buffer_append_text(&catalog, CATALOG_OWN);
    }
    buffer_text(&catalog);
    return buffer_detach(&catalog);
}

/* Leaves the object no other files than those that it is for. */
static enum status seal(const struct store *store, struct database *database, struct error *error)
{
    struct buffer sql = {0}, temporary = {0};
    buffer_append_format(&temporary, "%s.tmp", store->sql_path); /* as DuckDB has it for a file */
    buffer_append_text(&sql, "SET GLOBAL temp_directory = ");
    append_quoted(&sql, '\'', buffer_text(&temporary));
    buffer_append_text(&sql, "; SET GLOBAL allowed_paths = [");
    append_quoted(&sql, '\'', store->sql_path);
    buffer_append_char(&sql, ',');
    append_quoted(&sql, '\'', store->wal_path);
    buffer_append_text(&sql, "]; SET GLOBAL enable_external_access = false");
    enum status status = command(store, false, database, buffer_text(&sql), error);
    buffer_deinit(&sql);
    buffer_deinit(&temporary);
    return status;
}

static enum status attach(const struct store *store, bool is_writable, struct database *database,
                          struct error *error)
{
    struct buffer sql = {0};
    buffer_append_text(&sql, "ATTACH ");
    append_quoted(&sql, '\'', store->sql_path);
    buffer_append_text(&sql, " AS ");
    append_quoted(&sql, '"', store->catalog);
    buffer_append_text(&sql, is_writable ? " (READ_WRITE)" : " (READ_ONLY)");
    enum status status = command(store, is_writable, database, buffer_text(&sql), error);
    buffer_deinit(&sql);
    database->attachments++;
    return status;
}

static enum status detach(const struct store *store, struct database *database)
{
    struct buffer sql = {0};
    buffer_append_text(&sql, "DETACH ");
    append_quoted(&sql, '"', store->catalog);
    enum status status = command(store, false, database, buffer_text(&sql), NULL);
    buffer_deinit(&sql);
    return status;
}

/* Makes the object and attaches the file to it. */
static enum status open_object(struct store *store, bool is_writable, struct database *database,
                               struct error *error)
{
    enum status status = STATUS_OK;
    *database = store->idle;
    store->idle = (struct database){0};
    if (database->handle == NULL) {
        status = create_object(store, database, error);
        if (status == STATUS_OK)
            status = seal(store, database, error);
    }
    if (status == STATUS_OK)
        status = attach(store, is_writable, database, error);
    if (status != STATUS_OK)
        duckdb_close(&database->handle);
    return status;
}

/* -- logs that cannot be read -------------------------------------------------------------------
 */

/* A reader replays the .wal in memory, but for an index that was made, or a table that was changed,
 * DuckDB writes to the file as well, which a reader cannot. */
static bool needs_writing(const struct error *error)
{
    return strstr(error->message, "replaying WAL") != NULL &&
           (strstr(error->message, "Could not write") != NULL ||
            strstr(error->message, "read-only") != NULL);
}

/* Opens the file for writing and moves the log into it. */
static enum status move_log(struct store *store, struct error *error)
{
    struct database database;
    enum status status = open_object(store, true, &database, error);
    if (status != STATUS_OK)
        return status;
    struct buffer sql = {0};
    buffer_append_text(&sql, "CHECKPOINT ");
    append_quoted(&sql, '"', store->catalog);
    status = command(store, true, &database, buffer_text(&sql), error);
    buffer_deinit(&sql);
    store_database_close(store, &database, status == STATUS_OK);
    return status;
}

/* Mends what a program left that changed the file and was killed, where the file may be written. */
static enum status mend_log(struct store *store, struct error *error)
{
    struct error reason = {0};
    enum status status = store_make_ready(store, &reason);
    if (status == STATUS_OK)
        status = move_log(store, &reason);
    if (status == STATUS_OK) {
        log_info("database mended: a program that ended early left changes in its .wal that no "
                 "reader can use; they were moved into the file",
                 log_text("path", store->path));
        return STATUS_OK;
    }
    if (status == STATUS_BUSY)
        return error_set(error, status, "%s", reason.message);
    return error_set(error, STATUS_IO,
                     "%s: a program that ended early left changes in its .wal that no reader can "
                     "use; open it for writing once, as `duckdb %s CHECKPOINT` does (%s)",
                     store->path, store->path, reason.message);
}

enum status store_database_open(struct store *store, bool is_writable, struct database *database,
                                struct error *error)
{
    struct error reason = {0};
    enum status status = open_object(store, is_writable, database, &reason);
    if (status == STATUS_IO && !is_writable && needs_writing(&reason)) {
        status = mend_log(store, &reason);
        if (status == STATUS_OK)
            status = open_object(store, is_writable, database, &reason);
    }
    return status == STATUS_OK ? status : error_set(error, status, "%s", reason.message);
}

void store_database_close(struct store *store, struct database *database, bool is_sound)
{
    if (store->mode == STORE_SHARED && is_sound && database->attachments < ATTACHMENTS_MAX &&
        store->idle.handle == NULL && detach(store, database) == STATUS_OK)
        store->idle = *database;
    else
        duckdb_close(&database->handle);
}

/* Names stand for the file's tables. The schema is named too: a file may have one that is called as
 * the file is. */
static bool use_catalog(const struct store *store, duckdb_connection connection)
{
    duckdb_result result;
    struct buffer sql = {0};
    buffer_append_text(&sql, "USE ");
    append_quoted(&sql, '"', store->catalog);
    buffer_append_text(&sql, ".main");
    bool is_used = duckdb_query(connection, buffer_text(&sql), &result) == DuckDBSuccess;
    duckdb_destroy_result(&result);
    buffer_deinit(&sql);
    return is_used;
}

bool store_database_connect(const struct store *store, struct database *database,
                            duckdb_connection *connection)
{
    return duckdb_connect(database->handle, connection) == DuckDBSuccess &&
           use_catalog(store, *connection);
}
