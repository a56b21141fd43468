/* Rows that wait to be written, bounded in bytes. A pure container: no thread, no clock, no store.
 *
 * Over the bound the oldest candles and open interest are dropped first, which can be fetched
 * again; liquidations, which cannot, only when nothing else is left. Rows are kept in blocks, and a
 * block is dropped as a whole. */
#ifndef HEATCAST_SOURCES_COLLECT_WAITING_H
#define HEATCAST_SOURCES_COLLECT_WAITING_H

#include "base/list.h"
#include "store/row.h"

enum waiting_kind { WAITING_LIQUIDATIONS, WAITING_KLINES, WAITING_INTEREST, WAITING_KINDS };

/* A row of open interest with its source's label, a constant. */
struct labelled_interest {
    struct interest_row row;
    const char *source;
};

struct waiting_block {
    struct list link;
    size_t count;
    int64_t put_ms; /* when the first row was put */
    char *rows;
};

struct waiting {
    size_t bytes_max;
    size_t bytes;                      /* of all blocks, those that are taken too */
    size_t row_counts[WAITING_KINDS];  /* as well */
    uint64_t dropped[WAITING_KINDS];   /* rows, so far */
    struct list blocks[WAITING_KINDS]; /* oldest first */
    /* Gets each row that is dropped, while waiting_put() makes room; NULL: nobody does. */
    void (*on_dropped)(enum waiting_kind kind, const void *row, void *context);
    void *context;
};

/* `bytes_max` is at least WAITING_BYTES_MIN. */
#define WAITING_BYTES_MIN ((size_t)1000000)
void waiting_init(struct waiting *waiting, size_t bytes_max);
void waiting_deinit(struct waiting *waiting); /* with all that waits; none may be taken */

/* Copies the row, a struct of the kind. False: older rows were dropped for it. */
bool waiting_put(struct waiting *waiting, enum waiting_kind kind, const void *row, int64_t now_ms);

/* A row of a block, a struct of the kind. */
const void *waiting_row(const struct waiting_block *block, enum waiting_kind kind, size_t index);

/* With rows that are taken. */
size_t waiting_count(const struct waiting *waiting);

/* When the oldest row was put; 0: there is none. Rows that are taken do not count. */
int64_t waiting_since_ms(const struct waiting *waiting);

/* Takes the oldest blocks out, about `row_count_max` rows but at least a block of each kind that
 * has one, and puts them into the lists. Each kind is given back in one of two ways. */
void waiting_take(struct waiting *waiting, size_t row_count_max,
                  struct list taken[static WAITING_KINDS]);
void waiting_put_back(struct waiting *waiting, enum waiting_kind kind, struct list *taken);
void waiting_free(struct waiting *waiting, enum waiting_kind kind, struct list *taken);

#endif
