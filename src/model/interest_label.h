/* What the time of a row of open interest means.
 *
 * Exchanges label open interest with a period, whose start or end the label may be, and have
 * changed it without a word: a row of Binance labelled T was the state at T until June 2026, and
 * the state at T + 5 min afterwards, while other ways to the same rows differed. No date says which
 * it is, but the rows do: value / contracts is the price that the exchange has valued them at,
 * which is that of the moment of the state, and so the open of the candle that begins then.
 *
 * Pure; any thread. */
#ifndef HEATCAST_MODEL_INTEREST_LABEL_H
#define HEATCAST_MODEL_INTEREST_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTEREST_LABEL_ROWS_MIN 12

struct interest_label_row {
    int64_t label_ms;
    double price; /* value / contracts */
};

struct interest_label {
    int64_t offset_ms; /* the state was at the label plus this: -5, 0 or 5 minutes */
    /* How far prices and opens are apart: the standard deviation of the logarithm of their ratio,
     * in hundredths of a per cent; and the same for the next best offset. */
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

#endif
