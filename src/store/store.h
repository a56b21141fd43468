/* Candles and open interest in DuckDB. The only module that knows DuckDB and SQL.
 *
 * A store is a path and a mode. In *shared* mode the file is opened read-only for each use and
 * closed after it, so that another program can write in between, and read-write for a moment to
 * write itself; in *owner* mode this process holds it read-write. Work happens in a session (one
 * connection): store_begin() ... store_end(). A process has at most one store for a path, and opens
 * that file in no other way: closing any descriptor of it would drop DuckDB's lock.
 *
 * Threads: a store may be used by any number of threads, a session by one, and a thread has at most
 * one session: a new one may have to wait until those on an older file have ended. Calls may block;
 * none may be made on a worker loop. */
#ifndef HEATCAST_STORE_STORE_H
#define HEATCAST_STORE_STORE_H

#include "base/error.h"
#include "base/slice.h"
#include "base/stop_token.h"
#include "model/rows.h"
#include "model/series.h"
#include "store/row.h"

enum store_mode {
    STORE_SHARED, /* opened for each session, read-only but for a brief one */
    STORE_OWNER,  /* read-write, held until store_close(), and opened again after a fault */
};

struct store;
struct store_session;

/* Owner mode opens (and creates) the file and the tables now; shared mode touches nothing yet. A
 * new file is for its user alone, and its .wal for those who may read the file: DuckDB makes both
 * with what umask() leaves, which each opening for writing therefore sets for the whole process.
 * STATUS_BUSY: another process holds the file. STATUS_IO, STATUS_NOT_FOUND: cannot be opened. */
enum status store_open(const char *path, enum store_mode mode, struct store **store,
                       struct error *error);

/* All sessions must have ended; NULL is harmless. What this store has written moves from the .wal
 * into the file; where that fails, it stays in the .wal, and is not lost. */
void store_close(struct store *store);

const char *store_path(const struct store *store);

/* What the content of the database depends on: it stays the same as long as nothing was written.
 * In shared mode it comes from stat() of the file and its .wal (inode, size, mtime, ctime) alone,
 * so it costs microseconds and opens nothing; in owner mode it counts this process's own writes
 * and openings. STATUS_NOT_FOUND: there is no such file. */
enum status store_version(struct store *store, uint64_t *version, struct error *error);

/* The past is replayed: sessions that begin from now on find nothing that was not known by then, no
 * candle that closes later and no open interest of a later moment (but for a minute, by which a row
 * may be stamped late); but for the functions that collecting needs, which know of no replay. Each
 * horizon has a version of its own. A multiple of CANDLE_MS; INT64_MAX, as at first: all is found.
 * Any thread. */
void store_set_horizon(struct store *store, int64_t horizon_ms);

/* STATUS_BUSY: another process writes to the file, for longer than a quarter of a second.
 * STATUS_NOT_FOUND: no such file (shared mode), or a
 * table or column that the queries need is missing, which the message names. STATUS_NO_MEMORY: for
 * the session. STATUS_IO: it cannot be opened or read. Nothing of it lasts longer than its cause:
 * the next call tries again. */
enum status store_begin(struct store *store, struct store_session **session, struct error *error);
void store_end(struct store_session *session); /* NULL is harmless; rolls an open write back */

/* The same, and all of the session's calls that read end with the status of `stop`
 * (stop_token_check()) soon after it says so: some ten milliseconds, for what the database does in
 * between. `stop` must outlive the session. */
enum status store_begin_stoppable(struct store *store, const struct stop_token *stop,
                                  struct store_session **session, struct error *error);

/* False if the file was changed past all locks, or replaced, since the session began: what was read
 * may be of two files. Always true in owner mode. */
bool store_is_current(const struct store_session *session);

/* Counts the times that the store opened the file, up to the one that the session uses: where it
 * has grown, this may be another database than before. */
uint64_t store_opening(const struct store_session *session);

/* Makes the call that the session's thread is in return STATUS_CANCELLED soon, where it is a query.
 * Any thread, as long as the session has not ended. */
void store_interrupt(struct store_session *session);

/* -- reading -----------------------------------------------------------------------------------
 *
 * Each may also return STATUS_NO_MEMORY: the query is over what DuckDB may take, or there is none
 * for its result. */

/* Open time of the symbol's newest usable candle: one that has prices, and does not open later than
 * a day from now. STATUS_NO_DATA if it has none. */
