/* The model `survival` of docs/model.md. With Q(j) the contracts that are open when candle j ends,
 *
 *     opened(j)   = max(0, Q(j) - Q(j-1)) * close(j)
 *     kept(i)     = 1 - max(0, Q(i-1) - Q(i)) / Q(i-1)
 *     volume(j,t) = opened(j) * weight * kept(j+1) * ... * kept(t)
 *
 * for each leverage tier, until price reaches it or it is a lookback old. What one candle has
 * opened is one *lot*: its tiers have the same entry, age and fate but for the price, so they are
 * bits of it. Lots of a side stand in an array in the order of their age:
 *
 *     side -- lots[first, end)    units, entry, time, the tiers that price has not reached
 *          |- buckets             of each tier of each lot, what a snapshot sums by
 *          `- edges[tier]         heaps of lots, nearest to the market first: what a candle pops
 *
 * The oldest leave at the front; a tier that is reached is popped from its heap. All else stays in
 * its place until the array is full, and is then sorted out in one walk.
 *
 * The product of what was kept is not taken lot by lot. The book holds the share that is left of
 * what was open at midnight, and a lot its volume divided by the share at its birth: its *units*.
 * At the next midnight all units are multiplied by the day's share, which begins at 1 again. So
 * what is computed of a lot is decided by the calendar and not by when the book was begun: a book
 * that has followed the market for a year and one that begins a lookback ago hold the same lots, to
 * the last bit, and as each lot is rounded once a day, nothing drifts. Snapshots sum lots in the
 * order of their age for the same reason, and always anew; that takes less than writing the levels
 * down.
 *
 * What is below DUST_VOLUME is nothing, from the day that it is so: volumes never grow. It is
 * passed over where lots are read, and goes with the next walk.
 *
 * Memory may run out, where lots are added, copied and summed up. Then the book has failed, and
 * model.h leaves it alone. */
#include "model/survival.h"

#include "base/check.h"
#include "base/memory.h"
#include "model/liquidation.h"
#include "model/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DUST_VOLUME 0.01
#define CONTRACTS_MAX 1e18
/* Below it the day's share is brought back to 1 before the day ends; one candle leaves at least
 * some 1e-27 of what was open. */
#define SHARE_MIN 1e-100
/* Of open interest that the turnover of one candle may replace. */
#define TURNOVER_SHARE_MAX 0.5
/* Buckets from the lowest to the highest level up to which a snapshot is summed in arrays. */
enum { DENSE_BUCKETS_MAX = 1 << 16 };
/* From the base to the lowest of these: with it all of them fit 32 bits. */
enum { BASE_DISTANCE_MAX = 1 << 30 };
enum { CAPACITY_MIN = 64 };

_Static_assert(TIERS_MAX <= 32, "the tiers of a lot are the bits of one number");

/* What one candle has opened. */
struct lot {
    double units; /* quote currency, divided by the share at its birth; all tiers together */
    int64_t entry_e8;
    int32_t number; /* of the candle, counted in five minutes through all time */
    uint32_t tiers; /* a bit each: not reached yet */
};

/* A heap of lots, as places in their array: the first that price would reach is on top. */
struct edge {
    uint32_t *places;
    uint32_t count, capacity;
    int64_t touch_e8; /* of the top; where there is none, no price reaches it */
};

struct lot_side {
    enum position_side name;
    struct lot *lots;
    int32_t *buckets;              /* tier_count of each lot, counted from book->bucket_base */
    uint32_t first, end, capacity; /* before the first one are those that are too old */
    struct edge edges[TIERS_MAX];
};

struct survival {
    struct book base; /* first: a pointer to it is one to the whole */
    struct model_settings settings;
    uint32_t all_tiers; /* those with a weight */
    struct lot_side sides[POSITION_SIDES];
    int64_t day;          /* of the last candle */
    double share;         /* that is left of what was open when the day began */
    double contracts;     /* the last that were known; 0: none yet */
    int64_t contracts_ms; /* when that was: the candle's time */

