/* From paths to the list of files to import: files as they are named, and what is below folders.
 * One thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_WALK_H
#define HEATCAST_SOURCES_ARCHIVE_WALK_H

#include "sources/archive/names.h"
#include "sources/archive/problems.h"

#include <stdbool.h>
#include <stdint.h>

struct archive_file {
    char *path;
    uint64_t size_bytes;
    bool is_named; /* by the user, not found in a folder */
};

struct archive_walk {
    const char *symbol;         /* in folders only files of this symbol; NULL: of any */
    enum archive_market market; /* and only candles of this market */
    const struct archive_problems *problems;

    /* Of the folder in which the program runs, by its path; see archive_walk_name(). */
    enum archive_market market_here;
    size_t file_count, file_capacity; /* what was found; zeroed at first */
    struct archive_file *files;
    uint64_t bytes_total;
};

/* Adds a file, or what is below a folder in name order; in a folder, only files whose names are of
 * the archive and that are wanted; the others are passed over. False, and reported, if the path
 * gives nothing. */
bool archive_walk_add(struct archive_walk *walk, const char *path);

/* What a path says; where a relative one says no market, the folders before it do, of which the
 * user who works in them names none. */
struct archive_name archive_walk_name(const struct archive_walk *walk, const char *path);

/* Puts files of klines before those of open interest, and otherwise leaves their order: what open
 * interest was valued at is looked up in the candles. */
void archive_walk_sort(struct archive_walk *walk);

void archive_walk_deinit(struct archive_walk *walk);

#endif
