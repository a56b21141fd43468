/* At which price a position is liquidated (docs/model.md), exactly. Pure; any thread. */
#ifndef HEATCAST_MODEL_LIQUIDATION_H
#define HEATCAST_MODEL_LIQUIDATION_H

#include <stdint.h>

enum position_side { POSITION_LONG, POSITION_SHORT, POSITION_SIDES };

struct liquidation {
    int64_t floor_e8; /* decides the bucket */
    int64_t touch_e8; /* the first price of the market, on its way there, that liquidates */
};

/* For an entry above 0. */
struct liquidation liquidation_price(enum position_side side, int64_t entry_e8, int leverage);

/* The bucket of a price, counted from 0. */
int64_t liquidation_bucket(int64_t price_e8, int64_t bucket_e8);

#endif
