/* A level: what would be liquidated within one bucket of prices. A list of them is a heatmap at one
 * moment. */
#ifndef HEATCAST_MODEL_LEVEL_H
#define HEATCAST_MODEL_LEVEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct level {
    int64_t price_e8;                   /* lower edge of the bucket */
    double long_density, short_density; /* quote currency that would be liquidated in it */
};

/* Owns its array: level_list_deinit(). `struct level_list list = {0};` is a valid empty one. A
 * model gives them ascending by price, without empty levels. One thread at a time.
 *
 * Levels for which there is no memory are left out, and `has_failed` is set until the list is
 * emptied: what fills a list need not ask after each level. */
struct level_list {
    size_t count, capacity;
    struct level *levels;
    bool has_failed; /* some are missing */
};

/* Room for `count` more; false if there is no memory for them. */
bool level_list_reserve(struct level_list *list, size_t count);
void level_list_append(struct level_list *list, const struct level_list *more);
void level_list_deinit(struct level_list *list); /* leaves a valid empty one */

/* Keeps the memory. */
static inline void level_list_clear(struct level_list *list)
{
    list->count = 0;
    list->has_failed = false;
}

static inline void level_list_push(struct level_list *list, struct level level)
{
    if (list->count < list->capacity || level_list_reserve(list, 1))
        list->levels[list->count++] = level;
}

#endif
