/* What single fields of a request mean: lists with weights, entity tags, subprotocols. Pure
 * functions of a head, which must be valid (wire/http_head.h). Any thread. */
#ifndef HEATCAST_WIRE_HTTP_FIELDS_H
#define HEATCAST_WIRE_HTTP_FIELDS_H

#include "wire/http_head.h"

/* Whether the answer may be compressed with gzip, by Accept-Encoding (RFC 9110 §12.5.3), and the
 * client does not like it better as it is. Without the field it may not: programs that do not know
 * of compression send none. */
bool http_accepts_gzip(const struct http_head *head);

/* Whether the entity tag (`"abc"`, `W/"abc"`) is in the lists of If-None-Match, compared weakly, or
 * of If-Match, compared strongly (RFC 9110 §8.8.3.2): `name` is the field's. `*` is any tag. False
 * if there is no such field. */
bool http_etag_matches(const struct http_head *head, const char *name, const char *etag,
                       bool is_weak_comparison);

/* The same for the text of one such list, which a caller has kept. */
bool http_etag_is_listed(struct slice list, const char *etag, bool is_weak_comparison);

/* Which of the subprotocols that a WebSocket client offers is answered (RFC 6455 §4.2.2): `known`
 * if it is among them, and otherwise the first, because browsers and libraries that offered any
 * fail the connection if none is chosen. False if none is offered: then none may be named. */
bool http_choose_subprotocol(const struct http_head *head, const char *known, struct slice *chosen);

#endif
