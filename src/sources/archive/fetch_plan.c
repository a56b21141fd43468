/* The archive has klines by month and by day, open interest ("metrics") by day alone. A month's
 * file is one request where its days are thirty, so months are taken where a range holds them
 * whole. */
#include "sources/archive/fetch_plan.h"

#include "base/iso_time.h"

#include <string.h>

#define DAY_MS INT64_C(86400000)

enum { MONTH_TEXT_SIZE = 7 /* "2025-12" */, MONTH_DAYS_MIN = 28, MONTH_DAYS_MAX = 31 };

char *fetch_plan_day(int64_t day, char text[FETCH_DAY_SIZE])
{
    char moment[ISO_TIME_SIZE];
    memcpy(text, iso_time_format(day * DAY_MS, moment), FETCH_DAY_SIZE - 1);
    text[FETCH_DAY_SIZE - 1] = '\0';
    return text;
}

static bool begins_month(int64_t day)
{
    char text[FETCH_DAY_SIZE];
    return strcmp(fetch_plan_day(day, text) + MONTH_TEXT_SIZE, "-01") == 0;
}

static int64_t days_of_month(int64_t first_day)
{
    int64_t count = MONTH_DAYS_MIN;
    while (count < MONTH_DAYS_MAX && !begins_month(first_day + count))
        count++;
    return count;
}

struct fetch_period fetch_plan_month(int64_t day)
{
    while (!begins_month(day))
        day--;
    return (struct fetch_period){day, days_of_month(day)};
}

struct fetch_period fetch_plan_next(enum fetch_kind kind, int64_t first_day, int64_t last_day)
{
    struct fetch_period month = fetch_plan_month(first_day);
    bool is_whole = month.first_day == first_day && first_day + month.day_count - 1 <= last_day;
    return kind == FETCH_KLINES && is_whole ? month : (struct fetch_period){first_day, 1};
}

int64_t fetch_plan_count(enum fetch_kind kind, int64_t first_day, int64_t last_day)
{
    int64_t count = 0;
    while (first_day <= last_day) {
        first_day += fetch_plan_next(kind, first_day, last_day).day_count;
        count++;
    }
    return count;
}

static void append_encoded(struct buffer *out, const char *text)
{
    for (const unsigned char *byte = (const unsigned char *)text; *byte != '\0'; byte++)
        if (*byte > ' ' && *byte < 0x7f && strchr("%?#/", *byte) == NULL)
            buffer_append_char(out, (char)*byte);
        else
            buffer_append_format(out, "%%%02X", *byte);
}

static void append_symbol(struct buffer *out, const char *symbol, bool is_encoded)
{
    if (is_encoded)
        append_encoded(out, symbol);
    else
        buffer_append_text(out, symbol);
}

static void append_name(struct buffer *out, enum fetch_kind kind, const char *symbol,
                        struct fetch_period period, bool is_encoded)
{
    char day[FETCH_DAY_SIZE];
    fetch_plan_day(period.first_day, day);
    if (period.day_count > 1)
        day[MONTH_TEXT_SIZE] = '\0';
    append_symbol(out, symbol, is_encoded);
    buffer_append_format(out, "-%s-%s.zip", kind == FETCH_KLINES ? "5m" : "metrics", day);
}

void fetch_plan_append_path(struct buffer *out, enum fetch_kind kind, const char *symbol,
                            struct fetch_period period, bool is_encoded)
{
    buffer_append_format(out, "data/futures/um/%s/%s/", period.day_count > 1 ? "monthly" : "daily",
                         kind == FETCH_KLINES ? "klines" : "metrics");
    append_symbol(out, symbol, is_encoded);
    buffer_append_text(out, kind == FETCH_KLINES ? "/5m/" : "/");
    append_name(out, kind, symbol, period, is_encoded);
}
