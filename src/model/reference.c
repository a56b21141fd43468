/* The model `reference` of docs/model.md, at O(log n) a candle instead of O(n).
 *
 * A candle that reaches down to its low liquidates every long whose price is at or above it; these
 * are the highest longs of the book, so each leverage tier keeps its longs in a heap, highest
 * first, and a candle pops while the top is touched. Shorts are the mirror image. Within a tier
 * prices follow the entry, so the heaps of high leverage, which see most of the traffic, are small.
 *
 *     book -- longs  -- positions[slot]   volume, price, bucket: what a snapshot sums
 *          |         |- edges[tier]       heaps of (price key, slot): what a candle pops
 *          |         `- dust              heap of (volume key, slot): what a shrink may drop
 *          `- shorts -- the same
 *
 * Prices are exact integers, which liquidation.c rounds once, each towards its side.
 *
 * Shrinking multiplies every volume by the same factor, so the book holds one `scale` and each
 * position its volume divided by the scale of its creation. The order of volumes never changes with
 * the scale, so dust is always at the top of a heap.
 *
 * A position leaves through one heap and stays, stale, in the other: its slot's generation has
 * moved on. Stale entries are passed over, and a heap of which they are half is rebuilt. No work is
 * done before it is needed: a heap is put in order when something is to be popped. The heap of dust
 * holds only what is near to being dust, below a horizon, which most positions never are. When
 * dust reaches the horizon, all positions are searched for those below the next one. That is after
 * shrinking by DUST_HORIZON at least, and no position outlives many of these.
 *
 * A book that became empty is as if just created (clear_book()): what comes of it from there on
 * depends on the candles from there on, to the last bit, and not on what it held before.
 *
 * Memory may run out, where positions are added, copied and summed up. Then the book has
 * failed: its numbers are of no use, its arrays can still be read, and model.h leaves it alone. */
#include "model/reference.h"

#include "base/check.h"
#include "base/memory.h"
#include "model/heap.h"
#include "model/liquidation.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DUST_VOLUME 0.01
/* 0.01 that went through the scale may be off in its last digits, and exactly 0.01 stays. */
#define DUST_TOLERANCE 1e-12
/* The horizon of the dust heap, as a multiple of what was dust when it was filled. */
#define DUST_HORIZON 8
#define DELTA_MAX 1e18
/* Below it the stored volumes are brought back to scale 1, long before anything underflows. */
#define SCALE_MIN 1e-60L
/* The running total is summed up again once it is this small against what it was: before that, what
 * subtracting has left of rounding (2^-64 of the peak) is far below any digit that is shown. */
#define TOTAL_PEAK_RATIO_MIN 1e-9L
/* Buckets from the lowest to the highest position up to which a snapshot is summed in arrays. */
enum { DENSE_BUCKETS_MAX = 1 << 16 };
enum { STALE_ENTRIES_MIN = 64, CAPACITY_MIN = 64 };

struct position {
    double volume;    /* divided by the book's scale; 0 marks a free slot */
    int64_t bucket;   /* floor(price / book->bucket_e8), kept while the bucket size stays */
    int64_t price_e8; /* liquidation price, rounded down */
    uint32_t generation;
    uint32_t tier;
};

struct side {
    struct position *positions;
    uint32_t slot_count, capacity; /* slots used so far; the others have never been */
    uint32_t *free_slots;          /* a stack; capacity as `positions` */
    uint32_t free_count;
    struct heap edges[TIERS_MAX];
    struct heap dust;     /* of the positions with a volume key below the horizon, and no others */
    int64_t dust_horizon; /* 0 at first: nothing is below */
};

struct reference {
    struct book base; /* first: a pointer to it is one to the whole */
    struct leverage_weights weights;
    struct side sides[POSITION_SIDES];
    size_t count;
    long double scale;      /* effective volume = position volume * scale */
    long double total;      /* sum of the positions' volumes, before the scale */
    long double total_peak; /* its greatest value since it was last summed up */

    int64_t bucket_e8; /* of the last snapshot; 0: none yet */
    /* Bounds of the positions' buckets. They widen only, until the book is empty again. */
    int64_t bucket_lowest, bucket_highest;
    double *sums[POSITION_SIDES]; /* of a snapshot being made, one per bucket */
    size_t sums_capacity;
};

/* -- keys -------------------------------------------------------------------------------------- */

/* Longs are touched from above and shorts from below; keys that rise away from the market let one
 * kind of heap serve both. The complement reverses the order of all integers without overflow. */
