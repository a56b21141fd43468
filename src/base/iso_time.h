/* Moments as text: ISO 8601, always UTC. Milliseconds since 1970-01-01T00:00:00Z. Any thread. */
#ifndef HEATCAST_BASE_ISO_TIME_H
#define HEATCAST_BASE_ISO_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISO_TIME_SIZE 32

/* "2025-12-28T14:30:00Z"; with ".123" before the Z where the moment is not a whole second.
 * Years 0 to 9999; others are clamped. Returns `text`. */
char *iso_time_format(int64_t time_ms, char text[ISO_TIME_SIZE]);

/* Reads "2025-12-28", "2025-12-28T14:30", "2025-12-28 14:30:00", with up to 9 decimals of a second
 * and an optional "Z" or offset, "+hh:mm", "-hhmm" or "+hh" (none means UTC). False if it is none
 * of these or no such day or hour exists. */
bool iso_time_parse(const char *text, size_t size, int64_t *time_ms);

/* Days since 1970-01-01 of a day of the Gregorian calendar. */
int64_t iso_time_days(int year, int month, int day);

#endif
