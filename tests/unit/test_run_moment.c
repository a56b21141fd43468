/* A book of a model of moments that follows a window in memory: whatever comes, late or again or
 * changed, the snapshot is to the last bit the one that the rows give when they are computed from
 * their start, and a candle costs what it costs, however long the window is. */
#include "base/decimal.h"
#include "base/memory.h"
#include "model/run.h"
#include "model/series_builder.h"
#include "model/survival.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define E8 DECIMAL_ONE
#define LOOKBACK_MS (2 * DAY_MS)
#define DAY_SLOTS (DAY_MS / CANDLE_MS)
#define ZERO (INT64_C(20454) * DAY_SLOTS + 77) /* the slot that tests begin with */

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
    return survival_model.advance(book, candle, interest);
}

static struct model counting;

struct market {
    struct slots slots;
    int64_t end;
    double price, contracts;
    struct run run;
    struct run_books books;
    struct book *cold;
    struct snapshot snapshot, expected;
};

static void open_market(struct market *market)
{
    struct model_settings settings = {.lookback_ms = LOOKBACK_MS};
    assert_int_equal(value_parse_weights(LEVERAGE_WEIGHTS_DEFAULT, &settings.weights, NULL),
                     STATUS_OK);
    counting = survival_model;
    counting.advance = count_advance;
    *market = (struct market){.end = ZERO, .price = 90000, .contracts = 80000};
    assert_true(run_init(&market->run, &counting, &settings));
    assert_true(run_books_init(&market->books, &counting, &settings));
    market->cold = book_create(&survival_model, &settings);
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

static int64_t begin_of(const struct market *market)
{
    const int64_t newest_ms = slots_time_ms(market->end - 1);
    return slots_number(model_begin(&survival_model, newest_ms, LOOKBACK_MS));
}

static void set_candle(struct market *market, int64_t slot)
{
    double open = market->price, close = open * (1 + 0.006 * (random_unit() - 0.5));
    const struct candle candle = {
        .open_time_ms = slots_time_ms(slot),
        .open_e8 = (int64_t)open * E8,
        .high_e8 = (int64_t)(fmax(open, close) * (1 + 0.001 * random_unit())) * E8,
        .low_e8 = (int64_t)(fmin(open, close) * (1 - 0.001 * random_unit())) * E8,
        .close_e8 = (int64_t)close * E8,
        .volume = floor(100 * random_unit()),
    };
    slots_set_candle(&market->slots, slot, &candle);
    market->price = close;
}

/* Contracts or a value, or neither. */
static void set_interest(struct market *market, int64_t slot)
{
    double kind = random_unit();
    market->contracts *= 1 + 0.01 * (random_unit() - 0.5);
    slots_set_contracts(&market->slots, slot, kind < 0.8 ? floor(market->contracts) : 0);
    slots_set_interest(&market->slots, slot, kind < 0.95 ? floor(market->contracts * 9e4) : 0);
}

/* One slot more at the end; the front moves on by blocks, as a follower's does. */
static void append(struct market *market)
{
    market->end++;
    int64_t first = begin_of(market) / 72 * 72;
    if (market->slots.count > 0 && first < market->slots.first)
        first = market->slots.first;
    assert_true(slots_span(&market->slots, first, market->end + 1));
    set_candle(market, market->end - 1);
}

static void compute_cold(struct market *market, int64_t bucket_e8)
{
    struct series series = {0};
    struct series_builder builder;
    const int64_t first = begin_of(market);
    series_builder_init(&builder, &series, CANDLE_MS);
    for (int64_t slot = first; slot < market->end; slot++) {
        const struct candle *candle = slots_candle(&market->slots, slot);
        if (candle != NULL)
            series_builder_add_candle(&builder, candle->open_time_ms * 1000, candle);
    }
    for (int64_t slot = first; slot <= market->end; slot++) {
        const struct interest_reading reading = {
            .time_us = slots_time_ms(slot) * 1000,
            .value_e8 = (__int128)slots_interest(&market->slots, slot) * (__int128)E8,
            .contracts_e8 = (__int128)slots_contracts(&market->slots, slot) * (__int128)E8};
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
    if (run_snapshot(&market->run, &market->slots, begin_of(market), market->end, &market->books,
                     "BTCUSDT", bucket_e8, &market->snapshot, &error) != STATUS_OK)
        fail_msg("%s", error.message);
}

static void assert_followed(struct market *market)
{
    const struct snapshot *found = &market->snapshot, *expected = &market->expected;
    const int64_t bucket_e8 = random_unit() < 0.9 ? 100 * E8 : E8 / 7;
    follow(market, bucket_e8);
    compute_cold(market, bucket_e8);
    assert_int_equal(found->timestamp_ms, expected->timestamp_ms);
    assert_int_equal(found->known_from_ms, expected->known_from_ms);
    assert_int_equal(found->change.created, expected->change.created);
    assert_int_equal(found->change.consumed, expected->change.consumed);
    assert_int_equal(found->levels.count, expected->levels.count);
    if (found->levels.count > 0)
        assert_memory_equal(found->levels.levels, expected->levels.levels,
                            found->levels.count * sizeof *found->levels.levels);
}

/* Open interest comes some candles late. */
static void append_late(struct market *market, int64_t late)
{
    append(market);
    if (market->end - late > market->slots.first)
        set_interest(market, market->end - late);
}

static void a_followed_moment_is_the_computed_one(void **state)
{
    (void)state;
    struct market market;
    seed = 20251201;
    open_market(&market);
    for (int i = 0; i < 8 * (int)DAY_SLOTS; i++) {
        append_late(&market, i % 5);
        if (i % 7 == 0 || i < 40)
            assert_followed(&market);
        if (i % 11 == 0) { /* the newest candle goes on */
            set_candle(&market, market.end - 1);
            assert_followed(&market);
        }
    }
    assert_true(market.snapshot.levels.count > 50);
    close_market(&market);
}

static void rows_of_the_past_that_change_are_followed(void **state)
{
    (void)state;
    struct market market;
    seed = 9;
    open_market(&market);
    for (int i = 0; i < 6 * (int)DAY_SLOTS; i++) {
        /* Anywhere, or where the book that is kept ends. */
        const int64_t slot = i % 26 == 0 ? market.run.end - 1 + random_below(3)
                                         : market.end - random_below(market.end - ZERO + 1);
        append_late(&market, 0);
        if (i % 13 != 0 || slot < market.slots.first)
            continue;
        if (i % 2 == 0)
            set_interest(&market, slot);
        else if (i % 3 == 0)
            slots_set_candle(&market.slots, slot < market.end - 1 ? slot : slot - 1, NULL);
        else
            set_candle(&market, slot < market.end ? slot : market.end - 1);
        assert_followed(&market);
    }
    close_market(&market);
}

static void a_window_that_jumps_or_goes_back_is_followed(void **state)
{
    (void)state;
    struct market market;
    seed = 5;
    open_market(&market);
    for (int jump = 0; jump < 12; jump++) {
        const int64_t hole = jump % 3 == 2 ? 9 * DAY_SLOTS : jump * 17;
        market.end += hole;
        for (int i = 0; i < 150; i++)
            append_late(&market, 1);
        assert_followed(&market);
        for (int i = 0; i < 30; i++) /* the newest rows are deleted again */
            slots_set_candle(&market.slots, market.end - 1 - i, NULL);
        market.end -= 30;
        assert_followed(&market);
    }
    close_market(&market);
}

static void a_candle_costs_what_is_new(void **state)
{
    (void)state;
    struct market market;
    seed = 3;
    open_market(&market);
    for (int i = 0; i < 3 * (int)DAY_SLOTS; i++)
        append_late(&market, 0);
    follow(&market, 100 * E8);
    for (int i = 0; i < 300; i++) {
        advanced = 0;
        append_late(&market, i % 4);
        follow(&market, 100 * E8);
        assert_in_range(advanced, 1, 2 * RUN_LAG_MAX);
    }
    close_market(&market);
}

static void a_book_that_found_no_memory_is_computed_anew(void **state)
{
    (void)state;
    struct market market;
    seed = 7;
    open_market(&market);
    for (int i = 0; i < 2 * (int)DAY_SLOTS; i++)
        append_late(&market, 0);
    memory_fail_call(3);
    assert_int_equal(run_snapshot(&market.run, &market.slots, begin_of(&market), market.end,
                                  &market.books, "BTCUSDT", 100 * E8, &market.snapshot, NULL),
                     STATUS_NO_MEMORY);
    memory_fail_call(0);
    assert_followed(&market);
    close_market(&market);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_followed_moment_is_the_computed_one),
        cmocka_unit_test(rows_of_the_past_that_change_are_followed),
        cmocka_unit_test(a_window_that_jumps_or_goes_back_is_followed),
        cmocka_unit_test(a_candle_costs_what_is_new),
        cmocka_unit_test(a_book_that_found_no_memory_is_computed_anew),
    };
    return cmocka_run_group_tests_name("run_moment", tests, NULL, NULL);
}
