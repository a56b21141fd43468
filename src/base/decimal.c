/* Prices are compared exactly, so they are never binary fractions on their way from a file to the
 * model: digits are summed into a 128-bit integer, which holds all that a column of a table can,
 * and scaled once, with one rounding.
 *
 * Numbers are written here rather than with printf because a history holds millions of them: the
 * usual case is one multiplication and a few divisions by constants. Reading is nearly as frequent,
 * in imports of whole years; both work on plain pointers and allocate nothing. */
#include "base/decimal.h"

#include "base/check.h"

#include <math.h>
#include <stdio.h>

enum { SIGNIFICANT_DIGITS = 10, EXPONENT_MAX = 400 };

#define DIGITS_END UINT64_C(10000000000) /* the first number of more than SIGNIFICANT_DIGITS */
/* Ten digits and what a multiplication is off by, 2^-53 of them, with a margin. */
#define MIDDLE_DOUBT 1e-5

/* -- reading ----------------------------------------------------------------------------------- */

/* Reads digits with at most one point among them into mantissa * 10^exponent, and returns their
 * end; NULL if there is no digit. Digits that no longer fit change the exponent alone: what they
 * would add is far below the eighth decimal, or the number is out of range. */
static const char *read_mantissa(const char *at, const char *end, unsigned __int128 *mantissa,
                                 int *exponent)
{
    const unsigned __int128 mantissa_max = (unsigned __int128)1 << 120;
    int digits = 0;
    bool has_point = false;
    for (; at < end && ((*at >= '0' && *at <= '9') || (*at == '.' && !has_point)); at++) {
        if (*at == '.') {
            has_point = true;
            continue;
        }
        digits++;
        if (*mantissa < mantissa_max) {
            *mantissa = *mantissa * 10 + (unsigned)(*at - '0');
            *exponent -= has_point;
        } else {
            *exponent += !has_point;
        }
    }
    return digits > 0 ? at : NULL;
}

/* Reads "e-7", adds it to `exponent`, and returns its end; NULL if no digits follow the e. Beyond
 * EXPONENT_MAX a number is zero or out of range, however far beyond. */
static const char *read_exponent(const char *at, const char *end, int *exponent)
{
    if (at == end || (*at != 'e' && *at != 'E'))
        return at;
    at++;
    bool is_down = false;
    if (at < end && (*at == '-' || *at == '+'))
        is_down = *at++ == '-';
    const char *digits = at;
    int written = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        written = written < EXPONENT_MAX ? written * 10 + (*at - '0') : written;
    *exponent += is_down ? -written : written;
    return at > digits ? at : NULL;
}

/* mantissa * 10^exponent, rounded half up to a whole number. False if that is above INT64_MAX. */
static bool scale(unsigned __int128 mantissa, int exponent, int64_t *value)
{
    if (mantissa == 0)
        exponent = 0;
    for (; exponent > 0; exponent--) {
        if (mantissa > (unsigned __int128)INT64_MAX)
            return false;
        mantissa *= 10;
    }
    for (; exponent < -1 && mantissa > 0; exponent++)
        mantissa /= 10;
    if (exponent < 0 && mantissa > 0)
        mantissa = (mantissa + 5) / 10;
    if (mantissa > (unsigned __int128)INT64_MAX)
        return false;
    *value = (int64_t)mantissa;
    return true;
}

bool decimal_parse(const char *text, size_t size, int64_t *value_e8)
{
    const char *at = text, *end = text + size;
    unsigned __int128 mantissa = 0;
    int exponent = 8;
    int64_t magnitude_e8;
    bool is_negative = false;
    if (at < end && (*at == '-' || *at == '+'))
        is_negative = *at++ == '-';
    at = read_mantissa(at, end, &mantissa, &exponent);
    if (at != NULL)
        at = read_exponent(at, end, &exponent);
    if (at != end || !scale(mantissa, exponent, &magnitude_e8))
        return false;
    *value_e8 = is_negative ? -magnitude_e8 : magnitude_e8;
    return true;
}

/* -- writing ----------------------------------------------------------------------------------- */

/* Writes two digits of `value` (0 to 99). */
static void put_pair(char *to, uint32_t value)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "6869707172737475767778798081828384858687888990919293949596979899";
    memcpy(to, pairs + 2 * value, 2);
}

/* Writes the SIGNIFICANT_DIGITS digits of a number below 10^10. */
static void put_digits(char *to, uint64_t value)
{
    uint32_t high = (uint32_t)(value / 100000000), low = (uint32_t)(value % 100000000);
    put_pair(to, high);
    put_pair(to + 2, low / 1000000);
    put_pair(to + 4, low / 10000 % 100);
    put_pair(to + 6, low / 100 % 100);
    put_pair(to + 8, low % 100);
}

/* The digits of a number below 10^10 without leading zeros; ten bytes are written in any case. */
static char *write_whole(char *to, uint64_t value)
{
    char digits[2 * SIGNIFICANT_DIGITS] = {0};
    put_digits(digits, value);
    size_t zeros = 0;
    while (zeros < SIGNIFICANT_DIGITS - 1 && digits[zeros] == '0')
        zeros++;
    memcpy(to, digits + zeros, SIGNIFICANT_DIGITS);
    return to + SIGNIFICANT_DIGITS - zeros;
}

