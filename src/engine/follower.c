/* A tick costs what is new, not what the window holds: rows that are known are not read again, and
 * what was computed from them is not computed again. What is known is checked, though, for rows of
 * the past are replaced and deleted by other programs: each block of the window has its digest, and
 * all digests are asked for again whenever the file has changed. That takes about a tenth of
 * reading the window, and rests on no knowledge of who writes what.
 *
 * The slots span whole blocks, and so more than the window at both ends. They hold what counts, of
 * stored rows and fed ones; under a fed candle the stored one is kept, in case that counts again. A
 * follower that finds no memory for something is unloaded, and loaded
 * anew at the next tick. */
#include "engine/follower.h"

#include "base/check.h"
#include "base/memory.h"
#include "model/rows.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_SLOTS (STORE_BLOCK_MS / CANDLE_MS)

static int64_t block_of(int64_t time_ms)
{
    return candle_floor_time(time_ms, STORE_BLOCK_MS) / STORE_BLOCK_MS;
}

void follower_init(struct follower *follower, const char *symbol, const struct model *model,
                   const struct model_settings *settings)
{
    *follower = (struct follower){
        .symbol = symbol,
        .model = model,
        .settings = settings,
        .is_regular = true,
        .fed_slot = INT64_MIN,
        .closed_slot = INT64_MIN,
    };
}

void follower_unload(struct follower *follower)
{
    slots_deinit(&follower->slots);
    if (follower->run.book != NULL)
        run_deinit(&follower->run);
    free(follower->loaded.blocks);
    free(follower->seen.blocks);
    follower->loaded = follower->seen = (struct follower_blocks){0};
    follower->is_loaded = false;
    for (size_t i = 0; i < follower->fed_count; i++)
        follower->fed[i].has_stored = false;
}

void follower_deinit(struct follower *follower)
{
    follower_unload(follower);
    free(follower->fed);
}

/* -- fed rows ---------------------------------------------------------------------------------- */

/* The slot of the newest candle fed that is not stored yet; INT64_MIN if there is none. */
static int64_t newest_fed(const struct follower *follower)
{
    for (size_t i = follower->fed_count; i > 0; i--)
        if (follower->fed[i - 1].has_candle)
            return follower->fed[i - 1].slot;
    return INT64_MIN;
}

bool follower_newest(const struct follower *follower, int64_t *open_time_ms)
{
    int64_t slot = newest_fed(follower);
    bool has_fed = slot != INT64_MIN;
    if (has_fed && (!follower->has_newest || slots_time_ms(slot) > follower->newest_ms))
        *open_time_ms = slots_time_ms(slot);
    else
        *open_time_ms = follower->newest_ms;
    return has_fed || follower->has_newest;
}

/* The block of what is open when the newest candle ends. */
static int64_t last_block(int64_t end_ms)
{
    return block_of(end_ms + CANDLE_MS);
}

/* Where the window begins whose newest candle is this one. */
static int64_t window_start(const struct follower *follower, int64_t end_ms)
{
    return model_begin(follower->model, end_ms, follower->settings->lookback_ms);
}

/* The place of the first entry that is not before the slot. Nearly always near the end. */
static size_t fed_place(const struct follower *follower, int64_t slot)
{
    size_t at = follower->fed_count;
    while (at > 0 && follower->fed[at - 1].slot >= slot)
        at--;
    return at;
}

/* NULL: there is none. */
static struct fed_slot *find_fed(const struct follower *follower, int64_t slot)
{
    size_t at = fed_place(follower, slot);
    return at < follower->fed_count && follower->fed[at].slot == slot ? &follower->fed[at] : NULL;
}

static void remove_fed(struct follower *follower, size_t at)
{
    memmove(&follower->fed[at], &follower->fed[at + 1],
            (--follower->fed_count - at) * sizeof *follower->fed);
}

static bool has_interest(const struct fed_slot *fed)
{
    return fed->interest != 0 || fed->contracts != 0;
}

