/* The model `reference`, the time-evolving liquidation heatmap of docs/model.md: candles liquidate
 * the positions whose price they reach, a rise of open interest creates one position a leverage
 * tier, and a fall takes the same share of all of them.
 *
 * A candle that closes at 0 or less creates nothing. book_advance() takes O(log n) amortised in the
 * number of positions. */
#ifndef HEATCAST_MODEL_REFERENCE_H
#define HEATCAST_MODEL_REFERENCE_H

#include "model/model.h"

#include <stddef.h>

extern const struct model reference_model;

/* What a book of this model holds; for tests only. */
size_t reference_position_count(const struct book *book);
double reference_volume(const struct book *book); /* sum of all active positions */

#endif
