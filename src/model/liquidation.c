/* Exact touches. `low <= entry * (1 - 1/L + mmr/L)` holds for an integer low iff it holds for the
 * floor of the right side, `high >= ...` iff it holds for the ceiling. So a position has one
 * integer to be compared with, and no comparison ever rounds. Buckets are taken from the floor,
 * which is exact as well: floor(floor(x) / bucket) = floor(x / bucket). */
#include "model/liquidation.h"

/* Maintenance margin rate 0.004, and liquidation prices as entry * numerator / (1000 * L). */
enum { LEVERAGE_UNIT = 1000, LEVERAGE_LESS_MARGIN = 996 };

/* Split by the denominator, entry = whole * denominator + rest, so that the exact product fits 64
 * bits: below 2 * INT64_MAX even for a short at 1x. */
struct liquidation liquidation_price(enum position_side side, int64_t entry_e8, int leverage)
{
    uint64_t denominator = LEVERAGE_UNIT * (uint64_t)leverage;
    uint64_t numerator = side == POSITION_LONG ? denominator - LEVERAGE_LESS_MARGIN
                                               : denominator + LEVERAGE_LESS_MARGIN;
    uint64_t whole = (uint64_t)entry_e8 / denominator, rest = (uint64_t)entry_e8 % denominator;
    uint64_t floor = whole * numerator + rest * numerator / denominator;
    uint64_t touch =
        floor + (side == POSITION_SHORT && rest * numerator % denominator != 0 ? 1 : 0);
    /* No price is beyond the range of prices; the position waits at its end. */
    return (struct liquidation){
        .floor_e8 = floor < INT64_MAX ? (int64_t)floor : INT64_MAX,
        .touch_e8 = touch < INT64_MAX ? (int64_t)touch : INT64_MAX,
    };
}

int64_t liquidation_bucket(int64_t price_e8, int64_t bucket_e8)
{
    int64_t quotient = price_e8 / bucket_e8;
    return quotient - (price_e8 % bucket_e8 < 0);
}
