/* What exchanges push over WebSocket. Subscriptions are dealt out to as few connections as the
 * exchange's rules allow; each connection subscribes at the pace that it is allowed, pings where
 * the exchange wants that of a client, and is renewed before the exchange ends it.
 *
 *     WAITING ──connect──> CONNECTING ──opened──> OPEN
 *        ^                     │                   │
 *        └──── the socket has ended, is silent, does not acknowledge, is to be renewed
 *
 * A socket that says nothing looks like one that is well: a retired address connects and stays
 * silent. So silence ends a connection (the rules' silence_ms), and a subscription that alone is
 * silent is made again. One that fails counts as failing until its successor has brought something:
 * that it opens says little.
 *
 * Each subscription is acknowledged or refused by itself (subscriptions.h); a refused one is tried
 * again seldom. Whatever a socket does not bring, pull.c fetches; nothing here has to be complete.
 */
#include "sources/collect/collect_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUBSCRIPTIONS_MAX 1000 /* of a connection, where the exchange has no limit */
#define LIFETIME_MARGIN_MS (10 * MINUTE_MS)
#define STEADY_MS                                                                                  \
    (30 * SECOND_MS) /* open for so long: the next failure begins with a short wait                \
                      */
#define WAIT_MIN_MS SECOND_MS
#define WAIT_MAX_MS MINUTE_MS
#define REFUSED_MS (60 * MINUTE_MS)    /* the handshake says "not from here" */
#define SAID_AGAIN_MS (30 * MINUTE_MS) /* a subscription that the exchange refuses */
#define UNAVAILABLE_MS MINUTE_MS       /* one that its servers cannot make now */
#define DOUBTED_MS (10 * MINUTE_MS)
#define BANNED_MS (5 * MINUTE_MS)
#define LIMITED_MS MINUTE_MS
#define COMPRESSION true
#define PUSHED_WITHIN_MS (30 * SECOND_MS) /* a candle that moves comes every second or so */

struct push_connection {
    struct list link; /* of its venue's */
    struct venue *venue;
    const char *path;
    enum { WAITING, CONNECTING, OPEN } state;
    struct websocket_client *socket; /* NULL while it waits */
    struct backoff backoff;
    int64_t due_ms;    /* to connect */
    int64_t opened_ms; /* and, while open: */
    int64_t heard_ms, sent_ms, pinged_ms;
    struct rate requests; /* where the exchange has a rule for them */
    uint64_t number;      /* of the last message that subscribed */
    int64_t answered_ms;  /* when one was answered last */
    bool has_brought;     /* rows, since it was opened */
    struct subscriptions subscriptions;
    bool is_told;                  /* the log has heard of the fault */
    char fault[ERROR_MESSAGE_MAX]; /* "": none since it was steady */
};

static int64_t now_of(const struct push_connection *connection)
{
    return collector_now_ms(connection->venue->collector);
}

/* -- the exchange's rules ---------------------------------------------------------------------- */

static void begin_rule(struct rate *rate, struct exchange_rule rule, int64_t now_ms)
{
    if (rule.limit > 0)
        rate_init(rate, rule.limit, rule.window_ms, now_ms);
}

static bool allows(struct rate *rate, struct exchange_rule rule, int64_t now_ms)
{
    return rule.limit == 0 || rate_try_spend(rate, 1, now_ms);
}

/* Whether a message that subscribes or ends a subscription may be sent now; it is then counted. */
static bool may_request(struct push_connection *connection)
{
    struct venue *venue = connection->venue;
    const struct exchange_socket_rules *rules = &venue->api->socket;
    int64_t now_ms = now_of(connection);
    return now_ms - connection->sent_ms >= rules->send_interval_ms &&
           allows(&venue->messages, rules->messages, now_ms) &&
           allows(&connection->requests, rules->requests, now_ms);
}

/* -- the end of a connection ------------------------------------------------------------------- */

