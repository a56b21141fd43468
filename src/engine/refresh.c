/*
 *     digests of all blocks  ->  which are not as they were  ->  their rows, block by block
 *
 * Rows of the same time are near to each other in a file that is filled as time goes on, so what
 * many symbols need of one block is read together; in a file that was filled symbol by symbol that
 * costs no more. A symbol of which much has changed is read by itself, in one piece. Followers
 * whose windows end at different times, for some symbol has no more data since March, are not asked
 * for together: a query would go over all the months between. */
#include "engine/refresh.h"

#include "base/check.h"
#include "base/log.h"
#include "model/rows.h"

#include <stdlib.h>
#include <string.h>

enum {
    GROUP_BLOCKS_MAX = 4, /* by which the windows of a group may begin apart */
    PIECES_MAX = 4,       /* of one symbol; if it needs more, all from the first to the last */
};

#define BLOCK_SLOTS (STORE_BLOCK_MS / CANDLE_MS)

/* Blocks that are to be read. */
struct refresh_due {
    enum store_kind kind;
    int64_t first, last;
    struct refresh_item *item;
};

static void fail(struct refresh_item *item, const struct error *error)
{
    item->outcome = *error;
    follower_unload(item->follower);
}

/* Prepares the follower, and finds whether it is to be loaded. */
static void expect(struct refresh_item *item)
{
    struct error *outcome = &item->outcome;
    enum status status =
        follower_expect(item->follower, item->has_newest ? &item->newest_ms : NULL);
    *outcome = (struct error){0};
    item->is_due = status == STATUS_OK;
    if (status == STATUS_NO_DATA)
        error_set(outcome, status, "no candles of %s", item->follower->symbol);
    else if (status == STATUS_NO_MEMORY)
        error_set(outcome, status, "no memory for the window of %s", item->follower->symbol);
}

/* -- finding by name --------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    const struct refresh_item *first = a, *second = b;
    return strcmp(first->follower->symbol, second->follower->symbol);
}

static int compare_to_name(const void *key, const void *element)
{
    const struct slice *name = key;
    const char *symbol = ((const struct refresh_item *)element)->follower->symbol;
    int order = strncmp(name->data, symbol, name->size);
    return order != 0 ? order : symbol[name->size] == '\0' ? 0 : -1;
}

/* Items in order of name; NULL: another symbol. */
static struct refresh_item *find_item(struct refresh_item *items, size_t count, struct slice name)
{
    return bsearch(&name, items, count, sizeof *items, compare_to_name);
}

static void append_name(struct buffer *names, const struct refresh_item *item)
{
    if (names->size > 0)
        buffer_append_char(names, '\n');
    buffer_append_text(names, item->follower->symbol);
}

/* -- digests ----------------------------------------------------------------------------------- */

/* Items with windows that begin at about the same time, in order of name. */
struct group {
    struct refresh *refresh;
    struct store_session *session;
    struct refresh_item *items;
    size_t count;
    enum store_kind kind; /* of the query that is under way */
};

static void on_digest(const struct store_digest *digest, void *context)
{
    const struct group *group = context;
    struct refresh_item *item = find_item(group->items, group->count, digest->symbol);
    if (item == NULL)
        return;
    follower_see(item->follower, group->kind, digest);
    if (group->kind != STORE_CANDLES || digest->newest_ms == STORE_NONE)
        return;
    if (!item->has_seen || digest->newest_ms > item->seen_ms)
        item->seen_ms = digest->newest_ms;
    item->has_seen = true;
}

/* What the caller took for the newest candle is not: older rows than it looked at have changed, or
 * some changed since. Finds which is; the item is then to be asked for again. */