    int64_t bucket_e8;   /* that the buckets of lots are of; 0: none yet */
    int64_t bucket_base; /* near the buckets that a snapshot in arrays needs */
    double *sums[POSITION_SIDES];
    size_t sums_capacity;
};

static struct survival *survival_of(struct book *base)
{
    return (struct survival *)(void *)base;
}

static const struct survival *const_survival_of(const struct book *base)
{
    return (const struct survival *)(const void *)base;
}

static size_t tier_count(const struct survival *book)
{
    return book->settings.weights.count;
}

static int64_t begin(int64_t moment_ms, int64_t lookback_ms)
{
    return candle_floor_time(moment_ms - lookback_ms, DAY_MS) - SURVIVAL_REACH_MS;
}

/* -- volumes ----------------------------------------------------------------------------------- */

/* In this order, and in no other: the units at midnight are the same product. */
static double lot_volume(const struct survival *book, const struct lot *lot)
{
    return lot->units * book->share;
}

static double tier_volume(const struct survival *book, double lot_volume, size_t tier)
{
    return lot_volume * book->settings.weights.tiers[tier].weight;
}

static bool is_dust(double volume)
{
    return !(volume >= DUST_VOLUME);
}

/* The tiers of a lot that are worth something. */
static uint32_t live_tiers(const struct survival *book, const struct lot *lot)
{
    const double volume = lot_volume(book, lot);
    uint32_t live = 0;
    for (size_t tier = 0; tier < tier_count(book); tier++)
        if ((lot->tiers >> tier & 1) != 0 && !is_dust(tier_volume(book, volume, tier)))
            live |= (uint32_t)1 << tier;
    return live;
}

/* -- heaps ------------------------------------------------------------------------------------- */

/* Longs are reached from above, so the highest comes first. */
static bool is_before(const struct lot_side *side, uint32_t a, uint32_t b)
{
    const int64_t entry_a = side->lots[a].entry_e8, entry_b = side->lots[b].entry_e8;
    return side->name == POSITION_LONG ? entry_a > entry_b : entry_a < entry_b;
}

static void sift_up(const struct lot_side *side, struct edge *edge, uint32_t at)
{
    const uint32_t moved = edge->places[at];
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (!is_before(side, moved, edge->places[parent]))
            break;
        edge->places[at] = edge->places[parent];
        at = parent;
    }
    edge->places[at] = moved;
}

static void sift_down(const struct lot_side *side, struct edge *edge, uint32_t at)
{
    const uint32_t moved = edge->places[at];
    uint32_t child;
    while ((child = 2 * at + 1) < edge->count) {
        if (child + 1 < edge->count &&
            is_before(side, edge->places[child + 1], edge->places[child]))
            child++;
        if (!is_before(side, edge->places[child], moved))
            break;
        edge->places[at] = edge->places[child];
        at = child;
    }
    edge->places[at] = moved;
}

/* After the top has become another. */
static void note_top(const struct survival *book, const struct lot_side *side, struct edge *edge)
{
    const size_t tier = (size_t)(edge - side->edges);
    edge->touch_e8 = side->name == POSITION_LONG ? INT64_MIN : INT64_MAX;
    if (edge->count > 0)
        edge->touch_e8 = liquidation_price(side->name, side->lots[edge->places[0]].entry_e8,
                                           book->settings.weights.tiers[tier].leverage)
                             .touch_e8;
}

/* False if there is no memory for `count` places. */
static bool reserve_edge(struct edge *edge, uint32_t count)
{
    if (count <= edge->capacity)
        return true;
    uint32_t capacity = count + count / 4 + CAPACITY_MIN / 4;
    uint32_t *places = memory_try_resize(edge->places, capacity, sizeof *places);
    if (places == NULL)
        return false;
    edge->places = places;
    edge->capacity = capacity;
    return true;
}

