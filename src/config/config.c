/* One row a setting. A parser turns text into the field, and a wrong value into a sentence that
 * says what is allowed; nothing else in the program knows the names of settings. */
#include "config/config.h"

#include "base/check.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct setting {
    const char *name;          /* the environment variable */
    const char *default_text;  /* parsed like a value of the user's; "" may mean none */
    const char *shown_default; /* where the text does not say it, or NULL */
    const char *placeholder;   /* what `--help` shows behind the flag */
    const char *meaning;
    enum status (*parse)(struct config *config, const char *text, struct error *error);
};

enum { WORKERS_MAX = 256, CONNECTIONS_MAX = 10000000 };

static enum status parse_bool(const char *text, bool *value, struct error *error)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < 4; i++)
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *value = strcasecmp(text, yes[i]) == 0;
            return STATUS_OK;
        }
    return error_set(error, STATUS_INVALID, "'%.60s' is neither true nor false", text);
}

static enum status parse_int(const char *text, int low, int high, int *value, struct error *error)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < low ||
        number > high)
        return error_set(error, STATUS_INVALID, "'%.60s' is not a whole number from %d to %d", text,
                         low, high);
    *value = (int)number;
    return STATUS_OK;
}

static enum status parse_seconds(const char *text, double low, double high, double *value,
                                 struct error *error)
{
    /* strtod() knows more forms than people expect: hexadecimal, "nan", blanks before it. */
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || text[strspn(text, "0123456789.eE+-")] != '\0' ||
        !isfinite(number) || number < low || number > high)
        return error_set(error, STATUS_INVALID, "'%.60s' is not a number of seconds from %g to %g",
                         text, low, high);
    *value = number;
    return STATUS_OK;
}

static enum status copy_text(const char *text, char *field, size_t field_size, struct error *error)
{
    if (strlen(text) >= field_size)
        return error_set(error, STATUS_INVALID, "'%.60s...' is longer than %zu characters", text,
                         field_size - 1);
    strcpy(field, text);
    return STATUS_OK;
}

static enum status set_ws_enabled(struct config *config, const char *text, struct error *error)
{
    return parse_bool(text, &config->ws_enabled, error);
}

static enum status set_update_interval(struct config *config, const char *text, struct error *error)
{
    return parse_seconds(text, 0.1, 3600, &config->ws_update_interval_seconds, error);
}

static enum status set_max_connections(struct config *config, const char *text, struct error *error)
{
    return parse_int(text, 1, CONNECTIONS_MAX, &config->ws_max_connections, error);
}

static enum status set_max_per_ip(struct config *config, const char *text, struct error *error)
{
    return parse_int(text, 0, CONNECTIONS_MAX, &config->ws_max_connections_per_ip, error);
}

static enum status set_slow_timeout(struct config *config, const char *text, struct error *error)
{
    return parse_seconds(text, 0.05, 600, &config->ws_slow_consumer_timeout_seconds, error);
}

static enum status set_slow_disconnect(struct config *config, const char *text, struct error *error)
{
    return parse_seconds(text, 1, 3600, &config->ws_slow_consumer_disconnect_seconds, error);
}

/* As browsers send it: scheme://host[:port], and nothing behind it (RFC 6454 §6.2). */
static bool is_origin(const char *text, size_t size)
{
    const char *mark = memmem(text, size, "://", 3), *end = text + size;
    return mark != NULL && mark > text && mark + 3 < end &&
           memchr(mark + 3, '/', (size_t)(end - mark - 3)) == NULL;
}

static enum status set_origins(struct config *config, const char *text, struct error *error)
{
    const char *item = strcmp(text, "*") != 0 ? text : "";
    for (item += strspn(item, ", "); *item != '\0'; item += strspn(item, ", ")) {
        size_t size = strcspn(item, ", ");
        if (!is_origin(item, size))
            return error_set(error, STATUS_INVALID,
                             "'%.*s' is not an origin (https://a.example or http://b.example:8080, "
                             "without a path), and * stands alone",
                             (int)(size < 60 ? size : 60), item);
        item += size;
    }
    return copy_text(text, config->ws_allowed_origins, sizeof config->ws_allowed_origins, error);
}

static enum status set_listen(struct config *config, const char *text, struct error *error)
{
    return value_parse_address(text, &config->listen, error);
}