static void wait_for(struct push_connection *connection, int64_t wait_ms)
{
    websocket_client_destroy(connection->socket);
    connection->socket = NULL;
    connection->state = WAITING;
    connection->due_ms = now_of(connection) + wait_ms;
    subscriptions_reset(&connection->subscriptions);
}

/* Open long enough that a failure is not one in a row. */
static bool is_steady(const struct push_connection *connection)
{
    return connection->state == OPEN && now_of(connection) - connection->opened_ms >= STEADY_MS;
}

/* `wait_ms` 0: as long as the failures in a row make it. */
static void end(struct push_connection *connection, const char *why, int64_t wait_ms)
{
    bool is_first = connection->fault[0] == '\0';
    struct pace *pace = &connection->venue->socket_pace;
    if (is_steady(connection))
        backoff_reset(&connection->backoff);
    if (wait_ms == 0)
        wait_ms = (int64_t)backoff_next_ms(&connection->backoff);
    snprintf(connection->fault, sizeof connection->fault, "%s", why);
    if (is_first)
        connection->is_told = pace_allows(pace, now_of(connection));
    if (is_first && connection->is_told)
        log_warn("a socket of the exchange has ended; what it would bring is asked for meanwhile",
                 log_text("exchange", venue_name(connection->venue)), log_text("reason", why),
                 log_int("next_try_seconds", wait_ms / SECOND_MS));
    wait_for(connection, wait_ms);
}

/* -- what the socket tells --------------------------------------------------------------------- */

static void on_open(void *context)
{
    struct push_connection *connection = context;
    connection->state = OPEN;
    connection->opened_ms = connection->heard_ms = connection->pinged_ms = now_of(connection);
    connection->sent_ms = connection->answered_ms = 0;
    connection->has_brought = false;
    begin_rule(&connection->requests, connection->venue->api->socket.requests, now_of(connection));
}

/* One symbol that is not there any more must not end the others. */
static void note_refused(struct push_connection *connection, uint64_t number,
                         const struct exchange_verdict *verdict)
{
    static const char *const names[EXCHANGE_STREAM_KIND_COUNT] = {
        [EXCHANGE_STREAM_CANDLES] = "candles",
        [EXCHANGE_STREAM_LIQUIDATIONS] = "liquidations",
        [EXCHANGE_STREAM_TICKER] = "ticker",
    };
    int64_t now_ms = now_of(connection);
    int64_t wait_ms = verdict->kind == EXCHANGE_UNAVAILABLE ? UNAVAILABLE_MS : SAID_AGAIN_MS;
    const struct dealt_stream *refused = subscriptions_refuse(&connection->subscriptions, number,
                                                              verdict->message, now_ms + wait_ms);
    connection->answered_ms = now_ms;
    if (refused == NULL || !pace_allows(&connection->venue->message_pace, now_ms))
        return;
    const struct exchange_instrument *instrument = refused->what.instrument;
    log_warn("the exchange refuses a subscription; it is tried again seldom",
             log_text("exchange", venue_name(connection->venue)),
             log_text("stream", names[refused->what.kind]),
             log_text("symbol", instrument != NULL ? instrument->symbol : "all"),
             log_text("reason", verdict->message),
             log_int("next_try_seconds", wait_ms / SECOND_MS));
}

static void note_fault(struct push_connection *connection, const struct exchange_message *message)
{
    const struct exchange_verdict *verdict = &message->verdict;
    if (verdict->kind == EXCHANGE_RATE_LIMITED || verdict->kind == EXCHANGE_BANNED) {
        int64_t wait_ms = verdict->until_ms - venue_now_ms(connection->venue);
        end(connection, verdict->message,
            verdict->until_ms > 0 && wait_ms > 0 ? wait_ms : LIMITED_MS);
    } else if (verdict->kind != EXCHANGE_BROKEN) {
        note_refused(connection, message->number, verdict);
    } else if (pace_allows(&connection->venue->message_pace, now_of(connection))) {
        log_warn("the exchange sends what is not understood",
                 log_text("exchange", venue_name(connection->venue)),
                 log_text("reason", verdict->message));
    }
}