static int64_t edge_key(enum position_side name, int64_t price_e8)
{
    return name == POSITION_LONG ? ~price_e8 : price_e8;
}

/* Positive doubles order like the integers of the same bits (IEEE 754). */
static int64_t volume_key(double volume)
{
    int64_t key;
    memcpy(&key, &volume, sizeof key);
    return key;
}

/* -- positions --------------------------------------------------------------------------------- */

static void forget_dust(struct side *side)
{
    heap_clear(&side->dust);
    side->dust_horizon = 0;
}

static void clear_side(struct side *side)
{
    side->slot_count = 0;
    side->free_count = 0;
    for (size_t i = 0; i < TIERS_MAX; i++)
        heap_clear(&side->edges[i]);
    forget_dust(side);
}

static void clear_book(struct reference *book)
{
    clear_side(&book->sides[POSITION_LONG]);
    clear_side(&book->sides[POSITION_SHORT]);
    book->count = 0;
    book->scale = 1;
    book->total = book->total_peak = 0;
    book->bucket_lowest = INT64_MAX;
    book->bucket_highest = INT64_MIN;
}

static void sum_total(struct reference *book)
{
    book->total = 0;
    for (size_t s = 0; s < POSITION_SIDES; s++)
        for (uint32_t i = 0; i < book->sides[s].slot_count; i++)
            book->total += book->sides[s].positions[i].volume;
    book->total_peak = book->total;
}

static void assign_bucket(struct reference *book, struct position *position)
{
    position->bucket = liquidation_bucket(position->price_e8, book->bucket_e8);
    if (position->bucket < book->bucket_lowest)
        book->bucket_lowest = position->bucket;
    if (position->bucket > book->bucket_highest)
        book->bucket_highest = position->bucket;
}

/* False if there is no memory for so many positions. */
static bool grow_side(struct side *side, uint32_t capacity)
{
    struct position *positions = memory_try_resize(side->positions, capacity, sizeof *positions);
    if (positions == NULL)
        return false;
    side->positions = positions;
    uint32_t *free_slots = memory_try_resize(side->free_slots, capacity, sizeof *free_slots);
    if (free_slots == NULL)
        return false;
    side->free_slots = free_slots;
    side->capacity = capacity;
    return true;
}

/* False if there is no memory for one more position. */
static bool take_slot(struct side *side, uint32_t *slot)
{
    if (side->free_count > 0) {
        *slot = side->free_slots[--side->free_count];
        return true;
    }
    check(side->capacity <= UINT32_MAX / 2);
    if (side->slot_count == side->capacity &&
        !grow_side(side, side->capacity > 0 ? side->capacity * 2 : CAPACITY_MIN))
        return false;
    side->positions[side->slot_count].generation = 0;
    *slot = side->slot_count++;
    return true;
}

static bool is_near_dust(const struct side *side, const struct position *position)
{
    return volume_key(position->volume) < side->dust_horizon;
}

static void watch_for_dust(struct reference *book, struct side *side, uint32_t slot)
{
    const struct position *position = &side->positions[slot];
    if (is_near_dust(side, position) &&
        !heap_push(&side->dust,
                   (struct heap_entry){volume_key(position->volume), slot, position->generation}))
        book->base.has_failed = true;
}

static void add_position(struct reference *book, enum position_side name, uint32_t tier,
                         int64_t entry_e8, double volume)
{
    struct side *side = &book->sides[name];
    struct liquidation liquidation =
        liquidation_price(name, entry_e8, book->weights.tiers[tier].leverage);
    uint32_t slot;
    if (!take_slot(side, &slot)) {
        book->base.has_failed = true;
        return;
    }
    struct position *position = &side->positions[slot];
    position->volume = (double)(volume / book->scale);
    position->price_e8 = liquidation.floor_e8;
    position->tier = tier;
    if (book->bucket_e8 != 0)
        assign_bucket(book, position);
    if (!heap_push(&side->edges[tier], (struct heap_entry){edge_key(name, liquidation.touch_e8),
                                                           slot, position->generation}))
        book->base.has_failed = true;
    watch_for_dust(book, side, slot);
    book->count++;
    book->total += position->volume;
    if (book->total > book->total_peak)
        book->total_peak = book->total;
}

static bool is_stale(const struct side *side, struct heap_entry entry)
{
    return side->positions[entry.slot].generation != entry.generation;
}

