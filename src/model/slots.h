/* The candles and the open interest of one symbol, kept in memory while its window moves: a *slot*
 * for each five minutes, with a candle or none, and with open interest or none.
 *
 * They span a time without gaps, and it is remembered which of them have changed, so that what
 * follows them (run.h) need not look at the others. The struct owns its arrays: slots_deinit().
 * `= {0}` is a valid empty one. One thread at a time. */
#ifndef HEATCAST_MODEL_SLOTS_H
#define HEATCAST_MODEL_SLOTS_H

#include "model/candle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slots {
    int64_t first;          /* slots are numbered through all time */
    size_t count;           /* from the first on */
    size_t at, capacity;    /* place of the first one in the arrays, which have room for so many */
    struct candle *candles; /* one without prices: there is none */
    double *interest;       /* on average, quote currency; 0: there is none */
    double *contracts;      /* when the slot begins, base asset; 0: not known */
    bool *marks;            /* for what follows the slots */
    /* Slots whose candle or open interest is not what it was when slots_settle() was last called
     * are in [changed_first, changed_end); so are those that came since. */
    int64_t changed_first, changed_end;
};

/* The slot of a moment, and the moment at which a slot begins. */
int64_t slots_number(int64_t time_ms);
int64_t slots_time_ms(int64_t slot);

/* The slot behind the last one. */
static inline int64_t slots_end(const struct slots *slots)
{
    return slots->first + (int64_t)slots->count;
}

/* Makes them span [first, end) and nothing else; slots that it spanned before keep what they hold.
 * False if there is no memory: then there are none. */
bool slots_span(struct slots *slots, int64_t first, int64_t end);

/* Of a slot in the span. `candle` is NULL for none; 0 is no open interest. */
void slots_set_candle(struct slots *slots, int64_t slot, const struct candle *candle);
void slots_set_interest(struct slots *slots, int64_t slot, double value);
void slots_set_contracts(struct slots *slots, int64_t slot, double contracts);

/* NULL, and 0, where there is none, or where it is beyond the span. The candle is valid until they
 * change. */
const struct candle *slots_candle(const struct slots *slots, int64_t slot);
double slots_interest(const struct slots *slots, int64_t slot);
double slots_contracts(const struct slots *slots, int64_t slot); /* as they were set */

/* How many contracts are open when the slot begins, as series_builder has it: by the value where
 * nothing else is known. 0: not known. */
double slots_open_contracts(const struct slots *slots, int64_t slot);

/* A mark on a slot of the span, for what follows them. A slot that comes has none, nor has one
 * beyond the span. */
void slots_mark(struct slots *slots, int64_t slot, bool is_marked);
bool slots_is_marked(const struct slots *slots, int64_t slot);

/* The first slot in [first, end) with open interest; `end` if there is none. */
int64_t slots_first_interest(const struct slots *slots, int64_t first, int64_t end);

/* The last open interest of a slot in [first, end); 0 if there is none. */
double slots_last_interest(const struct slots *slots, int64_t first, int64_t end);

/* The last slot in [first, end) with a candle; `first` - 1 if there is none. */
int64_t slots_last_candle(const struct slots *slots, int64_t first, int64_t end);

/* Time of the first candle in [first, end) of which it is known whether open interest has changed
 * in it: series_first_change(). */
bool slots_first_change(const struct slots *slots, int64_t first, int64_t end, int64_t *time_ms);

/* From here on nothing has changed. */
void slots_settle(struct slots *slots);

void slots_deinit(struct slots *slots); /* leaves a valid empty one */

#endif
