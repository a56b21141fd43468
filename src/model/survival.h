/* The model `survival` of docs/model.md: what open interest gains, in contracts, opens positions;
 * of all that were open before, each candle leaves the share that open interest says; and a
 * position is followed until price reaches it or for a lookback.
 *
 * What a book holds after a candle is a closed form of the lookback before it, whatever came
 * earlier: the same moment has the same numbers in every window, to the last bit. book_advance()
 * takes O(log n) amortised in the number of candles that have opened something. */
#ifndef HEATCAST_MODEL_SURVIVAL_H
#define HEATCAST_MODEL_SURVIVAL_H

#include "model/model.h"

extern const struct model survival_model;

/* How old the last known open interest may be for the next one to be compared with it: two days of
 * missing rows are bridged, whose change belongs to the first candle after them. */
#define SURVIVAL_REACH_MS (3 * DAY_MS)

#endif