static enum status correct_newest(const struct group *group, struct refresh_item *item,
                                  struct error *error)
{
    enum status status = STATUS_OK;
    item->has_newest = item->has_seen;
    item->newest_ms = item->seen_ms;
    if (!item->has_seen)
        status = store_newest(group->session, item->follower->symbol, &item->newest_ms, error);
    if (!item->has_seen && status == STATUS_OK)
        item->has_newest = true;
    return status == STATUS_NO_DATA ? STATUS_OK : status;
}

static enum status find_astray(const struct group *group, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < group->count && status == STATUS_OK; i++) {
        struct refresh_item *item = &group->items[i];
        item->is_astray =
            !item->was_astray && (item->has_seen != item->has_newest ||
                                  (item->has_seen && item->seen_ms != item->newest_ms));
        if (item->is_astray)
            status = correct_newest(group, item, error);
    }
    return status;
}

static enum status see_group(struct group *group, struct error *error)
{
    struct buffer *names = &group->refresh->names;
    int64_t first = group->items[0].follower->seen.first;
    buffer_clear(names);
    for (size_t i = 0; i < group->count; i++) {
        append_name(names, &group->items[i]);
        group->items[i].has_seen = false;
        if (group->items[i].follower->seen.first < first)
            first = group->items[i].follower->seen.first;
    }
    enum status status = STATUS_OK;
    for (int kind = 0; kind < FOLLOWER_KINDS && status == STATUS_OK; kind++) {
        group->kind = (enum store_kind)kind;
        status = store_digest(group->session, group->kind, buffer_text(names),
                              first * STORE_BLOCK_MS, on_digest, group, error);
    }
    return status == STATUS_OK ? find_astray(group, error) : status;
}

/* -- what is due ------------------------------------------------------------------------------- */

static void add_due(struct refresh *refresh, const struct refresh_due *due)
{
    if (refresh->due_count == refresh->due_capacity) {
        refresh->due_capacity = refresh->due_capacity > 0 ? 2 * refresh->due_capacity : 64;
        refresh->due = memory_resize(refresh->due, refresh->due_capacity, sizeof *refresh->due);
    }
    refresh->due[refresh->due_count++] = *due;
}

static void find_due(struct refresh *refresh, struct refresh_item *item, enum store_kind kind)
{
    const struct follower_blocks *seen = &item->follower->seen;
    const int64_t end = seen->first + (int64_t)seen->count;
    struct refresh_due whole = {.kind = kind, .item = item};
    const size_t before = refresh->due_count;
    for (int64_t block = seen->first; block < end; block++) {
        if (!follower_is_outdated(item->follower, kind, block))
            continue;
        if (refresh->due_count == before)
            whole.first = block;
        whole.last = block;
        add_due(refresh, &(struct refresh_due){kind, block, block, item});
    }
    if (refresh->due_count > before + PIECES_MAX) {
        refresh->due_count = before;
        add_due(refresh, &whole);
    }
}

/* Those that can be read together are next to each other, in order of name. */
static int compare_due(const void *a, const void *b)
{
    const struct refresh_due *first = a, *second = b;
    const int64_t differences[] = {(int64_t)first->kind - (int64_t)second->kind,
                                   first->first - second->first, first->last - second->last};
    for (size_t i = 0; i < 3; i++)
        if (differences[i] != 0)
            return differences[i] < 0 ? -1 : 1;
    return (first->item > second->item) - (first->item < second->item);
}

static bool is_together(const struct refresh_due *a, const struct refresh_due *b)
{
    return a->kind == b->kind && a->first == b->first && a->last == b->last;
}

/* -- rows -------------------------------------------------------------------------------------- */

/* A query for rows that is under way. */
struct reading {
    const struct group *group;
    const struct refresh_due *due; /* which blocks; the first of those that are read together */
    struct refresh_item *item;     /* whose rows are being read; NULL: none yet */
    struct candle_rows candles;
    struct interest_rows interest;
};

static void put_candle(struct slots *rows, const struct candle *candle)
{
    slots_set_candle(rows, slots_number(candle->open_time_ms), candle);
}

