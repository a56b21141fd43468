/* The log: one line an event on standard error, as `key=value` text or as JSON.
 *
 * An event is a fixed message plus typed fields, so that both forms can be searched:
 *     log_info("listening", log_text("address", address), log_int("workers", count));
 * Fields are evaluated only where the level is on, so a log_debug() costs a comparison where it is
 * off. Any thread; each line is one write(2). */
#ifndef HEATCAST_BASE_LOG_H
#define HEATCAST_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
    const char *key; /* NULL ends the list */
    enum { LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_REAL } type;
    union {
        const char *text;
        int64_t integer;
        double real;
    } value;
};

static inline struct log_field log_text(const char *key, const char *text)
{
    return (struct log_field){.key = key, .type = LOG_FIELD_TEXT, .value = {.text = text}};
}

static inline struct log_field log_int(const char *key, int64_t integer)
{
    return (struct log_field){.key = key, .type = LOG_FIELD_INT, .value = {.integer = integer}};
}

static inline struct log_field log_real(const char *key, double real)
{
    return (struct log_field){.key = key, .type = LOG_FIELD_REAL, .value = {.real = real}};
}

/* The message travels as the first field. */
#define log_at(level, message, ...)                                                                \
    (log_is_on(level) ? log_event(level, (const struct log_field[]){log_text("message", message),  \
                                                                    ##__VA_ARGS__,                 \
                                                                    {.key = 0}})                   \
                      : (void)0)
#define log_debug(message, ...) log_at(LOG_DEBUG, message, ##__VA_ARGS__)
#define log_info(message, ...) log_at(LOG_INFO, message, ##__VA_ARGS__)
#define log_warn(message, ...) log_at(LOG_WARN, message, ##__VA_ARGS__)
#define log_error(message, ...) log_at(LOG_ERROR, message, ##__VA_ARGS__)

/* Set once, before other threads start. The default is info, text. */
void log_configure(enum log_level level, enum log_format format);
bool log_is_on(enum log_level level);

/* Writes the line, whatever the level; the macros above test that first. */
void log_event(enum log_level level, const struct log_field *fields);

#endif
