/* Candles and open interest from the Binance public archive, over HTTP, into the database: a source
 * that ends by itself, as `heatcast fetch`.
 *
 * Several files are fetched at a time, each is compared with its published checksum and imported as
 * it arrives (archive/import.h), in short sessions, so that others can use the database in between.
 * What was imported is remembered there with its checksum, and not fetched again unless the archive
 * has replaced it; then its rows replace those that came from it. A run that was stopped or broken
 * off is continued by another with the same options. */
#ifndef HEATCAST_SOURCES_ARCHIVE_FETCH_H
#define HEATCAST_SOURCES_ARCHIVE_FETCH_H

#include "config/value.h"
#include "sources/archive/import.h"
#include "sources/source.h"

struct fetch_progress {
    int64_t files_done, files_total; /* the total grows where a month is only there by days */
    uint64_t bytes;                  /* that came so far */
    const char *name;                /* of the file that was settled last; "" before */
};

struct fetch_options {
    struct store *store; /* nobody else in this process uses it meanwhile */
    const struct symbol_list *symbols;
    int64_t first_day, last_day; /* since 1970-01-01, both inclusive */
    const char *base_url;        /* of the archive */
    const char *ca_file;         /* as in struct http_client_options */
    const char *user_agent;
    const char *folder; /* what comes is put here, at the archive's own paths */
    bool keeps_files;   /* after they were imported; otherwise the folder is removed at the end */
    bool accepts_mismatch;
    int files_at_a_time, tries_max;
    uint64_t silence_timeout_ms;

    /* On the source's thread. What a person should know: a bad row, a file that failed, days that
     * are missing. */
    void (*on_message)(const char *message, void *context);
    void (*on_progress)(const struct fetch_progress *progress, void *context); /* often */
    void *context;
};

struct fetch_summary {
    int64_t imported, replaced; /* files; `replaced` are some of those imported */
    int64_t unchanged;          /* files that were imported before */
    int64_t missing_days;       /* of klines and of open interest */
    int64_t failed;             /* files that could not be had, verified or imported */
    uint64_t bytes;
    struct import_summary imports[IMPORT_KIND_COUNT];
};

/* Begins to fetch. What is pointed to, the options and the summary too, outlives the source; the
 * summary is complete when it has ended. STATUS_BUSY: another fetch uses the folder. The outcome
 * (source_stop()) is STATUS_OK where all that the archive has of these days is in the database.
 * Otherwise the message says why not; the rest was done as far as possible. */
enum status fetch_start(const struct fetch_options *options, struct fetch_summary *summary,
                        struct source **source, struct error *error);

#endif
