/* Which files of the Binance public archive hold a range of days, and where they are. Days are
 * counted from 1970-01-01, UTC. Pure; any thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_FETCH_PLAN_H
#define HEATCAST_SOURCES_ARCHIVE_FETCH_PLAN_H

#include "base/buffer.h"

#include <stdint.h>

enum fetch_kind { FETCH_KLINES, FETCH_INTEREST, FETCH_KIND_COUNT };

#define FETCH_DAY_SIZE 11 /* "2025-12-28" and the terminator */

/* What one file holds: a month, or a day. */
struct fetch_period {
    int64_t first_day;
    int64_t day_count; /* 1, or all days of the month */
};

/* The file that a range begins with: a whole month of klines where all of it is in the range, else
 * a day. */
struct fetch_period fetch_plan_next(enum fetch_kind kind, int64_t first_day, int64_t last_day);

/* The month that a day is in. */
struct fetch_period fetch_plan_month(int64_t day);

/* How many files that makes for the whole range. */
int64_t fetch_plan_count(enum fetch_kind kind, int64_t first_day, int64_t last_day);

/* The file's path in the archive:
 * "data/futures/um/monthly/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12.zip". With `is_encoded` as part of
 * a URL, where a symbol of another script is percent-encoded. */
void fetch_plan_append_path(struct buffer *out, enum fetch_kind kind, const char *symbol,
                            struct fetch_period period, bool is_encoded);

/* "2025-12-28". Returns `text`. */
char *fetch_plan_day(int64_t day, char text[FETCH_DAY_SIZE]);

#endif
