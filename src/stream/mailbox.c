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