static void note_stale_entry(const struct side *side, struct heap *heap)
{
    heap->stale++;
    if (heap->stale < STALE_ENTRIES_MIN || heap->stale * 2 < heap->count)
        return;
    size_t count = heap->count;
    heap_clear(heap);
    heap->is_ordered = false;
    for (size_t i = 0; i < count; i++)
        if (!is_stale(side, heap->entries[i]))
            heap_push(heap, heap->entries[i]); /* there is room for it */
}

static void remove_position(struct reference *book, struct side *side, uint32_t slot)
{
    struct position *position = &side->positions[slot];
    book->count--;
    book->total -= position->volume;
    position->volume = 0;
    position->generation++;
    side->free_slots[side->free_count++] = slot;
}

/* -- one candle -------------------------------------------------------------------------------- */

static struct reference *reference_of(struct book *base)
{
    return (struct reference *)(void *)base;
}

static uint32_t consume(struct reference *book, enum position_side name, int64_t reached_e8)
{
    struct side *side = &book->sides[name];
    int64_t key = edge_key(name, reached_e8);
    uint32_t consumed = 0;
    for (size_t tier = 0; tier < book->weights.count; tier++) {
        struct heap *heap = &side->edges[tier];
        while (heap->lowest <= key && heap->count > 0) {
            struct heap_entry top = heap_pop(heap);
            if (is_stale(side, top)) {
                heap->stale--;
                continue;
            }
            bool was_near_dust = is_near_dust(side, &side->positions[top.slot]);
            remove_position(book, side, top.slot);
            if (was_near_dust)
                note_stale_entry(side, &side->dust);
            consumed++;
        }
    }
    return consumed;
}

static uint32_t create(struct reference *book, const struct candle *candle, double delta)
{
    enum position_side name = candle->close_e8 >= candle->open_e8 ? POSITION_LONG : POSITION_SHORT;
    uint32_t created = 0;
    for (uint32_t tier = 0; tier < book->weights.count; tier++) {
        double volume = delta * book->weights.tiers[tier].weight;
        if (volume <= 0)
            continue;
        add_position(book, name, tier, candle->close_e8, volume);
        created++;
    }
    return created;
}

static void drop_position(struct reference *book, struct side *side, uint32_t slot)
{
    uint32_t tier = side->positions[slot].tier;
    remove_position(book, side, slot);
    note_stale_entry(side, &side->edges[tier]);
}

/* Searches all positions: drops those below `key`, and refills the heap of dust with those up to a
 * horizon further away. */
static void search_dust(struct reference *book, struct side *side, int64_t key, int64_t horizon)
{
    heap_clear(&side->dust);
    side->dust.is_ordered = false;
    side->dust_horizon = horizon;
    for (uint32_t slot = 0; slot < side->slot_count; slot++) {
        double volume = side->positions[slot].volume;
        if (volume > 0 && volume_key(volume) < key)
            drop_position(book, side, slot);
        else if (volume > 0)
            watch_for_dust(book, side, slot);
    }
}

static void drop_dust(struct reference *book, struct side *side)
{
    double limit = (double)(DUST_VOLUME * (1 - DUST_TOLERANCE) / book->scale);
    int64_t key = volume_key(limit);
    if (side->dust_horizon < key)
        search_dust(book, side, key, volume_key(DUST_HORIZON * limit));
    while (side->dust.lowest < key) {
        struct heap_entry top = heap_pop(&side->dust);
        if (is_stale(side, top))
            side->dust.stale--;
        else
            drop_position(book, side, top.slot);
    }
}

/* Brings the scale back to 1. */
static void renormalise(struct reference *book)
{
    for (size_t s = 0; s < POSITION_SIDES; s++) {
        struct side *side = &book->sides[s];
        for (uint32_t i = 0; i < side->slot_count; i++)
            side->positions[i].volume = (double)(side->positions[i].volume * book->scale);
        forget_dust(side);
    }
    book->scale = 1;
    sum_total(book);
}

static void shrink(struct reference *book, double amount)
{
    long double total = book->total * book->scale;
    if (amount >= total) {
        clear_book(book);
        return;
    }
    book->scale *= (total - amount) / total;
    drop_dust(book, &book->sides[POSITION_LONG]);
    drop_dust(book, &book->sides[POSITION_SHORT]);
    if (book->scale < SCALE_MIN)
        renormalise(book);
}

