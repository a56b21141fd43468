/* Typed values as people write them: durations, symbols, buckets, leverage weights, addresses.
 *
 * Settings, command-line flags and HTTP query parameters share these parsers, so that a value means
 * the same everywhere. Each returns STATUS_INVALID with a message that quotes what is wrong and
 * says what is allowed; what it was to fill may then be filled in part. Any thread. */
#ifndef HEATCAST_CONFIG_VALUE_H
#define HEATCAST_CONFIG_VALUE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOL_NAME_MAX 20   /* characters, without a prefix */
#define SYMBOL_NAME_BYTES 32 /* the same in bytes, of which they may have more */
#define SYMBOL_SIZE (12 + SYMBOL_NAME_BYTES + 1) /* "HYPERLIQUID:", name, terminator */
#define SYMBOLS_MAX 4096                         /* symbols one process serves */
#define TIERS_MAX 16                             /* leverage tiers of the model */
#define LEVERAGE_MAX 1000                        /* the highest leverage a tier may have */

#define MINUTE_MS INT64_C(60000)
#define CANDLE_MS (5 * MINUTE_MS) /* the base interval of the tables */
#define DAY_MS (24 * 60 * MINUTE_MS)
#define WINDOW_MAX_MS (3660 * DAY_MS)

/* The models by which a map is made (model/model.h), and their names, with a NULL behind the last.
 */
enum model_name { MODEL_SURVIVAL, MODEL_REFERENCE };
extern const char *const value_model_names[];
#define MODEL_DEFAULT "survival"

/* "90s", "15m", "48h", "7d", "2w", "1y" (365 days); a whole number and one unit. */
enum status value_parse_duration(const char *text, int64_t *duration_ms, struct error *error);

/* "90m", "7d": the largest unit up to days that divides it. Returns `text`. */
char *value_format_duration(int64_t duration_ms, char text[24]);

/* "512KB", "64MB", "1GB": a whole number and one unit, of which each is a thousand of the one
 * before. */
enum status value_parse_bytes(const char *text, size_t *bytes, struct error *error);

/* "64MB": the largest unit that divides it. Returns `text`. */
char *value_format_bytes(size_t bytes, char text[24]);

/* A candle interval: 5m, 15m, 30m, 1h, 2h, 4h, 8h, 12h, 1d. */
enum status value_parse_interval(const char *text, int64_t *interval_ms, struct error *error);

/* The shortest interval that is longer than `interval_ms`; 0 if there is none. */
int64_t value_next_interval(int64_t interval_ms);

/* A positive price step: "100", "0.0001". */
enum status value_parse_bucket(const char *text, int64_t *bucket_e8, struct error *error);

/* Upper-case letters, digits, '_', '-' and characters of other scripts that can be seen, 1 to 20 of
 * them; before them may stand the exchange that it is of, or ALL, and a colon
 * (config/exchange_list.h). */
bool value_is_symbol(const char *text, size_t size);

/* How a symbol is written that is given in another form, as BTCUSDT is for "btcusdt", "BTC/USDT"
 * and "btc/usdt:usdt"; false if there is none, or `text` is a symbol. */
bool value_guess_symbol(struct slice text, char symbol[SYMBOL_SIZE]);

/* The name behind the prefix, if there is one. */
const char *value_symbol_name(const char *symbol);

/* Copies a symbol, with a terminator. The message names the symbol that may be meant. */
enum status value_parse_symbol(struct slice text, char symbol[SYMBOL_SIZE], struct error *error);

/* `index` is a table of places by hash, if there is one (`is_indexed`). */
struct symbol_list {
    size_t count;
    char names[SYMBOLS_MAX][SYMBOL_SIZE]; /* in the order given, each once */
    bool is_indexed;
    uint16_t index[2 * SYMBOLS_MAX]; /* a place + 1; 0: free */
};

/* "BTCUSDT,ETHUSDT"; blanks around a name are allowed. */
enum status value_parse_symbols(const char *text, struct symbol_list *list, struct error *error);

/* Appends the first names, some twenty, and how many more there are: for messages to people. */
void symbol_list_append_some(struct buffer *out, const struct symbol_list *list);

/* Place of a symbol, or -1. `name` need not be terminated. */
int symbol_list_find(const struct symbol_list *list, const char *name, size_t size);

struct bucket_map {
    size_t count;
    struct {
        char symbol[SYMBOL_SIZE];
        int64_t bucket_e8;
    } entries[SYMBOLS_MAX];
};

/* "BTCUSDT:100,ETHUSDT:5"; empty for none. */
enum status value_parse_buckets(const char *text, struct bucket_map *map, struct error *error);

/* The configured bucket of a symbol, or 0. */
int64_t bucket_map_find(const struct bucket_map *map, const char *symbol);

struct leverage_weights {
    size_t count;
    struct {
        int leverage;  /* 1 to LEVERAGE_MAX */
        double weight; /* share of a position's volume, 0 to 1; all of them sum to 1 */
    } tiers[TIERS_MAX];
};

/* Groups of tiers by leverage; a bit each. */
enum tier_group { TIERS_LOW = 1, TIERS_MEDIUM = 2, TIERS_HIGH = 4 };
#define TIERS_ALL (TIERS_LOW | TIERS_MEDIUM | TIERS_HIGH)
#define TIERS_MEDIUM_FROM 20 /* the least leverage of a group */
#define TIERS_HIGH_FROM 50

enum tier_group tier_group_of(int leverage);

/* "high", "high,low": the bits of those that are named. */
enum status value_parse_tier_groups(const char *text, unsigned *groups, struct error *error);

/* The same back, in one order: "low,medium,high". Returns `text`. */
#define TIER_GROUPS_SIZE 24
char *value_format_tier_groups(unsigned groups, char text[TIER_GROUPS_SIZE]);

#define LEVERAGE_WEIGHTS_DEFAULT "5:15,10:30,25:25,50:20,100:10"

/* "5:15,10:30,25:25": leverage:weight, normalised by the weights' sum. */
enum status value_parse_weights(const char *text, struct leverage_weights *weights,
                                struct error *error);

#define LISTEN_HOST_SIZE 64

struct listen_address {
    char host[LISTEN_HOST_SIZE]; /* a numeric IPv4 or IPv6 address, without brackets */
    int port;                    /* 0: the system picks one */
};

/* "127.0.0.1:8000", "[::1]:8000", ":8000" and "8000" (all addresses), "localhost:8000". */
enum status value_parse_address(const char *text, struct listen_address *address,
                                struct error *error);

#endif
