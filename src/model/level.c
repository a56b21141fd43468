/* A model fills a list of some hundred levels for every candle of a history, so a list that was
 * filled once allocates nothing: it is emptied by `count = 0`, and grows by doubling when that is
 * not enough. */
#include "model/level.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum { LEVELS_MIN = 64 };

void level_list_reserve(struct level_list *list, size_t count)
{
    if (list->capacity - list->count >= count)
        return;
    size_t capacity = 2 * (list->capacity + count);
    list->capacity = capacity > LEVELS_MIN ? capacity : LEVELS_MIN;
    list->levels = memory_resize(list->levels, list->capacity, sizeof *list->levels);
}

void level_list_append(struct level_list *list, const struct level_list *more)
{
    if (more->count == 0)
        return;
    level_list_reserve(list, more->count);
    memcpy(list->levels + list->count, more->levels, more->count * sizeof *more->levels);
    list->count += more->count;
}

void level_list_deinit(struct level_list *list)
{
    free(list->levels);
    *list = (struct level_list){0};
}
