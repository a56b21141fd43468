/* What clients may ask, and what they are answered. A wrong message gets an error and changes
 * nothing: a program with a mistake in one message keeps its subscriptions and its connection.
 * Only a client that stays over its allowance is closed, after so many refusals that it cannot be a
 * burst.
 *
 * An answer is never much longer than the message that it answers: what a message names is repeated
 * once, a few unknown names stand for all, an id is short. What is left, a compressed message that
 * is long only here, is charged to the sender's allowance, with its answers.
 *
 * jansson reads the messages, which are small and foreign; the answers are written by
 * base/json. */
#include "stream/request.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/slice.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { UPDATE_INTERVAL_MIN_MS = 1000, UPDATE_INTERVAL_MAX_MS = 60000 };

/* Of what an error quotes or lists. */
enum { UNKNOWN_SHOWN_MAX = 3, UNKNOWN_KEPT_MAX = 64, NAME_SHOWN_MAX = 40 };

#define TEXT_OF(number) TEXT_OF_(number)
#define TEXT_OF_(number) #number

static const char wrong_id[] =
    "'id' must be an integer or a string of at most " TEXT_OF(REQUEST_ID_SIZE_MAX) " bytes";
static const char too_many_messages[] =
    "More than " TEXT_OF(ALLOWANCE_PER_SECOND) " messages a second; this one was ignored";

/* -- answers ----------------------------------------------------------------------------------- */

static struct json begin_reply(struct buffer *out, const char *type)
{
    struct json json = json_start(out);
    json_open_object(&json);
    json_member_text(&json, "type", type);
    return json;
}

static void send_reply(struct session *session, struct json *json)
{
    json_close_object(json);
    session_reply(session, WS_TEXT, json->out->data, json->out->size);
    buffer_deinit(json->out);
}

static void append_id(struct json *json, const json_t *id)
{
    if (id == NULL)
        return;
    json_key(json, "id");
    if (json_is_integer(id))
        json_int(json, json_integer_value(id));
    else
        json_text_of(json, json_string_value(id), json_string_length(id));
}

static void reply_error(struct session *session, const json_t *id, const char *code,
                        const char *message)
{
    struct buffer out = {0};
    struct json json = begin_reply(&out, "error");
    json_member_text(&json, "code", code);
    json_member_text(&json, "message", message);
    append_id(&json, id);
    send_reply(session, &json);
}

static void on_unavailable(struct session *session, const char *symbol, enum status status)
{
    char message[128];
    const char *why = status == STATUS_BUSY          ? "the database is locked by a writer"
                      : status == STATUS_NOT_FOUND   ? "the database, or a part of it, is missing"
                      : status == STATUS_UNREACHABLE ? "the server that makes it cannot be reached"
                                                     : "the database cannot be read";
    snprintf(message, sizeof message, "No snapshot of %s yet: %s. It follows when there is one",
             symbol, why);
    reply_error(session, NULL, "SERVER_ERROR", message);
}

/* -- names of symbols -------------------------------------------------------------------------- */

/* The names of a list: those that are symbols, each once, and the others. Of these the first are
 * kept, each once, and the rest is counted. */
struct names {
    size_t symbol_count, unknown_count;
    uint64_t is_there[SYMBOLS_MAX / 64]; /* a bit for each symbol */
    uint16_t symbols[SYMBOLS_MAX];       /* places */
    struct slice unknown[UNKNOWN_KEPT_MAX];
};

static void clear_names(struct names *names)
{
    names->symbol_count = names->unknown_count = 0;
    memset(names->is_there, 0, sizeof names->is_there);
}

static void add_symbol(struct names *names, size_t index)
{
    const uint64_t bit = UINT64_C(1) << index % 64;
    if ((names->is_there[index / 64] & bit) != 0)
        return;
    names->is_there[index / 64] |= bit;
    names->symbols[names->symbol_count++] = (uint16_t)index;
}

