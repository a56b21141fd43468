/* What the name of a file says that is named as in the Binance public archive. Pure; any thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_NAMES_H
#define HEATCAST_SOURCES_ARCHIVE_NAMES_H

#include "config/value.h"

#include <stdbool.h>

enum archive_name_kind {
    ARCHIVE_NAME_OTHER, /* no name of the archive */
    ARCHIVE_NAME_KLINES,
    ARCHIVE_NAME_INTEREST,
    ARCHIVE_NAME_OTHER_INTERVAL, /* klines, but not of 5 minutes */
};

struct archive_name {
    enum archive_name_kind kind;
    char symbol[SYMBOL_SIZE]; /* "" if the kind is ARCHIVE_NAME_OTHER, as is the interval */
    char interval[8];         /* "metrics" has none */
};

/* Reads <SYMBOL>-<interval or "metrics">-<date>.<csv, zip, csv.gz or gz>; folders before it do not
 * matter. */
struct archive_name archive_name_read(const char *path);

/* Whether a member of an archive may be a file of rows, by its name: others, such as a README, are
 * passed over. An archive may be one, so that it is refused and not passed over. */
bool archive_name_may_be_table(const char *path);

/* The symbol in ".../<SYMBOL>/klines/..."; false if there is none. */
bool archive_name_folder_symbol(const char *path, char symbol[SYMBOL_SIZE]);

#endif
