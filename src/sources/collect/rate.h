/* How fast one of an exchange's budgets may be spent: a bucket of tokens.
 *
 * An exchange counts in windows whose beginning it does not tell, and other programs may share the
 * address. So within any window at most RATE_SHARE of the limit is spent: RATE_BURST of it at once,
 * the rest evenly over the window. What the exchange itself says was used corrects the count, and
 * where it says stop, nothing is spent until the time that it names.
 *
 * No I/O, no clock: `now_ms` only has to go forward (where it does not, nothing refills). */
#ifndef HEATCAST_SOURCES_COLLECT_RATE_H
#define HEATCAST_SOURCES_COLLECT_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_SHARE 0.8
#define RATE_BURST 0.3

struct rate {
    double limit, window_ms; /* weight in a window, as the exchange has it */
    double tokens;           /* weight that may be spent now */
    int64_t refilled_ms;
    int64_t stopped_until_ms;
};

void rate_init(struct rate *rate, int64_t limit, int64_t window_ms, int64_t now_ms);

/* The exchange has told its rule. What was spent stays spent. */
void rate_set_rule(struct rate *rate, int64_t limit, int64_t window_ms);

/* Spends `weight` and returns true, or returns false if that has to wait. */
bool rate_try_spend(struct rate *rate, double weight, int64_t now_ms);

/* The exchange has counted `used` in its present window, by whomever. More than the limit counts as
 * the limit, which the window's end gives back. */
void rate_note_used(struct rate *rate, int64_t used, int64_t now_ms);

/* Nothing may be spent before `until_ms`. */
void rate_stop(struct rate *rate, int64_t until_ms);

#endif
