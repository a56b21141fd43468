/* What the text of a setting means depends on its type alone. So a type is one case here: how it is
 * parsed, and how it is shown where the text as given would say too little (a number of cores) or
 * too much (a password). A new setting is a row in config.c; a new type is a value of the enum and
 * a case of parse_field(), which the compiler asks for.
 *
 * A secret must not reach a screen, a log or an error. The parsers quote what they refuse, so for a
 * secret their whole sentence is replaced. The Redis URL is the exception: its parser quotes
 * nothing, and its sentences help. */
#include "config/setting.h"

#include "base/check.h"
#include "base/cores.h"
#include "base/slice.h"
#include "config/base_url.h"
#include "config/exchange_list.h"
#include "config/network.h"
#include "config/redis_url.h"
#include "config/value.h"
#include "config/web_origin.h"

#include <string.h>
#include <strings.h>

/* -- parsing ----------------------------------------------------------------------------------- */

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

static enum status parse_whole(const struct setting *setting, const char *text, int *value,
                               struct error *error)
{
    uint64_t number;
    int min = setting->whole.min, max = setting->whole.max;
    if (!slice_parse_unsigned(slice_of(text), (uint64_t)max, &number) || (int)number < min)
        return error_set(error, STATUS_INVALID, "'%.60s' is not a whole number from %d to %d", text,
                         min, max);
    *value = (int)number;
    return STATUS_OK;
}

static enum status parse_cores(const struct setting *setting, const char *text, int *value,
                               struct error *error)
{
    if (text[0] != '\0')
        return parse_whole(setting, text, value, error);
    int cores = cores_available(), min = setting->whole.min, max = setting->whole.max;
    *value = cores < min ? min : cores > max ? max : cores;
    return STATUS_OK;
}

static enum status parse_seconds(const struct setting *setting, const char *text, double *value,
                                 struct error *error)
{
    double number, min = setting->seconds.min, max = setting->seconds.max;
    if (!slice_parse_double(slice_of(text), &number) || number < min || number > max)
        return error_set(error, STATUS_INVALID, "'%.60s' is not a number of seconds from %g to %g",
                         text, min, max);
    *value = number;
    return STATUS_OK;
}

static enum status parse_share(const char *text, double *value, struct error *error)
{
    double number;
    if (!slice_parse_double(slice_of(text), &number) || number < 0 || number > 1)
        return error_set(error, STATUS_INVALID, "'%.60s' is not a number from 0 to 1", text);
    *value = number;
    return STATUS_OK;
}

static enum status parse_duration(const struct setting *setting, const char *text,
                                  int64_t *value_ms, struct error *error)
{
    if (setting->duration.takes_all && strcasecmp(text, "all") == 0) {
        *value_ms = 0;
        return STATUS_OK;
    }
    enum status status = value_parse_duration(text, value_ms, error);
    if (status != STATUS_OK && setting->duration.takes_all)
        return error_set(
            error, status,
            "'%.60s' is neither 'all' nor a duration (a whole number and s, m, h, d, w "
            "or y: 30d, 2y; at most 3660d)",
            text);
    if (status == STATUS_OK && *value_ms < setting->duration.min_ms)
        return error_set(error, STATUS_INVALID, "'%.60s' is shorter than %s", text,
                         setting->duration.min_meaning);
    return status;
}

static enum status parse_bytes(const struct setting *setting, const char *text, size_t *value,
                               struct error *error)
{
    char min[24], max[24];
    size_t bytes;
    enum status status = value_parse_bytes(text, &bytes, error);
    if (status != STATUS_OK)
        return status;
    if (bytes < setting->bytes.min || bytes > setting->bytes.max)
        return error_set(error, STATUS_INVALID, "'%.60s' is not from %s to %s", text,
                         value_format_bytes(setting->bytes.min, min),
                         value_format_bytes(setting->bytes.max, max));
    *value = bytes;
    return STATUS_OK;
}

/* "'x' is neither text nor json", "'x' is not auto, generator or relay". */
static enum status refuse_choice(const char *const *names, const char *text, struct error *error)
{
    struct buffer allowed = {0};
    bool are_two = names[2] == NULL;
    buffer_append_text(&allowed, are_two ? "neither " : "not ");
    buffer_append_text(&allowed, names[0]);
    for (size_t i = 1; names[i] != NULL; i++) {
        bool is_last = names[i + 1] == NULL;
        buffer_append_text(&allowed, are_two ? " nor " : is_last ? " or " : ", ");
        buffer_append_text(&allowed, names[i]);
    }
    error_set(error, STATUS_INVALID, "'%.60s' is %s", text, buffer_text(&allowed));
    buffer_deinit(&allowed);
    return STATUS_INVALID;
}

static enum status parse_choice(const struct setting *setting, const char *text, unsigned *value,
                                struct error *error)
{
    const char *const *names = setting->choice.names;
    for (unsigned i = 0; names[i] != NULL; i++)
        if (strcasecmp(text, names[i]) == 0) {
            *value = i;
            return STATUS_OK;
        }
    return refuse_choice(names, text, error);
}

static enum status copy_text(const struct setting *setting, const char *text, char *value,
                             struct error *error)
{
    if (slice_copy(slice_of(text), value, setting->text_size))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "'%.60s...' is longer than %zu characters", text,
                     setting->text_size - 1);
}

static enum status parse_path(const struct setting *setting, const char *text, char *value,
                              struct error *error)
{
    if (text[0] == '\0' && setting->default_text[0] != '\0')
        return error_set(error, STATUS_INVALID, "'' is not the path of a file");
    return copy_text(setting, text, value, error);
}

