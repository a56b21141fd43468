/* The background thread that turns the database's content, and what sources feed it, into
 * snapshots.
 *
 * Every tick, for each symbol that is wanted: has the database changed? read what is new, compute,
 * hash; if the hash differs from the last one, the snapshot goes to on_published. The rows of its
 * window stay in memory as long as a symbol is wanted. A symbol's failure is logged, counted and
 * skipped, and its last snapshot stays. The thread never ends before generator_stop(). A database
 * that cannot be used (missing, locked, unreadable) is logged once when that begins and once when
 * it ends, and tried in each tick, wanted or not, until it does.
 *
 * Where the past is replayed, each tick moves it on before all else, and snapshots say so.
 *
 * All callbacks run on the generator's thread. */
#ifndef HEATCAST_ENGINE_GENERATOR_H
#define HEATCAST_ENGINE_GENERATOR_H

#include "engine/replay.h"
#include "model/interest.h"
#include "model/model.h"
#include "model/publication.h"
#include "model/snapshot.h"
#include "store/store.h"

struct generator;

#define GENERATOR_BATCH_MS 50

enum generator_skip {
    GENERATOR_SKIP_UNCHANGED,
    GENERATOR_SKIP_LOCKED,
    GENERATOR_SKIP_REPLACED, /* the file was changed while it was read */
    GENERATOR_SKIP_COUNT
};

/* Why a tick could not use the database. */
enum generator_fault {
    GENERATOR_FAULT_MISSING, /* the file, or a table or column in it */
    GENERATOR_FAULT_LOCKED,
    GENERATOR_FAULT_UNREADABLE,
    GENERATOR_FAULT_COUNT
};

/* What the thread has done so far; read it with generator_read_stats(). */
struct generator_stats {
    uint64_t ticks; /* symbol ticks: one per symbol and tick */
    uint64_t skipped[GENERATOR_SKIP_COUNT];
    uint64_t failures;
    uint64_t faults[GENERATOR_FAULT_COUNT]; /* ticks */
    uint64_t snapshots;                     /* given to on_published */
    /* Over all symbol ticks that computed; opening the database is part of the query time. */
    uint64_t query_ns_sum, compute_ns_sum, computed;
};

struct generator_options {
    struct store *store;       /* must outlive the generator */
    const struct model *model; /* constant */
    /* These three must outlive it, too. */
    const struct symbol_list *symbols;
    const struct bucket_map *buckets;
    const struct model_settings *settings;
    double interval_seconds;      /* between two ticks of the database */
    double live_interval_seconds; /* between two snapshots of what a symbol was fed */
    bool is_filled;               /* a source of this process fills the database */
    struct replay *replay;        /* must outlive it, too; NULL: the data are of now */
    uint64_t epoch;               /* of its snapshots; 0: it rests until generator_lead() */

    /* Whether this symbol is to be computed in a tick. */
    bool (*is_wanted)(size_t symbol_index, void *context);
    /* Snapshots of one epoch that changed in one tick, of different symbols, valid during the call.
     * Those of one tick come together, except that a symbol does not wait much longer than
     * GENERATOR_BATCH_MS for the others. */
    void (*on_published)(const struct publication *published, size_t count, void *context);
    /* The outcome of each symbol tick, after its snapshot was published: STATUS_OK (a snapshot
     * exists and is current), STATUS_NO_DATA, or what went wrong, with its message (NULL when OK).
     */
    void (*on_checked)(size_t symbol_index, enum status status, const char *message, void *context);
    /* What is known of a symbol's newest candle, in the database or fed: at each change of the
     * file, and when one is fed, whether the symbol is wanted or not. 0: there is none any more.
     * May be NULL. */
    void (*on_newest)(size_t symbol_index, int64_t open_time_ms, void *context);
    /* The time of a symbol's newest stored open interest, or SURVEY_NO_INTEREST; now and then. May
     * be NULL. */
    void (*on_interest)(size_t symbol_index, int64_t time_ms, void *context);
    /* What a snapshot has cost, for histograms; `query_ns` is 0 where nothing was read for it. May
     * be NULL. */
    void (*on_computed)(size_t symbol_index, uint64_t query_ns, uint64_t compute_ns, void *context);
    void *context; /* must outlive the generator */
};

