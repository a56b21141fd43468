/* The time-evolving liquidation heatmap: a book of leveraged positions that candles liquidate and
 * open interest creates and shrinks (ENGINE.md §1). Pure computation: no I/O, no clock, no state
 * but the book's. A book belongs to one thread at a time. */
#ifndef HEATCAST_MODEL_BOOK_H
#define HEATCAST_MODEL_BOOK_H

#include "config/value.h"
#include "model/series.h"

#include <stddef.h>
#include <stdint.h>

struct book; /* opaque; empty when created */

struct level {
    int64_t price_e8;                   /* lower edge of the bucket */
    double long_density, short_density; /* USDT that would be liquidated in it */
};

/* Ascending by price, no empty ones. Owned by whoever holds the struct; `{0}` is a valid empty
 * list. */
struct level_list {
    size_t count, capacity;
    struct level *levels;
};

struct book_change {
    uint32_t created;  /* single positions created by one candle */
    uint32_t consumed; /* single positions liquidated by it */
};

struct book *book_create(const struct leverage_weights *weights);
/* Empty again, as if just created; the memory is kept. */
void book_reset(struct book *book, const struct leverage_weights *weights);
void book_destroy(struct book *book); /* NULL is harmless */

/* One candle: consume, create, shrink, in this order. `delta` is the change of open interest in
 * quote currency. A delta that is no amount of money (NaN, infinite, beyond 10^18) is missing data
 * and counts as 0; a candle that closes at 0 or less creates nothing. O(log n) amortised in the
 * number of positions. */
struct book_change book_advance(struct book *book, const struct candle *candle, double delta);

/* The book's volume by bucket: `levels` is overwritten, its memory reused. Asking for the same
 * bucket size each time is cheapest. `bucket_e8` is above 0. */
void book_snapshot(struct book *book, int64_t bucket_e8, struct level_list *levels);

size_t book_position_count(const struct book *book);
double book_volume(const struct book *book); /* sum of all active positions, USDT */

void level_list_deinit(struct level_list *levels);

/* The bucket used where none is configured: 100 for bitcoin in dollars (BTCUSDT, BTCUSDC, BTCFDUSD,
 * BTCUSD_PERP, ...), otherwise the 1-2-5 step nearest in ratio to a thousandth of the last close
 * (at least 0.00000001). */
int64_t heatmap_default_bucket(const char *symbol, int64_t close_e8);

#endif
