/* The outbox against a writer that takes as much as it likes: what comes out is always a sequence
 * of whole frames, in the order of docs/protocol.md, with the newest snapshots. */
#include "stream/outbox.h"

#include "base/check.h"
#include "server_frames.h"
#include "wire/deflate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define SECOND_NS UINT64_C(1000000000)

enum { SLOTS = 3 };

struct fixture {
    struct outbox outbox;
    struct outbox_slot slots[SLOTS];
    struct outbox_meter meter;
    struct buffer written;
    size_t room;     /* what the writer still takes */
    size_t per_call; /* and at most in one call */
    bool is_broken;
    uint64_t now_ns;
};

static ssize_t write_some(void *context, const struct iovec *pieces, int count)
{
    struct fixture *f = context;
    size_t taken = 0;
    assert_true(count > 0);
    if (f->is_broken)
        return -1;
    for (int i = 0; i < count; i++) {
        size_t left = (f->room < f->per_call ? f->room : f->per_call) - taken;
        size_t size = pieces[i].iov_len < left ? pieces[i].iov_len : left;
        assert_true(pieces[i].iov_len > 0);
        buffer_append(&f->written, pieces[i].iov_base, size);
        taken += size;
        if (size < pieces[i].iov_len)
            break;
    }
    f->room -= taken;
    return (ssize_t)taken;
}

static struct fixture *begin(void)
{
    struct fixture *f = memory_allocate_zeroed(1, sizeof *f);
    outbox_init(&f->outbox);
    outbox_meter_init(&f->meter, SLOTS);
    for (size_t i = 0; i < SLOTS; i++)
        outbox_add_slot(&f->outbox, &f->slots[i]);
    f->room = f->per_call = SIZE_MAX;
    f->now_ns = 100 * SECOND_NS;
    return f;
}

static void finish(struct fixture *f)
{
    for (size_t i = 0; i < SLOTS; i++)
        outbox_remove_slot(&f->outbox, &f->slots[i]);
    outbox_deinit(&f->outbox);
    outbox_meter_deinit(&f->meter);
    buffer_deinit(&f->written);
    free(f);
}

/* Offers "<symbol>:<seq>" with dots behind it, `size` bytes in all; published now. */
static bool offer(struct fixture *f, size_t symbol, uint64_t seq, size_t size)
{
    char *text = malloc(size + 40);
    size_t length = (size_t)sprintf(text, "%zu:%u", symbol, (unsigned)seq);
    for (; length < size; length++)
        text[length] = '.';
    struct frame *frame = frame_create((uint32_t)symbol, 1, seq, 0, text, length);
    bool is_taken = outbox_offer(&f->outbox, &f->slots[symbol], frame, f->now_ns, &f->meter);
    frame_release(frame);
    free(text);
    return is_taken;
}

static void push(struct fixture *f, const char *text)
{
    assert_true(outbox_push_reply(&f->outbox, WS_TEXT, false, text, strlen(text)));
}

static enum outbox_result flush(struct fixture *f)
{
    return outbox_flush(&f->outbox, f->now_ns, write_some, f, &f->meter);
}

static void check_deadlines(struct fixture *f)
{
    outbox_check_deadlines(&f->outbox, f->now_ns, SECOND_NS, &f->meter);
}

/* What was written since the last call, a word a frame: its text without the dots, "warning(3)",
 * "pong". Fails unless all frames are whole. */
static void expect_written(struct fixture *f, const char *expected)
{
    struct buffer words = {0};
    struct server_frame frame = {0};
    size_t at = 0;
    while (at < f->written.size) {
        if (!server_frame_next(&f->written, &at, &frame))
            fail_msg("no whole frame at byte %zu of %zu", at, f->written.size);
        const char *dropped = memmem(frame.payload, frame.size, "dropped_messages\":", 18);
        if (frame.opcode == WS_PONG)
            buffer_append_text(&words, "pong");
        else if (dropped != NULL)
            buffer_append_format(&words, "warning(%d)", atoi(dropped + 18));
        else
            for (size_t i = 0; i < frame.size && frame.payload[i] != '.'; i++)
                buffer_append_char(&words, frame.payload[i]);
        buffer_append_char(&words, ' ');
    }
    assert_string_equal(buffer_text(&words), expected);
    buffer_deinit(&words);
    buffer_clear(&f->written);
}

