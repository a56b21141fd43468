/* Whether a file's rows are what they are taken for: candles of trades, five minutes each. Names
 * say so mostly, but not always. Pure; one thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_CANDLE_CHECK_H
#define HEATCAST_SOURCES_ARCHIVE_CANDLE_CHECK_H

#include "store/row.h"

/* `{0}`: no row yet. */
struct archive_candle_check {
    uint64_t row_count, misaligned_count;
    int64_t previous_ms;        /* open time of the last row */
    int64_t first_gap_ms;       /* between the first two rows */
    int64_t common_ms;          /* what divides all gaps */
    bool has_close_time;        /* rows say themselves that they are of five minutes */
    bool has_trades, has_moved; /* a volume above 0; a price that moved without one */
};

#define ARCHIVE_CANDLE_FAULT_SIZE 160

/* Takes the next row, good or bad, as archive_row_read_kline() has filled it. False if the file is
 * no such file; `fault` says why. */
bool archive_candle_check_add(struct archive_candle_check *check, const struct kline_row *row,
                              bool is_good, char fault[ARCHIVE_CANDLE_FAULT_SIZE]);

/* The same, at the end of the file. */
bool archive_candle_check_finish(const struct archive_candle_check *check,
                                 char fault[ARCHIVE_CANDLE_FAULT_SIZE]);

#endif
