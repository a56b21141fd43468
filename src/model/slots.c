/* Arrays rather than a ring or a list of rows: what runs a model over a window reads it from end to
 * end, and a row that comes late finds its place by its number. A symbol that trades has hardly a
 * slot without a candle, so little is wasted on holes. The arrays slide: there is room behind the
 * last slot, and when it is used up all moves to the front, once in SLACK_SLOTS. */
#include "model/slots.h"

#include "base/check.h"
#include "base/memory.h"
#include "config/value.h"
#include "model/series_builder.h"

#include <stdlib.h>
#include <string.h>

enum { SLACK_SLOTS = 144 };

int64_t slots_number(int64_t time_ms)
{
    return candle_floor_time(time_ms, CANDLE_MS) / CANDLE_MS;
}

int64_t slots_time_ms(int64_t slot)
{
    return slot * CANDLE_MS;
}

static size_t place(const struct slots *slots, int64_t slot)
{
    return slots->at + (size_t)(slot - slots->first);
}

/* Slots of [first, end) are not what they were, or came. */
static void note_change(struct slots *slots, int64_t first, int64_t end)
{
    const bool has_changed = slots->changed_first < slots->changed_end;
    if (first >= end)
        return;
    if (!has_changed || first < slots->changed_first)
        slots->changed_first = first;
    if (!has_changed || end > slots->changed_end)
        slots->changed_end = end;
}

/* -- the span ---------------------------------------------------------------------------------- */

static bool reserve(struct slots *slots, size_t count)
{
    if (count <= slots->capacity)
        return true;
    size_t capacity = count + SLACK_SLOTS;
    struct candle *candles = memory_try_resize(slots->candles, capacity, sizeof *candles);
    if (candles != NULL)
        slots->candles = candles;
    double *interest = memory_try_resize(slots->interest, capacity, sizeof *interest);
    if (interest != NULL)
        slots->interest = interest;
    double *contracts = memory_try_resize(slots->contracts, capacity, sizeof *contracts);
    if (contracts != NULL)
        slots->contracts = contracts;
    bool *marks = memory_try_resize(slots->marks, capacity, sizeof *marks);
    if (marks != NULL)
        slots->marks = marks;
    if (candles == NULL || interest == NULL || contracts == NULL || marks == NULL)
        return false;
    slots->capacity = capacity;
    return true;
}

/* Moves `count` slots within the arrays. */
static void move(struct slots *slots, size_t to, size_t from, size_t count)
{
    memmove(slots->candles + to, slots->candles + from, count * sizeof *slots->candles);
    memmove(slots->interest + to, slots->interest + from, count * sizeof *slots->interest);
    memmove(slots->contracts + to, slots->contracts + from, count * sizeof *slots->contracts);
    memmove(slots->marks + to, slots->marks + from, count * sizeof *slots->marks);
}

static void blank(struct slots *slots, int64_t first, int64_t end)
{
    const size_t count = (size_t)(end - first), from = place(slots, first);
    if (count == 0)
        return;
    note_change(slots, first, end);
    memset(slots->candles + from, 0, count * sizeof *slots->candles);
    memset(slots->interest + from, 0, count * sizeof *slots->interest);
    memset(slots->contracts + from, 0, count * sizeof *slots->contracts);
    memset(slots->marks + from, 0, count * sizeof *slots->marks);
}

bool slots_span(struct slots *slots, int64_t first, int64_t end)
{
    check(first <= end);
    /* What it spans already and still will. */
    int64_t kept_first = first > slots->first ? first : slots->first;
    int64_t kept_end = end < slots_end(slots) ? end : slots_end(slots);
    if (kept_first >= kept_end)
        kept_first = kept_end = first;
    const size_t kept_at = slots->at + (size_t)(kept_first - slots->first);
    const bool has_room = kept_first == first && kept_first < kept_end &&
                          kept_at + (size_t)(end - first) <= slots->capacity;
    if (has_room) {
        slots->at = kept_at;
    } else {
        if (!reserve(slots, (size_t)(end - first))) {
            slots_deinit(slots);
            return false;
        }
        if (kept_first < kept_end)
            move(slots, (size_t)(kept_first - first), kept_at, (size_t)(kept_end - kept_first));
        slots->at = 0;
    }
    note_change(slots, end, slots_end(slots)); /* what leaves there may come back as another */
    slots->first = first;
    slots->count = (size_t)(end - first);
    blank(slots, first, kept_first);
    blank(slots, kept_end, end);
    return true;
}

