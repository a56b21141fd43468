/* What fetching does with the database: it asks which files were imported before, and imports those
 * that have come. Each call waits until no other process has the database, FETCH_LOCK_WAIT_MS at
 * most, and blocks. One thread at a time. */
#ifndef HEATCAST_SOURCES_ARCHIVE_FETCH_STORE_H
#define HEATCAST_SOURCES_ARCHIVE_FETCH_STORE_H

#include "base/buffer.h"
#include "sources/archive/import.h"

#define FETCH_FILES_MAX 32       /* of one call */
#define FETCH_LOCK_WAIT_MS 30000 /* for another process to let go of the database */

struct fetch_file {
    const char *archive_path, *path;     /* in the archive, and here */
    struct store_archive_file known;     /* as it was imported before */
    char published[STORE_CHECKSUM_SIZE]; /* with which it is to be imported */
    bool is_stored;                      /* its rows, and its checksum with them */
};

/* Fills `known`. A database that is not there yet knows no file. `stop` ends the wait for it. */
enum status fetch_store_look_up(struct store *store, struct fetch_file *const *files, size_t count,
                                const struct stop_token *stop, struct error *error);

struct fetch_batch {
    struct store *store;
    const struct stop_token *stop; /* what was stored by then stays */
    const char *symbol;            /* of all files */
    enum store_kind kind;
    struct fetch_file *files[FETCH_FILES_MAX];
    size_t count;
    /* What came of it. */
    struct import_summary summaries[IMPORT_KIND_COUNT];
    struct buffer messages; /* of what is wrong with rows and files, each with its terminator */
    enum status status;
    struct error error;
};

/* Imports the files and sets `is_stored` of those of which something can be used; the rows of one
 * that is `known` replace those that came from it, of which what it does not have any more is
 * deleted. Fails when the database does. */
void fetch_store_import(struct fetch_batch *batch);

#endif
