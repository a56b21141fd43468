/* The archive has candles of other intervals, and of prices that nobody trades at (index price,
 * mark price, the premium index) in files of the same form and of similar names, which lose their
 * folders on the way. Joined into the candles of trades they would be wrong for good, and nobody
 * would see it. But their content gives them away:
 *
 *   - the interval, by how far the rows are apart: a day of hourly rows would otherwise be a day of
 *     five-minute candles with holes;
 *   - index and mark price, by a volume of 0 in each row, although the price moves;
 *   - the premium index, by prices below 0. */
#include "sources/archive/candle_check.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS_MIN = 3 }; /* two gaps */

/* The intervals of candles that exchanges serve, but for the one that is wanted. */
static bool is_other_interval(int64_t gap_ms)
{
    static const int minutes[] = {1, 3, 10, 15, 30, 60, 120, 240, 360, 480, 720, 1440};
    for (size_t i = 0; i < sizeof minutes / sizeof minutes[0]; i++)
        if (gap_ms == minutes[i] * MINUTE_MS)
            return true;
    return gap_ms == 1000;
}

static bool say_interval(int64_t gap_ms, char fault[ARCHIVE_CANDLE_FAULT_SIZE])
{
    char text[24];
    snprintf(fault, ARCHIVE_CANDLE_FAULT_SIZE,
             "the rows are %s apart; only 5-minute candles are imported",
             value_format_duration(gap_ms, text));
    return false;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Takes a row's time. False: the first rows are as far apart as those of another interval. */
static bool add_time(struct archive_candle_check *check, int64_t time_ms)
{
    int64_t gap_ms = llabs(time_ms - check->previous_ms);
    bool has_previous = check->row_count++ > 0;
    check->previous_ms = time_ms;
    if (time_ms % CANDLE_MS != 0)
        check->misaligned_count++;
    if (!has_previous || gap_ms == 0)
        return true;
    check->common_ms = common_divisor(gap_ms, check->common_ms);
    if (check->row_count == 2)
        check->first_gap_ms = gap_ms;
    return check->row_count != ROWS_MIN || check->has_close_time || gap_ms != check->first_gap_ms ||
           !is_other_interval(gap_ms);
}

/* Whether the row itself says that it is of five minutes. */
static bool says_interval(const struct kline_row *row)
{
    int64_t length_ms = row->close_time_ms - row->candle.open_time_ms;
    return length_ms >= CANDLE_MS - 1000 && length_ms <= CANDLE_MS;
}

bool archive_candle_check_add(struct archive_candle_check *check, const struct kline_row *row,
                              bool is_good, char fault[ARCHIVE_CANDLE_FAULT_SIZE])
{
    const struct candle *candle = &row->candle;
    if (candle->open_time_ms == 0)
        return true;
    bool is_negative =
        candle->open_e8 < 0 || candle->high_e8 < 0 || candle->low_e8 < 0 || candle->close_e8 < 0;
    if (is_negative && row->volume_e8 == 0) {
        snprintf(fault, ARCHIVE_CANDLE_FAULT_SIZE,
                 "prices below 0 without a volume: these are klines of the premium index");
        return false;
    }
    if (is_good) {
        bool is_silent = row->volume_e8 == 0;
        check->has_trades = check->has_trades || !is_silent;
        check->has_moved = check->has_moved || (is_silent && candle->high_e8 > candle->low_e8);
    }
    check->has_close_time = check->has_close_time || says_interval(row);
    return add_time(check, candle->open_time_ms) || say_interval(check->first_gap_ms, fault);
}

bool archive_candle_check_finish(const struct archive_candle_check *check,
                                 char fault[ARCHIVE_CANDLE_FAULT_SIZE])
{
    if (check->has_moved && !check->has_trades) {
        snprintf(fault, ARCHIVE_CANDLE_FAULT_SIZE,
                 "the volume is 0 in every row, but the price moves: these are klines of an index "
                 "price or a mark price");
        return false;
    }
    if (check->row_count < ROWS_MIN)
        return true;
    bool is_misaligned = check->misaligned_count * 2 > check->row_count;
    bool is_apart = check->common_ms > CANDLE_MS && !check->has_close_time;
    if (is_misaligned && !is_other_interval(check->common_ms)) {
        snprintf(fault, ARCHIVE_CANDLE_FAULT_SIZE,
                 "most rows do not begin at a multiple of 5 minutes");
        return false;
    }
    return (!is_misaligned && !is_apart) || say_interval(check->common_ms, fault);
}
