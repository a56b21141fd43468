/* How far a command has come, on standard error: a bar on a terminal, elsewhere a line now and
 * then. One thread. */
#ifndef HEATCAST_CLI_PROGRESS_H
#define HEATCAST_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *verb;
    bool is_terminal;
    bool is_shown; /* the bar */
    uint64_t shown_ns;
};

/* `verb` says what is done to what comes, for the lines: "imported". */
struct progress progress_start(const char *verb);

/* Shows `done` of `total`, and what is at work. Costs nothing when it was shown just now. */
void progress_show(struct progress *progress, uint64_t done, uint64_t total, const char *name);

/* Removes the bar, so that a line can be written. */
void progress_clear(struct progress *progress);

#endif