static enum status parse_origins(const struct setting *setting, const char *text, char *value,
                                 struct error *error)
{
    enum status status = copy_text(setting, text, value, error);
    return status == STATUS_OK ? web_origin_check_list(value, error) : status;
}

static enum status parse_hosts(const struct setting *setting, const char *text, char *value,
                               struct error *error)
{
    enum status status = copy_text(setting, text, value, error);
    return status == STATUS_OK ? web_host_check_list(value, error) : status;
}

static bool is_channel_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(":._-{}", c) != NULL);
}

/* A prefix of channels is part of a pattern (PSUBSCRIBE), in which * and ? would not stand for
 * themselves. */
static enum status parse_channel(const struct setting *setting, const char *text, char *value,
                                 struct error *error)
{
    struct slice rest = slice_of(text), prefix = slice_take_while(&rest, is_channel_char);
    if (prefix.size > 0 && rest.size == 0 && slice_copy(prefix, value, setting->text_size))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "'%.60s' is not a channel prefix (1 to %zu letters, digits and :._-{})", text,
                     setting->text_size - 1);
}

static enum status parse_field(const struct setting *setting, const char *text, void *value,
                               struct error *error)
{
    switch (setting->type) {
    case SETTING_BOOL:
        return parse_bool(text, value, error);
    case SETTING_WHOLE:
        return parse_whole(setting, text, value, error);
    case SETTING_CORES:
        return parse_cores(setting, text, value, error);
    case SETTING_SECONDS:
        return parse_seconds(setting, text, value, error);
    case SETTING_SHARE:
        return parse_share(text, value, error);
    case SETTING_DURATION:
        return parse_duration(setting, text, value, error);
    case SETTING_BYTES:
        return parse_bytes(setting, text, value, error);
    case SETTING_CHOICE:
        return parse_choice(setting, text, value, error);
    case SETTING_PATH:
        return parse_path(setting, text, value, error);
    case SETTING_HOSTS:
        return parse_hosts(setting, text, value, error);
    case SETTING_ORIGINS:
        return parse_origins(setting, text, value, error);
    case SETTING_CHANNEL:
        return parse_channel(setting, text, value, error);
    case SETTING_ADDRESS:
        return value_parse_address(text, value, error);
    case SETTING_SYMBOLS:
        return value_parse_symbols(text, value, error);
    case SETTING_BUCKETS:
        return value_parse_buckets(text, value, error);
    case SETTING_WEIGHTS:
        return value_parse_weights(text, value, error);
    case SETTING_NETWORKS:
        return network_list_parse(text, value, error);
    case SETTING_EXCHANGES:
        return exchange_list_parse(text, value, error);
    case SETTING_URL:
        return base_url_parse(text, setting->url.schemes, value, error);
    case SETTING_REDIS_URL:
        return redis_url_parse(text, value, error);
    }
    check(false && "a type of setting that has no parser");
    return STATUS_INVALID;
}

enum status setting_parse(const struct setting *setting, const char *text, void *settings,
                          struct error *error)
{
    enum status status = parse_field(setting, text, (char *)settings + setting->offset, error);
    if (status != STATUS_OK && setting->is_secret && setting->type != SETTING_REDIS_URL)
        return error_set(error, status, "the value, which is secret, is not allowed (it is %s)",
                         setting->meaning);
    return status;
}

/* -- showing ----------------------------------------------------------------------------------- */

const char *setting_text_to_keep(const struct setting *setting, const char *text)
{
    return setting->is_secret ? "***" : text;
}

void setting_append_value(struct buffer *out, const struct setting *setting, const void *settings,
                          const char *text)
{
    const void *value = (const char *)settings + setting->offset;
    if (setting->type == SETTING_CORES) {
        buffer_append_int(out, *(const int *)value);
    } else if (setting->type == SETTING_REDIS_URL) {
        char url[REDIS_URL_TEXT_SIZE];
        buffer_append_text(out, redis_url_format(value, url));
    } else {
        buffer_append_text(out, text != NULL ? text : setting_shown_default(setting));
    }
}

const char *setting_shown_default(const struct setting *setting)
{
    return setting->shown_default != NULL ? setting->shown_default : setting->default_text;
}

const char *setting_placeholder(const struct setting *setting)
{
    static const char *const placeholders[] = {
        [SETTING_BOOL] = "BOOL",      [SETTING_WHOLE] = "N",
        [SETTING_CORES] = "N",        [SETTING_SECONDS] = "SECONDS",
        [SETTING_SHARE] = "SHARE",    [SETTING_DURATION] = "DURATION",
        [SETTING_BYTES] = "SIZE",     [SETTING_PATH] = "PATH",
        [SETTING_HOSTS] = "LIST",     [SETTING_ORIGINS] = "LIST",
        [SETTING_CHANNEL] = "TEXT",   [SETTING_ADDRESS] = "ADDRESS:PORT",
        [SETTING_SYMBOLS] = "LIST",   [SETTING_BUCKETS] = "LIST",
        [SETTING_WEIGHTS] = "LIST",   [SETTING_NETWORKS] = "LIST",
        [SETTING_EXCHANGES] = "LIST", [SETTING_URL] = "URL",
        [SETTING_REDIS_URL] = "URL",
    };
    if (setting->type == SETTING_CHOICE)
        return setting->choice.placeholder;
    return placeholders[setting->type];
}

bool setting_is_switch(const struct setting *setting)
{
    return setting->type == SETTING_BOOL;
}
