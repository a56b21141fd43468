/* What the time of a row of open interest means is told by its own price. */
#include "model/interest_label.h"

#include "base/random.h"
#include "config/value.h"

#include <math.h>
#include <stdarg.h>

#include <setjmp.h>

#include <cmocka.h>

#define CANDLE_COUNT 400
#define START_MS (INT64_C(1767225600000)) /* 2026-01-01 */

struct market {
    double opens[CANDLE_COUNT]; /* 0: unknown */
};

static struct market make_market(uint64_t seed, double step)
{
    struct random random = {seed};
    struct market market;
    double price = 90000;
    for (int i = 0; i < CANDLE_COUNT; i++) {
        price *= 1 + step * (random_unit(&random) - 0.5);
        market.opens[i] = price;
    }
    return market;
}

static double open_at(int64_t time_ms, void *context)
{
    const struct market *market = context;
    int64_t index = (time_ms - START_MS) / CANDLE_MS;
    return index >= 0 && index < CANDLE_COUNT ? market->opens[index] : 0;
}

/* Rows whose states were at candles `first` to `first + count - 1`, labelled `offset` before. */
static void make_rows(struct market *market, int first, size_t count, int64_t offset_ms,
                      double noise, struct interest_label_row *rows)
{
    struct random random = {99};
    for (size_t i = 0; i < count; i++) {
        int64_t state_ms = START_MS + (first + (int64_t)i) * CANDLE_MS;
        rows[i] = (struct interest_label_row){
            .label_ms = state_ms - offset_ms,
            .price = open_at(state_ms, market) * 1.0004 * (1 + noise * (random_unit(&random) - .5)),
        };
    }
}

static void each_convention_is_told_from_twelve_rows(void **state)
{
    (void)state;
    struct interest_label_row rows[INTEREST_LABEL_ROWS_MIN];
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct market market = make_market(seed, 0.002);
        for (int64_t offset_ms = -CANDLE_MS; offset_ms <= CANDLE_MS; offset_ms += CANDLE_MS) {
            struct interest_label label;
            make_rows(&market, 10 + (int)seed * 10, INTEREST_LABEL_ROWS_MIN, offset_ms, 0.0002,
                      rows);
            assert_true(
                interest_label_detect(rows, INTEREST_LABEL_ROWS_MIN, open_at, &market, &label));
            assert_int_equal(label.offset_ms, offset_ms);
            assert_int_equal(label.row_count, INTEREST_LABEL_ROWS_MIN);
            assert_true(label.error_bps < 1.5 && label.next_error_bps > 3 * label.error_bps);
        }
    }
}

static void too_few_rows_tell_nothing(void **state)
{
    (void)state;
    struct market market = make_market(1, 0.002);
    struct interest_label_row rows[INTEREST_LABEL_ROWS_MIN];
    struct interest_label label;
    make_rows(&market, 50, INTEREST_LABEL_ROWS_MIN, 0, 0, rows);
    assert_false(
        interest_label_detect(rows, INTEREST_LABEL_ROWS_MIN - 1, open_at, &market, &label));
    market.opens[55] = 0; /* the candle of one row, and a neighbour of two others */
    assert_false(interest_label_detect(rows, INTEREST_LABEL_ROWS_MIN, open_at, &market, &label));
    assert_false(interest_label_detect(rows, 0, open_at, &market, &label));
}

static void a_price_that_does_not_move_tells_nothing(void **state)
{
    (void)state;
    struct market market = make_market(1, 0);
    struct interest_label_row rows[50];
    struct interest_label label;
    make_rows(&market, 50, 50, 0, 0, rows);
    assert_false(interest_label_detect(rows, 50, open_at, &market, &label));
    make_rows(&market, 50, 50, 0, 0.0005, rows);
    assert_false(interest_label_detect(rows, 50, open_at, &market, &label));
}

static void prices_of_another_market_tell_nothing(void **state)
{
    (void)state;
    struct market market = make_market(1, 0.02), other = make_market(2, 0.02);
    struct interest_label_row rows[50];
    struct interest_label label;
    make_rows(&other, 50, 50, 0, 0, rows);
    assert_false(interest_label_detect(rows, 50, open_at, &market, &label));
}

