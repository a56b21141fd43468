/* The price steps of a heatmap. */
#include "base/decimal.h"
#include "model/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define E8 DECIMAL_ONE

static void the_default_bucket_is_the_step_nearest_to_a_thousandth(void **state)
{
    (void)state;
    static const struct {
        const char *symbol;
        int64_t close_e8, bucket_e8;
    } expected[] = {
        {"BTCUSDT", 98450 * E8, 100 * E8},
        {"BTCUSDC", 20000 * E8, 100 * E8},
        {"BTCFDUSD", 98450 * E8, 100 * E8},
        {"BTCUSD_PERP", 98450 * E8, 100 * E8},
        {"BTC-USD", 98450 * E8, 100 * E8},
        {"BINANCE:BTCUSDT", 98450 * E8, 100 * E8},
        {"ALL:ETHUSDT", 3500 * E8, 5 * E8},
        {"BTCDOMUSDT", 4500 * E8, 5 * E8},
        {"BTCUSDX", 3500 * E8, 5 * E8},
        {"ETHBTC", 3500000, 5000},
        {"ETHUSDT", 3500 * E8, 5 * E8},
        {"ETHUSDT", 2900 * E8, 2 * E8},
        {"ETHUSDT", 1000 * E8, E8},
        {"ETHUSDT", 3162 * E8, 2 * E8}, /* sqrt(10) = 3.16227..., between 2 and 5 */
        {"ETHUSDT", 316228 * E8 / 100, 5 * E8},
        {"ETHUSDT", 7071 * E8, 5 * E8}, /* sqrt(50) = 7.07106..., between 5 and 10 */
        {"ETHUSDT", 70711 * E8 / 10, 10 * E8},
        {"DOGEUSDT", E8 / 10, E8 / 10000},
        {"PEPEUSDT", 1200, 1},
        {"PEPEUSDT", 1, 1},
        {"PEPEUSDT", 0, 1},
        {"PEPEUSDT", -5, 1},
        {"XUSDT", INT64_MAX, 10000000000000000},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_int_equal(bucket_default(expected[i].symbol, expected[i].close_e8),
                         expected[i].bucket_e8);
}

static void the_least_step_is_not_below_what_is_asked_for(void **state)
{
    (void)state;
    static const struct {
        double step_min_e8;
        int64_t bucket_e8;
    } expected[] = {{-3, 1},
                    {0, 1},
                    {1, 1},
                    {1.5, 2},
                    {2, 2},
                    {2.01, 5},
                    {5, 5},
                    {6, 10},
                    {10, 10},
                    {99, 100},
                    {2001, 5000},
                    {1e17, 100000000000000000},
                    {4e17, 500000000000000000}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_int_equal(bucket_least(expected[i].step_min_e8), expected[i].bucket_e8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_bucket_is_the_step_nearest_to_a_thousandth),
        cmocka_unit_test(the_least_step_is_not_below_what_is_asked_for),
    };
    return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
