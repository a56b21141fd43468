/* All that there is of an exchange outside its own file comes from one line of the table EXCHANGES:
 * its number, its name, its settings (config.c) and its place among the functions that ask it
 * (sources/collect/exchange.c). So a further one is that line and its file.
 *
 * A symbol's prefix is the exchange's name in upper case, as symbols are. It is looked up here and
 * nowhere else: whatever else stands before a colon is no symbol. */
#include "config/exchange_list.h"

#include "base/buffer.h"

#define ALL_PREFIX "ALL"

#define EXCHANGE_NAME(id, name, rest, websocket) [EXCHANGE_##id] = #name,
static const char *const names[EXCHANGE_COUNT] = {EXCHANGES(EXCHANGE_NAME)};

const char *exchange_name(enum exchange_id id)
{
    return names[id];
}

#define EXCHANGE_PREFIX(id, name, rest, websocket) [EXCHANGE_##id] = #id,
static const char *const prefixes[EXCHANGE_COUNT] = {EXCHANGES(EXCHANGE_PREFIX)};

const char *exchange_prefix_name(enum exchange_id id)
{
    return prefixes[id];
}

static bool find(struct slice text, enum exchange_id *id)
{
    for (size_t i = 0; i < EXCHANGE_COUNT; i++)
        if (slice_equals_ignoring_case(text, exchange_name((enum exchange_id)i))) {
            *id = (enum exchange_id)i;
            return true;
        }
    return false;
}

static enum status refuse(struct slice item, struct error *error)
{
    struct buffer known = {0};
    for (size_t i = 0; i < EXCHANGE_COUNT; i++)
        buffer_append_format(&known, "%s%s",
                             i == 0                   ? ""
                             : i + 1 < EXCHANGE_COUNT ? ", "
                                                      : " or ",
                             exchange_name((enum exchange_id)i));
    error_set(error, STATUS_INVALID, "'%.*s' is not an exchange (%s)", slice_arguments(item),
              buffer_text(&known));
    buffer_deinit(&known);
    return STATUS_INVALID;
}

enum status exchange_list_parse(const char *text, struct exchange_list *list, struct error *error)
{
    struct slice_list items = {.rest = slice_of(text)};
    struct slice item;
    bool is_listed[EXCHANGE_COUNT] = {false};
    list->count = 0;
    while (slice_list_next(&items, ',', &item)) {
        enum exchange_id id;
        if (!find(item, &id))
            return refuse(item, error);
        if (!is_listed[id])
            list->ids[list->count++] = id;
        is_listed[id] = true;
    }
    return STATUS_OK;
}

static bool is_upper(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= 'a' && text.data[i] <= 'z')
            return false;
    return true;
}

bool exchange_prefix_take(struct slice *symbol, struct exchange_prefix *prefix)
{
    struct slice name = *symbol, before;
    *prefix = (struct exchange_prefix){.scope = EXCHANGE_SCOPE_FIRST};
    if (!slice_split(&name, ':', &before))
        return true;
    if (slice_equals(before, ALL_PREFIX))
        prefix->scope = EXCHANGE_SCOPE_ALL;
    else if (is_upper(before) && find(before, &prefix->id))
        prefix->scope = EXCHANGE_SCOPE_ONE;
    else
        return false;
    *symbol = name;
    return true;
}
