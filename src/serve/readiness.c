/* Ready is a server that new clients can be sent to: its database can be read now, its last tick
 * could read it too, what it writes (a demo) can be written, Redis answers where it is used, and it
 * is not about to end. Each part is named with its own reason, since the answer is read by a
 * person whose server does not work; but anybody may ask, so what is wrong with the database is
 * told in general words (net/fault.h). The generator and the simulator log it whole. */
#include "serve/readiness.h"

#include "base/json.h"
#include "base/log.h"
#include "net/fault.h"
#include "serve/collecting.h"
#include "serve/server_internal.h"

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
    collecting_append_json(server, &json);
    json_close_object(&json);
    buffer_deinit(&checks);
    return is_ready ? STATUS_OK : error_set(error, STATUS_IO, "not ready");
}
