/* Decimal numbers: exact where they are prices, ten digits where they are volumes. */
#include "base/decimal.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

static void assert_parses(const char *text, int64_t expected_e8)
{
    int64_t value_e8 = -1;
    if (!decimal_parse(text, strlen(text), &value_e8) || value_e8 != expected_e8)
        fail_msg("%s is %lld", text, (long long)value_e8);
}

static void numbers_are_read_exactly(void **state)
{
    (void)state;
    assert_parses("0", 0);
    assert_parses("-0", 0);
    assert_parses("98450", 9845000000000);
    assert_parses("+98450.10", 9845010000000);
    assert_parses("980.08", 98008000000);
    assert_parses("-0.5", -50000000);
    assert_parses(".5", 50000000);
    assert_parses("5.", 500000000);
    assert_parses("0.00000001", 1);
    assert_parses("00000000000000000000000000000000000000000000000001", 100000000);
    assert_parses("1e-7", 10);
    assert_parses("9.845E4", 9845000000000);
    assert_parses("9.845e+4", 9845000000000);
    assert_parses("0e999999999999", 0);
    assert_parses("92233720368.54775807", INT64_MAX);
    assert_parses("-92233720368.54775807", -INT64_MAX);
    assert_parses("0.0000000000000000000000000000000000000000000000000000000001e58", 100000000);
}

static void digits_beyond_the_eighth_are_rounded_half_away_from_zero(void **state)
{
    (void)state;
    assert_parses("0.000000005", 1);
    assert_parses("0.0000000049999999999999999999999999999999999999999999", 0);
    assert_parses("-0.000000005", -1);
    assert_parses("-0.0000000049", 0);
    assert_parses("0.123456785", 12345679);
    assert_parses("0.1234567849", 12345678);
    assert_parses("1e-400", 0);
    assert_parses("1e-999999999999999999999", 0);
    assert_parses("0.3333333333333333333333333333333333333333333333333333", 33333333);
}

static void what_is_no_number_or_out_of_range_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "-",
                                        "+",
                                        ".",
                                        "-.",
                                        "e5",
                                        "1e",
                                        "1e+",
                                        "1e-",
                                        "1.2.3",
                                        "1 ",
                                        " 1",
                                        "0x10",
                                        "nan",
                                        "inf",
                                        "1,5",
                                        "--1",
                                        "+-1",
                                        "1e11",
                                        "1e400",
                                        "1e999999999999",
                                        "92233720368.54775808",
                                        "99999999999999999999999999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t value_e8 = 7;
        if (decimal_parse(texts[i], strlen(texts[i]), &value_e8))
            fail_msg("'%s' was read as %lld", texts[i], (long long)value_e8);
        assert_int_equal(value_e8, 7);
    }
    int64_t value_e8;
    assert_false(decimal_parse("1\0", 2, &value_e8));
    assert_true(decimal_parse("123x", 3, &value_e8)); /* the size decides, not a terminator */
}

static const char *written(struct buffer *buffer, int64_t value_e8)
{
    buffer_clear(buffer);
    decimal_append(buffer, value_e8);
    return buffer_text(buffer);
}

static void prices_are_written_in_their_shortest_exact_form(void **state)
{
    (void)state;
    struct buffer b = {0};
    assert_string_equal(written(&b, 0), "0");
    assert_string_equal(written(&b, 9845000000000), "98450");
    assert_string_equal(written(&b, 50000000), "0.5");
    assert_string_equal(written(&b, 1), "0.00000001");
    assert_string_equal(written(&b, -1), "-0.00000001");
    assert_string_equal(written(&b, -98008000000), "-980.08");
    assert_string_equal(written(&b, INT64_MAX), "92233720368.54775807");
    assert_string_equal(written(&b, INT64_MIN), "-92233720368.54775808");
    buffer_deinit(&b);
}

/* xorshift: the same numbers on every machine and in every run. */
static uint64_t random_bits(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct buffer b = {0};
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 100000; i++) {
        int64_t value_e8 = (int64_t)(random_bits(&seed) >> (i % 64)), read_e8;
        if (value_e8 == INT64_MIN)
            continue;
        const char *text = written(&b, value_e8);
        assert_true(decimal_parse(text, strlen(text), &read_e8));
        assert_int_equal(read_e8, value_e8);
    }
    buffer_deinit(&b);
}

static const char *written_double(struct buffer *buffer, double value)
{
    buffer_clear(buffer);
    decimal_append_double(buffer, value);
    return buffer_text(buffer);
}

