/* Mailboxes: the newest frame of each symbol, however many came, and threads that never lose one.
 */
#include "mail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static struct frame *make_frame(uint32_t symbol, uint64_t seq)
{
    return frame_create(symbol, 1, seq, 0, "{}", 2);
}

static void put(struct mailbox *mailbox, uint32_t symbol, uint64_t seq)
{
    struct frame *frame = make_frame(symbol, seq);
    struct frame *replaced;
    mailbox_put_frames(mailbox, &frame, 1, &replaced);
    frame_release(replaced);
    frame_release(frame);
}

static void count_wakes(void *context)
{
    ++*(int *)context;
}

static void an_empty_mailbox_gives_nothing(void **state)
{
    (void)state;
    struct mailbox mailbox;
    struct mail mail[MAIL_SYMBOLS];
    mailbox_init(&mailbox, MAIL_SYMBOLS, NULL, NULL);
    assert_false(spread_mail(&mailbox, mail));
    mailbox_deinit(&mailbox);
}

static void a_newer_frame_replaces_one_that_was_not_taken(void **state)
{
    (void)state;
    struct mailbox mailbox;
    struct mail mail[MAIL_SYMBOLS];
    int wakes = 0;
    mailbox_init(&mailbox, MAIL_SYMBOLS, count_wakes, &wakes);
    put(&mailbox, 0, 1);
    put(&mailbox, 0, 2);
    put(&mailbox, MAIL_SYMBOLS - 1, 7);
    assert_int_equal(wakes, 3);
    assert_true(spread_mail(&mailbox, mail));
    assert_int_equal(mail[0].frame->seq, 2);
    assert_false(mail[0].is_checked);
    assert_int_equal(mail[MAIL_SYMBOLS - 1].frame->seq, 7);
    for (size_t i = 1; i < MAIL_SYMBOLS - 1; i++)
        assert_null(mail[i].frame);
    assert_false(spread_mail(&mailbox, mail)); /* it was all of it */
    frame_release(mail[0].frame);
    frame_release(mail[MAIL_SYMBOLS - 1].frame);
    mailbox_deinit(&mailbox);
}

static void frames_that_are_put_together_wake_once_and_come_as_one_mail(void **state)
{
    (void)state;
    struct mailbox mailbox;
    struct mail mail[MAIL_SYMBOLS];
    struct frame *frames[] = {make_frame(0, 2), make_frame(3, 1)}, *replaced[2];
    int wakes = 0;
    mailbox_init(&mailbox, MAIL_SYMBOLS, count_wakes, &wakes);
    put(&mailbox, 0, 1);
    mailbox_put_frames(&mailbox, frames, 2, replaced);
    assert_int_equal(wakes, 2);
    assert_int_equal(replaced[0]->seq, 1);
    assert_null(replaced[1]);
    frame_release(replaced[0]);
    mailbox_put_frames(&mailbox, NULL, 0, NULL);
    assert_int_equal(wakes, 2); /* nothing came */
    assert_true(spread_mail(&mailbox, mail));
    for (size_t i = 0; i < 2; i++) {
        assert_ptr_equal(mail[frames[i]->symbol_index].frame, frames[i]);
        frame_release(frames[i]); /* its own reference, and the mail's */
        frame_release(frames[i]);
    }
    mailbox_deinit(&mailbox);
}

static void mail_comes_in_the_order_of_its_coming_each_symbol_once(void **state)
{
    (void)state;
    struct mailbox mailbox;
    struct mail mail[MAIL_SYMBOLS];
    mailbox_init(&mailbox, MAIL_SYMBOLS, NULL, NULL);
    for (int round = 0; round < 2; round++) {
        mailbox_put_checked(&mailbox, 9, STATUS_OK);
        put(&mailbox, 5, 1);
        put(&mailbox, 9, 2);
        put(&mailbox, 5, 3);
        mailbox_put_checked(&mailbox, 7, STATUS_NO_DATA);
        assert_int_equal(mailbox_take(&mailbox, mail), 3);
        assert_int_equal(mail[0].symbol_index, 9);
        assert_int_equal(mail[1].symbol_index, 5);
        assert_int_equal(mail[2].symbol_index, 7);
        assert_int_equal(mail[1].frame->seq, 3);
        frame_release(mail[0].frame);
        frame_release(mail[1].frame);
    }
    mailbox_deinit(&mailbox);
}