static void rows_without_a_price_are_passed_over(void **state)
{
    (void)state;
    struct market market = make_market(3, 0.002);
    struct interest_label_row rows[50];
    struct interest_label label;
    make_rows(&market, 50, 50, CANDLE_MS, 0.0001, rows);
    rows[3].price = 0;
    rows[9].price = -5;
    rows[20].price = NAN;
    rows[30].price = INFINITY;
    assert_true(interest_label_detect(rows, 50, open_at, &market, &label));
    assert_int_equal(label.offset_ms, CANDLE_MS);
    assert_int_equal(label.row_count, 46);
}

/* A candle that was stored wrongly, or a value of another moment: 1 % off. */
static void one_odd_candle_or_row_does_not_keep_labels_from_being_told(void **state)
{
    enum { FIRST = 50 };
    static const size_t counts[] = {12, 24, 60, 288};
    (void)state;
    struct interest_label_row rows[288];
    struct interest_label label;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t odd = 0; odd < counts[c]; odd++)
            for (int64_t offset_ms = -CANDLE_MS; offset_ms <= CANDLE_MS; offset_ms += CANDLE_MS) {
                struct market market = make_market(odd + 1, 0.004);
                make_rows(&market, FIRST, counts[c], offset_ms, 0.0002, rows);
                market.opens[FIRST + odd] *= odd % 2 == 0 ? 1.01 : 0.99;
                assert_true(interest_label_detect(rows, counts[c], open_at, &market, &label));
                assert_int_equal(label.offset_ms, offset_ms);
                market.opens[FIRST + odd] /= odd % 2 == 0 ? 1.01 : 0.99;
                rows[odd].price *= 0.99;
                assert_true(interest_label_detect(rows, counts[c], open_at, &market, &label));
                assert_int_equal(label.offset_ms, offset_ms);
            }
}

static void three_per_cent_of_odd_candles_do_not_either(void **state)
{
    enum { COUNT = 288 };
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct market market = make_market(seed, 0.004);
        struct random random = {seed};
        struct interest_label_row rows[COUNT];
        struct interest_label label;
        make_rows(&market, 50, COUNT, CANDLE_MS, 0.0002, rows);
        for (int i = 0; i < CANDLE_COUNT; i++)
            if (random_unit(&random) < 0.03)
                market.opens[i] *= 1.01;
        assert_true(interest_label_detect(rows, COUNT, open_at, &market, &label));
        assert_int_equal(label.offset_ms, CANDLE_MS);
        interest_label_date(rows, COUNT, open_at, &market);
        for (size_t i = 0; i < COUNT; i++)
            assert_int_equal(rows[i].verdict, INTEREST_LABEL_TOLD);
    }
}

/* What is left of them without the farthest off might agree by chance. */
static void twelve_rows_of_random_prices_seldom_tell(void **state)
{
    enum { TRIES = 10000, COUNT = INTEREST_LABEL_ROWS_MIN };
    (void)state;
    struct market market;
    struct random random = {5};
    size_t told = 0;
    for (int i = 0; i < CANDLE_COUNT; i++)
        market.opens[i] = 0;
    for (int try = 0; try < TRIES; try++) {
        struct interest_label_row rows[COUNT];
        struct interest_label label;
        for (int i = 0; i < COUNT + 2; i++)
            market.opens[i] = 90000 * (1 + 0.004 * (random_unit(&random) - 0.5));
        for (int i = 0; i < COUNT; i++)
            rows[i] = (struct interest_label_row){
                .label_ms = START_MS + (i + 1) * CANDLE_MS,
                .price = 90000 * (1 + 0.004 * (random_unit(&random) - 0.5)),
            };
        told += interest_label_detect(rows, COUNT, open_at, &market, &label);
    }
    assert_true(told <= 20);
}

static void a_price_that_moves_seldom_tells_by_its_few_moves(void **state)
{
    enum { COUNT = 60 };
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct market market = make_market(seed, 0.004);
        struct interest_label_row rows[COUNT];
        struct interest_label label;
        for (int i = 1; i < CANDLE_COUNT; i++)
            if (i % 7 != 0)
                market.opens[i] = market.opens[i - 1];
        make_rows(&market, 50, COUNT, CANDLE_MS, 0.0001, rows);
        assert_true(interest_label_detect(rows, COUNT, open_at, &market, &label));
        assert_int_equal(label.offset_ms, CANDLE_MS);
    }
}

/* The first `changed` rows are labelled with their own time, the others five minutes before: the
 * state between them is in no row. */
static void make_changing_rows(struct market *market, int first, size_t count, size_t changed,
                               struct interest_label_row *rows)
{
    make_rows(market, first, changed, 0, 0.0002, rows);
    make_rows(market, first + (int)changed + 1, count - changed, CANDLE_MS, 0.0002, rows + changed);
}

