/* The publisher: one frame for all loops, the order of snapshots, and which symbols are wanted. */
#include "fake_clock.h"
#include "mail.h"
#include "publish.h"

#include "stream/publisher.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

enum { BTC, ETH, MAILBOXES = 3 };

static struct symbol_list symbols;
static struct publisher *publisher;
static struct mailbox mailboxes[MAILBOXES];
static atomic_uint wanted_count[2];
static atomic_uint broadcast_count;
static atomic_uint_least64_t broadcast_ns; /* of the last one */

static void on_wanted(size_t symbol_index, void *context)
{
    (void)context;
    atomic_fetch_add(&wanted_count[symbol_index], 1);
}

static void on_broadcast(size_t symbol_index, uint64_t duration_ns, void *context)
{
    assert_int_equal(symbol_index, BTC);
    assert_ptr_equal(context, &symbols);
    atomic_store(&broadcast_ns, duration_ns);
    atomic_fetch_add(&broadcast_count, 1);
}

static int start(void **state)
{
    (void)state;
    value_parse_symbols("BTCUSDT,ETHUSDT", &symbols, NULL);
    publisher = publisher_create(&symbols, on_wanted, NULL);
    for (size_t i = 0; i < MAILBOXES; i++) {
        mailbox_init(&mailboxes[i], MAIL_SYMBOLS, NULL, NULL);
        publisher_add_mailbox(publisher, &mailboxes[i]);
    }
    publisher_observe(publisher, on_broadcast, &symbols);
    atomic_store(&broadcast_count, 0);
    atomic_store(&wanted_count[BTC], 0);
    atomic_store(&wanted_count[ETH], 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    publisher_destroy(publisher);
    for (size_t i = 0; i < MAILBOXES; i++)
        mailbox_deinit(&mailboxes[i]);
    return 0;
}

#define TIME_MS INT64_C(1766932200000)

static bool publish_content(size_t symbol, uint64_t epoch, uint64_t seq, uint64_t hash)
{
    return publish_data(publisher, &symbols, symbol, epoch, seq, hash, "{\"levels\":[]}");
}

/* Each with a content of its own. */
static uint64_t hash_of(uint64_t epoch, uint64_t seq)
{
    return epoch << 32 | seq;
}

static bool publish(size_t symbol, uint64_t epoch, uint64_t seq)
{
    return publish_content(symbol, epoch, seq, hash_of(epoch, seq));
}

static unsigned wanted(size_t symbol)
{
    return atomic_exchange(&wanted_count[symbol], 0);
}

static uint64_t newest_seq(size_t symbol)
{
    struct frame *frame = publisher_newest(publisher, symbol);
    uint64_t seq = frame != NULL ? frame->seq : 0;
    frame_release(frame);
    return seq;
}

/* -- frames ------------------------------------------------------------------------------------ */

static void all_loops_get_the_same_frame(void **state)
{
    (void)state;
    publish(ETH, 9, 4);
    struct frame *newest = publisher_newest(publisher, ETH);
    for (size_t i = 0; i < MAILBOXES; i++) {
        struct mail mail[MAIL_SYMBOLS];
        assert_true(spread_mail(&mailboxes[i], mail));
        assert_ptr_equal(mail[ETH].frame, newest);
        assert_null(mail[BTC].frame);
        frame_release(mail[ETH].frame);
    }
    static const char json[] =
        "{\"type\":\"snapshot\",\"symbol\":\"ETHUSDT\",\"timestamp\":\"2025-12-28T14:30:00Z\","
        "\"epoch\":9,\"seq\":4,\"data\":{\"levels\":[]}}";
    assert_int_equal(frame_json_size(newest), sizeof json - 1);
    assert_memory_equal(frame_json(newest), json, sizeof json - 1);
    assert_int_equal(newest->hash, hash_of(9, 4));
    assert_int_equal(newest->symbol_index, ETH);
    assert_int_equal((unsigned char)newest->bytes[0], 0x81);
    assert_int_equal(newest->header_size + sizeof json - 1, newest->size);
    frame_release(newest);
    assert_int_equal(newest_seq(BTC), 0);
}

static void an_older_snapshot_never_takes_the_place_of_a_newer_one(void **state)
{
    (void)state;
    publish(BTC, 2, 5);
    for (size_t i = 0; i < MAILBOXES; i++) {
        struct mail mail[MAIL_SYMBOLS];
        assert_true(spread_mail(&mailboxes[i], mail));
        frame_release(mail[BTC].frame);
    }
    assert_false(publish(BTC, 2, 4));
    assert_false(publish(BTC, 2, 5));
    assert_false(publish(BTC, 1, 99));
    assert_int_equal(newest_seq(BTC), 5);
    struct mail mail[MAIL_SYMBOLS];
    assert_false(spread_mail(&mailboxes[0], mail));
    assert_true(publish(BTC, 3, 1)); /* a new generator begins */
    assert_int_equal(newest_seq(BTC), 1);
    assert_true(spread_mail(&mailboxes[0], mail));
    frame_release(mail[BTC].frame);
}

/* A text of its own for each symbol, so that a frame is known by its bytes. */
static struct publication publication_of(size_t symbol, uint64_t seq, uint64_t hash)
{
    static const char *const texts[] = {[BTC] = "\"btc\"", [ETH] = "\"eth\""};
    return (struct publication){.symbol_index = symbol,
                                .timestamp_ms = TIME_MS,
                                .epoch = 1,
                                .seq = seq,
                                .hash = hash,
                                .text = texts[symbol],
                                .text_size = 5};
}

/* Of a batch whose frames differ in what becomes of them, the loops get those that are news. */
static void a_batch_comes_to_each_loop_as_one_mail_of_what_is_news(void **state)
{
    (void)state;
    struct frame *first[2], *second[2];
    struct mail mail[MAIL_SYMBOLS];
    publisher_publish(publisher,
                      (struct publication[]){publication_of(ETH, 1, 7), publication_of(BTC, 1, 8)},
                      2, first);
    assert_int_equal(first[0]->symbol_index, ETH);
    assert_memory_equal(frame_json(first[0]), "\"eth\"", 5);
    for (size_t i = 0; i < MAILBOXES - 1; i++) {
        assert_true(spread_mail(&mailboxes[i], mail));
        assert_ptr_equal(mail[ETH].frame, first[0]);
        assert_ptr_equal(mail[BTC].frame, first[1]);
        frame_release(mail[ETH].frame);
        frame_release(mail[BTC].frame);
    }
    publisher_publish(publisher,
                      (struct publication[]){publication_of(BTC, 1, 9), publication_of(ETH, 2, 7)},
                      2, second);
    assert_null(second[0]);                                    /* old */
    assert_int_equal(second[1]->seq, 2);                       /* the same content */
    assert_false(spread_mail(&mailboxes[0], mail));            /* neither is news */
    assert_true(spread_mail(&mailboxes[MAILBOXES - 1], mail)); /* the first batch waits here */
    assert_ptr_equal(mail[ETH].frame, first[0]);
    frame_release(mail[ETH].frame);
    frame_release(mail[BTC].frame);
    assert_int_equal(newest_seq(ETH), 2);
    frame_release(first[0]);
    frame_release(first[1]);
    frame_release(second[1]);
}

/* -- the compressed form ------------------------------------------------------------------------
 */

static bool is_newest_deflated(size_t symbol)
{
    struct frame *frame = publisher_newest(publisher, symbol);
    bool is_deflated = frame_deflated(frame) != NULL;
    frame_release(frame);
    return is_deflated;
}

static void frames_are_compressed_while_a_client_wants_that(void **state)
{
    (void)state;
    publish(BTC, 9, 1);
    assert_false(is_newest_deflated(BTC));
    publisher_add_deflater(publisher);
    publisher_add_deflater(publisher);
    publisher_checked(publisher, BTC, STATUS_OK); /* the one that is there, at the next check */
    assert_true(is_newest_deflated(BTC));
    publish(BTC, 9, 2);
    assert_true(is_newest_deflated(BTC));
    publisher_remove_deflater(publisher);
    publisher_remove_deflater(publisher);
    publish(BTC, 9, 3);
    assert_false(is_newest_deflated(BTC));
}

static void an_http_request_wants_compressed_frames_for_a_while(void **state)
{
    (void)state;
    publisher_request(publisher, BTC, false);
    publish(BTC, 9, 1);
    assert_false(is_newest_deflated(BTC));
    publisher_checked(publisher, BTC, STATUS_OK);
    assert_true(publisher_request(publisher, BTC, false));
    wanted(BTC);
    assert_false(publisher_request(publisher, BTC, true)); /* current, but not compressed yet */
    assert_int_equal(wanted(BTC), 1);
    publisher_checked(publisher, BTC, STATUS_OK);
    assert_true(is_newest_deflated(BTC));
    assert_true(publisher_request(publisher, BTC, true));
    publish(BTC, 9, 2);
    assert_true(is_newest_deflated(BTC));
    fake_clock_advance_ms(PUBLISHER_HTTP_INTEREST_MS + 1);
    publish(BTC, 9, 3);
    assert_false(is_newest_deflated(BTC));
}

static void the_same_content_replaces_the_last_one_and_is_not_broadcast(void **state)
{
    (void)state;
    struct mail mail[MAIL_SYMBOLS];
    publish_content(BTC, 2, 5, 0xABCD);
    assert_true(spread_mail(&mailboxes[0], mail));
    frame_release(mail[BTC].frame);
    assert_true(publish_content(BTC, 3, 1, 0xABCD));
    assert_false(spread_mail(&mailboxes[0], mail));
    assert_int_equal(newest_seq(BTC), 1);
    assert_false(publish_content(BTC, 2, 6, 0xABCE)); /* and yet older */
    assert_true(publish_content(BTC, 3, 2, 0xABCE));
    assert_true(spread_mail(&mailboxes[0], mail));
    frame_release(mail[BTC].frame);
}

static void a_ready_made_message_goes_out_byte_for_byte(void **state)
{
    (void)state;
    static const char json[] = " {\"any\": \"text\"}\n";
    const struct publication made = {.symbol_index = ETH,
                                     .timestamp_ms = TIME_MS,
                                     .epoch = 4,
                                     .seq = 2,
                                     .hash = 77,
                                     .text = json,
                                     .text_size = sizeof json - 1};
    assert_true(publish_one(publisher, &made));
    assert_false(publish_one(publisher, &made));
    for (size_t i = 0; i < MAILBOXES; i++) {
        struct mail mail[MAIL_SYMBOLS];
        assert_true(spread_mail(&mailboxes[i], mail));
        assert_int_equal(frame_json_size(mail[ETH].frame), sizeof json - 1);
        assert_memory_equal(frame_json(mail[ETH].frame), json, sizeof json - 1);
        assert_int_equal(mail[ETH].frame->hash, 77);
        frame_release(mail[ETH].frame);
    }
    assert_int_equal(publisher_data_time_ms(publisher, ETH), TIME_MS);
    /* The generator's own follows on it. */
    assert_false(publish(ETH, 4, 1));
    assert_true(publish(ETH, 4, 3));
}

/* -- how long a broadcast takes ---------------------------------------------------------------- */

/* The loop fetches its mail; its subscribers have had it `after_ms` from now, or took nothing. */
static void finish_loop(size_t loop, bool is_taken, uint64_t after_ms)
{
    struct mail mail[MAIL_SYMBOLS];
    assert_true(spread_mail(&mailboxes[loop], mail));
    publisher_delivered(publisher, mail[BTC].frame,
                        is_taken ? fake_now_ns + after_ms * 1000000 : 0);
    frame_release(mail[BTC].frame);
}

static void a_broadcast_takes_as_long_as_its_latest_loop(void **state)
{
    (void)state;
    publish(BTC, 1, 1);
    finish_loop(2, true, 7);
    finish_loop(0, true, 30); /* done last, and not the last to say so */
    assert_int_equal(atomic_load(&broadcast_count), 0);
    finish_loop(1, true, 20);
    assert_int_equal(atomic_load(&broadcast_count), 1);
    assert_int_equal(atomic_load(&broadcast_ns), 30000000);
}

static void loops_that_delivered_nothing_do_not_count(void **state)
{
    (void)state;
    publish(BTC, 1, 1);
    finish_loop(0, true, 5);
    finish_loop(1, false, 100);
    finish_loop(2, false, 900);
    assert_int_equal(atomic_load(&broadcast_count), 1);
    assert_int_equal(atomic_load(&broadcast_ns), 5000000);
    publish(BTC, 1, 2);
    for (size_t i = 0; i < MAILBOXES; i++)
        finish_loop(i, false, 1);
    assert_int_equal(atomic_load(&broadcast_count), 1); /* it reached no subscriber */
}

static void a_loop_that_never_took_a_frame_does_not_delay_its_report(void **state)
{
    (void)state;
    publish(BTC, 1, 1);
    finish_loop(0, true, 3);
    finish_loop(1, true, 4);
    fake_clock_advance_ms(1000);
    publish(BTC, 1, 2); /* takes the first one's place in the third mailbox */
    assert_int_equal(atomic_load(&broadcast_count), 1);
    assert_int_equal(atomic_load(&broadcast_ns), 4000000);
    for (size_t i = 0; i < MAILBOXES; i++)
        finish_loop(i, true, 2);
    assert_int_equal(atomic_load(&broadcast_count), 2);
    assert_int_equal(atomic_load(&broadcast_ns), 2000000);
}

static void the_data_is_as_old_as_the_newest_frame_says(void **state)
{
    (void)state;
    assert_int_equal(publisher_data_time_ms(publisher, BTC), 0);
    publish(BTC, 1, 1);
    assert_int_equal(publisher_data_time_ms(publisher, BTC), INT64_C(1766932200000));
    assert_int_equal(publisher_data_time_ms(publisher, ETH), 0);
}

/* -- what is wanted ---------------------------------------------------------------------------- */

static void the_first_subscriber_wakes_the_generator(void **state)
{
    (void)state;
    assert_false(publisher_is_wanted(publisher, BTC));
    publisher_add_subscriber(publisher, BTC);
    assert_true(publisher_is_wanted(publisher, BTC));
    assert_false(publisher_is_wanted(publisher, ETH));
    assert_int_equal(wanted(BTC), 1);
    publisher_checked(publisher, BTC, STATUS_OK);
    publisher_add_subscriber(publisher, BTC);
    assert_int_equal(wanted(BTC), 0); /* it is kept current */
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 2);
    publisher_remove_subscriber(publisher, BTC);
    publisher_remove_subscriber(publisher, BTC);
    assert_false(publisher_is_wanted(publisher, BTC));
    publisher_add_subscriber(publisher, BTC);
    assert_int_equal(wanted(BTC), 1);
    assert_int_equal(wanted(ETH), 0);
}

