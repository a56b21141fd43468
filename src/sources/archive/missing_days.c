/* Files come in any order, since several are asked for at a time, but nearly in order: so a day
 * finds its range near the end. */
#include "sources/archive/missing_days.h"

#include "base/check.h"
#include "sources/archive/fetch_plan.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 8 };

void missing_days_deinit(struct missing_days *missing)
{
    free(missing->ranges);
    *missing = (struct missing_days){0};
}

static void insert(struct missing_days *missing, size_t at, int64_t day)
{
    if (missing->count == missing->capacity) {
        missing->capacity = missing->capacity > 0 ? 2 * missing->capacity : CAPACITY_MIN;
        missing->ranges =
            memory_resize(missing->ranges, missing->capacity, sizeof *missing->ranges);
    }
    struct missing_range *range = missing->ranges + at;
    memmove(range + 1, range, (missing->count - at) * sizeof *range);
    *range = (struct missing_range){day, day};
    missing->count++;
}

static void remove_range(struct missing_days *missing, size_t at)
{
    struct missing_range *range = missing->ranges + at;
    missing->count--;
    memmove(range, range + 1, (missing->count - at) * sizeof *range);
}

void missing_days_add(struct missing_days *missing, int64_t day)
{
    size_t at = missing->count; /* behind all ranges that begin before the day */
    while (at > 0 && missing->ranges[at - 1].first > day)
        at--;
    bool joins_before = at > 0 && missing->ranges[at - 1].last + 1 == day;
    bool joins_after = at < missing->count && missing->ranges[at].first == day + 1;
    if (joins_before && joins_after) {
        missing->ranges[at - 1].last = missing->ranges[at].last;
        remove_range(missing, at);
    } else if (joins_before) {
        missing->ranges[at - 1].last = day;
    } else if (joins_after) {
        missing->ranges[at].first = day;
    } else {
        insert(missing, at, day);
    }
}

int64_t missing_days_count(const struct missing_days *missing)
{
    int64_t count = 0;
    for (size_t i = 0; i < missing->count; i++)
        count += missing->ranges[i].last - missing->ranges[i].first + 1;
    return count;
}

void missing_days_append(struct buffer *out, const struct missing_days *missing)
{
    char first[FETCH_DAY_SIZE], last[FETCH_DAY_SIZE];
    int64_t day_count = missing_days_count(missing);
    for (size_t i = 0; i < missing->count && i < MISSING_RANGES_NAMED_MAX; i++) {
        const struct missing_range *range = &missing->ranges[i];
        buffer_append_format(out, "%s%s", i > 0 ? ", " : "", fetch_plan_day(range->first, first));
        if (range->last > range->first)
            buffer_append_format(out, " to %s", fetch_plan_day(range->last, last));
    }
    if (missing->count > MISSING_RANGES_NAMED_MAX)
        buffer_append_text(out, " and others");
    buffer_append_format(out, " (%lld day%s)", (long long)day_count, day_count == 1 ? "" : "s");
}
