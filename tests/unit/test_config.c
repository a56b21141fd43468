/* Settings: every one has a default, is read from the environment, is overruled by its flag, and
 * refuses a wrong value in one line that names the setting, the value and what is allowed. */
#include "config/config.h"

#include "base/check.h"
#include "base/cores.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

/* -- an environment of one variable ------------------------------------------------------------ */

static const char *variable_name, *variable_value;

static const char *environment(const char *name)
{
    return variable_name != NULL && strcmp(name, variable_name) == 0 ? variable_value : NULL;
}

static enum status load(struct config *config, struct config_origin *origin, const char *name,
                        const char *value, struct error *error)
{
    variable_name = name;
    variable_value = value;
    return config_load(config, origin, environment, error);
}

/* -- each setting ------------------------------------------------------------------------------ */

static void show_text(char *out, const char *text)
{
    snprintf(out, 120, "%.119s", text);
}

static void show_ws_enabled(const struct config *config, char *out)
{
    show_text(out, config->ws_enabled ? "true" : "false");
}

static void show_update_interval(const struct config *config, char *out)
{
    snprintf(out, 120, "%g", config->ws_update_interval_seconds);
}

static void show_live_interval(const struct config *config, char *out)
{
    snprintf(out, 120, "%g", config->live_update_interval_seconds);
}

static void show_max_connections(const struct config *config, char *out)
{
    snprintf(out, 120, "%d", config->ws_max_connections);
}

static void show_max_per_ip(const struct config *config, char *out)
{
    snprintf(out, 120, "%d", config->ws_max_connections_per_ip);
}

static void show_max_queue(const struct config *config, char *out)
{
    snprintf(out, 120, "%d", config->ws_max_queue_size);
}

static void show_slow_timeout(const struct config *config, char *out)
{
    snprintf(out, 120, "%g", config->ws_slow_consumer_timeout_seconds);
}

static void show_slow_disconnect(const struct config *config, char *out)
{
    snprintf(out, 120, "%g", config->ws_slow_consumer_disconnect_seconds);
}

static void show_shutdown_delay(const struct config *config, char *out)
{
    snprintf(out, 120, "%g", config->shutdown_delay_seconds);
}

static void show_origins(const struct config *config, char *out)
{
    show_text(out, config->ws_allowed_origins);
}

static void show_hosts(const struct config *config, char *out)
{
    show_text(out, config->allowed_hosts);
}

static void show_listen(const struct config *config, char *out)
{
    snprintf(out, 120, "%s|%d", config->listen.host, config->listen.port);
}

static void show_workers(const struct config *config, char *out)
{
    snprintf(out, 120, "%d", config->workers);
}

static void show_duckdb_path(const struct config *config, char *out)
{
    snprintf(out, 120, "%.100s", config->duckdb_path);
}

static void show_symbols(const struct config *config, char *out)
{
    out[0] = '\0';
    for (size_t i = 0; i < config->symbols.count && i < 4; i++)
        snprintf(out + strlen(out), 120 - strlen(out), "%s ", config->symbols.names[i]);
}

static void show_exchanges(const struct config *config, char *out)
{
    out[0] = '\0';
    for (size_t i = 0; i < config->exchanges.count; i++)
        snprintf(out + strlen(out), 120 - strlen(out), "%s ",
                 exchange_name(config->exchanges.ids[i]));
}

static void show_binance_rest_url(const struct config *config, char *out)
{
    show_text(out, config->exchange_rest_urls[EXCHANGE_BINANCE]);
}

static void show_okx_ws_url(const struct config *config, char *out)
{
    show_text(out, config->exchange_ws_urls[EXCHANGE_OKX]);
}

static void show_binance_ws_url(const struct config *config, char *out)
{
    show_text(out, config->exchange_ws_urls[EXCHANGE_BINANCE]);
}

static void show_archive_url(const struct config *config, char *out)
{
    show_text(out, config->archive_url);
}

static void show_fetch_files(const struct config *config, char *out)
{
    snprintf(out, 120, "%d", config->fetch_files);
}

static void show_fetch_tries(const struct config *config, char *out)
{
    snprintf(out, 120, "%d", config->fetch_tries);
}

static void show_request_timeout(const struct config *config, char *out)
{
    snprintf(out, 120, "%g", config->request_timeout_seconds);
}

