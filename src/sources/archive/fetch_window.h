/* Some files of the archive at a time: downloaded side by side, and imported as they arrive. What
 * fetch.c runs over a range of days. One thread, with a loop of its own. */
#ifndef HEATCAST_SOURCES_ARCHIVE_FETCH_WINDOW_H
#define HEATCAST_SOURCES_ARCHIVE_FETCH_WINDOW_H

#include "sources/archive/fetch.h"
#include "sources/archive/fetch_plan.h"
#include "sources/archive/fetch_store.h"

#define FETCH_FAILURES_IN_A_ROW 4 /* files, after which no others are tried */

struct fetch_window;

/* The options, the token and the summary outlive it. */
struct fetch_window *fetch_window_create(const struct fetch_options *options,
                                         const struct stop_token *stop,
                                         struct fetch_summary *summary, struct error *error);
void fetch_window_destroy(struct fetch_window *window); /* NULL is harmless */

/* `stop` has changed: the run that is under way looks at it. Any thread. */
void fetch_window_wake(struct fetch_window *window);

/* More files are to come, or (negative) fewer. */
void fetch_window_expect(struct fetch_window *window, int64_t count);

/* Whether the file of the period was imported before. */
enum status fetch_window_knows(struct fetch_window *window, const char *symbol,
                               enum fetch_kind kind, struct fetch_period period, bool *knows,
                               struct error *error);

/* Fetches and imports the files of these periods, at most FETCH_FILES_MAX, and returns when all are
 * done. `is_missing[i]`: the archive has no such file. STATUS_OK also where files failed, which was
 * told and counted. Otherwise no other file would do better, and what is under way was given up. */
enum status fetch_window_run(struct fetch_window *window, const char *symbol, enum fetch_kind kind,
                             const struct fetch_period *periods, size_t count, bool *is_missing,
                             struct error *error);

#endif
