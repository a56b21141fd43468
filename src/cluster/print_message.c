/* As with snapshots (message.c), any program that reaches Redis can publish, and clients get the
 * text as it came. So what they rely on is checked, and a liquidation has no room for much else. */
#include "cluster/print_message.h"

#include "base/iso_time.h"
#include "base/slice.h"
#include "model/publication.h"

#include <jansson.h>
#include <string.h>

static bool is_text_of(const json_t *value, size_t size_max)
{
    const size_t size = json_string_length(value);
    return json_is_string(value) && size > 0 && size <= size_max &&
           strlen(json_string_value(value)) == size;
}

static bool is_amount(const json_t *value)
{
    return json_is_number(value) && json_number_value(value) >= 0;
}

static const char *find_fault(const json_t *root, const char *symbol, int64_t *time_ms)
{
    const json_t *time = json_object_get(root, "time"), *side = json_object_get(root, "side");
    const json_t *named = json_object_get(root, "symbol");
    if (!is_text_of(named, SIZE_MAX) || strcmp(json_string_value(named), symbol) != 0)
        return "'symbol' is not the channel's";
    if (!is_text_of(json_object_get(root, "exchange"), PRINT_EXCHANGE_SIZE_MAX))
        return "'exchange' is not a text of 1 to 32 bytes";
    if (!json_is_string(time) ||
        !iso_time_parse(json_string_value(time), json_string_length(time), time_ms))
        return "'time' is not a time in ISO 8601";
    if (!json_is_string(side) || (strcmp(json_string_value(side), "long") != 0 &&
                                  strcmp(json_string_value(side), "short") != 0))
        return "'side' is neither \"long\" nor \"short\"";
    if (!is_amount(json_object_get(root, "price")) ||
        !is_amount(json_object_get(root, "quantity")) || !is_amount(json_object_get(root, "value")))
        return "'price', 'quantity' and 'value' are not numbers from 0";
    if (!is_text_of(json_object_get(root, "id"), PRINT_ID_SIZE_MAX))
        return "'id' is not a text of 1 to 64 bytes";
    return NULL;
}

static enum print_verdict judge(const json_t *root, const char *symbol, uint64_t *key,
                                struct error *error)
{
    const char *type = json_string_value(json_object_get(root, "type"));
    int64_t time_ms;
    if (type == NULL || strcmp(type, "liquidation") != 0)
        return PRINT_OTHER;
    const char *fault = find_fault(root, symbol, &time_ms);
    if (fault != NULL) {
        error_set(error, STATUS_INVALID, "%s", fault);
        return PRINT_REFUSED;
    }
    *key = publication_print_key(json_string_value(json_object_get(root, "exchange")), time_ms,
                                 json_string_value(json_object_get(root, "id")));
    return PRINT_TAKEN;
}

enum print_verdict print_message_parse(const char *json, size_t size, const char *symbol,
                                       uint64_t *key, struct error *error)
{
    if (size > PRINT_MESSAGE_SIZE_MAX)
        return PRINT_OTHER;
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    enum print_verdict verdict = judge(root, symbol, key, error);
    json_decref(root);
    return verdict;
}
