/* One symbol, followed: the rows of its window in memory, as the database has them and as a source
 * of this process has fed them, and the book that runs over them (model/run.h).
 *
 * The database's rows come in blocks (store.h, "many symbols at once"), each with its digest: a
 * block whose digest is the same is not read again. refresh.h does that. What is fed lies over what
 * is stored, until the same is stored and has been read:
 *
 *     a candle that is closed, or older than the newest fed     the stored one counts
 *     the newest candle fed, while it is open                   the one with more volume counts
 *     open interest of five minutes                             the stored rows count
 *
 * Of the readings of five minutes that are fed, the newest tells the value, and the first the
 * contracts: those are the state with which the five minutes begin.
 *
 * Belongs to one thread, the generator's. */
#ifndef HEATCAST_ENGINE_FOLLOWER_H
#define HEATCAST_ENGINE_FOLLOWER_H

#include "model/interest.h"
#include "model/run.h"
#include "store/store.h"

/* Slots of which fed rows are kept until they are stored, for each symbol: a day. Beyond that the
 * oldest are dropped. */
#define FOLLOWER_FED_MAX 288

/* A window that is longer is read anew at each change, and not kept. */
#define FOLLOWER_LOOKBACK_MAX_MS (400 * DAY_MS)

/* Of candles and of open interest. */
enum { FOLLOWER_KINDS = STORE_INTEREST + 1 };

struct follower_block {
    uint64_t count[FOLLOWER_KINDS], sum[FOLLOWER_KINDS];
};

/* The digests of the blocks from `first` on. */
struct follower_blocks {
    int64_t first;
    size_t count, capacity;
    struct follower_block *blocks;
};

/* What was fed of one slot, and is not stored yet. */
struct fed_slot {
    int64_t slot;
    bool has_candle, is_closed, has_stored; /* the last: `stored` lies under the candle */
    struct candle candle, stored;
    double interest, contracts; /* 0: none */
    int64_t contracts_ms;       /* of the reading that they are of */
};

struct follower {
    const char *symbol;
    const struct model *model;
    const struct model_settings *settings;

    /* Whether the slots hold what the database has, and whether they can: every candle is on a mark
     * of five minutes, as is where the window begins. */
    bool is_loaded, is_regular;
    bool has_newest;   /* the database has candles of this symbol */
    int64_t newest_ms; /* open time of the newest of them */
    int64_t retry_ms;  /* one that is not regular may be again when the newest is later than this */
    struct slots slots;
    struct run run;          /* its book is NULL until it is needed */
    struct change_sums sums; /* of the candles that snapshots were made of */
    struct follower_blocks loaded, seen;

    size_t fed_count, fed_capacity;
    struct fed_slot *fed;          /* in order of time */
    int64_t fed_slot, closed_slot; /* of the newest candle that was ever fed, and fed as closed */
};

/* The pointers must outlive the follower. */
void follower_init(struct follower *follower, const char *symbol, const struct model *model,
                   const struct model_settings *settings);
void follower_deinit(struct follower *follower);

/* Gives back the memory of the slots; what was fed is kept. It is to be loaded again. */
void follower_unload(struct follower *follower);

/* -- fed rows ---------------------------------------------------------------------------------- */

/* As generator_feed_candle() and generator_feed_interest() say. False if it changes nothing. */
bool follower_feed_candle(struct follower *follower, const struct candle *candle, bool is_closed);
bool follower_feed_interest(struct follower *follower, const struct interest *interest);

/* -- stored rows (refresh.c) ------------------------------------------------------------------- */

/* The database's newest candle of the symbol is this one, or it has none (NULL). Prepares for the
 * digests of the blocks that the window needs with it, which are then those of `seen`, and count as
 * empty until they are seen. STATUS_NO_DATA: there is no candle, stored or fed. STATUS_INVALID: it
 * cannot be kept in memory, and is not regular from here on. STATUS_NO_MEMORY. */
enum status follower_expect(struct follower *follower, const int64_t *newest_ms);

/* A digest that is not of an expected block is passed over. */
void follower_see(struct follower *follower, enum store_kind kind,
                  const struct store_digest *digest);

/* Whether the block is to be read. */
bool follower_is_outdated(const struct follower *follower, enum store_kind kind, int64_t block);

/* Before blocks are read: the slots span those that are expected. */
bool follower_begin_load(struct follower *follower);

/* What the database has in the slots that `rows` spans. */
void follower_load(struct follower *follower, enum store_kind kind, const struct slots *rows);

/* All that was outdated has been read. `is_regular`: no candle was off its mark. */
void follower_end_load(struct follower *follower, bool is_regular);

/* -- the snapshot ------------------------------------------------------------------------------ */

/* Whether the window has come to reach into blocks that were not expected, and may be stored. */
bool follower_needs_blocks(const struct follower *follower);

/* The snapshot of the window that ends with the newest candle, stored or fed; of one that is
 * loaded. STATUS_NO_DATA: it has no candle that can be used. */
enum status follower_snapshot(struct follower *follower, struct run_books *books, int64_t bucket_e8,
                              struct snapshot *snapshot, struct error *error);

/* Open time of the newest candle, stored or fed; false if there is none. */
bool follower_newest(const struct follower *follower, int64_t *open_time_ms);

#endif