static void an_http_request_keeps_its_symbol_wanted_for_a_while(void **state)
{
    (void)state;
    assert_false(publisher_request(publisher, BTC, false));
    assert_int_equal(wanted(BTC), 1);
    assert_true(publisher_is_wanted(publisher, BTC));
    assert_false(publisher_request(publisher, BTC, false)); /* not checked yet */
    publisher_checked(publisher, BTC, STATUS_OK);
    wanted(BTC);
    assert_true(publisher_request(publisher, BTC, false));
    assert_int_equal(wanted(BTC), 0);
    fake_clock_advance_ms(PUBLISHER_HTTP_INTEREST_MS - 1);
    assert_true(publisher_is_wanted(publisher, BTC));
    fake_clock_advance_ms(1);
    assert_false(publisher_is_wanted(publisher, BTC));
    assert_false(publisher_request(publisher, BTC, false));
    assert_int_equal(wanted(BTC), 1);
}

static void a_subscriber_after_all_interest_ended_wakes_the_generator(void **state)
{
    (void)state;
    publisher_request(publisher, BTC, false);
    publisher_checked(publisher, BTC, STATUS_OK);
    fake_clock_advance_ms(PUBLISHER_HTTP_INTEREST_MS);
    wanted(BTC);
    publisher_add_subscriber(publisher, BTC);
    assert_int_equal(wanted(BTC), 1);
    assert_false(publisher_request(publisher, BTC, false)); /* what there is may be hours old */
}