enum status store_newest(struct store_session *session, const char *symbol, int64_t *open_time_ms,
                         struct error *error);

/* Candles (joined to `interval_ms`) of the window and their changes of open interest, as
 * series_builder makes them. Both ends are inclusive open times of 5-minute candles. `series` is
 * overwritten, its memory reused. An empty window is STATUS_OK with count 0. */
enum status store_load(struct store_session *session, const char *symbol, int64_t start_ms,
                       int64_t end_ms, int64_t interval_ms, struct series *series,
                       struct error *error);

/* How many candles of `interval_ms` store_load() would find, without loading them; more than that
 * where rows are no candles. */
enum status store_count(struct store_session *session, const char *symbol, int64_t start_ms,
                        int64_t end_ms, int64_t interval_ms, int64_t *count, struct error *error);

/* How many rows store_load() would read of the 5-minute candles, at most; much faster than
 * store_count(). */
enum status store_count_rows(struct store_session *session, const char *symbol, int64_t start_ms,
                             int64_t end_ms, int64_t *count, struct error *error);

/* The symbol's last open interest above 0, in quote currency. STATUS_NO_DATA if it has none. */
enum status store_newest_interest(struct store_session *session, const char *symbol,
                                  int64_t *value_e8, struct error *error);

/* Whether the database holds rows that another source than this one wrote. */
enum status store_has_others(struct store_session *session, const char *source, bool *has_others,
                             struct error *error);

enum store_kind { STORE_CANDLES, STORE_INTEREST, STORE_LIQUIDATIONS };

/* Symbols, and a range of times, both ends inclusive. */
struct store_scope {
    const char *const *symbols;
    size_t symbol_count;
    int64_t from_ms, to_ms;
};

#define STORE_NONE INT64_MIN

/* Of each symbol, the time of the newest usable row in the range, or STORE_NONE; candles or open
 * interest, by open times of candles. One query for all symbols, whose cost grows with the range
 * alone. `newest_ms` has room for all of them. */
enum status store_newest_of_each(struct store_session *session, enum store_kind kind,
                                 const struct store_scope *scope, int64_t *newest_ms,
                                 struct error *error);

/* The steps of five minutes in the range without a usable row, in order of symbol and time, as
 * holes from a first to a last open time. One query, as above. */
enum status store_find_holes(struct store_session *session, enum store_kind kind,
                             const struct store_scope *scope,
                             void (*on_hole)(size_t symbol, int64_t first_ms, int64_t last_ms,
                                             void *context),
                             void *context, struct error *error);

/* Of all exchanges and symbols. */
enum status store_count_liquidations(struct store_session *session, int64_t *count,
                                     struct error *error);

/* How many liquidations of a symbol a range of times holds, and over what time there are any at
 * all, whatever the range: 0 and STORE_NONE where nobody has recorded any. */
struct store_extent {
    int64_t count, oldest_ms, newest_ms;
};

/* Ends are inclusive. */
enum status store_liquidations_extent(struct store_session *session, const char *symbol,
                                      int64_t start_ms, int64_t end_ms, struct store_extent *extent,
                                      struct error *error);

/* The earliest start with which a range that has more than `count` liquidations has as many at
 * most; after the end where that many are of one millisecond. */
enum status store_liquidations_fit(struct store_session *session, const char *symbol,
                                   int64_t start_ms, int64_t end_ms, int64_t count,
                                   int64_t *fitting_start_ms, struct error *error);

/* Amounts that cannot be read, in a table of another program, are 0. */
struct store_liquidation {
    struct slice exchange, id; /* valid during the call */
    int64_t time_ms;
    bool is_long; /* whose position was liquidated */
    int64_t price_e8, quantity_e8, value_e8;
};

/* The liquidations of a range, by time; where one has been recorded, which
 * store_liquidations_extent() tells. Callbacks come on the calling thread, before the call returns.
 */
enum status store_read_liquidations(struct store_session *session, const char *symbol,
                                    int64_t start_ms, int64_t end_ms,
                                    void (*on_row)(const struct store_liquidation *row,
                                                   void *context),
                                    void *context, struct error *error);

/* -- many symbols at once -----------------------------------------------------------------------
 *
 * What is asked of a thousand symbols at every change of the file is asked once, not a thousand
 * times: rows of a time lie together, whichever symbol's they are. `symbols` has each on a line of
 * its own. Callbacks come on the calling thread, before the call returns; what it then returns says
 * whether they were all. The texts that they get are valid during the call. */

