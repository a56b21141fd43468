/* Ready is a server that new clients can be sent to: its database can be read now, its last tick
 * could read it too, what it writes (a demo) can be written, Redis answers where it is used, and it
 * is not about to end. Each part is named with its own reason, since the answer is read by a
 * person whose server does not work; but anybody may ask, so what is wrong with the database is
 * told in general words (net/fault.h). The generator and the simulator log it whole. */
#include "serve/readiness.h"

#include "base/json.h"
#include "base/log.h"
#include "engine/inventory.h"
#include "net/fault.h"
#include "serve/collecting.h"
#include "serve/server_internal.h"

enum { READINESS_NAMED_MAX = 20 }; /* symbols of a kind, such as those without data */

/* A writer that held the file during the last tick holds it no more if it could be opened now. */
static enum status check_database(struct server *server, struct error *error)
{
    struct store_session *session = NULL;
    enum status status = store_begin(server->store, &session, error);
    store_end(session);
    if (status != STATUS_OK)
        return status;
    status = generator_check(server->role.generator, error);
    return status == STATUS_OK || status == STATUS_BUSY ? source_status(server->source, NULL, error)
                                                        : status;
}

static bool append_check(struct json *json, const char *name, bool is_ok, const char *reason)
{
    json_member_text(json, name, is_ok ? "ok" : reason);
    return is_ok;
}

static bool append_database(struct server *server, struct json *json)
{
    struct error error;
    if (role_is_relay(server->config))
        return true;
    enum status status = check_database(server, &error);
    if (status != STATUS_OK)
        log_debug("the database is not ready", log_text("reason", error.message));
    return append_check(json, "database", status == STATUS_OK, fault_text(status));
}

static bool append_redis(struct server *server, struct json *json)
{
    struct cluster_reading reading;
    if (server->role.cluster == NULL)
        return true;
    cluster_read(server->role.cluster, &reading);
    return append_check(json, "redis", reading.is_connected, reading.reason);
}

/* Symbols of one kind, of which the first are named. */
struct named_symbols {
    const char *kind;
    size_t count;
    struct buffer names; /* JSON */
};

static void add_symbol(struct named_symbols *symbols, const char *name)
{
    if (symbols->count++ >= READINESS_NAMED_MAX)
        return;
    buffer_append_text(&symbols->names, symbols->count > 1 ? "," : "");
    buffer_append_json_string(&symbols->names, name, strlen(name));
}

static void append_symbols(struct json *json, struct named_symbols *symbols)
{
    if (symbols->count == 0)
        return;
    json_key(json, symbols->kind);
    json_open_object(json);
    json_member_integer(json, "count", (int64_t)symbols->count);
    json_key(json, "symbols");
    json_open_array(json);
    if (symbols->names.size > 0)
        json_raw(json, symbols->names.data, symbols->names.size);
    json_close_array(json);
    json_close_object(json);
}

/* Known to be none, or none of the last day: what is known was found at some time before. */
static bool lacks_interest(const struct server *server, size_t symbol_index, int64_t newest_ms)
{
    int64_t time_ms = publisher_interest_time_ms(server->publisher, symbol_index);
    return time_ms != 0 && newest_ms - time_ms > INVENTORY_OLD_MS;
}

/* Which symbols have no data, or old ones, or candles without open interest, of which no map comes.
 * That makes no server unready: it serves the others, and these as far as they go. */
static void append_data(struct server *server, struct json *json)
{
    const struct symbol_list *list = &server->config->symbols;
    struct named_symbols without = {.kind = "without"}, old = {.kind = "old"};
    struct named_symbols bare = {.kind = "without_open_interest"};
    int64_t now_ms = server_now_ms(server);
    for (size_t i = 0; i < list->count; i++) {
        int64_t newest_ms = publisher_data_time_ms(server->publisher, i);
        if (newest_ms == 0)
            add_symbol(&without, list->names[i]);
        else if (now_ms - newest_ms > INVENTORY_OLD_MS)
            add_symbol(&old, list->names[i]);
        else if (lacks_interest(server, i, newest_ms))
            add_symbol(&bare, list->names[i]);
    }
    bool is_ok = without.count + old.count + bare.count == 0;
    json_key(json, "data");
    json_open_object(json);
    json_member_text(json, "status", is_ok ? "ok" : "degraded");
    append_symbols(json, &without);
    append_symbols(json, &old);
    append_symbols(json, &bare);
    json_close_object(json);
    buffer_deinit(&without.names);
    buffer_deinit(&old.names);
    buffer_deinit(&bare.names);
}

enum status readiness_append_json(struct server *server, struct buffer *out, struct error *error)
{
    struct buffer checks = {0};
    struct json json = json_start(&checks);
    bool is_stopping = atomic_load_explicit(&server->is_stopping, memory_order_relaxed);
    json_open_object(&json);
    bool is_ready = append_database(server, &json);
    is_ready &= append_redis(server, &json);
    is_ready &= append_check(&json, "shutdown", !is_stopping, "in progress");
    json_close_object(&json);

    json = json_start(out);
    json_open_object(&json);
    json_member_text(&json, "status", is_ready ? "ready" : "not ready");
    json_key(&json, "checks");
    json_raw(&json, checks.data, checks.size);
    if (server->role.cluster != NULL)
        json_member_text(&json, "cluster", cluster_state_name(role_cluster_state(&server->role)));
    append_data(server, &json);
    collecting_append_json(server, &json);
    json_close_object(&json);
    buffer_deinit(&checks);
    return is_ready ? STATUS_OK : error_set(error, STATUS_IO, "not ready");
}
