/* The one place where threads meet: what the generator has for a worker loop.
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
    unsigned holds; /* nobody is woken while there are any */
    /* Makes the loop call mailbox_take() soon; runs on the putting thread, under the lock, so that
     * the loop's end (mailbox_close) cannot come in between. Must not block (uv_async_send). */
    void (*wake)(void *context);
    void *context;
};

void mailbox_init(struct mailbox *mailbox, void (*wake)(void *context), void *context);
void mailbox_deinit(struct mailbox *mailbox); /* releases the frames still inside */

/* The loop ends: from here on mail is kept, but nobody is woken. */
void mailbox_close(struct mailbox *mailbox);

/* Between the two the loop is not woken: what is put in meanwhile comes as one mail, unless the
 * loop looks by itself. Any thread, several at once. */
void mailbox_hold(struct mailbox *mailbox);
void mailbox_release(struct mailbox *mailbox);

/* Takes a reference of its own. Returns the frame that was never fetched and gave way, with its
 * reference for the caller, or NULL. */
struct frame *mailbox_put_frame(struct mailbox *mailbox, struct frame *frame)
    __attribute__((warn_unused_result));
void mailbox_put_checked(struct mailbox *mailbox, size_t symbol_index, enum status status);

/* Moves everything out. `mail` has SYMBOLS_MAX places. False if there was nothing. */
bool mailbox_take(struct mailbox *mailbox, struct mail mail[static SYMBOLS_MAX]);

#endif
