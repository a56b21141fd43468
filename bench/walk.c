#include "walk.h"

#include "base/decimal.h"
#include "config/value.h"

#include <math.h>
#include <stdbool.h>

enum { CANDLES_PER_DAY = 288 };

#define START_MS INT64_C(1735689600000) /* 2025-01-01T00:00:00Z */
#define START_PRICE 90000.0
#define STEP_RATIO 0.0015 /* about what bitcoin moves in five minutes */
#define STOCK 5e9
#define REVERSION 0.0005 /* back to the start, so that a year's walk does not leave the map */

const char *const walk_names[WALK_COUNT] = {"flat", "rising", "collapsing", "frozen"};

/* xorshift64*: the same numbers everywhere, which rand() does not promise. */
static double next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (double)((*state * UINT64_C(2685821657736338717)) >> 11) / 9007199254740992.0;
}

static int64_t to_e8(double price)
{
    return llround(price * 100) * (DECIMAL_ONE / 100);
}

/* `held` is what the deltas so far have added up to. */
static double next_delta(enum walk_interest interest, size_t index, double random, double held)
{
    const double step = 20e6;
    bool is_day_end = index % CANDLES_PER_DAY == CANDLES_PER_DAY / 2;
    switch (interest) {
    case WALK_FLAT: /* as much as opens is closed, out of a stock that stands from the start */
        return index == 1 ? STOCK : (random - 0.5) * step;
    case WALK_RISING:
        return random * step;
    case WALK_COLLAPSING:
        return is_day_end ? -0.1 * held : random * step;
    default:
        return is_day_end ? -0.9 * held : random * step;
    }
}

void walk_make(struct series *series, enum walk_interest interest, size_t count)
{
    uint64_t state = UINT64_C(88172645463325252);
    double price = START_PRICE, held = 0;
    for (size_t i = 0; i < count; i++) {
        double open = price;
        double move = (next_random(&state) - 0.5) * 2 * STEP_RATIO;
        if (interest != WALK_FROZEN)
            price *= 1 + move + (START_PRICE / price - 1) * REVERSION;
        double high = fmax(open, price), low = fmin(open, price);
        if (interest != WALK_FROZEN) {
            high *= 1 + next_random(&state) * STEP_RATIO / 2;
            low *= 1 - next_random(&state) * STEP_RATIO / 2;
        }
        const struct candle candle = {
            .open_time_ms = START_MS + (int64_t)i * CANDLE_MS,
            .open_e8 = to_e8(open),
            .high_e8 = to_e8(high),
            .low_e8 = to_e8(low),
            .close_e8 = to_e8(price),
            .volume = 100,
        };
        double delta = i == 0 ? 0 : next_delta(interest, i, next_random(&state), held);
        held = fmax(held + delta, 0);
        series_push(series, &candle, delta);
        series->contracts[i] = (STOCK + held) / START_PRICE;
    }
}