static void show_ca_file(const struct config *config, char *out)
{
    show_text(out, config->ca_file);
}

static void show_lookback(const struct config *config, char *out)
{
    snprintf(out, 120, "%lld", (long long)config->heatmap_lookback_ms);
}

static void show_buckets(const struct config *config, char *out)
{
    snprintf(out, 120, "%zu %lld", config->heatmap_buckets.count,
             (long long)bucket_map_find(&config->heatmap_buckets, "BTCUSDT"));
}

static void show_weights(const struct config *config, char *out)
{
    out[0] = '\0';
    for (size_t i = 0; i < config->heatmap_weights.count; i++)
        snprintf(out + strlen(out), 120 - strlen(out), "%d:%g ",
                 config->heatmap_weights.tiers[i].leverage,
                 config->heatmap_weights.tiers[i].weight);
}

static void show_model(const struct config *config, char *out)
{
    snprintf(out, 120, "%s", value_model_names[config->heatmap_model]);
}

static void show_turnover(const struct config *config, char *out)
{
    snprintf(out, 120, "%g", config->heatmap_turnover);
}

static void show_score_every(const struct config *config, char *out)
{
    snprintf(out, 120, "%g", config->score_every_seconds);
}

static void show_question_seconds(const struct config *config, char *out)
{
    snprintf(out, 120, "%g", config->question_seconds_max);
}

static void show_question_candles(const struct config *config, char *out)
{
    snprintf(out, 120, "%d", config->question_candles_max);
}

static void show_question_memory(const struct config *config, char *out)
{
    snprintf(out, 120, "%zu", config->question_memory_max);
}

static void show_answers_memory(const struct config *config, char *out)
{
    snprintf(out, 120, "%zu", config->answers_memory_max);
}

static void show_questions_per_ip(const struct config *config, char *out)
{
    snprintf(out, 120, "%d", config->questions_per_ip);
}

static void show_answer_bytes(const struct config *config, char *out)
{
    snprintf(out, 120, "%zu", config->answer_bytes_max);
}

static void show_write_seconds(const struct config *config, char *out)
{
    snprintf(out, 120, "%g", config->collect_write_seconds);
}

static void show_collect_memory(const struct config *config, char *out)
{
    snprintf(out, 120, "%zu", config->collect_memory_max);
}

static void show_candles_kept(const struct config *config, char *out)
{
    snprintf(out, 120, "%lld", (long long)config->retention_candles_ms);
}

static void show_liquidations_kept(const struct config *config, char *out)
{
    snprintf(out, 120, "%lld", (long long)config->retention_liquidations_ms);
}

static void show_redis_enabled(const struct config *config, char *out)
{
    show_text(out, config->redis_enabled ? "true" : "false");
}

static void show_redis_url(const struct config *config, char *out)
{
    snprintf(out, 120, "%.90s|%d", config->redis_url.host, config->redis_url.port);
}

static void show_channel_prefix(const struct config *config, char *out)
{
    show_text(out, config->redis_channel_prefix);
}

static void show_cluster_role(const struct config *config, char *out)
{
    snprintf(out, 120, "%d", (int)config->cluster_role);
}

static void show_trusted_proxies(const struct config *config, char *out)
{
    snprintf(out, 120, "%zu", config->trusted_proxies.count);
}

static void show_log_level(const struct config *config, char *out)
{
    snprintf(out, 120, "%d", (int)config->log_level);
}

static void show_log_format(const struct config *config, char *out)
{
    snprintf(out, 120, "%d", (int)config->log_format);
}

static char cores[24]; /* the default of WORKERS */

