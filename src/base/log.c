/* A log is read by a person in a hurry and searched by programs, so a line is a fixed message and
 * typed fields, never a sentence with values inside. It goes to standard error, where systemd,
 * containers and terminals collect it; files and rotation are their business.
 *
 * The reader of standard error may stop reading: a pager, a terminal with Ctrl-S, a collector that
 * hangs. A write(2) would then wait for it, and with it the worker loop that logs, and all clients.
 * So a server's lines go into a queue of bounded size, which is locked for the length of a copy,
 * and a thread of its own writes them. The thread writes only what poll(2) says will be taken, so
 * that it can be stopped even while no one reads. Commands that run for a moment do without it.
 *
 * What is quoted may hold anything a client sent, so text with blanks, quotes or control characters
 * is a JSON string in the text format too, and one event stays one line. Level and format are set
 * before other threads start, and only read afterwards. */
#include "base/log.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/iso_time.h"
#include "base/json.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* A pipe that is ready takes at least PIPE_BUF bytes (POSIX write(2)). */
enum { WRITE_SIZE_MAX = 4096, POLL_MS = 50 };

enum log_level log_threshold = LOG_INFO;

static enum log_format line_format = LOG_FORMAT_TEXT;

/* The thread that writes. */
static struct {
    bool is_running; /* set and cleared while no other thread logs */
    pthread_t thread;
    pthread_mutex_t lock; /* of the queue, the flag and the count of lines not mentioned yet */
    pthread_cond_t changed;
    struct buffer queue;
    bool is_stopping;
    uint64_t stop_by_ns;
    uint64_t unmentioned;
    atomic_uint_least64_t lost; /* relaxed: a counter orders nothing */
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_configure(enum log_level level, enum log_format format)
{
    log_threshold = level;
    line_format = format;
}

/* Visible ASCII alone, so that text which is not UTF-8 is never written as it is. */
static bool is_plain_word(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~' || *text == '"' || *text == '=' || *text == '\\')
            return false;
    return true;
}

static void append_string(struct buffer *line, const char *text)
{
    if (is_plain_word(text))
        buffer_append_text(line, text);
    else
        buffer_append_json_string(line, text, strlen(text));
}

static void append_text_value(struct buffer *line, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_TEXT:
        append_string(line, field->value.text != NULL ? field->value.text : "");
        break;
    case LOG_FIELD_INT:
        buffer_append_int(line, field->value.integer);
        break;
    case LOG_FIELD_REAL:
        buffer_append_format(line, "%.6g", field->value.real);
        break;
    }
}

/* time level message key=value key=value */
static void append_text_line(struct buffer *line, const char *time, enum log_level level,
                             const struct log_field *fields)
{
    buffer_append_format(line, "%s %-5s %s", time, level_names[level], fields->value.text);
    for (const struct log_field *field = fields + 1; field->key != NULL; field++) {
        buffer_append_format(line, " %s=", field->key);
        append_text_value(line, field);
    }
}

static void append_json_member(struct json *json, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_TEXT:
        json_member_text(json, field->key, field->value.text != NULL ? field->value.text : "");
        break;
    case LOG_FIELD_INT:
        json_member_integer(json, field->key, field->value.integer);
        break;
    case LOG_FIELD_REAL:
        json_member_number(json, field->key, field->value.real);
        break;
    }
}

/* {"time":"...","level":"...","message":"...","key":value} */
static void append_json_line(struct buffer *line, const char *time, enum log_level level,
                             const struct log_field *fields)
{
    struct json json = json_start(line);
    json_open_object(&json);
    json_member_text(&json, "time", time);
    json_member_text(&json, "level", level_names[level]);
    for (const struct log_field *field = fields; field->key != NULL; field++)
        append_json_member(&json, field);
    json_close_object(&json);
}

static void append_line(struct buffer *line, enum log_level level, const struct log_field *fields)
{
    char time[ISO_TIME_SIZE];
    iso_time_format(clock_wall_ms(), time);
    if (line_format == LOG_FORMAT_TEXT)
        append_text_line(line, time, level, fields);
    else
        append_json_line(line, time, level, fields);
    buffer_append_char(line, '\n');
}

/* -- the thread -------------------------------------------------------------------------------- */

