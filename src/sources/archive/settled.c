/* An import has few symbols, a few hundred at most, and nearly always the one that it had before:
 * a list, and the place of the last one, are enough. */
#include "sources/archive/settled.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum { SYMBOLS_MIN = 16 };

struct archive_settled_symbol {
    char name[SYMBOL_SIZE];
    enum archive_market market;
    bool is_certain;
};

bool archive_settled_has(struct archive_settled *settled, const char *symbol,
                         enum archive_market market, bool is_certain)
{
    for (size_t i = 0; i < settled->count; i++) {
        size_t at = (settled->last + i) % settled->count;
        const struct archive_settled_symbol *known = &settled->symbols[at];
        if (known->market != market || known->is_certain != is_certain ||
            strcmp(known->name, symbol) != 0)
            continue;
        settled->last = at;
        return true;
    }
    return false;
}

void archive_settled_add(struct archive_settled *settled, const char *symbol,
                         enum archive_market market, bool is_certain)
{
    if (settled->count == settled->capacity) {
        settled->capacity = settled->capacity > 0 ? settled->capacity * 2 : SYMBOLS_MIN;
        settled->symbols =
            memory_resize(settled->symbols, settled->capacity, sizeof *settled->symbols);
    }
    struct archive_settled_symbol *added = &settled->symbols[settled->count];
    *added = (struct archive_settled_symbol){.market = market, .is_certain = is_certain};
    strcpy(added->name, symbol);
    settled->last = settled->count++;
}

void archive_settled_clear(struct archive_settled *settled)
{
    settled->count = 0;
    settled->last = 0;
}

void archive_settled_deinit(struct archive_settled *settled)
{
    free(settled->symbols);
    *settled = (struct archive_settled){0};
}
