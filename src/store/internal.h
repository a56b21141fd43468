/* What the files of this folder share; store.h is what the rest of the program includes.
 *
 *     store.c      a path and a mode              identity.c   which file a name means, by stat()
 *     session.c    one use of it                  instance.c   one opening of the file
 *     shared.c     which instance a session       database.c   DuckDB's object below it
 *     owner.c      gets, in either mode           making.c     a file that is to be written
 *     brief.c      and when it writes             statement.c  running SQL
 *     schema.c     the tables                     rows.c       walking over results
 *     read.c, coverage.c, blocks.c                write.c, liquidations.c, prune.c,
 *                                                 merge.c, refused.c, conflicts.c,
 *                                                 archive_files.c, replaced.c, uniques.c,
 *                                                 market.c, delete.c */
#ifndef HEATCAST_STORE_INTERNAL_H
#define HEATCAST_STORE_INTERNAL_H

#include "base/list.h"
#include "store/store.h"

#include <duckdb.h>
#include <pthread.h>
#include <stdatomic.h>

enum table { TABLE_KLINES, TABLE_INTEREST, TABLE_COUNT };

#define COLUMNS_MAX 12

/* A column of a table (docs/model.md, "Tables"). A database that another program made must have
 * those that are read; the rest is written where it exists. */
struct column {
    const char *name;
    const char *type;   /* and constraint, in a table of our own */
    const char *staged; /* how a staged row gives it (write.c) */
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

#define TYPE_SIZE 64        /* of a column, as text; longer ones are cut */
#define COLUMN_NAME_SIZE 64 /* the same */

/* Which columns of the tables an open database has. */
struct schema {
    bool has[TABLE_COUNT][COLUMNS_MAX];
    bool has_default[TABLE_COUNT][COLUMNS_MAX];
    bool is_needed[TABLE_COUNT][COLUMNS_MAX]; /* NOT NULL */
    bool is_key[TABLE_COUNT][COLUMNS_MAX];    /* of the primary key */
    /* A column is not as we make it, or the key: the table may refuse rows. */
    bool is_foreign[TABLE_COUNT];
    char types[TABLE_COUNT][COLUMNS_MAX][TYPE_SIZE];
    /* One that we do not know, is NOT NULL and has no default: nothing can be written then. */
    char unfilled[TABLE_COUNT][COLUMN_NAME_SIZE];
};

#define UNIQUES_MAX 4 /* of a table, that are understood and matter */

/* What a table may have only once, beside a row a symbol and time. */
struct unique_rule {
    char name[96]; /* for a person: "index by_price", "PRIMARY KEY(open_time)"; cut */
    bool has[COLUMNS_MAX];
};

struct uniques {
    bool is_known; /* they have been read */
    size_t count;
    struct unique_rule rules[UNIQUES_MAX];
};

/* Tells two states of the file apart without opening it. All members have 64 bits, so there is no
 * padding. */
struct identity {
    struct {
        uint64_t device, inode, size_bytes;
        int64_t modified_ns;
        int64_t changed_ns; /* also by chmod, and by a program that puts the other time back */
    } file, wal;            /* a missing .wal is all zero */
};

/* A database object of DuckDB: an empty one in memory, to which the file is attached while it is
 * open. */
struct database {
    duckdb_database handle; /* may be NULL */
    unsigned attachments;   /* so far */
};

/* One opening of the file. */
struct instance {
    struct list link; /* in struct store */
    struct database database;
    struct identity identity; /* when it was opened; in owner mode, when a session last began */
    bool is_writable;         /* owner mode, or a brief write */
    bool is_gone;             /* owner mode: the name does not mean this file any more */
    struct schema schema;
    struct uniques uniques[TABLE_COUNT]; /* under the write mutex */
    uint64_t opening;                    /* store_opening() */
    size_t session_count;
    /* Not to be used for anything new: it closes with its last session. Any thread of a session
     * sets it; relaxed, as nothing is published by it. */
    atomic_bool is_faulty;
};

struct store {
    char *path;
    char *sql_path, *wal_path; /* as DuckDB is given them */
    char *catalog;             /* the file's name in SQL */
    enum store_mode mode;

