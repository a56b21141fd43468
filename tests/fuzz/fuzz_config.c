/* Settings are typed by people, and the query of a URL reaches the same parsers. The input is one
 * value, given to every setting and every parser of values: what is accepted must lie within its
 * bounds, and what is refused must say why in one line. */
#include "fuzz.h"

#include "base/decimal.h"
#include "config/config.h"

#include <arpa/inet.h>
#include <math.h>

static const char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

/* -- what an accepted value may be ------------------------------------------------------------- */

static bool is_within(double value, double low, double high)
{
    return value >= low && value <= high; /* false for "not a number", too */
}

static void check_symbols(const struct symbol_list *list)
{
    check(list->count >= 1 && list->count <= SYMBOLS_MAX);
    for (size_t i = 0; i < list->count; i++) {
        size_t size = strnlen(list->names[i], SYMBOL_SIZE);
        check(value_is_symbol(list->names[i], size));
        check(symbol_list_find(list, list->names[i], size) == (int)i);
    }
}

static void check_buckets(const struct bucket_map *map)
{
    check(map->count <= SYMBOLS_MAX);
    for (size_t i = 0; i < map->count; i++) {
        const char *symbol = map->entries[i].symbol;
        check(value_is_symbol(symbol, strnlen(symbol, SYMBOL_SIZE)));
        check(map->entries[i].bucket_e8 > 0);
        check(bucket_map_find(map, symbol) == map->entries[i].bucket_e8);
    }
}

static void check_weights(const struct leverage_weights *weights)
{
    double sum = 0;
    check(weights->count >= 1 && weights->count <= TIERS_MAX);
    for (size_t i = 0; i < weights->count; i++) {
        check(weights->tiers[i].leverage >= 1 && weights->tiers[i].leverage <= LEVERAGE_MAX);
        check(is_within(weights->tiers[i].weight, 0, 1));
        sum += weights->tiers[i].weight;
        for (size_t j = 0; j < i; j++)
            check(weights->tiers[i].leverage != weights->tiers[j].leverage);
    }
    check(fabs(sum - 1) < 1e-9);
}

static void check_address(const struct listen_address *address)
{
    struct in6_addr parsed;
    check(memchr(address->host, '\0', sizeof address->host) != NULL);
    check(inet_pton(AF_INET, address->host, &parsed) == 1 ||
          inet_pton(AF_INET6, address->host, &parsed) == 1);
    check(address->port >= 0 && address->port <= 65535);
}

static void check_duration(int64_t duration_ms)
{
    char text[24];
    int64_t again_ms = 0;
    check(duration_ms >= 1000 && duration_ms <= WINDOW_MAX_MS);
    check(value_parse_duration(value_format_duration(duration_ms, text), &again_ms, NULL) ==
          STATUS_OK);
    check(again_ms == duration_ms);
}

static void check_config(const struct config *config)
{
    check(is_within(config->ws_update_interval_seconds, 0.1, 3600));
    check(config->ws_max_connections >= 1 && config->ws_max_connections <= 10000000);
    check(config->ws_max_connections_per_ip >= 0 && config->ws_max_connections_per_ip <= 10000000);
    check(is_within(config->ws_slow_consumer_timeout_seconds, 0.05, 600));
    check(is_within(config->ws_slow_consumer_disconnect_seconds, 1, 3600));
    check(strnlen(config->ws_allowed_origins, ORIGINS_SIZE) < ORIGINS_SIZE);
    check_address(&config->listen);
    check(config->workers >= 1 && config->workers <= 256);
    check(
        is_within((double)strnlen(config->duckdb_path, CONFIG_PATH_SIZE), 1, CONFIG_PATH_SIZE - 1));
    check_symbols(&config->symbols);
    check_duration(config->heatmap_lookback_ms);
    check(config->heatmap_lookback_ms >= CANDLE_MS);
    check_buckets(&config->heatmap_buckets);
    check_weights(&config->heatmap_weights);
    check(is_within(config->question_seconds_max, 0.1, 3600));
    check(config->question_candles_max >= 300 && config->question_candles_max <= 100000000);
    check(is_within((double)config->question_memory_max, 1e6, 1e12));
    check(is_within((double)config->answer_bytes_max, 1e6, 1e12));
    check(config->redis_url.port >= 1 && config->redis_url.port <= 65535);
    check(config->redis_url.host[0] != '\0');
    check(is_within((double)strnlen(config->redis_channel_prefix, CHANNEL_PREFIX_SIZE), 1,
                    CHANNEL_PREFIX_SIZE - 1));
    check(config->cluster_role >= CLUSTER_AUTO && config->cluster_role <= CLUSTER_RELAY);
    check(config->trusted_proxies.count <= NETWORKS_MAX);
    check(config->log_level >= LOG_DEBUG && config->log_level <= LOG_ERROR);
    check(config->log_format == LOG_FORMAT_TEXT || config->log_format == LOG_FORMAT_JSON);
}

/* -- the value given to everything ------------------------------------------------------------- */

static char flags[SETTINGS_MAX][64];
static size_t flag_count;

/* The flags are those of `--help`, so that a new setting is fuzzed without a change here. */
static void find_flags(void)
{
    struct buffer help = {0};
    config_append_help(&help);
    for (const char *line = buffer_text(&help); *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *start = strstr(line, "--");
        check(start != NULL && flag_count < SETTINGS_MAX);
        size_t size = strcspn(start + 2, " \n");
        check(size > 0 && size < sizeof flags[0]);
        memcpy(flags[flag_count], start + 2, size);
        bool is_switch;
        check(config_is_flag(flags[flag_count++], &is_switch));
    }
    buffer_deinit(&help);
}

/* Those that take the text, all at once. */
static void set_every_flag(const char *text)
{
    static struct config initial, config; /* large */
    struct config_origin origin;
    struct error error;
    struct buffer table = {0};
    check(config_load(&config, &origin, no_environment, &error) == STATUS_OK);
    for (size_t i = 0; i < flag_count; i++) {
        initial = config;
        enum status status = config_set_flag(&config, &origin, flags[i], text, &error);
        if (status == STATUS_OK) {
            check_config(&config);
        } else {
            fuzz_check_refusal(status, &error);
            config = initial; /* a field may be filled in part */
        }
    }
    config_append_table(&table, &config, &origin);
    config_check(&config, NULL);
    buffer_deinit(&table);
    config_origin_deinit(&origin);
}

static void expect(enum status status, const struct error *error, bool is_right)
{
    if (status == STATUS_OK)
        check(is_right);
    else
        fuzz_check_refusal(status, error);
}

static void parse_every_value(const char *text)
{
    struct error error;
    int64_t value = 0;
    enum status status = value_parse_duration(text, &value, &error);
    expect(status, &error, value > 0);
    if (status == STATUS_OK)
        check_duration(value);
    status = value_parse_interval(text, &value, &error);
    expect(status, &error, value % CANDLE_MS == 0 && value > 0 && value <= DAY_MS);
    status = value_parse_bucket(text, &value, &error);
    expect(status, &error, value > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = memory_allocate(size + 1);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (flag_count == 0)
        find_flags();
    set_every_flag(text);
    parse_every_value(text);
    free(text);
    return 0;
}
