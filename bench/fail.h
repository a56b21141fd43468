/* A benchmark that cannot go on ends with a line that says why: half a figure is worth nothing. */
#ifndef HEATCAST_BENCH_FAIL_H
#define HEATCAST_BENCH_FAIL_H

#include <stdio.h>
#include <stdlib.h>

/* `detail` may be NULL. */
_Noreturn static inline void fail(const char *what, const char *detail)
{
    fprintf(stderr, "bench: %s%s%s\n", what, detail != NULL ? ": " : "",
            detail != NULL ? detail : "");
    exit(1);
}

#endif