static void put_interest(struct slots *rows, const struct interest_average *average)
{
    slots_set_interest(rows, slots_number(average->time_ms), average->value);
    slots_set_contracts(rows, slots_number(average->time_ms), average->contracts);
}

/* Empties the staging rows, which then span the blocks. False if there is no memory. */
static bool clear_rows(struct slots *rows, const struct refresh_due *due)
{
    int64_t first = due->first * BLOCK_SLOTS;
    return slots_span(rows, first, first) && slots_span(rows, first, (due->last + 1) * BLOCK_SLOTS);
}

/* All rows of the item have come. */
static void end_item(struct reading *reading)
{
    struct slots *rows = &reading->group->refresh->rows;
    struct candle candle;
    struct interest_average average;
    if (reading->item == NULL)
        return;
    if (candle_rows_finish(&reading->candles, &candle))
        put_candle(rows, &candle);
    if (interest_rows_finish(&reading->interest, &average))
        put_interest(rows, &average);
    follower_load(reading->item->follower, reading->due->kind, rows);
    reading->interest = (struct interest_rows){0};
    clear_rows(rows, reading->due);
}

/* Said once: contracts are reckoned from the value then, at the price of its time. */
static void tell_values(const struct reading *reading, const struct interest_reading *row)
{
    struct refresh *refresh = reading->group->refresh;
    const struct follower *follower = reading->item->follower;
    bool is_reckoned = row->value_e8 > 0 && row->contracts_e8 <= 0;
    if (!is_reckoned || refresh->has_told_values || !model_is_of_moment(follower->model))
        return;
    refresh->has_told_values = true;
    log_info("open interest without contracts is taken by its value",
             log_text("symbol", follower->symbol));
}

static void on_row(const struct store_row *row, void *context)
{
    struct reading *reading = context;
    struct slots *rows = &reading->group->refresh->rows;
    struct candle candle;
    struct interest_average average;
    if (reading->item == NULL || !slice_equals(row->symbol, reading->item->follower->symbol)) {
        end_item(reading);
        reading->item = find_item(reading->group->items, reading->group->count, row->symbol);
        if (reading->item != NULL)
            reading->item->is_read = true;
    }
    if (reading->item == NULL)
        return;
    if (reading->due->kind == STORE_INTEREST) {
        tell_values(reading, &row->interest);
        if (interest_rows_add(&reading->interest, &row->interest, CANDLE_MS, &average))
            put_interest(rows, &average);
        return;
    }
    if (row->time_us % (CANDLE_MS * 1000) != 0)
        reading->item->is_off_mark = true;
    else if (candle_rows_add(&reading->candles, row->time_us, &row->candle, &candle))
        put_candle(rows, &candle);
}

/* Reads `count` dues that can be read together. */
static enum status read_together(const struct group *group, const struct refresh_due *due,
                                 size_t count, struct error *error)
{
    struct refresh *refresh = group->refresh;
    struct reading reading = {.group = group, .due = due};
    buffer_clear(&refresh->names);
    for (size_t i = 0; i < count; i++) {
        append_name(&refresh->names, due[i].item);
        due[i].item->is_read = false;
    }
    if (!clear_rows(&refresh->rows, due))
        return error_set(error, STATUS_NO_MEMORY, "no memory for the rows of %zu symbols", count);
    enum status status = store_read(group->session, due->kind, buffer_text(&refresh->names),
                                    due->first * STORE_BLOCK_MS, (due->last + 1) * STORE_BLOCK_MS,
                                    on_row, &reading, error);
    if (status != STATUS_OK)
        return status;
    end_item(&reading);
    for (size_t i = 0; i < count; i++) /* those without a row have none any more */
        if (!due[i].item->is_read)
            follower_load(due[i].item->follower, due->kind, &refresh->rows);
    return STATUS_OK;
}

