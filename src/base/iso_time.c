/* The C library's conversions depend on the time zone and the locale, know no milliseconds, and
 * accept days that do not exist. Here text and milliseconds are converted by arithmetic alone, in
 * the proleptic Gregorian calendar, the same on every machine and thread. */
#include "base/iso_time.h"

#include "base/slice.h"

#include <stdio.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

/* Both conversions count in 400-year eras that start on 1 March, so that the leap day is the last
 * of its year (H. Hinnant, "chrono-compatible low-level date algorithms"). */
int64_t iso_time_days(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

char *iso_time_format(int64_t time_ms, char text[ISO_TIME_SIZE])
{
    const int64_t first = iso_time_days(0, 1, 1) * DAY_MS;
    const int64_t last = iso_time_days(10000, 1, 1) * DAY_MS - 1;
    if (time_ms < first)
        time_ms = first;
    if (time_ms > last)
        time_ms = last;
    int64_t days = time_ms / DAY_MS, rest = time_ms % DAY_MS;
    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    int year, month, day;
    civil_from_days(days, &year, &month, &day);
    int hour = (int)(rest / HOUR_MS), minute = (int)(rest / MINUTE_MS % 60);
    int second = (int)(rest / 1000 % 60), millisecond = (int)(rest % 1000);
    int length = snprintf(text, ISO_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
                          hour, minute, second);
    if (millisecond != 0)
        length += snprintf(text + length, ISO_TIME_SIZE - (size_t)length, ".%03d", millisecond);
    snprintf(text + length, ISO_TIME_SIZE - (size_t)length, "Z");
    return text;
}

/* Removes a number of exactly `digits` digits, at most `max`. */
static bool take_number(struct slice *rest, size_t digits, unsigned max, int *value)
{
    uint64_t number;
    if (rest->size < digits || !slice_parse_unsigned(slice_take(rest, digits), max, &number))
        return false;
    *value = (int)number;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Removes one to nine decimals of a second; what is shorter than a millisecond is dropped. */
static bool take_fraction_ms(struct slice *rest, int *millisecond)
{
    struct slice digits = slice_take_while(rest, is_digit);
    *millisecond = 0;
    for (size_t i = 0; i < 3; i++)
        *millisecond = *millisecond * 10 + (i < digits.size ? digits.data[i] - '0' : 0);
    return digits.size >= 1 && digits.size <= 9;
}

/* Removes "Z", "+hh:mm", "-hhmm" or "+hh"; nothing stands for UTC too. */
static bool take_offset_minutes(struct slice *rest, int *minutes)
{
    int hour, minute = 0;
    *minutes = 0;
    if (slice_try_take(rest, "Z") || rest->size == 0)
        return true;
    bool is_negative = slice_try_take(rest, "-");
    if ((!is_negative && !slice_try_take(rest, "+")) || !take_number(rest, 2, 23, &hour))
        return false;
    bool has_minutes = slice_try_take(rest, ":") || rest->size > 0;
    if (has_minutes && !take_number(rest, 2, 59, &minute))
        return false;
    *minutes = is_negative ? -(hour * 60 + minute) : hour * 60 + minute;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

/* Removes "2025-12-28"; `days` are those since 1970-01-01. */
static bool take_date(struct slice *rest, int64_t *days)
{
    int year, month, day;
    if (!take_number(rest, 4, 9999, &year) || !slice_try_take(rest, "-") ||
        !take_number(rest, 2, 12, &month) || !slice_try_take(rest, "-") ||
        !take_number(rest, 2, 31, &day))
        return false;
    if (month < 1 || day < 1 || day > days_in_month(year, month))
        return false;
    *days = iso_time_days(year, month, day);
    return true;
}

/* Removes "14:30", "14:30:00" or "14:30:00.5", and an offset; `time_ms` counts from midnight UTC of
 * the date before it, so an offset can make it negative. */
static bool take_time(struct slice *rest, int64_t *time_ms)
{
    int hour, minute, second = 0, millisecond = 0, offset;
    if (!take_number(rest, 2, 23, &hour) || !slice_try_take(rest, ":") ||
        !take_number(rest, 2, 59, &minute))
        return false;
    if (slice_try_take(rest, ":")) {
        if (!take_number(rest, 2, 59, &second))
            return false;
        if (slice_try_take(rest, ".") && !take_fraction_ms(rest, &millisecond))
            return false;
    }
    if (!take_offset_minutes(rest, &offset))
        return false;
    *time_ms =
        hour * HOUR_MS + (minute - offset) * MINUTE_MS + second * INT64_C(1000) + millisecond;
    return true;
}

bool iso_time_parse(const char *text, size_t size, int64_t *time_ms)
{
    struct slice rest = {text, size};
    int64_t days, within_day_ms = 0;
    if (!take_date(&rest, &days))
        return false;
    if (rest.size > 0) {
        if (!slice_try_take(&rest, "T") && !slice_try_take(&rest, " "))
            return false;
        if (!take_time(&rest, &within_day_ms))
            return false;
    }
    if (rest.size > 0)
        return false;
    *time_ms = days * DAY_MS + within_day_ms;
    return true;
}
