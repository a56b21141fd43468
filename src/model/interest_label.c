/* The deviation, not the mean, is compared: an exchange may value with its index or mark price,
 * which is apart from the trades' by a little that hardly changes, while the price of five minutes
 * earlier or later is apart by what the market has moved, which changes all the time. On real rows
 * the right offset is some 1 bps off, and the others some 15. */
#include "model/interest_label.h"

#include "config/value.h"

#include <math.h>

#define RATIO_MIN 2.0      /* how much worse the next best must be */
#define ERROR_MAX_BPS 50.0 /* above it, these are not the candles that the rows were valued by */

enum { OFFSET_COUNT = 3 };
static const int64_t offsets_ms[OFFSET_COUNT] = {-CANDLE_MS, 0, CANDLE_MS};

struct deviation {
    double sum, sum_of_squares;
};

static double bps_of(const struct deviation *deviation, size_t count)
{
    double mean = deviation->sum / (double)count;
    double variance = deviation->sum_of_squares / (double)count - mean * mean;
    return variance > 0 ? sqrt(variance) * 1e4 : 0;
}

/* Only rows that have a candle at each offset count, so that all are compared over the same. */
static size_t add_rows(const struct interest_label_row *rows, size_t count,
                       double (*open_at)(int64_t time_ms, void *context), void *context,
                       struct deviation deviations[OFFSET_COUNT])
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        double difference[OFFSET_COUNT];
        bool is_usable = rows[i].price > 0 && isfinite(rows[i].price);
        for (int k = 0; k < OFFSET_COUNT && is_usable; k++) {
            double open = open_at(rows[i].label_ms + offsets_ms[k], context);
            is_usable = open > 0;
            difference[k] = is_usable ? log(rows[i].price / open) : 0;
        }
        for (int k = 0; k < OFFSET_COUNT && is_usable; k++) {
            deviations[k].sum += difference[k];
            deviations[k].sum_of_squares += difference[k] * difference[k];
        }
        used += is_usable;
    }
    return used;
}

bool interest_label_detect(const struct interest_label_row *rows, size_t count,
                           double (*open_at)(int64_t time_ms, void *context), void *context,
                           struct interest_label *label)
{
    struct deviation deviations[OFFSET_COUNT] = {{0, 0}};
    size_t used = add_rows(rows, count, open_at, context, deviations);
    *label = (struct interest_label){.error_bps = INFINITY, .next_error_bps = INFINITY};
    if (used < INTEREST_LABEL_ROWS_MIN)
        return false;
    label->row_count = used;
    for (int k = 0; k < OFFSET_COUNT; k++) {
        double bps = bps_of(&deviations[k], used);
        if (bps < label->error_bps) {
            label->next_error_bps = label->error_bps;
            label->error_bps = bps;
            label->offset_ms = offsets_ms[k];
        } else if (bps < label->next_error_bps) {
            label->next_error_bps = bps;
        }
    }
    return label->error_bps <= ERROR_MAX_BPS && label->next_error_bps > 0 &&
           label->error_bps * RATIO_MIN <= label->next_error_bps;
}
