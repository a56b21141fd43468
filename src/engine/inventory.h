/* What the database has, told in the log: at the start, of each symbol that is served; and of
 * symbols that it has and that are not served, when they appear.
 *
 * Belongs to one thread, the generator's. */
#ifndef HEATCAST_ENGINE_INVENTORY_H
#define HEATCAST_ENGINE_INVENTORY_H

#include "base/buffer.h"
#include "engine/survey.h"

#define INVENTORY_LINES_MAX 50    /* symbols up to which each has a line of its own */
#define INVENTORY_OTHERS_MAX 8192 /* of symbols that are not served; more are not told */
#define INVENTORY_OLD_MS DAY_MS   /* a market does not stop: a newest row so old is told of */

struct inventory {
    const struct symbol_list *symbols;
    int64_t lookback_ms;
    bool is_filled; /* a source of this process brings what is missing */
    bool is_told;
    size_t other_count; /* of symbols that are not served: hashes of their names, in order */
    uint64_t *others;
    size_t new_count;   /* of them not told yet */
    struct buffer news; /* names of some of those */
};

void inventory_init(struct inventory *inventory, const struct symbol_list *symbols,
                    int64_t lookback_ms, bool is_filled);
void inventory_deinit(struct inventory *inventory);

/* The database has this symbol, which is not served. */
void inventory_see_other(struct inventory *inventory, struct slice symbol);

/* Tells what is new since the last call; the first time, of all symbols, by the time `now_ms`. The
 * survey has run. What the database cannot answer is left out. */
void inventory_tell(struct inventory *inventory, const struct survey *survey,
                    struct store_session *session, int64_t now_ms);

#endif
