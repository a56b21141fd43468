/* import_run() (import.h) as a source that ends by itself: `heatcast import`. */
#ifndef HEATCAST_SOURCES_ARCHIVE_IMPORTING_H
#define HEATCAST_SOURCES_ARCHIVE_IMPORTING_H

#include "sources/archive/import.h"
#include "sources/source.h"

/* Begins to import on a thread of its own, on which the callbacks of the options come, too. What is
 * pointed to outlives the source; `summaries` is complete when the source has ended. Stopped before
 * that, it keeps the files that it has read whole, and source_stop() returns STATUS_CANCELLED. */
struct source *importing_start(const struct import_options *options, const char *const *paths,
                               size_t path_count, struct import_summary *summaries);

#endif