static uint64_t count(atomic_uint_least64_t *counter)
{
    return atomic_load(counter);
}

/* -- whole frames, in order -------------------------------------------------------------------- */

static void an_empty_outbox_writes_nothing(void **state)
{
    (void)state;
    struct fixture *f = begin();
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "");
    finish(f);
}

static void replies_go_before_snapshots(void **state)
{
    (void)state;
    struct fixture *f = begin();
    offer(f, 1, 1, 50);
    offer(f, 0, 1, 50);
    push(f, "ack");
    assert_true(outbox_push_reply(&f->outbox, WS_PONG, false, "", 0));
    push(f, "error");
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "ack pong error 0:1 1:1 ");
    assert_int_equal(count(&f->meter.frames_sent[0]), 1);
    assert_int_equal(count(&f->meter.frames_sent[1]), 1);
    assert_int_equal(count(&f->meter.frames_sent[2]), 0);
    finish(f);
}

static void more_than_a_batch_goes_out_at_once(void **state)
{
    (void)state;
    struct fixture *f = begin();
    struct buffer expected = {0};
    for (int i = 0; i < 100; i++) {
        char text[16];
        snprintf(text, sizeof text, "r%d", i);
        push(f, text);
        buffer_append_format(&expected, "%s ", text);
    }
    offer(f, 2, 7, 100000);
    buffer_append_text(&expected, "2:7 ");
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    assert_int_equal(count(&f->meter.plain_bytes_sent), f->written.size);
    expect_written(f, buffer_text(&expected));
    buffer_deinit(&expected);
    finish(f);
}

/* However many bytes the socket takes at each call, the same frames come out whole. */
static void any_portions_make_whole_frames(void **state)
{
    (void)state;
    for (size_t portion = 1; portion < 400; portion += portion < 40 ? 1 : 37) {
        struct fixture *f = begin();
        offer(f, 0, 1, 130);
        offer(f, 1, 1, 20);
        push(f, "one");
        push(f, "two");
        enum outbox_result result;
        int turns = 0;
        do {
            f->room = portion;
            result = flush(f);
            assert_int_equal(outbox_is_blocked(&f->outbox), result == OUTBOX_BLOCKED);
            assert_true(++turns < 1000);
        } while (result == OUTBOX_BLOCKED);
        assert_int_equal(result, OUTBOX_EMPTY);
        expect_written(f, "one two 0:1 1:1 ");
        assert_int_equal(count(&f->meter.frames_sent[0]), 1);
        finish(f);
    }
}

static void frames_stay_whole_whatever_is_offered_meanwhile(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < 200; round++) {
        struct fixture *f = begin();
        uint64_t seq = 0;
        for (int turn = 0; turn < 200; turn++) {
            int what = rand() % 5;
            if (what == 0)
                push(f, "reply");
            else if (what < 4)
                offer(f, (size_t)rand() % SLOTS, ++seq, (size_t)rand() % 400 + 10);
            f->now_ns += SECOND_NS / 3;
            f->room = (size_t)rand() % 3 == 0 ? 0 : (size_t)rand() % 300;
            f->per_call = (size_t)rand() % 200 + 1;
            flush(f);
            check_deadlines(f);
        }
        f->room = f->per_call = SIZE_MAX;
        assert_int_equal(flush(f), OUTBOX_EMPTY);
        buffer_text(&f->written); /* ends it, for sscanf() */
        uint64_t last[SLOTS] = {0};
        struct server_frame frame = {0};
        for (size_t at = 0; at < f->written.size;) {
            assert_true(server_frame_next(&f->written, &at, &frame));
            unsigned symbol, number;
            if (sscanf(frame.payload, "%u:%u", &symbol, &number) != 2 || symbol >= SLOTS)
                continue;
            assert_true(number > last[symbol]); /* newer than any before */
            last[symbol] = number;
        }
        for (size_t i = 0; i < SLOTS; i++)
            assert_int_equal(last[i], f->slots[i].seq); /* and the newest arrived */
        finish(f);
    }
}

