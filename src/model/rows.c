/* The tables may come from another program, and exchanges publish rows late, twice, and with values
 * that are none. What comes of them depends on the rows alone and not on their order in a file,
 * which a database may change: of candles with the same time the same one is always chosen, and
 * open interest is added up as integers. */
#include "model/rows.h"

int64_t candle_floor_time(int64_t time, int64_t unit)
{
    int64_t rest = time % unit;
    return time - (rest < 0 ? rest + unit : rest);
}

static int64_t milliseconds(int64_t time_us)
{
    return candle_floor_time(time_us, 1000) / 1000;
}

/* -- candles ----------------------------------------------------------------------------------- */

bool candle_has_prices(const struct candle *candle)
{
    return candle->open_e8 > 0 && candle->high_e8 > 0 && candle->low_e8 > 0 && candle->close_e8 > 0;
}

bool candle_is_preferred(const struct candle *candle, const struct candle *other)
{
    if (candle->volume != other->volume)
        return candle->volume > other->volume;
    const int64_t in[] = {candle->high_e8, candle->low_e8, candle->open_e8, candle->close_e8};
    const int64_t in_other[] = {other->high_e8, other->low_e8, other->open_e8, other->close_e8};
    for (size_t i = 0; i < 4; i++)
        if (in[i] != in_other[i])
            return in[i] > in_other[i];
    return false;
}

bool candle_rows_add(struct candle_rows *rows, int64_t time_us, const struct candle *candle,
                     struct candle *ended)
{
    if (!candle_has_prices(candle))
        return false;
    int64_t time_ms = milliseconds(time_us);
    bool is_same = rows->has_candle && rows->candle.open_time_ms == time_ms;
    if (is_same && !candle_is_preferred(candle, &rows->candle))
        return false;
    bool has_ended = !is_same && candle_rows_finish(rows, ended);
    rows->candle = *candle;
    rows->candle.open_time_ms = time_ms;
    rows->has_candle = true;
    return has_ended;
}

bool candle_rows_finish(struct candle_rows *rows, struct candle *ended)
{
    if (!rows->has_candle)
        return false;
    *ended = rows->candle;
    rows->has_candle = false;
    return true;
}

/* -- open interest ----------------------------------------------------------------------------- */

bool interest_rows_add(struct interest_rows *rows, const struct interest_reading *reading,
                       int64_t interval_ms, struct interest_average *ended)
{
    const bool has_value = reading->value_e8 > 0, has_contracts = reading->contracts_e8 > 0;
    const bool is_repeated =
        rows->has_row && rows->row_time_us == reading->time_us && rows->row_e8 == reading->value_e8;
    if (!has_value && !has_contracts)
        return false;
    const int64_t time_ms = candle_floor_time(milliseconds(reading->time_us), interval_ms);
    bool has_ended = rows->time_ms != time_ms && interest_rows_finish(rows, ended);
    rows->time_ms = time_ms;
    if (has_contracts && rows->contracts_e8 == 0)
        rows->contracts_e8 = reading->contracts_e8;
    if (!has_value || is_repeated)
        return has_ended;
    rows->has_row = true;
    rows->row_time_us = reading->time_us;
    rows->row_e8 = reading->value_e8;
    rows->sum_e8 += reading->value_e8;
    rows->count++;
    return has_ended;
}

bool interest_rows_finish(struct interest_rows *rows, struct interest_average *ended)
{
    if (rows->count == 0 && rows->contracts_e8 == 0)
        return false;
    *ended = (struct interest_average){
        .time_ms = rows->time_ms,
        .value = rows->count > 0 ? (double)rows->sum_e8 / 1e8 / (double)rows->count : 0,
        .contracts = (double)rows->contracts_e8 / 1e8,
    };
    rows->count = 0;
    rows->sum_e8 = 0;
    rows->contracts_e8 = 0;
    return true;
}
