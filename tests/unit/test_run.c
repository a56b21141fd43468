/* Windows kept in memory, and the books that follow them: whatever happened before, a snapshot is
 * to the last bit the one that the window gives when it is computed from its start. */
#include "base/decimal.h"
#include "base/memory.h"
#include "model/reference.h"
#include "model/run.h"
#include "model/series_builder.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define E8 DECIMAL_ONE
#define ZERO INT64_C(5882000) /* the slot that tests begin with, in December 2025 */

/* xorshift: the same walk on every machine and in every run. */
static uint64_t seed;

static double random_unit(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)(seed >> 11) / 9007199254740992.0;
}

static int64_t random_below(int64_t count)
{
    return (int64_t)(random_unit() * (double)count);
}

/* The model, and how many candles it was given. */
static size_t advanced;

static struct book_change count_advance(struct book *book, const struct candle *candle,
                                        struct interest_step interest)
{
    advanced++;
    return reference_model.advance(book, candle, interest);
}

static struct model counting;

static struct model_settings default_settings(void)
{
    struct model_settings settings = {.lookback_ms = DAY_MS};
    assert_int_equal(value_parse_weights(LEVERAGE_WEIGHTS_DEFAULT, &settings.weights, NULL),
                     STATUS_OK);
    return settings;
}

/* What a test moves about: a window, where it begins and ends, and a course of prices and of open
 * interest that new slots continue. */
struct market {
    struct slots slots;
    int64_t first, end;
    double price, interest;
    double rise; /* what open interest gains in a slot on average; it moves by 1e6 either way */
    struct run run;
    struct run_books books;
    struct book *cold;
    struct snapshot snapshot, expected;
};

static void open_market(struct market *market, double rise)
{
    const struct model_settings settings = default_settings();
    counting = reference_model;
    counting.advance = count_advance;
    *market =
        (struct market){.first = ZERO, .end = ZERO, .price = 90000, .interest = 1e8, .rise = rise};
    assert_true(run_init(&market->run, &counting, &settings));
    assert_true(run_books_init(&market->books, &counting, &settings));
    market->cold = book_create(&reference_model, &settings);
}

static void close_market(struct market *market)
{
    slots_deinit(&market->slots);
    run_deinit(&market->run);
    run_books_deinit(&market->books);
    book_destroy(market->cold);
    snapshot_deinit(&market->snapshot);
    snapshot_deinit(&market->expected);
}

static struct candle next_candle(struct market *market, int64_t slot)
{
    double open = market->price, close = open * (1 + 0.004 * (random_unit() - 0.5));
    market->price = close;
    /* Whole dollars, so that equal prices and exact touches happen. */
    return (struct candle){
        .open_time_ms = slots_time_ms(slot),
        .open_e8 = (int64_t)open * E8,
        .high_e8 = (int64_t)(fmax(open, close) * (1 + 0.001 * random_unit())) * E8,
        .low_e8 = (int64_t)(fmin(open, close) * (1 - 0.001 * random_unit())) * E8,
        .close_e8 = (int64_t)close * E8,
        .volume = floor(100 * random_unit()),
    };
}

static void set_candle(struct market *market, int64_t slot)
{
    const struct candle candle = next_candle(market, slot);
    slots_set_candle(&market->slots, slot, &candle);
}

static void set_interest(struct market *market, int64_t slot)
{
    market->interest += market->rise + 2e6 * (random_unit() - 0.5);
    if (market->interest < 1e6)
        market->interest = 1e6;
    slots_set_interest(&market->slots, slot, floor(market->interest));
}

/* One slot more at the end. */
static void append(struct market *market)
{
    assert_true(slots_span(&market->slots,
                           market->slots.first < market->first && market->slots.count > 0
                               ? market->slots.first
                               : market->first,
                           market->end + 1));
    set_candle(market, market->end);
    set_interest(market, market->end);
    market->end++;
}

/* The window as its rows give it, from its start. */
static void compute_cold(struct market *market, int64_t bucket_e8)
{
    struct series series = {0};
    struct series_builder builder;
    series_builder_init(&builder, &series, CANDLE_MS);
    for (int64_t slot = market->first; slot < market->end; slot++) {
        const struct candle *candle = slots_candle(&market->slots, slot);
        if (candle != NULL)
            series_builder_add_candle(&builder, candle->open_time_ms * 1000, candle);
    }
    for (int64_t slot = market->first; slot < market->end; slot++) {
        const struct interest_reading reading = {
            .time_us = slots_time_ms(slot) * 1000,
            .value_e8 = (__int128)slots_interest(&market->slots, slot) * (__int128)E8};
        series_builder_add_interest(&builder, &reading);
    }
    series_builder_finish(&builder);
    assert_int_equal(
        snapshot_compute(&market->expected, market->cold, "BTCUSDT", &series, bucket_e8, NULL),
        STATUS_OK);
    series_deinit(&series);
}

static void follow(struct market *market, int64_t bucket_e8)
{
    struct error error = {0};
    if (run_snapshot(&market->run, &market->slots, market->first, market->end, &market->books,
                     "BTCUSDT", bucket_e8, &market->snapshot, &error) != STATUS_OK)
        fail_msg("%s", error.message);
}