static void note_acknowledged(struct push_connection *connection, uint64_t number)
{
    connection->answered_ms = now_of(connection);
    subscriptions_acknowledge(&connection->subscriptions, number);
}

static void on_text(char *data, size_t size, void *context)
{
    struct push_connection *connection = context;
    struct venue *venue = connection->venue;
    struct intake intake = {.venue = venue, .is_pushed = true};
    struct exchange_sink sink = intake_sink(&intake);
    struct exchange_message message;
    connection->heard_ms = now_of(connection);
    sink.subscribed_ms = connection->opened_ms + venue->difference_ms;
    exchange_message_read(venue->api, data, size, &sink, &message);
    venue_note_clock(venue, message.server_ms);
    if (message.kind == EXCHANGE_MESSAGE_ACKNOWLEDGED)
        note_acknowledged(connection, message.number);
    else if (message.kind == EXCHANGE_MESSAGE_ROWS)
        connection->has_brought = true;
    else if (message.kind == EXCHANGE_MESSAGE_FAULT)
        note_fault(connection, &message);
    else if (message.kind == EXCHANGE_MESSAGE_CLOSING)
        end(connection, "the exchange is about to close it", 0);
}

/* How long to wait after a handshake that was answered so; 0: as long as the failures in a row make
 * it. 451 is "not from here" (RFC 7725 §3); a 403 may also be a firewall's, which changes its mind
 * sooner, and liquidations of the meantime are lost. */
static int64_t wait_after(const struct venue *venue, const struct websocket_end *told)
{
    if (told->retry_after_ms > 0)
        return told->retry_after_ms;
    switch (told->http_status) {
    case 403:
        return venue->is_blocked ? REFUSED_MS : DOUBTED_MS;
    case 451:
        return REFUSED_MS;
    case 418:
        return BANNED_MS;
    case 429:
        return LIMITED_MS;
    default:
        return 0;
    }
}

static void on_closed(const struct websocket_end *told, void *context)
{
    struct push_connection *connection = context;
    end(connection, told->message, wait_after(connection->venue, told));
}

/* -- subscribing ------------------------------------------------------------------------------- */

static void connect_now(struct push_connection *connection)
{
    struct venue *venue = connection->venue;
    struct buffer url = {0};
    buffer_append_format(&url, "%s%s", venue->ws_url, connection->path);
    connection->state = CONNECTING;
    connection->socket = websocket_client_connect(
        venue->collector->http, &(struct websocket_client_options){
                                    .url = buffer_text(&url),
                                    .message_bytes_max = EXCHANGE_MESSAGE_BYTES_MAX,
                                    .offers_compression = COMPRESSION,
                                    .on_open = on_open,
                                    .on_text = on_text,
                                    .on_closed = on_closed,
                                    .context = connection,
                                });
    buffer_deinit(&url);
}

/* The next message that subscribes, when its time has come. */
static void subscribe(struct push_connection *connection)
{
    const struct subscriptions *list = &connection->subscriptions;
    int64_t now_ms = now_of(connection);
    if (!subscriptions_has_unsaid(list, now_ms) || !may_request(connection))
        return;
    struct exchange_subscription *chosen = memory_allocate_zeroed(list->count, sizeof *chosen);
    struct stream **streams = memory_allocate_zeroed(list->count, sizeof(struct stream *));
    struct buffer text = {0};
    size_t count = subscriptions_choose(list, now_ms, chosen, streams);
    count = exchange_subscribe(connection->venue->api, chosen, count, false, ++connection->number,
                               &text);
    if (websocket_client_send_text(connection->socket, text.data, text.size))
        for (size_t i = 0; i < count; i++)
            stream_say(streams[i], connection->number, now_ms);
    connection->sent_ms = now_ms;
    buffer_deinit(&text);
    free(chosen);
    free(streams);
}

