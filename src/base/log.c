#include "base/log.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/iso_time.h"

#include <stdbool.h>
#include <unistd.h>

static enum log_level threshold = LOG_INFO;
static enum log_format line_format = LOG_FORMAT_TEXT;
static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_configure(enum log_level level, enum log_format format)
{
    threshold = level;
    line_format = format;
}

static bool is_plain_word(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text == '"' || *text == '=' || *text == '\\' || *text == 0x7f)
            return false;
    return true;
}

static void append_string(struct buffer *line, const char *text)
{
    if (text == NULL)
        text = "";
    if (line_format == LOG_FORMAT_TEXT && is_plain_word(text))
        buffer_append_text(line, text);
    else
        buffer_append_json_string(line, text, strlen(text));
}

static void append_key(struct buffer *line, const char *key)
{
    if (line_format == LOG_FORMAT_TEXT)
        buffer_append_format(line, " %s=", key);
    else
        buffer_append_format(line, ",\"%s\":", key);
}

static void append_field(struct buffer *line, const struct log_field *field)
{
    append_key(line, field->key);
    switch (field->type) {
    case LOG_FIELD_TEXT:
        append_string(line, field->value.text);
        break;
    case LOG_FIELD_INT:
        buffer_append_int(line, field->value.integer);
        break;
    case LOG_FIELD_REAL:
        buffer_append_format(line, "%.6g", field->value.real);
        break;
    }
}

bool log_is_on(enum log_level level)
{
    return level >= threshold;
}

void log_event(enum log_level level, const struct log_field *fields)
{
    struct buffer line = {0};
    const char *message = fields[0].value.text;
    char time[ISO_TIME_SIZE];
    iso_time_format(clock_wall_ms(), time);
    if (line_format == LOG_FORMAT_TEXT) {
        buffer_append_format(&line, "%s %-5s %s", time, level_names[level], message);
    } else {
        buffer_append_format(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", time,
                             level_names[level]);
        buffer_append_json_string(&line, message, strlen(message));
    }
    for (const struct log_field *field = fields + 1; field->key != NULL; field++)
        append_field(&line, field);
    buffer_append_text(&line, line_format == LOG_FORMAT_TEXT ? "\n" : "}\n");
    ssize_t written = write(STDERR_FILENO, line.data, line.size);
    (void)written; /* there is nowhere left to report it */
    buffer_deinit(&line);
}