static void volumes_are_written_with_ten_digits_and_no_exponent(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } expected[] = {
        {0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {1500000, "1500000"},
        {0.1 + 0.2, "0.3"},
        {0.01, "0.01"},
        {0.0099999999999, "0.01"},
        {1.0 / 3, "0.3333333333"},
        {200.0 / 3, "66.66666667"},
        {1234567.891, "1234567.891"},
        {123456789.04, "123456789"},
        {1234567890.4, "1234567890"},
        {12345678905.0, "12345678910"}, /* rounded at the tenth digit, half up */
        {99999999999.0, "100000000000"},
        {9.9999999999, "10"},
        {0.99999999999, "1"},
        {999999999999999.0, "1000000000000000"},
        {1e15, "1000000000000000"},
        {1.5e21, "1500000000000000000000"},
        {1e-9, "0.000000001"},
        {5e-324, "0.000000000000000000000000000000000000000000000000000000000000000000000000000000"
                 "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
                 "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
                 "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
                 "000004940656458"},
    };
    struct buffer b = {0};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_string_equal(written_double(&b, expected[i].value), expected[i].text);
    assert_int_equal(strlen(written_double(&b, DBL_MAX)), 309);
    buffer_deinit(&b);
}

static void volumes_agree_with_printf_to_the_tenth_digit(void **state)
{
    (void)state;
    struct buffer b = {0};
    uint64_t seed = 88172645463325252u;
    size_t differences = 0;
    const int count = 300000;
    for (int i = 0; i < count; i++) {
        double value = ldexp((double)(random_bits(&seed) >> 11), -53 + i % 120 - 40);
        char printed[64];
        snprintf(printed, sizeof printed, "%.9e", value);
        double expected = strtod(printed, NULL), actual = strtod(written_double(&b, value), NULL);
        /* A tie may go either way, which is one unit of the tenth digit. */
        assert_true(fabs(actual - expected) <= 1.01e-9 * expected);
        differences += fabs(actual - expected) > 1e-14 * expected;
        assert_null(strchr(b.data, 'e'));
    }
    assert_true(differences < count / 100000);
    buffer_deinit(&b);
}

/* Their middles are not always where a multiplication finds them. */
static void volumes_below_one_agree_with_printf_exactly(void **state)
{
    (void)state;
    struct buffer b = {0};
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 300000; i++) {
        /* Ten digits and a half, and the numbers on both sides of it. */
        double middle = ((double)(random_bits(&seed) % 10000000000) + 0.5) * pow(10, -10 - i % 6);
        double values[] = {middle, nextafter(middle, 0), nextafter(middle, 1),
                           ldexp((double)(random_bits(&seed) >> 11), -53 - i % 20)};
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            char printed[64];
            snprintf(printed, sizeof printed, "%.9e", values[v]);
            assert_true(strtod(written_double(&b, values[v]), NULL) == strtod(printed, NULL));
        }
    }
    buffer_deinit(&b);
}

static void a_text_keeps_to_the_room_that_it_is_said_to_take(void **state)
{
    (void)state;
    static const double doubles[] = {-DBL_MAX, -DBL_MIN, -5e-324, -1.0 / 3, 1234567.891, 1e15, 0};
    static const int64_t decimals[] = {INT64_MIN, INT64_MAX, -1, 1, 0, 150000000};
    for (size_t i = 0; i < sizeof doubles / sizeof doubles[0]; i++) {
        char *room = malloc(DECIMAL_DOUBLE_SIZE_MAX); /* the sanitizer watches its end */
        assert_true(decimal_write_double(room, doubles[i]) <= room + DECIMAL_DOUBLE_SIZE_MAX);
        free(room);
    }
    for (size_t i = 0; i < sizeof decimals / sizeof decimals[0]; i++) {
        char *room = malloc(DECIMAL_SIZE_MAX);
        assert_true(decimal_write(room, decimals[i]) <= room + DECIMAL_SIZE_MAX);
        free(room);
    }
}

static void numbers_are_appended_to_what_is_there(void **state)
{
    (void)state;
    struct buffer b = {0};
    for (int i = 0; i < 1000; i++) {
        decimal_append(&b, 150000000);
        buffer_append_char(&b, ' ');
        decimal_append_double(&b, 0.25);
        buffer_append_char(&b, ' ');
    }
    assert_int_equal(b.size, 9000);
    assert_memory_equal(b.data + 8991, "1.5 0.25 ", 9);
    buffer_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_exactly),
        cmocka_unit_test(digits_beyond_the_eighth_are_rounded_half_away_from_zero),
        cmocka_unit_test(what_is_no_number_or_out_of_range_is_refused),
        cmocka_unit_test(prices_are_written_in_their_shortest_exact_form),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(volumes_are_written_with_ten_digits_and_no_exponent),
        cmocka_unit_test(volumes_agree_with_printf_to_the_tenth_digit),
        cmocka_unit_test(volumes_below_one_agree_with_printf_exactly),
        cmocka_unit_test(a_text_keeps_to_the_room_that_it_is_said_to_take),
        cmocka_unit_test(numbers_are_appended_to_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