static void ping(struct push_connection *connection)
{
    const struct exchange_socket_rules *rules = &connection->venue->api->socket;
    int64_t now_ms = now_of(connection);
    if (rules->ping_interval_ms == 0 || now_ms - connection->pinged_ms < rules->ping_interval_ms ||
        !allows(&connection->venue->messages, rules->messages, now_ms))
        return;
    connection->pinged_ms = now_ms;
    if (rules->ping != NULL)
        websocket_client_send_text(connection->socket, rules->ping, strlen(rules->ping));
    else
        websocket_client_send_ping(connection->socket);
}

/* -- silence ----------------------------------------------------------------------------------- */

/* When something of the subscription came last; its beginning if nothing has. */
static int64_t heard_of(const struct dealt_stream *subscription)
{
    const struct venue_market *market = market_of_instrument(subscription->what.instrument);
    enum track_kind kind =
        subscription->what.kind == EXCHANGE_STREAM_CANDLES ? TRACK_CANDLES : TRACK_INTEREST;
    int64_t pushed_ms = market != NULL ? market->tracks[kind].pushed_ms : 0;
    int64_t said_ms = subscription->stream->said_ms;
    return pushed_ms > said_ms ? pushed_ms : said_ms;
}

/* Whether it is made, and its silence means something. */
static bool should_speak(const struct push_connection *connection,
                         const struct dealt_stream *subscription)
{
    enum stream_state state = subscription->stream->state;
    return connection->venue->api->streams[subscription->what.kind].silence_ms > 0 &&
           (state == STREAM_SAID || state == STREAM_TAKEN);
}

static bool is_silent(const struct push_connection *connection,
                      const struct dealt_stream *subscription)
{
    int64_t silence_ms = connection->venue->api->streams[subscription->what.kind].silence_ms;
    const struct venue_market *market = market_of_instrument(subscription->what.instrument);
    return market != NULL && market->state == MARKET_TRADING &&
           now_of(connection) - heard_of(subscription) > silence_ms;
}

/* Makes a silent subscription again: it is ended first. */
static void subscribe_again(struct push_connection *connection, size_t index)
{
    struct buffer text = {0};
    struct dealt_stream *subscription = &connection->subscriptions.items[index];
    exchange_subscribe(connection->venue->api, &subscription->what, 1, true, ++connection->number,
                       &text);
    if (websocket_client_send_text(connection->socket, text.data, text.size))
        subscription->stream->state = STREAM_UNSAID;
    connection->sent_ms = now_of(connection);
    buffer_deinit(&text);
}

/* One silent subscription at a time is made again; where all are, the connection is dead. */
static void look_for_silence(struct push_connection *connection)
{
    size_t silent = 0, spoken = 0, last = 0;
    for (size_t i = 0; i < connection->subscriptions.count; i++) {
        const struct dealt_stream *subscription = &connection->subscriptions.items[i];
        if (!should_speak(connection, subscription))
            continue;
        spoken++;
        if (is_silent(connection, subscription))
            silent++, last = i;
    }
    if (silent > 0 && silent == spoken)
        end(connection, "it is open, and brings nothing of what was subscribed to", 0);
    else if (silent > 0 && may_request(connection))
        subscribe_again(connection, last);
}

/* Pings and pongs are signs of life as well. */
static int64_t silence_of(const struct push_connection *connection)
{
    const struct collector *collector = connection->venue->collector;
    uint64_t byte_ns = websocket_client_last_byte_ns(connection->socket);
    double silent_ms = (double)(clock_monotonic_ns() - byte_ns) / 1e6 * collector->clock.rate;
    int64_t unread_ms = now_of(connection) - connection->heard_ms;
    return silent_ms < (double)unread_ms ? (int64_t)silent_ms : unread_ms;
}

/* Since when it has waited for an answer, of whichever subscription; 0: it does not. */
static int64_t unanswered_since(const struct push_connection *connection)
{
    int64_t since_ms = subscriptions_unanswered_since(&connection->subscriptions);
    bool was_answered = since_ms != 0 && since_ms < connection->answered_ms;
    return was_answered ? connection->answered_ms : since_ms;
}

