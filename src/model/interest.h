/* Open interest of a symbol at one moment. A plain value. */
#ifndef HEATCAST_MODEL_INTEREST_H
#define HEATCAST_MODEL_INTEREST_H

#include <stdint.h>

struct interest {
    int64_t time_ms;      /* UTC, when it was so */
    int64_t value_e8;     /* quote currency; 0 or below: unknown */
    int64_t contracts_e8; /* base asset; 0 or below: unknown */
};

#endif
