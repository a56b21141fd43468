/* The hidden positions of a simulated market: who holds its open interest, at which leverage, and
 * when price liquidates them. It is the truth that a map of this market has to guess, and that a
 * score of the map can be tested on. Pure: no clock, no I/O; the same symbol and steps give the
 * same crowd. One thread at a time. */
#ifndef HEATCAST_SOURCES_SIMULATE_CROWD_H
#define HEATCAST_SOURCES_SIMULATE_CROWD_H

#include "sources/simulate/market.h"

#define CROWD_POSITIONS_MAX 8192 /* of a market; the oldest close when there are more */
#define CROWD_EXCHANGE "simulated"

struct crowd_position {
    double contracts; /* divided by the crowd's share at its birth */
    int64_t touch_e8; /* the price that liquidates it */
    bool is_long;
};

/* Owns its positions: crowd_deinit(). */
struct crowd {
    struct crowd_position *positions; /* by age */
    size_t count, capacity;
    double share;                /* that has been kept of every position since the beginning */
    double interest;             /* of the market after the last step */
    double arrived;              /* contracts of the candle that forms; below 0: they have left */
    int64_t candle_ms, close_e8; /* that candle, as it was after the last step */
    bool has_risen;
    int64_t touch_below, touch_above; /* the nearest prices that liquidate anybody */
    uint64_t liquidated;              /* positions so far: numbers their prints */
    struct random random;
};

/* Nobody holds anything; the market is as it is now. */
void crowd_init(struct crowd *crowd, const struct market *market);
void crowd_deinit(struct crowd *crowd);

/* After market_step(), which ended at `time_ms`: liquidates what the price has reached, which
 * leaves the market's open interest too; and where a candle has begun since the last step, opens or
 * closes before that what the one before it has done. Each liquidation is told as the row that an
 * exchange would tell; a status that is not STATUS_OK ends the telling, and is returned. */
enum status crowd_step(struct crowd *crowd, struct market *market, int64_t time_ms,
                       enum status (*on_liquidated)(const struct liquidation_row *row,
                                                    void *context, struct error *error),
                       void *context, struct error *error);

#endif