struct store_newest {
    struct slice symbol;
    int64_t open_time_ms;
    int64_t close_e8; /* 0: not asked for */
};

/* The newest usable candle, as with store_newest(), of each symbol in the database that has one at
 * `start_ms` or later. */
enum status store_newest_all(struct store_session *session, int64_t start_ms, bool wants_close,
                             void (*on_newest)(const struct store_newest *newest, void *context),
                             void *context, struct error *error);

#define STORE_BLOCK_MS (72 * CANDLE_MS)

/* What a symbol has in one block of time. As long as nothing that store_read() would give has
 * changed in it, its count and sum stay the same; when something has, one of them is another. */
struct store_digest {
    struct slice symbol;
    int64_t block; /* the block begins at block * STORE_BLOCK_MS */
    /* Of its rows; of candles the usable ones alone, or STORE_NONE where there are none. */
    int64_t oldest_ms, newest_ms;
    uint64_t count, sum;
};

/* The digests of all blocks that are not empty, from `start_ms` on, the beginning of one; rows that
 * are later than a day from now are not there. */
enum status store_digest(struct store_session *session, enum store_kind kind, const char *symbols,
                         int64_t start_ms,
                         void (*on_digest)(const struct store_digest *digest, void *context),
                         void *context, struct error *error);

/* A row as series_builder takes it. */
struct store_row {
    struct slice symbol;
    int64_t time_us;
    struct candle candle;             /* of candles; its time is not set */
    struct interest_reading interest; /* of open interest */
};

/* The rows of [start_ms, end_ms): symbol by symbol, in order of time, and then of value and of
 * contracts. */
enum status store_read(struct store_session *session, enum store_kind kind, const char *symbols,
                       int64_t start_ms, int64_t end_ms,
                       void (*on_row)(const struct store_row *row, void *context), void *context,
                       struct error *error);

/* -- writing -----------------------------------------------------------------------------------
 *
 * In a session of owner mode, or a brief one of either mode. */

/* A session that may write. In shared mode the file is opened read-write for it, and where there is
 * none it is created with its tables, as owner mode does it; until it ends, all other processes are
 * kept from the file and the readers of this one wait. So it is short: prepare what is to be
 * written before, and end it at once. What is committed is safe when the commit returns; some of it
 * may stay in the .wal for later sessions. In owner mode the same as store_begin().
 *
 * STATUS_BUSY: another process has the file (at once), or readers of this one do not end (after
 * half a second). */
enum status store_begin_brief(struct store *store, struct store_session **session,
                              struct error *error);

#define STORE_SOURCE_SIZE 51 /* 50 characters, as the table has it, and the terminator */

/* One transaction that takes many rows; others wait in store_write_begin() until it ends. What is
 * there already (symbol and time) stays and is not counted, or is overwritten when the transaction
 * was begun with `replaces`. Of rows given twice the first counts, or with `replaces` the last.
 * `source` is what the rows of open interest name as theirs. */
enum status store_write_begin(struct store_session *session, const char *source, bool replaces,
                              struct error *error);
enum status store_write_kline(struct store_session *session, const struct kline_row *row,
                              struct error *error);
enum status store_write_interest(struct store_session *session, const struct interest_row *row,
                                 struct error *error);

/* From here on the session's reads find the rows that were written so far in the transaction. What
 * store_write_replaced() says after it is for rows that come after it. */
enum status store_write_merge(struct store_session *session, struct error *error);

/* What the open interest that follows in the transaction names as its source instead. */
void store_write_source(struct store_session *session, const char *source);

/* What is told of rows at the commit of their transaction. `origin` is the row's own. */
struct store_telling {
    /* A row that a table of another program's shape cannot hold: it is left out. `reason` names the
     * column, or what the table may have only once. What is returned, if not STATUS_OK, fails the
     * commit. */
    enum status (*on_refused)(uint64_t origin, const char *reason, void *context,
                              struct error *error);
    /* A row that is left out because the table, or an earlier row of the transaction, has other
     * values for its symbol and time. `what` names the column. May be NULL. */
    void (*on_conflict)(uint64_t origin, const char *what, void *context);
    void *context;
};

/* In an open transaction. Without it a row that cannot be held fails the commit. */
enum status store_write_tell(struct store_session *session, const struct store_telling *telling,
                             struct error *error);

