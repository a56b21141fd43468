/* How good a map was: what a model expected before each candle, against what then happened in it,
 * beside maps that know less (docs/model.md, "The score").
 *
 *     series, prints -> reach (which buckets each candle came to, and what happened there)
 *     series -> altered (what each map is told) -> model -> densities in those buckets
 *     both -> roc, ranks (how well one orders the other) -> blocks (how sure that is)
 *
 * The map of a candle is that of the candles before it and of nothing later. Pure: no I/O, no
 * clock; the same request gives the same score, to the last bit. Any thread. */
#ifndef HEATCAST_SCORE_SCORE_H
#define HEATCAST_SCORE_SCORE_H

#include "base/stop_token.h"
#include "model/model.h"
#include "model/series.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCORE_DAYS_MIN 5        /* days with candles, below which an estimate has no interval */
#define SCORE_DAYS_MAX 400      /* that one score may span */
#define SCORE_PAIRS_MAX 1000000 /* (candle, bucket) pairs */
#define SCORE_DRAWS 500         /* of days, by which intervals are found */
#define SCORE_SHIFT_CANDLES 12  /* by which the shifted map is late: an hour */
#define SCORE_RECENT_CANDLES 72 /* half-life of the recent map: six hours */
#define SCORE_BUCKET_PARTS 10   /* a bucket of the map is so many of the score's by default */

/* The map that is scored, and those that it is compared with. */
enum score_map {
    SCORE_MODEL,
    SCORE_CONSTANT,   /* the same sum is opened in every candle: where price has been, no more */
    SCORE_RECENT,     /* the same, and half of it is gone after six hours */
    SCORE_VOLUME,     /* each candle's traded volume is opened */
    SCORE_SHUFFLED,   /* what open interest did, in another order of time */
    SCORE_WRONG_SIDE, /* longs where the model has shorts, and shorts where it has longs */
    SCORE_SHIFTED,    /* what open interest did, an hour late */
    SCORE_MAP_COUNT,
};

/* "constant", ...; constant. */
const char *score_map_name(enum score_map map);

/* What was liquidated. */
struct score_print {
    int64_t time_ms, price_e8;
    double value; /* quote currency */
    bool is_long; /* whose position it was */
};

struct score_request {
    const struct series *series; /* candles of five minutes */
    size_t first;                /* of its candles that is scored; those before lead the maps */
    const struct model *model;
    const struct model_settings *settings;
    int64_t bucket_e8;                /* the score's own, above 0 */
    const struct score_print *prints; /* by time; of all candles that are scored */
    size_t print_count;
    bool has_prints; /* false: the falls of open interest stand in for them */
    struct stop_token stop;
};

/* A number and the interval that it is in with 95 % probability, by resampling whole days. NaN: it
 * cannot be told. */
struct score_estimate {
    double value, low, high;
};

struct score_of_map {
    /* The probability that a liquidated dollar lies in a bucket of greater density than one of the
     * buckets that price reached without a liquidation; 0.5 is chance. Only of prints. */
    struct score_estimate location;
    /* Rank correlation, candle by candle, of what lay in the buckets that price reached and of what
     * was lost; 0 is chance. */
    struct score_estimate rank;
    /* By how much the model's is more than this map's; of the model itself NaN. */
    struct score_estimate location_lead, rank_lead;
    /* The model's rank correlation that is left when this map is known (partial correlation). */
    struct score_estimate partial;
};

struct score_tier {
    int leverage;
    double predicted;
    struct score_estimate factor;
};

struct score {
    bool has_prints; /* of the request */
    size_t candle_count, pair_count, day_count;
    size_t liquidated_days; /* those of them in which anything was */
    double liquidated;      /* in the candles that are scored, quote currency */
    double in_reach;  /* of prints: what of it lies in a bucket and on a side that price reached */
    double predicted; /* that lay in the buckets that price reached */
    struct score_estimate factor; /* liquidated / predicted */
    /* What a candle liquidated is divided among tiers as the map has it. Only of models of moments;
     * else none. */
    size_t tier_count;
    struct score_tier tiers[TIERS_MAX];
    struct score_of_map maps[SCORE_MAP_COUNT];
};

enum score_measure { SCORE_LOCATION, SCORE_RANK };

/* By how much the model leads every other map beyond doubt: the least of the lower ends of its
 * leads' intervals. NaN: that cannot be told. */
double score_least_lead(const struct score *score, enum score_measure measure);

/* STATUS_NO_DATA: no candle can be scored. STATUS_TOO_LARGE: over SCORE_DAYS_MAX or
 * SCORE_PAIRS_MAX; the message says what fits. STATUS_NO_MEMORY; others as stop_token_check(). */
enum status score_compute(const struct score_request *request, struct score *score,
                          struct error *error);

#endif
