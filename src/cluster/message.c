/* jansson checks the JSON and gives the values; the extent of "data", over which the content's hash
 * goes, is then found by a walk over text that is known to be good. A member that stands twice is
 * refused, because the two could find different ones. */
#include "cluster/message.h"

#include "base/iso_time.h"

#include <jansson.h>
#include <string.h>

static enum message_fault fail(enum message_fault fault, struct error *error, const char *what)
{
    error_set(error, STATUS_INVALID, "%s", what);
    return fault;
}

/* -- values ------------------------------------------------------------------------------------ */

static bool is_number_from(const json_t *value, double low)
{
    return json_is_number(value) && json_number_value(value) >= low;
}

static bool is_count(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) <= MESSAGE_NUMBER_MAX;
}

static const char *fault_in_levels(const json_t *levels)
{
    if (!json_is_array(levels))
        return "'data.levels' is not a list";
    for (size_t i = 0; i < json_array_size(levels); i++) {
        const json_t *level = json_array_get(levels, i);
        if (!json_is_object(level) || !is_number_from(json_object_get(level, "price"), 0) ||
            !is_number_from(json_object_get(level, "long_density"), 0) ||
            !is_number_from(json_object_get(level, "short_density"), 0))
            return "a level is not {\"price\",\"long_density\",\"short_density\"} with numbers "
                   "from 0";
    }
    return NULL;
}

static const char *fault_in_data(const json_t *data)
{
    if (!json_is_object(data))
        return "'data' is not an object";
    if (!is_number_from(json_object_get(data, "current_price"), 0))
        return "'data.current_price' is not a number from 0";
    if (!is_count(json_object_get(data, "positions_created")) ||
        !is_count(json_object_get(data, "positions_consumed")))
        return "'data.positions_created' and 'data.positions_consumed' are not whole numbers";
    return fault_in_levels(json_object_get(data, "levels"));
}

static bool read_time(const json_t *value, int64_t *time_ms)
{
    return json_is_string(value) &&
           iso_time_parse(json_string_value(value), json_string_length(value), time_ms);
}

/* Both numbers or neither. */
static bool read_numbers(const json_t *root, struct message *message)
{
    const json_t *epoch = json_object_get(root, "epoch"), *seq = json_object_get(root, "seq");
    message->is_numbered = epoch != NULL || seq != NULL;
    if (!message->is_numbered)
        return true;
    if (!is_count(epoch) || !is_count(seq) || json_integer_value(epoch) == 0 ||
        json_integer_value(seq) == 0)
        return false;
    message->epoch = (uint64_t)json_integer_value(epoch);
    message->seq = (uint64_t)json_integer_value(seq);
    return true;
}

static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) && json_string_length(value) == strlen(text) &&
           memcmp(json_string_value(value), text, strlen(text)) == 0;
}

static enum message_fault read_values(struct message *message, const json_t *root,
                                      const char *symbol, int64_t now_ms, struct error *error)
{
    if (!json_is_object(root) || !is_text(json_object_get(root, "type"), "snapshot"))
        return fail(MESSAGE_NOT_A_SNAPSHOT, error, "'type' is not \"snapshot\"");
    if (!json_is_string(json_object_get(root, "symbol")))
        return fail(MESSAGE_NOT_A_SNAPSHOT, error, "'symbol' is not a string");
    if (!is_text(json_object_get(root, "symbol"), symbol))
        return fail(MESSAGE_WRONG_SYMBOL, error, "'symbol' is not the channel's");
    if (!read_time(json_object_get(root, "timestamp"), &message->timestamp_ms))
        return fail(MESSAGE_NOT_A_SNAPSHOT, error, "'timestamp' is not a time in ISO 8601");
    if (!read_numbers(root, message))
        return fail(MESSAGE_NOT_A_SNAPSHOT, error,
                    "'epoch' and 'seq' are not two whole numbers from 1 (or both absent)");
    if (message->is_numbered && (int64_t)message->epoch > now_ms + MESSAGE_EPOCH_AHEAD_MS)
        return fail(MESSAGE_WRONG_EPOCH, error,
                    "'epoch' is more than a day in the future (milliseconds since 1970)");
    const char *fault = fault_in_data(json_object_get(root, "data"));
    return fault != NULL ? fail(MESSAGE_NOT_A_SNAPSHOT, error, fault) : MESSAGE_OK;
}

/* -- extents; the text is valid JSON from here on ---------------------------------------------- */

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static const char *skip_string(const char *at)
{
    for (at++; *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at + 1;
}

static const char *skip_value(const char *at)
{
    size_t depth = 0;
    do {
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        else if (depth == 0) /* a number or a word */
            return at + strcspn(at, ",}] \t\r\n");
        at++;
    } while (depth > 0);
    return at;
}

/* False where the name is spelt with escapes, which nobody has a reason to do. */
static bool find_data(struct message *message, const char *json)
{
    const char *at = skip_blanks(json);
    do {
        const char *name = skip_blanks(at + 1);
        const char *value = skip_blanks(skip_blanks(skip_string(name)) + 1);
        at = skip_value(value);
        if (strncmp(name, "\"data\"", 6) == 0) {
            message->data = value;
            message->data_size = (size_t)(at - value);
            return true;
        }
        at = skip_blanks(at);
    } while (*at == ',');
    return false;
}

enum message_fault message_parse(struct message *message, const char *json, size_t size,
                                 const char *symbol, int64_t now_ms, struct error *error)
{
    *message = (struct message){0};
    if (size > MESSAGE_SIZE_MAX)
        return fail(MESSAGE_TOO_LARGE, error, "it has more than 4 MiB");
    json_error_t why;
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (root == NULL)
        return fail(MESSAGE_NOT_JSON, error, why.text);
    enum message_fault fault = read_values(message, root, symbol, now_ms, error);
    json_decref(root);
    if (fault == MESSAGE_OK && !find_data(message, json))
        return fail(MESSAGE_NOT_A_SNAPSHOT, error, "the name \"data\" is spelt with escapes");
    return fault;
}

void message_append_numbered(struct buffer *out, const char *json, size_t size, uint64_t epoch,
                             uint64_t seq)
{
    while (json[size - 1] != '}')
        size--;
    buffer_append(out, json, size - 1);
    buffer_append_text(out, ",\"epoch\":");
    buffer_append_int(out, (int64_t)epoch);
    buffer_append_text(out, ",\"seq\":");
    buffer_append_int(out, (int64_t)seq);
    buffer_append_char(out, '}');
}
