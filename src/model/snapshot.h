/* A snapshot: the heatmap of one symbol after its newest candle. A plain value, without the book
 * that it was taken from; snapshot_text.h has its JSON form. */
#ifndef HEATCAST_MODEL_SNAPSHOT_H
#define HEATCAST_MODEL_SNAPSHOT_H

#include "model/model.h"
#include "model/series.h"

#define SNAPSHOT_KNOWN 0
#define SNAPSHOT_UNKNOWN INT64_MAX

/* What recorded liquidations say of a map's amounts: so much of what lay where price went was
 * liquidated. It rests on days before the snapshot's alone. */
struct calibration {
    double factor, low, high; /* with its interval; a factor of 0: nothing is known */
    int64_t until_ms;         /* it knows of nothing that came then or later */
};

struct snapshot {
    char symbol[SYMBOL_SIZE];
    int64_t timestamp_ms; /* open time of the newest candle */
    int64_t bucket_e8;
    int64_t current_price_e8;  /* the newest candle's close */
    struct book_change change; /* by the newest candle alone */
    /* Where the rows of the window lack what the levels rest on: the first moment of which they
     * would know all. SNAPSHOT_KNOWN: nothing is lacking; SNAPSHOT_UNKNOWN: they know nothing. */
    int64_t known_from_ms;
    struct calibration calibration;
    struct level_list levels;
};

/* Runs the book over a series (at least one candle) from the start and takes the snapshot after its
 * last candle. What the book held before is lost; it is the caller's, since half of what a week
 * costs in a new book is to get its memory. `bucket_e8` 0 means the symbol's default. `snapshot`
 * must be zeroed or an earlier result, whose memory is used again. STATUS_NO_MEMORY: it is not
 * complete. */
enum status snapshot_compute(struct snapshot *snapshot, struct book *book, const char *symbol,
                             const struct series *series, int64_t bucket_e8, struct error *error);

/* The same of a book that has been run already; `newest` is the candle that it took last, and
 * `snapshot->change` what that did. `first_change_ms`: the first candle of the window of which it
 * is known whether open interest has changed in it, or SNAPSHOT_UNKNOWN. */
enum status snapshot_take(struct snapshot *snapshot, struct book *book, const char *symbol,
                          const struct candle *newest, int64_t first_change_ms, int64_t bucket_e8,
                          struct error *error);

void snapshot_deinit(struct snapshot *snapshot); /* leaves a zeroed one */

#endif
