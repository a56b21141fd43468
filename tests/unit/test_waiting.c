/* Rows that wait to be written: their order, their bound, and what goes first over it. */
#include "sources/collect/waiting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void put_kline(struct waiting *waiting, int64_t time_ms)
{
    const struct kline_row row = {.candle = {.open_time_ms = time_ms}};
    waiting_put(waiting, WAITING_KLINES, &row, time_ms);
}

static bool put_interest(struct waiting *waiting, int64_t time_ms)
{
    const struct labelled_interest row = {{.timestamp_ms = time_ms}, "test"};
    return waiting_put(waiting, WAITING_INTEREST, &row, time_ms);
}

static bool put_print(struct waiting *waiting, int64_t time_ms)
{
    const struct liquidation_row row = {.time_ms = time_ms};
    return waiting_put(waiting, WAITING_LIQUIDATIONS, &row, time_ms);
}

/* Checks that the candles are `first`, `first` + 1, ...; returns how many there are. */
static size_t assert_klines(const struct list *taken, int64_t first)
{
    size_t count = 0;
    for (const struct list *link = taken->next; link != taken; link = link->next) {
        const struct waiting_block *block = list_entry(link, struct waiting_block, link);
        for (size_t i = 0; i < block->count; i++) {
            const struct kline_row *row = waiting_row(block, WAITING_KLINES, i);
            assert_int_equal(row->candle.open_time_ms, first + (int64_t)count++);
        }
    }
    return count;
}

static void rows_are_taken_oldest_first_and_put_back_in_front(void **state)
{
    (void)state;
    struct waiting waiting;
    struct list taken[WAITING_KINDS];
    waiting_init(&waiting, WAITING_BYTES_MIN);
    for (int i = 1; i <= 1000; i++)
        put_kline(&waiting, i);
    assert_int_equal(waiting_since_ms(&waiting), 1);
    waiting_take(&waiting, 300, taken);
    size_t count = assert_klines(&taken[WAITING_KLINES], 1);
    assert_true(count >= 300 && count < 500);
    assert_true(list_is_empty(&taken[WAITING_INTEREST]));
    assert_int_equal(waiting_count(&waiting), 1000);
    assert_int_equal(waiting_since_ms(&waiting), 1 + (int64_t)count);
    put_kline(&waiting, 1001);
    waiting_put_back(&waiting, WAITING_KLINES, &taken[WAITING_KLINES]);
    waiting_take(&waiting, 100000, taken);
    assert_int_equal(assert_klines(&taken[WAITING_KLINES], 1), 1001);
    assert_int_equal(waiting_since_ms(&waiting), 0);
    waiting_free(&waiting, WAITING_KLINES, &taken[WAITING_KLINES]);
    assert_int_equal(waiting_count(&waiting), 0);
    waiting_deinit(&waiting);
}

static void each_kind_has_its_share_of_what_is_taken(void **state)
{
    (void)state;
    struct waiting waiting;
    struct list taken[WAITING_KINDS];
    waiting_init(&waiting, WAITING_BYTES_MIN);
    for (int i = 1; i <= 1000; i++) {
        put_print(&waiting, i);
        put_kline(&waiting, i);
        put_interest(&waiting, i);
    }
    waiting_take(&waiting, 1, taken);
    for (enum waiting_kind kind = 0; kind < WAITING_KINDS; kind++) {
        assert_false(list_is_empty(&taken[kind]));
        waiting_put_back(&waiting, kind, &taken[kind]);
    }
    waiting_deinit(&waiting);
}

static void over_the_bound_what_can_be_fetched_again_goes_first_and_its_oldest(void **state)
{
    (void)state;
    struct waiting waiting;
    struct list taken[WAITING_KINDS];
    int64_t time_ms = 1;
    waiting_init(&waiting, WAITING_BYTES_MIN);
    for (int i = 0; i < 100; i++)
        put_print(&waiting, time_ms++);
    size_t prints = waiting.row_counts[WAITING_LIQUIDATIONS];
    for (int i = 0; i < 3000; i++) {
        put_kline(&waiting, time_ms++);
        put_interest(&waiting, time_ms);
    }
    int64_t before_ms = time_ms;
    while (waiting.dropped[WAITING_KLINES] == 0 || waiting.dropped[WAITING_INTEREST] == 0)
        put_print(&waiting, time_ms++);
    assert_true(time_ms > before_ms);
    assert_true(waiting.bytes <= WAITING_BYTES_MIN);
    assert_int_equal(waiting.dropped[WAITING_LIQUIDATIONS], 0);
    assert_int_equal(waiting.row_counts[WAITING_LIQUIDATIONS],
                     prints + (size_t)(time_ms - before_ms));
    assert_int_equal(waiting.row_counts[WAITING_KLINES] + waiting.dropped[WAITING_KLINES], 3000);

    /* What is left is the newest of each. */
    waiting_take(&waiting, 100000, taken);
    const struct waiting_block *block =
        list_entry(taken[WAITING_INTEREST].previous, struct waiting_block, link);
    const struct labelled_interest *last = waiting_row(block, WAITING_INTEREST, block->count - 1);
    assert_int_equal(last->row.timestamp_ms, before_ms);
    for (enum waiting_kind kind = 0; kind < WAITING_KINDS; kind++)
        waiting_put_back(&waiting, kind, &taken[kind]);

    while (put_print(&waiting, time_ms) || waiting.row_counts[WAITING_KLINES] > 0 ||
           waiting.row_counts[WAITING_INTEREST] > 0)
        time_ms++;
    while (waiting.dropped[WAITING_LIQUIDATIONS] == 0)
        put_print(&waiting, time_ms++);
    assert_true(waiting.bytes <= WAITING_BYTES_MIN);
    assert_true(waiting.dropped[WAITING_KLINES] == 3000);
    waiting_deinit(&waiting);
}

static void what_is_taken_is_not_dropped(void **state)
{
    (void)state;
    struct waiting waiting;
    struct list taken[WAITING_KINDS];
    waiting_init(&waiting, WAITING_BYTES_MIN);
    for (int i = 1; i <= 100; i++)
        put_kline(&waiting, i);
    waiting_take(&waiting, 100, taken);
    for (int i = 1; waiting.dropped[WAITING_INTEREST] == 0; i++)
        put_interest(&waiting, i);
    assert_int_equal(assert_klines(&taken[WAITING_KLINES], 1), 100);
    assert_int_equal(waiting.dropped[WAITING_KLINES], 0);
    waiting_put_back(&waiting, WAITING_KLINES, &taken[WAITING_KLINES]);
    waiting_deinit(&waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_taken_oldest_first_and_put_back_in_front),
        cmocka_unit_test(each_kind_has_its_share_of_what_is_taken),
        cmocka_unit_test(over_the_bound_what_can_be_fetched_again_goes_first_and_its_oldest),
        cmocka_unit_test(what_is_taken_is_not_dropped),
    };
    return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
