/* When the states of open interest in a table of the archive held: which its labels do not say by
 * themselves (model/interest_label.h). The candles that tell it are those that are stored. */
#ifndef HEATCAST_SOURCES_ARCHIVE_DATING_H
#define HEATCAST_SOURCES_ARCHIVE_DATING_H

#include "model/interest_label.h"
#include "store/store.h"

/* For the length of an import; `= {.session = ...}` is the beginning. One thread. */
struct archive_dating {
    struct store_session *session;
    struct interest_label_known known;
    uint64_t lonely_tables; /* whose rows keep their labels as their times for want of candles */
    uint64_t moved_rows;    /* whose times are not their labels */

    size_t held_count, held_capacity;
    struct interest_row *held;

    char symbol[SYMBOL_SIZE]; /* of the opens that are kept */
    int64_t opens_first_ms;
    size_t opens_count;
    double *opens; /* of each five minutes; 0: there is no candle */
};

/* Gets the rows in order of symbol and time. `why` is NULL for one whose timestamp is that of its
 * state now, and otherwise says why it is not to be stored. */
typedef enum status archive_on_dated(const struct interest_row *row, const char *why, void *context,
                                     struct error *error);

/* Keeps rows of a table. `origin` is added to theirs. */
void archive_dating_hold(struct archive_dating *dating, const struct interest_row *rows,
                         size_t count, uint64_t origin);

/* Dates and gives the rows that are held, all of a table or much of it; none are held afterwards.
 * Fails where the database or `on_dated` does. */
enum status archive_dating_run(struct archive_dating *dating, archive_on_dated *on_dated,
                               void *context, struct error *error);

/* What is to be said of all of it, at the end. */
void archive_dating_tell(const struct archive_dating *dating,
                         void (*on_note)(const char *message, void *context), void *context);

void archive_dating_deinit(struct archive_dating *dating);

#endif
