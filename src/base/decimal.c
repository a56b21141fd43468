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

/* Lays out `digits` (SIGNIFICANT_DIGITS of them) of a number whose first digit stands for
 * 10^exponent. */
static void append_digits(struct buffer *buffer, const char *digits, int exponent)
{
    int count = SIGNIFICANT_DIGITS;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    if (exponent < 0) {
        buffer_append_text(buffer, "0.");
        for (int i = exponent + 1; i < 0; i++)
            buffer_append_char(buffer, '0');
        buffer_append(buffer, digits, (size_t)count);
        return;
    }
    int whole = exponent + 1;
    buffer_append(buffer, digits, (size_t)(count < whole ? count : whole));
    for (int i = count; i < whole; i++)
        buffer_append_char(buffer, '0');
    if (count > whole) {
        buffer_append_char(buffer, '.');
        buffer_append(buffer, digits + whole, (size_t)(count - whole));
    }
}

void decimal_append_double(struct buffer *buffer, double value)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    check(isfinite(value));
    if (value < 0) {
        buffer_append_char(buffer, '-');
        value = -value;
    }
    if (value == 0) {
        buffer_append_char(buffer, '0');
        return;
    }
    char digits[32];
    int exponent = 0;
    if (value >= 1 && value < 1e15) {
        while (value >= power[exponent + 1])
            exponent++;
        int shift = SIGNIFICANT_DIGITS - 1 - exponent;
        double scaled = shift >= 0 ? value * power[shift] : value / power[-shift];
        uint64_t rounded = (uint64_t)(scaled + 0.5);
        if (rounded >= UINT64_C(10000000000)) {
            rounded /= 10;
            exponent++;
        }
        for (int i = SIGNIFICANT_DIGITS - 1; i >= 0; i--, rounded /= 10)
            digits[i] = (char)('0' + rounded % 10);
    } else {
        char printed[32]; /* d.ddddddddde±xx */
        snprintf(printed, sizeof printed, "%.*e", SIGNIFICANT_DIGITS - 1, value);
        digits[0] = printed[0];
        memcpy(digits + 1, printed + 2, SIGNIFICANT_DIGITS - 1);
        check(sscanf(printed + SIGNIFICANT_DIGITS + 2, "%d", &exponent) == 1);
    }
    append_digits(buffer, digits, exponent);
}
