/* A log is read by a person in a hurry and searched by programs, so a line is a fixed message and
 * typed fields, never a sentence with values inside. It goes to standard error, where systemd,
 * containers and terminals collect it; files and rotation are their business.
 *
 * A line is built in memory of the call's own and leaves in one write(2): nothing is locked, and a
 * thread that logs waits for no other. What is quoted may hold anything a client sent, so text with
 * blanks, quotes or control characters is a JSON string in the text format too, and one event stays
 * one line. Level and format are set before other threads start, and only read afterwards. */
#include "base/log.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/iso_time.h"
#include "base/json.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum log_level log_threshold = LOG_INFO;

static enum log_format line_format = LOG_FORMAT_TEXT;
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

void log_event(enum log_level level, const struct log_field *fields)
{
    struct buffer line = {0};
    char time[ISO_TIME_SIZE];
    iso_time_format(clock_wall_ms(), time);
    if (line_format == LOG_FORMAT_TEXT)
        append_text_line(&line, time, level, fields);
    else
        append_json_line(&line, time, level, fields);
    buffer_append_char(&line, '\n');
    ssize_t written = write(STDERR_FILENO, line.data, line.size);
    (void)written; /* there is nowhere left to report it */
    buffer_deinit(&line);
}
