/* A ring of bits: a step's place is its number modulo the window's length, so that moving the
 * window costs as many bits as steps enter. Thirty days are 8,640 steps: a kilobyte a bitmap. */
#include "sources/collect/coverage.h"

#include "base/check.h"

#include <stdlib.h>

#define WORD_BITS 64

static int64_t step_of(const struct coverage *coverage, int64_t time_ms)
{
    int64_t step = time_ms / coverage->step_ms;
    return time_ms % coverage->step_ms < 0 ? step - 1 : step;
}

static int64_t end_step(const struct coverage *coverage) /* the first behind the window */
{
    return coverage->first_step + (int64_t)coverage->step_count;
}

static bool is_inside(const struct coverage *coverage, int64_t step)
{
    return step >= coverage->first_step && step < end_step(coverage);
}

/* Steps since 1970 are not negative: coverage_init() sees to it. */
static size_t place_of(const struct coverage *coverage, int64_t step)
{
    return (size_t)step % coverage->step_count;
}

static bool get(const uint64_t *bits, size_t place)
{
    return (bits[place / WORD_BITS] >> (place % WORD_BITS) & 1) != 0;
}

static void set(uint64_t *bits, size_t place, bool value)
{
    uint64_t bit = UINT64_C(1) << (place % WORD_BITS);
    if (value)
        bits[place / WORD_BITS] |= bit;
    else
        bits[place / WORD_BITS] &= ~bit;
}

static bool is_present(const struct coverage *coverage, int64_t step)
{
    return get(coverage->present, place_of(coverage, step));
}

static bool is_missing(const struct coverage *coverage, int64_t step)
{
    return !is_present(coverage, step) && !get(coverage->absent, place_of(coverage, step));
}

/* The steps of a word whose bits are wanted: from bit `first` to bit `last`. */
static uint64_t mask_of(size_t first, size_t last)
{
    return (UINT64_MAX << first) & (UINT64_MAX >> (WORD_BITS - 1 - last));
}

/* From place to place, a word at a time: it is asked for of every series every second. */
static size_t count_missing(const struct coverage *coverage, size_t first, size_t last)
{
    size_t count = 0;
    for (size_t word = first / WORD_BITS; word <= last / WORD_BITS; word++) {
        uint64_t wanted = mask_of(word == first / WORD_BITS ? first % WORD_BITS : 0,
                                  word == last / WORD_BITS ? last % WORD_BITS : WORD_BITS - 1);
        uint64_t missing = ~(coverage->present[word] | coverage->absent[word]) & wanted;
        count += (size_t)__builtin_popcountll(missing);
    }
    return count;
}

/* The part of a range of times that lies within the window, as steps; empty: first > last. */
static void clip(const struct coverage *coverage, int64_t from_ms, int64_t to_ms, int64_t *first,
                 int64_t *last)
{
    *first = step_of(coverage, from_ms);
    *last = step_of(coverage, to_ms);
    if (*first < coverage->first_step)
        *first = coverage->first_step;
    if (*last >= end_step(coverage))
        *last = end_step(coverage) - 1;
}

void coverage_init(struct coverage *coverage, int64_t step_ms, size_t step_count, int64_t last_ms)
{
    check(step_ms > 0 && step_count > 0);
    size_t words = (step_count + WORD_BITS - 1) / WORD_BITS;
    *coverage = (struct coverage){
        .step_ms = step_ms,
        .step_count = step_count,
        .present = memory_allocate_zeroed(words, sizeof *coverage->present),
        .absent = memory_allocate_zeroed(words, sizeof *coverage->absent),
    };
    coverage_move(coverage, last_ms);
}

void coverage_deinit(struct coverage *coverage)
{
    free(coverage->present);
    free(coverage->absent);
    *coverage = (struct coverage){0};
}

void coverage_move(struct coverage *coverage, int64_t last_ms)
{
    int64_t old_first = coverage->first_step, old_end = end_step(coverage);
    int64_t first = step_of(coverage, last_ms) + 1 - (int64_t)coverage->step_count;
    coverage->first_step = first > 0 ? first : 0;
    int64_t step = coverage->first_step, end = end_step(coverage);
    if (step >= old_first && step < old_end)
        step = old_end;
    if (end > old_first && end <= old_end)
        end = old_first;
    for (; step < end; step++) {
        set(coverage->present, place_of(coverage, step), false);
        set(coverage->absent, place_of(coverage, step), false);
    }
}

void coverage_advance(struct coverage *coverage, int64_t last_ms)
{
    if (step_of(coverage, last_ms) >= end_step(coverage))
        coverage_move(coverage, last_ms);
}

void coverage_mark(struct coverage *coverage, int64_t time_ms)
{
    coverage_mark_range(coverage, (struct coverage_range){time_ms, time_ms});
}

void coverage_mark_range(struct coverage *coverage, struct coverage_range range)
{
    int64_t step, last;
    clip(coverage, range.first_ms, range.last_ms, &step, &last);
    for (; step <= last; step++)
        set(coverage->present, place_of(coverage, step), true);
}

void coverage_mark_absent(struct coverage *coverage, struct coverage_range range)
{
    int64_t step, last;
    clip(coverage, range.first_ms, range.last_ms, &step, &last);
    for (; step <= last; step++)
        set(coverage->absent, place_of(coverage, step), !is_present(coverage, step));
}

void coverage_unmark(struct coverage *coverage, struct coverage_range range)
{
    int64_t step, last;
    clip(coverage, range.first_ms, range.last_ms, &step, &last);
    for (; step <= last; step++)
        set(coverage->present, place_of(coverage, step), false);
}

void coverage_forget_absent(struct coverage *coverage, int64_t since_ms)
{
    int64_t step = step_of(coverage, since_ms);
    if (step < coverage->first_step)
        step = coverage->first_step;
    for (; step < end_step(coverage); step++)
        set(coverage->absent, place_of(coverage, step), false);
}

bool coverage_next(const struct coverage *coverage, int64_t from_ms, int64_t until_ms,
                   size_t step_count_max, struct coverage_range *range)
{
    int64_t first, last;
    clip(coverage, from_ms, until_ms, &first, &last);
    while (first <= last && !is_missing(coverage, first))
        first++;
    if (first > last)
        return false;
    if (last - first >= (int64_t)step_count_max)
        last = first + (int64_t)step_count_max - 1;
    while (!is_missing(coverage, last))
        last--;
    *range = (struct coverage_range){first * coverage->step_ms, last * coverage->step_ms};
    return true;
}

size_t coverage_missing(const struct coverage *coverage, int64_t from_ms, int64_t until_ms)
{
    int64_t first, last;
    clip(coverage, from_ms, until_ms, &first, &last);
    if (first > last)
        return 0;
    size_t from = place_of(coverage, first), to = place_of(coverage, last);
    return from <= to ? count_missing(coverage, from, to)
                      : count_missing(coverage, from, coverage->step_count - 1) +
                            count_missing(coverage, 0, to);
}

bool coverage_has(const struct coverage *coverage, int64_t time_ms)
{
    int64_t step = step_of(coverage, time_ms);
    return is_inside(coverage, step) && is_present(coverage, step);
}

bool coverage_newest(const struct coverage *coverage, int64_t *time_ms)
{
    for (int64_t step = end_step(coverage) - 1; step >= coverage->first_step; step--) {
        if (!is_present(coverage, step))
            continue;
        *time_ms = step * coverage->step_ms;
        return true;
    }
    return false;
}