static bool push(const struct survival *book, const struct lot_side *side, struct edge *edge,
                 uint32_t place)
{
    if (!reserve_edge(edge, edge->count + 1))
        return false;
    edge->places[edge->count++] = place;
    sift_up(side, edge, edge->count - 1);
    if (edge->places[0] == place)
        note_top(book, side, edge);
    return true;
}

static uint32_t pop(const struct survival *book, const struct lot_side *side, struct edge *edge)
{
    const uint32_t top = edge->places[0];
    edge->places[0] = edge->places[--edge->count];
    if (edge->count > 0)
        sift_down(side, edge, 0);
    note_top(book, side, edge);
    return top;
}

/* -- lots -------------------------------------------------------------------------------------- */

static int64_t bucket_of(const struct survival *book, const struct lot_side *side, uint32_t place,
                         size_t tier)
{
    const int leverage = book->settings.weights.tiers[tier].leverage;
    const int64_t entry_e8 = side->lots[place].entry_e8;
    return liquidation_bucket(liquidation_price(side->name, entry_e8, leverage).floor_e8,
                              book->bucket_e8);
}

/* One that is too far from the base is wrong; snapshot() finds that by the bounds. */
static void assign_buckets(const struct survival *book, struct lot_side *side, uint32_t place)
{
    int32_t *buckets = &side->buckets[place * tier_count(book)];
    for (size_t tier = 0; tier < tier_count(book); tier++)
        buckets[tier] = (int32_t)(bucket_of(book, side, place, tier) - book->bucket_base);
}

/* Leaves the lots that are worth something, at the front of the array. */
static void sort_out(const struct survival *book, struct lot_side *side)
{
    const size_t tiers = tier_count(book);
    uint32_t kept = 0;
    for (size_t tier = 0; tier < tiers; tier++)
        side->edges[tier].count = 0;
    for (uint32_t place = side->first; place < side->end; place++) {
        const uint32_t live = live_tiers(book, &side->lots[place]);
        if (live == 0)
            continue;
        side->lots[kept] = side->lots[place];
        side->lots[kept].tiers = live;
        memmove(&side->buckets[kept * tiers], &side->buckets[place * tiers],
                tiers * sizeof *side->buckets);
        for (size_t tier = 0; tier < tiers; tier++)
            if ((live >> tier & 1) != 0) /* there is room: it was in that heap before */
                side->edges[tier].places[side->edges[tier].count++] = kept;
        kept++;
    }
    side->first = 0;
    side->end = kept;
    for (size_t tier = 0; tier < tiers; tier++) {
        struct edge *edge = &side->edges[tier];
        for (uint32_t at = edge->count / 2; at > 0; at--)
            sift_down(side, edge, at - 1);
        note_top(book, side, edge);
    }
}

/* False if there is no memory for so many lots. */
static bool resize_side(const struct survival *book, struct lot_side *side, uint32_t capacity)
{
    struct lot *lots = memory_try_resize(side->lots, capacity, sizeof *lots);
    if (lots == NULL)
        return false;
    side->lots = lots;
    int32_t *buckets =
        memory_try_resize(side->buckets, capacity * tier_count(book), sizeof *buckets);
    if (buckets == NULL)
        return false;
    side->buckets = buckets;
    side->capacity = capacity;
    return true;
}

/* Room for one more lot. Unless a quarter becomes free by sorting out, the array grows by one: so
 * each lot is looked at a few times in all. */
static bool make_room(const struct survival *book, struct lot_side *side)
{
    if (side->end < side->capacity)
        return true;
    sort_out(book, side);
    if (side->capacity > 0 && side->end <= side->capacity - side->capacity / 4)
        return true;
    check(side->capacity < UINT32_MAX / 2);
    return resize_side(book, side, side->capacity + side->capacity / 4 + CAPACITY_MIN);
}

/* -- one candle -------------------------------------------------------------------------------- */

/* Makes the day's share a part of the units. */
static void settle_share(struct survival *book)
{
    for (size_t s = 0; s < POSITION_SIDES && book->share != 1; s++) {
        struct lot_side *side = &book->sides[s];
        for (uint32_t place = side->first; place < side->end; place++)
            side->lots[place].units = lot_volume(book, &side->lots[place]);
    }
    book->share = 1;
}