/* -- slots ------------------------------------------------------------------------------------- */

static bool spans(const struct slots *slots, int64_t slot)
{
    return slot >= slots->first && slot < slots_end(slots);
}

static bool is_same_candle(const struct candle *a, const struct candle *b)
{
    return a->open_time_ms == b->open_time_ms && a->open_e8 == b->open_e8 &&
           a->high_e8 == b->high_e8 && a->low_e8 == b->low_e8 && a->close_e8 == b->close_e8 &&
           a->volume == b->volume;
}

void slots_set_candle(struct slots *slots, int64_t slot, const struct candle *candle)
{
    static const struct candle none;
    check(spans(slots, slot));
    struct candle *old = &slots->candles[place(slots, slot)];
    if (candle == NULL)
        candle = &none;
    if (is_same_candle(old, candle))
        return;
    *old = *candle;
    note_change(slots, slot, slot + 1);
}

static void set(struct slots *slots, double *values, int64_t slot, double value)
{
    check(spans(slots, slot));
    double *old = &values[place(slots, slot)];
    if (*old == value)
        return;
    *old = value;
    note_change(slots, slot, slot + 1);
}

void slots_set_interest(struct slots *slots, int64_t slot, double value)
{
    set(slots, slots->interest, slot, value);
}

void slots_set_contracts(struct slots *slots, int64_t slot, double contracts)
{
    set(slots, slots->contracts, slot, contracts);
}

const struct candle *slots_candle(const struct slots *slots, int64_t slot)
{
    if (!spans(slots, slot))
        return NULL;
    const struct candle *candle = &slots->candles[place(slots, slot)];
    return candle->close_e8 > 0 ? candle : NULL;
}

double slots_interest(const struct slots *slots, int64_t slot)
{
    return spans(slots, slot) ? slots->interest[place(slots, slot)] : 0;
}

double slots_contracts(const struct slots *slots, int64_t slot)
{
    return spans(slots, slot) ? slots->contracts[place(slots, slot)] : 0;
}

double slots_open_contracts(const struct slots *slots, int64_t slot)
{
    const struct interest_average interest = {.value = slots_interest(slots, slot),
                                              .contracts = slots_contracts(slots, slot)};
    if (interest.contracts > 0 || interest.value == 0)
        return interest.contracts;
    const struct candle *candle = slots_candle(slots, slot);
    if (candle != NULL)
        return series_builder_contracts(&interest, candle->open_e8);
    const int64_t first = slot - SERIES_PRICE_AGE_MAX_MS / CANDLE_MS;
    const int64_t before = slots_last_candle(slots, first, slot);
    candle = before >= first ? slots_candle(slots, before) : NULL;
    return series_builder_contracts(&interest, candle != NULL ? candle->close_e8 : 0);
}

void slots_mark(struct slots *slots, int64_t slot, bool is_marked)
{
    check(spans(slots, slot));
    slots->marks[place(slots, slot)] = is_marked;
}

bool slots_is_marked(const struct slots *slots, int64_t slot)
{
    return spans(slots, slot) && slots->marks[place(slots, slot)];
}

int64_t slots_first_interest(const struct slots *slots, int64_t first, int64_t end)
{
    while (first < end && slots_interest(slots, first) == 0)
        first++;
    return first;
}

double slots_last_interest(const struct slots *slots, int64_t first, int64_t end)
{
    while (end > first && slots_interest(slots, end - 1) == 0)
        end--;
    return end > first ? slots_interest(slots, end - 1) : 0;
}

int64_t slots_last_candle(const struct slots *slots, int64_t first, int64_t end)
{
    while (end > first && slots_candle(slots, end - 1) == NULL)
        end--;
    return end - 1;
}

bool slots_first_change(const struct slots *slots, int64_t first, int64_t end, int64_t *time_ms)
{
    int known = 0;
    for (; first < end && known < 2; first++) {
        if (slots_candle(slots, first) == NULL)
            continue;
        known += slots_open_contracts(slots, first + 1) > 0;
        *time_ms = slots_time_ms(first);
    }
    return known == 2;
}

void slots_settle(struct slots *slots)
{
    slots->changed_first = slots->changed_end = 0;
}

void slots_deinit(struct slots *slots)
{
    free(slots->candles);
    free(slots->interest);
    free(slots->contracts);
    free(slots->marks);
    *slots = (struct slots){0};
}
