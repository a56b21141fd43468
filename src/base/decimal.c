/* Numbers are written here rather than with printf because a history holds millions of them: the
 * usual case is one multiplication and a few divisions by constants. */
#include "base/decimal.h"

#include "base/check.h"

#include <math.h>
#include <stdio.h>

enum { SIGNIFICANT_DIGITS = 10, EXPONENT_MAX = 400 };

/* Sums digits into a 128-bit magnitude scaled by 10^8, one digit more for rounding. */
bool decimal_parse(const char *text, size_t size, int64_t *value_e8)
{
    const char *at = text, *end = text + size;
    bool is_negative = false;
    if (at < end && (*at == '-' || *at == '+'))
        is_negative = *at++ == '-';

    unsigned __int128 mantissa = 0;
    const unsigned __int128 mantissa_max = (unsigned __int128)1 << 120;
    int exponent = 0, digits = 0;
    bool has_point = false;
    for (; at < end && ((*at >= '0' && *at <= '9') || (*at == '.' && !has_point)); at++) {
        if (*at == '.') {
            has_point = true;
            continue;
        }
        digits++;
        if (mantissa < mantissa_max) {
            mantissa = mantissa * 10 + (unsigned)(*at - '0');
            exponent -= has_point;
        } else {
            exponent += !has_point;
        }
    }
    if (digits == 0)
        return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        bool is_down = false;
        if (at < end && (*at == '-' || *at == '+'))
            is_down = *at++ == '-';
        int written = 0, count = 0;
        for (; at < end && *at >= '0' && *at <= '9'; at++, count++)
            written = written < EXPONENT_MAX ? written * 10 + (*at - '0') : written;
        if (count == 0)
            return false;
        exponent += is_down ? -written : written;
    }
    if (at != end)
        return false;

    exponent += 8;
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
    *value_e8 = is_negative ? -(int64_t)mantissa : (int64_t)mantissa;
    return true;
}

void decimal_append(struct buffer *buffer, int64_t value_e8)
{
    uint64_t magnitude = value_e8 < 0 ? 0 - (uint64_t)value_e8 : (uint64_t)value_e8;
    if (value_e8 < 0)
        buffer_append_char(buffer, '-');
    buffer_append_int(buffer, (int64_t)(magnitude / (uint64_t)DECIMAL_ONE));
    uint64_t fraction = magnitude % (uint64_t)DECIMAL_ONE;
    if (fraction == 0)
        return;
    char digits[9] = {'.'};
    for (int i = 8; i >= 1; i--, fraction /= 10)
        digits[i] = (char)('0' + fraction % 10);
    size_t size = sizeof digits;
    while (digits[size - 1] == '0')
        size--;
    buffer_append(buffer, digits, size);
}

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

/* Lays out `digits` (SIGNIFICANT_DIGITS of them) of a number whose first digit stands for
 * 10^exponent. */
static void append_digits(struct buffer *buffer, const char *digits, int exponent)
{
    size_t count = SIGNIFICANT_DIGITS, whole = exponent >= 0 ? (size_t)exponent + 1 : 1;
    size_t leading_zeros = exponent < 0 ? (size_t)-exponent - 1 : 0;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    char *start = buffer_reserve(buffer, count + whole + leading_zeros + 1), *to = start;
    if (exponent < 0) {
        memcpy(to, "0.", 2);
        memset(to + 2, '0', leading_zeros);
        memcpy(to + 2 + leading_zeros, digits, count);
        to += 2 + leading_zeros + count;
    } else if (count <= whole) {
        memcpy(to, digits, count);
        memset(to + count, '0', whole - count);
        to += whole;
    } else {
        memcpy(to, digits, whole);
        to[whole] = '.';
        memcpy(to + whole + 1, digits + whole, count - whole);
        to += count + 1;
    }
    buffer_commit(buffer, (size_t)(to - start));
}

/* A number from 1 to 10^15, rounded in one multiplication or division. Returns the exponent. */
static int round_usual(double value, char *digits)
{
    static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    int exponent = 0;
    while (value >= power[exponent + 1])
        exponent++;
    int shift = SIGNIFICANT_DIGITS - 1 - exponent;
    double scaled = shift >= 0 ? value * power[shift] : value / power[-shift];
    uint64_t rounded = (uint64_t)(scaled + 0.5);
    if (rounded >= UINT64_C(10000000000)) {
        rounded /= 10;
        exponent++;
    }
    put_digits(digits, rounded);
    return exponent;
}

static int round_unusual(double value, char *digits)
{
    char printed[32]; /* d.ddddddddde±xx */
    int exponent = 0;
    snprintf(printed, sizeof printed, "%.*e", SIGNIFICANT_DIGITS - 1, value);
    digits[0] = printed[0];
    memcpy(digits + 1, printed + 2, SIGNIFICANT_DIGITS - 1);
    check(sscanf(printed + SIGNIFICANT_DIGITS + 2, "%d", &exponent) == 1);
    return exponent;
}

void decimal_append_double(struct buffer *buffer, double value)
{
    check(isfinite(value));
    if (value == 0) {
        buffer_append_char(buffer, '0');
        return;
    }
    if (value < 0)
        buffer_append_char(buffer, '-');
    value = fabs(value);
    char digits[SIGNIFICANT_DIGITS];
    int exponent =
        value >= 1 && value < 1e15 ? round_usual(value, digits) : round_unusual(value, digits);
    append_digits(buffer, digits, exponent);
}
