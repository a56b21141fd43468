/* One setting: a row that says what it is called, which field of a struct it fills, how text
 * becomes that field, and what people should know about it.
 *
 * The types of settings are here; which settings there are is the table in config.c. A row is
 * constant, so any thread may use it; the struct that it fills is the caller's to protect. */
#ifndef HEATCAST_CONFIG_SETTING_H
#define HEATCAST_CONFIG_SETTING_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a text may be, and the C type of the field that it fills. */
enum setting_type {
    SETTING_BOOL,     /* bool: true, yes, on, 1 and their opposites; a switch on the command line */
    SETTING_WHOLE,    /* int, within `whole` */
    SETTING_CORES,    /* int, within `whole`; empty: the processors it may use */
    SETTING_SECONDS,  /* double, within `seconds` */
    SETTING_SHARE,    /* double from 0 to 1 */
    SETTING_DURATION, /* int64_t milliseconds, at least `duration.min_ms`; 0 for `all` */
    SETTING_BYTES,    /* size_t, within `bytes` */
    SETTING_CHOICE,   /* an enum that numbers `choice.names` from 0 */
    SETTING_PATH,     /* char[text_size]; may be empty if the default is */
    SETTING_HOSTS,    /* char[text_size]: hosts, or * */
    SETTING_ORIGINS,  /* char[text_size]: origins of web pages, or * */
    SETTING_CHANNEL,  /* char[text_size]: letters, digits and :._-{} */
    SETTING_ADDRESS,  /* struct listen_address */
    SETTING_SYMBOLS,  /* struct symbol_list */
    SETTING_BUCKETS,  /* struct bucket_map */
    SETTING_WEIGHTS,  /* struct leverage_weights */
    SETTING_NETWORKS, /* struct network_list */
    SETTING_EXCHANGES, /* struct exchange_list */
    SETTING_URL,       /* char[BASE_URL_SIZE]: of one of `url.schemes` */
    SETTING_REDIS_URL  /* struct redis_url */
};

struct setting {
    const char *name;       /* of the environment variable */
    const char *short_flag; /* a second name of its flag, or NULL */
    bool is_secret;         /* its text is neither kept nor shown, and no error quotes it */
    enum setting_type type;
    size_t text_size; /* of a char[], with the terminator */
    union {
        struct {
            int min, max;
        } whole;
        struct {
            double min, max;
        } seconds;
        struct {
            int64_t min_ms;
            const char *min_meaning; /* "one candle (5m)" */
            bool takes_all;          /* "all" is a value */
        } duration;
        struct {
            size_t min, max;
        } bytes;
        struct {
            const char *placeholder;
            const char *const *names; /* at least two, then NULL */
        } choice;
        struct {
            const char *const *schemes; /* two, then NULL */
        } url;
    };
    size_t offset;             /* of the field in the struct of settings */
    const char *default_text;  /* read like a user's text */
    const char *shown_default; /* where the text does not explain itself, or NULL */
    const char *meaning;
};

/* Fills the field of the struct at `settings`. STATUS_INVALID: the message quotes what is wrong and
 * says what is allowed, without the setting's name; the field may then be filled in part. */
enum status setting_parse(const struct setting *setting, const char *text, void *settings,
                          struct error *error);

/* What may be kept of a user's text, to show it later: the text, or stars for a secret. */
const char *setting_text_to_keep(const struct setting *setting, const char *text);

/* The value as people may see it. `text` is what was kept, or NULL if the default is in force. */
void setting_append_value(struct buffer *out, const struct setting *setting, const void *settings,
                          const char *text);

const char *setting_shown_default(const struct setting *setting);

/* What stands for a value in `--help`: "SECONDS". */
const char *setting_placeholder(const struct setting *setting);

/* Whether its flag may stand without a value. */
bool setting_is_switch(const struct setting *setting);

#endif