static bool is_over(struct push_connection *connection)
{
    const struct exchange_socket_rules *rules = &connection->venue->api->socket;
    int64_t now_ms = now_of(connection), unanswered_ms = unanswered_since(connection);
    if (rules->silence_ms > 0 && silence_of(connection) > rules->silence_ms)
        end(connection, "it is open, and nothing comes", 0);
    else if (rules->acknowledge_ms > 0 && unanswered_ms > 0 &&
             now_ms - unanswered_ms > rules->acknowledge_ms)
        end(connection, "subscriptions are not answered", 0);
    else if (rules->lifetime_ms > 0 &&
             now_ms - connection->opened_ms > rules->lifetime_ms - LIFETIME_MARGIN_MS)
        wait_for(connection, 1); /* in good order, and at once */
    return connection->state != OPEN;
}

/* Steady, and it has brought something, or has nothing that has to speak. */
static bool is_well(const struct push_connection *connection)
{
    bool has_speaker = false, is_taken = false;
    for (size_t i = 0; i < connection->subscriptions.count; i++) {
        has_speaker |= should_speak(connection, &connection->subscriptions.items[i]);
        is_taken |= connection->subscriptions.items[i].stream->state == STREAM_TAKEN;
    }
    return is_steady(connection) && (connection->has_brought || (!has_speaker && is_taken));
}

static void beat(struct push_connection *connection)
{
    struct venue *venue = connection->venue;
    if (connection->state == WAITING && now_of(connection) >= connection->due_ms &&
        allows(&venue->connects, venue->api->socket.connects, now_of(connection)))
        connect_now(connection);
    if (connection->state != OPEN || is_over(connection))
        return;
    if (connection->fault[0] != '\0' && is_well(connection)) {
        if (connection->is_told)
            log_info("the socket of the exchange is well again",
                     log_text("exchange", venue_name(venue)));
        connection->fault[0] = '\0';
    }
    ping(connection);
    subscribe(connection);
    look_for_silence(connection);
}

/* -- dealing out ------------------------------------------------------------------------------- */

static struct push_connection *open_connection(struct venue *venue, const char *path)
{
    struct push_connection *connection = memory_allocate_zeroed(1, sizeof *connection);
    connection->venue = venue;
    connection->path = path;
    backoff_init(&connection->backoff, WAIT_MIN_MS, WAIT_MAX_MS,
                 (struct random){random_next(&venue->collector->random)});
    list_push_back(&venue->connections, &connection->link);
    venue->connection_count++;
    return connection;
}

static size_t room_of(const struct exchange_api *api)
{
    size_t most = api->socket.subscriptions_max;
    return most > 0 && most < SUBSCRIPTIONS_MAX ? most : SUBSCRIPTIONS_MAX;
}

/* NULL: all that the exchange allows are full; what has no place is fetched. */
static struct push_connection *find_connection(struct venue *venue, const char *path)
{
    const struct exchange_api *api = venue->api;
    list_for_each_safe(link, following, &venue->connections)
    {
        struct push_connection *connection = list_entry(link, struct push_connection, link);
        if (strcmp(connection->path, path) == 0 && connection->subscriptions.count < room_of(api))
            return connection;
    }
    size_t most = api->socket.connections_max;
    return most > 0 && venue->connection_count >= most ? NULL : open_connection(venue, path);
}

/* Over all connections. */
static bool is_full(const struct venue *venue)
{
    size_t most = venue->api->socket.all_subscriptions_max, count = 0;
    list_for_each_safe(link, following, &venue->connections) count +=
        list_entry(link, struct push_connection, link)->subscriptions.count;
    return most > 0 && count >= most;
}

/* False: there is no room for it. */
static bool add(struct venue *venue, enum exchange_stream_kind kind, struct venue_market *market)
{
    struct stream *stream = market != NULL ? &market->streams[kind] : &venue->streams[kind];
    struct push_connection *connection =
        is_full(venue) ? NULL : find_connection(venue, venue->api->streams[kind].path);
    if (connection == NULL)
        return false;
    const struct exchange_subscription what = {
        .kind = kind, .instrument = market != NULL ? &market->instrument : NULL};
    subscriptions_add(&connection->subscriptions, what, stream);
    stream->connection = connection;
    return true;
}

