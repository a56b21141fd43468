/* These fields are read by rule, not by search: "gzip" stands in "gzipx", in "pack200-gzip" and in
 * "gzip;Q=0", which all mean that gzip is not wanted, and an entity tag may hold a comma. A list
 * may come in several lines, which are one list then (RFC 9110 §5.3). An element that is not what
 * the grammar allows is skipped, and those around it count. */
#include "wire/http_fields.h"

/* -- weights (RFC 9110 §12.4.2) ---------------------------------------------------------------- */

enum { WEIGHT_ONE = 1000, NO_WEIGHT = -1, BAD_WEIGHT = -2 };

/* "0.75" is 750; at most three decimals, and not above 1. */
static int parse_weight(struct slice text)
{
    struct slice whole;
    uint64_t value = 0, decimals = 0;
    slice_split(&text, '.', &whole);
    if (!slice_parse_unsigned(whole, 1, &value) || whole.size != 1 || text.size > 3 ||
        (text.size > 0 && !slice_parse_unsigned(text, 999, &decimals)))
        return BAD_WEIGHT;
    for (size_t digits = text.size; digits < 3; digits++)
        decimals *= 10;
    int weight = (int)(value * WEIGHT_ONE + decimals);
    return weight <= WEIGHT_ONE ? weight : BAD_WEIGHT;
}

/* Cuts ";q=0.5" off an element. Without it the weight is 1. */
static int take_weight(struct slice *item)
{
    struct slice rest = *item, name;
    if (!slice_split(&rest, ';', item))
        return WEIGHT_ONE;
    *item = slice_trim(*item);
    if (!slice_split(&rest, '=', &name) || !slice_equals_ignoring_case(slice_trim(name), "q"))
        return BAD_WEIGHT;
    return parse_weight(slice_trim(rest));
}

struct encodings {
    int gzip, identity, others; /* their weights, or NO_WEIGHT */
};

static void note_encodings(struct encodings *encodings, struct slice value)
{
    struct slice_list list = {.rest = value};
    struct slice item;
    while (slice_list_next(&list, ',', &item)) {
        int weight = take_weight(&item);
        int *noted = slice_equals_ignoring_case(item, "gzip") ||
                             slice_equals_ignoring_case(item, "x-gzip") /* §8.4.1.3 */
                         ? &encodings->gzip
                         : slice_equals_ignoring_case(item, "identity") ? &encodings->identity
                           : slice_equals(item, "*")                    ? &encodings->others
                                                                        : NULL;
        if (noted != NULL && weight > *noted)
            *noted = weight;
    }
}

bool http_accepts_gzip(const struct http_head *head)
{
    struct encodings encodings = {NO_WEIGHT, NO_WEIGHT, NO_WEIGHT};
    for (size_t i = 0; i < head->header_count; i++)
        if (slice_equals_ignoring_case(head->headers[i].name, "Accept-Encoding"))
            note_encodings(&encodings, head->headers[i].value);
    int gzip = encodings.gzip != NO_WEIGHT ? encodings.gzip : encodings.others;
    return gzip > 0 && gzip >= encodings.identity;
}

/* -- entity tags (RFC 9110 §8.8.3) ------------------------------------------------------------- */

struct etag {
    struct slice opaque; /* without the quotes */
    bool is_weak;
};

static bool is_etag_char(char c)
{
    return http_is_value_char(c) && c != ' ' && c != '\t' && c != '"';
}

static bool is_not_comma(char c)
{
    return c != ',';
}

static bool take_etag(struct slice *rest, struct etag *etag)
{
    etag->is_weak = slice_try_take(rest, "W/");
    if (!slice_try_take(rest, "\""))
        return false;
    etag->opaque = slice_take_while(rest, is_etag_char);
    return slice_try_take(rest, "\"");
}

static bool are_equal(const struct etag *one, const struct etag *other, bool is_weak_comparison)
{
    return one->opaque.size == other->opaque.size &&
           memcmp(one->opaque.data, other->opaque.data, one->opaque.size) == 0 &&
           (is_weak_comparison || (!one->is_weak && !other->is_weak));
}

bool http_etag_is_listed(struct slice list, const char *etag, bool is_weak_comparison)
{
    struct slice text = slice_of(etag);
    struct etag wanted, listed;
    if (slice_equals(slice_trim(list), "*"))
        return true;
    if (!take_etag(&text, &wanted))
        return false;
    while (list.size > 0) { /* not slice_list_next(): a tag may hold commas */
        list = slice_trim(list);
        bool is_tag = take_etag(&list, &listed);
        struct slice behind = slice_take_while(&list, is_not_comma);
        slice_try_take(&list, ",");
        if (is_tag && slice_trim(behind).size == 0 &&
            are_equal(&wanted, &listed, is_weak_comparison))
            return true;
    }
    return false;
}

bool http_etag_matches(const struct http_head *head, const char *name, const char *etag,
                       bool is_weak_comparison)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (slice_equals_ignoring_case(head->headers[i].name, name) &&
            http_etag_is_listed(head->headers[i].value, etag, is_weak_comparison))
            return true;
    return false;
}

/* -- subprotocols (RFC 6455 §11.3.4) ----------------------------------------------------------- */

static bool is_token(struct slice text)
{
    size_t size = text.size;
    return size > 0 && slice_take_while(&text, http_is_token_char).size == size;
}

/* True if the known one is in this line. Otherwise `*chosen` is set to the first, unless it is set
 * already. */
static bool choose_from(struct slice value, const char *known, struct slice *chosen)
{
    struct slice_list list = {.rest = value};
    struct slice item;
    while (slice_list_next(&list, ',', &item)) {
        bool is_known = slice_equals(item, known);
        if (is_known || (chosen->size == 0 && is_token(item)))
            *chosen = item;
        if (is_known)
            return true;
    }
    return false;
}

bool http_choose_subprotocol(const struct http_head *head, const char *known, struct slice *chosen)
{
    *chosen = (struct slice){known, 0};
    for (size_t i = 0; i < head->header_count; i++)
        if (slice_equals_ignoring_case(head->headers[i].name, "Sec-WebSocket-Protocol") &&
            choose_from(head->headers[i].value, known, chosen))
            break;
    return chosen->size > 0;
}
