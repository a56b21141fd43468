/* A bar is drawn over itself, ten times a second at most, since a terminal at the other end of a
 * slow line takes longer to draw it than an import takes for a file. A log gets a line every few
 * seconds, so that it tells a run that is slow from one that hangs. */
#include "cli/progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_PERIOD_MS = 100, LINE_PERIOD_MS = 10000, BAR_WIDTH = 30 };

struct progress progress_start(const char *verb)
{
    return (struct progress){
        .verb = verb, .is_terminal = isatty(STDERR_FILENO), .shown_ns = clock_monotonic_ns()};
}

static void draw_bar(uint64_t done, uint64_t total, const char *name)
{
    int filled = (int)(done * BAR_WIDTH / total);
    fprintf(stderr, "\r\033[K[%.*s%*s] %3d%% %.60s", filled, "##############################",
            BAR_WIDTH - filled, "", (int)(done * 100 / total), name);
    fflush(stderr);
}

void progress_show(struct progress *progress, uint64_t done, uint64_t total, const char *name)
{
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t period_ms = progress->is_terminal ? BAR_PERIOD_MS : LINE_PERIOD_MS;
    if (total == 0 || now_ns - progress->shown_ns < period_ms * UINT64_C(1000000))
        return;
    progress->shown_ns = now_ns;
    if (done > total)
        done = total;
    if (!progress->is_terminal) {
        fprintf(stderr, "heatcast: %d %% is %s, at %s\n", (int)(done * 100 / total), progress->verb,
                name);
        return;
    }
    progress->is_shown = true;
    draw_bar(done, total, name);
}

void progress_clear(struct progress *progress)
{
    if (progress->is_shown)
        fputs("\r\033[K", stderr);
    progress->is_shown = false;
}