static void begin_day(struct survival *book, int64_t time_ms)
{
    const int64_t day = candle_floor_time(time_ms, DAY_MS);
    if (day == book->day)
        return;
    settle_share(book);
    book->day = day;
}

static int32_t candle_number(int64_t time_ms)
{
    return (int32_t)(candle_floor_time(time_ms, CANDLE_MS) / CANDLE_MS);
}

/* Lots that are too old leave. Their places in heaps are before `first` from now on. */
static void expire(struct survival *book, int64_t time_ms)
{
    const int64_t now = candle_number(time_ms);
    for (size_t s = 0; s < POSITION_SIDES; s++) {
        struct lot_side *side = &book->sides[s];
        while (side->first < side->end &&
               (now - side->lots[side->first].number) * CANDLE_MS >= book->settings.lookback_ms)
            side->first++;
    }
}

static bool is_reached(const struct lot_side *side, const struct edge *edge,
                       const struct candle *candle)
{
    return side->name == POSITION_LONG ? candle->low_e8 <= edge->touch_e8
                                       : candle->high_e8 >= edge->touch_e8;
}

static uint32_t consume(const struct survival *book, struct lot_side *side,
                        const struct candle *candle)
{
    uint32_t consumed = 0;
    for (size_t tier = 0; tier < tier_count(book); tier++) {
        struct edge *edge = &side->edges[tier];
        while (edge->count > 0 && is_reached(side, edge, candle)) {
            const uint32_t place = pop(book, side, edge);
            struct lot *lot = &side->lots[place];
            if (place < side->first)
                continue;
            consumed += !is_dust(tier_volume(book, lot_volume(book, lot), tier));
            lot->tiers &= ~((uint32_t)1 << tier);
        }
    }
    return consumed;
}

/* What one candle opens, and the share that it leaves of all that was open before. */
struct flow {
    double opened, kept;
};

/* Notes the candle's contracts, which the next will be compared with. */
static struct flow find_flow(struct survival *book, const struct candle *candle, double contracts)
{
    const double before = book->contracts;
    const bool is_known = contracts > 0 && contracts <= CONTRACTS_MAX;
    const bool was_known =
        before > 0 && candle->open_time_ms - book->contracts_ms <= SURVIVAL_REACH_MS;
    if (is_known) {
        book->contracts = contracts;
        book->contracts_ms = candle->open_time_ms;
    }
    if (!is_known || !was_known)
        return (struct flow){0, 1};
    double replaced = book->settings.turnover * candle->volume;
    if (!(replaced > 0))
        replaced = 0;
    replaced = fmin(replaced, TURNOVER_SHARE_MAX * before);
    return (struct flow){
        .opened = fmax(0, contracts - before) + replaced,
        .kept = fmin(1, contracts / before) * (1 - replaced / before),
    };
}

/* Returns how many tiers are worth something. */
static uint32_t open_lot(struct survival *book, const struct candle *candle, double volume)
{
    const enum position_side name =
        candle->close_e8 >= candle->open_e8 ? POSITION_LONG : POSITION_SHORT;
    struct lot_side *side = &book->sides[name];
    struct lot lot = {
        .units = volume / book->share,
        .entry_e8 = candle->close_e8,
        .number = candle_number(candle->open_time_ms),
        .tiers = book->all_tiers,
    };
    lot.tiers = live_tiers(book, &lot);
    if (lot.tiers == 0)
        return 0;
    if (!make_room(book, side)) {
        book->base.has_failed = true;
        return 0;
    }
    const uint32_t place = side->end++;
    uint32_t created = 0;
    side->lots[place] = lot;
    if (book->bucket_e8 != 0)
        assign_buckets(book, side, place);
    for (size_t tier = 0; tier < tier_count(book); tier++) {
        if ((lot.tiers >> tier & 1) == 0)
            continue;
        if (!push(book, side, &side->edges[tier], place))
            book->base.has_failed = true;
        created++;
    }
    return created;
}

