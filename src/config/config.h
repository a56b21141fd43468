/* The settings of heatcast. `--help`, `heatcast config`, the README's table and what is read into
 * struct config all come from one table of names, types, bounds, defaults and meanings (config.c).
 *
 * A setting is an environment variable and a flag (`WS_UPDATE_INTERVAL`, `--ws-update-interval`);
 * the flag wins. They are read once at start, before other threads exist, and constant afterwards,
 * so any thread may read them. */
#ifndef HEATCAST_CONFIG_CONFIG_H
#define HEATCAST_CONFIG_CONFIG_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "config/base_url.h"
#include "config/exchange_list.h"
#include "config/network.h"
#include "config/redis_url.h"
#include "config/value.h"

#include <stdbool.h>

#define CONFIG_PATH_SIZE 1024
#define ORIGINS_SIZE 2048
#define HOSTS_SIZE 2048
#define CHANNEL_PREFIX_SIZE 65

enum setting_source { SETTING_DEFAULT, SETTING_ENVIRONMENT, SETTING_FLAG };

enum cluster_role { CLUSTER_AUTO, CLUSTER_GENERATOR, CLUSTER_RELAY };

struct config {
    bool ws_enabled;
    double ws_update_interval_seconds, live_update_interval_seconds;
    int ws_max_connections;
    int ws_max_connections_per_ip; /* 0: no limit */
    int ws_max_queue_size;         /* of no effect: nothing is queued */
    int connections_per_ip;        /* 0: as many as net/server.c allows */
    double ws_slow_consumer_timeout_seconds;
    double ws_slow_consumer_disconnect_seconds;
    double shutdown_delay_seconds;
    char ws_allowed_origins[ORIGINS_SIZE]; /* comma-separated; "" same origin; "*" any */
    struct listen_address listen;
    char allowed_hosts[HOSTS_SIZE]; /* comma-separated; "" as site.h says; "*" any */
    char tls_cert[CONFIG_PATH_SIZE], tls_key[CONFIG_PATH_SIZE]; /* both or neither; "": plain */
    int workers;
    char duckdb_path[CONFIG_PATH_SIZE];
    struct symbol_list symbols;
    int64_t heatmap_lookback_ms;
    struct bucket_map heatmap_buckets;
    struct leverage_weights heatmap_weights;
    enum model_name heatmap_model;
    double heatmap_turnover;
    double score_every_seconds; /* 0: never */
    double question_seconds_max;
    int question_candles_max;
    int questions_per_ip;
    size_t question_memory_max, answer_bytes_max, answers_memory_max;
    double collect_write_seconds;
    size_t collect_memory_max;
    int64_t retention_candles_ms, retention_liquidations_ms; /* 0: all */
    bool redis_enabled;
    struct redis_url redis_url;
    char redis_channel_prefix[CHANNEL_PREFIX_SIZE];
    enum cluster_role cluster_role;
    struct network_list trusted_proxies;
    struct exchange_list exchanges;
    char exchange_rest_urls[EXCHANGE_COUNT][BASE_URL_SIZE];
    char exchange_ws_urls[EXCHANGE_COUNT][BASE_URL_SIZE];
    char archive_url[BASE_URL_SIZE];
    int fetch_files, fetch_tries;
    double request_timeout_seconds;
    char ca_file[CONFIG_PATH_SIZE]; /* "": the system's certificates */
    enum log_level log_level;
    enum log_format log_format;
};

/* Where each setting's value came from, and its text as given, for `heatcast config`; in the order
 * of the table. */
#define SETTINGS_MAX 96
struct config_origin {
    enum setting_source source[SETTINGS_MAX];
    char *text[SETTINGS_MAX]; /* owned; NULL for a default; stars for a secret */
};

/* Reads the defaults, then the environment (`environment` is getenv() or a test's own). The error
 * names the setting, the value and what is allowed; a secret value is not in it.
 * config_origin_deinit() in any case. */
enum status config_load(struct config *config, struct config_origin *origin,
                        const char *(*environment)(const char *name), struct error *error);

/* Applies one flag without its dashes ("ws-update-interval"; "db" is short for "duckdb-path").
 * STATUS_NOT_FOUND: no setting has this flag. */
enum status config_set_flag(struct config *config, struct config_origin *origin, const char *flag,
                            const char *value, struct error *error);

/* Whether the settings fit together; after the last flag. */
enum status config_check(const struct config *config, struct error *error);

/* Whether a flag is a setting, and whether it is a switch, which may stand without a value. */
bool config_is_flag(const char *flag, bool *is_switch);

/* Whether the user has set it, by environment or flag. */
bool config_is_given(const struct config_origin *origin, const char *name);

/* The table as `heatcast config` prints it: value, source, default, meaning. */
void config_append_table(struct buffer *out, const struct config *config,
                         const struct config_origin *origin);

/* The flags as `--help` prints them. */
void config_append_help(struct buffer *out);

/* The table as the README shows it (Markdown). */
void config_append_markdown(struct buffer *out);

void config_origin_deinit(struct config_origin *origin);

#endif
