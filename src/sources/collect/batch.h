/* Rows that were taken from those that wait, written in one brief session. */
#ifndef HEATCAST_SOURCES_COLLECT_BATCH_H
#define HEATCAST_SOURCES_COLLECT_BATCH_H

#include "sources/collect/waiting.h"
#include "store/store.h"

struct batch_result {
    bool is_written[WAITING_KINDS]; /* true where there was nothing as well */
    uint64_t new_rows[WAITING_KINDS];
    uint64_t refused_rows; /* that the tables cannot hold; one of them is named in the log */
    uint64_t held_ns;      /* that the file was held */
};

/* STATUS_OK: all kinds are written. Otherwise those that are not can be tried again later; the
 * statuses of store_begin_brief() and store_write_commit(). */
enum status batch_write(struct store *store, const struct list taken[static WAITING_KINDS],
                        struct batch_result *result, struct error *error);

#endif
