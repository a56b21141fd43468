/* The symbols of an import whose market has been settled with the store, so that it is asked once
 * for each of them, and not for each file or, where a file has rows of several, each row. One
 * thread. `= {0}` is the beginning. */
#ifndef HEATCAST_SOURCES_ARCHIVE_SETTLED_H
#define HEATCAST_SOURCES_ARCHIVE_SETTLED_H

#include "sources/archive/names.h"

struct archive_settled {
    struct archive_settled_symbol *symbols;
    size_t count, capacity;
    size_t last; /* the place that was found last: rows of one symbol mostly follow each other */
};

/* Whether candles of the symbol may be stored as of this market, which was `is_certain` or not. */
bool archive_settled_has(struct archive_settled *settled, const char *symbol,
                         enum archive_market market, bool is_certain);
void archive_settled_add(struct archive_settled *settled, const char *symbol,
                         enum archive_market market, bool is_certain);

/* Forgets all of them: the transaction is not stored in which they were settled. */
void archive_settled_clear(struct archive_settled *settled);
void archive_settled_deinit(struct archive_settled *settled);

#endif