static void enqueue(const struct buffer *line)
{
    pthread_mutex_lock(&writer.lock);
    if (writer.queue.size + line->size <= LOG_QUEUE_BYTES_MAX) {
        buffer_append(&writer.queue, line->data, line->size);
    } else {
        writer.unmentioned++;
        atomic_fetch_add_explicit(&writer.lost, 1, memory_order_relaxed);
    }
    pthread_cond_signal(&writer.changed);
    pthread_mutex_unlock(&writer.lock);
}

static bool is_late(void)
{
    pthread_mutex_lock(&writer.lock);
    bool is_late = writer.is_stopping && clock_monotonic_ns() >= writer.stop_by_ns;
    pthread_mutex_unlock(&writer.lock);
    return is_late;
}

/* Writes all of it, or until it is too late. Errors have nowhere to be reported. */
static void write_out(const char *bytes, size_t size)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    while (size > 0 && !is_late()) {
        if (poll(&ready, 1, POLL_MS) <= 0)
            continue;
        ssize_t count =
            write(STDERR_FILENO, bytes, size < WRITE_SIZE_MAX ? size : (size_t)WRITE_SIZE_MAX);
        if (count < 0 && errno != EINTR && errno != EAGAIN)
            return;
        if (count > 0) {
            bytes += count;
            size -= (size_t)count;
        }
    }
}

/* Takes what waits, and a line about what was lost since the last time. False at the end. */
static bool take_queue(struct buffer *lines)
{
    pthread_mutex_lock(&writer.lock);
    while (writer.queue.size == 0 && !writer.is_stopping)
        pthread_cond_wait(&writer.changed, &writer.lock);
    struct buffer taken = writer.queue;
    uint64_t lost = writer.unmentioned;
    writer.queue = *lines;
    buffer_clear(&writer.queue);
    writer.unmentioned = 0;
    pthread_mutex_unlock(&writer.lock);
    *lines = taken;
    if (lost > 0)
        append_line(lines, LOG_WARN,
                    (const struct log_field[]){log_text("message", "log lines lost"),
                                               log_int("count", (int64_t)lost),
                                               log_text("reason", "the log was not read in time"),
                                               {.key = 0}});
    return lines->size > 0;
}

static void *run_writer(void *unused)
{
    (void)unused;
    struct buffer lines = {0};
    while (take_queue(&lines))
        write_out(lines.data, lines.size);
    buffer_deinit(&lines);
    return NULL;
}

void log_start(void)
{
    check(!writer.is_running);
    writer.is_running = true;
    check(pthread_create(&writer.thread, NULL, run_writer, NULL) == 0);
    pthread_setname_np(writer.thread, "log");
}

void log_stop(void)
{
    check(writer.is_running);
    pthread_mutex_lock(&writer.lock);
    writer.is_stopping = true;
    writer.stop_by_ns = clock_monotonic_ns() + LOG_STOP_TIMEOUT_MS * UINT64_C(1000000);
    pthread_cond_signal(&writer.changed);
    pthread_mutex_unlock(&writer.lock);
    pthread_join(writer.thread, NULL);
    buffer_deinit(&writer.queue);
    writer.is_running = writer.is_stopping = false;
}

/* Nothing is ordered by it: of two threads at the same moment one writes. */
bool log_end_pause(struct log_pause *pause)
{
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t until_ns = atomic_load_explicit(&pause->until_ns, memory_order_relaxed);
    return now_ns >= until_ns &&
           atomic_compare_exchange_strong_explicit(&pause->until_ns, &until_ns,
                                                   now_ns + LOG_PAUSE_MS * UINT64_C(1000000),
                                                   memory_order_relaxed, memory_order_relaxed);
}

uint64_t log_lost(void)
{
    return atomic_load_explicit(&writer.lost, memory_order_relaxed);
}

void log_event(enum log_level level, const struct log_field *fields)
{
    struct buffer line = {0};
    append_line(&line, level, fields);
    if (writer.is_running) {
        enqueue(&line);
    } else {
        ssize_t written = write(STDERR_FILENO, line.data, line.size);
        (void)written; /* there is nowhere left to report it */
    }
    buffer_deinit(&line);
}