static void the_rest_of_what_was_begun_goes_first(void **state)
{
    (void)state;
    struct fixture *f = begin();
    offer(f, 0, 1, 100);
    f->room = 10;
    assert_int_equal(flush(f), OUTBOX_BLOCKED);
    offer(f, 0, 2, 100);
    offer(f, 1, 1, 100);
    push(f, "reply");
    f->room = SIZE_MAX;
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "0:1 reply 1:1 0:2 ");
    finish(f);
}

/* -- latest wins ------------------------------------------------------------------------------- */

static void the_newest_snapshot_of_each_symbol_wins(void **state)
{
    (void)state;
    struct fixture *f = begin();
    f->room = 0;
    offer(f, 0, 1, 100);
    assert_int_equal(flush(f), OUTBOX_BLOCKED);
    for (uint64_t seq = 2; seq <= 10; seq++)
        offer(f, 0, seq, 100);
    offer(f, 1, 5, 100);
    assert_int_equal(count(&f->meter.dropped), 9);
    f->room = SIZE_MAX;
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "0:10 1:5 "); /* none was late, so nothing is warned of */
    finish(f);
}

/* All symbols have news whenever the socket takes something, which is about one snapshot. */
static void a_slow_client_gets_all_symbols_in_turn(void **state)
{
    (void)state;
    enum { FRAME = 102 };
    static const struct {
        size_t first_room; /* with 8 bytes more the next snapshot is always begun */
        const char *expected;
    } cases[] = {
        {FRAME, "0:1 1:2 2:3 0:4 1:5 2:6 0:6 1:6 "},
        {FRAME + 8, "0:1 1:1 2:2 0:3 1:4 2:5 0:6 1:6 2:6 "},
    };
    for (size_t i = 0; i < 2; i++) {
        struct fixture *f = begin();
        for (uint64_t seq = 1; seq <= 6; seq++) {
            for (size_t symbol = 0; symbol < SLOTS; symbol++)
                offer(f, symbol, seq, 100);
            f->room = seq == 1 ? cases[i].first_room : FRAME;
            assert_int_equal(flush(f), OUTBOX_BLOCKED);
        }
        f->room = SIZE_MAX;
        assert_int_equal(flush(f), OUTBOX_EMPTY);
        expect_written(f, cases[i].expected);
        finish(f);
    }
}

static void a_snapshot_that_is_not_newer_is_not_taken(void **state)
{
    (void)state;
    struct fixture *f = begin();
    assert_true(offer(f, 0, 5, 20));
    assert_false(offer(f, 0, 5, 20));
    assert_false(offer(f, 0, 4, 20));
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    assert_false(offer(f, 0, 5, 20)); /* neither after it went */
    struct frame *earlier = frame_create(0, 0, 99, 0, "x", 1);
    struct frame *later = frame_create(0, 2, 1, 0, "later", 5);
    assert_false(outbox_offer(&f->outbox, &f->slots[0], earlier, 0, &f->meter));
    assert_true(outbox_offer(&f->outbox, &f->slots[0], later, 0, &f->meter));
    frame_release(earlier);
    frame_release(later);
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "0:5 later ");
    finish(f);
}

static void replacing_is_no_loss_while_the_socket_is_free(void **state)
{
    (void)state;
    struct fixture *f = begin();
    offer(f, 0, 1, 20);
    offer(f, 0, 2, 20);
    assert_int_equal(count(&f->meter.dropped), 0);
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "0:2 ");
    finish(f);
}

static void a_removed_slot_drops_its_snapshot_but_not_what_was_begun(void **state)
{
    (void)state;
    struct fixture *f = begin();
    offer(f, 0, 1, 100);
    offer(f, 1, 1, 100);
    f->room = 50;
    assert_int_equal(flush(f), OUTBOX_BLOCKED);
    outbox_remove_slot(&f->outbox, &f->slots[0]);
    outbox_remove_slot(&f->outbox, &f->slots[1]);
    f->room = SIZE_MAX;
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "0:1 ");
    finish(f);
}