static void assert_same(const struct snapshot *a, const struct snapshot *b)
{
    assert_int_equal(a->timestamp_ms, b->timestamp_ms);
    assert_int_equal(a->bucket_e8, b->bucket_e8);
    assert_int_equal(a->current_price_e8, b->current_price_e8);
    assert_int_equal(a->change.created, b->change.created);
    assert_int_equal(a->change.consumed, b->change.consumed);
    assert_int_equal(a->levels.count, b->levels.count);
    if (a->levels.count > 0)
        assert_memory_equal(a->levels.levels, b->levels.levels,
                            a->levels.count * sizeof *a->levels.levels);
}

static void compare(struct market *market, int64_t bucket_e8)
{
    if (slots_last_candle(&market->slots, market->first, market->end) < market->first)
        return; /* there is no snapshot of no candle */
    compute_cold(market, bucket_e8);
    follow(market, bucket_e8);
    assert_same(&market->snapshot, &market->expected);
}

/* -- windows ----------------------------------------------------------------------------------- */

static void slots_keep_what_they_hold_while_the_span_moves(void **state)
{
    (void)state;
    struct slots slots = {0};
    assert_true(slots_span(&slots, ZERO, ZERO + 10));
    for (int64_t slot = ZERO; slot < ZERO + 10; slot++) {
        const struct candle candle = {slots_time_ms(slot), slot, slot, slot, slot, 1};
        slots_set_candle(&slots, slot, &candle);
        slots_set_interest(&slots, slot, (double)slot);
    }
    for (int64_t first = ZERO; first < ZERO + 9; first++) {
        /* To the right in small steps, and once to the left, where nothing is known. */
        assert_true(slots_span(&slots, first, first + 400));
        assert_int_equal(slots.first, first);
        assert_int_equal(slots_end(&slots), first + 400);
        for (int64_t slot = first; slot < first + 400; slot++) {
            const struct candle *candle = slots_candle(&slots, slot);
            assert_true((candle != NULL) == (slot < ZERO + 10));
            assert_true(candle == NULL || candle->open_e8 == slot);
            assert_true(slots_interest(&slots, slot) == (slot < ZERO + 10 ? (double)slot : 0));
        }
        assert_null(slots_candle(&slots, first - 1));
        assert_null(slots_candle(&slots, first + 400));
    }
    assert_true(slots_span(&slots, ZERO, ZERO + 400));
    assert_null(slots_candle(&slots, ZERO + 7));
    assert_int_equal(slots_candle(&slots, ZERO + 8)->open_e8, ZERO + 8);
    assert_true(slots_span(&slots, ZERO + 5000, ZERO + 5001));
    assert_null(slots_candle(&slots, ZERO + 5000));
    slots_deinit(&slots);
}

static void what_changed_is_known_until_it_is_settled(void **state)
{
    (void)state;
    struct slots slots = {0};
    const struct candle candle = {slots_time_ms(ZERO), 5, 5, 5, 5, 1};
    assert_true(slots_span(&slots, ZERO, ZERO + 100));
    slots_set_interest(&slots, ZERO + 40, 7);
    slots_settle(&slots);
    assert_true(slots.changed_first >= slots.changed_end);

    slots_set_candle(&slots, ZERO + 3, &candle);
    assert_int_equal(slots.changed_first, ZERO + 3);
    assert_int_equal(slots.changed_end, ZERO + 4);
    slots_settle(&slots);
    slots_set_candle(&slots, ZERO + 3, &candle);
    slots_set_interest(&slots, ZERO + 40, 7);
    assert_true(slots.changed_first >= slots.changed_end); /* it was so before */

    slots_set_interest(&slots, ZERO + 20, 6);
    assert_int_equal(slots.changed_first, ZERO + 20);
    assert_int_equal(slots.changed_end, ZERO + 21);
    slots_settle(&slots);
    slots_set_candle(&slots, ZERO + 3, NULL);
    assert_null(slots_candle(&slots, ZERO + 3));
    assert_int_equal(slots.changed_end, ZERO + 4);
    slots_settle(&slots);
    assert_true(slots_span(&slots, ZERO, ZERO + 90));
    assert_true(slots_span(&slots, ZERO, ZERO + 110));
    assert_int_equal(slots.changed_first, ZERO + 90);
    assert_int_equal(slots.changed_end, ZERO + 110);
    slots_deinit(&slots);
}

/* -- runs -------------------------------------------------------------------------------------- */

static void a_candle_that_forms_is_computed_on_a_copy(void **state)
{
    (void)state;
    struct market market;
    seed = 88172645463325252;
    open_market(&market, 1e6);
    for (int i = 0; i < 50; i++)
        append(&market);
    compare(&market, 0);
    const struct candle before = *slots_candle(&market.slots, market.end - 1);
    for (int i = 0; i < 20; i++) {
        advanced = 0;
        set_candle(&market, market.end - 1);
        set_interest(&market, market.end - 1);
        compare(&market, 0);
        assert_int_equal(advanced, 1);
    }
    /* As if it had never been anything else. */
    slots_set_candle(&market.slots, market.end - 1, &before);
    compare(&market, 0);
    close_market(&market);
}

