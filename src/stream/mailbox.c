/* A loop wants the newest snapshot of each symbol and no other, so a slot for each, where the
 * newest wins, is all that has to cross between threads; a queue would need a limit, and a rule
 * for what to drop at it.
 *
 * The slots are guarded by one mutex. It is held for as long as it takes to move some pointers, by
 * two publishing threads a few times a second and by the loop when it was woken, so it is nearly
 * always free, and then costs two atomic operations a broadcast and loop. It also gives the order
 * that a crossing needs: what the putting thread wrote before (the bytes of the frame, its
 * loops_left) is there for the loop that takes it, and several frames that were put under one lock
 * are taken as one mail.
 *
 * The loop is woken with the mutex held. It costs a loop that wakes at once a moment of waiting,
 * but mailbox_close() can promise by the same mutex that no wake-up is under way when it returns,
 * and the loop's handle can be closed. */
#include "stream/mailbox.h"

#include "base/check.h"

#include <string.h>

void mailbox_init(struct mailbox *mailbox, void (*wake)(void *context), void *context)
{
    memset(mailbox, 0, sizeof *mailbox);
    check(pthread_mutex_init(&mailbox->lock, NULL) == 0);
    mailbox->wake = wake;
    mailbox->context = context;
}

void mailbox_deinit(struct mailbox *mailbox)
{
    for (size_t i = 0; i < SYMBOLS_MAX; i++)
        frame_release(mailbox->slots[i].frame);
    pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_close(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->wake = NULL;
    pthread_mutex_unlock(&mailbox->lock);
}

static void announce(struct mailbox *mailbox)
{
    mailbox->has_mail = true;
    if (mailbox->wake != NULL)
        mailbox->wake(mailbox->context);
}

void mailbox_put_frames(struct mailbox *mailbox, struct frame *const frames[], size_t count,
                        struct frame *replaced[])
{
    pthread_mutex_lock(&mailbox->lock);
    for (size_t i = 0; i < count; i++) {
        check(frames[i]->symbol_index < SYMBOLS_MAX);
        struct mail *slot = &mailbox->slots[frames[i]->symbol_index];
        replaced[i] = slot->frame;
        slot->frame = frame_acquire(frames[i]);
    }
    if (count > 0)
        announce(mailbox);
    pthread_mutex_unlock(&mailbox->lock);
}

void mailbox_put_checked(struct mailbox *mailbox, size_t symbol_index, enum status status)
{
    check(symbol_index < SYMBOLS_MAX);
    pthread_mutex_lock(&mailbox->lock);
    mailbox->slots[symbol_index].is_checked = true;
    mailbox->slots[symbol_index].status = status;
    announce(mailbox);
    pthread_mutex_unlock(&mailbox->lock);
}

bool mailbox_take(struct mailbox *mailbox, struct mail mail[static SYMBOLS_MAX])
{
    pthread_mutex_lock(&mailbox->lock);
    bool has_mail = mailbox->has_mail;
    if (has_mail) {
        memcpy(mail, mailbox->slots, sizeof mailbox->slots);
        memset(mailbox->slots, 0, sizeof mailbox->slots);
        mailbox->has_mail = false;
    }
    pthread_mutex_unlock(&mailbox->lock);
    return has_mail;
}