/* By which rules the database was begun: see STORE_VERSION. 1 if it does not say, as those of
 * earlier versions and of other programs. */
enum status store_schema_version(struct store_session *session, int64_t *version,
                                 struct error *error);

/* 2: times of open interest are those of its states. 1: they may be what its source labelled it
 * with, five minutes before. */
#define STORE_VERSION 2

/* Whether a table is of another shape than ours, so that rows may be refused; whether by an index,
 * is known after store_write_tell(). */
bool store_is_foreign(const struct store_session *session);

/* A liquidation that is there already stays as it is, in a transaction of either kind. The table is
 * made with its first row. */
enum status store_write_liquidation(struct store_session *session,
                                    const struct liquidation_row *row, struct error *error);

#define STORE_CHECKSUM_SIZE 65 /* SHA-256 in hexadecimal digits, and the terminator */

/* A file of an archive, of which rows are stored. */
struct store_archive_file {
    char checksum[STORE_CHECKSUM_SIZE]; /* with which it was imported last; "": it was not */
    int64_t first_ms, last_ms; /* times of its rows, or STORE_NONE where that was not noted */
};

/* `path` is the file's in the archive. */
enum status store_archive_file(struct store_session *session, const char *path,
                               struct store_archive_file *file, struct error *error);

/* Notes in the transaction that the file's rows, all of this symbol, are in it. The table is made
 * with its first row. */
enum status store_write_archive_file(struct store_session *session, const char *path,
                                     const char *symbol, const struct store_archive_file *file,
                                     struct error *error);

/* What is stored of the symbol between two times, both inclusive, came from what the transaction
 * replaces: what is not in the transaction goes. Open interest of another source than the
 * transaction's stays. */
void store_write_replaced(struct store_session *session, enum store_kind kind, const char *symbol,
                          int64_t first_ms, int64_t last_ms);

/* The market that a symbol's candles are of, "um" or "spot": the same symbol has other prices in
 * each, and one series holds those of one. It is noted in the transaction where `is_certain` and
 * there is no note yet. STATUS_INVALID: the candles that are stored are of another market, or, for
 * all but "um", of one that nobody has noted. */
enum status store_write_market(struct store_session *session, const char *symbol,
                               const char *market, bool is_certain, struct error *error);

/* The symbols whose candles are noted to be of another market than this one; a session of any kind.
 * The texts are valid during the call. */
enum status store_find_other_markets(struct store_session *session, const char *market,
                                     void (*on_symbol)(struct slice symbol, struct slice market,
                                                       void *context),
                                     void *context, struct error *error);

/* Ends the transaction. Rows that were not there before are counted; pointers may be NULL. On
 * failure nothing of it is stored. STATUS_TOO_LARGE: it has a row that a table of another program's
 * shape cannot hold. */
enum status store_write_commit(struct store_session *session, uint64_t *klines_new,
                               uint64_t *interest_new, struct error *error);
void store_write_rollback(struct store_session *session); /* harmless where none is open */

#define STORE_PRUNE_ROWS 5000

/* Removes rows of the symbols up to `to_ms`, the oldest blocks of the table first, in a transaction
 * of its own; `from_ms` does not count. At most STORE_PRUNE_ROWS at a time: as many as that in
 * `row_count` mean that there are more. */
enum status store_prune(struct store_session *session, enum store_kind kind,
                        const struct store_scope *scope, uint64_t *row_count, struct error *error);

/* From one to the other are all times, and rows whose time is none. */
#define STORE_TIME_FIRST INT64_C(-62135596800000) /* the year 1 */
#define STORE_TIME_LAST INT64_C(253402300799999)  /* the year 9999 */

/* What store_delete() has deleted, or would. */
struct store_deleted {
    uint64_t candle_count, interest_count;
    int64_t first_ms, last_ms; /* the times of the first and the last of them; 0 if there is none */
};

/* Deletes the candles and the open interest of a symbol between two times, both inclusive, in a
 * transaction of its own; with `is_trial` it only finds what there is. What is noted of the files
 * that the symbol's rows came from goes too, so that they are fetched again, and of its market when
 * no candle is left. Liquidations stay: nobody has them any more. */
enum status store_delete(struct store_session *session, const char *symbol, int64_t from_ms,
                         int64_t to_ms, bool is_trial, struct store_deleted *deleted,
                         struct error *error);

/* How many liquidations of the session's last transaction were not there before. */
uint64_t store_liquidations_new(const struct store_session *session);

#endif