static void slide(struct market *market, size_t count, size_t steps, double rise)
{
    open_market(market, rise);
    for (size_t i = 0; i < count; i++)
        append(market);
    compare(market, 0);
    advanced = 0;
    for (size_t i = 0; i < steps; i++) {
        append(market);
        market->first++;
        compare(market, i % 3 == 0 ? 100 * E8 : 50 * E8);
    }
    close_market(market);
}

/* Of a candle that closes, one advance is its own and one is of the newest; the others are those
 * from the new start up to where the old book and the new one are empty. */
static void a_candle_that_closes_runs_few_others_again(void **state)
{
    (void)state;
    struct market market;
    seed = 362436069;
    slide(&market, 2000, 400, 0);
    assert_true(advanced < 400 * 200);
    /* A market that is never empty again is run whole, no more. */
    slide(&market, 500, 50, 2e6);
    assert_true(advanced >= 50 * 499 && advanced <= 50 * 501);
}

/* Everything that can happen to rows, in any order. */
static void disturb(struct market *market)
{
    int64_t count = market->end - market->first, slot = market->first + random_below(count);
    switch (random_below(13)) {
    case 0:
    case 1:
        append(market);
        break;
    case 2:
        append(market);
        market->first++;
        break;
    case 3:
        set_candle(market, slot);
        break;
    case 4:
        slots_set_candle(&market->slots, slot, NULL);
        break;
    case 5:
        set_interest(market, slot);
        break;
    case 6:
        slots_set_interest(&market->slots, slot, 0);
        break;
    case 7: /* the newest candle, again and again */
        set_candle(market, market->end - 1);
        break;
    case 8: /* it is taken away */
        if (count > 1)
            market->end--;
        break;
    case 9: /* the start moves on by some, or back as far as the window reaches */
        market->first += random_below(count < 10 ? count : 10);
        break;
    case 10:
        if (market->slots.first < market->first)
            market->first -= random_below(market->first - market->slots.first + 1);
        break;
    case 11: /* a hole in time */
        for (int64_t i = random_below(20); i > 0; i--) {
            assert_true(slots_span(&market->slots, market->slots.first, market->end + 1));
            market->end++;
        }
        append(market);
        break;
    default: /* rows from before the window are given up */
        assert_true(slots_span(&market->slots, market->first, market->end + 7));
        break;
    }
}

static void a_run_is_what_its_window_gives_whatever_happened(void **state)
{
    (void)state;
    static const double rises[] = {0, 3e5, -3e5, 2e6};
    for (size_t i = 0; i < sizeof rises / sizeof rises[0]; i++) {
        struct market market;
        seed = 88172645463325252 + i;
        open_market(&market, rises[i]);
        for (int64_t left = 60; left > 0; left--)
            append(&market);
        for (int steps = 0; steps < 4000; steps++) {
            for (int64_t at_once = random_below(4); at_once > 0; at_once--)
                disturb(&market);
            compare(&market, random_below(10) == 0 ? E8 / 100 : 0);
            if (market.end - market.first > 300)
                market.first = market.end - 100;
        }
        close_market(&market);
    }
}

static void a_window_without_open_interest_has_no_levels(void **state)
{
    (void)state;
    struct market market;
    seed = 521288629;
    open_market(&market, 0);
    for (int i = 0; i < 300; i++) {
        assert_true(slots_span(&market.slots, market.first, market.end + 1));
        set_candle(&market, market.end++);
        market.first += i > 200;
        compare(&market, 0);
        assert_int_equal(market.snapshot.levels.count, 0);
    }
    close_market(&market);
}

static void a_run_that_had_no_memory_recovers(void **state)
{
    (void)state;
    size_t failures = 0;
    for (uint64_t call = 1; call < 200; call++) {
        struct market market;
        struct error error = {0};
        seed = 88172645463325252;
        open_market(&market, 2e6);
        for (int i = 0; i < 300; i++)
            append(&market);
        memory_fail_call(call);
        if (run_snapshot(&market.run, &market.slots, market.first, market.end, &market.books,
                         "BTCUSDT", 0, &market.snapshot, &error) != STATUS_OK) {
            assert_int_equal(error.status, STATUS_NO_MEMORY);
            failures++;
        }
        memory_fail_call(0);
        append(&market);
        market.first++;
        compare(&market, 0);
        close_market(&market);
    }
    assert_true(failures > 30 && failures < 190);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_keep_what_they_hold_while_the_span_moves),
        cmocka_unit_test(what_changed_is_known_until_it_is_settled),
        cmocka_unit_test(a_candle_that_forms_is_computed_on_a_copy),
        cmocka_unit_test(a_candle_that_closes_runs_few_others_again),
        cmocka_unit_test(a_run_is_what_its_window_gives_whatever_happened),
        cmocka_unit_test(a_window_without_open_interest_has_no_levels),
        cmocka_unit_test(a_run_that_had_no_memory_recovers),
    };
    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
