/* The parts of asking that no exchange does differently: how much of what is wanted fits a page,
 * how names are encoded, what a refusal says of waiting. Exchanges' own words are in their own
 * files. */
#include "sources/collect/exchange_ask.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* -- requests ---------------------------------------------------------------------------------- */

int exchange_fit_page(const struct exchange_query *query, struct exchange_request *request,
                      int rows_max)
{
    int64_t page_ms = rows_max * CANDLE_MS;
    if (request->end_ms - request->start_ms > page_ms) {
        if (query->is_newest_first)
            request->start_ms = request->end_ms - page_ms;
        else
            request->end_ms = request->start_ms + page_ms;
    }
    return (int)((request->end_ms - request->start_ms) / CANDLE_MS);
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

const char *exchange_encode(const char *native, char text[EXCHANGE_ENCODED_SIZE])
{
    char *to = text;
    for (const char *at = native; *at != '\0'; at++) {
        if (is_unreserved(*at))
            *to++ = *at;
        else
            to += sprintf(to, "%%%02X", (unsigned char)*at);
    }
    *to = '\0';
    return text;
}

void exchange_append_topic(struct buffer *out, size_t index, const char *before, const char *native,
                           const char *after)
{
    char topic[EXCHANGE_NATIVE_SIZE + 64];
    int size = snprintf(topic, sizeof topic, "%s%s%s", before, native, after);
    check(size > 0 && (size_t)size < sizeof topic);
    if (index > 0)
        buffer_append_char(out, ',');
    buffer_append_json_string(out, topic, (size_t)size);
}

bool exchange_split_name(const char *name, struct exchange_name_parts *parts)
{
    enum { QUOTE_SIZE = 4, BUNDLE_DIGITS_MIN = 3, BUNDLE_DIGITS_MAX = 9 };
    struct slice base = slice_of(name);
    if (base.size <= QUOTE_SIZE)
        return false;
    struct slice quote = {base.data + base.size - QUOTE_SIZE, QUOTE_SIZE};
    if (!slice_equals(quote, "USDT") && !slice_equals(quote, "USDC"))
        return false;
    base.size -= QUOTE_SIZE;
    size_t zeros = 0;
    while (base.data[0] == '1' && zeros + 1 < base.size && base.data[zeros + 1] == '0')
        zeros++;
    bool is_bundle =
        zeros >= BUNDLE_DIGITS_MIN && zeros <= BUNDLE_DIGITS_MAX && zeros + 1 < base.size;
    slice_take(&base, is_bundle ? zeros + 1 : 0);
    *parts = (struct exchange_name_parts){
        .bundle_digits = is_bundle ? (int)zeros : 0, .base = base, .quote = quote};
    return true;
}

size_t exchange_add_listing(struct exchange_listing *listings, size_t count, int bundle_digits,
                            const char *format, ...)
{
    if (count == EXCHANGE_LISTINGS_MAX)
        return count;
    struct exchange_listing *listing = &listings[count];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(listing->native, sizeof listing->native, format, arguments);
    va_end(arguments);
    listing->bundle_digits = bundle_digits;
    if (size <= 0 || (size_t)size >= sizeof listing->native)
        return count;
    for (size_t i = 0; i < count; i++)
        if (strcmp(listings[i].native, listing->native) == 0)
            return count;
    return count + 1;
}

/* -- verdicts ---------------------------------------------------------------------------------- */

void exchange_make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

bool exchange_judge(struct exchange_verdict *verdict, enum exchange_verdict_kind kind,
                    int64_t until_ms, const char *format, ...)
{
    va_list arguments;
    verdict->kind = kind;
    verdict->until_ms = until_ms;
    va_start(arguments, format);
    vsnprintf(verdict->message, sizeof verdict->message, format, arguments);
    va_end(arguments);
    exchange_make_printable(verdict->message);
    return true;
}

int64_t exchange_retry_ms(const struct exchange_response *response, int64_t now_ms)
{
    enum { WEEK_SECONDS = 7 * 24 * 3600 };
    int64_t seconds = response->retry_after_seconds;
    if (seconds < 0)
        return 0;
    return now_ms + (seconds < WEEK_SECONDS ? seconds : WEEK_SECONDS) * 1000;
}

int64_t exchange_header_number(const struct exchange_response *response, const char *name)
{
    const char *text =
        response->find_header != NULL ? response->find_header(name, response->context) : NULL;
    uint64_t number;
    if (text == NULL || !slice_parse_unsigned(slice_trim(slice_of(text)), INT64_MAX, &number))
        return -1;
    return (int64_t)number;
}