static struct book_change advance(struct book *base, const struct candle *candle,
                                  struct interest_step interest)
{
    struct reference *book = reference_of(base);
    double delta = interest.delta;
    struct book_change change = {0};
    change.consumed += consume(book, POSITION_LONG, candle->low_e8);
    change.consumed += consume(book, POSITION_SHORT, candle->high_e8);
    if (book->total < book->total_peak * TOTAL_PEAK_RATIO_MIN)
        sum_total(book);
    if (!(fabs(delta) <= DELTA_MAX))
        delta = 0;
    if (delta > 0 && candle->close_e8 > 0)
        change.created = create(book, candle, delta);
    else if (delta < 0 && book->count > 0)
        shrink(book, -delta);
    if (book->count == 0)
        clear_book(book);
    return change;
}

/* -- snapshot ---------------------------------------------------------------------------------- */

static void assign_all_buckets(struct reference *book, int64_t bucket_e8)
{
    book->bucket_e8 = bucket_e8;
    book->bucket_lowest = INT64_MAX;
    book->bucket_highest = INT64_MIN;
    for (size_t s = 0; s < POSITION_SIDES; s++)
        for (uint32_t i = 0; i < book->sides[s].slot_count; i++)
            if (book->sides[s].positions[i].volume > 0)
                assign_bucket(book, &book->sides[s].positions[i]);
}

static void prepare(struct book *base, int64_t bucket_e8)
{
    struct reference *book = reference_of(base);
    check(bucket_e8 > 0);
    if (book->bucket_e8 != bucket_e8)
        assign_all_buckets(book, bucket_e8);
}

static bool is_shown(const struct reference *book, const struct position *position)
{
    return position->volume > 0 && (book->base.shown_tiers >> position->tier & 1) != 0;
}

static void sum_side(const struct reference *book, const struct side *side, double *sums)
{
    const int64_t bucket_lowest = book->bucket_lowest;
    for (uint32_t i = 0; i < side->slot_count; i++) {
        const struct position *position = &side->positions[i];
        if (is_shown(book, position))
            sums[position->bucket - bucket_lowest] += position->volume;
    }
}

/* False if there is no memory for so many sums a side. */
static bool reserve_sums(struct reference *book, size_t count)
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

/* One array of sums per side, over all buckets between the lowest and the highest. */
static void snapshot_dense(struct reference *book, struct level_list *levels)
{
    size_t range = (size_t)(book->bucket_highest - book->bucket_lowest) + 1;
    double scale = (double)book->scale;
    if (!reserve_sums(book, range)) {
        book->base.has_failed = true;
        return;
    }
    for (size_t s = 0; s < POSITION_SIDES; s++) {
        memset(book->sums[s], 0, range * sizeof *book->sums[s]);
        sum_side(book, &book->sides[s], book->sums[s]);
    }
    const double *longs = book->sums[POSITION_LONG], *shorts = book->sums[POSITION_SHORT];
    for (size_t i = 0; i < range; i++)
        if (longs[i] > 0 || shorts[i] > 0)
            level_list_push(levels,
                            (struct level){
                                .price_e8 = (book->bucket_lowest + (int64_t)i) * book->bucket_e8,
                                .long_density = longs[i] * scale,
                                .short_density = shorts[i] * scale,
                            });
}

/* A position's place in a snapshot: sums are made in this order. */
struct placed {
    int64_t bucket;
    uint32_t side, slot;
};

static int compare_places(const void *a, const void *b)
{
    const struct placed *first = a, *second = b;
    if (first->bucket != second->bucket)
        return first->bucket < second->bucket ? -1 : 1;
    if (first->side != second->side)
        return first->side < second->side ? -1 : 1;
    return (first->slot > second->slot) - (first->slot < second->slot);
}

/* The places of all positions that are shown, in order; NULL if there is no memory for them. */
static struct placed *make_places(const struct reference *book, size_t *count)
{
    struct placed *places = memory_try_resize(NULL, book->count, sizeof *places);
    *count = 0;
    if (places == NULL)
        return NULL;
    for (uint32_t s = 0; s < POSITION_SIDES; s++)
        for (uint32_t i = 0; i < book->sides[s].slot_count; i++)
            if (is_shown(book, &book->sides[s].positions[i]))
                places[(*count)++] = (struct placed){book->sides[s].positions[i].bucket, s, i};
    check(*count <= book->count);
    qsort(places, *count, sizeof *places, compare_places);
    return places;
}

/* For buckets so fine that most between the bounds are empty: sorts and joins. What a bucket's
 * positions are added up to must not depend on which way was taken, as the bounds do not follow
 * from the positions alone; so they are added in the order of their slots here too. */