/* clang-format off: a table is read by its rows */
static const struct expectation {
    const char *name, *flag;
    void (*show)(const struct config *config, char *out);
    const char *initial;       /* what is shown for the default */
    const char *value, *shown; /* for the environment */
    const char *flag_value, *flag_shown;
    const char *allowed; /* part of what the message allows */
    const char *wrong[10];
} settings[] = {
    {"WS_ENABLED",
     "ws-enabled",
     show_ws_enabled,
     "true",
     "no",
     "false",
     "ON",
     "true",
     "neither true nor false",
     {"maybe", "2", "tru", "true "}},
    {"WS_UPDATE_INTERVAL",
     "ws-update-interval",
     show_update_interval,
     "5",
     "0.1",
     "0.1",
     "3600",
     "3600",
     "a number of seconds from 0.1 to 3600",
     {"0.09", "3601", "0", "-5", "5s", "nan", "inf", "0x10", " 5", "1e9"}},
    {"LIVE_UPDATE_INTERVAL",
     "live-update-interval",
     show_live_interval,
     "1",
     "0",
     "0",
     "0.25",
     "0.25",
     "a number of seconds from 0 to 3600",
     {"-1", "3601", "1s", "nan", " 1"}},
    {"WS_MAX_CONNECTIONS",
     "ws-max-connections",
     show_max_connections,
     "1000",
     "1",
     "1",
     "10000000",
     "10000000",
     "a whole number from 1 to 10000000",
     {"0", "10000001", "-1", "1.5", "many", "99999999999999999999", " 5", "+5", "0x10", "5 "}},
    {"WS_MAX_CONNECTIONS_PER_IP",
     "ws-max-connections-per-ip",
     show_max_per_ip,
     "0",
     "7",
     "7",
     "0",
     "0",
     "a whole number from 0 to 10000000",
     {"-1", "10000001", "x"}},
    {"WS_MAX_QUEUE_SIZE",
     "ws-max-queue-size",
     show_max_queue,
     "0",
     "7",
     "7",
     "0",
     "0",
     "a whole number from 0 to 10000000",
     {"-1", "10000001", "x"}},
    {"WS_SLOW_CONSUMER_TIMEOUT",
     "ws-slow-consumer-timeout",
     show_slow_timeout,
     "1",
     "0.05",
     "0.05",
     "600",
     "600",
     "a number of seconds from 0.05 to 600",
     {"0.04", "601", "x", "0x1", "1 "}},
    {"WS_SLOW_CONSUMER_DISCONNECT",
     "ws-slow-consumer-disconnect",
     show_slow_disconnect,
     "60",
     "1",
     "1",
     "3600",
     "3600",
     "a number of seconds from 1 to 3600",
     {"0.9", "3601", "x", "infinity"}},
    {"WS_ALLOWED_ORIGINS",
     "ws-allowed-origins",
     show_origins,
     "",
     "*",
     "*",
     "https://a.example, http://b.example:8080",
     "https://a.example, http://b.example:8080",
     "https://a.example, http://b.example:8080, https://*.c.example, null or file://; no path",
     {"a.example", "https://a.example/", "https://*", "://a", "https://a,*", "*,*"}},
    {"ALLOWED_HOSTS",
     "allowed-hosts",
     show_hosts,
     "",
     "*",
     "*",
     "a.example, *.b.example:8000 192.0.2.1,[::1]:80",
     "a.example, *.b.example:8000 192.0.2.1,[::1]:80",
     "a.example, a.example:8000, *.b.example), and * stands alone",
     {"https://a.example", "a.example/", "*a", "*.", "a:0", "a:x", "a..b", "a,*", "[::1"}},
    {"SHUTDOWN_DELAY",
     "shutdown-delay",
     show_shutdown_delay,
     "0",
     "0.5",
     "0.5",
     "3600",
     "3600",
     "a number of seconds from 0 to 3600",
     {"-1", "3601", "x"}},
    {"LISTEN",
     "listen",
     show_listen,
     "127.0.0.1|8000",
     "[::1]:0",
     "::1|0",
     ":65535",
     "0.0.0.0|65535",
     "(127.0.0.1:8000, [::1]:8000, :8000)",
     {"example.com:80", "127.0.0.1", "127.0.0.1:65536", ":x", "1.2.3:1", "::1:x", "-1"}},
    {"WORKERS",
     "workers",
     show_workers,
     cores,
     "256",
     "256",
     "3",
     "3",
     "a whole number from 1 to 256",
     {"0", "257", "auto"}},
    {"DUCKDB_PATH",
     "duckdb-path",
     show_duckdb_path,
     "data/heatcast.duckdb",
     "/x/y.duckdb",
     "/x/y.duckdb",
     "z",
     "z",
     "",
     {NULL}},
    {"SYMBOLS",
     "symbols",
     show_symbols,
     "BTCUSDT ETHUSDT ",
     "SOLUSDT, BTCUSDT",
     "SOLUSDT BTCUSDT ",
     "X",
     "X ",
     "1 to 20 of A-Z, 0-9, _ and -",
     {"btcusdt", "BTCUSDT,", "A B", "A;B", "TWENTY-ONE-CHARACTERS"}},
    {"HEATMAP_LOOKBACK",
     "heatmap-lookback",
     show_lookback,
     "604800000",
     "15m",
     "900000",
     "5m",
     "300000",
     "",
     {"7", "0d", "1Y", "-1d", "4m", "3661d", "all"}},
    {"HEATMAP_BUCKET",
     "heatmap-bucket",
     show_buckets,
     "0 0",
     "BTCUSDT:0.5",
     "1 50000000",
     "ETHUSDT:5,BTCUSDT:100",
     "2 10000000000",
     "",
     {"100", "BTCUSDT", "BTCUSDT:0", "BTCUSDT:-1", "BTCUSDT:x", "BTCUSDT:1,BTCUSDT:2"}},
    {"HEATMAP_LEVERAGE_WEIGHTS",
     "heatmap-leverage-weights",
     show_weights,
     "5:0.15 10:0.3 25:0.25 50:0.2 100:0.1 ",
     "10:3,20:1",
     "10:0.75 20:0.25 ",
     "1:1",
     "1:1 ",
     "",
     {"10", "10:", "0:1", "1001:1", "10:-1", "10:0", "10:1,10:2", "x:1", "10:nan"}},
    {"HEATMAP_MODEL",
     "heatmap-model",
     show_model,
     "survival",
     "reference",
     "reference",
     "Survival",
     "survival",
     "neither survival nor reference",
     {"oracle", "0", "survival,reference"}},
    {"HEATMAP_TURNOVER",
     "heatmap-turnover",
     show_turnover,
     "0",
     "0.05",
     "0.05",
     "1",
     "1",
     "a number from 0 to 1",
     {"-0.1", "1.1", "x", "nan"}},
    {"SCORE_EVERY",
     "score-every",
     show_score_every,
     "3600",
     "0",
     "0",
     "604800",
     "604800",
     "a number of seconds from 0 to 604800",
     {"-1", "604801", "1h"}},
    {"QUESTION_SECONDS_MAX",
     "question-seconds-max",
     show_question_seconds,
     "10",
     "0.1",
     "0.1",
     "3600",
     "3600",
     "a number of seconds from 0.1 to 3600",
     {"0", "3601", "x"}},
    {"QUESTION_CANDLES_MAX",
     "question-candles-max",
     show_question_candles,
     "220000",
     "300",
     "300",
     "100000000",
     "100000000",
     "a whole number from 300 to 100000000",
     {"299", "100000001", "1e6"}},
    {"QUESTION_MEMORY_MAX",
     "question-memory-max",
     show_question_memory,
     "96000000",
     "1MB",
     "1000000",
     "2GB",
     "2000000000",
     "",
     {"128", "MB", "-1MB", "1.5GB", "999KB", "1001GB", "1TB", "99999999999999999999GB"}},
    {"ANSWER_BYTES_MAX",
     "answer-bytes-max",
     show_answer_bytes,
     "64000000",
     "2000KB",
     "2000000",
     "1GB",
     "1000000000",
     "a whole number and KB, MB or GB",
     {"64", "64mb", "64 MB"}},
    {"ANSWERS_MEMORY_MAX",
     "answers-memory-max",
     show_answers_memory,
     "192000000",
     "2000KB",
     "2000000",
     "1GB",
     "1000000000",
     "a whole number and KB, MB or GB",
     {"64", "64mb", "64 MB"}},
    {"QUESTIONS_PER_IP",
     "questions-per-ip",
     show_questions_per_ip,
     "16",
     "1",
     "1",
     "64",
     "64",
     "a whole number from 1 to 10000000",
     {"0", "x", "10000001"}},
    {"COLLECT_WRITE_SECONDS",
     "collect-write-seconds",
     show_write_seconds,
     "3",
     "0.5",
     "0.5",
     "60",
     "60",
     "a number of seconds from 0.5 to 60",
     {"0", "0.4", "61", "x"}},
    {"COLLECT_MEMORY_MAX",
     "collect-memory-max",
     show_collect_memory,
     "64000000",
     "1MB",
     "1000000",
     "1GB",
     "1000000000",
     "a whole number and KB, MB or GB",
     {"64", "64mb", "64 MB"}},
    {"RETENTION_CANDLES",
     "retention-candles",
     show_candles_kept,
     "0",
     "2y",
     "63072000000",
     "ALL",
     "0",
     "neither 'all' nor a duration",
     {"none", "2", "11y", "y"}},
    {"RETENTION_LIQUIDATIONS",
     "retention-liquidations",
     show_liquidations_kept,
     "0",
     "24h",
     "86400000",
     "all",
     "0",
     "neither 'all' nor a duration",
     {"none", "0d", "-1d"}},
    {"REDIS_ENABLED",
     "redis-enabled",
     show_redis_enabled,
     "false",
     "yes",
     "true",
     "off",
     "false",
     "neither true nor false",
     {"maybe", "2"}},
    {"REDIS_URL",
     "redis-url",
     show_redis_url,
     "127.0.0.1|6379",
     "redis://:secret@redis.example:7000/2",
     "redis.example|7000",
     "redis://[::1]",
     "::1|6379",
     "redis://",
     {"redis://", "rediss://"}},
    {"REDIS_CHANNEL_PREFIX",
     "redis-channel-prefix",
     show_channel_prefix,
     "heatmap",
     "{a}:b.c_d-9",
     "{a}:b.c_d-9",
     "x",
     "x",
     "1 to 64 letters, digits and :._-{}",
     {"heat*", "a b", "a?", "[a]", "\xc3\xa4"}},
    {"CLUSTER_ROLE",
     "cluster-role",
     show_cluster_role,
     "0",
     "relay",
     "2",
     "Generator",
     "1",
     "auto, generator or relay",
     {"leader", "0"}},
    {"TRUSTED_PROXIES",
     "trusted-proxies",
     show_trusted_proxies,
     "0",
     "127.0.0.1, 10.0.0.0/8",
     "2",
     "::1",
     "1",
     "10.0.0.0/8",
     {"localhost", "10.0.0.1/8", "::1,10.0.0.0/33"}},
    {"LOG_LEVEL",
     "log-level",
     show_log_level,
     "1",
     "DEBUG",
     "0",
     "error",
     "3",
     "debug, info, warn or error",
     {"trace", "0", "warning"}},
    {"LOG_FORMAT",
     "log-format",
     show_log_format,
     "0",
     "json",
     "1",
     "Text",
     "0",
     "neither text nor json",
     {"xml", "logfmt"}},
    {"EXCHANGES",
     "exchanges",
     show_exchanges,
     "binance bybit okx hyperliquid ",
     "OKX",
     "okx ",
     "hyperliquid, Bybit,hyperliquid",
     "hyperliquid bybit ",
     "is not an exchange (binance, bybit, okx or hyperliquid)",
     {"mtgox", "binance,", ",", "ALL", "binance bybit"}},
    {"BINANCE_REST_URL",
     "binance-rest-url",
     show_binance_rest_url,
     "https://fapi.binance.com",
     "http://127.0.0.1:8080/binance/",
     "http://127.0.0.1:8080/binance",
     "https://[::1]:1",
     "https://[::1]:1",
     "(https:// or http://, host[:port], and a path, if any, without ? and #)",
     {"fapi.binance.com", "wss://a", "https://", "https://:1", "https://a:0", "https://a:x",
      "https://u:p@a", "https://a?b"}},
    {"OKX_WS_URL",
     "okx-ws-url",
     show_okx_ws_url,
     "wss://ws.okx.com:8443",
     "ws://localhost",
     "ws://localhost",
     "ws://127.0.0.1:1/a/",
     "ws://127.0.0.1:1/a",
     "",
     {"ws.okx.com"}},
    {"BINANCE_WS_URL",
     "binance-ws-url",
     show_binance_ws_url,
     "wss://fstream.binance.com",
     "ws://localhost:9443",
     "ws://localhost:9443",
     "wss://a.example/b/c//",
     "wss://a.example/b/c",
     "(wss:// or ws://, host[:port], and a path, if any, without ? and #)",
     {"https://a", "ws:/a", "ws://a b", "ws://[::1", "ws://a#b", "WS://a"}},
    {"BINANCE_ARCHIVE_URL",
     "binance-archive-url",
     show_archive_url,
     "https://data.binance.vision",
     "http://127.0.0.1:8080/",
     "http://127.0.0.1:8080",
     "https://mirror.example/binance",
     "https://mirror.example/binance",
     "(https:// or http://, host[:port], and a path, if any, without ? and #)",
     {"data.binance.vision", "ftp://a", "s3://a"}},
    {"FETCH_FILES",
     "fetch-files",
     show_fetch_files,
     "6",
     "1",
     "1",
     "32",
     "32",
     "a whole number from 1 to 32",
     {"0", "33", "-1", "x"}},
    {"FETCH_TRIES",
     "fetch-tries",
     show_fetch_tries,
     "6",
     "1",
     "1",
     "100",
     "100",
     "a whole number from 1 to 100",
     {"0", "101", "-1", "x"}},
    {"REQUEST_TIMEOUT",
     "request-timeout",
     show_request_timeout,
     "30",
     "1",
     "1",
     "3600",
     "3600",
     "a number of seconds from 1 to 3600",
     {"0", "0.9", "3601", "x"}},
    {"CA_FILE",
     "ca-file",
     show_ca_file,
     "",
     "/etc/ca.pem",
     "/etc/ca.pem",
     "ca.pem",
     "ca.pem",
     "",
     {NULL}},
};
/* clang-format on */