static enum status set_tls_cert(struct config *config, const char *text, struct error *error)
{
    return copy_text(text, config->tls_cert, sizeof config->tls_cert, error);
}

static enum status set_tls_key(struct config *config, const char *text, struct error *error)
{
    return copy_text(text, config->tls_key, sizeof config->tls_key, error);
}

static enum status set_workers(struct config *config, const char *text, struct error *error)
{
    if (text[0] != '\0')
        return parse_int(text, 1, WORKERS_MAX, &config->workers, error);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    config->workers = cores < 1 ? 1 : cores > WORKERS_MAX ? WORKERS_MAX : (int)cores;
    return STATUS_OK;
}

static enum status set_duckdb_path(struct config *config, const char *text, struct error *error)
{
    if (text[0] == '\0')
        return error_set(error, STATUS_INVALID, "'' is not the path of a file");
    return copy_text(text, config->duckdb_path, sizeof config->duckdb_path, error);
}

static enum status set_symbols(struct config *config, const char *text, struct error *error)
{
    return value_parse_symbols(text, &config->symbols, error);
}

static enum status set_lookback(struct config *config, const char *text, struct error *error)
{
    enum status status = value_parse_duration(text, &config->heatmap_lookback_ms, error);
    if (status == STATUS_OK && config->heatmap_lookback_ms < CANDLE_MS)
        return error_set(error, STATUS_INVALID, "'%s' is shorter than one candle (5m)", text);
    return status;
}

static enum status set_buckets(struct config *config, const char *text, struct error *error)
{
    return value_parse_buckets(text, &config->heatmap_buckets, error);
}

static enum status set_weights(struct config *config, const char *text, struct error *error)
{
    return value_parse_weights(text, &config->heatmap_weights, error);
}

static enum status set_redis_enabled(struct config *config, const char *text, struct error *error)
{
    return parse_bool(text, &config->redis_enabled, error);
}

static enum status set_redis_url(struct config *config, const char *text, struct error *error)
{
    return redis_url_parse(text, &config->redis_url, error);
}

/* The prefix stands in a pattern (PSUBSCRIBE), where * and ? would mean more than themselves. */
static enum status set_channel_prefix(struct config *config, const char *text, struct error *error)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (strchr(letters, text[i]) == NULL && strchr(":._-{}", text[i]) == NULL)
            size = 0;
    if (size == 0 || size >= CHANNEL_PREFIX_SIZE)
        return error_set(error, STATUS_INVALID,
                         "'%.60s' is not a channel prefix (1 to %d letters, digits and :._-{})",
                         text, CHANNEL_PREFIX_SIZE - 1);
    return copy_text(text, config->redis_channel_prefix, CHANNEL_PREFIX_SIZE, error);
}

static enum status set_cluster_role(struct config *config, const char *text, struct error *error)
{
    static const char *const names[] = {
        [CLUSTER_AUTO] = "auto", [CLUSTER_GENERATOR] = "generator", [CLUSTER_RELAY] = "relay"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(text, names[i]) == 0) {
            config->cluster_role = (enum cluster_role)i;
            return STATUS_OK;
        }
    return error_set(error, STATUS_INVALID, "'%.60s' is not auto, generator or relay", text);
}

static enum status set_trusted_proxies(struct config *config, const char *text, struct error *error)
{
    return network_list_parse(text, &config->trusted_proxies, error);
}

static enum status set_log_level(struct config *config, const char *text, struct error *error)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (size_t i = 0; i < 4; i++)
        if (strcasecmp(text, names[i]) == 0) {
            config->log_level = (enum log_level)i;
            return STATUS_OK;
        }
    return error_set(error, STATUS_INVALID, "'%.60s' is not debug, info, warn or error", text);
}

static enum status set_log_format(struct config *config, const char *text, struct error *error)
{
    bool is_json = strcasecmp(text, "json") == 0;
    if (!is_json && strcasecmp(text, "text") != 0)
        return error_set(error, STATUS_INVALID, "'%.60s' is neither text nor json", text);
    config->log_format = is_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
    return STATUS_OK;
}