static void add_unknown(struct names *names, struct slice name)
{
    for (size_t i = 0; i < names->unknown_count && i < UNKNOWN_KEPT_MAX; i++)
        if (names->unknown[i].size == name.size &&
            (name.size == 0 || memcmp(names->unknown[i].data, name.data, name.size) == 0))
            return;
    if (names->unknown_count < UNKNOWN_KEPT_MAX)
        names->unknown[names->unknown_count] = name;
    names->unknown_count++;
}

/* The name is not copied. */
static void add_name(struct names *names, const struct symbol_list *symbols, struct slice name)
{
    int index = symbol_list_find(symbols, name.data, name.size);
    if (index >= 0)
        add_symbol(names, (size_t)index);
    else
        add_unknown(names, name);
}

/* "'A', 'B' and 7 more" */
static void append_unknown(struct buffer *text, const struct names *names)
{
    size_t count = names->unknown_count;
    size_t shown = count < UNKNOWN_SHOWN_MAX ? count : UNKNOWN_SHOWN_MAX;
    for (size_t i = 0; i < shown; i++) {
        struct slice name = names->unknown[i];
        buffer_append_text(text, i == 0 ? "'" : i + 1 < count ? ", '" : " and '");
        buffer_append(text, name.data, name.size < NAME_SHOWN_MAX ? name.size : NAME_SHOWN_MAX);
        buffer_append_text(text, "'");
    }
    if (shown < count)
        buffer_append_format(text, " and %zu more", count - shown);
}

/* One error for all of them: a list of unknown names costs no more than one. */
static void reply_unknown(struct session *session, const json_t *id, const struct names *names)
{
    if (names->unknown_count == 0)
        return;
    struct buffer text = {0};
    buffer_append_text(&text, names->unknown_count == 1 ? "Symbol " : "Symbols ");
    append_unknown(&text, names);
    buffer_append_text(&text, " not supported. Valid: ");
    symbol_list_append_some(&text, session_hub(session)->symbols);
    reply_error(session, id, "INVALID_SYMBOL", buffer_text(&text));
    buffer_deinit(&text);
}

/* -- requests ---------------------------------------------------------------------------------- */

/* What can be followed of a symbol; a bit each. */
enum { CHANNEL_SNAPSHOTS = 1, CHANNEL_LIQUIDATIONS = 2 };

struct request {
    const char *action;
    unsigned channels;
    const json_t *id; /* NULL: no acknowledgement is wanted */
    bool has_names;
    struct names names;
    struct subscription_wish wish;
};

/* Reads a list of names. Returns what is wrong with it, or NULL. */
static const char *read_names(const json_t *list, const struct symbol_list *symbols,
                              struct names *names)
{
    clear_names(names);
    if (!json_is_array(list) || json_array_size(list) == 0)
        return "'symbols' must be a list of at least one string, as in [\"BTCUSDT\"]";
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *name = json_array_get(list, i);
        if (!json_is_string(name))
            return "'symbols' must hold strings only, as in [\"BTCUSDT\"]";
        add_name(names, symbols, (struct slice){json_string_value(name), json_string_length(name)});
    }
    return NULL;
}

static const char *read_update_interval(const json_t *value, uint32_t *interval_ms)
{
    *interval_ms = 0;
    if (value == NULL || json_is_null(value))
        return NULL;
    if (!json_is_number(value))
        return "'update_interval' must be a number of seconds from 1 to 60";
    double ms = json_number_value(value) * 1000;
    *interval_ms = ms < UPDATE_INTERVAL_MIN_MS   ? UPDATE_INTERVAL_MIN_MS
                   : ms > UPDATE_INTERVAL_MAX_MS ? UPDATE_INTERVAL_MAX_MS
                                                 : (uint32_t)ms;
    return NULL;
}

/* Whether a member is there and true. Returns what is wrong with it, or NULL. */
static const char *read_since_last(const json_t *value, bool *since_last)
{
    *since_last = json_is_true(value);
    return value == NULL || json_is_null(value) || json_is_boolean(value)
               ? NULL
               : "'since_last' must be true or false";
}

