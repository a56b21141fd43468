/* Which symbols the database has, how new their candles are, and whether they have open interest:
 * of all of SYMBOLS, wanted or not.
 *
 * Belongs to one thread, the generator's. */
#ifndef HEATCAST_ENGINE_SURVEY_H
#define HEATCAST_ENGINE_SURVEY_H

#include "config/value.h"
#include "store/store.h"

struct survey_symbol {
    bool has_newest;
    unsigned pass;     /* that has found it */
    int64_t newest_ms; /* open time of its newest candle */
};

/* What a survey says of the open interest of a symbol. */
#define SURVEY_NO_INTEREST INT64_C(-1) /* of the last day before the newest candle of all */

struct survey_listener {
    /* A symbol's newest candle; 0: it has none any more. */
    void (*on_newest)(size_t symbol_index, int64_t open_time_ms, void *context);
    /* The time of a symbol's newest open interest, or SURVEY_NO_INTEREST. */
    void (*on_interest)(size_t symbol_index, int64_t time_ms, void *context);
    /* The database has a symbol that is not one of SYMBOLS. */
    void (*on_other)(struct slice symbol, void *context);
    void *context;
};

struct survey {
    const struct symbol_list *symbols;
    struct survey_symbol *found;             /* as many as symbols */
    bool has_run, is_complete, has_interest; /* the latter: it has looked for that as well */
    uint64_t version;                        /* of the database, when it last ran */
    unsigned pass; /* how often it has run, and the newest of all so far in this pass */
    int64_t pass_newest_ms;
    int64_t newest_ms; /* of all; INT64_MIN: there is none */
    uint64_t whole_due_ns, interest_due_ns;

    struct survey_listener listener;
};

/* The listener is called within survey_run(). */
void survey_init(struct survey *survey, const struct symbol_list *symbols,
                 const struct survey_listener *listener);
void survey_deinit(struct survey *survey);

/* Whether there may be news. */
bool survey_is_due(const struct survey *survey, uint64_t version);

enum status survey_run(struct survey *survey, struct store_session *session, uint64_t version,
                       struct error *error);

#endif
