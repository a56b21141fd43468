/* What store.c, store_engine.c, store_schema.c, store_read.c and store_write.c share; nobody else
 * includes this. */
#ifndef HEATCAST_STORE_STORE_INTERNAL_H
#define HEATCAST_STORE_STORE_INTERNAL_H

#include "base/list.h"
#include "store/store.h"

#include <duckdb.h>
#include <pthread.h>
#include <stdatomic.h>

enum table { TABLE_KLINES, TABLE_INTEREST, TABLE_COUNT };

#define COLUMNS_MAX 12

/* A column of ENGINE.md §3. A database that another program made must have those that are read;
 * the rest is written where it exists. */
struct column {
    const char *name;
    const char *type;   /* and constraint, in a table of our own */
    const char *staged; /* how a staged row gives it (store_write.c) */
    bool is_read;
};

struct table_shape {
    const char *name;
    const char *time_column;
    const char *constraint;
    size_t column_count;
    struct column columns[COLUMNS_MAX];
};

extern const struct table_shape store_tables[TABLE_COUNT];

/* Which columns of the tables an open database has. */
struct schema {
    bool has[TABLE_COUNT][COLUMNS_MAX];
    bool has_default[TABLE_COUNT][COLUMNS_MAX];
};

/* Tells two states of the file apart without opening it. */
struct identity {
    struct {
        uint64_t device, inode, size_bytes;
        int64_t modified_ns;
        int64_t changed_ns; /* also by chmod, and by who puts the other time back */
    } file, wal;            /* a missing .wal is all zero */
};

/* A database object of DuckDB. In owner mode the file is opened as one. In shared mode it is an
 * empty one in memory, to which the file is attached while it is open. */
struct engine {
    duckdb_database database;
    unsigned attachments; /* so far */
};

/* One opening of the file. Owner mode has at most one, and keeps it while it is good. */
struct instance {
    struct list link; /* in struct store */
    struct engine engine;
    struct identity identity; /* when it was opened; in owner mode, when a session last began */
    bool is_gone;             /* owner mode: the name does not mean this file any more */
    struct schema schema;
    uint64_t opening; /* store_opening() */
    size_t session_count;
    /* Not to be used for anything new: it closes with its last session. Any thread of a session
     * sets it; relaxed, as nothing is published by it. */
    atomic_bool is_spent;
};

struct store {
    char *path, *wal_path;
    char *catalog; /* the file's name in shared mode's SQL */
    enum store_mode mode;

    pthread_mutex_t mutex; /* of the instances and their counts */
    pthread_cond_t closed; /* an instance went away */
    struct list instances;
    struct engine idle; /* shared mode's for the next opening; its database may be NULL */
    uint64_t openings;

    pthread_mutex_t write_mutex; /* one transaction at a time: they never conflict */
    /* Owner mode's version, of commits and openings; any thread reads it. */
    atomic_uint_fast64_t changes;
};

/* The transaction of a session, if it has one. */
struct write {
    bool is_open, replaces;
    char source[51];
    struct stage {
        duckdb_appender appender; /* NULL: no rows yet */
        int64_t row_count;
        int64_t time_min_ms, time_max_ms;
    } stages[TABLE_COUNT];
};

struct store_session {
    struct store *store;
    struct instance *instance;
    duckdb_connection connection;
    struct write write;
};

/* A value bound to $1, $2, ... */
struct parameter {
    enum { PARAMETER_TEXT, PARAMETER_TIME, PARAMETER_INTEGER } type;
    const char *text;
    int64_t time_ms;
    int64_t integer;
};

/* Opens and closes the file, with the store's mutex held. `is_sound`: the object can be used for
 * another opening. STATUS_BUSY, STATUS_NOT_FOUND and STATUS_IO as store_begin(). */
enum status store_engine_open(struct store *store, struct engine *engine, struct error *error);
void store_engine_close(struct store *store, struct engine *engine, bool is_sound);

/* A connection on which the names of tables are those of the file; to be disconnected in any case.
 */
bool store_engine_connect(const struct store *store, struct engine *engine,
                          duckdb_connection *connection);

/* What DuckDB calls a database that it opens, as views in it may do: the file's name up to a dot.
 * To be freed. */
char *store_catalog_name(const char *path);

/* Runs one statement. `result` may be NULL; otherwise it is to be destroyed after STATUS_OK. */
enum status store_run(struct store_session *session, const char *sql,
                      const struct parameter *parameters, size_t parameter_count,
                      duckdb_result *result, struct error *error);

/* Runs a query that gives one row; its first `value_count` columns (BOOLEAN or BIGINT) become
 * `values`. `is_null` may be NULL. */
enum status store_run_row(struct store_session *session, const char *sql,
                          const struct parameter *parameters, size_t parameter_count,
                          int64_t *values, bool *is_null, size_t value_count, struct error *error);

/* Makes the tables that are not there yet. */
enum status store_create_tables(struct store_session *session, struct error *error);

/* Looks which columns there are. STATUS_NOT_FOUND names a table or a column that is needed. */
enum status store_check_schema(struct store_session *session, struct schema *schema,
                               struct error *error);

/* The session's instance can no longer be trusted. */
void store_spend(struct store_session *session);

/* STATUS_NOT_FOUND: there is no such file, and what to do. */
enum status store_missing(const struct store *store, struct error *error);

/* "<path>: <first line of DuckDB's message>" */
enum status store_fail(const struct store *store, enum status status, const char *message,
                       struct error *error);

#endif
