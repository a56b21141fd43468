/* What a model is: a rule that turns candles and open interest into leveraged positions, and tells
 * at which prices these would be liquidated.
 *
 * A model is a table of functions, and a *book* is an instance of one: the positions that it holds
 * after the candles so far. Everything that runs a model (engine/, the grid, snapshots, benchmarks)
 * does it through the functions below, so one more model is one more file, one more line in
 * model.c, and its name in config/value.h.
 *
 * Pure: no I/O, no clock, no state but the book's. The same candles and open interest give the same
 * book. A book belongs to one thread at a time; tables are constant. */
#ifndef HEATCAST_MODEL_MODEL_H
#define HEATCAST_MODEL_MODEL_H

#include "config/value.h"
#include "model/candle.h"
#include "model/level.h"

#include <stdbool.h>
#include <stdint.h>

struct model;

/* The part of a book that all models have. A model's own begins with it.
 *
 * A book that finds no memory for its positions sets `has_failed`, and does nothing from then on
 * but change and list nothing, until it is reset: what runs a model asks once, at the end. */
struct book {
    const struct model *model;
    int64_t lookback_ms;  /* of the settings */
    uint32_t shown_tiers; /* a bit for each tier of the weights that snapshots are of */
    bool has_failed;
};

/* What a model is told of open interest with a candle. */
struct interest_step {
    double delta;     /* change that belongs to the candle, quote currency; 0: none, or unknown */
    double contracts; /* that are open when the candle ends, base asset; 0: unknown */
};

/* What the books of all models are made with. A plain value. */
struct model_settings {
    struct leverage_weights weights;
    int64_t lookback_ms; /* how long a position is followed */
    double turnover;     /* share of the traded volume that replaces positions; 0 to 1 */
    /* What snapshots are of, as bits of enum tier_group; 0: of all tiers. The book is the same. */
    unsigned tier_groups;
};

#define TURNOVER_MAX 1.0

struct book_change {
    uint32_t created;  /* single positions created by one candle */
    uint32_t consumed; /* single positions liquidated by it */
};

/* The contract of each function is that of book_<name>() below, except that none is called of a
 * book that has failed but reset() and destroy(), and that snapshot() is given an empty list.
 *
 * A book is a function of its window: of the candles since the last reset(), and their open
 * interest. How one follows a window whose end and start move is run.h.
 *
 * There are two kinds of models. A book of one without `begin` depends on where its window begins,
 * and an answer's window is what was asked for. One with `begin` gives the same numbers for a
 * moment in every window, to the last bit, provided that the book was given all candles from
 * `begin` on, of five minutes each. */
struct model {
    const char *name;
    int64_t (*begin)(int64_t moment_ms, int64_t lookback_ms); /* NULL, or model_begin() */
    struct book *(*create)(const struct model_settings *settings);
    void (*destroy)(struct book *book);
    void (*reset)(struct book *book);
    struct book_change (*advance)(struct book *book, const struct candle *candle,
                                  struct interest_step interest);
    bool (*is_empty)(const struct book *book);
    void (*copy)(struct book *to, const struct book *from);
    void (*prepare)(struct book *book, int64_t bucket_e8);
    void (*snapshot)(struct book *book, int64_t bucket_e8, struct level_list *levels);
};

const struct model *model_of(enum model_name name);

/* STATUS_INVALID: there is none of that name; the error tells those that there are. */
enum status model_find(const char *name, const struct model **model, struct error *error);

/* Whether its books are the same in every window, and candles of longer intervals show what they
 * were when the last five minutes ended. */
static inline bool model_is_of_moment(const struct model *model)
{
    return model->begin != NULL;
}

/* From which candle on a book is to be given all of them, for the snapshot after the candle of
 * `moment_ms`, and where the model is one of moments those after later ones. */
static inline int64_t model_begin(const struct model *model, int64_t moment_ms, int64_t lookback_ms)
{
    return model->begin != NULL ? model->begin(moment_ms, lookback_ms) : moment_ms - lookback_ms;
}

/* Which tiers are of these groups, a bit each; 0: all of them. */
uint32_t model_tiers_of(const struct leverage_weights *weights, unsigned tier_groups);

/* An empty book, or NULL if there is no memory for it. The settings are copied. */
static inline struct book *book_create(const struct model *model,
                                       const struct model_settings *settings)
{
    struct book *book = model->create(settings);
    if (book != NULL) {
        book->model = model;
        book->lookback_ms = settings->lookback_ms;
        book->shown_tiers = model_tiers_of(&settings->weights, settings->tier_groups);
    }
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
    book->has_failed = false;
    book->model->reset(book);
}

/* One candle, later than those before, and the open interest that belongs to it. An amount that is
 * none (NaN, infinite, beyond 10^18, contracts below 0) is missing data. */
static inline struct book_change book_advance(struct book *book, const struct candle *candle,
                                              struct interest_step interest)
{
    if (book->has_failed)
        return (struct book_change){0};
    return book->model->advance(book, candle, interest);
}

/* Whether it holds no position. Such a book is as if just created: it becomes the same, to the last
 * bit, by the same candles. */
static inline bool book_is_empty(const struct book *book)
{
    return !book->has_failed && book->model->is_empty(book);
}

/* Makes one the same as the other, of the same model; both then become the same by the same
 * candles. It keeps its memory, which grows to the size of what the other holds. A copy of a book
 * that has failed, or one for which there is no memory, has failed. */
static inline void book_copy(struct book *to, const struct book *from)
{
    to->has_failed = from->has_failed;
    if (!from->has_failed)
        from->model->copy(to, from);
}

/* Says which bucket the next snapshots will be asked for, of this book and of copies of it. Changes
 * no result; book_snapshot() of a copy is cheaper after it, again and again. */
static inline void book_prepare(struct book *book, int64_t bucket_e8)
{
    if (!book->has_failed)
        book->model->prepare(book, bucket_e8);
}

/* The book's volume by bucket, ascending by price, buckets without volume left out. `levels` is
 * overwritten, its memory reused; there may be no memory for all of them. `bucket_e8` is above 0;
 * asking for the same one each time is cheapest. */
static inline void book_snapshot(struct book *book, int64_t bucket_e8, struct level_list *levels)
{
    level_list_clear(levels);
    if (!book->has_failed)
        book->model->snapshot(book, bucket_e8, levels);
}

#endif