static struct book_change advance(struct book *base, const struct candle *candle,
                                  struct interest_step interest)
{
    struct survival *book = survival_of(base);
    struct book_change change = {0};
    begin_day(book, candle->open_time_ms);
    expire(book, candle->open_time_ms);
    for (size_t s = 0; s < POSITION_SIDES; s++)
        change.consumed += consume(book, &book->sides[s], candle);
    const struct flow flow = find_flow(book, candle, interest.contracts);
    book->share *= flow.kept;
    if (book->share < SHARE_MIN)
        settle_share(book);
    if (flow.opened > 0 && candle->close_e8 > 0)
        change.created = open_lot(book, candle, flow.opened * ((double)candle->close_e8 / 1e8));
    return change;
}

/* -- snapshot ---------------------------------------------------------------------------------- */

static void assign_all_buckets(struct survival *book)
{
    for (size_t s = 0; s < POSITION_SIDES; s++)
        for (uint32_t place = book->sides[s].first; place < book->sides[s].end; place++)
            assign_buckets(book, &book->sides[s], place);
}

static void prepare(struct book *base, int64_t bucket_e8)
{
    struct survival *book = survival_of(base);
    check(bucket_e8 > 0);
    if (book->bucket_e8 == bucket_e8)
        return;
    book->bucket_e8 = bucket_e8;
    assign_all_buckets(book);
}

/* Buckets from the lowest to the highest that a lot has. */
struct bounds {
    int64_t lowest, highest;
};

/* Prices of a tier follow the entry, so the lowest and the highest lot tell. */
static void widen_bounds(const struct survival *book, const struct lot_side *side,
                         struct bounds *bounds)
{
    uint32_t low = side->first;
    uint32_t high = low;
    for (uint32_t place = side->first; place < side->end; place++) {
        if (side->lots[place].entry_e8 < side->lots[low].entry_e8)
            low = place;
        if (side->lots[place].entry_e8 > side->lots[high].entry_e8)
            high = place;
    }
    for (size_t tier = 0; tier < tier_count(book) && side->first < side->end; tier++) {
        const int64_t lowest = bucket_of(book, side, low, tier);
        const int64_t highest = bucket_of(book, side, high, tier);
        bounds->lowest = lowest < bounds->lowest ? lowest : bounds->lowest;
        bounds->highest = highest > bounds->highest ? highest : bounds->highest;
    }
}

/* False if there is no memory for so many sums a side. */
static bool reserve_sums(struct survival *book, size_t count)
{
    if (count <= book->sums_capacity)
        return true;
    for (size_t s = 0; s < POSITION_SIDES; s++) {
        double *sums = memory_try_resize(book->sums[s], count, sizeof *sums);
        if (sums == NULL)
            return false;
        book->sums[s] = sums;
    }
    book->sums_capacity = count;
    return true;
}

static void sum_side(const struct survival *book, const struct lot_side *side, int64_t lowest,
                     double *sums)
{
    const size_t tiers = tier_count(book);
    const int32_t offset = (int32_t)(lowest - book->bucket_base);
    for (uint32_t place = side->first; place < side->end; place++) {
        const struct lot *lot = &side->lots[place];
        const int32_t *buckets = &side->buckets[place * tiers];
        const double volume = lot_volume(book, lot);
        for (uint32_t left = lot->tiers & book->base.shown_tiers; left != 0; left &= left - 1) {
            const size_t tier = (size_t)__builtin_ctz(left);
            const double of_tier = tier_volume(book, volume, tier);
            if (!is_dust(of_tier))
                sums[buckets[tier] - offset] += of_tier;
        }
    }
}

