/* Writes JSON (RFC 8259) into a buffer. It writes the commas and escapes, so the
 * result is JSON as long as what is opened is closed.
 *
 *     struct json json = json_start(&out);
 *     json_open_object(&json);
 *     json_member_text(&json, "symbol", "BTCUSDT");
 *     json_key(&json, "levels");
 *     json_open_array(&json);
 *     json_int(&json, 7);
 *     json_close_array(&json);
 *     json_close_object(&json);
 *
 * The writer owns nothing; the buffer grows. Keys are written as they are: the program's own names,
 * without characters that JSON escapes. One thread at a time.
 *
 * jansson, which reads JSON here, has a json_integer() and a json_null() too, and a program's
 * functions would replace those inside the library: hence json_int() and json_none(). */
#ifndef HEATCAST_BASE_JSON_H
#define HEATCAST_BASE_JSON_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
    struct buffer *out;
    bool needs_comma; /* a value stands before the next one */
};

/* Continues where the buffer ends. */
struct json json_start(struct buffer *out);

void json_open_object(struct json *json);
void json_close_object(struct json *json);
void json_open_array(struct json *json);
void json_close_array(struct json *json);
void json_key(struct json *json, const char *key); /* the member's value comes next */

/* Text that is not valid UTF-8 has U+FFFD in its place. */
void json_text(struct json *json, const char *text);
void json_text_of(struct json *json, const char *text, size_t size); /* not terminated */
void json_int(struct json *json, int64_t value);
void json_decimal(struct json *json, int64_t value_e8); /* exact, without exponent */
void json_number(struct json *json, double value);      /* 10 significant digits; NaN is null */
void json_bool(struct json *json, bool value);
void json_none(struct json *json);                               /* null */
void json_time(struct json *json, int64_t time_ms);              /* "2025-12-28T14:30:00Z" */
void json_raw(struct json *json, const char *text, size_t size); /* is JSON already */

/* One value that the caller appends to the buffer without the writer: text that is made in pieces.
 */
void json_begin_raw(struct json *json);

/* A key and its value. */
void json_member_text(struct json *json, const char *key, const char *text);
void json_member_integer(struct json *json, const char *key, int64_t value);
void json_member_decimal(struct json *json, const char *key, int64_t value_e8);
void json_member_number(struct json *json, const char *key, double value);
void json_member_bool(struct json *json, const char *key, bool value);
void json_member_null(struct json *json, const char *key);
void json_member_time(struct json *json, const char *key, int64_t time_ms);

#endif
