/* What docs/model.md says of the model `survival`, done as it says it: for one moment, each candle
 * of the lookback and each tier by themselves, from all candles after it. Shares no code with the
 * model. Slow. */
#ifndef HEATCAST_TESTS_SURVIVAL_ORACLE_H
#define HEATCAST_TESTS_SURVIVAL_ORACLE_H

#include "config/value.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct oracle_candle {
    int64_t time_ms;
    int64_t open_e8, high_e8, low_e8, close_e8;
    double volume;    /* base asset */
    double contracts; /* open when it ends; 0: not known */
};

struct oracle_level {
    int64_t price_e8;
    long double longs, shorts;
};

struct oracle_map {
    struct oracle_level levels[4096]; /* ascending */
    int count;
};

/* What was open when the candle before this one ended, or the last one that is known of. */
static inline long double oracle_before(const struct oracle_candle *candles, int j)
{
    for (int i = j - 1; i >= 0; i--)
        if (candles[i].contracts > 0)
            return candles[j].time_ms - candles[i].time_ms <= 3 * DAY_MS ? candles[i].contracts : 0;
    return 0;
}

static inline long double oracle_replaced(const struct oracle_candle *candles, int j,
                                          long double before, double turnover)
{
    long double replaced = (long double)turnover * candles[j].volume;
    return replaced < before / 2 ? replaced : before / 2;
}

static inline long double oracle_opened(const struct oracle_candle *candles, int j, double turnover)
{
    long double before = oracle_before(candles, j), now = candles[j].contracts;
    if (before == 0 || now == 0)
        return 0;
    long double rise = now > before ? now - before : 0;
    return (rise + oracle_replaced(candles, j, before, turnover)) * candles[j].close_e8 / 1e8L;
}

static inline long double oracle_kept(const struct oracle_candle *candles, int i, double turnover)
{
    long double before = oracle_before(candles, i), now = candles[i].contracts;
    if (before == 0 || now == 0)
        return 1;
    long double fall = now < before ? before - now : 0;
    return (1 - fall / before) * (1 - oracle_replaced(candles, i, before, turnover) / before);
}

static inline struct oracle_level *oracle_level_at(struct oracle_map *map, int64_t price_e8)
{
    int at = map->count;
    for (; at > 0 && map->levels[at - 1].price_e8 >= price_e8; at--)
        if (map->levels[at - 1].price_e8 == price_e8)
            return &map->levels[at - 1];
    for (int i = map->count++; i > at; i--)
        map->levels[i] = map->levels[i - 1];
    map->levels[at] = (struct oracle_level){.price_e8 = price_e8};
    return &map->levels[at];
}

/* Whether a candle after j, up to t, has reached the price numerator / denominator of its entry. */
static inline bool oracle_is_reached(const struct oracle_candle *candles, int j, int t,
                                     bool is_long, int leverage)
{
    __int128 price =
        (__int128)candles[j].close_e8 * (is_long ? 1000 * leverage - 996 : 1000 * leverage + 996);
    for (int i = j + 1; i <= t; i++) {
        __int128 low = (__int128)candles[i].low_e8 * 1000 * leverage;
        __int128 high = (__int128)candles[i].high_e8 * 1000 * leverage;
        if (is_long ? low <= price : high >= price)
            return true;
    }
    return false;
}

/* The map after candle t. */
static inline void oracle_make(struct oracle_map *map, const struct oracle_candle *candles, int t,
                               int64_t lookback_ms, const struct leverage_weights *weights,
                               double turnover, int64_t bucket_e8)
{
    long double kept = 1;
    map->count = 0;
    for (int j = t; j >= 0 && candles[t].time_ms - candles[j].time_ms < lookback_ms; j--) {
        bool is_long = candles[j].close_e8 >= candles[j].open_e8;
        for (size_t k = 0; k < weights->count; k++) {
            int leverage = weights->tiers[k].leverage;
            long double volume =
                oracle_opened(candles, j, turnover) * weights->tiers[k].weight * kept;
            if (volume < 0.01L || oracle_is_reached(candles, j, t, is_long, leverage))
                continue;
            int64_t unit = 1000 * leverage;
            int64_t price_e8 =
                (int64_t)((__int128)candles[j].close_e8 *
                          (is_long ? 1000 * leverage - 996 : 1000 * leverage + 996) / unit);
            struct oracle_level *level = oracle_level_at(map, price_e8 / bucket_e8 * bucket_e8);
            *(is_long ? &level->longs : &level->shorts) += volume;
        }
        kept *= oracle_kept(candles, j, turnover);
    }
}

#endif