static const struct setting settings[] = {
    {"WS_ENABLED", "true", NULL, "BOOL", "the WebSocket endpoint and its generator",
     set_ws_enabled},
    {"WS_UPDATE_INTERVAL", "5", NULL, "SECONDS", "seconds between ticks (0.1 to 3600)",
     set_update_interval},
    {"WS_MAX_CONNECTIONS", "1000", NULL, "N",
     "WebSocket connections of this process; the open-file limit is raised to fit",
     set_max_connections},
    {"WS_MAX_CONNECTIONS_PER_IP", "0", NULL, "N",
     "WebSocket connections from one address (IPv6: one /64 network); 0: no such limit",
     set_max_per_ip},
    {"WS_SLOW_CONSUMER_TIMEOUT", "1.0", NULL, "SECONDS",
     "a snapshot not taken whole for so long makes its subscriber slow", set_slow_timeout},
    {"WS_SLOW_CONSUMER_DISCONNECT", "60", NULL, "SECONDS",
     "a client that takes nothing at all for so long is closed", set_slow_disconnect},
    {"WS_ALLOWED_ORIGINS", "", "same origin", "LIST",
     "origins whose pages may connect (https://a.example,https://b.example), or *", set_origins},
    {"LISTEN", "127.0.0.1:8000", NULL, "ADDRESS:PORT",
     "address and port; port 0 picks a free one and prints it", set_listen},
    {"TLS_CERT", "", "none", "PATH",
     "PEM file of the certificate and its chain, for https:// and wss://; SIGHUP loads it again",
     set_tls_cert},
    {"TLS_KEY", "", "none", "PATH", "PEM file of its private key", set_tls_key},
    {"WORKERS", "", "one per core", "N", "worker loops", set_workers},
    {"DUCKDB_PATH", "data/heatcast.duckdb", NULL, "PATH", "the database (also --db)",
     set_duckdb_path},
    {"SYMBOLS", "BTCUSDT,ETHUSDT", NULL, "LIST", "the symbols that are served", set_symbols},
    {"HEATMAP_LOOKBACK", "7d", NULL, "DURATION",
     "how far back positions are followed; 15m is the narrowest useful", set_lookback},
    {"HEATMAP_BUCKET", "", "chosen from the price", "LIST",
     "price step of the levels by symbol: BTCUSDT:100,ETHUSDT:5", set_buckets},
    {"HEATMAP_LEVERAGE_WEIGHTS", LEVERAGE_WEIGHTS_DEFAULT, NULL, "LIST",
     "how new positions spread over leverages, leverage:weight", set_weights},
    {"REDIS_ENABLED", "false", NULL, "BOOL",
     "several servers: share one generator's snapshots through Redis", set_redis_enabled},
    {"REDIS_URL", REDIS_URL_DEFAULT, NULL, "URL",
     "redis://[[user]:password@]host[:port][/database]", set_redis_url},
    {"REDIS_CHANNEL_PREFIX", "heatmap", NULL, "TEXT",
     "channels are PREFIX:SYMBOL, keys begin with PREFIX: too", set_channel_prefix},
    {"CLUSTER_ROLE", "auto", NULL, "ROLE",
     "auto (one of the servers generates, elected), generator, or relay (needs no database)",
     set_cluster_role},
    {"TRUSTED_PROXIES", "", "none", "LIST",
     "proxies whose X-Forwarded-For tells the client's address (127.0.0.1,10.0.0.0/8)",
     set_trusted_proxies},
    {"LOG_LEVEL", "info", NULL, "LEVEL", "debug, info, warn or error", set_log_level},
    {"LOG_FORMAT", "text", NULL, "FORMAT", "text (key=value) or json", set_log_format},
};

enum { SETTING_COUNT = sizeof settings / sizeof settings[0] };
_Static_assert(SETTING_COUNT <= SETTINGS_MAX, "struct config_origin is too small");

/* "WS_UPDATE_INTERVAL" as a flag is "ws-update-interval". */
static void flag_name(const char *name, char flag[64])
{
    size_t i = 0;
    for (; i < 63 && name[i] != '\0'; i++)
        flag[i] = name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
    flag[i] = '\0';
}

static int find_flag(const char *flag)
{
    if (strcmp(flag, "db") == 0)
        flag = "duckdb-path";
    for (int i = 0; i < SETTING_COUNT; i++) {
        char name[64];
        flag_name(settings[i].name, name);
        if (strcmp(name, flag) == 0)
            return i;
    }
    return -1;
}

static enum status set(struct config *config, struct config_origin *origin, int index,
                       const char *text, enum setting_source source, struct error *error)
{
    enum status status = settings[index].parse(config, text, error);
    if (status != STATUS_OK)
        return status;
    origin->source[index] = source;
    free(origin->text[index]);
    origin->text[index] = source != SETTING_DEFAULT ? memory_copy_string(text) : NULL;
    return STATUS_OK;
}

