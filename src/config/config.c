/* The table of settings, and what is made from it: the environment and flags are read into struct
 * config, and `--help`, `heatcast config` and the README's table are written. A setting is one row:
 * name, type with its bounds and field, default, meaning. The functions below treat all rows alike;
 * how a type is parsed and shown is in setting.c.
 *
 * The macros write the type, the bounds and the field of a row. _Generic makes the compiler refuse
 * a field whose C type is not the one that the setting's type fills. The field comes last, so that
 * the row continues with the default. */
#include "config/config.h"

#include "base/check.h"
#include "config/setting.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { FETCH_FILES_LIMIT = 32 };
enum { WORKERS_MAX = 256, CONNECTIONS_MAX = 10000000, FLAG_SIZE = 64 };
enum { CANDLES_MIN = 300, CANDLES_MAX = 100000000 }; /* of one question */
#define RETENTION_MARGIN_MS DAY_MS /* so that the oldest candle of a window is always there */
#define BYTES_MIN ((size_t)1000000)
#define BYTES_MAX ((size_t)1000000000000)

#define FIELD(c_type, member)                                                                      \
    .offset = _Generic(((struct config *)NULL)->member, c_type : offsetof(struct config, member))
#define TEXT_FIELD(member) .text_size = sizeof((struct config *)NULL)->member, FIELD(char *, member)

#define BOOL(member) .type = SETTING_BOOL, FIELD(bool, member)
#define WHOLE(member, low, high) .type = SETTING_WHOLE, .whole = {low, high}, FIELD(int, member)
#define CORES(member, low, high) .type = SETTING_CORES, .whole = {low, high}, FIELD(int, member)
#define SECONDS(member, low, high)                                                                 \
    .type = SETTING_SECONDS, .seconds = {low, high}, FIELD(double, member)
#define SHARE(member) .type = SETTING_SHARE, FIELD(double, member)
#define DURATION(member, low_ms, low_meaning)                                                      \
    .type = SETTING_DURATION, .duration = {low_ms, low_meaning}, FIELD(int64_t, member)
#define AGE(member, low_ms, low_meaning)                                                           \
    .type = SETTING_DURATION, .duration = {low_ms, low_meaning, true}, FIELD(int64_t, member)
#define BYTES(member, low, high) .type = SETTING_BYTES, .bytes = {low, high}, FIELD(size_t, member)
#define CHOICE(member, shown, list)                                                                \
    .type = SETTING_CHOICE, .choice = {shown, list}, FIELD(unsigned, member)
#define PATH(member) .type = SETTING_PATH, TEXT_FIELD(member)
#define HOSTS(member) .type = SETTING_HOSTS, TEXT_FIELD(member)
#define ORIGINS(member) .type = SETTING_ORIGINS, TEXT_FIELD(member)
#define CHANNEL(member) .type = SETTING_CHANNEL, TEXT_FIELD(member)
#define ADDRESS(member) .type = SETTING_ADDRESS, FIELD(struct listen_address, member)
#define SYMBOLS(member) .type = SETTING_SYMBOLS, FIELD(struct symbol_list, member)
#define BUCKETS(member) .type = SETTING_BUCKETS, FIELD(struct bucket_map, member)
#define WEIGHTS(member) .type = SETTING_WEIGHTS, FIELD(struct leverage_weights, member)
#define NETWORKS(member) .type = SETTING_NETWORKS, FIELD(struct network_list, member)
#define EXCHANGE_LIST(member) .type = SETTING_EXCHANGES, FIELD(struct exchange_list, member)
#define URL(member, list) .type = SETTING_URL, .url = {list}, TEXT_FIELD(member)
#define REDIS(member) .type = SETTING_REDIS_URL, FIELD(struct redis_url, member)

static const char *const cluster_roles[] = {
    [CLUSTER_AUTO] = "auto", [CLUSTER_GENERATOR] = "generator", [CLUSTER_RELAY] = "relay", NULL};