/* Removes the oldest entry: what it holds is known no more. */
static void drop_oldest(struct follower *follower)
{
    struct slots *slots = &follower->slots;
    const struct fed_slot *oldest = &follower->fed[0];
    if (oldest->slot >= slots->first && oldest->slot < slots_end(slots)) {
        if (oldest->has_candle)
            slots_set_candle(slots, oldest->slot, oldest->has_stored ? &oldest->stored : NULL);
        if (has_interest(oldest)) {
            slots_set_interest(slots, oldest->slot, 0);
            slots_set_contracts(slots, oldest->slot, 0);
        }
    }
    remove_fed(follower, 0);
}

/* The entry of the slot, a new one if there is none. NULL: there is no room, or no memory. */
static struct fed_slot *make_fed(struct follower *follower, int64_t slot)
{
    struct fed_slot *found = find_fed(follower, slot);
    if (found != NULL)
        return found;
    if (follower->fed_count == FOLLOWER_FED_MAX) {
        if (slot < follower->fed[0].slot)
            return NULL;
        drop_oldest(follower);
    }
    if (follower->fed_count == follower->fed_capacity) {
        size_t capacity = follower->fed_capacity > 0 ? 2 * follower->fed_capacity : 4;
        struct fed_slot *fed = memory_try_resize(follower->fed, capacity, sizeof *fed);
        if (fed == NULL)
            return NULL;
        follower->fed = fed;
        follower->fed_capacity = capacity;
    }
    size_t at = fed_place(follower, slot);
    memmove(&follower->fed[at + 1], &follower->fed[at],
            (follower->fed_count++ - at) * sizeof *follower->fed);
    follower->fed[at] = (struct fed_slot){.slot = slot};
    const struct candle *stored = slots_candle(&follower->slots, slot);
    if (stored != NULL) {
        follower->fed[at].has_stored = true;
        follower->fed[at].stored = *stored;
    }
    return &follower->fed[at];
}

/* Makes the slots span this one, or unloads where it would have to jump. */
static void make_room(struct follower *follower, int64_t slot)
{
    struct slots *slots = &follower->slots;
    int64_t end = (block_of(slots_time_ms(slot)) + 1) * BLOCK_SLOTS;
    if (slot >= slots_end(slots) + BLOCK_SLOTS ||
        (slot >= slots_end(slots) && !slots_span(slots, slots->first, end)))
        follower_unload(follower);
}

/* Puts what counts into the slot, of what is stored and what is fed; and forgets what was fed
 * where that does not count any more. */
static void settle(struct follower *follower, size_t at)
{
    struct fed_slot *fed = &follower->fed[at];
    struct slots *slots = &follower->slots;
    if (follower->is_loaded && fed->slot >= slots->first)
        make_room(follower, fed->slot);
    if (!follower->is_loaded)
        return;
    if (fed->slot < slots->first) {
        remove_fed(follower, at);
        return;
    }
    if (fed->has_candle) {
        bool is_open = !fed->is_closed && fed->slot == follower->fed_slot;
        bool is_stored =
            fed->has_stored && (!is_open || !candle_is_preferred(&fed->candle, &fed->stored));
        slots_set_candle(slots, fed->slot, is_stored ? &fed->stored : &fed->candle);
        fed->has_candle = !fed->has_stored || is_open;
    }
    if (has_interest(fed)) {
        slots_set_interest(slots, fed->slot, fed->interest);
        slots_set_contracts(slots, fed->slot, fed->contracts);
    }
    if (!fed->has_candle && !has_interest(fed))
        remove_fed(follower, at);
}

/* From the newest on: an entry that is removed moves none that is still to come. */
static void settle_all(struct follower *follower)
{
    for (size_t i = follower->fed_count; i > 0; i--)
        settle(follower, i - 1);
}

static bool differ(double a, double b) /* neither is a NAN */
{
    return a < b || a > b;
}

static bool is_same(const struct fed_slot *fed, const struct candle *candle, bool is_closed)
{
    const struct candle *known = &fed->candle;
    return fed->has_candle && fed->is_closed == is_closed && known->open_e8 == candle->open_e8 &&
           known->high_e8 == candle->high_e8 && known->low_e8 == candle->low_e8 &&
           known->close_e8 == candle->close_e8 && !differ(known->volume, candle->volume);
}