/* `*channels` stays as it is where none are named. */
static const char *read_channels(const json_t *value, unsigned *channels)
{
    static const char wrong[] =
        "'channels' must be a list of at least one of \"snapshots\" and \"liquidations\"";
    unsigned found = 0;
    if (value == NULL || json_is_null(value))
        return NULL;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *name = json_string_value(json_array_get(value, i));
        const unsigned channel = name == NULL                        ? 0
                                 : strcmp(name, "snapshots") == 0    ? CHANNEL_SNAPSHOTS
                                 : strcmp(name, "liquidations") == 0 ? CHANNEL_LIQUIDATIONS
                                                                     : 0;
        if (channel == 0)
            return wrong;
        found |= channel;
    }
    *channels = found;
    return found != 0 ? NULL : wrong;
}

static void reply_ack(struct session *session, const struct request *request)
{
    if (request->id == NULL)
        return;
    struct buffer out = {0};
    struct json json = begin_reply(&out, "ack");
    append_id(&json, request->id);
    json_member_text(&json, "action", request->action);
    if (request->has_names) {
        json_key(&json, "symbols");
        json_open_array(&json);
        for (size_t i = 0; i < request->names.symbol_count; i++)
            json_text(&json, session_hub(session)->symbols->names[request->names.symbols[i]]);
        json_close_array(&json);
    }
    send_reply(session, &json);
}

/* Subscribes or unsubscribes the known symbols, if there are any, and says which are not known. */
static void change_subscriptions(struct session *session, const struct request *request,
                                 bool subscribes)
{
    const struct names *names = &request->names;
    struct hub *hub = session_hub(session);
    reply_unknown(session, request->id, names);
    if (!session_is_open(session))
        return;
    struct subscriber *subscriber = &session->subscriber;
    const bool has_snapshots = (request->channels & CHANNEL_SNAPSHOTS) != 0;
    const bool has_prints = (request->channels & CHANNEL_LIQUIDATIONS) != 0;
    if (has_snapshots && subscribes)
        hub_subscribe(hub, subscriber, names->symbols, names->symbol_count, request->wish);
    else if (has_snapshots)
        hub_unsubscribe(hub, subscriber, names->symbols, names->symbol_count);
    if (has_prints && subscribes)
        hub_subscribe_prints(hub, subscriber, names->symbols, names->symbol_count);
    else if (has_prints)
        hub_unsubscribe_prints(hub, subscriber, names->symbols, names->symbol_count);
    if (names->symbol_count > 0)
        reply_ack(session, request);
}

static void answer_ping(struct session *session, const struct request *request)
{
    struct buffer out = {0};
    struct json json = begin_reply(&out, "pong");
    json_member_time(&json, "timestamp", clock_wall_ms() / 1000 * 1000);
    append_id(&json, request->id);
    send_reply(session, &json);
    reply_ack(session, request);
}

static void perform(struct session *session, const json_t *root, struct request *request)
{
    bool subscribes = strcmp(request->action, "subscribe") == 0;
    if (strcmp(request->action, "ping") == 0) {
        answer_ping(session, request);
        return;
    }
    if (!subscribes && strcmp(request->action, "unsubscribe") != 0) {
        char message[160];
        snprintf(message, sizeof message,
                 "Action '%.40s' is not known. Valid: subscribe, unsubscribe, ping",
                 request->action);
        reply_error(session, request->id, "INVALID_ACTION", message);
        return;
    }
    request->has_names = true;
    const char *fault = read_names(json_object_get(root, "symbols"), session_hub(session)->symbols,
                                   &request->names);
    /* Who names no channel gets snapshots, and gives up all. */
    request->channels = subscribes ? CHANNEL_SNAPSHOTS : CHANNEL_SNAPSHOTS | CHANNEL_LIQUIDATIONS;
    if (fault == NULL)
        fault = read_channels(json_object_get(root, "channels"), &request->channels);
    if (fault == NULL && subscribes)
        fault = read_update_interval(json_object_get(root, "update_interval"),
                                     &request->wish.update_interval_ms);
    if (fault == NULL && subscribes)
        fault = read_since_last(json_object_get(root, "since_last"), &request->wish.since_last);
    if (fault != NULL)
        reply_error(session, request->id, "INVALID_MESSAGE", fault);
    else
        change_subscriptions(session, request, subscribes);
}

