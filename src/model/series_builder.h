/* Makes a series out of the rows of the two tables: which rows count, how five-minute candles join
 * into longer ones, and which change of open interest belongs to which candle (docs/model.md,
 * "Windows and open interest").
 *
 *     series_builder_init(&builder, &series, interval_ms);
 *     for each candle row:         series_builder_add_candle(&builder, time_us, &candle);
 *     for each open interest row:  series_builder_add_interest(&builder, time_us, value_e8);
 *     series_builder_finish(&builder);
 *
 * Rows come in order of time, candles first. Pure; owns nothing; one thread at a time. */
#ifndef HEATCAST_MODEL_SERIES_BUILDER_H
#define HEATCAST_MODEL_SERIES_BUILDER_H

#include "model/series.h"

#include <stdbool.h>

struct series_builder {
    struct series *series;
    int64_t interval_ms;
    bool has_candle, has_interest, has_previous; /* what is below, each */

    struct candle candle; /* the best so far of those with its time */

    __int128 interest_e8; /* of the last row of open interest that counted, as is its time */
    int64_t interest_time_us;

    int64_t bucket_time_ms; /* of the bucket of open interest that is being added up */
    __int128 bucket_sum_e8;
    size_t bucket_count; /* rows in it; 0: none has begun */

    double previous; /* average of the bucket before it */
    size_t at;       /* candles before it are before the bucket */
};

/* Empties the series, which keeps its memory and must outlive the builder. `interval_ms` is a
 * multiple of five minutes. */
void series_builder_init(struct series_builder *builder, struct series *series,
                         int64_t interval_ms);

/* A row of five-minute candles that opens at `time_us`; `candle->open_time_ms` is not read. A price
 * that is 0 or below stands for a missing one, and makes the row no candle. Of several rows with
 * the same millisecond one counts, the same one in whatever order they come. */
void series_builder_add_candle(struct series_builder *builder, int64_t time_us,
                               const struct candle *candle);

/* A row of open interest, in quote currency, in order of time and then of value. A value that is 0
 * or below stands for missing data. */
void series_builder_add_interest(struct series_builder *builder, int64_t time_us,
                                 __int128 value_e8);

/* After the last row; the series is complete, unless it has failed. */
void series_builder_finish(struct series_builder *builder);

/* The first moment whose open interest is no longer part of a window that ends with the candle at
 * or before `end_ms`: rows may be stamped late, and belong to the five minutes in which they are
 * stamped. */
int64_t series_builder_interest_end(int64_t end_ms);

#endif
