/* Rows come from a source's thread, which must not wait, while the generator may be in a query for
 * seconds. So they wait here, at most INBOX_ROWS_MAX for a symbol: of a candle, and of the open
 * interest of five minutes, the newest takes the place of the one before, and what that leaves
 * takes half an hour to fill the room. Then the oldest is dropped; the database will have it. */
#include "base/check.h"
#include "engine/generator_internal.h"
#include "model/slots.h"

#include <stdlib.h>
#include <string.h>

void inbox_init(struct inbox *inbox, size_t symbol_count)
{
    *inbox = (struct inbox){
        .symbols = memory_allocate_zeroed(symbol_count, sizeof *inbox->symbols),
        .waiting = memory_allocate_zeroed(symbol_count, sizeof *inbox->waiting),
    };
}

void inbox_deinit(struct inbox *inbox, size_t symbol_count)
{
    for (size_t i = 0; i < symbol_count; i++)
        free(inbox->symbols[i]);
    free(inbox->symbols);
    free(inbox->waiting);
}

static int64_t slot_of(const struct generator_feed *feed)
{
    return slots_number(feed->kind == GENERATOR_FEED_INTEREST ? feed->interest.time_ms
                                                              : feed->candle.open_time_ms);
}

/* Whether one takes the place of the other, which came before it. */
static bool replaces(const struct generator_feed *feed, const struct generator_feed *before)
{
    bool is_interest = feed->kind == GENERATOR_FEED_INTEREST;
    bool was_interest = before->kind == GENERATOR_FEED_INTEREST;
    return is_interest == was_interest && slot_of(feed) == slot_of(before) &&
           (before->kind != GENERATOR_FEED_CLOSED || feed->kind == GENERATOR_FEED_CLOSED);
}

/* Behind all that came before it, so that rows are taken in the order in which they came. */
void inbox_put(struct inbox *inbox, size_t symbol_index, const struct generator_feed *feed)
{
    struct inbox_symbol *symbol = inbox->symbols[symbol_index];
    if (symbol == NULL)
        symbol = inbox->symbols[symbol_index] = memory_allocate_zeroed(1, sizeof *symbol);
    if (symbol->count == 0)
        inbox->waiting[inbox->waiting_count++] = symbol_index;
    size_t gone = 0;
    while (gone < symbol->count && !replaces(feed, &symbol->rows[gone]))
        gone++;
    if (gone == symbol->count && symbol->count == INBOX_ROWS_MAX)
        gone = 0;
    if (gone < symbol->count)
        memmove(&symbol->rows[gone], &symbol->rows[gone + 1],
                (--symbol->count - gone) * sizeof *symbol->rows);
    symbol->rows[symbol->count++] = *feed;
}

bool inbox_take(struct inbox *inbox, size_t *symbol_index, struct inbox_symbol *taken)
{
    if (inbox->waiting_count == 0)
        return false;
    *symbol_index = inbox->waiting[--inbox->waiting_count];
    *taken = *inbox->symbols[*symbol_index];
    inbox->symbols[*symbol_index]->count = 0;
    return true;
}
