/* One kind of value is one function from text to a C type, and one sentence for any other text. The
 * sentence is for the person who typed the value: it quotes the part that is wrong and shows the
 * right form; callers put the name of the setting or parameter before it.
 *
 * Parsers accept only what they understand in full: a number with something behind it or a list
 * with an empty item is more likely a mistake than a wish, and a map computed from half a value
 * would look right. */
#include "config/value.h"

#include "base/decimal.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "config/exchange_list.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    char unit;
    int64_t ms;
} duration_units[] = {
    {'y', 365 * DAY_MS},   {'w', 7 * DAY_MS}, {'d', DAY_MS},
    {'h', 60 * MINUTE_MS}, {'m', MINUTE_MS},  {'s', 1000},
};

enum { FIRST_UNIT_SHOWN = 2 }; /* "7d" rather than "1w" */

static const struct {
    const char *name;
    int64_t minutes;
} intervals[] = {
    {"5m", 5},   {"15m", 15}, {"30m", 30},  {"1h", 60},      {"2h", 120},
    {"4h", 240}, {"8h", 480}, {"12h", 720}, {"1d", 24 * 60},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { SYMBOLS_SHOWN_MAX = 20 }; /* in a message */

const char *const value_model_names[] = {
    [MODEL_SURVIVAL] = "survival", [MODEL_REFERENCE] = "reference", NULL};

/* -- durations --------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Milliseconds in a unit; 0 if there is no such unit. */
static int64_t unit_ms(struct slice unit)
{
    for (size_t i = 0; i < COUNT(duration_units) && unit.size == 1; i++)
        if (unit.data[0] == duration_units[i].unit)
            return duration_units[i].ms;
    return 0;
}

enum status value_parse_duration(const char *text, int64_t *duration_ms, struct error *error)
{
    struct slice unit = slice_of(text), count_text = slice_take_while(&unit, is_digit);
    int64_t one_ms = unit_ms(unit);
    uint64_t count;
    if (one_ms == 0 ||
        !slice_parse_unsigned(count_text, (uint64_t)(WINDOW_MAX_MS / one_ms), &count) || count == 0)
        return error_set(error, STATUS_INVALID,
                         "'%.60s' is not a duration (a whole number and s, m, h, d, w or y: 15m, "
                         "48h, 7d; at most 3660d)",
                         text);
    *duration_ms = (int64_t)count * one_ms;
    return STATUS_OK;
}

char *value_format_duration(int64_t duration_ms, char text[24])
{
    for (size_t i = FIRST_UNIT_SHOWN; i < COUNT(duration_units); i++)
        if (duration_ms % duration_units[i].ms == 0) {
            snprintf(text, 24, "%lld%c", (long long)(duration_ms / duration_units[i].ms),
                     duration_units[i].unit);
            return text;
        }
    snprintf(text, 24, "%lldms", (long long)duration_ms);
    return text;
}

/* -- sizes ------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t bytes;
} size_units[] = {{"GB", 1000000000}, {"MB", 1000000}, {"KB", 1000}};

enum status value_parse_bytes(const char *text, size_t *bytes, struct error *error)
{
    struct slice unit = slice_of(text), count_text = slice_take_while(&unit, is_digit);
    uint64_t count;
    for (size_t i = 0; i < COUNT(size_units); i++)
        if (slice_equals(unit, size_units[i].name) &&
            slice_parse_unsigned(count_text, SIZE_MAX / 4 / size_units[i].bytes, &count)) {
            *bytes = (size_t)count * size_units[i].bytes;
            return STATUS_OK;
        }
    return error_set(error, STATUS_INVALID,
                     "'%.60s' is not a size (a whole number and KB, MB or GB: 64MB)", text);
}

char *value_format_bytes(size_t bytes, char text[24])
{
    size_t unit = 0;
    while (unit + 1 < COUNT(size_units) && bytes % size_units[unit].bytes != 0)
        unit++;
    snprintf(text, 24, "%zu%s", bytes / size_units[unit].bytes, size_units[unit].name);
    return text;
}

/* -- intervals --------------------------------------------------------------------------------- */

enum status value_parse_interval(const char *text, int64_t *interval_ms, struct error *error)
{
    for (size_t i = 0; i < COUNT(intervals); i++)
        if (strcmp(text, intervals[i].name) == 0) {
            *interval_ms = intervals[i].minutes * MINUTE_MS;
            return STATUS_OK;
        }
    return error_set(error, STATUS_INVALID,
                     "'%.60s' is not an interval (5m, 15m, 30m, 1h, 2h, 4h, 8h, 12h or 1d)", text);
}

int64_t value_next_interval(int64_t interval_ms)
{
    for (size_t i = 0; i < COUNT(intervals); i++)
        if (intervals[i].minutes * MINUTE_MS > interval_ms)
            return intervals[i].minutes * MINUTE_MS;
    return 0;
}

/* -- symbols ----------------------------------------------------------------------------------- */

/* The code point of a character beyond ASCII, of 2 to 4 bytes. */
static uint32_t decode(const char *bytes, size_t size)
{
    uint32_t code = (uint8_t)bytes[0] & (0xFFU >> (size + 1));
    for (size_t i = 1; i < size; i++)
        code = code << 6 | ((uint8_t)bytes[i] & 0x3FU);
    return code;
}

/* Beyond ASCII: blanks, controls, what is not to be seen or turns the direction of text, and what
 * only programs give a meaning. Two names that look the same should be the same. */
static bool is_visible(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } hidden[] = {
        {0x80, 0xA0},     {0xAD, 0xAD},     {0x300, 0x36F},      {0x61C, 0x61C},   {0x115F, 0x1160},
        {0x1680, 0x1680}, {0x180B, 0x180F}, {0x2000, 0x200F},    {0x2028, 0x202F}, {0x205F, 0x206F},
        {0x3000, 0x3000}, {0x3164, 0x3164}, {0xE000, 0xF8FF},    {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
        {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFF}, {0xE0000, 0x10FFFF},
    };
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (code >= hidden[i].first && code <= hidden[i].last)
            return false;
    return true;
}

/* Bytes of the character at the start of a name, 0 if there is none that a name may have. */
static size_t name_character_size(const char *text, size_t size)
{
    size_t bytes = utf8_sequence_size(text, size);
    char c = text[0];
    if (bytes > 1)
        return is_visible(decode(text, bytes)) ? bytes : 0;
    bool is_known = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    return is_known ? bytes : 0;
}

bool value_is_symbol(const char *text, size_t size)
{
    struct slice name = {text, size};
    struct exchange_prefix prefix;
    size_t count = 0;
    if (!exchange_prefix_take(&name, &prefix) || name.size > SYMBOL_NAME_BYTES)
        return false;
    for (; name.size > 0; count++) {
        size_t bytes = name_character_size(name.data, name.size);
        if (bytes == 0)
            return false;
        slice_take(&name, bytes);
    }
    return count >= 1 && count <= SYMBOL_NAME_MAX;
}

bool value_guess_symbol(struct slice text, char symbol[SYMBOL_SIZE])
{
    struct slice rest = text, pair = text, settled;
    size_t size = 0;
    /* Some write what a contract is settled in behind it: BTC/USDT:USDT. */
    if (memchr(text.data, '/', text.size) != NULL && slice_split(&rest, ':', &settled) &&
        rest.size > 0 && memchr(settled.data, '/', settled.size) != NULL)
        pair = settled;
    for (size_t i = 0; i < pair.size && size < SYMBOL_SIZE - 1; i++) {
        char c = pair.data[i];
        if (c != '/' && c != ' ')
            symbol[size++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    symbol[size] = '\0';
    bool is_same = size == text.size && memcmp(symbol, text.data, size) == 0;
    return !is_same && value_is_symbol(symbol, size);
}

const char *value_symbol_name(const char *symbol)
{
    struct slice name = slice_of(symbol);
    struct exchange_prefix prefix;
    exchange_prefix_take(&name, &prefix);
    return name.data;
}

static enum status refuse_symbol(struct slice text, struct error *error)
{
    char meant[SYMBOL_SIZE];
    bool is_guessed = value_guess_symbol(text, meant);
    return error_set(error, STATUS_INVALID,
                     "'%.*s' is not a symbol (1 to 20 of A-Z, 0-9, _ and -, or of another script; "
                     "the name of an exchange or ALL and a colon may stand before them)%s%s%s",
                     slice_arguments(text), is_guessed ? ": is " : "", is_guessed ? meant : "",
                     is_guessed ? " meant?" : "");
}

enum status value_parse_symbol(struct slice text, char symbol[SYMBOL_SIZE], struct error *error)
{
    if (!value_is_symbol(text.data, text.size) || !slice_copy(text, symbol, SYMBOL_SIZE))
        return refuse_symbol(text, error);
    return STATUS_OK;
}

/* Where in the table the name is, or is to be: the first free place from that of its hash on,
 * unless it is found before. The table is never more than half full, and what clients ask for does
 * not get into it. */
static size_t index_place(const struct symbol_list *list, const char *name, size_t size)
{
    size_t at = hash_bytes(HASH_START, name, size) % COUNT(list->index);
    for (; list->index[at] != 0; at = (at + 1) % COUNT(list->index)) {
        const char *other = list->names[list->index[at] - 1];
        if (strlen(other) == size && memcmp(other, name, size) == 0)
            break;
    }
    return at;
}

static void add_symbol(struct symbol_list *list, const char symbol[SYMBOL_SIZE])
{
    size_t at = index_place(list, symbol, strlen(symbol));
    strcpy(list->names[list->count++], symbol);
    list->index[at] = (uint16_t)list->count;
}

enum status value_parse_symbols(const char *text, struct symbol_list *list, struct error *error)
{
    struct slice_list items = {.rest = slice_of(text)};
    struct slice item;
    list->count = 0;
    list->is_indexed = true;
    memset(list->index, 0, sizeof list->index);
    while (slice_list_next(&items, ',', &item)) {
        char symbol[SYMBOL_SIZE];
        enum status status = value_parse_symbol(item, symbol, error);
        if (status != STATUS_OK)
            return status;
        if (symbol_list_find(list, item.data, item.size) >= 0)
            continue;
        if (list->count == SYMBOLS_MAX)
            return error_set(error, STATUS_INVALID, "more than %d symbols", SYMBOLS_MAX);
        add_symbol(list, symbol);
    }
    return STATUS_OK;
}

int symbol_list_find(const struct symbol_list *list, const char *name, size_t size)
{
    if (list->is_indexed)
        return size > 0 ? list->index[index_place(list, name, size)] - 1 : -1;
    for (size_t i = 0; i < list->count; i++)
        if (strlen(list->names[i]) == size && memcmp(list->names[i], name, size) == 0)
            return (int)i;
    return -1;
}

void symbol_list_append_some(struct buffer *out, const struct symbol_list *list)
{
    size_t shown = list->count < SYMBOLS_SHOWN_MAX ? list->count : SYMBOLS_SHOWN_MAX;
    for (size_t i = 0; i < shown; i++)
        buffer_append_format(out, "%s%s", i > 0 ? ", " : "", list->names[i]);
    if (shown < list->count)
        buffer_append_format(out, " and %zu more (GET /api/v1/symbols has all)",
                             list->count - shown);
}

/* -- buckets ----------------------------------------------------------------------------------- */

enum status value_parse_bucket(const char *text, int64_t *bucket_e8, struct error *error)
{
    if (decimal_parse(text, strlen(text), bucket_e8) && *bucket_e8 > 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "'%.60s' is not a bucket size (a price step above 0, to 8 decimals: 100, 0.5)",
                     text);
}

/* Reads "SYMBOL:BUCKET". */
static enum status parse_bucket_of_symbol(struct slice item, char symbol[SYMBOL_SIZE],
                                          int64_t *bucket_e8, struct error *error)
{
    struct slice name = item, bucket;
    bool has_colon = slice_split_last(&name, ':', &bucket);
    if (has_colon) {
        enum status status = value_parse_symbol(name, symbol, error);
        if (status != STATUS_OK)
            return status;
    }
    if (!has_colon || !decimal_parse(bucket.data, bucket.size, bucket_e8) || *bucket_e8 <= 0)
        return error_set(error, STATUS_INVALID,
                         "'%.*s' is not SYMBOL:BUCKET (as in BTCUSDT:100,ETHUSDT:5; the bucket "
                         "above 0, to 8 decimals)",
                         slice_arguments(item));
    return STATUS_OK;
}

enum status value_parse_buckets(const char *text, struct bucket_map *map, struct error *error)
{
    struct slice_list items = {.rest = slice_of(text)};
    struct slice item;
    map->count = 0;
    if (slice_trim(items.rest).size == 0)
        return STATUS_OK;
    while (slice_list_next(&items, ',', &item)) {
        char symbol[SYMBOL_SIZE];
        int64_t bucket_e8 = 0;
        enum status status = parse_bucket_of_symbol(item, symbol, &bucket_e8, error);
        if (status != STATUS_OK)
            return status;
        if (map->count == SYMBOLS_MAX)
            return error_set(error, STATUS_INVALID, "more than %d buckets", SYMBOLS_MAX);
        if (bucket_map_find(map, symbol) != 0)
            return error_set(error, STATUS_INVALID, "%s has two buckets", symbol);
        strcpy(map->entries[map->count].symbol, symbol);
        map->entries[map->count++].bucket_e8 = bucket_e8;
    }
    return STATUS_OK;
}

int64_t bucket_map_find(const struct bucket_map *map, const char *symbol)
{
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->entries[i].symbol, symbol) == 0)
            return map->entries[i].bucket_e8;
    return 0;
}

/* -- leverage weights -------------------------------------------------------------------------- */

/* Reads "leverage:weight"; returns what is wrong with it, or NULL. */
static const char *parse_tier(struct slice item, int *leverage, double *weight)
{
    struct slice leverage_text;
    uint64_t whole;
    if (!slice_split(&item, ':', &leverage_text))
        return "is not LEVERAGE:WEIGHT";
    if (!slice_parse_unsigned(leverage_text, LEVERAGE_MAX, &whole) || whole == 0)
        return "has a leverage that is not a whole number from 1 to 1000";
    if (!slice_parse_double(item, weight))
        return "has a weight that is not a number";
    if (*weight < 0)
        return "has a negative weight";
    *leverage = (int)whole;
    return NULL;
}

/* Reads one tier behind those that are there; returns what is wrong with it, or NULL. */
static const char *add_tier(struct leverage_weights *weights, struct slice item)
{
    int leverage;
    double weight;
    const char *reason = parse_tier(item, &leverage, &weight);
    if (reason != NULL)
        return reason;
    for (size_t i = 0; i < weights->count; i++)
        if (weights->tiers[i].leverage == leverage)
            return "repeats a leverage";
    if (weights->count == TIERS_MAX)
        return "is one too many (at most 16)";
    weights->tiers[weights->count].leverage = leverage;
    weights->tiers[weights->count++].weight = weight;
    return NULL;
}

enum status value_parse_weights(const char *text, struct leverage_weights *weights,
                                struct error *error)
{
    struct slice_list items = {.rest = slice_of(text)};
    struct slice item;
    double sum = 0;
    weights->count = 0;
    while (slice_list_next(&items, ',', &item)) {
        const char *reason = add_tier(weights, item);
        if (reason != NULL)
            return error_set(error, STATUS_INVALID, "leverage weights: '%.*s' %s (allowed: %s)",
                             slice_arguments(item), reason, LEVERAGE_WEIGHTS_DEFAULT);
        sum += weights->tiers[weights->count - 1].weight;
    }
    if (!(sum > 0) || !isfinite(sum))
        return error_set(
            error, STATUS_INVALID,
            "leverage weights: '%.60s' sums to %s; at least one weight must be above 0", text,
            sum == 0 ? "0" : "infinity");
    for (size_t i = 0; i < weights->count; i++)
        weights->tiers[i].weight /= sum;
    return STATUS_OK;
}

/* -- addresses --------------------------------------------------------------------------------- */

static bool parse_host(struct slice text, char host[LISTEN_HOST_SIZE])
{
    if (slice_starts_with(text, "[") && text.size >= 2 && text.data[text.size - 1] == ']') {
        text = (struct slice){text.data + 1, text.size - 2};
        if (text.size == 0)
            return false;
    }
    if (text.size == 0)
        text = slice_of("0.0.0.0");
    if (slice_equals(text, "localhost"))
        text = slice_of("127.0.0.1");
    struct in6_addr parsed;
    return slice_copy(text, host, LISTEN_HOST_SIZE) &&
           (inet_pton(AF_INET, host, &parsed) == 1 || inet_pton(AF_INET6, host, &parsed) == 1);
}

enum status value_parse_address(const char *text, struct listen_address *address,
                                struct error *error)
{
    struct slice host = slice_of(text), port;
    uint64_t number;
    slice_split_last(&host, ':', &port);
    if (!parse_host(host, address->host) || !slice_parse_unsigned(port, 65535, &number))
        return error_set(error, STATUS_INVALID,
                         "'%.60s' is not an address and port (127.0.0.1:8000, [::1]:8000, :8000)",
                         text);
    address->port = (int)number;
    return STATUS_OK;
}

/* -- groups of tiers --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum tier_group group;
} tier_groups[] = {{"low", TIERS_LOW}, {"medium", TIERS_MEDIUM}, {"high", TIERS_HIGH}};

enum tier_group tier_group_of(int leverage)
{
    return leverage >= TIERS_HIGH_FROM     ? TIERS_HIGH
           : leverage >= TIERS_MEDIUM_FROM ? TIERS_MEDIUM
                                           : TIERS_LOW;
}

static unsigned find_tier_group(struct slice name)
{
    for (size_t i = 0; i < sizeof tier_groups / sizeof tier_groups[0]; i++)
        if (slice_equals(name, tier_groups[i].name))
            return tier_groups[i].group;
    return 0;
}

enum status value_parse_tier_groups(const char *text, unsigned *groups, struct error *error)
{
    struct slice rest = slice_of(text), name;
    unsigned found = 0;
    while (rest.size > 0) {
        slice_split(&rest, ',', &name);
        const unsigned group = find_tier_group(slice_trim(name));
        if (group == 0)
            return error_set(error, STATUS_INVALID, "'%.60s' is not a list of low, medium and high",
                             text);
        found |= group;
    }
    if (found == 0)
        return error_set(error, STATUS_INVALID, "'%.60s' is not a list of low, medium and high",
                         text);
    *groups = found;
    return STATUS_OK;
}

char *value_format_tier_groups(unsigned groups, char text[TIER_GROUPS_SIZE])
{
    char *to = text;
    for (size_t i = 0; i < sizeof tier_groups / sizeof tier_groups[0]; i++)
        if ((groups & tier_groups[i].group) != 0)
            to += sprintf(to, "%s%s", to > text ? "," : "", tier_groups[i].name);
    *to = '\0';
    return text;
}
