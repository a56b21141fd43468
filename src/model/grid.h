/* The map of a series as a picture: one byte a cell, for pages (see history_grid() for the format).
 * Pure computation. */
#ifndef HEATCAST_MODEL_GRID_H
#define HEATCAST_MODEL_GRID_H

#include "base/buffer.h"
#include "base/error.h"
#include "model/book.h"

#define GRID_COLUMNS_MAX 2100
#define GRID_CELLS_MAX ((size_t)4 << 20) /* of one side */

struct grid_options {
    const char *symbol;
    const struct series *series; /* what the model is run over; at least one candle */
    int64_t shown_from_ms;       /* earlier candles only feed the book */
    int64_t shown_to_ms;         /* inclusive; later candles are of no use */
    int64_t interval_ms;         /* of the candles */
    int64_t bucket_e8;
    const struct leverage_weights *weights;
};

/* Appends the JSON answer. STATUS_TOO_LARGE: over GRID_CELLS_MAX; the message names a bucket that
 * fits. STATUS_NO_DATA: no candle is shown. */
enum status grid_append_json(const struct grid_options *options, struct buffer *out,
                             struct error *error);

#endif
