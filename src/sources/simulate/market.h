/* One simulated market: a price and an open interest that move in steps of any length. Pure: no
 * clock, no I/O; the same symbol, moments and steps give the same market. One thread at a time. */
#ifndef HEATCAST_SOURCES_SIMULATE_MARKET_H
#define HEATCAST_SOURCES_SIMULATE_MARKET_H

#include "base/random.h"
#include "store/row.h"

struct market {
    char symbol[SYMBOL_SIZE];
    double tick;          /* smallest price step */
    double anchor;        /* price that the walk is pulled to */
    double mean_interest; /* contracts */
    double price, interest;
    double volatility_log;
    double cascade_seconds; /* left of the present one */
    int cascade_direction;
    struct random random;
    struct kline_row candle; /* the forming one */
};

/* At its anchor, without a candle. */
void market_init(struct market *market, const char *symbol);

/* Continues where an earlier run stopped: its newest candle, and its open interest in quote
 * currency. */
void market_resume(struct market *market, const struct candle *newest, int64_t interest_e8);

/* The forming candle becomes one that opens where the last one closed. */
void market_begin_candle(struct market *market, int64_t open_time_ms);

/* Moves price and open interest by so much time, and the forming candle with them. */
void market_step(struct market *market, double seconds);

/* The open interest as it is now, which is what there is of the state at the forming candle's end,
 * and bears that time. */
struct interest_row market_interest(const struct market *market);

#endif