static bool is_id(const json_t *id)
{
    return json_is_integer(id) ||
           (json_is_string(id) && json_string_length(id) <= REQUEST_ID_SIZE_MAX);
}

static void handle_object(struct session *session, const json_t *root)
{
    if (!json_is_object(root)) {
        reply_error(session, NULL, "INVALID_MESSAGE",
                    "A message must be a JSON object, as in {\"action\":\"ping\"}");
        return;
    }
    struct request request;
    request.id = json_object_get(root, "id");
    request.has_names = false;
    if (request.id != NULL && !is_id(request.id)) {
        reply_error(session, NULL, "INVALID_MESSAGE", wrong_id);
        return;
    }
    request.action = json_string_value(json_object_get(root, "action"));
    if (request.action == NULL)
        reply_error(session, request.id, "INVALID_MESSAGE",
                    "'action' must be a string: subscribe, unsubscribe or ping");
    else
        perform(session, root, &request);
}

/* -- messages ---------------------------------------------------------------------------------- */

static void handle_text(struct session *session, const char *text, size_t size)
{
    json_error_t fault;
    json_t *root = json_loadb(text, size, JSON_DECODE_ANY, &fault);
    if (root != NULL) {
        handle_object(session, root);
    } else {
        char message[256];
        snprintf(message, sizeof message, "Not JSON: %s at byte %d", fault.text, fault.position);
        reply_error(session, NULL, "INVALID_MESSAGE", message);
    }
    json_decref(root);
}

static void on_message(struct session *session, enum ws_opcode opcode, const char *text,
                       size_t size)
{
    const struct outbox *outbox = &session->subscriber.outbox;
    size_t replied_before = outbox->reply_bytes;
    if (opcode == WS_TEXT)
        handle_text(session, text, size);
    else
        reply_error(session, NULL, "INVALID_MESSAGE",
                    "Binary messages are not understood; send JSON text");
    allowance_charge(&session->allowance, size + (outbox->reply_bytes - replied_before));
}

static bool try_accept(struct session *session)
{
    bool is_accepted = allowance_try_take(&session->allowance, clock_monotonic_ns());
    if (session->allowance.refusals > REQUEST_REFUSALS_MAX)
        session_close(session, WS_CLOSE_POLICY, "too many messages", SUBSCRIBER_END_RATE);
    return is_accepted;
}

/* A client that waits for the answer to an id must learn which message was ignored, so a refused
 * one is read, too, if it is short: its allowance pays for that. */
static void on_refused(struct session *session, const char *text, size_t size)
{
    const struct outbox *outbox = &session->subscriber.outbox;
    size_t replied_before = outbox->reply_bytes;
    json_t *root = text != NULL ? json_loadb(text, size, JSON_DECODE_ANY, NULL) : NULL;
    const json_t *id = json_object_get(root, "id"); /* NULL unless it is an object */
    reply_error(session, id != NULL && is_id(id) ? id : NULL, "RATE_LIMITED", too_many_messages);
    json_decref(root);
    allowance_charge_refused(&session->allowance, size + (outbox->reply_bytes - replied_before));
}

void request_subscribe_list(struct session *session, const char *symbols)
{
    struct hub *hub = session_hub(session);
    struct slice rest = slice_of(symbols), name;
    struct names names;
    clear_names(&names);
    while (rest.size > 0) {
        slice_split(&rest, ',', &name);
        if (name.size > 0)
            add_name(&names, hub->symbols, name);
    }
    if (session_is_open(session))
        hub_subscribe(hub, &session->subscriber, names.symbols, names.symbol_count,
                      (struct subscription_wish){0});
    reply_unknown(session, NULL, &names);
}

const struct session_protocol request_protocol = {
    .message_size_max = REQUEST_SIZE_MAX,
    .reply_bytes_max = OUTBOX_REPLY_BYTES_MAX,
    .frames_max = REQUEST_FRAMES_MAX,
    .on_message = on_message,
    .try_accept = try_accept,
    .on_refused = on_refused,
    .refused_size_max = REQUEST_REFUSED_SIZE_MAX,
    .on_unavailable = on_unavailable,
};
