/* Snapshots of some of the tiers: what the groups hold adds up to what all hold, at any moment,
 * with any bucket, in both models, and a book is the same whatever is shown of it. */
#include "base/decimal.h"
#include "model/model.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>

#define E8 DECIMAL_ONE
#define TIME_MS INT64_C(1764547200000) /* 2025-12-01T00:00:00Z */
#define CANDLES 1500

enum { ALL, LOW, MEDIUM, HIGH, BOOKS };
static const unsigned groups[BOOKS] = {0, TIERS_LOW, TIERS_MEDIUM, TIERS_HIGH};

static uint64_t seed;

static double random_unit(void)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(seed >> 11) / 9007199254740992.0;
}

static double long_at(const struct level_list *levels, int64_t price_e8, bool is_long)
{
    for (size_t i = 0; i < levels->count; i++)
        if (levels->levels[i].price_e8 == price_e8)
            return is_long ? levels->levels[i].long_density : levels->levels[i].short_density;
    return 0;
}

static void assert_sum(double whole, double sum)
{
    if (fabs(whole - sum) > 1e-9 * whole)
        fail_msg("%.12g, and the groups hold %.12g", whole, sum);
}

static void assert_adds_up(struct book *books[BOOKS], int64_t bucket_e8)
{
    struct level_list levels[BOOKS] = {{0}};
    size_t in_groups = 0;
    for (size_t b = 0; b < BOOKS; b++)
        book_snapshot(books[b], bucket_e8, &levels[b]);
    for (size_t i = 0; i < levels[ALL].count; i++) {
        const struct level *level = &levels[ALL].levels[i];
        double sums[2] = {0};
        for (size_t b = LOW; b < BOOKS; b++)
            for (int is_long = 0; is_long < 2; is_long++)
                sums[is_long] += long_at(&levels[b], level->price_e8, is_long);
        assert_sum(level->long_density, sums[true]);
        assert_sum(level->short_density, sums[false]);
    }
    for (size_t b = LOW; b < BOOKS; b++) {
        in_groups += levels[b].count;
        for (size_t i = 0; i < levels[b].count; i++)
            assert_true(levels[b].levels[i].long_density + levels[b].levels[i].short_density > 0);
    }
    assert_true(in_groups >= levels[ALL].count);
    for (size_t b = 0; b < BOOKS; b++)
        level_list_deinit(&levels[b]);
}

static void run(enum model_name name)
{
    struct model_settings settings = {.lookback_ms = 2 * DAY_MS};
    struct book *books[BOOKS];
    int64_t price_e8 = 90000 * E8;
    double contracts = 1e5;
    assert_int_equal(
        value_parse_weights("2:10,19:10,20:15,49:20,50:25,100:20", &settings.weights, NULL),
        STATUS_OK);
    for (size_t b = 0; b < BOOKS; b++) {
        settings.tier_groups = groups[b];
        books[b] = book_create(model_of(name), &settings);
    }
    for (int i = 0; i < CANDLES; i++) {
        const int64_t open_e8 = price_e8;
        price_e8 += (int64_t)((random_unit() - 0.5) * 0.006 * (double)price_e8);
        const int64_t top_e8 = open_e8 > price_e8 ? open_e8 : price_e8;
        const int64_t bottom_e8 = open_e8 + price_e8 - top_e8;
        const struct candle candle = {TIME_MS + i * CANDLE_MS,     open_e8,  top_e8 + top_e8 / 900,
                                      bottom_e8 - bottom_e8 / 900, price_e8, 1};
        const double before = contracts;
        contracts *= 1 + 0.02 * (random_unit() - 0.48);
        const struct interest_step interest = {(contracts - before) * 9e4, contracts};
        const struct book_change change = book_advance(books[ALL], &candle, interest);
        for (size_t b = LOW; b < BOOKS; b++) {
            const struct book_change other = book_advance(books[b], &candle, interest);
            assert_int_equal(other.created, change.created);
            assert_int_equal(other.consumed, change.consumed);
        }
        if (i % 50 == 49) {
            assert_adds_up(books, 100 * E8);
            assert_adds_up(books, E8 / 1000); /* sorted, not summed in arrays */
        }
    }
    for (size_t b = 0; b < BOOKS; b++)
        book_destroy(books[b]);
}

static void groups_of_survival_add_up(void **state)
{
    (void)state;
    seed = 4;
    run(MODEL_SURVIVAL);
}

static void groups_of_reference_add_up(void **state)
{
    (void)state;
    seed = 5;
    run(MODEL_REFERENCE);
}

static void a_group_is_told_by_its_leverage(void **state)
{
    (void)state;
    static const struct {
        int leverage;
        enum tier_group group;
    } expected[] = {{1, TIERS_LOW},     {19, TIERS_LOW},  {20, TIERS_MEDIUM},
                    {49, TIERS_MEDIUM}, {50, TIERS_HIGH}, {125, TIERS_HIGH}};
    char text[TIER_GROUPS_SIZE];
    unsigned read;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_int_equal(tier_group_of(expected[i].leverage), expected[i].group);
    assert_int_equal(value_parse_tier_groups("high,low", &read, NULL), STATUS_OK);
    assert_string_equal(value_format_tier_groups(read, text), "low,high");
    assert_string_equal(value_format_tier_groups(TIERS_ALL, text), "low,medium,high");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_of_survival_add_up),
        cmocka_unit_test(groups_of_reference_add_up),
        cmocka_unit_test(a_group_is_told_by_its_leverage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
