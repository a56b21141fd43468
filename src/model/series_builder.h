/* Makes a series out of the rows of the two tables: which rows count, how five-minute candles join
 * into longer ones, and which change of open interest belongs to which candle (docs/model.md,
 * "Survival" and "Reference").
 *
 *     series_builder_init(&builder, &series, interval_ms);
 *     for each candle row:         series_builder_add_candle(&builder, time_us, &candle);
 *     for each open interest row:  series_builder_add_interest(&builder, &reading);
 *     series_builder_finish(&builder);
 *
 * Rows come in order of time, candles first. Pure; owns nothing; one thread at a time. */
#ifndef HEATCAST_MODEL_SERIES_BUILDER_H
#define HEATCAST_MODEL_SERIES_BUILDER_H

#include "model/rows.h"
#include "model/series.h"

#include <stdbool.h>

struct series_builder {
    struct series *series;
    int64_t interval_ms;
    struct candle_rows candles;
    struct interest_rows interest;
    bool has_previous;
    double previous; /* average of the last bucket of open interest; where there is one */
    size_t at;       /* candles before it are before the last bucket */
};

/* Empties the series, which keeps its memory and must outlive the builder. `interval_ms` is a
 * multiple of five minutes. */
void series_builder_init(struct series_builder *builder, struct series *series,
                         int64_t interval_ms);

/* A row of five-minute candles that opens at `time_us`, as candle_rows_add() takes it. */
void series_builder_add_candle(struct series_builder *builder, int64_t time_us,
                               const struct candle *candle);

/* A row of open interest, as interest_rows_add() takes it. */
void series_builder_add_interest(struct series_builder *builder,
                                 const struct interest_reading *reading);

/* After the last row; the series is complete, unless it has failed. */
void series_builder_finish(struct series_builder *builder);

/* The first moment whose open interest is no longer part of a window of such candles that ends with
 * the one at or before `end_ms`: rows may be stamped late, and belong to the five minutes in which
 * they are stamped. Those behind a last candle of five minutes say what is open when it ends. */
int64_t series_builder_interest_end(int64_t end_ms, int64_t interval_ms);

/* The contracts that are open, by what is known of them, or else by their value. `price_e8` 0:
 * there is none; 0: not known. */
double series_builder_contracts(const struct interest_average *interest, int64_t price_e8);

/* How far from its time open interest may be valued. */
#define SERIES_PRICE_AGE_MAX_MS DAY_MS

#endif
