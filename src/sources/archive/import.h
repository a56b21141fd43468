/* Files of the Binance public archive into the database (docs/model.md, "Files"): a source that
 * runs once, as `heatcast import`.
 *
 * A file is stored whole or not at all. A bad row is reported (file, line, why) and counted; the
 * good rows of the file are kept, unless `is_strict`. Blocks; callbacks come on the calling thread.
 */
#ifndef HEATCAST_SOURCES_ARCHIVE_IMPORT_H
#define HEATCAST_SOURCES_ARCHIVE_IMPORT_H

#include "sources/archive/reader.h"
#include "store/store.h"

struct import_summary {
    uint64_t files, rows_read, rows_new, rows_bad;
};

void import_summary_add(struct import_summary *sum, const struct import_summary *summary);

/* A file whose rows are in the transaction. */
struct import_stored {
    const char *path;
    int64_t first_ms, last_ms; /* times of its rows; STORE_NONE if it has none that can be stored */
};

struct import_options {
    struct store *store; /* in shared mode other processes are kept from it until all is done */
    /* Of rows that do not name theirs, whatever the names of files say, and the only one to be
     * taken of those that do; in folders only files whose names say it are taken. NULL: from symbol
     * columns, names and folders. */
    const char *symbol;
    /* Of candles: USD_M, which UNKNOWN stands for too, or SPOT. Files whose paths say another are
     * passed over in folders, and refused otherwise. */
    enum archive_market market;
    const struct stop_token *stop; /* may be NULL */
    int64_t now_ms; /* a row that is more than a day later is bad; 0: the machine's clock */
    bool is_strict;
    bool replaces; /* what is stored already is overwritten */
    /* Within the transaction of a file of which something can be used, which may be that of others
     * too, after its last row: what is written here is stored with its rows or not at all. May be
     * NULL. */
    enum status (*on_commit)(struct store_session *session, const struct import_stored *stored,
                             void *context, struct error *error);
    /* A bad row or a file that cannot be used: "<path>:<line>: <why>" or
     * "<path>: <why>". Of one file at most a hundred rows are named, and then their number. */
    void (*on_problem)(const char *message, void *context);
    /* Of a file of whose rows other values are stored, which stay; at the end: which files of
     * folders and archives were passed over. May be NULL. */
    void (*on_note)(const char *message, void *context);
    /* At the end: files of open interest whose labels do not tell what they mean, and what was
     * assumed. May be NULL. */
    void (*on_assumed)(const char *message, void *context);
    /* After every few thousand rows. Bytes over all files. May be NULL. */
    void (*on_progress)(const char *path, uint64_t bytes_done, uint64_t bytes_total, void *context);
    void *context;
};

/* Imports files and folders (walked in name order, open interest after all else; in a folder, files
 * whose names are not of the archive are passed over). STATUS_OK as long as the database works,
 * every path that is named could be used and, if strict, every file in the folders as well; the
 * others are imported in any case, and `summaries` is filled. When `stop` says so it ends soon with
 * that status, and what was read whole is stored. */
enum status import_run(const struct import_options *options, const char *const *paths,
                       size_t path_count, struct import_summary summaries[static IMPORT_KIND_COUNT],
                       struct error *error);

#endif
