#include "config/value.h"

#include "base/decimal.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    char unit;
    int64_t ms;
} duration_units[] = {
    {'w', 7 * DAY_MS}, {'d', DAY_MS}, {'h', 60 * MINUTE_MS}, {'m', MINUTE_MS}, {'s', 1000},
};

static const struct {
    const char *name;
    int64_t minutes;
} intervals[] = {
    {"5m", 5},   {"15m", 15}, {"30m", 30},  {"1h", 60},      {"2h", 120},
    {"4h", 240}, {"8h", 480}, {"12h", 720}, {"1d", 24 * 60},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum status value_parse_duration(const char *text, int64_t *duration_ms, struct error *error)
{
    char *unit;
    long long count = strtoll(text, &unit, 10);
    if (unit != text && text[0] >= '0' && text[0] <= '9' && unit[0] != '\0' && unit[1] == '\0') {
        for (size_t i = 0; i < COUNT(duration_units); i++) {
            if (unit[0] != duration_units[i].unit)
                continue;
            if (count < 1 || count > WINDOW_MAX_MS / duration_units[i].ms)
                break;
            *duration_ms = count * duration_units[i].ms;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_INVALID,
                     "'%.60s' is not a duration (a whole number and s, m, h, d or w: 15m, 48h, 7d; "
                     "at most 3660d)",
                     text);
}

char *value_format_duration(int64_t duration_ms, char text[24])
{
    for (size_t i = 1; i < COUNT(duration_units); i++)
        if (duration_ms % duration_units[i].ms == 0) {
            snprintf(text, 24, "%lld%c", (long long)(duration_ms / duration_units[i].ms),
                     duration_units[i].unit);
            return text;
        }
    snprintf(text, 24, "%lldms", (long long)duration_ms);
    return text;
}

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

enum status value_parse_bucket(const char *text, int64_t *bucket_e8, struct error *error)
{
    if (decimal_parse(text, strlen(text), bucket_e8) && *bucket_e8 > 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "'%.60s' is not a bucket size (a price step above 0, to 8 decimals: 100, 0.5)",
                     text);
}

bool value_is_symbol(const char *text, size_t size)
{
    if (size < 1 || size >= SYMBOL_SIZE)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

/* Cuts the next comma-separated item off `*rest`, without the blanks around it. False at the end;
 * an empty text has one empty item. */
static bool next_item(const char **rest, const char **item, size_t *size)
{
    if (*rest == NULL)
        return false;
    const char *start = *rest, *end = strchr(start, ',');
    *rest = end != NULL ? end + 1 : NULL;
    if (end == NULL)
        end = start + strlen(start);
    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *item = start;
    *size = (size_t)(end - start);
    return true;
}

enum status value_parse_symbols(const char *text, struct symbol_list *list, struct error *error)
{
    const char *rest = text, *item;
    size_t size;
    list->count = 0;
    while (next_item(&rest, &item, &size)) {
        if (!value_is_symbol(item, size))
            return error_set(error, STATUS_INVALID,
                             "'%.*s' is not a symbol (1 to 20 of A-Z, 0-9, _ and -)",
                             (int)(size < 60 ? size : 60), item);
        if (symbol_list_find(list, item, size) >= 0)
            continue;
        if (list->count == SYMBOLS_MAX)
            return error_set(error, STATUS_INVALID, "more than %d symbols", SYMBOLS_MAX);
        memcpy(list->names[list->count], item, size);
        list->names[list->count++][size] = '\0';
    }
    return STATUS_OK;
}

int symbol_list_find(const struct symbol_list *list, const char *name, size_t size)
{
    for (size_t i = 0; i < list->count; i++)
        if (strlen(list->names[i]) == size && memcmp(list->names[i], name, size) == 0)
            return (int)i;
    return -1;
}

enum status value_parse_buckets(const char *text, struct bucket_map *map, struct error *error)
{
    const char *rest = text, *item;
    size_t size;
    map->count = 0;
    if (text[strspn(text, " \t")] == '\0')
        return STATUS_OK;
    while (next_item(&rest, &item, &size)) {
        const char *colon = memchr(item, ':', size);
        size_t name_size = colon != NULL ? (size_t)(colon - item) : 0;
        int64_t bucket_e8 = 0;
        if (colon == NULL || !value_is_symbol(item, name_size) ||
            !decimal_parse(colon + 1, size - name_size - 1, &bucket_e8) || bucket_e8 <= 0)
            return error_set(error, STATUS_INVALID,
                             "'%.*s' is not SYMBOL:BUCKET (as in BTCUSDT:100,ETHUSDT:5; the bucket "
                             "above 0, to 8 decimals)",
                             (int)(size < 60 ? size : 60), item);
        if (map->count == SYMBOLS_MAX)
            return error_set(error, STATUS_INVALID, "more than %d buckets", SYMBOLS_MAX);
        memcpy(map->entries[map->count].symbol, item, name_size);
        map->entries[map->count].symbol[name_size] = '\0';
        if (bucket_map_find(map, map->entries[map->count].symbol) != 0)
            return error_set(error, STATUS_INVALID, "%s has two buckets",
                             map->entries[map->count].symbol);
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

/* Reads one "leverage:weight"; the reason where it is not one. */
static const char *parse_tier(const char *item, size_t size, int *leverage, double *weight)
{
    char text[64], *end;
    if (size >= sizeof text)
        return "is too long";
    memcpy(text, item, size);
    text[size] = '\0';
    char *colon = strchr(text, ':');
    if (colon == NULL)
        return "is not LEVERAGE:WEIGHT";
    *colon = '\0';
    long whole = strtol(text, &end, 10);
    if (end == text || *end != '\0' || whole < 1 || whole > LEVERAGE_MAX)
        return "has a leverage that is not a whole number from 1 to 1000";
    *leverage = (int)whole;
    /* strtod() knows more forms than people expect: hexadecimal, "nan", "infinity". */
    const char *number = colon + 1;
    *weight = strtod(number, &end);
    if (end == number || *end != '\0' || number[strspn(number, "0123456789+-.eE")] != '\0' ||
        !isfinite(*weight))
        return "has a weight that is not a number";
    if (*weight < 0)
        return "has a negative weight";
    return NULL;
}

enum status value_parse_weights(const char *text, struct leverage_weights *weights,
                                struct error *error)
{
    const char *rest = text, *item;
    size_t size;
    double sum = 0;
    weights->count = 0;
    while (next_item(&rest, &item, &size)) {
        int leverage = 0;
        double weight = 0;
        const char *reason = parse_tier(item, size, &leverage, &weight);
        for (size_t i = 0; reason == NULL && i < weights->count; i++)
            if (weights->tiers[i].leverage == leverage)
                reason = "repeats a leverage";
        if (reason == NULL && weights->count == TIERS_MAX)
            reason = "is one too many (at most 16)";
        if (reason != NULL)
            return error_set(error, STATUS_INVALID, "leverage weights: '%.*s' %s (allowed: %s)",
                             (int)(size < 60 ? size : 60), item, reason, LEVERAGE_WEIGHTS_DEFAULT);
        weights->tiers[weights->count].leverage = leverage;
        weights->tiers[weights->count++].weight = weight;
        sum += weight;
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

enum status value_parse_address(const char *text, struct listen_address *address,
                                struct error *error)
{
    char host[sizeof address->host] = "0.0.0.0";
    const char *port = text, *colon = strrchr(text, ':');
    if (colon != NULL) {
        size_t size = (size_t)(colon - text);
        const char *start = text;
        if (size >= 2 && text[0] == '[' && colon[-1] == ']') {
            start++;
            size -= 2;
        }
        if (size >= sizeof host || (size == 0 && start != text))
            goto invalid;
        if (size > 0) {
            memcpy(host, start, size);
            host[size] = '\0';
        }
        port = colon + 1;
    }
    if (strcmp(host, "localhost") == 0)
        strcpy(host, "127.0.0.1");
    struct in6_addr parsed;
    if (inet_pton(AF_INET, host, &parsed) != 1 && inet_pton(AF_INET6, host, &parsed) != 1)
        goto invalid;
    char *end;
    long number = strtol(port, &end, 10);
    if (port[0] < '0' || port[0] > '9' || *end != '\0' || number > 65535)
        goto invalid;
    strcpy(address->host, host);
    address->port = (int)number;
    return STATUS_OK;
invalid:
    return error_set(error, STATUS_INVALID,
                     "'%.60s' is not an address and port (127.0.0.1:8000, [::1]:8000, :8000)",
                     text);
}
