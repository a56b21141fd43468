/* Price steps, in which a heatmap sums volume: 1, 2 or 5 times a power of ten, where the user has
 * not configured another. Pure; any thread. */
#ifndef HEATCAST_MODEL_BUCKET_H
#define HEATCAST_MODEL_BUCKET_H

#include <stdint.h>

/* The step where none is configured: 100 for bitcoin in dollars (BTCUSDT, BTCUSDC, BTCFDUSD,
 * BTCUSD_PERP, ...), otherwise the one nearest in ratio to a thousandth of the close (at least
 * 0.00000001). */
int64_t bucket_default(const char *symbol, int64_t close_e8);

/* The least step that is not below `step_min_e8`, which is below 10^18. */
int64_t bucket_least(double step_min_e8);

#endif