static void a_meaning_that_changes_within_the_rows_is_told_of_each_part(void **state)
{
    enum { COUNT = 80 };
    (void)state;
    size_t told = 0, wrong = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct market market = make_market(seed, 0.004);
        struct interest_label_row rows[COUNT];
        size_t changed = 12 + (size_t)seed * 56 / 30; /* either part has 12 rows and more */
        make_changing_rows(&market, 50, COUNT, changed, rows);
        assert_int_equal(interest_label_date(rows, COUNT, open_at, &market), 2);
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(rows[i].label_ms, START_MS + (50 + (int64_t)i) * CANDLE_MS);
            bool is_near = i + 3 >= changed && i < changed + 3;
            bool is_told = rows[i].verdict == INTEREST_LABEL_TOLD;
            bool is_right = rows[i].offset_ms == (i < changed ? 0 : CANDLE_MS);
            assert_true(is_near || (is_told && is_right));
            told += is_told;
            wrong += is_told && !is_right;
        }
    }
    assert_true(told > 30 * (COUNT - 3));
    assert_true(wrong < 10); /* where the price of the one moment is that of the other */
}

static void the_first_rows_after_a_change_are_not_told_before_there_are_twelve(void **state)
{
    enum { COUNT = 26 };
    (void)state;
    size_t told = 0;
    for (uint64_t seed = 1; seed <= 30; seed++)
        for (size_t after = 2; after < 10; after++) {
            struct market market = make_market(seed, 0.004);
            struct interest_label_row rows[COUNT];
            make_changing_rows(&market, 50, COUNT, COUNT - after, rows);
            interest_label_date(rows, COUNT, open_at, &market);
            for (size_t i = COUNT - after; i < COUNT; i++)
                told += rows[i].verdict == INTEREST_LABEL_TOLD;
            for (size_t i = 0; i < 12; i++)
                assert_int_equal(rows[i].verdict, INTEREST_LABEL_TOLD);
        }
    assert_true(told < 60); /* of 1,320 */
}

static void odd_rows_change_nothing(void **state)
{
    enum { COUNT = 60 };
    (void)state;
    struct market market = make_market(7, 0.004);
    struct interest_label_row rows[COUNT];
    make_rows(&market, 50, COUNT, 0, 0.0002, rows);
    rows[20].price *= 1.002;
    rows[30].price = open_at(rows[31].label_ms, &market); /* as if five minutes later */
    rows[31].price = open_at(rows[32].label_ms, &market);
    rows[40].price = 0;
    market.opens[95] = 0;
    interest_label_date(rows, COUNT, open_at, &market);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(rows[i].verdict, INTEREST_LABEL_TOLD);
        assert_int_equal(rows[i].offset_ms, 0);
    }
}

static void rows_that_tell_nothing_are_one_part(void **state)
{
    (void)state;
    struct market market = make_market(1, 0);
    struct interest_label_row rows[50];
    make_rows(&market, 50, 50, 0, 0, rows);
    assert_int_equal(interest_label_date(rows, 50, open_at, &market), 1);
    for (size_t i = 0; i < 50; i++)
        assert_int_not_equal(rows[i].verdict, INTEREST_LABEL_TOLD);
    assert_int_equal(interest_label_date(rows, 0, open_at, &market), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_convention_is_told_from_twelve_rows),
        cmocka_unit_test(too_few_rows_tell_nothing),
        cmocka_unit_test(a_price_that_does_not_move_tells_nothing),
        cmocka_unit_test(prices_of_another_market_tell_nothing),
        cmocka_unit_test(rows_without_a_price_are_passed_over),
        cmocka_unit_test(one_odd_candle_or_row_does_not_keep_labels_from_being_told),
        cmocka_unit_test(three_per_cent_of_odd_candles_do_not_either),
        cmocka_unit_test(twelve_rows_of_random_prices_seldom_tell),
        cmocka_unit_test(a_price_that_moves_seldom_tells_by_its_few_moves),
        cmocka_unit_test(a_meaning_that_changes_within_the_rows_is_told_of_each_part),
        cmocka_unit_test(the_first_rows_after_a_change_are_not_told_before_there_are_twelve),
        cmocka_unit_test(odd_rows_change_nothing),
        cmocka_unit_test(rows_that_tell_nothing_are_one_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
