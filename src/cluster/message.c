/* Any program that reaches Redis can publish on the channels, so a text is checked as if it came
 * from an attacker: its size first, then that it is JSON, then that every member that clients rely
 * on is there, of its type and in its range. Clients get the text byte for byte, so nothing may
 * pass that their parsers could read differently.
 *
 * jansson checks the JSON and gives the values, but not where they stand. The extents of "data", of
 * which the content's hash is made, and of the numbers, which may have to be replaced, are found by
 * a second pass over text that is known to be valid. A member that occurs twice is refused, because
 * the two passes could find different ones, and so is one of these whose name is written with
 * escapes, which the second pass does not find. */
#include "cluster/message.h"

#include "base/iso_time.h"
#include "base/json.h"

#include <jansson.h>

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

/* They may be absent. */
static bool read_totals(const json_t *value, struct publication_totals *totals)
{
    const json_t *created = json_object_get(value, "positions_created");
    const json_t *consumed = json_object_get(value, "positions_consumed");
    if (value == NULL)
        return true;
    if (!is_count(created) || !is_count(consumed))
        return false;
    *totals = (struct publication_totals){true, json_integer_value(created),
                                          json_integer_value(consumed)};
    return true;
}

static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) &&
           slice_equals((struct slice){json_string_value(value), json_string_length(value)}, text);
}

static enum message_fault read_values(struct message *message, const json_t *root,
                                      const char *symbol, uint64_t epoch_max, struct error *error)
{
    bool are_numbers_valid = json_is_object(root) && read_numbers(root, message);
    if (!json_is_object(root) || !is_text(json_object_get(root, "type"), "snapshot"))
        return fail(MESSAGE_NOT_A_SNAPSHOT, error, "'type' is not \"snapshot\"");
    if (!json_is_string(json_object_get(root, "symbol")))
        return fail(MESSAGE_NOT_A_SNAPSHOT, error, "'symbol' is not a string");
    if (!is_text(json_object_get(root, "symbol"), symbol))
        return fail(MESSAGE_WRONG_SYMBOL, error, "'symbol' is not the channel's");
    if (!read_time(json_object_get(root, "timestamp"), &message->timestamp_ms))
        return fail(MESSAGE_NOT_A_SNAPSHOT, error, "'timestamp' is not a time in ISO 8601");
    if (!are_numbers_valid)
        return fail(MESSAGE_NOT_A_SNAPSHOT, error,
                    "'epoch' and 'seq' are not two whole numbers from 1 (or both absent)");
    if (!read_totals(json_object_get(root, "totals"), &message->totals))
        return fail(MESSAGE_NOT_A_SNAPSHOT, error,
                    "'totals' is not {\"positions_created\",\"positions_consumed\"} with whole "
                    "numbers");
    if (message->epoch > epoch_max)
        return fail(MESSAGE_WRONG_EPOCH, error,
                    "'epoch' is too great: later snapshots must have a greater one, and clients "
                    "count exactly up to 2^53 only");
    const char *fault = fault_in_data(json_object_get(root, "data"));
    return fault != NULL ? fail(MESSAGE_NOT_A_SNAPSHOT, error, fault) : MESSAGE_OK;
}

/* -- extents; the text is a valid JSON object from here on ------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_plain(char c) /* inside a string */
{
    return c != '"' && c != '\\';
}

static bool is_scalar(char c) /* of a number or a word */
{
    return c != ',' && c != '}' && c != ']' && !is_blank(c);
}

static bool is_between(char c) /* opens and closes nothing */
{
    return c != '"' && c != '{' && c != '}' && c != '[' && c != ']';
}

/* With its quotes. */
static struct slice take_string(struct slice *rest)
{
    struct slice string = *rest;
    slice_take(rest, 1);
    slice_take_while(rest, is_plain);
    while (*slice_take(rest, 1).data == '\\') {
        slice_take(rest, 1);
        slice_take_while(rest, is_plain);
    }
    string.size -= rest->size;
    return string;
}

