/* What publishing threads have for a worker loop.
 *
 * A mailbox holds one slot a symbol, not a queue: a newer frame replaces one that the loop has not
 * fetched yet, so a loop that lags costs nothing and can never be flooded. Putting is safe on any
 * thread; taking belongs to the loop. */
#ifndef HEATCAST_STREAM_MAILBOX_H
#define HEATCAST_STREAM_MAILBOX_H

#include "base/error.h"
#include "config/value.h"
#include "stream/frame.h"

#include <pthread.h>
#include <stdbool.h>

struct mail {
    struct frame *frame; /* a new snapshot, with a reference for the taker; or NULL */
    bool is_checked;     /* the generator has looked at the symbol since the last mail */
    enum status status;  /* what it found: OK, NO_DATA, or why there is nothing newer */
};

struct mailbox {
    pthread_mutex_t lock; /* guards the slots; held for a few instructions only */
    struct mail slots[SYMBOLS_MAX];
    bool has_mail;
    /* Makes the loop call mailbox_take() soon; runs on the putting thread, under the lock, so that
     * the loop's end (mailbox_close) cannot come in between. Must not block (uv_async_send). */
    void (*wake)(void *context);
    void *context;
};

void mailbox_init(struct mailbox *mailbox, void (*wake)(void *context), void *context);
void mailbox_deinit(struct mailbox *mailbox); /* releases the frames still inside */

/* The loop ends: from here on mail is kept, but nobody is woken. */
void mailbox_close(struct mailbox *mailbox);

/* Puts frames of different symbols in at once, so that the loop takes them as one mail. Takes a
 * reference of each. `replaced[i]` becomes the frame of the same symbol that frames[i] replaced
 * before the loop took it, with its reference for the caller, or NULL. */
void mailbox_put_frames(struct mailbox *mailbox, struct frame *const frames[], size_t count,
                        struct frame *replaced[]);
void mailbox_put_checked(struct mailbox *mailbox, size_t symbol_index, enum status status);

/* Moves everything out. `mail` has SYMBOLS_MAX places. False if there was nothing. */
bool mailbox_take(struct mailbox *mailbox, struct mail mail[static SYMBOLS_MAX]);

#endif