static void a_held_snapshot_waits_and_is_replaced_without_loss(void **state)
{
    (void)state;
    struct fixture *f = begin();
    offer(f, 0, 1, 100);
    f->slots[0].is_held = true;
    offer(f, 1, 1, 100);
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "1:1 ");
    f->room = 0;
    push(f, "reply");
    assert_int_equal(flush(f), OUTBOX_BLOCKED);
    offer(f, 0, 2, 100);
    f->now_ns += 10 * SECOND_NS;
    check_deadlines(f);
    assert_int_equal(count(&f->meter.dropped), 0);
    assert_int_equal(count(&f->meter.slow[0]), 0);
    f->slots[0].is_held = false;
    f->room = SIZE_MAX;
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "reply 0:2 ");
    finish(f);
}

/* -- slow consumers ---------------------------------------------------------------------------- */

static void a_snapshot_not_taken_in_time_causes_a_warning_before_the_newest(void **state)
{
    (void)state;
    struct fixture *f = begin();
    offer(f, 0, 1, 100);
    f->room = 10;
    assert_int_equal(flush(f), OUTBOX_BLOCKED);
    f->now_ns += SECOND_NS;
    check_deadlines(f);
    assert_false(f->outbox.is_slow); /* at the second, not yet */
    f->now_ns += 1;
    check_deadlines(f);
    check_deadlines(f);
    assert_true(f->outbox.is_slow);
    assert_int_equal(count(&f->meter.slow[0]), 1);
    for (uint64_t seq = 2; seq <= 5; seq++) {
        offer(f, 0, seq, 100);
        check_deadlines(f);
    }
    offer(f, 1, 1, 100);
    push(f, "reply");
    f->room = SIZE_MAX;
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "0:1 reply warning(3) 1:1 0:5 ");
    assert_false(f->outbox.is_slow);
    assert_int_equal(count(&f->meter.dropped), 3);
    offer(f, 0, 6, 100);
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "0:6 "); /* one warning a blockage */
    finish(f);
}

static void each_snapshot_that_is_late_is_counted_once(void **state)
{
    (void)state;
    struct fixture *f = begin();
    f->room = 0;
    offer(f, 0, 1, 100);
    flush(f);
    f->now_ns += SECOND_NS + 1;
    check_deadlines(f);
    for (uint64_t seq = 2; seq <= 4; seq++) { /* replaced before the next check, or after it */
        offer(f, 0, seq, 100);
        if (seq == 3)
            check_deadlines(f);
    }
    check_deadlines(f);
    check_deadlines(f);
    assert_int_equal(count(&f->meter.slow[0]), 4);
    finish(f);
}

static void there_is_one_warning_however_often_a_full_socket_is_tried(void **state)
{
    (void)state;
    struct fixture *f = begin();
    offer(f, 0, 1, 100);
    f->room = 10;
    flush(f);
    f->now_ns += SECOND_NS + 1;
    check_deadlines(f);
    for (uint64_t seq = 2; seq <= 1000; seq++) {
        offer(f, 0, seq, 100);
        assert_int_equal(flush(f), OUTBOX_BLOCKED);
        check_deadlines(f);
    }
    assert_int_equal(f->outbox.reply_bytes, 0);
    push(f, "reply"); /* there is room for it */
    f->room = SIZE_MAX;
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "0:1 reply warning(998) 0:1000 ");
    finish(f);
}

static void a_begun_warning_goes_out_whole(void **state)
{
    (void)state;
    struct fixture *f = begin();
    f->room = 0;
    offer(f, 0, 1, 20);
    flush(f);
    f->now_ns += 2 * SECOND_NS;
    check_deadlines(f);
    f->room = 30; /* a part of the warning */
    assert_int_equal(flush(f), OUTBOX_BLOCKED);
    offer(f, 0, 2, 20);
    check_deadlines(f);
    push(f, "reply");
    f->room = SIZE_MAX;
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "warning(0) reply warning(1) 0:2 ");
    finish(f);
}

