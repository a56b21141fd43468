/* A liquidation goes to the clients when it is heard, and not when it is written: the database may
 * be held by another program for a while. Here it becomes the message that all of them get, and
 * other servers too (docs/protocol.md). Two servers may hear the same one; what it is known by in
 * the database is what it is known by here. */
#include "serve/prints.h"

#include "base/json.h"

void prints_publish(struct server *server, size_t symbol_index, const struct liquidation_row *row)
{
    struct buffer text = {0};
    struct json json = json_start(&text);
    json_open_object(&json);
    json_member_text(&json, "type", "liquidation");
    json_member_text(&json, "symbol", row->symbol);
    json_member_text(&json, "exchange", row->exchange);
    json_member_time(&json, "time", row->time_ms);
    json_member_text(&json, "side", row->is_long ? "long" : "short");
    json_member_decimal(&json, "price", row->price_e8);
    json_member_decimal(&json, "quantity", row->quantity_e8);
    json_member_decimal(&json, "value", row->value_e8);
    json_member_text(&json, "id", row->id);
    json_close_object(&json);
    role_publish_print(&server->role, symbol_index,
                       publication_print_key(row->exchange, row->time_ms, row->id), text.data,
                       text.size);
    buffer_deinit(&text);
}