/* One array of sums a side, over all buckets between the lowest and the highest. */
static void snapshot_dense(struct survival *book, struct bounds bounds, struct level_list *levels)
{
    if (llabs(bounds.lowest - book->bucket_base) > BASE_DISTANCE_MAX) {
        book->bucket_base = bounds.lowest;
        assign_all_buckets(book);
    }
    const size_t range = (size_t)(bounds.highest - bounds.lowest) + 1;
    if (!reserve_sums(book, range)) {
        book->base.has_failed = true;
        return;
    }
    for (size_t s = 0; s < POSITION_SIDES; s++) {
        memset(book->sums[s], 0, range * sizeof *book->sums[s]);
        sum_side(book, &book->sides[s], bounds.lowest, book->sums[s]);
    }
    const double *longs = book->sums[POSITION_LONG], *shorts = book->sums[POSITION_SHORT];
    for (size_t i = 0; i < range; i++)
        if (longs[i] > 0 || shorts[i] > 0)
            level_list_push(levels, (struct level){
                                        .price_e8 = (bounds.lowest + (int64_t)i) * book->bucket_e8,
                                        .long_density = longs[i],
                                        .short_density = shorts[i],
                                    });
}

/* A tier's place in a snapshot: sums are made in this order. */
struct placed_tier {
    int64_t bucket;
    uint32_t side, order;
    double volume;
};

static int compare_places(const void *a, const void *b)
{
    const struct placed_tier *first = a, *second = b;
    if (first->bucket != second->bucket)
        return first->bucket < second->bucket ? -1 : 1;
    if (first->side != second->side)
        return first->side < second->side ? -1 : 1;
    return (first->order > second->order) - (first->order < second->order);
}

static void add_places(const struct survival *book, uint32_t s, struct placed_tier *places,
                       size_t *count)
{
    const struct lot_side *side = &book->sides[s];
    const size_t tiers = tier_count(book);
    for (uint32_t place = side->first; place < side->end; place++) {
        const double volume = lot_volume(book, &side->lots[place]);
        const uint32_t live = live_tiers(book, &side->lots[place]) & book->base.shown_tiers;
        for (uint32_t tier = 0; tier < tiers; tier++) {
            if ((live >> tier & 1) == 0)
                continue;
            places[*count] =
                (struct placed_tier){bucket_of(book, side, place, tier), s, (uint32_t)*count,
                                     tier_volume(book, volume, tier)};
            ++*count;
        }
    }
}

/* For buckets so fine that most between the bounds are empty: sorts and joins. A bucket's volumes
 * are added up in the same order as in the arrays, so which way is taken does not show. */
static void snapshot_sorted(struct survival *book, struct level_list *levels)
{
    size_t count = 0, lots = 0;
    for (size_t s = 0; s < POSITION_SIDES; s++)
        lots += book->sides[s].end - book->sides[s].first;
    struct placed_tier *places = memory_try_resize(NULL, lots * tier_count(book), sizeof *places);
    if (places == NULL) {
        book->base.has_failed = true;
        return;
    }
    for (uint32_t s = 0; s < POSITION_SIDES; s++)
        add_places(book, s, places, &count);
    qsort(places, count, sizeof *places, compare_places);
    for (size_t i = 0; i < count;) {
        const int64_t bucket = places[i].bucket;
        double sums[POSITION_SIDES] = {0};
        for (; i < count && places[i].bucket == bucket; i++)
            sums[places[i].side] += places[i].volume;
        level_list_push(levels, (struct level){
                                    .price_e8 = bucket * book->bucket_e8,
                                    .long_density = sums[POSITION_LONG],
                                    .short_density = sums[POSITION_SHORT],
                                });
    }
    free(places);
}

static void snapshot(struct book *base, int64_t bucket_e8, struct level_list *levels)
{
    struct survival *book = survival_of(base);
    prepare(base, bucket_e8);
    struct bounds bounds = {INT64_MAX, INT64_MIN};
    for (size_t s = 0; s < POSITION_SIDES; s++)
        widen_bounds(book, &book->sides[s], &bounds);
    if (bounds.lowest > bounds.highest)
        return;
    if (bounds.highest - bounds.lowest < DENSE_BUCKETS_MAX)
        snapshot_dense(book, bounds, levels);
    else
        snapshot_sorted(book, levels);
}