static void the_deadline_counts_from_when_the_client_may_have_it(void **state)
{
    (void)state;
    struct fixture *f = begin();
    struct frame *old = frame_create(0, 1, 1, 0, "published long ago", 18);
    old->published_ns = f->now_ns - 300 * SECOND_NS;
    assert_true(outbox_offer(&f->outbox, &f->slots[0], old, f->now_ns, &f->meter));
    frame_release(old);
    f->room = 5;
    assert_int_equal(flush(f), OUTBOX_BLOCKED);
    f->now_ns += SECOND_NS / 2;
    check_deadlines(f);
    assert_int_equal(count(&f->meter.slow[0]), 0);
    f->now_ns += SECOND_NS;
    check_deadlines(f);
    assert_int_equal(count(&f->meter.slow[0]), 1);
    finish(f);
}

static void blocked_since_is_the_last_time_that_anything_went(void **state)
{
    (void)state;
    struct fixture *f = begin();
    offer(f, 0, 1, 100);
    f->room = 10;
    flush(f);
    assert_int_equal(f->outbox.blocked_since_ns, f->now_ns);
    uint64_t first = f->now_ns;
    f->now_ns += SECOND_NS;
    flush(f); /* takes nothing */
    assert_int_equal(f->outbox.blocked_since_ns, first);
    f->now_ns += SECOND_NS;
    f->room = 1;
    flush(f);
    assert_int_equal(f->outbox.blocked_since_ns, f->now_ns);
    f->room = SIZE_MAX;
    flush(f);
    assert_false(outbox_is_blocked(&f->outbox));
    finish(f);
}

/* -- limits and ends --------------------------------------------------------------------------- */

static void replies_that_pile_up_are_refused(void **state)
{
    (void)state;
    struct fixture *f = begin();
    char text[1000];
    memset(text, 'r', sizeof text);
    size_t pushed = 0;
    while (outbox_push_reply(&f->outbox, WS_TEXT, false, text, sizeof text))
        pushed++;
    assert_true(pushed * (sizeof text + 4) <= OUTBOX_REPLY_BYTES_MAX);
    assert_true((pushed + 2) * (sizeof text + 4) > OUTBOX_REPLY_BYTES_MAX);
    f->room = 100000;
    flush(f);
    assert_int_equal(f->outbox.reply_bytes, 0);
    assert_true(outbox_push_reply(&f->outbox, WS_TEXT, false, text, sizeof text));
    finish(f);
}

static void a_broken_socket_is_reported_and_everything_is_freed(void **state)
{
    (void)state;
    struct fixture *f = begin();
    offer(f, 0, 1, 100);
    offer(f, 1, 1, 100);
    push(f, "reply");
    f->room = 20;
    assert_int_equal(flush(f), OUTBOX_BLOCKED);
    f->is_broken = true;
    assert_int_equal(flush(f), OUTBOX_BROKEN);
    assert_int_equal(flush(f), OUTBOX_BROKEN);
    finish(f); /* the sanitizer finds what was left */
}

static void a_frame_is_shared_not_copied(void **state)
{
    (void)state;
    struct fixture *f = begin();
    struct frame *frame = frame_create(0, 1, 1, 0, "shared", 6);
    f->room = 3;
    outbox_offer(&f->outbox, &f->slots[0], frame, f->now_ns, &f->meter);
    assert_int_equal(atomic_load(&frame->references), 2);
    flush(f);
    assert_int_equal(atomic_load(&frame->references), 2);
    f->room = SIZE_MAX;
    flush(f);
    assert_int_equal(atomic_load(&frame->references), 1);
    frame_release(frame);
    finish(f);
}

/* A client that negotiated compression gets the compressed form where there is one, and that form
 * to its end, wherever the socket cuts it and whatever comes to the frame meanwhile. */