bool follower_feed_candle(struct follower *follower, const struct candle *candle, bool is_closed)
{
    const int64_t slot = slots_number(candle->open_time_ms);
    bool is_late = slot <= follower->closed_slot || slot < follower->fed_slot;
    if (!candle_has_prices(candle) || candle->open_time_ms < 0 ||
        candle->open_time_ms % CANDLE_MS != 0 || (!is_closed && is_late))
        return false;
    struct fed_slot *fed = make_fed(follower, slot);
    if (fed == NULL || is_same(fed, candle, is_closed))
        return false;
    fed->has_candle = true;
    fed->is_closed = is_closed;
    fed->candle = *candle;
    if (slot > follower->fed_slot)
        follower->fed_slot = slot;
    if (is_closed && slot > follower->closed_slot)
        follower->closed_slot = slot;
    settle_all(follower); /* the newest before is it no more */
    return true;
}

bool follower_feed_interest(struct follower *follower, const struct interest *interest)
{
    const struct slots *slots = &follower->slots;
    const int64_t slot = slots_number(interest->time_ms);
    const bool has_value = interest->value_e8 > 0, has_contracts = interest->contracts_e8 > 0;
    if ((!has_value && !has_contracts) || interest->time_ms < 0)
        return false;
    struct fed_slot *fed = find_fed(follower, slot);
    bool is_stored = (fed == NULL || !has_interest(fed)) &&
                     (slots_interest(slots, slot) != 0 || slots_contracts(slots, slot) != 0);
    if (!is_stored && fed == NULL)
        fed = make_fed(follower, slot);
    if (is_stored || fed == NULL)
        return false;
    const double before = fed->interest, contracts_before = fed->contracts;
    if (has_value)
        fed->interest = (double)interest->value_e8 / 1e8;
    if (has_contracts && (fed->contracts == 0 || interest->time_ms <= fed->contracts_ms)) {
        fed->contracts = (double)interest->contracts_e8 / 1e8;
        fed->contracts_ms = interest->time_ms;
    }
    if (!differ(before, fed->interest) && !differ(contracts_before, fed->contracts))
        return false;
    settle(follower, (size_t)(fed - follower->fed));
    return true;
}

/* -- stored rows ------------------------------------------------------------------------------- */

static struct follower_block *find_block(const struct follower_blocks *blocks, int64_t block)
{
    bool has = block >= blocks->first && block < blocks->first + (int64_t)blocks->count;
    return has ? &blocks->blocks[block - blocks->first] : NULL;
}

/* False if there is no memory. */
static bool clear_blocks(struct follower_blocks *blocks, int64_t first, size_t count)
{
    if (count > blocks->capacity) {
        struct follower_block *grown = memory_try_resize(blocks->blocks, count, sizeof *grown);
        if (grown == NULL)
            return false;
        blocks->blocks = grown;
        blocks->capacity = count;
    }
    blocks->first = first;
    blocks->count = count;
    memset(blocks->blocks, 0, count * sizeof *blocks->blocks);
    return true;
}

