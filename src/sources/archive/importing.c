/* Importing blocks, and fetch imports with it what it has got, on a thread that it has anyway. For
 * a person who waits, and may not want to any more, it is put into a source. */
#include "sources/archive/importing.h"

#include "base/check.h"
#include "sources/archive/one_shot.h"

#include <stdlib.h>

struct importing {
    struct one_shot base;
    struct import_options options;
    const char *const *paths;
    size_t path_count;
    struct import_summary *summaries;
};

static enum status work(struct one_shot *one_shot, struct error *error)
{
    struct importing *importing = (struct importing *)(void *)one_shot;
    importing->options.stop = &one_shot->stop;
    return import_run(&importing->options, importing->paths, importing->path_count,
                      importing->summaries, error);
}

static void destroy(struct one_shot *one_shot)
{
    free(one_shot);
}

struct source *importing_start(const struct import_options *options, const char *const *paths,
                               size_t path_count, struct import_summary *summaries)
{
    struct importing *importing = memory_allocate_zeroed(1, sizeof *importing);
    *importing = (struct importing){
        .base = {.work = work, .destroy = destroy},
        .options = *options,
        .paths = paths,
        .path_count = path_count,
        .summaries = summaries,
    };
    return one_shot_start(&importing->base);
}