static void a_compressed_form_that_was_begun_is_finished(void **state)
{
    (void)state;
    struct ws_deflater *deflater = ws_deflater_create();
    char text[400];
    memset(text, 'a', sizeof text);
    for (size_t first = 0; first < 30; first++) {
        struct fixture *f = begin();
        f->outbox.deflates = true;
        struct frame *compressed = frame_create(0, 1, 1, 0, text, sizeof text);
        struct frame *plain = frame_create(1, 1, 1, 0, text, sizeof text);
        frame_deflate(compressed, deflater);
        f->room = first;
        outbox_offer(&f->outbox, &f->slots[0], compressed, f->now_ns, &f->meter);
        outbox_offer(&f->outbox, &f->slots[1], plain, f->now_ns, &f->meter);
        flush(f);
        frame_deflate(plain, deflater); /* comes late: what was begun plain stays plain */
        f->room = SIZE_MAX;
        assert_int_equal(flush(f), OUTBOX_EMPTY);

        const struct frame_deflated *form = frame_deflated(compressed);
        bool is_plain_begun = first > form->size;
        size_t second = is_plain_begun ? plain->size : frame_deflated(plain)->size;
        assert_int_equal(f->written.size, form->size + second);
        assert_memory_equal(f->written.data, form->bytes, form->size);
        assert_int_equal(count(&f->meter.plain_bytes_sent), is_plain_begun ? second : 0);
        assert_int_equal(count(&f->meter.compressed_bytes_sent),
                         f->written.size - count(&f->meter.plain_bytes_sent));
        frame_release(compressed);
        frame_release(plain);
        finish(f);
    }
    ws_deflater_destroy(deflater);
}

static void a_client_that_did_not_negotiate_gets_no_compressed_form(void **state)
{
    (void)state;
    struct fixture *f = begin();
    struct ws_deflater *deflater = ws_deflater_create();
    struct frame *frame = frame_create(0, 1, 1, 0, "shared", 6);
    frame_deflate(frame, deflater);
    outbox_offer(&f->outbox, &f->slots[0], frame, f->now_ns, &f->meter);
    flush(f);
    assert_memory_equal(f->written.data, "\x81\x06shared", 8);
    frame_release(frame);
    ws_deflater_destroy(deflater);
    finish(f);
}

/* -- written at once --------------------------------------------------------------------------- */

static enum outbox_result send_at_once(struct fixture *f, struct frame *frame)
{
    struct outbox_broadcast broadcast = {.frame = frame, .now_ns = f->now_ns};
    enum outbox_result result =
        outbox_send(&f->outbox, &f->slots[0], &broadcast, write_some, f, &f->meter);
    assert_int_equal(broadcast.plain_count + broadcast.deflated_count, result == OUTBOX_EMPTY);
    outbox_count_sent(&broadcast, f->now_ns, &f->meter);
    return result;
}

/* Whatever the socket takes of it, the same bytes come out and the same is counted as if it had
 * been offered. */
static void a_frame_sent_at_once_is_the_same_bytes_and_count(void **state)
{
    (void)state;
    struct ws_deflater *deflater = ws_deflater_create();
    for (int deflates = 0; deflates <= 1; deflates++) {
        enum outbox_result result = OUTBOX_BLOCKED;
        for (size_t room = 0; result != OUTBOX_EMPTY; room++) {
            struct fixture *f = begin();
            f->outbox.deflates = deflates != 0;
            struct frame *frame = frame_create(0, 1, 7, 0, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 30);
            frame_deflate(frame, deflater);
            frame->published_ns = f->now_ns - SECOND_NS / 300;
            f->room = room;
            result = send_at_once(f, frame);
            assert_int_equal(outbox_is_blocked(&f->outbox), result == OUTBOX_BLOCKED);
            assert_int_equal(atomic_load(&frame->references), result == OUTBOX_BLOCKED ? 2 : 1);
            assert_false(outbox_offer(&f->outbox, &f->slots[0], frame, 0, &f->meter));
            f->room = SIZE_MAX;
            assert_int_equal(flush(f), OUTBOX_EMPTY);
            assert_int_equal(atomic_load(&frame->references), 1);

            const char *bytes = deflates ? frame_deflated(frame)->bytes : frame->bytes;
            size_t size = deflates ? frame_deflated(frame)->size : frame->size;
            assert_int_equal(f->written.size, size);
            assert_memory_equal(f->written.data, bytes, size);
            assert_int_equal(count(&f->meter.plain_bytes_sent), deflates ? 0 : size);
            assert_int_equal(count(&f->meter.compressed_bytes_sent), deflates ? size : 0);
            assert_int_equal(count(&f->meter.frames_sent[0]), 1);
            assert_int_equal(count(&f->meter.delivery_ns_sum), SECOND_NS / 300);
            assert_int_equal(count(&f->meter.delivered[5]), 1); /* 2.5 to 5 ms */
            frame_release(frame);
            finish(f);
        }
    }
    ws_deflater_destroy(deflater);
}

