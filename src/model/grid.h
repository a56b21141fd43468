/* The map of a whole series as a picture: one byte a cell, for pages. Pure computation.
 *
 *   {"meta":{"symbol","start_time","end_time","interval","step","known_from","bucket","price_min",
 *            "rows","columns","max_density","greatest_density","interest_known",
 *            "interest_changes"},
 *    "times":[epoch seconds of each column],
 *    "closes":[...],
 *    "long":"<base64>","short":"<base64>"}
 *
 * rows x columns bytes each, row 0 the lowest price, columns in time order within a row. A byte b
 * stands for 0 if b = 0, else for max_density * 10^((b - 255) / 51): a logarithmic scale over five
 * decades, the lowest byte standing for everything below as well, and the highest for everything
 * above. `greatest_density` is that of any cell, and `max_density` the same, unless a few cells
 * exceed all others so far that these would have the lowest byte.
 *
 * Columns are the intervals at multiples of `step` (chosen so that there are at most
 * GRID_COLUMNS_MAX) and always the newest one, each as it ends. `interval` and `step` are durations
 * as text ("5m"). `tiers` is there where not all are shown ("high"). `known_from` is there with a
 * model of moments (model.h): columns before it lack positions of which the database does not know;
 * null: all of them do. `interest_known` counts the candles of the series, those that only feed the
 * book included, of whose end open interest is known, and `interest_changes` those with which it
 * changed: without one there is no level. */
#ifndef HEATCAST_MODEL_GRID_H
#define HEATCAST_MODEL_GRID_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/stop_token.h"
#include "model/model.h"
#include "model/series.h"

#define GRID_COLUMNS_MAX 2100
#define GRID_CELLS_MAX ((size_t)4 << 20) /* of one side */
#define GRID_ROWS_MAX 16384              /* as high as a picture may be in all browsers */

struct grid_options {
    const char *symbol;
    const struct model *model;
    const struct model_settings *settings;
    const struct series *series; /* what the model is run over; at least one candle */
    int64_t shown_from_ms;       /* intervals that begin earlier only feed the book */
    int64_t shown_to_ms;         /* inclusive; later ones are of no use */
    int64_t interval_ms;         /* of the columns; candles are as long, or parts of it */
    int64_t known_from_ms;       /* of a model of moments; INT64_MAX: nothing is known */
    int64_t bucket_e8;
    const struct stop_token *stop; /* may be NULL */
};

/* Appends the JSON. STATUS_TOO_LARGE: over GRID_CELLS_MAX or GRID_ROWS_MAX; a bucket fits, which
 * the error names. STATUS_NO_DATA: no candle is shown. STATUS_NO_MEMORY. Others as
 * stop_token_check(). Nothing is appended unless it is STATUS_OK. */
enum status grid_append_json(const struct grid_options *options, struct buffer *out,
                             struct error *error);

#endif
