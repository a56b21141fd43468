/* How exchanges are asked, and how their refusals are judged: what their files share. Pure; any
 * thread. */
#ifndef HEATCAST_SOURCES_COLLECT_EXCHANGE_ASK_H
#define HEATCAST_SOURCES_COLLECT_EXCHANGE_ASK_H

#include "sources/collect/exchange.h"

/* -- requests ---------------------------------------------------------------------------------- */

/* Narrows the request to the `rows_max` rows that one answer may hold, and returns their number. */
int exchange_fit_page(const struct exchange_query *query, struct exchange_request *request,
                      int rows_max);

/* A name in the query of a URL, percent-encoded (RFC 3986 §2.1). Returns `text`. */
enum { EXCHANGE_ENCODED_SIZE = EXCHANGE_NATIVE_SIZE * 3 };
const char *exchange_encode(const char *native, char text[EXCHANGE_ENCODED_SIZE]);

/* A symbol's name taken apart: 1000PEPEUSDT is 3 (digits of the thousand), PEPE and USDT. False if
 * it does not end with USDT or USDC, in which the linear contracts of all exchanges are quoted. */
struct exchange_name_parts {
    int bundle_digits;
    struct slice base, quote;
};
bool exchange_split_name(const char *name, struct exchange_name_parts *parts);

/* A JSON string: `before`, the name, `after`; a comma before it, unless it is the `index` 0. */
void exchange_append_topic(struct buffer *out, size_t index, const char *before, const char *native,
                           const char *after);

/* Adds a name to the list of those that a symbol may have, unless it is there or too long. */
size_t exchange_add_listing(struct exchange_listing *listings, size_t count, int bundle_digits,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));

/* -- verdicts ---------------------------------------------------------------------------------- */

/* Messages quote what exchanges write: control characters become '?'. */
void exchange_make_printable(char *text);

/* Always returns true, so that a judge can end with it. */
bool exchange_judge(struct exchange_verdict *verdict, enum exchange_verdict_kind kind,
                    int64_t until_ms, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* now + Retry-After; 0 if that is not told. */
int64_t exchange_retry_ms(const struct exchange_response *response, int64_t now_ms);

/* A header's whole number; -1 if there is none. */
int64_t exchange_header_number(const struct exchange_response *response, const char *name);

#endif