enum { SETTING_COUNT = sizeof settings / sizeof settings[0] };

static int find_cores(void **state)
{
    (void)state;
    int count = cores_available();
    snprintf(cores, sizeof cores, "%d", count > 256 ? 256 : count);
    return 0;
}

static void expect_shown(const struct expectation *setting, const struct config *config,
                         const char *expected)
{
    char shown[120];
    setting->show(config, shown);
    if (strcmp(shown, expected) != 0)
        fail_msg("%s is '%s', not '%s'", setting->name, shown, expected);
}

static void every_setting_has_its_default(void **state)
{
    (void)state;
    struct config config;
    struct config_origin origin;
    assert_int_equal(load(&config, &origin, NULL, NULL, NULL), STATUS_OK);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        expect_shown(&settings[i], &config, settings[i].initial);
        assert_false(config_is_given(&origin, settings[i].name));
    }
    config_origin_deinit(&origin);
}

static void every_setting_comes_from_the_environment_and_its_flag_wins(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct config config;
        struct config_origin origin;
        struct error error;
        assert_int_equal(load(&config, &origin, settings[i].name, settings[i].value, &error),
                         STATUS_OK);
        expect_shown(&settings[i], &config, settings[i].shown);
        assert_true(config_is_given(&origin, settings[i].name));
        for (size_t j = 0; j < SETTING_COUNT; j++) /* and nothing else has changed */
            if (j != i)
                expect_shown(&settings[j], &config, settings[j].initial);
        assert_int_equal(
            config_set_flag(&config, &origin, settings[i].flag, settings[i].flag_value, &error),
            STATUS_OK);
        expect_shown(&settings[i], &config, settings[i].flag_shown);
        config_origin_deinit(&origin);
    }
}