static void a_check_that_ends_after_the_last_subscriber_left_does_not_count(void **state)
{
    (void)state;
    publisher_add_subscriber(publisher, BTC);
    publisher_remove_subscriber(publisher, BTC);
    publisher_checked(publisher, BTC, STATUS_OK);
    wanted(BTC);
    publisher_add_subscriber(publisher, BTC);
    assert_int_equal(wanted(BTC), 1);
}

/* -- threads ----------------------------------------------------------------------------------- */

enum { ROUNDS = 5000 };

/* As another server's generator would, at the same time. */
static void *publish_the_same(void *argument)
{
    (void)argument;
    for (uint64_t seq = 1; seq <= ROUNDS; seq++)
        publish_data(publisher, &symbols, BTC, 1, seq, hash_of(1, seq), "{}");
    return NULL;
}

static void *come_and_go(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        publisher_add_subscriber(publisher, BTC);
        publisher_add_deflater(publisher);
        struct frame *frame = publisher_newest(publisher, BTC);
        if (frame != NULL)
            assert_int_equal(frame_json(frame)[0], '{');
        if (frame != NULL && frame_deflated(frame) != NULL)
            assert_int_equal((unsigned char)frame_deflated(frame)->bytes[0], 0xC1);
        frame_release(frame);
        publisher_request(publisher, ETH, true);
        publisher_remove_deflater(publisher);
        publisher_remove_subscriber(publisher, BTC);
    }
    return NULL;
}

