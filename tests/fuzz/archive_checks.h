/* What an accepted row of the archive must hold, whatever the line was that it came from. */
#ifndef HEATCAST_TESTS_FUZZ_ARCHIVE_CHECKS_H
#define HEATCAST_TESTS_FUZZ_ARCHIVE_CHECKS_H

#include "fuzz.h"

#include "store/row.h"

#include <math.h>

#define TIME_MIN_MS INT64_C(946684800000)  /* 2000 */
#define TIME_MAX_MS INT64_C(4102444800000) /* 2100 */
#define PRICE_MAX_E8 INT64_C(999999999999999999)

static inline void check_price(int64_t price_e8)
{
    check(price_e8 > 0 && price_e8 <= PRICE_MAX_E8);
}

static inline void check_kline(const struct kline_row *row)
{
    const struct candle *candle = &row->candle;
    check(candle->open_time_ms >= TIME_MIN_MS && candle->open_time_ms < TIME_MAX_MS);
    check(candle->open_time_ms % CANDLE_MS == 0);
    check(row->close_time_ms == 0 || row->close_time_ms > candle->open_time_ms);
    check(row->close_time_ms <= candle->open_time_ms + CANDLE_MS);
    check_price(candle->open_e8);
    check_price(candle->high_e8);
    check_price(candle->low_e8);
    check_price(candle->close_e8);
    check(candle->low_e8 <= candle->open_e8 && candle->low_e8 <= candle->close_e8);
    check(candle->high_e8 >= candle->open_e8 && candle->high_e8 >= candle->close_e8);
    check(isfinite(candle->volume) && candle->volume >= 0);
    check(row->volume_e8 >= -1 && row->volume_e8 <= PRICE_MAX_E8);
    check(!row->has_quote_volume || row->quote_volume_e8 >= 0);
    check(!row->has_count || (row->count >= 0 && row->count <= INT32_MAX));
    check(!row->has_taker_buy_volume ||
          (row->taker_buy_volume_e8 >= 0 && row->taker_buy_volume_e8 <= PRICE_MAX_E8));
    check(!row->has_taker_buy_quote_volume || row->taker_buy_quote_volume_e8 >= 0);
}

static inline void check_interest(const struct interest_row *row)
{
    check(row->timestamp_ms >= TIME_MIN_MS && row->timestamp_ms < TIME_MAX_MS);
    check(row->value_e8 >= 0);
    check(!row->has_contracts || (row->contracts_e8 >= 0 && row->contracts_e8 <= PRICE_MAX_E8));
}

#endif
