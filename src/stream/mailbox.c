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

#include <stdlib.h>

void mailbox_init(struct mailbox *mailbox, size_t symbol_count, void (*wake)(void *context),
                  void *context)
{
    *mailbox = (struct mailbox){
        .symbol_count = symbol_count,
        .slots = memory_allocate_lines(symbol_count, sizeof *mailbox->slots),
        .waiting = memory_allocate_zeroed(symbol_count, sizeof *mailbox->waiting),
        .wake = wake,
        .context = context,
    };
    check(pthread_mutex_init(&mailbox->lock, NULL) == 0);
}

void mailbox_deinit(struct mailbox *mailbox)
{
    for (size_t i = 0; i < mailbox->symbol_count; i++)
        frame_release(mailbox->slots[i].frame);
    for (size_t i = 0; i < mailbox->print_count; i++)
        frame_release(mailbox->prints[(mailbox->print_first + i) % MAILBOX_PRINTS_MAX]);
    free(mailbox->prints);
    free(mailbox->slots);
    free(mailbox->waiting);
    pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_close(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->wake = NULL;
    pthread_mutex_unlock(&mailbox->lock);
}

/* The slot of a symbol that there will be mail of. */
static struct mail *open_slot(struct mailbox *mailbox, size_t symbol_index)
{
    check(symbol_index < mailbox->symbol_count);
    struct mail *slot = &mailbox->slots[symbol_index];
    if (slot->frame == NULL && !slot->is_checked) {
        slot->symbol_index = (uint32_t)symbol_index;
        mailbox->waiting[mailbox->waiting_count++] = (uint32_t)symbol_index;
    }
    return slot;
}

static void announce(struct mailbox *mailbox)
{
    if (mailbox->wake != NULL)
        mailbox->wake(mailbox->context);
}

void mailbox_put_frames(struct mailbox *mailbox, struct frame *const frames[], size_t count,
                        struct frame *replaced[])
{
    pthread_mutex_lock(&mailbox->lock);
    for (size_t i = 0; i < count; i++) {
        struct mail *slot = open_slot(mailbox, frames[i]->symbol_index);
        replaced[i] = slot->frame;
        slot->frame = frame_acquire(frames[i]);
    }
    if (count > 0)
        announce(mailbox);
    pthread_mutex_unlock(&mailbox->lock);
}

void mailbox_put_print(struct mailbox *mailbox, struct frame *frame)
{
    pthread_mutex_lock(&mailbox->lock);
    if (mailbox->prints == NULL)
        mailbox->prints = memory_allocate_zeroed(MAILBOX_PRINTS_MAX, sizeof *mailbox->prints);
    if (mailbox->print_count == MAILBOX_PRINTS_MAX) {
        frame_release(mailbox->prints[mailbox->print_first]);
        mailbox->print_first = (mailbox->print_first + 1) % MAILBOX_PRINTS_MAX;
        mailbox->print_count--;
    }
    const size_t place = (mailbox->print_first + mailbox->print_count++) % MAILBOX_PRINTS_MAX;
    mailbox->prints[place] = frame_acquire(frame);
    announce(mailbox);
    pthread_mutex_unlock(&mailbox->lock);
}

size_t mailbox_take_prints(struct mailbox *mailbox, struct frame *prints[], size_t count_max)
{
    size_t count = 0;
    pthread_mutex_lock(&mailbox->lock);
    for (; count < count_max && mailbox->print_count > 0; count++, mailbox->print_count--) {
        prints[count] = mailbox->prints[mailbox->print_first];
        mailbox->print_first = (mailbox->print_first + 1) % MAILBOX_PRINTS_MAX;
    }
    pthread_mutex_unlock(&mailbox->lock);
    return count;
}

void mailbox_put_checked(struct mailbox *mailbox, size_t symbol_index, enum status status)
{
    pthread_mutex_lock(&mailbox->lock);
    struct mail *slot = open_slot(mailbox, symbol_index);
    slot->is_checked = true;
    slot->status = status;
    announce(mailbox);
    pthread_mutex_unlock(&mailbox->lock);
}

size_t mailbox_take(struct mailbox *mailbox, struct mail mail[])
{
    pthread_mutex_lock(&mailbox->lock);
    size_t count = mailbox->waiting_count;
    for (size_t i = 0; i < count; i++) {
        struct mail *slot = &mailbox->slots[mailbox->waiting[i]];
        mail[i] = *slot;
        *slot = (struct mail){0};
    }
    mailbox->waiting_count = 0;
    pthread_mutex_unlock(&mailbox->lock);
    return count;
}
