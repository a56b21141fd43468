/* Sums of what candles did to a book, over a time in which one computes the same candles again and
 * again: while they form, and when rows come late. Each candle counts once, as it was told last.
 *
 * A plain value; `struct change_sums sums = {0};` has noted nothing. One thread at a time. */
#ifndef HEATCAST_MODEL_CHANGE_SUMS_H
#define HEATCAST_MODEL_CHANGE_SUMS_H

#include "model/model.h"

/* How many of the newest candles may be told again; what is told of older ones changes nothing. */
#define CHANGE_SUMS_RECENT 64

struct change_sums {
    int64_t created, consumed; /* from an arbitrary beginning: only differences mean something */
    struct {
        int64_t slot;
        struct book_change change;
    } recent[CHANGE_SUMS_RECENT]; /* by slot, modulo their number */
};

/* A candle did this, as far as is known by now. `slot`: slots_number() of its open time. */
void change_sums_note(struct change_sums *sums, int64_t slot, struct book_change change);

#endif
