/* The log: one line per event on standard error, as `key=value` text or as JSON.
 *
 * An event is a fixed message plus typed fields, so that both forms can be searched:
 *     log_info("listening", log_text("address", address), log_int("workers", count));
 * Any thread. Between log_start() and log_stop() a call never waits for the reader of the log: a
 * thread writes the lines, and those that find its queue full are lost, counted, and mentioned in
 * the log when it moves again. Otherwise each call writes its line itself. */
#ifndef HEATCAST_BASE_LOG_H
#define HEATCAST_BASE_LOG_H

#include <stdatomic.h>
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

/* The lowest level that is written; log_configure() sets it. */
extern enum log_level log_threshold;

/* One event. Of a level that is off, the level is all that is looked at: the arguments are not
 * evaluated, so a call may compute what it logs, and must not do anything else there. The message
 * travels as the first field. */
#define log_at(level, message, ...)                                                                \
    ((level) < log_threshold                                                                       \
         ? (void)0                                                                                 \
         : log_event(level, (const struct log_field[]){                                            \
                                log_text("message", message), ##__VA_ARGS__, {.key = 0}}))
#define log_debug(message, ...) log_at(LOG_DEBUG, message, ##__VA_ARGS__)
#define log_info(message, ...) log_at(LOG_INFO, message, ##__VA_ARGS__)
#define log_warn(message, ...) log_at(LOG_WARN, message, ##__VA_ARGS__)
#define log_error(message, ...) log_at(LOG_ERROR, message, ##__VA_ARGS__)

/* For lines that others may cause as often as they like. Zeroed, it lets the first one through. */
struct log_pause {
    atomic_uint_least64_t until_ns;
};

#define LOG_PAUSE_MS 60000

/* Whether a line may be written; if so, the next one may after LOG_PAUSE_MS. Any thread. */
bool log_end_pause(struct log_pause *pause);

/* Once, before other threads start. The default is info, text. */
void log_configure(enum log_level level, enum log_format format);

#define LOG_QUEUE_BYTES_MAX (256 * 1024) /* lines that wait to be written */
#define LOG_STOP_TIMEOUT_MS 500          /* what is not written by then is lost */

/* Starts and stops the thread that writes. Calls on one thread; while no other thread logs. */
void log_start(void);
void log_stop(void);

/* How many lines were lost so far. Any thread. */
uint64_t log_lost(void);

/* Writes the line, whatever its level. For the macros above. */
void log_event(enum log_level level, const struct log_field *fields);

#endif