enum status config_load(struct config *config, struct config_origin *origin,
                        const char *(*environment)(const char *name), struct error *error)
{
    *config = (struct config){0};
    *origin = (struct config_origin){0};
    for (int i = 0; i < SETTING_COUNT; i++) {
        enum status status =
            set(config, origin, i, settings[i].default_text, SETTING_DEFAULT, error);
        check(status == STATUS_OK);
        const char *text = environment(settings[i].name);
        /* An empty variable is how shells and compose files say "not set". */
        if (text == NULL || text[0] == '\0')
            continue;
        status = set(config, origin, i, text, SETTING_ENVIRONMENT, error);
        if (status != STATUS_OK) {
            error_prefix(error, "%s", settings[i].name);
            return status;
        }
    }
    return STATUS_OK;
}

enum status config_check(const struct config *config, struct error *error)
{
    bool has_cert = config->tls_cert[0] != '\0', has_key = config->tls_key[0] != '\0';
    if (has_cert != has_key)
        return error_set(error, STATUS_INVALID,
                         "%s is set and %s is not: TLS needs both, a certificate and its key",
                         has_cert ? "TLS_CERT" : "TLS_KEY", has_cert ? "TLS_KEY" : "TLS_CERT");
    return STATUS_OK;
}

bool config_is_flag(const char *flag, bool *is_switch)
{
    int index = find_flag(flag);
    *is_switch = index >= 0 && (settings[index].parse == set_ws_enabled ||
                                settings[index].parse == set_redis_enabled);
    return index >= 0;
}

enum status config_set_flag(struct config *config, struct config_origin *origin, const char *flag,
                            const char *value, struct error *error)
{
    int index = find_flag(flag);
    if (index < 0)
        return error_set(error, STATUS_NOT_FOUND, "there is no option --%.60s", flag);
    enum status status = set(config, origin, index, value, SETTING_FLAG, error);
    if (status != STATUS_OK)
        error_prefix(error, "--%s", flag);
    return status;
}

bool config_is_given(const struct config_origin *origin, const char *name)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        if (strcmp(settings[i].name, name) == 0)
            return origin->source[i] != SETTING_DEFAULT;
    check(!"a setting that is not in the table");
    return false;
}

static const char *shown_default(const struct setting *setting)
{
    return setting->shown_default != NULL ? setting->shown_default : setting->default_text;
}

void config_append_table(struct buffer *out, const struct config *config,
                         const struct config_origin *origin)
{
    static const char *const sources[] = {"default", "environment", "flag"};
    buffer_append_format(out, "%-28s %-32s %-12s %-30s %s\n", "SETTING", "VALUE", "FROM", "DEFAULT",
                         "MEANING");
    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *value = origin->text[i] != NULL ? origin->text[i] : shown_default(&settings[i]);
        char workers[16], url[REDIS_URL_TEXT_SIZE];
        if (settings[i].parse == set_workers) {
            snprintf(workers, sizeof workers, "%d", config->workers);
            value = workers;
        } else if (settings[i].parse == set_redis_url) {
            value = redis_url_format(&config->redis_url, url); /* without the password */
        }
        buffer_append_format(out, "%-28s %-32s %-12s %-30s %s\n", settings[i].name, value,
                             sources[origin->source[i]], shown_default(&settings[i]),
                             settings[i].meaning);
    }
}

void config_append_help(struct buffer *out)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        char flag[64], left[96];
        flag_name(settings[i].name, flag);
        snprintf(left, sizeof left, "--%s %s", flag, settings[i].placeholder);
        buffer_append_format(out, "  %-40s %s [%s]\n", left, settings[i].meaning,
                             shown_default(&settings[i]));
    }
}

void config_append_markdown(struct buffer *out)
{
    buffer_append_text(out, "| setting | default | meaning |\n|---|---|---|\n");
    for (int i = 0; i < SETTING_COUNT; i++)
        buffer_append_format(out, "| `%s` | %s | %s |\n", settings[i].name,
                             shown_default(&settings[i]), settings[i].meaning);
}

void config_origin_deinit(struct config_origin *origin)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        free(origin->text[i]);
    *origin = (struct config_origin){0};
}
