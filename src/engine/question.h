/* A question about the past that is being answered: what history.c, candles.c, map.c, moment.c,
 * liquidations.c and score.c share. history.h is what the rest of the program includes. One thread
 * a question.
 */
#ifndef HEATCAST_ENGINE_QUESTION_H
#define HEATCAST_ENGINE_QUESTION_H

#include "base/json.h"
#include "base/memory.h"
#include "engine/history.h"

struct history {
    struct store *store;
    const struct model *model;
    const struct bucket_map *buckets;
    struct model_settings settings;
};

struct question;

struct question_type {
    const char *name; /* for the log */
    /* The newest moment that there is of the symbol, which ranges without an end go up to: the open
     * time of its newest candle, or else what this says. STATUS_NO_DATA: there is nothing. */
    enum status (*find_newest)(struct store_session *session, const char *symbol,
                               int64_t *newest_ms, struct error *error);
    enum status (*answer)(struct question *question, struct buffer *out, struct error *error);
    bool may_be_empty; /* a range after the newest moment is no error: who polls asks for that */
};

struct question {
    const struct question_type *type;
    struct history *history;
    const struct range *range;
    const struct question_limits *limits; /* not NULL */
    struct buffer_bound bound;            /* of the answer */
    struct memory_budget budget;
    struct store_session *session; /* until the series is loaded */
    const struct model *model;
    struct model_settings settings;
    struct window window; /* what is shown */
    struct series series; /* what the model is led through; it may begin earlier */
    size_t shown_first;   /* of its candles; those before only feed the book */
};

/* Opens the database, resolves the range, and has the type's answer() append its text, all of which
 * is taken back if that fails. */
enum status question_ask(struct history *history, const struct question_type *type,
                         const struct range *range, const struct question_limits *limits,
                         struct buffer *out, struct error *error);

/* Whether the work continues: STATUS_NO_MEMORY if the book, the levels or the answer's buffer have
 * found none, STATUS_TOO_LARGE if the answer is, others as stop_token_check(). */
enum status question_check_progress(const struct question *question, const struct book *book,
                                    const struct level_list *levels, struct error *error);

/* STATUS_NO_MEMORY, with a message. */
enum status question_no_memory(const struct question *question, struct error *error);

/* Loads the series for a book that is right from `from_ms` on, which is in the window or before it,
 * and ends the session: for a model of moments candles of five minutes from where that has to
 * begin, for another one those of the interval from there on. STATUS_NO_DATA if the window is
 * empty, STATUS_TOO_LARGE if it is over the limit of candles, others as stop_token_check(). */
enum status question_load(struct question *question, int64_t from_ms, struct error *error);

/* The candles of the window themselves, joined to the interval; in all else the same. */
enum status question_load_candles(struct question *question, struct error *error);

/* STATUS_TOO_LARGE if the window has more than HISTORY_SNAPSHOTS_MAX candles of its interval, each
 * of which becomes a part of the answer; it names an interval that fits. Before the series is
 * loaded, of whose limit it speaks first; `runs_model` says which series that is. */
enum status question_check_count(struct question *question, bool runs_model, struct error *error);

/* What the question asks for, or what is configured, or the default for the newest candle of the
 * series, which is not empty. */
int64_t question_bucket(const struct question *question);

/* The first moment of the window of which a model of moments knows all that it has to, by the time
 * of a candle of the interval. It may be later than the window; false: there is none, since nothing
 * is known of open interest. */
bool question_known_from(const struct question *question, int64_t *time_ms);

/* A book on its way through the series: each step is to the end of the next interval that is shown.
 * `struct question_walk walk = {question, book};` with an empty book is the beginning. */
struct question_walk {
    const struct question *question;
    struct book *book;
    size_t next; /* candle */

    int64_t time_ms;           /* of the interval */
    struct book_change change; /* in it */
};

/* False: there is none. */
bool question_step(struct question_walk *walk);

/* How many steps there are. */
size_t question_count_steps(const struct question *question);

/* Opens the member "meta" and writes what all answers of a series say in it. */
void question_open_meta(const struct question *question, struct json *json);

/* STATUS_NO_DATA, with a message. */
enum status question_no_candle(const char *symbol, int64_t start_ms, int64_t end_ms,
                               struct error *error);

#endif