static void an_empty_variable_means_not_set(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct config config;
        struct config_origin origin;
        assert_int_equal(load(&config, &origin, settings[i].name, "", NULL), STATUS_OK);
        expect_shown(&settings[i], &config, settings[i].initial);
        assert_false(config_is_given(&origin, settings[i].name));
        config_origin_deinit(&origin);
    }
}

/* The message names all three, in one line. */
static void expect_message(const struct error *error, const char *prefix, const char *value,
                           const char *allowed)
{
    if (strncmp(error->message, prefix, strlen(prefix)) != 0 ||
        strstr(error->message, value) == NULL || strstr(error->message, allowed) == NULL ||
        strchr(error->message, '\n') != NULL)
        fail_msg("'%s' lacks '%s', '%s' or '%s'", error->message, prefix, value, allowed);
}

static void every_wrong_value_is_refused_by_name_with_what_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        for (size_t j = 0; j < 10 && settings[i].wrong[j] != NULL; j++) {
            const char *wrong = settings[i].wrong[j];
            char prefix[80], last[64];
            struct config config;
            struct config_origin origin;
            struct error error = {0};
            /* Of a list the message shows the item that is wrong. */
            const char *comma = strrchr(wrong, ',');
            snprintf(last, sizeof last, "%s", comma != NULL ? comma + 1 : wrong);
            if (strchr(last, ':') != NULL && comma != NULL)
                *strchr(last, ':') = '\0';

            if (load(&config, &origin, settings[i].name, wrong, &error) != STATUS_INVALID)
                fail_msg("%s=%s was taken", settings[i].name, wrong);
            snprintf(prefix, sizeof prefix, "%s: ", settings[i].name);
            expect_message(&error, prefix, last, settings[i].allowed);
            config_origin_deinit(&origin);

            assert_int_equal(load(&config, &origin, NULL, NULL, NULL), STATUS_OK);
            assert_int_equal(config_set_flag(&config, &origin, settings[i].flag, wrong, &error),
                             STATUS_INVALID);
            snprintf(prefix, sizeof prefix, "--%s: ", settings[i].flag);
            expect_message(&error, prefix, last, settings[i].allowed);
            config_origin_deinit(&origin);
        }
}

