#include "base/iso_time.h"

#include <stdio.h>

#define DAY_MS INT64_C(86400000)

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
    int hour = (int)(rest / 3600000), minute = (int)(rest / 60000 % 60);
    int second = (int)(rest / 1000 % 60), millisecond = (int)(rest % 1000);
    int length = snprintf(text, ISO_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
                          hour, minute, second);
    if (millisecond != 0)
        length += snprintf(text + length, ISO_TIME_SIZE - (size_t)length, ".%03d", millisecond);
    snprintf(text + length, ISO_TIME_SIZE - (size_t)length, "Z");
    return text;
}

struct cursor {
    const char *at, *end;
};

static bool take_digits(struct cursor *cursor, int count, int *value)
{
    if (cursor->end - cursor->at < count)
        return false;
    *value = 0;
    for (int i = 0; i < count; i++, cursor->at++) {
        if (*cursor->at < '0' || *cursor->at > '9')
            return false;
        *value = *value * 10 + (*cursor->at - '0');
    }
    return true;
}

static bool take_char(struct cursor *cursor, char c)
{
    if (cursor->at == cursor->end || *cursor->at != c)
        return false;
    cursor->at++;
    return true;
}

static bool take_fraction_ms(struct cursor *cursor, int *millisecond)
{
    int digits = 0;
    *millisecond = 0;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
        if (digits < 3)
            *millisecond = *millisecond * 10 + (*cursor->at - '0');
        digits++;
    }
    for (int i = digits; i < 3; i++)
        *millisecond *= 10;
    return digits >= 1 && digits <= 9;
}

static bool take_offset_minutes(struct cursor *cursor, int *minutes)
{
    *minutes = 0;
    if (take_char(cursor, 'Z') || cursor->at == cursor->end)
        return true;
    int sign = take_char(cursor, '-') ? -1 : take_char(cursor, '+') ? 1 : 0;
    int hour, minute;
    if (sign == 0 || !take_digits(cursor, 2, &hour))
        return false;
    take_char(cursor, ':');
    if (!take_digits(cursor, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *minutes = sign * (hour * 60 + minute);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

bool iso_time_parse(const char *text, size_t size, int64_t *time_ms)
{
    struct cursor cursor = {text, text + size};
    int year, month, day, hour = 0, minute = 0, second = 0, millisecond = 0, offset = 0;
    if (!take_digits(&cursor, 4, &year) || !take_char(&cursor, '-') ||
        !take_digits(&cursor, 2, &month) || !take_char(&cursor, '-') ||
        !take_digits(&cursor, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    if (cursor.at < cursor.end) {
        if (!take_char(&cursor, 'T') && !take_char(&cursor, ' '))
            return false;
        if (!take_digits(&cursor, 2, &hour) || !take_char(&cursor, ':') ||
            !take_digits(&cursor, 2, &minute))
            return false;
        if (take_char(&cursor, ':')) {
            if (!take_digits(&cursor, 2, &second))
                return false;
            if (take_char(&cursor, '.') && !take_fraction_ms(&cursor, &millisecond))
                return false;
        }
        if (hour > 23 || minute > 59 || second > 59 || !take_offset_minutes(&cursor, &offset))
            return false;
    }
    if (cursor.at != cursor.end)
        return false;
    *time_ms = iso_time_days(year, month, day) * DAY_MS + hour * INT64_C(3600000) +
               (minute - offset) * INT64_C(60000) + second * INT64_C(1000) + millisecond;
    return true;
}
