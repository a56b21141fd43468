/* A book that follows a window: it goes on from where it is, and what the newest candles make of it
 * is computed on a copy, again and again while the last of them forms.
 *
 * The result is that of the whole window computed from its start (snapshot_compute()), to the last
 * bit, whatever the run has followed before.
 *
 * `run_init()` ... `run_deinit()`. One thread at a time. */
#ifndef HEATCAST_MODEL_RUN_H
#define HEATCAST_MODEL_RUN_H

#include "model/change_sums.h"
#include "model/slots.h"
#include "model/snapshot.h"

/* Books that runs of one model use in turn; what they hold between two calls means nothing. */
struct run_books {
    struct book *scratch, *preview;
};

struct run {
    struct book *book; /* after the candles of these slots: [first, end) */
    int64_t first, end;
    struct change_sums *sums; /* where each candle that is computed is noted; or NULL */
};

/* How many of the newest slots a book of a model of moments leaves to the copy: as many at least
 * while their rows may still come or change, and at most. */
#define RUN_LAG_MIN 12
#define RUN_LAG_MAX 24

/* False if there is no memory for it; run_deinit() in any case. */
bool run_init(struct run *run, const struct model *model, const struct model_settings *settings);
void run_deinit(struct run *run);
bool run_books_init(struct run_books *books, const struct model *model,
                    const struct model_settings *settings);
void run_books_deinit(struct run_books *books);

/* The snapshot of the window [first, end) of the slots, in which there is at least one candle; of a
 * model of moments `first` is where the book of the last of them is to begin (model_begin()). The
 * slots then count as settled. `snapshot` and `bucket_e8` as for snapshot_compute(). The slots are
 * to be the same in each call, or to have been emptied in between. */
enum status run_snapshot(struct run *run, struct slots *slots, int64_t first, int64_t end,
                         struct run_books *books, const char *symbol, int64_t bucket_e8,
                         struct snapshot *snapshot, struct error *error);

#endif