/* -- life -------------------------------------------------------------------------------------- */

static void reset(struct book *base)
{
    struct survival *book = survival_of(base);
    for (size_t s = 0; s < POSITION_SIDES; s++) {
        struct lot_side *side = &book->sides[s];
        side->name = (enum position_side)s;
        side->first = side->end = 0;
        for (size_t tier = 0; tier < TIERS_MAX; tier++) {
            side->edges[tier].count = 0;
            note_top(book, side, &side->edges[tier]);
        }
    }
    book->day = INT64_MIN;
    book->share = 1;
    book->contracts = 0;
    book->contracts_ms = 0;
    book->bucket_e8 = book->bucket_base = 0;
}

/* It remembers open interest even where it holds nothing. */
static bool is_empty(const struct book *base)
{
    return const_survival_of(base)->day == INT64_MIN;
}

/* False if there is no memory. */
static bool copy_edge(struct edge *to, const struct edge *from)
{
    if (!reserve_edge(to, from->count))
        return false;
    if (from->count > 0)
        memcpy(to->places, from->places, from->count * sizeof *to->places);
    to->count = from->count;
    to->touch_e8 = from->touch_e8;
    return true;
}

static bool copy_side(const struct survival *book, struct lot_side *to, const struct lot_side *from)
{
    const size_t tiers = tier_count(book), count = from->end;
    if (to->capacity < from->end && !resize_side(book, to, from->capacity))
        return false;
    if (count > 0) {
        memcpy(to->lots, from->lots, count * sizeof *to->lots);
        memcpy(to->buckets, from->buckets, count * tiers * sizeof *to->buckets);
    }
    to->first = from->first;
    to->end = from->end;
    for (size_t tier = 0; tier < tiers; tier++)
        if (!copy_edge(&to->edges[tier], &from->edges[tier]))
            return false;
    return true;
}

static void set_settings(struct survival *book, const struct model_settings *settings)
{
    book->settings = *settings;
    book->all_tiers = 0;
    for (size_t tier = 0; tier < settings->weights.count; tier++)
        if (settings->weights.tiers[tier].weight > 0)
            book->all_tiers |= (uint32_t)1 << tier;
}

static void copy(struct book *to_base, const struct book *from_base)
{
    struct survival *to = survival_of(to_base);
    const struct survival *from = const_survival_of(from_base);
    check(tier_count(to) == tier_count(from));
    set_settings(to, &from->settings);
    to->day = from->day;
    to->share = from->share;
    to->contracts = from->contracts;
    to->contracts_ms = from->contracts_ms;
    to->bucket_e8 = from->bucket_e8;
    to->bucket_base = from->bucket_base;
    for (size_t s = 0; s < POSITION_SIDES; s++)
        if (!copy_side(to, &to->sides[s], &from->sides[s]))
            to->base.has_failed = true;
}

static struct book *create_book(const struct model_settings *settings)
{
    check(settings->weights.count <= TIERS_MAX && settings->lookback_ms > 0);
    check(settings->turnover >= 0 && settings->turnover <= TURNOVER_MAX);
    struct survival *book = memory_try_allocate_zeroed(1, sizeof *book);
    if (book == NULL)
        return NULL;
    set_settings(book, settings);
    reset(&book->base);
    return &book->base;
}

static void destroy(struct book *base)
{
    struct survival *book = survival_of(base);
    for (size_t s = 0; s < POSITION_SIDES; s++) {
        struct lot_side *side = &book->sides[s];
        for (size_t tier = 0; tier < TIERS_MAX; tier++)
            free(side->edges[tier].places);
        free(side->lots);
        free(side->buckets);
        free(book->sums[s]);
    }
    free(book);
}

const struct model survival_model = {
    .name = "survival",
    .begin = begin,
    .create = create_book,
    .destroy = destroy,
    .reset = reset,
    .advance = advance,
    .is_empty = is_empty,
    .copy = copy,
    .prepare = prepare,
    .snapshot = snapshot,
};