static void texts_that_are_empty_or_too_long_are_refused(void **state)
{
    (void)state;
    struct config config;
    struct config_origin origin;
    struct error error;
    char *text = memory_allocate_zeroed(4000, 1);
    memset(text, 'p', 3000);
    assert_int_equal(load(&config, &origin, NULL, NULL, NULL), STATUS_OK);
    assert_int_equal(config_set_flag(&config, &origin, "duckdb-path", "", &error), STATUS_INVALID);
    expect_message(&error, "--duckdb-path: ", "''", "path");
    assert_int_equal(config_set_flag(&config, &origin, "db", text, &error), STATUS_INVALID);
    expect_message(&error, "--db: ", "'pppp", "longer than 1023 characters");
    memcpy(text, "http://", 7);
    assert_int_equal(config_set_flag(&config, &origin, "ws-allowed-origins", text, &error),
                     STATUS_INVALID);
    expect_message(&error, "--ws-allowed-origins: ", "'http://pppp", "longer than 2047 characters");
    assert_string_equal(config.duckdb_path, "data/heatcast.duckdb"); /* nothing was changed */
    config_origin_deinit(&origin);
    free(text);
}

/* -- the table --------------------------------------------------------------------------------- */

static void flags_are_known_by_name_and_switches_apart(void **state)
{
    (void)state;
    bool is_switch;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        assert_true(config_is_flag(settings[i].flag, &is_switch));
        assert_int_equal(is_switch, strcmp(settings[i].flag, "ws-enabled") == 0 ||
                                        strcmp(settings[i].flag, "redis-enabled") == 0);
    }
    assert_true(config_is_flag("db", &is_switch));
    assert_false(config_is_flag("ws_enabled", &is_switch));
    assert_false(config_is_flag("WS-ENABLED", &is_switch));
    assert_false(config_is_flag("", &is_switch));
    struct config config;
    struct config_origin origin;
    struct error error;
    assert_int_equal(load(&config, &origin, NULL, NULL, NULL), STATUS_OK);
    assert_int_equal(config_set_flag(&config, &origin, "colour", "red", &error), STATUS_NOT_FOUND);
    assert_string_equal(error.message, "there is no option --colour");
    config_origin_deinit(&origin);
}