static void a_frame_sent_at_once_and_cut_is_late_from_its_publication_on(void **state)
{
    (void)state;
    struct fixture *f = begin();
    struct frame *frame = frame_create(0, 1, 7, 0, "text", 4);
    frame->published_ns = f->now_ns;
    f->room = 3;
    assert_int_equal(send_at_once(f, frame), OUTBOX_BLOCKED);
    f->now_ns += SECOND_NS;
    check_deadlines(f);
    assert_int_equal(count(&f->meter.slow[0]), 0);
    f->now_ns += 1;
    check_deadlines(f);
    assert_int_equal(count(&f->meter.slow[0]), 1);
    f->room = SIZE_MAX;
    assert_int_equal(flush(f), OUTBOX_EMPTY);
    expect_written(f, "text warning(0) ");
    frame_release(frame);
    finish(f);
}

static void a_frame_sent_at_once_to_a_broken_socket_is_reported(void **state)
{
    (void)state;
    struct fixture *f = begin();
    struct frame *frame = frame_create(0, 1, 7, 0, "text", 4);
    f->is_broken = true;
    assert_int_equal(send_at_once(f, frame), OUTBOX_BROKEN);
    assert_int_equal(atomic_load(&frame->references), 1);
    assert_int_equal(count(&f->meter.frames_sent[0]), 0);
    frame_release(frame);
    finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_outbox_writes_nothing),
        cmocka_unit_test(replies_go_before_snapshots),
        cmocka_unit_test(more_than_a_batch_goes_out_at_once),
        cmocka_unit_test(any_portions_make_whole_frames),
        cmocka_unit_test(frames_stay_whole_whatever_is_offered_meanwhile),
        cmocka_unit_test(the_rest_of_what_was_begun_goes_first),
        cmocka_unit_test(the_newest_snapshot_of_each_symbol_wins),
        cmocka_unit_test(a_slow_client_gets_all_symbols_in_turn),
        cmocka_unit_test(a_snapshot_that_is_not_newer_is_not_taken),
        cmocka_unit_test(replacing_is_no_loss_while_the_socket_is_free),
        cmocka_unit_test(a_removed_slot_drops_its_snapshot_but_not_what_was_begun),
        cmocka_unit_test(a_held_snapshot_waits_and_is_replaced_without_loss),
        cmocka_unit_test(a_snapshot_not_taken_in_time_causes_a_warning_before_the_newest),
        cmocka_unit_test(each_snapshot_that_is_late_is_counted_once),
        cmocka_unit_test(there_is_one_warning_however_often_a_full_socket_is_tried),
        cmocka_unit_test(a_begun_warning_goes_out_whole),
        cmocka_unit_test(the_deadline_counts_from_when_the_client_may_have_it),
        cmocka_unit_test(blocked_since_is_the_last_time_that_anything_went),
        cmocka_unit_test(replies_that_pile_up_are_refused),
        cmocka_unit_test(a_broken_socket_is_reported_and_everything_is_freed),
        cmocka_unit_test(a_frame_is_shared_not_copied),
        cmocka_unit_test(a_compressed_form_that_was_begun_is_finished),
        cmocka_unit_test(a_client_that_did_not_negotiate_gets_no_compressed_form),
        cmocka_unit_test(a_frame_sent_at_once_is_the_same_bytes_and_count),
        cmocka_unit_test(a_frame_sent_at_once_and_cut_is_late_from_its_publication_on),
        cmocka_unit_test(a_frame_sent_at_once_to_a_broken_socket_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
