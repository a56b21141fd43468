/* What a model is: a rule that turns candles and changes of open interest into leveraged positions,
 * and tells at which prices these would be liquidated.
 *
 * A model is a table of functions, and a *book* is an instance of one: the positions that it holds
 * after the candles so far. Everything that runs a model (engine/, the grid, snapshots, benchmarks)
 * does it through the functions below, so one more model is one more file and one more line in
 * model.c.
 *
 * Pure: no I/O, no clock, no state but the book's. The same candles and deltas give the same book.
 * A book belongs to one thread at a time; tables are constant. */
#ifndef HEATCAST_MODEL_MODEL_H
#define HEATCAST_MODEL_MODEL_H

#include "config/value.h"
#include "model/candle.h"
#include "model/level.h"

#include <stdint.h>

struct model;

/* The part of a book that all models have. A model's own begins with it. */
struct book {
    const struct model *model;
};

struct book_change {
    uint32_t created;  /* single positions created by one candle */
    uint32_t consumed; /* single positions liquidated by it */
};

/* The contract of each function is that of book_<name>() below. */
struct model {
    const char *name;
    struct book *(*create)(const struct leverage_weights *weights);
    void (*destroy)(struct book *book);
    void (*reset)(struct book *book);
    struct book_change (*advance)(struct book *book, const struct candle *candle, double delta);
    void (*snapshot)(struct book *book, int64_t bucket_e8, struct level_list *levels);
};

/* The model of that name, or NULL. */
const struct model *model_find(const char *name);

/* The one that is used where none is named. */
const struct model *model_default(void);

/* An empty book. The weights are copied. */
static inline struct book *book_create(const struct model *model,
                                       const struct leverage_weights *weights)
{
    struct book *book = model->create(weights);
    book->model = model;
    return book;
}

static inline void book_destroy(struct book *book) /* NULL is harmless */
{
    if (book != NULL)
        book->model->destroy(book);
}

/* Empty again, as if just created; its memory is kept for the next candles. */
static inline void book_reset(struct book *book)
{
    book->model->reset(book);
}

/* One candle, later than those before, and the change of open interest that belongs to it, in quote
 * currency. A delta that is no amount of money (NaN, infinite, beyond 10^18) is missing data and
 * counts as 0. */
static inline struct book_change book_advance(struct book *book, const struct candle *candle,
                                              double delta)
{
    return book->model->advance(book, candle, delta);
}

/* The book's volume by bucket, ascending by price, buckets without volume left out. `levels` is
 * overwritten, its memory reused. `bucket_e8` is above 0; asking for the same one each time is
 * cheapest. */
static inline void book_snapshot(struct book *book, int64_t bucket_e8, struct level_list *levels)
{
    book->model->snapshot(book, bucket_e8, levels);
}

#endif