static bool wants(const struct exchange_api *api, enum exchange_stream_kind kind)
{
    return api->streams[kind].path != NULL &&
           (kind != EXCHANGE_STREAM_TICKER || api->streams[kind].gives_interest);
}

/* Whether one of the symbols of this instrument needs its candles. */
static bool leads_to_candles(const struct venue_market *market)
{
    for (; market != NULL; market = market->twin)
        if (market_has_candles(market))
            return true;
    return false;
}

void push_plan(struct venue *venue)
{
    bool has_room = true;
    for (int kind = 0; kind < EXCHANGE_STREAM_KIND_COUNT; kind++) {
        bool is_for_all = venue->api->streams[kind].is_for_all;
        if (!wants(venue->api, (enum exchange_stream_kind)kind))
            continue;
        if (is_for_all && venue->streams[kind].connection == NULL && venue->market_count > 0)
            has_room &= add(venue, (enum exchange_stream_kind)kind, NULL);
        for (size_t i = 0; i < venue->market_count && !is_for_all; i++) {
            struct venue_market *market = &venue->markets[i];
            bool is_wanted = kind != EXCHANGE_STREAM_CANDLES || leads_to_candles(market);
            if (market->state == MARKET_TRADING && !market->is_twin && is_wanted &&
                market->streams[kind].connection == NULL)
                has_room &= add(venue, (enum exchange_stream_kind)kind, market);
        }
    }
    if (!has_room)
        log_warn("the exchange allows fewer subscriptions than there are symbols; the others are "
                 "asked for",
                 log_text("exchange", venue_name(venue)));
}

/* -- what others ask --------------------------------------------------------------------------- */

bool market_is_pushed(const struct venue_market *market)
{
    int64_t pushed_ms = market->tracks[TRACK_CANDLES].pushed_ms;
    return pushed_ms > 0 &&
           collector_now_ms(market->venue->collector) - pushed_ms < PUSHED_WITHIN_MS;
}

const struct stream *market_stream(const struct venue_market *market,
                                   enum exchange_stream_kind kind)
{
    struct venue *venue = market->venue;
    if (venue->api->streams[kind].is_for_all)
        return &venue->streams[kind];
    const struct venue_market *first =
        market->is_twin ? venue_find(venue, market->instrument.native) : market;
    return &(first != NULL ? first : market)->streams[kind];
}

bool push_is_live(const struct stream *stream)
{
    return stream->state == STREAM_TAKEN && stream->connection->state == OPEN &&
           stream->connection->fault[0] == '\0';
}

const char *push_fault(const struct stream *stream, int64_t *due_ms)
{
    const struct push_connection *connection = stream->connection;
    *due_ms = 0;
    if (connection == NULL)
        return "";
    if (stream->fault[0] != '\0') {
        *due_ms = stream->due_ms;
        return stream->fault;
    }
    if (connection->state == WAITING && connection->fault[0] != '\0')
        *due_ms = connection->due_ms;
    return connection->fault;
}

void push_beat(struct venue *venue)
{
    list_for_each_safe(link, following, &venue->connections)
        beat(list_entry(link, struct push_connection, link));
}

/* -- life -------------------------------------------------------------------------------------- */

void push_init(struct venue *venue)
{
    int64_t now_ms = collector_now_ms(venue->collector);
    list_init(&venue->connections);
    begin_rule(&venue->connects, venue->api->socket.connects, now_ms);
    begin_rule(&venue->messages, venue->api->socket.messages, now_ms);
}

void push_deinit(struct venue *venue)
{
    list_for_each_safe(link, following, &venue->connections)
    {
        struct push_connection *connection = list_entry(link, struct push_connection, link);
        websocket_client_destroy(connection->socket);
        subscriptions_deinit(&connection->subscriptions);
        free(connection);
    }
    list_init(&venue->connections);
    venue->connection_count = 0;
}
