/* The log: one line an event on standard error, as `key=value` text or as JSON.
 *
 * An event is a fixed message plus typed fields, so that both forms can be searched:
 *     log_info("listening", log_text("address", address), log_int("workers", count));
 * Any thread; each line is one write(2). */
#ifndef HEATCAST_BASE_LOG_H
#define HEATCAST_BASE_LOG_H

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

#define log_text(name, string)                                                                     \
    {.key = (name), .type = LOG_FIELD_TEXT, .value = {.text = (string)}}
#define log_int(name, number)                                                                      \
    {.key = (name), .type = LOG_FIELD_INT, .value = {.integer = (int64_t)(number)}}
#define log_real(name, number)                                                                     \
    {.key = (name), .type = LOG_FIELD_REAL, .value = {.real = (number)}}

#define log_at(level, message, ...)                                                                \
    log_event(level, message, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#define log_debug(message, ...) log_at(LOG_DEBUG, message __VA_OPT__(, ) __VA_ARGS__)
#define log_info(message, ...) log_at(LOG_INFO, message __VA_OPT__(, ) __VA_ARGS__)
#define log_warn(message, ...) log_at(LOG_WARN, message __VA_OPT__(, ) __VA_ARGS__)
#define log_error(message, ...) log_at(LOG_ERROR, message __VA_OPT__(, ) __VA_ARGS__)

/* Set once, before other threads start. The default is info, text. */
void log_configure(enum log_level level, enum log_format format);
void log_event(enum log_level level, const char *message, const struct log_field *fields);

#endif
