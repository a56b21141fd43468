/* A model fills a list of some hundred levels for every candle of a history, so a list that was
 * filled once allocates nothing: emptying it keeps its memory, and it grows by doubling when that
 * is not enough. */
#include "model/level.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { LEVELS_MIN = 64 };

bool level_list_reserve(struct level_list *list, size_t count)
{
    if (list->capacity - list->count >= count)
        return true;
    size_t capacity = 2 * (list->capacity + count);
    if (capacity < LEVELS_MIN)
        capacity = LEVELS_MIN;
    struct level *levels = memory_try_resize(list->levels, capacity, sizeof *levels);
    if (levels == NULL) {
        list->has_failed = true;
        return false;
    }
    list->levels = levels;
    list->capacity = capacity;
    return true;
}

void level_list_append(struct level_list *list, const struct level_list *more)
{
    list->has_failed = list->has_failed || more->has_failed;
    if (more->count == 0 || !level_list_reserve(list, more->count))
        return;
    memcpy(list->levels + list->count, more->levels, more->count * sizeof *more->levels);
    list->count += more->count;
}

void level_list_deinit(struct level_list *list)
{
    free(list->levels);
    *list = (struct level_list){0};
}
