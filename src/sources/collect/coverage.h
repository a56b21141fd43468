/* Which 5-minute steps of one series are there, and which are to be fetched next.
 *
 * A series (candles, or open interest) of a symbol has one row a step. However a row is come by -
 * stored before, pushed by a socket, fetched - its step is marked, and what is not marked is
 * missing: at the start, after a night without a network, or because a socket skipped a candle.
 * So there is one rule for back-filling and for holes: fetch what is missing.
 *
 * A step that the exchange does not have either (it was down, the symbol is new) is *absent*: it is
 * not asked again until coverage_forget_absent().
 *
 * Covers a window of fixed length that moves with the time. No I/O, no clock. One thread. */
#ifndef HEATCAST_SOURCES_COLLECT_COVERAGE_H
#define HEATCAST_SOURCES_COLLECT_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A range of steps, both ends inclusive. */
struct coverage_range {
    int64_t first_ms, last_ms;
};

struct coverage {
    int64_t step_ms;
    int64_t first_step;         /* of the window, in steps since 1970 */
    size_t step_count;          /* of the window */
    uint64_t *present, *absent; /* a bit a step, at its number modulo step_count */
};

/* The window is the `step_count` steps up to the one that holds `last_ms`; all are missing. */
void coverage_init(struct coverage *coverage, int64_t step_ms, size_t step_count, int64_t last_ms);
void coverage_deinit(struct coverage *coverage);

/* Moves the window forward to end at the step that holds `last_ms`. Steps that enter are missing;
 * an earlier time than before changes nothing. */
void coverage_advance(struct coverage *coverage, int64_t last_ms);

/* Moves the window, forward or back, to end at the step that holds `last_ms`. What lies in both
 * places stays as it is; steps that enter are missing. */
void coverage_move(struct coverage *coverage, int64_t last_ms);

/* A row of this time is there. Times outside of the window are passed over. */
void coverage_mark(struct coverage *coverage, int64_t time_ms);
void coverage_mark_range(struct coverage *coverage, struct coverage_range range);

/* These steps were asked for: those still missing are absent. */
void coverage_mark_absent(struct coverage *coverage, struct coverage_range range);

/* Rows of these steps are not there after all. */
void coverage_unmark(struct coverage *coverage, struct coverage_range range);

/* Absent steps from `since_ms` on are missing again. */
void coverage_forget_absent(struct coverage *coverage, int64_t since_ms);

/* The oldest missing steps from `from_ms` to `until_ms` inclusive: from the first of them to the
 * last that lies within `step_count_max` steps of it. False if there is none. */
bool coverage_next(const struct coverage *coverage, int64_t from_ms, int64_t until_ms,
                   size_t step_count_max, struct coverage_range *range);

/* How many steps from `from_ms` to `until_ms` inclusive are missing. */
size_t coverage_missing(const struct coverage *coverage, int64_t from_ms, int64_t until_ms);

bool coverage_has(const struct coverage *coverage, int64_t time_ms);

/* The newest step that is there; false if none is. */
bool coverage_newest(const struct coverage *coverage, int64_t *time_ms);

#endif