static void buckets_may_be_given_for_more_symbols_than_are_served(void **state)
{
    (void)state;
    struct config config;
    struct config_origin origin;
    assert_int_equal(load(&config, &origin, "HEATMAP_BUCKET", "BTCUSDT:100,SOLUSDT:1", NULL),
                     STATUS_OK);
    assert_true(bucket_map_find(&config.heatmap_buckets, "SOLUSDT") > 0);
    config_origin_deinit(&origin);
}

/* The line of `text` that begins with `start`, cut at its end; fails if there is none. */
static void find_line(const char *text, const char *start, char line[400])
{
    const char *at = text;
    while (strncmp(at, start, strlen(start)) != 0) {
        at = strchr(at, '\n');
        if (at == NULL)
            fail_msg("no line begins with '%s'", start);
        at++;
    }
    snprintf(line, 400, "%.*s", (int)strcspn(at, "\n"), at);
}

static void the_tables_list_every_setting(void **state)
{
    (void)state;
    struct config config;
    struct config_origin origin;
    struct buffer table = {0}, help = {0}, markdown = {0};
    char line[400], start[80];
    assert_int_equal(load(&config, &origin, "WS_UPDATE_INTERVAL", "2.5", NULL), STATUS_OK);
    assert_int_equal(config_set_flag(&config, &origin, "db", "mine.duckdb", NULL), STATUS_OK);
    config_append_table(&table, &config, &origin);
    config_append_help(&help);
    config_append_markdown(&markdown);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        snprintf(start, sizeof start, "%s ", settings[i].name);
        find_line(buffer_text(&table), start, line);
        const char *source = strcmp(settings[i].name, "WS_UPDATE_INTERVAL") == 0 ? " environment "
                             : strcmp(settings[i].name, "DUCKDB_PATH") == 0      ? " flag "
                                                                                 : " default ";
        assert_non_null(strstr(line, source));
        snprintf(start, sizeof start, "  --%s ", settings[i].flag);
        find_line(buffer_text(&help), start, line);
        snprintf(start, sizeof start, "| `%s` | ", settings[i].name);
        find_line(buffer_text(&markdown), start, line);
    }
    find_line(buffer_text(&table), "WS_UPDATE_INTERVAL ", line);
    assert_non_null(strstr(line, " 2.5 "));
    find_line(buffer_text(&table), "DUCKDB_PATH ", line);
    assert_non_null(strstr(line, " mine.duckdb "));
    find_line(buffer_text(&table), "WORKERS ", line);
    assert_non_null(strstr(line, cores)); /* what it comes to */
    buffer_deinit(&table);
    buffer_deinit(&help);
    buffer_deinit(&markdown);
    config_origin_deinit(&origin);
}

