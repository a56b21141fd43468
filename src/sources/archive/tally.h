/* What was reported of the files of an import (problems.h): told to the user and counted, and of
 * what was passed over one line a reason, at the end. One thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_TALLY_H
#define HEATCAST_SOURCES_ARCHIVE_TALLY_H

#include "sources/archive/problems.h"

#include <stddef.h>

enum { ARCHIVE_REASONS_MAX = 16, ARCHIVE_EXAMPLES_MAX = 3 };

/* Files that were passed over for the same reason. */
struct archive_passed {
    char *reason;
    size_t count;
    char *examples[ARCHIVE_EXAMPLES_MAX]; /* the first ones */
};

struct archive_tally {
    void (*on_problem)(const char *message, void *context); /* of all but what was passed over */
    void *context;
    size_t unusable_count; /* the rest is zeroed at first */
    struct archive_passed passed[ARCHIVE_REASONS_MAX];
};

/* The on_report of `struct archive_problems`; `tally` is its context. */
void archive_tally_report(enum archive_report report, const char *text, const char *reason,
                          void *tally);

/* What was passed over, one line a reason, through `on_note`. */
void archive_tally_tell_passed(const struct archive_tally *tally,
                               void (*on_note)(const char *message, void *context), void *context);

void archive_tally_deinit(struct archive_tally *tally);

#endif