static enum status read_due(const struct group *group, struct error *error)
{
    const struct refresh *refresh = group->refresh;
    for (size_t i = 0, count; i < refresh->due_count; i += count) {
        for (count = 1; i + count < refresh->due_count; count++)
            if (!is_together(&refresh->due[i], &refresh->due[i + count]))
                break;
        enum status status = read_together(group, &refresh->due[i], count, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* -- groups ------------------------------------------------------------------------------------ */

static enum status load_group(struct group *group, struct error *error)
{
    struct refresh *refresh = group->refresh;
    enum status status = see_group(group, error);
    if (status != STATUS_OK)
        return status;
    refresh->due_count = 0;
    for (size_t i = 0; i < group->count; i++) {
        struct refresh_item *item = &group->items[i];
        if (item->is_astray)
            continue;
        if (!follower_begin_load(item->follower))
            return error_set(error, STATUS_NO_MEMORY, "no memory for the window of %s",
                             item->follower->symbol);
        for (int kind = 0; kind < FOLLOWER_KINDS; kind++)
            find_due(refresh, item, (enum store_kind)kind);
    }
    if (refresh->due_count > 0)
        qsort(refresh->due, refresh->due_count, sizeof *refresh->due, compare_due);
    status = read_due(group, error);
    for (size_t i = 0; i < group->count && status == STATUS_OK; i++)
        if (!group->items[i].is_astray)
            follower_end_load(group->items[i].follower, !group->items[i].is_off_mark);
    return status;
}

/* One item by itself. */
static enum status load_alone(const struct group *group, struct refresh_item *item,
                              struct error *error)
{
    struct group alone = {group->refresh, group->session, item, 1, 0};
    enum status status = STATUS_OK;
    do {
        item->was_astray = item->is_astray;
        item->is_off_mark = false;
        expect(item);
        if (item->is_due)
            status = load_group(&alone, error);
    } while (status == STATUS_OK && item->is_due && item->is_astray);
    if (status != STATUS_OK && status != STATUS_CANCELLED)
        fail(item, error);
    return status == STATUS_CANCELLED ? status : STATUS_OK;
}

/* All of them; where a query for all fails, each is tried by itself. */
static enum status refresh_group(struct group *group, struct error *error)
{
    qsort(group->items, group->count, sizeof *group->items, compare_names);
    enum status status = load_group(group, error);
    const bool has_failed = status != STATUS_OK;
    for (size_t i = 0; i < group->count && status != STATUS_CANCELLED; i++)
        if (has_failed || group->items[i].is_astray)
            status = load_alone(group, &group->items[i], error);
    return status;
}

/* Those that are to be loaded come first, in order of where their windows begin. */
static int compare_starts(const void *a, const void *b)
{
    const struct refresh_item *first = a, *second = b;
    if (first->is_due != second->is_due)
        return first->is_due ? -1 : 1;
    int64_t first_block = first->follower->seen.first, second_block = second->follower->seen.first;
    return (first_block > second_block) - (first_block < second_block);
}

enum status refresh_run(struct refresh *refresh, struct store_session *session,
                        struct refresh_item *items, size_t count, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count; i++)
        expect(&items[i]);
    qsort(items, count, sizeof *items, compare_starts);
    for (size_t i = 0; i < count && items[i].is_due && status == STATUS_OK;) {
        struct group group = {refresh, session, &items[i], 0, 0};
        const int64_t first = items[i].follower->seen.first;
        for (; i < count && items[i].is_due; i++) {
            if (items[i].follower->seen.first > first + GROUP_BLOCKS_MAX)
                break;
            group.count++;
        }
        status = refresh_group(&group, error);
    }
    for (size_t i = 0; i < count && status != STATUS_OK; i++)
        follower_unload(items[i].follower);
    return status;
}

void refresh_deinit(struct refresh *refresh)
{
    slots_deinit(&refresh->rows);
    buffer_deinit(&refresh->names);
    free(refresh->due);
    *refresh = (struct refresh){0};
}
