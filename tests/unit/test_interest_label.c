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
            assert_true(label.error_bps < 1.5 && label.next_error_bps > 2);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_convention_is_told_from_twelve_rows),
        cmocka_unit_test(too_few_rows_tell_nothing),
        cmocka_unit_test(a_price_that_does_not_move_tells_nothing),
        cmocka_unit_test(prices_of_another_market_tell_nothing),
        cmocka_unit_test(rows_without_a_price_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