static struct slice take_value(struct slice *rest)
{
    struct slice value = *rest;
    size_t depth = 0;
    do {
        char c = *rest->data;
        if (c == '"') {
            take_string(rest);
        } else if (is_between(c)) {
            slice_take_while(rest, depth == 0 ? is_scalar : is_between);
        } else {
            depth = c == '{' || c == '[' ? depth + 1 : depth - 1;
            slice_take(rest, 1);
        }
    } while (depth > 0);
    value.size -= rest->size;
    return value;
}

/* Finds the members of the object whose extents are asked for. */
static void find_extents(struct slice rest, struct message *message)
{
    slice_take_while(&rest, is_blank);
    do {
        slice_take(&rest, 1); /* the brace or a comma */
        slice_take_while(&rest, is_blank);
        struct slice name = take_string(&rest);
        slice_take_while(&rest, is_blank);
        slice_take(&rest, 1); /* the colon */
        slice_take_while(&rest, is_blank);
        struct slice value = take_value(&rest);
        if (slice_equals(name, "\"data\""))
            message->data = value;
        else if (slice_equals(name, "\"epoch\""))
            message->epoch_text = value;
        else if (slice_equals(name, "\"seq\""))
            message->seq_text = value;
        slice_take_while(&rest, is_blank);
    } while (*rest.data == ',');
}

static bool has_all_extents(const struct message *message)
{
    return message->data.data != NULL &&
           (!message->is_numbered ||
            (message->epoch_text.data != NULL && message->seq_text.data != NULL));
}

enum message_fault message_parse(struct message *message, const char *json, size_t size,
                                 const char *symbol, uint64_t epoch_max, struct error *error)
{
    *message = (struct message){0};
    if (size > MESSAGE_SIZE_MAX)
        return fail(MESSAGE_TOO_LARGE, error, "it has more than 4 MiB");
    json_error_t why;
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (root == NULL)
        return fail(MESSAGE_NOT_JSON, error, why.text);
    enum message_fault fault = read_values(message, root, symbol, epoch_max, error);
    json_decref(root);
    if (fault != MESSAGE_OK)
        return fault;
    find_extents((struct slice){json, size}, message);
    return has_all_extents(message) ? MESSAGE_OK
                                    : fail(MESSAGE_NOT_A_SNAPSHOT, error,
                                           "a name (data, epoch or seq) is written with escapes");
}

/* -- numbering --------------------------------------------------------------------------------- */

static void append_members(struct buffer *out, const char *json, size_t size, uint64_t epoch,
                           uint64_t seq)
{
    while (json[size - 1] != '}')
        size--;
    buffer_append(out, json, size - 1);
    struct json rest = {.out = out, .needs_comma = true};
    json_member_integer(&rest, "epoch", (int64_t)epoch);
    json_member_integer(&rest, "seq", (int64_t)seq);
    json_close_object(&rest);
}

/* Appends what stands from `from` to the value, and the number instead of it. Returns what stands
 * behind. */
static const char *append_replaced(struct buffer *out, const char *from, struct slice value,
                                   uint64_t number)
{
    buffer_append(out, from, (size_t)(value.data - from));
    buffer_append_int(out, (int64_t)number);
    return value.data + value.size;
}

void message_append_numbered(struct buffer *out, const struct message *message, const char *json,
                             size_t size, uint64_t epoch, uint64_t seq)
{
    const struct slice epoch_text = message->epoch_text, seq_text = message->seq_text;
    const char *rest = json;
    if (!message->is_numbered) {
        append_members(out, json, size, epoch, seq);
        return;
    }
    if (epoch_text.data < seq_text.data) {
        rest = append_replaced(out, rest, epoch_text, epoch);
        rest = append_replaced(out, rest, seq_text, seq);
    } else {
        rest = append_replaced(out, rest, seq_text, seq);
        rest = append_replaced(out, rest, epoch_text, epoch);
    }
    buffer_append(out, rest, (size_t)(json + size - rest));
}