static void *take_mail(void *argument)
{
    struct mailbox *mailbox = argument;
    for (uint64_t last = 0; last < ROUNDS;) {
        struct mail mail[MAIL_SYMBOLS];
        if (!spread_mail(mailbox, mail) || mail[BTC].frame == NULL)
            continue;
        assert_true(mail[BTC].frame->seq > last);
        last = mail[BTC].frame->seq;
        publisher_delivered(publisher, mail[BTC].frame, last % 3 == 0 ? fake_now_ns : 0);
        frame_release(mail[BTC].frame);
    }
    return NULL;
}

static void threads_publish_read_and_count_together(void **state)
{
    (void)state;
    pthread_t other, clients[2], loops[MAILBOXES];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, come_and_go, NULL), 0);
    for (size_t i = 0; i < MAILBOXES; i++)
        assert_int_equal(pthread_create(&loops[i], NULL, take_mail, &mailboxes[i]), 0);
    assert_int_equal(pthread_create(&other, NULL, publish_the_same, NULL), 0);
    for (uint64_t seq = 1; seq <= ROUNDS; seq++) {
        publish(BTC, 1, seq);
        publisher_checked(publisher, BTC, STATUS_OK);
    }
    pthread_join(other, NULL);
    for (size_t i = 0; i < 2; i++)
        pthread_join(clients[i], NULL);
    for (size_t i = 0; i < MAILBOXES; i++)
        pthread_join(loops[i], NULL);
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 0);
    assert_int_equal(newest_seq(BTC), ROUNDS);
    assert_true(atomic_load(&broadcast_count) <= ROUNDS / 3);
}

#define fact(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(all_loops_get_the_same_frame),
        fact(an_older_snapshot_never_takes_the_place_of_a_newer_one),
        fact(a_batch_comes_to_each_loop_as_one_mail_of_what_is_news),
        fact(frames_are_compressed_while_a_client_wants_that),
        fact(an_http_request_wants_compressed_frames_for_a_while),
        fact(the_same_content_replaces_the_last_one_and_is_not_broadcast),
        fact(a_ready_made_message_goes_out_byte_for_byte),
        fact(a_broadcast_takes_as_long_as_its_latest_loop),
        fact(loops_that_delivered_nothing_do_not_count),
        fact(a_loop_that_never_took_a_frame_does_not_delay_its_report),
        fact(the_data_is_as_old_as_the_newest_frame_says),
        fact(the_first_subscriber_wakes_the_generator),
        fact(an_http_request_keeps_its_symbol_wanted_for_a_while),
        fact(a_subscriber_after_all_interest_ended_wakes_the_generator),
        fact(a_check_that_ends_after_the_last_subscriber_left_does_not_count),
        fact(threads_publish_read_and_count_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