static void snapshot_sorted(struct reference *book, struct level_list *levels)
{
    double scale = (double)book->scale;
    size_t count;
    struct placed *places = make_places(book, &count);
    if (places == NULL) {
        book->base.has_failed = true;
        return;
    }
    for (size_t i = 0; i < count;) {
        const int64_t bucket = places[i].bucket;
        double sums[POSITION_SIDES] = {0};
        for (; i < count && places[i].bucket == bucket; i++)
            sums[places[i].side] += book->sides[places[i].side].positions[places[i].slot].volume;
        level_list_push(levels, (struct level){
                                    .price_e8 = bucket * book->bucket_e8,
                                    .long_density = sums[POSITION_LONG] * scale,
                                    .short_density = sums[POSITION_SHORT] * scale,
                                });
    }
    free(places);
}

static void snapshot(struct book *base, int64_t bucket_e8, struct level_list *levels)
{
    struct reference *book = reference_of(base);
    if (book->count == 0)
        return;
    prepare(base, bucket_e8);
    if (book->bucket_highest - book->bucket_lowest < DENSE_BUCKETS_MAX)
        snapshot_dense(book, levels);
    else
        snapshot_sorted(book, levels);
}

/* -- life -------------------------------------------------------------------------------------- */

static void reset(struct book *base)
{
    struct reference *book = reference_of(base);
    book->bucket_e8 = 0;
    clear_book(book);
}

static bool is_empty(const struct book *base)
{
    return ((const struct reference *)(const void *)base)->count == 0;
}

/* False if there is no memory for it. */
static bool copy_side(struct side *to, const struct side *from)
{
    if (to->capacity < from->slot_count && !grow_side(to, from->capacity))
        return false;
    if (from->slot_count > 0)
        memcpy(to->positions, from->positions, from->slot_count * sizeof *to->positions);
    if (from->free_count > 0)
        memcpy(to->free_slots, from->free_slots, from->free_count * sizeof *to->free_slots);
    to->slot_count = from->slot_count;
    to->free_count = from->free_count;
    to->dust_horizon = from->dust_horizon;
    bool is_copied = heap_copy(&to->dust, &from->dust);
    for (size_t i = 0; i < TIERS_MAX && is_copied; i++)
        is_copied = heap_copy(&to->edges[i], &from->edges[i]);
    return is_copied;
}

static void copy(struct book *to_base, const struct book *from_base)
{
    struct reference *to = reference_of(to_base);
    const struct reference *from = (const struct reference *)(const void *)from_base;
    to->weights = from->weights;
    to->count = from->count;
    to->scale = from->scale;
    to->total = from->total;
    to->total_peak = from->total_peak;
    to->bucket_e8 = from->bucket_e8;
    to->bucket_lowest = from->bucket_lowest;
    to->bucket_highest = from->bucket_highest;
    for (size_t s = 0; s < POSITION_SIDES; s++)
        if (!copy_side(&to->sides[s], &from->sides[s]))
            to->base.has_failed = true;
}

static struct book *create_book(const struct model_settings *settings)
{
    check(settings->weights.count <= TIERS_MAX);
    struct reference *book = memory_try_allocate_zeroed(1, sizeof *book);
    if (book == NULL)
        return NULL;
    book->weights = settings->weights;
    reset(&book->base);
    return &book->base;
}

static void destroy(struct book *base)
{
    struct reference *book = reference_of(base);
    for (size_t s = 0; s < POSITION_SIDES; s++) {
        struct side *side = &book->sides[s];
        for (size_t i = 0; i < TIERS_MAX; i++)
            heap_deinit(&side->edges[i]);
        heap_deinit(&side->dust);
        free(side->positions);
        free(side->free_slots);
        free(book->sums[s]);
    }
    free(book);
}

const struct model reference_model = {
    .name = "reference",
    .create = create_book,
    .destroy = destroy,
    .reset = reset,
    .advance = advance,
    .is_empty = is_empty,
    .copy = copy,
    .prepare = prepare,
    .snapshot = snapshot,
};

/* -- for tests --------------------------------------------------------------------------------- */

size_t reference_position_count(const struct book *base)
{
    return ((const struct reference *)(const void *)base)->count;
}

double reference_volume(const struct book *base)
{
    const struct reference *book = (const struct reference *)(const void *)base;
    return (double)(book->total * book->scale);
}