static void the_password_of_redis_is_not_shown(void **state)
{
    (void)state;
    struct config config;
    struct config_origin origin;
    struct buffer table = {0};
    char line[512];
    assert_int_equal(load(&config, &origin, "REDIS_URL", "redis://me:secret@h", NULL), STATUS_OK);
    config_append_table(&table, &config, &origin);
    find_line(buffer_text(&table), "REDIS_URL ", line);
    assert_non_null(strstr(line, "redis://me:***@h:6379"));
    assert_null(strstr(buffer_text(&table), "secret"));
    buffer_deinit(&table);
    config_origin_deinit(&origin);
}

static void limits_that_leave_no_answer_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *message;
    } wrong[] = {
        {"HEATMAP_LOOKBACK", "800d",
         "QUESTION_CANDLES_MAX is 220000, and HEATMAP_LOOKBACK alone is 230401 candles"},
        {"ANSWER_BYTES_MAX", "200MB",
         "ANSWER_BYTES_MAX is more than QUESTION_MEMORY_MAX, of which it is a part"},
        {"RETENTION_CANDLES", "190h",
         "RETENTION_CANDLES is 190h, and the map needs HEATMAP_LOOKBACK (7d) and a day more"},
    };
    struct config config;
    struct config_origin origin;
    struct error error;
    assert_int_equal(load(&config, &origin, NULL, NULL, NULL), STATUS_OK);
    assert_int_equal(config_check(&config, NULL), STATUS_OK);
    config_origin_deinit(&origin);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(load(&config, &origin, wrong[i].name, wrong[i].value, NULL), STATUS_OK);
        assert_int_equal(config_check(&config, &error), STATUS_INVALID);
        assert_string_equal(error.message, wrong[i].message);
        config_origin_deinit(&origin);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_that_leave_no_answer_are_refused),
        cmocka_unit_test(every_setting_has_its_default),
        cmocka_unit_test(every_setting_comes_from_the_environment_and_its_flag_wins),
        cmocka_unit_test(an_empty_variable_means_not_set),
        cmocka_unit_test(every_wrong_value_is_refused_by_name_with_what_is_allowed),
        cmocka_unit_test(texts_that_are_empty_or_too_long_are_refused),
        cmocka_unit_test(flags_are_known_by_name_and_switches_apart),
        cmocka_unit_test(buckets_may_be_given_for_more_symbols_than_are_served),
        cmocka_unit_test(the_tables_list_every_setting),
        cmocka_unit_test(the_password_of_redis_is_not_shown),
    };
    return cmocka_run_group_tests(tests, find_cores, NULL);
}