enum status follower_expect(struct follower *follower, const int64_t *newest_ms)
{
    int64_t end_ms;
    follower->has_newest = newest_ms != NULL;
    follower->newest_ms = newest_ms != NULL ? *newest_ms : 0;
    if (!follower_newest(follower, &end_ms)) {
        follower_unload(follower);
        return STATUS_NO_DATA;
    }
    int64_t start_ms = window_start(follower, end_ms);
    if (start_ms < 0 || start_ms % CANDLE_MS != 0 || end_ms % CANDLE_MS != 0 ||
        follower->settings->lookback_ms > FOLLOWER_LOOKBACK_MAX_MS)
        follower->is_regular = false;
    else if (end_ms > follower->retry_ms)
        follower->is_regular = true;
    if (!follower->is_regular) {
        follower_unload(follower);
        return STATUS_INVALID;
    }
    int64_t first = block_of(start_ms);
    if (!clear_blocks(&follower->seen, first, (size_t)(last_block(end_ms) + 1 - first))) {
        follower_unload(follower);
        return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

void follower_see(struct follower *follower, enum store_kind kind,
                  const struct store_digest *digest)
{
    struct follower_block *block = find_block(&follower->seen, digest->block);
    if (block == NULL)
        return;
    block->count[kind] = digest->count;
    block->sum[kind] = digest->sum;
}

bool follower_is_outdated(const struct follower *follower, enum store_kind kind, int64_t block)
{
    static const struct follower_block none;
    const struct follower_block *seen = find_block(&follower->seen, block);
    const struct follower_block *loaded = find_block(&follower->loaded, block);
    if (loaded == NULL)
        loaded = &none;
    return seen->count[kind] != loaded->count[kind] || seen->sum[kind] != loaded->sum[kind];
}

bool follower_begin_load(struct follower *follower)
{
    const struct follower_blocks *seen = &follower->seen;
    bool has_room = slots_span(&follower->slots, seen->first * BLOCK_SLOTS,
                               (seen->first + (int64_t)seen->count) * BLOCK_SLOTS);
    if (!has_room)
        follower_unload(follower);
    return has_room;
}

static void load_candle(struct follower *follower, int64_t slot, const struct candle *stored)
{
    struct fed_slot *fed = find_fed(follower, slot);
    if (fed != NULL) {
        fed->has_stored = stored != NULL;
        if (stored != NULL)
            fed->stored = *stored;
    }
    if (fed == NULL || !fed->has_candle)
        slots_set_candle(&follower->slots, slot, stored);
}

static void load_interest(struct follower *follower, int64_t slot, double value, double contracts)
{
    struct fed_slot *fed = find_fed(follower, slot);
    if (fed != NULL && (value != 0 || contracts != 0))
        fed->interest = fed->contracts = 0;
    if (fed != NULL && has_interest(fed))
        return;
    slots_set_interest(&follower->slots, slot, value);
    slots_set_contracts(&follower->slots, slot, contracts);
}

void follower_load(struct follower *follower, enum store_kind kind, const struct slots *rows)
{
    const struct slots *slots = &follower->slots;
    int64_t first = rows->first > slots->first ? rows->first : slots->first;
    int64_t end = slots_end(rows) < slots_end(slots) ? slots_end(rows) : slots_end(slots);
    for (int64_t slot = first; slot < end; slot++)
        if (kind == STORE_CANDLES)
            load_candle(follower, slot, slots_candle(rows, slot));
        else
            load_interest(follower, slot, slots_interest(rows, slot), slots_contracts(rows, slot));
}

void follower_end_load(struct follower *follower, bool is_regular)
{
    const struct follower_blocks loaded = follower->loaded;
    follower->loaded = follower->seen;
    follower->seen = loaded;
    follower->is_loaded = true;
    settle_all(follower);
    if (!is_regular) {
        follower_unload(follower);
        follower->is_regular = false;
        follower->retry_ms = follower->newest_ms + STORE_BLOCK_MS;
    }
}

/* -- the snapshot ------------------------------------------------------------------------------ */

bool follower_needs_blocks(const struct follower *follower)
{
    int64_t end_ms;
    return follower->is_loaded && follower_newest(follower, &end_ms) &&
           find_block(&follower->loaded, last_block(end_ms)) == NULL;
}

enum status follower_snapshot(struct follower *follower, struct run_books *books, int64_t bucket_e8,
                              struct snapshot *snapshot, struct error *error)
{
    int64_t end_ms;
    check(follower->is_loaded && follower_newest(follower, &end_ms));
    int64_t first = slots_number(window_start(follower, end_ms)), end = slots_number(end_ms) + 1;
    if (slots_last_candle(&follower->slots, first, end) < first)
        return error_set(error, STATUS_NO_DATA, "no usable candles of %s", follower->symbol);
    if (follower->run.book == NULL &&
        !run_init(&follower->run, follower->model, follower->settings)) {
        run_deinit(&follower->run);
        return error_set(error, STATUS_NO_MEMORY, "no memory for the book of %s", follower->symbol);
    }
    follower->run.sums = &follower->sums;
    return run_snapshot(&follower->run, &follower->slots, first, end, books, follower->symbol,
                        bucket_e8, snapshot, error);
}
