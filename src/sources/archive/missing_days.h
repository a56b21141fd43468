/* Days of which the archive has no file, in words. One thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_MISSING_DAYS_H
#define HEATCAST_SOURCES_ARCHIVE_MISSING_DAYS_H

#include "base/buffer.h"

#include <stdint.h>

#define MISSING_RANGES_NAMED_MAX 12

/* `struct missing_days missing = {0};` Days in a row are one range, so that a year takes no more
 * room than a day. */
struct missing_days {
    struct missing_range {
        int64_t first, last;
    } * ranges; /* ascending, at least a day apart */
    size_t count, capacity;
};

void missing_days_deinit(struct missing_days *missing);

/* In any order; each day once. */
void missing_days_add(struct missing_days *missing, int64_t day);

int64_t missing_days_count(const struct missing_days *missing);

/* "2025-12-01, 2025-12-03 to 2025-12-05 (4 days)": the first MISSING_RANGES_NAMED_MAX ranges. */
void missing_days_append(struct buffer *out, const struct missing_days *missing);

#endif
