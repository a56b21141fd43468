/* What the files of the generator share. Private to engine/.
 *
 *     generator.c    life, the thread, what wakes it
 *     tick.c         what a tick does: database -> followers -> snapshots
 *     outcome.c      what is told of it: publications, checks, log lines, statistics
 *     inbox.c        fed rows on their way from other threads
 *
 * The state of the symbols belongs to the generator's thread. `mutex` guards what others touch. */
#ifndef HEATCAST_ENGINE_GENERATOR_INTERNAL_H
#define HEATCAST_ENGINE_GENERATOR_INTERNAL_H

#include "base/buffer.h"
#include "engine/generator.h"
#include "engine/inventory.h"
#include "engine/refresh.h"
#include "engine/survey.h"

#include <pthread.h>

#define SECOND_NS UINT64_C(1000000000)

/* What is known of one symbol. */
struct known_symbol {
    struct follower follower;
    int64_t bucket_e8;  /* 0: the default */
    struct buffer text; /* of the message, until it is published */
    uint64_t wanted_ns; /* when it was last found to be wanted */

    struct calibration calibration;

    bool is_computed; /* `version` and `status` are of a completed computation */
    uint64_t version;
    enum status status; /* STATUS_OK or STATUS_NO_DATA; if it has failed, why */
    char message[ERROR_MESSAGE_MAX];
    bool has_failed; /* at its last tick, though the database could be opened */

    int64_t stored_ms, fed_ms; /* open times of its newest candles; 0: there is none */
    bool has_live;             /* it was fed, and no snapshot shows that yet */
    uint64_t live_due_ns;      /* when one is to; monotonic */
    uint64_t live_ns;          /* when the last one did */

    bool is_published;  /* under the present epoch */
    uint64_t hash, seq; /* of the last snapshot published */

    char logged_message[ERROR_MESSAGE_MAX];
    uint64_t logged_ns;
};

/* What a tick has made and found out, and has not reported yet. */
struct batch {
    uint64_t since_ns; /* when the first of it was added */
    size_t published_count, checked_count;
    struct publication *published; /* room for all symbols, as for those below */
    size_t *checked;               /* symbols; their outcome is in their state */
};

/* The symbols of one tick. */
struct selection {
    size_t count;
    size_t *indexes; /* room for all symbols */
};

/* Fed rows of a symbol that the generator's thread has not taken yet. */
enum { INBOX_ROWS_MAX = 8 };
struct inbox_symbol {
    size_t count;
    struct generator_feed rows[INBOX_ROWS_MAX];
};

struct inbox {
    struct inbox_symbol **symbols; /* NULL: never fed */
    size_t waiting_count;
    size_t *waiting; /* symbols with rows, each once; room for all */
};

struct generator {
    struct generator_options options;
    const struct symbol_list *symbols;
    uint64_t epoch; /* 0: it rests */
    uint64_t interval_ns, live_interval_ns;
    pthread_t thread;

    pthread_mutex_t mutex;
    pthread_cond_t wakeup;
    bool is_stopping;
    bool is_woken;       /* some flag below is set, or the inbox has rows */
    bool has_woken;      /* some of the next */
    bool *woken;         /* by symbol */
    bool has_calibrated; /* some of the next are new */
    struct given_calibration {
        bool is_new;
        struct calibration calibration;
    } * calibrated; /* by symbol */
    struct inbox inbox;
    uint64_t wanted_epoch; /* what generator_lead() has asked for */
    struct used_numbers {
        uint64_t epoch, seq;
    } * used;                      /* by symbol: numbers that others have used */
    struct store_session *session; /* while a tick has one */
    struct generator_stats stats;
    struct error fault; /* the last tick's */

    bool has_tried;       /* to open the database, since the start */
    enum status database; /* why the last tick could not use it; STATUS_OK */
    unsigned logged;      /* what was logged since it last could; a bit for each fault */
    struct known_symbol *states;
    size_t live_count;
    size_t *live; /* symbols whose has_live is set, or was; each once */
    struct survey survey;
    struct inventory inventory;
    struct refresh refresh;
    struct refresh_item *items; /* room for all symbols */
    struct batch batch;
    struct run_books books;
    struct series series; /* of a symbol that is not kept in memory */
    struct snapshot snapshot;
    struct buffer data;
};

bool generator_is_stopping(struct generator *generator);

/* -- tick.c ------------------------------------------------------------------------------------ */

/* Brings the symbols up to date with the database, if that has changed, and publishes what is new.
 */
void tick_run(struct generator *generator, struct selection *selection);

/* Publishes what was fed and is due. Returns when the next of it is; UINT64_MAX: nothing waits. */
uint64_t tick_live(struct generator *generator);

/* -- outcome.c --------------------------------------------------------------------------------- */

#define count_stat(generator, field, amount)                                                       \
    do {                                                                                           \
        pthread_mutex_lock(&(generator)->mutex);                                                   \
        (generator)->stats.field += (amount);                                                      \
        pthread_mutex_unlock(&(generator)->mutex);                                                 \
    } while (0)

/* Tells on_checked() of one symbol. */
void outcome_report(struct generator *generator, size_t index, enum status status,
                    const char *message);

/* A symbol could not be computed. Logged once, until it can be again; if the reason changes, not at
 * every tick. */
void outcome_failed(struct generator *generator, size_t index, const struct error *error);

/* It was computed, from this version; STATUS_OK or STATUS_NO_DATA. Reported with the batch. */
void outcome_computed(struct generator *generator, size_t index, uint64_t version,
                      const struct error *error);

/* Whether the database could be used. Logs when it becomes unusable, and when it is back, and
 * nothing in between. */
void outcome_database(struct generator *generator, const struct error *fault);

/* What generator_check() returns from now on: the database's fault, or that of a symbol. */
void outcome_fault(struct generator *generator, struct error *fault);

/* The snapshot's text, and into the batch with it if a client could tell it from the one before.
 * False if not. */
bool outcome_publish(struct generator *generator, size_t index);

/* Publishes the batch, and then reports the outcome of its symbols: a client that waits for one
 * finds its snapshot there. */
void outcome_end_batch(struct generator *generator);

/* Ends the batch if the first of it waits for GENERATOR_BATCH_MS. */
void outcome_end_old_batch(struct generator *generator);

/* -- inbox.c ----------------------------------------------------------------------------------- */

void inbox_init(struct inbox *inbox, size_t symbol_count);
void inbox_deinit(struct inbox *inbox, size_t symbol_count);

/* With the mutex held. */
void inbox_put(struct inbox *inbox, size_t symbol_index, const struct generator_feed *feed);

/* Takes the rows of one symbol out, with the mutex held. False: there are none. */
bool inbox_take(struct inbox *inbox, size_t *symbol_index, struct inbox_symbol *taken);

#endif