/* Starts the thread. Symbol indexes are places in `symbols`. */
struct generator *generator_start(const struct generator_options *options);

/* Gives this symbol a tick at once, wanted or not. Any thread, does not block. */
void generator_wake(struct generator *generator, size_t symbol_index);

/* STATUS_OK, or why the last tick could not use the database or failed with a symbol. Any thread,
 * does not block. */
enum status generator_check(struct generator *generator, struct error *error);

/* From now on snapshots bear this epoch, and seq begins at 1; all symbols that are wanted get a
 * tick at once, and are published whether they have changed or not. 0: it rests, without ticks. The
 * epoch that it has is no change. Any thread, does not block. */
void generator_lead(struct generator *generator, uint64_t epoch);

/* Another server has used the numbers of this epoch and symbol up to `seq`: the next snapshot's is
 * greater. Any thread, does not block. */
void generator_skip(struct generator *generator, size_t symbol_index, uint64_t epoch, uint64_t seq);

/* From now on the symbol's snapshots say what is expected by this; where it is another than before,
 * the next tick makes one. Any thread, does not block. */
void generator_calibrate(struct generator *generator, size_t symbol_index,
                         const struct calibration *calibration);

/* -- the live feed -----------------------------------------------------------------------------
 *
 * What a source in this process hears from an exchange reaches the snapshots at once, without a
 * way through the database. Fed rows lie over those of the database until the same row is stored
 * there and has been read; rows of the past that a source fills in come through the database alone.
 *
 * Any thread; none of these blocks, waits for a tick, or keeps what it was given a pointer to. A
 * symbol that nobody wants is fed all the same: its age is known, and its first snapshot complete.
 */

enum generator_feed_kind {
    GENERATOR_FEED_OPEN,   /* a candle as it is so far */
    GENERATOR_FEED_CLOSED, /* a candle that changes no more */
    GENERATOR_FEED_INTEREST,
};

struct generator_feed {
    enum generator_feed_kind kind;
    union {
        struct candle candle;
        struct interest interest;
    };
};

/* The two functions below say what it does. */
void generator_feed(struct generator *generator, size_t symbol_index,
                    const struct generator_feed *feed);

/* A candle of five minutes. Of one that is open the newest given counts; once it was given as
 * closed, open ones of its time or before are passed over (they come late), and another closed one
 * replaces it. Not kept is a candle with a price of 0 or below, or whose time is no multiple of
 * CANDLE_MS. The snapshot follows at once, or where one of this symbol was published less than the
 * live interval ago, when that is over; a candle that closes does not wait for it. */
static inline void generator_feed_candle(struct generator *generator, size_t symbol_index,
                                         const struct candle *candle, bool is_closed)
{
    const struct generator_feed feed = {
        .kind = is_closed ? GENERATOR_FEED_CLOSED : GENERATOR_FEED_OPEN, .candle = *candle};
    generator_feed(generator, symbol_index, &feed);
}

/* Open interest. The newest given of each five minutes counts, until the database has rows of these
 * five minutes. It wakes the generator as an open candle does; the same again does not. */
static inline void generator_feed_interest(struct generator *generator, size_t symbol_index,
                                           const struct interest *interest)
{
    const struct generator_feed feed = {.kind = GENERATOR_FEED_INTEREST, .interest = *interest};
    generator_feed(generator, symbol_index, &feed);
}

/* Any thread, does not block. */
void generator_read_stats(struct generator *generator, struct generator_stats *stats);

/* Interrupts a query, ends the thread and frees everything; returns when it is gone. NULL is
 * harmless. */
void generator_stop(struct generator *generator);

#endif
