/* Each map of a score is a book that is led through the candles of the market, so that price takes
 * its levels as it takes the model's; only what is opened is another thing.
 *
 *     constant, recent, volume   `survival`, told of contracts that do what the map says
 *     shuffled                   the model, told of the same steps of open interest in another
 * order wrong side                 the model, told of candles that have opened on the other side of
 *                                their close, by which it tells longs from shorts
 *     shifted                    the model, told of each step an hour late
 *
 * `survival` opens what contracts rise by; what replaces positions without a rise is its turnover.
 * So a sum that is opened in every candle is a steady rise, and one of which half is gone after six
 * hours is a turnover of the share that this takes. */
#include "score/altered.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>

#define SUM_OPENED 1000.0     /* by the constant map in each candle, quote currency */
#define SUM_OPEN 1e9          /* in the recent map, quote currency */
#define VOLUME_SHARE 0.001    /* of what is traded that the volume map opens */
#define SHUFFLE_SEED 20251201 /* any number: the order is to be the same each time */

const struct model *altered_model(enum score_map map, const struct model *scored)
{
    const bool is_of_price = map == SCORE_CONSTANT || map == SCORE_RECENT || map == SCORE_VOLUME;
    return is_of_price ? model_of(MODEL_SURVIVAL) : scored;
}

struct model_settings altered_settings(enum score_map map, const struct model_settings *scored)
{
    struct model_settings settings = *scored;
    if (map == SCORE_CONSTANT || map == SCORE_VOLUME)
        settings.turnover = 0;
    if (map == SCORE_RECENT)
        settings.turnover = 1;
    return settings;
}

static void push(struct series *to, const struct candle *candle, double delta, double contracts)
{
    series_push(to, candle, delta);
    if (!to->has_failed)
        to->contracts[to->count - 1] = contracts;
}

static double close_of(const struct candle *candle)
{
    return (double)candle->close_e8 / 1e8;
}

static void fill_rising(enum score_map map, const struct series *from, struct series *to)
{
    double contracts = 1;
    for (size_t i = 0; i < from->count; i++) {
        const struct candle *candle = &from->candles[i];
        const double rise =
            map == SCORE_CONSTANT ? SUM_OPENED / close_of(candle) : VOLUME_SHARE * candle->volume;
        contracts += rise > 0 ? rise : 0;
        push(to, candle, 0, contracts);
    }
}

static void fill_recent(const struct series *from, struct series *to)
{
    const double gone = 1 - exp2(-1.0 / SCORE_RECENT_CANDLES);
    const double contracts = from->count > 0 ? SUM_OPEN / close_of(&from->candles[0]) : 0;
    for (size_t i = 0; i < from->count; i++) {
        struct candle candle = from->candles[i];
        candle.volume = gone * contracts;
        push(to, &candle, 0, contracts);
    }
}

static void fill_mirrored(const struct series *from, struct series *to)
{
    for (size_t i = 0; i < from->count; i++) {
        struct candle candle = from->candles[i];
        candle.open_e8 = candle.close_e8 + (candle.close_e8 - candle.open_e8);
        if (candle.open_e8 == candle.close_e8)
            candle.open_e8++; /* one that has not moved opens longs */
        push(to, &candle, from->deltas[i], from->contracts[i]);
    }
}

static void fill_shifted(const struct series *from, struct series *to)
{
    for (size_t i = 0; i < from->count; i++) {
        const bool is_known = i >= SCORE_SHIFT_CANDLES;
        const size_t at = is_known ? i - SCORE_SHIFT_CANDLES : 0;
        push(to, &from->candles[i], is_known ? from->deltas[at] : 0,
             is_known ? from->contracts[at] : 0);
    }
}

/* A step of open interest: from the candle before of which it is known to this one. */
struct step {
    double ratio; /* of contracts */
    double delta;
};

static size_t find_steps(const struct series *from, struct step *steps)
{
    size_t count = 0;
    double before = 0;
    for (size_t i = 0; i < from->count; i++) {
        if (!(from->contracts[i] > 0))
            continue;
        if (before > 0)
            steps[count++] = (struct step){from->contracts[i] / before, from->deltas[i]};
        before = from->contracts[i];
    }
    return count;
}

static void shuffle(struct step *steps, size_t count)
{
    struct random random = {.state = SHUFFLE_SEED};
    for (size_t i = count; i > 1; i--) {
        const size_t other = (size_t)random_between(&random, 0, i - 1);
        const struct step moved = steps[other];
        steps[other] = steps[i - 1];
        steps[i - 1] = moved;
    }
}

static void fill_shuffled(const struct series *from, struct series *to)
{
    struct step *steps = memory_try_allocate_zeroed(from->count + 1, sizeof *steps);
    if (steps == NULL) {
        to->has_failed = true;
        return;
    }
    shuffle(steps, find_steps(from, steps));
    double contracts = 0;
    size_t next = 0;
    for (size_t i = 0; i < from->count; i++) {
        const bool is_known = from->contracts[i] > 0;
        double delta = 0;
        if (is_known && contracts > 0) {
            contracts *= steps[next].ratio;
            delta = steps[next++].delta;
        } else if (is_known) {
            contracts = from->contracts[i];
        }
        push(to, &from->candles[i], delta, is_known ? contracts : 0);
    }
    free(steps);
}

void altered_fill(enum score_map map, const struct series *from, struct series *to)
{
    series_clear(to);
    switch (map) {
    case SCORE_CONSTANT:
    case SCORE_VOLUME:
        fill_rising(map, from, to);
        return;
    case SCORE_RECENT:
        fill_recent(from, to);
        return;
    case SCORE_SHUFFLED:
        fill_shuffled(from, to);
        return;
    case SCORE_WRONG_SIDE:
        fill_mirrored(from, to);
        return;
    case SCORE_SHIFTED:
        fill_shifted(from, to);
        return;
    case SCORE_MODEL:
    case SCORE_MAP_COUNT:
        break;
    }
    for (size_t i = 0; i < from->count; i++)
        push(to, &from->candles[i], from->deltas[i], from->contracts[i]);
}
