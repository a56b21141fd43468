/* What other threads have for a loop: a worker's, or the main loop (cluster/outgoing.c).
 *
 * A mailbox holds one slot a symbol, not a queue: a newer frame replaces one that the loop has not
 * taken yet, so a loop that lags costs nothing and cannot be flooded. What it costs to put and to
 * take is the symbols that there is mail of, and not those that there are. Any thread may put; the
 * loop alone takes. */
#ifndef HEATCAST_STREAM_MAILBOX_H
#define HEATCAST_STREAM_MAILBOX_H

#include "base/error.h"
#include "stream/frame.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mail {
    struct frame *frame; /* a new snapshot, with a reference for the taker; or NULL */
    uint32_t symbol_index;
    bool is_checked;    /* the symbol was checked for news since the last mail */
    enum status status; /* what that found: OK, NO_DATA, or why there is nothing newer */
};

/* Liquidations that a mailbox holds at most, of all symbols; the oldest give way. The loop finds by
 * their numbers that some are missing. */
#define MAILBOX_PRINTS_MAX 1024

struct mailbox {
    pthread_mutex_t lock; /* guards all that follows */
    size_t symbol_count;
    struct mail *slots; /* by symbol */
    size_t waiting_count;
    uint32_t *waiting; /* symbols that there is mail of, each once */
    size_t print_first, print_count;
    struct frame **prints; /* a ring of MAILBOX_PRINTS_MAX; NULL: there was none yet */
    /* Makes the loop call mailbox_take() soon. Called on the putting thread with the lock held, so
     * it must not block (uv_async_send). NULL: the loop has ended, or needs no waking. */
    void (*wake)(void *context);
    void *context;
};

/* `wake` may be NULL. */
void mailbox_init(struct mailbox *mailbox, size_t symbol_count, void (*wake)(void *context),
                  void *context);
void mailbox_deinit(struct mailbox *mailbox); /* releases the frames still inside */

/* The loop ends: when this has returned, `wake` is not running and is not called any more. Mail is
 * still kept, until mailbox_deinit(). */
void mailbox_close(struct mailbox *mailbox);

/* Puts frames of different symbols in at once: the loop takes all of them as one mail. Takes a
 * reference of each. `replaced[i]` becomes the frame of the same symbol that the loop has not
 * taken and does not get any more, with its reference for the caller, or NULL. */
void mailbox_put_frames(struct mailbox *mailbox, struct frame *const frames[], size_t count,
                        struct frame *replaced[]);

/* Puts a liquidation in, with a reference of its own. */
void mailbox_put_print(struct mailbox *mailbox, struct frame *frame);

/* Moves liquidations out, at most `count_max`, in the order in which they came. */
size_t mailbox_take_prints(struct mailbox *mailbox, struct frame *prints[], size_t count_max);

/* Says that a symbol was checked. A frame that the same thread put before comes with this mail or
 * an earlier one. */
void mailbox_put_checked(struct mailbox *mailbox, size_t symbol_index, enum status status);

/* Moves everything out, one mail a symbol, in the order in which they came; `mail` has room for all
 * symbols. Returns how many there were. */
size_t mailbox_take(struct mailbox *mailbox, struct mail mail[]);

#endif