static void the_taker_owns_what_it_took(void **state)
{
    (void)state;
    struct mailbox mailbox;
    struct mail mail[MAIL_SYMBOLS];
    struct frame *frame = make_frame(3, 1);
    mailbox_init(&mailbox, MAIL_SYMBOLS, NULL, NULL);
    struct frame *replaced;
    mailbox_put_frames(&mailbox, &frame, 1, &replaced);
    assert_null(replaced);
    assert_int_equal(atomic_load(&frame->references), 2);
    assert_true(spread_mail(&mailbox, mail));
    mailbox_deinit(&mailbox);
    assert_ptr_equal(mail[3].frame, frame);
    assert_int_equal(atomic_load(&frame->references), 2);
    frame_release(mail[3].frame);
    frame_release(frame);
}

static void the_last_check_comes_beside_the_frame(void **state)
{
    (void)state;
    struct mailbox mailbox;
    struct mail mail[MAIL_SYMBOLS];
    mailbox_init(&mailbox, MAIL_SYMBOLS, NULL, NULL);
    mailbox_put_checked(&mailbox, 1, STATUS_BUSY);
    put(&mailbox, 1, 5);
    mailbox_put_checked(&mailbox, 1, STATUS_OK);
    mailbox_put_checked(&mailbox, 2, STATUS_NO_DATA);
    assert_true(spread_mail(&mailbox, mail));
    assert_true(mail[1].is_checked);
    assert_int_equal(mail[1].status, STATUS_OK);
    assert_int_equal(mail[1].frame->seq, 5);
    assert_true(mail[2].is_checked);
    assert_int_equal(mail[2].status, STATUS_NO_DATA);
    assert_null(mail[2].frame);
    frame_release(mail[1].frame);
    mailbox_deinit(&mailbox);
}

static void a_closed_mailbox_keeps_mail_and_does_not_wake(void **state)
{
    (void)state;
    struct mailbox mailbox;
    int wakes = 0;
    mailbox_init(&mailbox, MAIL_SYMBOLS, count_wakes, &wakes);
    mailbox_close(&mailbox);
    put(&mailbox, 0, 1);
    mailbox_put_checked(&mailbox, 0, STATUS_OK);
    assert_int_equal(wakes, 0);
    mailbox_deinit(&mailbox); /* releases the frame: which the sanitizer checks */
}

/* -- threads ----------------------------------------------------------------------------------- */

enum { ROUNDS = 20000, PUTTERS = 3 };

struct putter {
    pthread_t thread;
    struct mailbox *mailbox;
    uint32_t symbol;
};

static void *put_many(void *argument)
{
    struct putter *putter = argument;
    for (uint64_t seq = 1; seq <= ROUNDS; seq++) {
        put(putter->mailbox, putter->symbol, seq);
        if (seq % 64 == 0)
            mailbox_put_checked(putter->mailbox, putter->symbol, STATUS_OK);
    }
    return NULL;
}

static void no_newest_frame_is_lost_between_threads(void **state)
{
    (void)state;
    struct mailbox mailbox;
    struct putter putters[PUTTERS];
    uint64_t last[PUTTERS] = {0};
    mailbox_init(&mailbox, MAIL_SYMBOLS, NULL, NULL);
    for (uint32_t i = 0; i < PUTTERS; i++) {
        putters[i] = (struct putter){.mailbox = &mailbox, .symbol = i};
        assert_int_equal(pthread_create(&putters[i].thread, NULL, put_many, &putters[i]), 0);
    }
    for (bool is_done = false; !is_done;) {
        struct mail mail[MAIL_SYMBOLS];
        is_done = true;
        if (spread_mail(&mailbox, mail))
            for (size_t i = 0; i < PUTTERS; i++)
                if (mail[i].frame != NULL) {
                    assert_true(mail[i].frame->seq > last[i]);
                    assert_memory_equal(frame_json(mail[i].frame), "{}", 2);
                    last[i] = mail[i].frame->seq;
                    frame_release(mail[i].frame);
                }
        for (size_t i = 0; i < PUTTERS; i++)
            is_done = is_done && last[i] == ROUNDS;
    }
    for (size_t i = 0; i < PUTTERS; i++)
        pthread_join(putters[i].thread, NULL);
    mailbox_deinit(&mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_mailbox_gives_nothing),
        cmocka_unit_test(a_newer_frame_replaces_one_that_was_not_taken),
        cmocka_unit_test(frames_that_are_put_together_wake_once_and_come_as_one_mail),
        cmocka_unit_test(mail_comes_in_the_order_of_its_coming_each_symbol_once),
        cmocka_unit_test(the_taker_owns_what_it_took),
        cmocka_unit_test(the_last_check_comes_beside_the_frame),
        cmocka_unit_test(a_closed_mailbox_keeps_mail_and_does_not_wake),
        cmocka_unit_test(no_newest_frame_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
