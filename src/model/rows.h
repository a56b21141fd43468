/* From rows of the tables to candles and averages of open interest: which rows count, and which of
 * several with the same time.
 *
 * Rows are added one by one, in order of time; one that begins another moment ends what was before
 * it, which is then given back. Pure; owns nothing; one thread at a time. `= {0}` is the beginning.
 */
#ifndef HEATCAST_MODEL_ROWS_H
#define HEATCAST_MODEL_ROWS_H

#include "model/candle.h"

#include <stdbool.h>
#include <stddef.h>

/* The last multiple of `unit` that is not after `time`. */
int64_t candle_floor_time(int64_t time, int64_t unit);

/* Whether it has prices: one that is 0 or below stands for a missing one. */
bool candle_has_prices(const struct candle *candle);

/* Which of two candles of the same time counts: the one with more volume has seen more of its five
 * minutes. The other comparisons only make the choice the same in any order. */
bool candle_is_preferred(const struct candle *candle, const struct candle *other);

struct candle_rows {
    bool has_candle;
    struct candle candle; /* the best so far of those with its time */
};

/* A row that opens at `time_us`; `candle->open_time_ms` is not read. A row without prices is no
 * candle. Of several rows with the same millisecond one counts, the same one in whatever order they
 * come. True: `*ended` is the candle before it. */
bool candle_rows_add(struct candle_rows *rows, int64_t time_us, const struct candle *candle,
                     struct candle *ended);
bool candle_rows_finish(struct candle_rows *rows, struct candle *ended);

/* What the rows of an interval say of open interest. */
struct interest_average {
    int64_t time_ms;  /* of the interval */
    double value;     /* on average, in quote currency; 0: not known */
    double contracts; /* of the first row that has them, in the base asset; 0: not known */
};

/* A row of open interest. */
struct interest_reading {
    int64_t time_us;
    __int128 value_e8;     /* quote currency; 0 or below: not known */
    __int128 contracts_e8; /* base asset; the same */
};

struct interest_rows {
    bool has_row; /* the two below are of one */
    int64_t row_time_us;
    __int128 row_e8;

    int64_t time_ms; /* of the interval that is being added up */
    __int128 sum_e8;
    size_t count;          /* rows with a value in it */
    __int128 contracts_e8; /* without either no interval has begun */
};

/* A row, in order of time, then of value, then of contracts. What is 0 or below stands for missing
 * data; a value that is the same as in the row before, of the same time, does not count. True:
 * `*ended` is what there is of the interval before it. */
bool interest_rows_add(struct interest_rows *rows, const struct interest_reading *reading,
                       int64_t interval_ms, struct interest_average *ended);
bool interest_rows_finish(struct interest_rows *rows, struct interest_average *ended);

#endif
