/* All that JSON asks of a writer besides its values is where commas go: before each value but the
 * first of a list. One flag knows that, since opening a list clears it and closing one sets it
 * again; so nesting needs no stack. jansson, which reads JSON here, could write it too, but from a
 * tree that would have to be built first.
 *
 * The levels of a snapshot are written without it (model/): they are most of all text, and nothing
 * there needs escaping. */
#include "base/json.h"

#include "base/decimal.h"
#include "base/iso_time.h"

#include <math.h>

struct json json_start(struct buffer *out)
{
    return (struct json){.out = out};
}

static void begin_value(struct json *json)
{
    if (json->needs_comma)
        buffer_append_char(json->out, ',');
    json->needs_comma = true;
}

static void open_list(struct json *json, char bracket)
{
    begin_value(json);
    buffer_append_char(json->out, bracket);
    json->needs_comma = false;
}

static void close_list(struct json *json, char bracket)
{
    buffer_append_char(json->out, bracket);
    json->needs_comma = true;
}

void json_open_object(struct json *json)
{
    open_list(json, '{');
}

void json_close_object(struct json *json)
{
    close_list(json, '}');
}

void json_open_array(struct json *json)
{
    open_list(json, '[');
}

void json_close_array(struct json *json)
{
    close_list(json, ']');
}

void json_key(struct json *json, const char *key)
{
    begin_value(json);
    buffer_append_char(json->out, '"');
    buffer_append_text(json->out, key);
    buffer_append(json->out, "\":", 2);
    json->needs_comma = false;
}

void json_text(struct json *json, const char *text)
{
    json_text_of(json, text, strlen(text));
}

void json_text_of(struct json *json, const char *text, size_t size)
{
    begin_value(json);
    buffer_append_json_string(json->out, text, size);
}

void json_int(struct json *json, int64_t value)
{
    begin_value(json);
    buffer_append_int(json->out, value);
}

void json_decimal(struct json *json, int64_t value_e8)
{
    begin_value(json);
    decimal_append(json->out, value_e8);
}

void json_number(struct json *json, double value)
{
    begin_value(json);
    if (isfinite(value))
        decimal_append_double(json->out, value);
    else
        buffer_append_text(json->out, "null");
}

void json_bool(struct json *json, bool value)
{
    begin_value(json);
    buffer_append_text(json->out, value ? "true" : "false");
}

void json_none(struct json *json)
{
    begin_value(json);
    buffer_append_text(json->out, "null");
}

void json_time(struct json *json, int64_t time_ms)
{
    char time[ISO_TIME_SIZE];
    json_text(json, iso_time_format(time_ms, time));
}

void json_raw(struct json *json, const char *text, size_t size)
{
    begin_value(json);
    buffer_append(json->out, text, size);
}

void json_begin_raw(struct json *json)
{
    begin_value(json);
}

void json_member_text(struct json *json, const char *key, const char *text)
{
    json_key(json, key);
    json_text(json, text);
}

void json_member_integer(struct json *json, const char *key, int64_t value)
{
    json_key(json, key);
    json_int(json, value);
}

void json_member_decimal(struct json *json, const char *key, int64_t value_e8)
{
    json_key(json, key);
    json_decimal(json, value_e8);
}

void json_member_number(struct json *json, const char *key, double value)
{
    json_key(json, key);
    json_number(json, value);
}

void json_member_bool(struct json *json, const char *key, bool value)
{
    json_key(json, key);
    json_bool(json, value);
}

void json_member_null(struct json *json, const char *key)
{
    json_key(json, key);
    json_none(json);
}

void json_member_time(struct json *json, const char *key, int64_t time_ms)
{
    json_key(json, key);
    json_time(json, time_ms);
}
