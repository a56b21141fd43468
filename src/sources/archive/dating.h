/* When the states of open interest in a table of the archive held: which its labels do not say by
 * themselves (model/interest_label.h). The candles that tell it are those that are stored. */
#ifndef HEATCAST_SOURCES_ARCHIVE_DATING_H
#define HEATCAST_SOURCES_ARCHIVE_DATING_H

#include "model/interest_label.h"
#include "store/store.h"

enum { ARCHIVE_UNTOLD_NAMED = 3 };

/* Why labels of a table do not tell what they mean. */
enum archive_untold_reason {
    ARCHIVE_UNTOLD_NO_CANDLES, /* there are none to compare with */
    ARCHIVE_UNTOLD_BY_PRICES,  /* these hardly move, or are others than the candles' */
    ARCHIVE_UNTOLD_REASONS,
};

/* Tables whose labels were taken for the same, for the same reason. */
struct archive_untold {
    uint64_t count, last_table;
    char *names[ARCHIVE_UNTOLD_NAMED]; /* the first ones */
};

/* For the length of an import; `= {.session = ...}` is the beginning. One thread. */
struct archive_dating {
    struct store_session *session;
    struct interest_label_known known;
    const char *table; /* that rows are of; the caller's */
    uint64_t table_count;
    uint64_t moved_rows; /* whose times are not their labels */
    /* By what was assumed: an offset that others have, or, the last, the labels as they are. */
    struct archive_untold untold[ARCHIVE_UNTOLD_REASONS][INTEREST_LABEL_OFFSETS + 1];

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

/* Rows are of another table from here on. `name` stays until the next is begun. */
void archive_dating_begin_table(struct archive_dating *dating, const char *name);

/* Keeps rows of a table. `origin` is added to theirs. */
void archive_dating_hold(struct archive_dating *dating, const struct interest_row *rows,
                         size_t count, uint64_t origin);

/* Dates and gives the rows that are held, all of a table or much of it; none are held afterwards.
 * Fails where the database or `on_dated` does. */
enum status archive_dating_run(struct archive_dating *dating, archive_on_dated *on_dated,
                               void *context, struct error *error);

/* What is to be said of all of it, at the end: which tables do not tell what their labels mean, and
 * what was assumed; and that the database is an older one. Either may be NULL. */
void archive_dating_tell(const struct archive_dating *dating,
                         void (*on_assumed)(const char *message, void *context),
                         void (*on_note)(const char *message, void *context), void *context);

void archive_dating_deinit(struct archive_dating *dating);

#endif
