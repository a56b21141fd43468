/* What the time of a row of open interest means.
 *
 * Exchanges label open interest with a period, whose start or end the label may be, and have
 * changed it without a word: a row of Binance labelled T was the state at T until June 2026, and
 * the state at T + 5 min afterwards, while other ways to the same rows differed. No date says which
 * it is, but the rows do: value / contracts is the price that the exchange has valued them at,
 * which is that of the moment of the state, and so the open of the candle that begins then.
 *
 * The meaning may change in the middle of what is read. Then each part is told by itself, and the
 * rows near the change that could be of either are doubtful.
 *
 * Pure; any thread. */
#ifndef HEATCAST_MODEL_INTEREST_LABEL_H
#define HEATCAST_MODEL_INTEREST_LABEL_H

#include "config/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTEREST_LABEL_ROWS_MIN 12
enum { INTEREST_LABEL_OFFSETS = 3 };

/* What interest_label_date() has found of a row. */
enum interest_label_verdict {
    INTEREST_LABEL_UNTOLD,   /* its part does not tell what the labels mean */
    INTEREST_LABEL_TOLD,     /* the state was at the label plus `offset_ms` */
    INTEREST_LABEL_DOUBTFUL, /* it is near a change, and could be of either side */
};

struct interest_label_row {
    int64_t label_ms; /* a multiple of five minutes */
    double price;     /* value / contracts; 0: not known */
    enum interest_label_verdict verdict;
    int64_t offset_ms; /* of one that is told */
};

struct interest_label {
    int64_t offset_ms; /* the state was at the label plus this: -5, 0 or 5 minutes */
    /* How far prices and opens are apart: the deviation of the logarithm of their ratio, in
     * hundredths of a per cent, without rows that are far off unless it takes all of them to tell;
     * and the same for the next best offset. */
    double error_bps, next_error_bps;
    size_t row_count; /* that this rests on */
};

/* Tells from rows of one file or answer, in any order. `open_at` gives the open of the candle that
 * begins at a time, or 0 where it is not known. False if that cannot be told: fewer than
 * INTEREST_LABEL_ROWS_MIN rows have candles at all three offsets, or no offset is much better than
 * the next (a price that does not move, values that are not of these candles). */
bool interest_label_detect(const struct interest_label_row *rows, size_t count,
                           double (*open_at)(int64_t time_ms, void *context), void *context,
                           struct interest_label *label);

/* When labels of one source were told to mean what: the first and the last label, by the meaning.
 * `= {0}` is the beginning. */
struct interest_label_known {
    struct {
        int64_t first_ms, last_ms; /* 0, 0: they were not */
    } spans[INTEREST_LABEL_OFFSETS];
};

static inline size_t interest_label_index(int64_t offset_ms)
{
    return (size_t)(offset_ms / CANDLE_MS + 1);
}

/* A row that is told. True: it is the first of this meaning. */
bool interest_label_note(struct interest_label_known *known, const struct interest_label_row *row);

/* What labels mean that do not tell it by themselves: the only thing that they were ever told to
 * mean, or else the only one around these times. False: that cannot be said. */
bool interest_label_recall(const struct interest_label_known *known, int64_t first_ms,
                           int64_t last_ms, int64_t *offset_ms);

/* Fills in the verdict of each row; rows in order of their labels. Returns how many parts there
 * are, in each of which labels mean one thing: 1 unless that changes; 0 of no rows. */
size_t interest_label_date(struct interest_label_row *rows, size_t count,
                           double (*open_at)(int64_t time_ms, void *context), void *context);

#endif