    pthread_mutex_t mutex; /* of the instances and their counts */
    pthread_cond_t closed; /* an instance went away; of the monotonic clock */
    struct list instances; /* owner mode has at most one */
    struct database idle;  /* shared mode's for the next opening */
    uint64_t openings;
    /* The file as it was last found, and since when it is so; 0: since long. Its .wal is not looked
     * at. */
    struct identity found;
    uint64_t found_ns;
    struct {
        bool is_wanted;       /* a brief write has the file or waits for it: readers wait */
        unsigned readers;     /* that wait for its end, and then go before the next one */
        bool has_own_log;     /* what the .wal holds came from here */
        struct identity left; /* by the last one; only .wal is looked at */
    } brief;

    pthread_mutex_t write_mutex; /* one transaction at a time: they never conflict */
    /* A bound of the ids in use, from which the highest one is found; under write_mutex. */
    int64_t interest_id;
    /* Owner mode's version, of commits and openings; any thread reads it. */
    atomic_uint_fast64_t changes;
    /* Relaxed: one number, which sessions take over as they begin. */
    atomic_int_least64_t horizon_ms;
};

/* The transaction of a session, if it has one. */
struct write {
    bool is_open, replaces;
    char source[STORE_SOURCE_SIZE];
    struct stage {
        duckdb_appender appender; /* NULL: no rows yet */
        int64_t row_count;
        int64_t time_min_ms, time_max_ms;
        /* Rows are of one symbol, in order of time, none twice; time_max_ms is the last one's. */
        bool is_series;
        char symbol[SYMBOL_SIZE]; /* of the first row */
    } stages[TABLE_COUNT], liquidations;
    uint64_t rows_new[TABLE_COUNT]; /* so far */
    uint64_t liquidations_new;      /* of the last transaction */
    struct store_telling telling;
    struct replaced_range {
        enum table table;
        char symbol[SYMBOL_SIZE];
        int64_t first_ms, last_ms;
    } * replaced; /* store_write_replaced() */
    size_t replaced_count, replaced_capacity;
};

struct store_session {
    struct store *store;
    const struct stop_token *stop; /* of its queries; NULL: they run to their end */
    struct instance *instance;
    bool is_brief;
    bool moves_log;     /* a brief write leaves no .wal */
    int64_t horizon_ms; /* see store_set_horizon() */
    duckdb_connection connection;
    struct write write;
};

/* -- identity.c -------------------------------------------------------------------------------- */

/* STATUS_NOT_FOUND: there is no such file. By stat() alone. */
enum status store_stat(const struct store *store, struct identity *identity, struct error *error);

/* Also where it has no content yet; the message says what to do. May open and close a file without
 * content, so with the store's mutex held. */
enum status store_identify(const struct store *store, struct identity *identity,
                           struct error *error);
bool store_is_same_identity(const struct identity *a, const struct identity *b);
bool store_is_same_file(const struct identity *a, const struct identity *b); /* same inode */
bool store_is_same_log(const struct identity *a, const struct identity *b);

/* Whether the file has been as `identity` says for a while, or was left so by this process. One
 * that is being copied over, past all locks, has blocks of two databases, over which DuckDB may
 * fall. With the store's mutex held. */
bool store_has_settled(struct store *store, const struct identity *identity);

/* The file is as this process has left it. With the store's mutex held. */
void store_note_own_file(struct store *store);
enum status store_missing(const struct store *store, struct error *error);

/* Whether the file is one that its maker did not finish: at most a part of what DuckDB writes
 * before anything can be stored. False if there is none. */
bool store_is_unfinished(const struct store *store);

/* -- database.c -------------------------------------------------------------------------------- */

/* Opens and closes the file, with the store's mutex held. `is_sound`: the object can be used for
 * another opening. `is_writable` in owner mode, and in shared mode for a brief write. STATUS_BUSY,
 * STATUS_NOT_FOUND and STATUS_IO as store_begin(). */
enum status store_database_open(struct store *store, bool is_writable, struct database *database,
                                struct error *error);
void store_database_close(struct store *store, struct database *database, bool is_sound);

/* A connection on which the names of tables are those of the file; to be disconnected in any case.
 */
bool store_database_connect(const struct store *store, struct database *database,
                            duckdb_connection *connection);

/* What DuckDB calls a database that it opens, as views in it may do: the file's name up to a dot;
 * or a name of our own where that would mean something else. To be freed. */
char *store_catalog_name(const char *path);

/* -- instance.c -------------------------------------------------------------------------------- */

/* Opens the file; one that is writable and its tables are created. With the store's mutex held, so
 * that no other thread opens it a second time meanwhile. `identity` may be NULL: it is set later.
 */
enum status store_instance_open(struct store *store, const struct identity *identity,
                                bool is_writable, struct instance **opened, struct error *error);

/* With the store's mutex held; no session uses it. A faulty one closes without a checkpoint. */
void store_instance_close(struct store *store, struct instance *instance);

bool store_instance_is_faulty(const struct instance *instance);

/* Waits until an instance has closed, or a moment. With the store's mutex held, which it gives up
 * meanwhile. The status is that of stop_token_check(). */
enum status store_await_close(struct store *store, const struct stop_token *stop,
                              struct error *error);

/* The session's instance can no longer be trusted. Any thread. */
void store_mark_faulty(struct store_session *session);

/* Gives a session its connection. */
enum status store_connect(struct store_session *session, struct error *error);

/* -- shared.c, owner.c ------------------------------------------------------------------------- */

/* The instance for a new session: one that is open, or a new one. With the store's mutex held,
 * which waiting for an older instance to close gives up meanwhile. Others as stop_token_check(). */
enum status store_shared_join(struct store *store, const struct stop_token *stop,
                              struct instance **joined, struct error *error);
enum status store_owner_join(struct store *store, const struct stop_token *stop,
                             struct instance **joined, struct error *error);

/* -- making.c ---------------------------------------------------------------------------------- */

/* Before a file is opened for writing: makes its folders, sets the process's mask, and removes a
 * file that its maker did not finish. STATUS_BUSY: it may be at work just now. */
enum status store_make_ready(const struct store *store, struct error *error);

/* -- brief.c ----------------------------------------------------------------------------------- */

/* The instance of a brief write, with the store's mutex held, which waiting gives up meanwhile.
 * Errors as store_begin_brief(). store_brief_leave() ends it, after the instance has closed. */
enum status store_brief_join(struct store *store, struct instance **joined, struct error *error);
void store_brief_leave(struct store *store);

/* Before a brief write ends: moves what it has committed into the file, where it is time for that.
 */
void store_brief_settle(struct store_session *session);

/* Leaves no .wal of this store's own, if nobody else has the file. */
void store_brief_close(struct store *store);

/* -- owner.c ----------------------------------------------------------------------------------- */

/* Owner mode's first opening. Waits a moment for readers that hold the file. */
enum status store_owner_open(struct store *store, struct error *error);

/* Before owner mode's store is closed: moves what was written from the .wal into the file. */
void store_owner_checkpoint(struct store *store, struct instance *instance);

/* -- statement.c ------------------------------------------------------------------------------- */

/* A value bound to $1, $2, ... */
struct parameter {
    enum { PARAMETER_TEXT, PARAMETER_TIME, PARAMETER_INTEGER } type;
    const char *text;
    int64_t time_ms;
    int64_t integer;
};

/* The last open time of a candle that the session may read, and the first moment whose open
 * interest it may not: those that are given, or sooner. */
int64_t store_last_candle(const struct store_session *session, int64_t open_time_ms);
int64_t store_interest_end(const struct store_session *session, int64_t end_ms);

/* Whether the table of open interest has contracts at all. */
bool store_has_contracts(const struct store_session *session);

/* The state at a full five minutes may be stamped some seconds later; rows that are stamped so much
 * later than the horizon are of it. */
#define STORE_STAMP_LATE_MS MINUTE_MS

/* Runs one statement, to its end or until the session's stop token ends it. `result` may be NULL;
 * otherwise it is to be destroyed after STATUS_OK. */
enum status store_run(struct store_session *session, const char *sql,
                      const struct parameter *parameters, size_t parameter_count,
                      duckdb_result *result, struct error *error);

/* Runs a query that gives one row; its first `value_count` columns (BOOLEAN or BIGINT) become
 * `values`. `is_null` may be NULL. */
enum status store_run_row(struct store_session *session, const char *sql,
                          const struct parameter *parameters, size_t parameter_count,
                          int64_t *values, bool *is_null, size_t value_count, struct error *error);

/* "<path>: <first line of DuckDB's message>" */
enum status store_fail(const struct store *store, enum status status, const char *message,
                       struct error *error);

/* -- write.c, liquidations.c ------------------------------------------------------------------- */

/* Notes the time of a row that is being staged. */
void store_stage_time(struct stage *stage, int64_t time_ms);

/* Moves staged liquidations into their table, within the transaction. */
enum status store_merge_liquidations(struct store_session *session, struct error *error);

/* Whether the database has the table. Not within a transaction. */
enum status store_has_liquidations(struct store_session *session, bool *is_there,
                                   struct error *error);

/* -- merge.c, refused.c, uniques.c, replaced.c, conflicts.c ------------------------------------ */

struct buffer;

/* Whether a column is given a value. */
bool store_is_written(const struct store_session *session, enum table table, size_t column);

/* Whether a column is of those that tell rows apart. */
bool store_is_key(enum table table, size_t column);

/* Appends whether `target`, a row of the table, is the row that is `staged`. $1 and $2 are the
 * batch's first and last time. */
void store_append_match(enum table table, struct buffer *sql);

/* Moves one stage, whose appender is closed, into its table and counts the rows that were not
 * there. */
enum status store_merge_stage(struct store_session *session, enum table table, uint64_t *row_count,
                              struct error *error);

/* Finds what a table may have only once, and that it is foreign where that may refuse rows. */
enum status store_read_uniques(struct store_session *session, enum table table,
                               struct error *error);

/* Appends branches of a CASE, of which the one of the rule that refuses a staged row gives its
 * place among them, counted from `first`. */
void store_append_uniques(const struct store_session *session, enum table table, size_t first,
                          struct buffer *sql);

/* Takes the rows out of the stage that a foreign table cannot hold, and tells of them. */
enum status store_refuse_rows(struct store_session *session, enum table table, struct error *error);

/* Deletes what store_write_replaced() says, of one table, whose stage is still there. */
enum status store_delete_replaced(struct store_session *session, enum table table,
                                  struct error *error);

/* Tells of the rows in the stage of which the table has others. */
enum status store_tell_conflicts(struct store_session *session, enum table table,
                                 struct error *error);

extern const char *const store_stage_names[TABLE_COUNT];

/* -- coverage.c -------------------------------------------------------------------------------- */

/* The symbols as one text, each on a line. */
void store_append_symbols(const struct store_scope *scope, struct buffer *names);

/* -- read.c ------------------------------------------------------------------------------------ */

/* A row that is a candle, as candle_has_prices() tells it. */
#define USABLE_CANDLE                                                                              \
    "TRY_CAST(open AS DECIMAL(18,8)) > 0 AND TRY_CAST(high AS DECIMAL(18,8)) > 0 "                 \
    "AND TRY_CAST(low AS DECIMAL(18,8)) > 0 AND TRY_CAST(close AS DECIMAL(18,8)) > 0"

/* The last moment at which a row may be: a day from now. One that is later has a wrong time, and
 * must not stand for the newest, after which no other ever comes. */
int64_t store_time_max_ms(void);

/* -- schema.c ---------------------------------------------------------------------------------- */

/* Makes the tables that are not there yet. */
enum status store_create_tables(struct store_session *session, struct error *error);

/* Finds which columns there are. STATUS_NOT_FOUND names a table or a column that is needed. */
enum status store_check_schema(struct store_session *session, struct schema *schema,
                               struct error *error);

#endif
