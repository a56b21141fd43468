/* The lines of a file, one after the other. One thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_LINES_H
#define HEATCAST_SOURCES_ARCHIVE_LINES_H

#include "base/slice.h"

#include <stdio.h>

#define ARCHIVE_LINE_SIZE_MAX 4096 /* the archive's lines have some 150 bytes */

/* Zeroed when not open; the fields are for reading. */
struct archive_lines {
    FILE *stream;
    uint64_t number; /* of the line that was read last, from 1 */
    uint64_t bytes_read;
    int failure; /* errno, where the file could not be read to its end; else 0 */
    /* Of the line that was read last; then it is no line of text, and cut. */
    bool is_too_long, has_nul;
    char text[ARCHIVE_LINE_SIZE_MAX];
};

/* False if the file cannot be opened; errno says why. */
bool archive_lines_open(struct archive_lines *lines, const char *path);

/* The next line without its end ("\n", "\r\n", or that of the file), valid until the next call; a
 * byte order mark is no part of the first. False at the end of the file, or when it cannot be read:
 * see `failure`. */
bool archive_lines_next(struct archive_lines *lines, struct slice *line);

void archive_lines_close(struct archive_lines *lines); /* harmless where it is not open */

#endif