static const char *const log_levels[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error", NULL};
static const char *const log_formats[] = {
    [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json", NULL};

static const char *const rest_schemes[] = {"https", "http", NULL};
static const char *const ws_schemes[] = {"wss", "ws", NULL};

/* Their names, each after a comma; the first comma is passed over. */
#define LISTED(id, name, rest, websocket) "," #name
#define EXCHANGES_DEFAULT (&EXCHANGES(LISTED)[1])

#define EXCHANGE_ADDRESSES(id, name, rest, websocket)                                              \
    {#id "_REST_URL", URL(exchange_rest_urls[EXCHANGE_##id], rest_schemes), rest, NULL,            \
     "what " #name " is asked: its base address, or that of a proxy before it"},                   \
        {#id "_WS_URL", URL(exchange_ws_urls[EXCHANGE_##id], ws_schemes), websocket, NULL,         \
         "the same for its WebSockets"},

static const struct setting settings[] = {
    {"WS_ENABLED", BOOL(ws_enabled), "true", NULL, "the WebSocket endpoint and its generator"},
    {"WS_UPDATE_INTERVAL", SECONDS(ws_update_interval_seconds, 0.1, 3600), "5", NULL,
     "seconds between ticks (0.1 to 3600)"},
    {"LIVE_UPDATE_INTERVAL", SECONDS(live_update_interval_seconds, 0, 3600), "1", NULL,
     "least seconds between two snapshots of a candle that still forms, where a source in this "
     "process feeds it"},
    {"WS_MAX_CONNECTIONS", WHOLE(ws_max_connections, 1, CONNECTIONS_MAX), "1000", NULL,
     "WebSocket connections of this process; the open-file limit is raised to fit"},
    {"WS_MAX_CONNECTIONS_PER_IP", WHOLE(ws_max_connections_per_ip, 0, CONNECTIONS_MAX), "0", NULL,
     "WebSocket connections from one address (IPv6: one /64 network); 0: no such limit"},
    {"CONNECTIONS_PER_IP", WHOLE(connections_per_ip, 0, CONNECTIONS_MAX), "0", NULL,
     "connections from one address, HTTP and WebSockets together; 0: WS_MAX_CONNECTIONS and 512"},
    {"WS_MAX_QUEUE_SIZE", WHOLE(ws_max_queue_size, 0, CONNECTIONS_MAX), "0", NULL,
     "of no effect: there is no queue, a client that falls behind gets the newest snapshot"},
    {"WS_SLOW_CONSUMER_TIMEOUT", SECONDS(ws_slow_consumer_timeout_seconds, 0.05, 600), "1.0", NULL,
     "seconds after which a client that has not taken a whole snapshot is slow"},
    {"WS_SLOW_CONSUMER_DISCONNECT", SECONDS(ws_slow_consumer_disconnect_seconds, 1, 3600), "60",
     NULL, "seconds after which a client that takes nothing at all is disconnected"},
    {"WS_ALLOWED_ORIGINS", ORIGINS(ws_allowed_origins), "", "same origin",
     "origins whose pages may connect (https://a.example,https://*.b.example,null,file://), or *"},
    {"SHUTDOWN_DELAY", SECONDS(shutdown_delay_seconds, 0, 3600), "0", NULL,
     "seconds between SIGTERM, when /readyz turns 503, and the stop, for load balancers to notice"},
    {"LISTEN", ADDRESS(listen), "127.0.0.1:8000", NULL,
     "address and port; port 0 picks a free one and prints it"},
    {"ALLOWED_HOSTS", HOSTS(allowed_hosts), "", "local names on 127.0.0.1 and ::1, else all",
     "names that this server answers for (a.example,*.b.example:8000), besides addresses; or *"},
    {"TLS_CERT", PATH(tls_cert), "", "none",
     "PEM file of the certificate and its chain, for https:// and wss://; SIGHUP loads it again"},
    {"TLS_KEY", PATH(tls_key), "", "none", "PEM file of its private key"},
    {"WORKERS", CORES(workers, 1, WORKERS_MAX), "", "one per processor",
     "worker loops; by default as many as the affinity and the CPU quota allow"},
    {"DUCKDB_PATH", .short_flag = "db", PATH(duckdb_path), "data/heatcast.duckdb", NULL,
     "the database (also --db)"},
    {"SYMBOLS", SYMBOLS(symbols), "BTCUSDT,ETHUSDT", NULL, "the symbols that are served"},
    {"HEATMAP_LOOKBACK", DURATION(heatmap_lookback_ms, CANDLE_MS, "one candle (5m)"), "7d", NULL,
     "how far back positions are followed; 15m is the narrowest useful"},
    {"HEATMAP_BUCKET", BUCKETS(heatmap_buckets), "", "chosen from the price",
     "price step of the levels by symbol: BTCUSDT:100,ETHUSDT:5"},
    {"HEATMAP_LEVERAGE_WEIGHTS", WEIGHTS(heatmap_weights), LEVERAGE_WEIGHTS_DEFAULT, NULL,
     "how new positions are distributed over leverages, leverage:weight"},
    {"HEATMAP_MODEL", CHOICE(heatmap_model, "MODEL", value_model_names), MODEL_DEFAULT, NULL,
     "how the map is made of candles and open interest: survival or reference"},
    {"HEATMAP_TURNOVER", SHARE(heatmap_turnover), "0", NULL,
     "of survival: share of the traded volume that closes old positions and opens new ones (0 to "
     "1)"},
    {"SCORE_EVERY", SECONDS(score_every_seconds, 0, 604800), "3600", NULL,
     "seconds between two scores of a symbol for the metrics, at least; 0: none are made"},
    {"QUESTION_SECONDS_MAX", SECONDS(question_seconds_max, 0.1, 3600), "10", NULL,
     "seconds that making a history, a map or candles may take"},
    {"QUESTION_CANDLES_MAX", WHOLE(question_candles_max, CANDLES_MIN, CANDLES_MAX), "220000", NULL,
     "5-minute candles that one of these may read, in whatever interval; 220,000 are two years"},
    {"QUESTION_MEMORY_MAX", BYTES(question_memory_max, BYTES_MIN, BYTES_MAX), "96MB", NULL,
     "memory that making one of these may take; four are made at a time"},
    {"ANSWER_BYTES_MAX", BYTES(answer_bytes_max, BYTES_MIN, BYTES_MAX), "64MB", NULL,
     "size of one such answer, before compression; part of QUESTION_MEMORY_MAX"},
    {"ANSWERS_MEMORY_MAX", BYTES(answers_memory_max, BYTES_MIN, BYTES_MAX), "192MB", NULL,
     "size of all such answers that are kept or being sent, three quarters of it for one address; "
     "beyond it questions are refused"},
    {"QUESTIONS_PER_IP", WHOLE(questions_per_ip, 1, CONNECTIONS_MAX), "16", NULL,
     "different questions of one address (IPv6: one /64 network) at a time; 64 of all"},
    {"COLLECT_WRITE_SECONDS", SECONDS(collect_write_seconds, 0.5, 60), "3", NULL,
     "seconds between two transactions in which what is collected is written (0.5 to 60)"},
    {"COLLECT_MEMORY_MAX", BYTES(collect_memory_max, BYTES_MIN, BYTES_MAX), "64MB", NULL,
     "memory for what was collected and cannot be written yet; over it the oldest is dropped"},
    {"RETENTION_CANDLES", AGE(retention_candles_ms, DAY_MS, "one day (1d)"), "all", NULL,
     "how long candles and open interest of the collected symbols are kept, as in 2y; or all"},
    {"RETENTION_LIQUIDATIONS", AGE(retention_liquidations_ms, DAY_MS, "one day (1d)"), "all", NULL,
     "how long their liquidations are kept, as in 90d; or all"},
    {"REDIS_ENABLED", BOOL(redis_enabled), "false", NULL,
     "several servers: share one generator's snapshots through Redis"},
    {"REDIS_URL", .is_secret = true, REDIS(redis_url), REDIS_URL_DEFAULT, NULL,
     "redis://[[user]:password@]host[:port][/database]"},
    {"REDIS_CHANNEL_PREFIX", CHANNEL(redis_channel_prefix), "heatmap", NULL,
     "channels are PREFIX:SYMBOL (PREFIX@1:SYMBOL in database 1), keys begin with PREFIX: too"},
    {"CLUSTER_ROLE", CHOICE(cluster_role, "ROLE", cluster_roles), "auto", NULL,
     "auto (one of the servers generates, elected), generator, or relay (needs no database)"},
    {"TRUSTED_PROXIES", NETWORKS(trusted_proxies), "", "none",
     "proxies whose X-Forwarded-For, -Proto, -Host, -Port are believed (127.0.0.1,10.0.0.0/8)"},
    {"LOG_LEVEL", CHOICE(log_level, "LEVEL", log_levels), "info", NULL,
     "debug, info, warn or error"},
    {"LOG_FORMAT", CHOICE(log_format, "FORMAT", log_formats), "text", NULL,
     "text (key=value) or json"},
    {"EXCHANGES", EXCHANGE_LIST(exchanges), EXCHANGES_DEFAULT, NULL,
     "where symbols are traded: BTCUSDT is of the first, ALL:BTCUSDT the sum of all"},
    EXCHANGES(EXCHANGE_ADDRESSES) /* each with its comma */
    {"BINANCE_ARCHIVE_URL", URL(archive_url, rest_schemes), "https://data.binance.vision", NULL,
     "the public archive that `heatcast fetch` reads: its base address, or that of a mirror"},
    {"FETCH_FILES", WHOLE(fetch_files, 1, FETCH_FILES_LIMIT), "6", NULL,
     "files of the archive that are fetched at a time (1 to 32)"},
    {"FETCH_TRIES", WHOLE(fetch_tries, 1, 100), "6", NULL,
     "requests for one file of the archive that may fail before it is given up"},
    {"REQUEST_TIMEOUT", SECONDS(request_timeout_seconds, 1, 3600), "30", NULL,
     "seconds without a byte after which a request to another server is given up"},
    {"CA_FILE", PATH(ca_file), "", "the system's",
     "PEM file of the certificates to trust where heatcast asks other servers"},
};

enum { SETTING_COUNT = sizeof settings / sizeof settings[0] };
_Static_assert(SETTING_COUNT <= SETTINGS_MAX, "struct config_origin is too small");

/* "WS_UPDATE_INTERVAL" as a flag is "ws-update-interval". */
static void flag_name(const char *name, char flag[FLAG_SIZE])
{
    size_t i = 0;
    for (; i < FLAG_SIZE - 1 && name[i] != '\0'; i++)
        flag[i] = name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
    flag[i] = '\0';
}

static int find_flag(const char *flag)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        char name[FLAG_SIZE];
        flag_name(settings[i].name, name);
        const char *short_flag = settings[i].short_flag;
        if (strcmp(name, flag) == 0 || (short_flag != NULL && strcmp(short_flag, flag) == 0))
            return i;
    }
    return -1;
}

static enum status set(struct config *config, struct config_origin *origin, int index,
                       const char *text, enum setting_source source, struct error *error)
{
    enum status status = setting_parse(&settings[index], text, config, error);
    if (status != STATUS_OK)
        return status;
    origin->source[index] = source;
    free(origin->text[index]);
    origin->text[index] = source != SETTING_DEFAULT
                              ? memory_copy_string(setting_text_to_keep(&settings[index], text))
                              : NULL;
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

/* What is configured must be answerable. */
static enum status check_limits(const struct config *config, struct error *error)
{
    int64_t lookback_candles = config->heatmap_lookback_ms / CANDLE_MS + 1;
    if (config->question_candles_max < lookback_candles)
        return error_set(error, STATUS_INVALID,
                         "QUESTION_CANDLES_MAX is %d, and HEATMAP_LOOKBACK alone is %lld candles",
                         config->question_candles_max, (long long)lookback_candles);
    int64_t needed_ms = config->heatmap_lookback_ms + RETENTION_MARGIN_MS;
    char lookback[24], retention[24];
    if (config->retention_candles_ms > 0 && config->retention_candles_ms < needed_ms)
        return error_set(error, STATUS_INVALID,
                         "RETENTION_CANDLES is %s, and the map needs HEATMAP_LOOKBACK (%s) and a "
                         "day more",
                         value_format_duration(config->retention_candles_ms, retention),
                         value_format_duration(config->heatmap_lookback_ms, lookback));
    if (config->answer_bytes_max > config->question_memory_max)
        return error_set(
            error, STATUS_INVALID,
            "ANSWER_BYTES_MAX is more than QUESTION_MEMORY_MAX, of which it is a part");
    return STATUS_OK;
}

enum status config_check(const struct config *config, struct error *error)
{
    bool has_cert = config->tls_cert[0] != '\0', has_key = config->tls_key[0] != '\0';
    if (has_cert != has_key)
        return error_set(error, STATUS_INVALID,
                         "%s is set and %s is not: TLS needs both, a certificate and its key",
                         has_cert ? "TLS_CERT" : "TLS_KEY", has_cert ? "TLS_KEY" : "TLS_CERT");
    return check_limits(config, error);
}

bool config_is_flag(const char *flag, bool *is_switch)
{
    int index = find_flag(flag);
    *is_switch = index >= 0 && setting_is_switch(&settings[index]);
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
    check(false && "a setting that is not in the table");
    return false;
}

void config_append_table(struct buffer *out, const struct config *config,
                         const struct config_origin *origin)
{
    static const char *const sources[] = {[SETTING_DEFAULT] = "default",
                                          [SETTING_ENVIRONMENT] = "environment",
                                          [SETTING_FLAG] = "flag"};
    struct buffer value = {0};
    buffer_append_format(out, "%-28s %-32s %-12s %-30s %s\n", "SETTING", "VALUE", "FROM", "DEFAULT",
                         "MEANING");
    for (int i = 0; i < SETTING_COUNT; i++) {
        buffer_clear(&value);
        setting_append_value(&value, &settings[i], config, origin->text[i]);
        buffer_append_format(out, "%-28s %-32s %-12s %-30s %s\n", settings[i].name,
                             buffer_text(&value), sources[origin->source[i]],
                             setting_shown_default(&settings[i]), settings[i].meaning);
    }
    buffer_deinit(&value);
}

void config_append_help(struct buffer *out)
{
    struct buffer left = {0};
    for (int i = 0; i < SETTING_COUNT; i++) {
        char flag[FLAG_SIZE];
        flag_name(settings[i].name, flag);
        buffer_clear(&left);
        buffer_append_format(&left, "--%s %s", flag, setting_placeholder(&settings[i]));
        buffer_append_format(out, "  %-40s %s [%s]\n", buffer_text(&left), settings[i].meaning,
                             setting_shown_default(&settings[i]));
    }
    buffer_deinit(&left);
}

void config_append_markdown(struct buffer *out)
{
    buffer_append_text(out, "| setting | default | meaning |\n|---|---|---|\n");
    for (int i = 0; i < SETTING_COUNT; i++)
        buffer_append_format(out, "| `%s` | %s | %s |\n", settings[i].name,
                             setting_shown_default(&settings[i]), settings[i].meaning);
}

void config_origin_deinit(struct config_origin *origin)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        free(origin->text[i]);
    *origin = (struct config_origin){0};
}
