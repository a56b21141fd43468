/* Rows in blocks of some kilobytes, in a list for each kind. The writer takes whole blocks out for
 * a transaction and gives them back when it failed, so nothing is copied while others put rows; a
 * block that is taken still counts against the bound, and cannot be dropped. */
#include "sources/collect/waiting.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 16 * 1024 };

static const size_t row_sizes[WAITING_KINDS] = {
    [WAITING_LIQUIDATIONS] = sizeof(struct liquidation_row),
    [WAITING_KLINES] = sizeof(struct kline_row),
    [WAITING_INTEREST] = sizeof(struct labelled_interest),
};

static struct waiting_block *first_of(const struct waiting *waiting, enum waiting_kind kind)
{
    const struct list *blocks = &waiting->blocks[kind];
    /* The analyzer does not follow that list_remove() has taken a freed block out of it. */
    return list_is_empty(blocks) /* NOLINT(clang-analyzer-unix.Malloc) */
               ? NULL
               : list_entry(blocks->next, struct waiting_block, link);
}

const void *waiting_row(const struct waiting_block *block, enum waiting_kind kind, size_t index)
{
    return block->rows + index * row_sizes[kind];
}

void waiting_init(struct waiting *waiting, size_t bytes_max)
{
    check(bytes_max >= WAITING_BYTES_MIN);
    *waiting = (struct waiting){.bytes_max = bytes_max};
    for (size_t kind = 0; kind < WAITING_KINDS; kind++)
        list_init(&waiting->blocks[kind]);
}

void waiting_deinit(struct waiting *waiting)
{
    for (enum waiting_kind kind = 0; kind < WAITING_KINDS; kind++)
        waiting_free(waiting, kind, &waiting->blocks[kind]);
    check(waiting->bytes == 0);
}

/* -- putting ----------------------------------------------------------------------------------- */

static void free_block(struct waiting *waiting, enum waiting_kind kind, struct waiting_block *block)
{
    list_remove(&block->link);
    waiting->bytes -= BLOCK_BYTES;
    waiting->row_counts[kind] -= block->count;
    free(block->rows);
    free(block);
}

static struct waiting_block *add_block(struct waiting *waiting, enum waiting_kind kind,
                                       int64_t now_ms)
{
    struct waiting_block *block = memory_allocate_zeroed(1, sizeof *block);
    block->rows = memory_allocate(BLOCK_BYTES);
    block->put_ms = now_ms;
    check(waiting->blocks[kind].previous != NULL); /* waiting_init() */
    list_push_back(&waiting->blocks[kind], &block->link);
    waiting->bytes += BLOCK_BYTES;
    return block;
}

/* Drops the oldest block that may be dropped; false if there is none. */
static bool drop(struct waiting *waiting)
{
    enum waiting_kind kind = WAITING_KLINES;
    const struct waiting_block *klines = first_of(waiting, WAITING_KLINES);
    const struct waiting_block *interest = first_of(waiting, WAITING_INTEREST);
    if (klines == NULL || (interest != NULL && interest->put_ms < klines->put_ms))
        kind = interest != NULL ? WAITING_INTEREST : WAITING_LIQUIDATIONS;
    struct waiting_block *block = first_of(waiting, kind);
    if (block == NULL)
        return false;
    waiting->dropped[kind] += block->count;
    for (size_t i = 0; i < block->count && waiting->on_dropped != NULL; i++)
        waiting->on_dropped(kind, waiting_row(block, kind, i), waiting->context);
    free_block(waiting, kind, block);
    return true;
}

bool waiting_put(struct waiting *waiting, enum waiting_kind kind, const void *row, int64_t now_ms)
{
    size_t size = row_sizes[kind];
    struct list *blocks = &waiting->blocks[kind];
    struct waiting_block *block =
        list_is_empty(blocks) ? NULL : list_entry(blocks->previous, struct waiting_block, link);
    bool has_dropped = false;
    if (block == NULL || (block->count + 1) * size > BLOCK_BYTES) {
        while (waiting->bytes + BLOCK_BYTES > waiting->bytes_max && drop(waiting))
            has_dropped = true;
        block = add_block(waiting, kind, now_ms);
    }
    memcpy(block->rows + block->count * size, row, size);
    block->count++;
    waiting->row_counts[kind]++;
    return !has_dropped;
}

/* -- asking ------------------------------------------------------------------------------------ */

size_t waiting_count(const struct waiting *waiting)
{
    size_t count = 0;
    for (size_t kind = 0; kind < WAITING_KINDS; kind++)
        count += waiting->row_counts[kind];
    return count;
}

int64_t waiting_since_ms(const struct waiting *waiting)
{
    int64_t since_ms = 0;
    for (enum waiting_kind kind = 0; kind < WAITING_KINDS; kind++) {
        const struct waiting_block *block = first_of(waiting, kind);
        if (block != NULL && (since_ms == 0 || block->put_ms < since_ms))
            since_ms = block->put_ms;
    }
    return since_ms;
}

/* -- taking ------------------------------------------------------------------------------------ */

void waiting_take(struct waiting *waiting, size_t row_count_max,
                  struct list taken[static WAITING_KINDS])
{
    size_t count = 0;
    for (enum waiting_kind kind = 0; kind < WAITING_KINDS; kind++) {
        struct waiting_block *block;
        list_init(&taken[kind]);
        while ((block = first_of(waiting, kind)) != NULL &&
               (list_is_empty(&taken[kind]) || count < row_count_max)) {
            list_remove(&block->link);
            list_push_back(&taken[kind], &block->link);
            count += block->count;
        }
    }
}

void waiting_put_back(struct waiting *waiting, enum waiting_kind kind, struct list *taken)
{
    struct list *blocks = &waiting->blocks[kind];
    while (!list_is_empty(taken)) {
        struct list *last = taken->previous;
        list_remove(last);
        list_push_back(blocks->next, last); /* before the first */
    }
}

void waiting_free(struct waiting *waiting, enum waiting_kind kind, struct list *taken)
{
    list_for_each_safe(link, following, taken)
        free_block(waiting, kind, list_entry(link, struct waiting_block, link));
}
