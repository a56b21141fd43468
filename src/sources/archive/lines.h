/* The lines of a file, one after the other. One thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_LINES_H
#define HEATCAST_SOURCES_ARCHIVE_LINES_H

#include "base/error.h"
#include "base/slice.h"
#include "sources/archive/input.h"

#define ARCHIVE_LINE_SIZE_MAX 4096 /* the archive's lines have some 150 bytes */
#define ARCHIVE_LINES_BUFFER (1 << 16)

/* `{.input = ...}`, which is at the file or member and outlives the lines. The other fields are for
 * reading. */
struct archive_lines {
    struct archive_input *input;
    uint64_t number; /* of the line that was read last, from 1 */
    /* Of the line that was read last; then it is no line of text, and cut. */
    bool is_too_long, has_nul;
    bool is_at_end;
    size_t begin, end; /* what is in the buffer and not read yet */
    char buffer[ARCHIVE_LINES_BUFFER];
};

/* The next line without its end ("\n", "\r\n", or that of the file), valid until the next call; a
 * byte order mark is no part of the first. STATUS_NO_DATA at the end of the file; others as
 * archive_input_read(). */
enum status archive_lines_next(struct archive_lines *lines, struct slice *line,
                               struct error *error);

#endif
