/* What a map assumes of a market is made true here, but for what a map cannot know: on which side
 * each opens (most with the candle, some against it), and at which of the leverages that exchanges
 * offer, in which mixture. When a candle has ended, what open interest has risen by in it becomes
 * some positions at its close, and a fall closes the same share of everybody's; meanwhile what
 * price reaches is liquidated, at the price that it was to be. */
#include "sources/simulate/crowd.h"

#include "base/check.h"
#include "base/hash.h"
#include "model/liquidation.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POSITIONS_OF_CANDLE 4
#define WITH_THE_MOVE 0.90   /* of positions; the others are against it */
#define CONTRACTS_LEAST 1e-6 /* of open interest; what is less is no position */

static const struct {
    int leverage;
    double share;
} mixture[] = {{5, 0.10}, {10, 0.22}, {20, 0.08}, {25, 0.22}, {50, 0.20}, {75, 0.06}, {100, 0.12}};

static void forget_touches(struct crowd *crowd)
{
    crowd->touch_below = INT64_MIN;
    crowd->touch_above = INT64_MAX;
}

void crowd_init(struct crowd *crowd, const struct market *market)
{
    *crowd = (struct crowd){.share = 1, .interest = market->interest};
    crowd->random.state =
        ~hash_bytes(HASH_START, market->symbol, strlen(market->symbol)) ^ market->random.state;
    forget_touches(crowd);
}

void crowd_deinit(struct crowd *crowd)
{
    free(crowd->positions);
    *crowd = (struct crowd){0};
}

/* -- opening ----------------------------------------------------------------------------------- */

static int draw_leverage(struct random *random)
{
    double left = random_unit(random);
    for (size_t i = 0; i < sizeof mixture / sizeof mixture[0]; i++) {
        left -= mixture[i].share;
        if (left < 0)
            return mixture[i].leverage;
    }
    return mixture[0].leverage;
}

static void note_touch(struct crowd *crowd, const struct crowd_position *position)
{
    if (position->is_long && position->touch_e8 > crowd->touch_below)
        crowd->touch_below = position->touch_e8;
    if (!position->is_long && position->touch_e8 < crowd->touch_above)
        crowd->touch_above = position->touch_e8;
}

static void make_room(struct crowd *crowd)
{
    if (crowd->count == CROWD_POSITIONS_MAX) {
        const size_t closed = CROWD_POSITIONS_MAX / 8;
        crowd->count -= closed;
        memmove(crowd->positions, crowd->positions + closed,
                crowd->count * sizeof *crowd->positions);
    }
    if (crowd->count < crowd->capacity)
        return;
    crowd->capacity = crowd->capacity > 0 ? 2 * crowd->capacity : 64;
    crowd->positions = memory_resize(crowd->positions, crowd->capacity, sizeof *crowd->positions);
}

static void open_position(struct crowd *crowd, double contracts)
{
    const bool is_with = random_unit(&crowd->random) < WITH_THE_MOVE;
    const bool is_long = crowd->has_risen == is_with;
    const int leverage = draw_leverage(&crowd->random);
    make_room(crowd);
    struct crowd_position *position = &crowd->positions[crowd->count++];
    *position = (struct crowd_position){
        .contracts = contracts / crowd->share,
        .touch_e8 =
            liquidation_price(is_long ? POSITION_LONG : POSITION_SHORT, crowd->close_e8, leverage)
                .touch_e8,
        .is_long = is_long,
    };
    note_touch(crowd, position);
}

/* What the candle that has ended has changed. */
static void end_candle(struct crowd *crowd)
{
    if (crowd->arrived > 0)
        for (int i = 0; i < POSITIONS_OF_CANDLE; i++)
            open_position(crowd, crowd->arrived / POSITIONS_OF_CANDLE);
    else
        crowd->share *= fmax(0, 1 + crowd->arrived / crowd->interest);
    crowd->arrived = 0;
}

/* -- liquidation ------------------------------------------------------------------------------- */

static bool is_reached(const struct crowd_position *position, int64_t price_e8)
{
    return position->is_long ? price_e8 <= position->touch_e8 : price_e8 >= position->touch_e8;
}

static struct liquidation_row row_of(struct crowd *crowd, const struct market *market,
                                     const struct crowd_position *position, int64_t time_ms)
{
    struct liquidation_row row = {
        .exchange = CROWD_EXCHANGE,
        .time_ms = time_ms,
        .is_long = position->is_long,
        .price_e8 = position->touch_e8,
        .quantity_e8 = llround(position->contracts * crowd->share * 1e8),
    };
    row.value_e8 = llround((double)row.quantity_e8 * ((double)row.price_e8 / 1e8));
    strcpy(row.symbol, market->symbol);
    snprintf(row.id, sizeof row.id, "%" PRIu64, ++crowd->liquidated);
    return row;
}

/* Takes out what the price has reached, and what is hardly anything any more. */
static enum status liquidate(struct crowd *crowd, struct market *market, int64_t time_ms,
                             enum status (*on_liquidated)(const struct liquidation_row *row,
                                                          void *context, struct error *error),
                             void *context, struct error *error)
{
    const int64_t price_e8 = market->candle.candle.close_e8;
    enum status status = STATUS_OK;
    size_t kept = 0;
    if (price_e8 > crowd->touch_below && price_e8 < crowd->touch_above)
        return STATUS_OK;
    forget_touches(crowd);
    for (size_t i = 0; i < crowd->count; i++) {
        const struct crowd_position *position = &crowd->positions[i];
        const double contracts = position->contracts * crowd->share;
        if (contracts < CONTRACTS_LEAST * market->interest)
            continue;
        if (!is_reached(position, price_e8)) {
            note_touch(crowd, position);
            crowd->positions[kept++] = *position;
            continue;
        }
        market->interest -= contracts;
        crowd->interest -= contracts;
        const struct liquidation_row row = row_of(crowd, market, position, time_ms);
        if (status == STATUS_OK)
            status = on_liquidated(&row, context, error);
    }
    crowd->count = kept;
    return status;
}

enum status crowd_step(struct crowd *crowd, struct market *market, int64_t time_ms,
                       enum status (*on_liquidated)(const struct liquidation_row *row,
                                                    void *context, struct error *error),
                       void *context, struct error *error)
{
    const struct candle *candle = &market->candle.candle;
    if (candle->open_time_ms != crowd->candle_ms && crowd->close_e8 > 0)
        end_candle(crowd);
    enum status status = liquidate(crowd, market, time_ms, on_liquidated, context, error);
    crowd->arrived += market->interest - crowd->interest;
    crowd->interest = market->interest;
    crowd->candle_ms = candle->open_time_ms;
    crowd->close_e8 = candle->close_e8;
    crowd->has_risen = candle->close_e8 >= candle->open_e8;
    return status;
}
