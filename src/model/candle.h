/* One candle: what the price of a symbol did in five minutes, or in a longer interval that was
 * joined from several. A plain value. */
#ifndef HEATCAST_MODEL_CANDLE_H
#define HEATCAST_MODEL_CANDLE_H

#include <stdint.h>

struct candle {
    int64_t open_time_ms; /* UTC */
    int64_t open_e8, high_e8, low_e8, close_e8;
    double volume; /* base asset */
};

#endif