char *decimal_write(char *to, int64_t value_e8)
{
    uint64_t magnitude = value_e8 < 0 ? 0 - (uint64_t)value_e8 : (uint64_t)value_e8;
    uint64_t whole = magnitude / (uint64_t)DECIMAL_ONE;
    uint64_t fraction = magnitude % (uint64_t)DECIMAL_ONE;
    if (value_e8 < 0)
        *to++ = '-';
    if (whole >= DIGITS_END) {
        *to++ = (char)('0' + whole / DIGITS_END);
        put_digits(to, whole % DIGITS_END);
        to += SIGNIFICANT_DIGITS;
    } else {
        to = write_whole(to, whole);
    }
    if (fraction == 0)
        return to;
    char digits[SIGNIFICANT_DIGITS]; /* two zeros before the eight of the fraction */
    put_digits(digits, fraction);
    digits[1] = '.';
    memcpy(to, digits + 1, 9);
    to += 9;
    while (to[-1] == '0')
        to--;
    return to;
}

void decimal_append(struct buffer *buffer, int64_t value_e8)
{
    char *start = buffer_reserve(buffer, DECIMAL_SIZE_MAX);
    if (start != NULL)
        buffer_commit(buffer, (size_t)(decimal_write(start, value_e8) - start));
}

/* Lays out the digits of a number whose first one stands for 10^exponent. `digits` has room for as
 * many again, so that pieces of it are copied in one size. */
static char *lay_out(char *to, const char *digits, int exponent)
{
    size_t count = SIGNIFICANT_DIGITS;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    if (exponent < 0) {
        size_t zeros = (size_t)-exponent - 1;
        memcpy(to, "0.", 2);
        memset(to + 2, '0', zeros);
        memcpy(to + 2 + zeros, digits, SIGNIFICANT_DIGITS);
        return to + 2 + zeros + count;
    }
    size_t whole = (size_t)exponent + 1;
    memcpy(to, digits, SIGNIFICANT_DIGITS);
    if (count <= whole) {
        if (whole > SIGNIFICANT_DIGITS)
            memset(to + SIGNIFICANT_DIGITS, '0', whole - SIGNIFICANT_DIGITS);
        return to + whole;
    }
    to[whole] = '.';
    memcpy(to + whole + 1, digits + whole, SIGNIFICANT_DIGITS);
    return to + count + 1;
}

/* floor(log10(value)) of a number from 10^-6 to 10^15. The logarithm of the power of two below it
 * (4096 log10(2) = 1233.0) is off by one at most. */
static int exponent_of(double value)
{
    static const double above[] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1,
                                   1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                   1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int binary = (int)(bits >> 52) - 1023;
    int exponent = (binary * 1233 - (binary < 0 ? 4095 : 0)) / 4096;
    return exponent + (value >= above[exponent + 7]);
}

/* A number from 10^-6 to 10^15, rounded in one multiplication or division. Returns the exponent.
 * False where that may not round as the exact number would: below 1, near the middle between two
 * results. (From 1 on numbers have fewer digits behind the tenth, and what is within rounding of a
 * middle rounds up.) */
static bool round_usual(double value, char *digits, int *exponent)
{
    static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    *exponent = exponent_of(value);
    int shift = SIGNIFICANT_DIGITS - 1 - *exponent;
    double scaled = shift >= 0 ? value * power[shift] : value / power[-shift];
    uint64_t rounded = (uint64_t)(int64_t)(scaled + 0.5); /* one instruction, unlike unsigned */
    if (value < 1 && fabs(scaled - (double)(int64_t)rounded) > 0.5 - MIDDLE_DOUBT)
        return false;
    if (rounded >= DIGITS_END) {
        rounded /= 10;
        ++*exponent;
    }
    put_digits(digits, rounded);
    return true;
}

static void round_unusual(double value, char *digits, int *exponent)
{
    char printed[32]; /* d.ddddddddde±xx */
    snprintf(printed, sizeof printed, "%.*e", SIGNIFICANT_DIGITS - 1, value);
    digits[0] = printed[0];
    memcpy(digits + 1, printed + 2, SIGNIFICANT_DIGITS - 1);
    check(sscanf(printed + SIGNIFICANT_DIGITS + 2, "%d", exponent) == 1);
}

char *decimal_write_double(char *to, double value)
{
    check(isfinite(value));
    if (value == 0) {
        *to = '0';
        return to + 1;
    }
    if (value < 0)
        *to++ = '-';
    value = fabs(value);
    char digits[2 * SIGNIFICANT_DIGITS] = {0};
    int exponent;
    if (value < 1e-6 || value >= 1e15 || !round_usual(value, digits, &exponent))
        round_unusual(value, digits, &exponent);
    return lay_out(to, digits, exponent);
}

void decimal_append_double(struct buffer *buffer, double value)
{
    char *start = buffer_reserve(buffer, DECIMAL_DOUBLE_SIZE_MAX);
    if (start != NULL)
        buffer_commit(buffer, (size_t)(decimal_write_double(start, value) - start));
}
