/* Sockets are watched through net/poller.h rather than wrapped in a uv_tcp stream: send() then
 * tells at once how much went, which is all that the outbox needs to keep its own place in a shared
 * frame; no write request is allocated, and an idle connection costs little.
 *
 * A connection is a state, a deadline and a set of events to watch, and the last two follow from
 * the first: enter() is the one way to change any of them, so that none can be forgotten. What the
 * bytes mean is the exchange's or the session's business; here they are moved, and shared out: of
 * each connection only so much a turn, since a thousand may pipeline requests or take long answers
 * at a time, and all others are to have their turn.
 *
 * A client is served with all others until it is known: as a WebSocket that has kept to its rates
 * for PROBATION_MS, whether it has said anything or only listens. From then on it is of POLL_FIRST,
 * and no flood of requests, handshakes or newcomers delays it. One that passes the rates is served
 * with the crowd, and is on probation again. */
#include "net/connection.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/client_address.h"
#include "net/routes.h"
#include "net/tcp_progress.h"
#include "stream/request.h"

#include <stdlib.h>
#include <unistd.h>

#define MS_NS UINT64_C(1000000)

enum {
    REQUESTS_PER_TURN = 4, /* of one connection, as are the next two */
    ANSWER_BYTES_PER_TURN = 32 * 1024,
    READ_BYTES_PER_TURN = 4096, /* a client that is well sends less; TLS: a record */
    PROBATION_MS = 1000,
    LINGERING_READS_MAX = 1024, /* of 16 KiB at the most */
};

/* -- the state --------------------------------------------------------------------------------- */

static void update_watch(struct connection *connection)
{
    uint32_t events = connection->wanted;
    if (transport_has_pending(&connection->transport))
        events |= EPOLLOUT;
    if (connection->events == events || connection->state == CONNECTION_CLOSED)
        return;
    connection->events = (uint16_t)events;
    poller_change(&connection->worker->poller, connection->poll_class, connection->transport.fd,
                  events, connection);
}

static void watch(struct connection *connection, uint32_t wanted)
{
    connection->wanted = (uint16_t)wanted;
    update_watch(connection);
}

/* The socket is closed and the memory freed when the turn is over: until then the connection may be
 * in use further up the stack, or be reported once more. */
static void bury(struct connection *connection)
{
    struct worker *worker = connection->worker;
    places_give_back(&worker->shared->places, &connection->place);
    worker->refused_count -= connection->refusal != NULL;
    poller_remove(&worker->poller, connection->poll_class, connection->transport.fd);
    list_push_back(&worker->closed, &connection->in_http);
}

/* A client takes its answer at ANSWER_RATE_MIN at the least, however it is spread over the time. */
static void limit_writing(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    if (exchange->due_ns == 0)
        exchange->due_ns = clock_monotonic_ns() +
                           (ANSWER_GRACE_MS + exchange->body_size * 1000 / ANSWER_RATE_MIN) * MS_NS;
    if (exchange->due_ns < connection->deadline_ns)
        connection->deadline_ns = exchange->due_ns;
}

/* Every change of the state. A deadline of 0 is none: only a client that does not take its answer
 * has one, not a question that runs; and a session has its own, besides the end of its probation.
 */
static void enter(struct connection *connection, enum connection_state state)
{
    static const struct {
        uint32_t wanted;
        uint32_t deadline_ms;
    } states[] = {
        [CONNECTION_READING] = {EPOLLIN, HTTP_HEAD_TIMEOUT_MS},
        [CONNECTION_IDLE] = {EPOLLIN, HTTP_IDLE_TIMEOUT_MS},
        [CONNECTION_YIELDING] = {EPOLLOUT, HTTP_HEAD_TIMEOUT_MS},
        [CONNECTION_WAITING] = {EPOLLRDHUP, 0},
        [CONNECTION_WRITING] = {EPOLLOUT, HTTP_IDLE_TIMEOUT_MS},
        [CONNECTION_WEBSOCKET] = {EPOLLIN, PROBATION_MS},
        [CONNECTION_LINGERING] = {EPOLLIN, LINGER_TIMEOUT_MS},
        [CONNECTION_CLOSED] = {0, 0},
    };
    check(connection->state != CONNECTION_CLOSED);
    uint32_t deadline_ms = states[state].deadline_ms;
    connection->state = (uint8_t)state;
    connection->deadline_ns =
        deadline_ms == 0 ? UINT64_MAX : clock_monotonic_ns() + deadline_ms * MS_NS;
    if (state == CONNECTION_READING && connection->refusal != NULL)
        connection->deadline_ns -= (HTTP_HEAD_TIMEOUT_MS - REFUSED_TIMEOUT_MS) * MS_NS;
    if (state == CONNECTION_WRITING)
        limit_writing(connection);
    if (state == CONNECTION_WEBSOCKET || state == CONNECTION_CLOSED)
        list_remove(&connection->in_http);
    if (state == CONNECTION_WEBSOCKET)
        list_push_back(&connection->worker->on_probation, &connection->in_http);
    if (state == CONNECTION_CLOSED)
        bury(connection);
    else
        watch(connection, states[state].wanted);
}

/* -- ending ------------------------------------------------------------------------------------ */

void connection_free(struct connection *connection)
{
    struct worker *worker = connection->worker;
    transport_deinit(&connection->transport);
    if (connection->session != NULL)
        session_deinit(connection->session);
    free(connection->session);
    exchange_destroy(connection->exchange);
    list_remove(&connection->in_http);
    list_remove(&connection->in_worker);
    worker->connection_count--;
    free(connection);
}

void connection_close(struct connection *connection)
{
    if (connection->state != CONNECTION_CLOSED)
        enter(connection, CONNECTION_CLOSED);
}

/* Shuts down the sending side, so that the peer gets all of it, and waits for its end. */
static void finish(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED || connection->state == CONNECTION_LINGERING)
        return;
    transport_finish(&connection->transport);
    enter(connection, CONNECTION_LINGERING);
}

/* -- the session's way to the socket ----------------------------------------------------------- */

static ssize_t session_write(void *context, const struct iovec *pieces, int count)
{
    struct connection *connection = context;
    return transport_write(&connection->transport, pieces, count);
}

static void session_wants_writable(void *context, bool wanted)
{
    watch(context, EPOLLIN | (wanted ? EPOLLOUT : 0u));
}

static void session_read_progress(void *context, struct transport_progress *progress)
{
    const struct connection *connection = context;
    tcp_progress_read(connection->transport.fd, progress);
}

/* A WebSocket that is closed for what it did; its peer is still there to be named. */
static void tell_why_ended(const struct connection *connection)
{
    unsigned reason = connection->session->subscriber.end_reason;
    enum notice notice = reason == SUBSCRIBER_END_SLOW             ? NOTICE_SLOW
                         : reason == SUBSCRIBER_END_PROTOCOL_ERROR ? NOTICE_PROTOCOL
                         : reason == SUBSCRIBER_END_RATE           ? NOTICE_RATE
                                                                   : NOTICE_COUNT;
    if (notice != NOTICE_COUNT)
        notices_tell_peer(&connection->worker->shared->notices, notice, connection->transport.fd);
}

static void session_finish(void *context)
{
    tell_why_ended(context);
    finish(context);
}

static void session_abort(void *context)
{
    tell_why_ended(context);
    connection_close(context);
}

const struct subscriber_transport connection_transport = {
    .write = session_write,
    .want_writable = session_wants_writable,
    .read_progress = session_read_progress,
    .finish = session_finish,
    .abort = session_abort,
};

/* The handshake's answer is out. Messages may have come behind the request already. */
static void become_websocket(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct worker *worker = connection->worker;
    struct session *session = memory_allocate(sizeof *session);
    connection->exchange = NULL;
    connection->session = session;
    places_leave_http(&worker->shared->places, &connection->place);

    session_init(session, &worker->hub, exchange->websocket, exchange->deflates, connection);
    enter(connection, CONNECTION_WEBSOCKET);
    if (exchange->websocket_symbols != NULL)
        request_subscribe_list(session, exchange->websocket_symbols);
    session_receive(session, exchange->in.data, exchange->in.size);
    subscriber_flush(&session->subscriber);
    exchange_destroy(exchange);
}

/* -- requests and answers ---------------------------------------------------------------------- */

/* Writes what the socket takes of the answer, but not more than a turn's share. True if all is out
 * and the next request may be served. */
static bool send_answer(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct iovec pieces[2];
    int count;
    size_t left = ANSWER_BYTES_PER_TURN;
    while ((count = exchange_pieces(exchange, left, pieces)) > 0) {
        ssize_t sent = left > 0 ? transport_write(&connection->transport, pieces, count) : 0;
        if (sent <= 0) {
            enter(connection, sent < 0 ? CONNECTION_CLOSED : CONNECTION_WRITING);
            return false;
        }
        exchange->sent += (size_t)sent;
        left -= (size_t)sent < left ? (size_t)sent : left;
    }
    if (exchange->websocket != NULL) {
        become_websocket(connection);
        return false;
    }
    if (!exchange->is_keep_alive ||
        atomic_load_explicit(&connection->worker->shared->is_stopping, memory_order_relaxed)) {
        finish(connection);
        return false;
    }
    return true;
}

/* No whole request is left. Between requests there is no exchange: an idle connection costs no more
 * than itself. The clock of a head that has begun to come runs on. */
static void await_request(struct connection *connection, bool has_answered)
{
    if (connection->exchange->in.size == 0) {
        exchange_destroy(connection->exchange);
        connection->exchange = NULL;
        if (connection->is_proxied) /* the next request may be another client's */
            places_count_for_nobody(&connection->worker->shared->places, &connection->place);
        enter(connection, CONNECTION_IDLE);
    } else if (has_answered || connection->state != CONNECTION_READING) {
        enter(connection, CONNECTION_READING);
    }
}

/* Serves what has come in, one request after the other, until one has to wait. A client that
 * pipelines many is answered a few a turn: the socket that can be written brings the next turn. */
static void serve_requests(struct connection *connection, bool has_answered)
{
    for (int served = 0;; served++) {
        if (served == REQUESTS_PER_TURN && connection->exchange->in.size > 0) {
            enter(connection, CONNECTION_YIELDING);
            return;
        }
        switch (routes_serve_next(connection->exchange)) {
        case EXCHANGE_READS:
            await_request(connection, has_answered || served > 0);
            return;
        case EXCHANGE_WAITS:
            enter(connection, CONNECTION_WAITING);
            return;
        case EXCHANGE_ANSWERED:
            if (!send_answer(connection))
                return;
            break;
        }
    }
}

static void continue_answer(struct connection *connection)
{
    if (send_answer(connection))
        serve_requests(connection, true);
}

/* It is written when the socket's turn comes: a thousand may have waited for the same answer. It
 * may also come after the connection was closed, as long as its memory is there. */
static void on_answered(struct exchange *exchange)
{
    struct connection *connection = exchange->owner;
    if (connection->state != CONNECTION_CLOSED)
        enter(connection, CONNECTION_WRITING);
}

static void find_peer(struct exchange *exchange, struct sockaddr_storage *peer)
{
    struct connection *connection = exchange->owner;
    client_address_of_peer(connection->transport.fd, peer);
}

static enum place_result take_place(struct exchange *exchange)
{
    struct connection *connection = exchange->owner;
    return places_take_websocket(&connection->worker->shared->places, &connection->place);
}

static enum place_result count_for(struct exchange *exchange, uint64_t address_key)
{
    struct connection *connection = exchange->owner;
    return places_count_for(&connection->worker->shared->places, address_key, &connection->place);
}

void connection_init_host(struct exchange_host *host)
{
    host->on_answered = on_answered;
    host->find_peer = find_peer;
    host->take_place = take_place;
    host->count_for = count_for;
}

/* -- reading ----------------------------------------------------------------------------------- */

static struct exchange *make_exchange(struct connection *connection)
{
    if (connection->exchange == NULL) {
        connection->exchange = exchange_create(&connection->worker->host, connection);
        connection->exchange->refusal = connection->refusal;
    }
    return connection->exchange;
}

static void take_http_input(struct connection *connection, const char *bytes, size_t size)
{
    struct exchange *exchange = make_exchange(connection);
    if (connection->state == CONNECTION_IDLE)
        enter(connection, CONNECTION_READING);
    buffer_append(&exchange->in, bytes, size);
    serve_requests(connection, false);
}

static const char *peer_text(const struct connection *connection,
                             char text[CLIENT_ADDRESS_TEXT_SIZE])
{
    struct sockaddr_storage peer;
    client_address_of_peer(connection->transport.fd, &peer);
    return client_address_format((const struct sockaddr *)&peer, text);
}

/* The peer has ended the connection, or has sent what is not TLS. */
static void end_reading(struct connection *connection)
{
    /* A browser that was sent to http:// at our https:// port. */
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                                 "Connection: close\r\n\r\nThis port speaks https:// and wss://\n";
    struct transport *transport = &connection->transport;
    char address[CLIENT_ADDRESS_TEXT_SIZE];
    const char *fault = transport_handshake_fault(transport);
    if (fault != NULL)
        notices_tell_peer(&connection->worker->shared->notices, NOTICE_HANDSHAKE, transport->fd);
    if (fault != NULL)
        log_debug("TLS handshake failed", log_text("address", peer_text(connection, address)),
                  log_text("reason", fault));
    if (transport_met_plain_http(transport)) {
        transport_write_plain(transport, answer, sizeof answer - 1);
        finish(connection);
    } else {
        connection_close(connection);
    }
}

/* See above. Where the kernel has no memory for the change, it stays where it is. */
static void move_to(struct connection *connection, enum poll_class class)
{
    if (class != connection->poll_class &&
        poller_move(&connection->worker->poller, connection->poll_class, class,
                    connection->transport.fd, connection->events, connection))
        connection->poll_class = (uint8_t) class;
}

static void begin_probation(struct connection *connection)
{
    connection->deadline_ns = clock_monotonic_ns() + PROBATION_MS * MS_NS;
    list_remove(&connection->in_http);
    list_push_back(&connection->worker->on_probation, &connection->in_http);
}

/* A flood is noticed at once, not at the end of a probation. */
static void notice_flood(struct connection *connection)
{
    const struct session *session = connection->session;
    if (connection->state != CONNECTION_WEBSOCKET || connection->poll_class == POLL_CROWD ||
        session_keeps_to_rates(session, session->alive_ns))
        return;
    move_to(connection, POLL_CROWD);
    begin_probation(connection);
}

void connection_end_probation(struct connection *connection, uint64_t now_ns)
{
    list_remove(&connection->in_http);
    if (session_keeps_to_rates(connection->session, now_ns))
        move_to(connection, POLL_FIRST);
    else
        begin_probation(connection);
}

static void take_messages(struct connection *connection, char *bytes, size_t size)
{
    session_receive(connection->session, bytes, size);
    notice_flood(connection);
}

static void on_readable(struct connection *connection)
{
    char *bytes = connection->worker->read_buffer;
    bool is_websocket = connection->state == CONNECTION_WEBSOCKET;
    ssize_t size = transport_read(&connection->transport, bytes, READ_BYTES_PER_TURN);
    if (size < 0)
        end_reading(connection);
    else if (size > 0 && is_websocket)
        take_messages(connection, bytes, (size_t)size);
    else if (size > 0)
        take_http_input(connection, bytes, (size_t)size);
}

/* What comes has no meaning any more, but the peer may not have read our last words while it sends;
 * one that sends and sends does not. */
static void on_lingering_readable(struct connection *connection)
{
    if (transport_read_discarded(&connection->transport, connection->worker->read_buffer) < 0 ||
        ++connection->lingering_reads == LINGERING_READS_MAX)
        connection_close(connection);
}

static void on_writable(struct connection *connection)
{
    switch ((enum connection_state)connection->state) {
    case CONNECTION_WEBSOCKET:
        subscriber_flush(&connection->session->subscriber);
        break;
    case CONNECTION_WRITING:
        continue_answer(connection);
        break;
    case CONNECTION_YIELDING:
        serve_requests(connection, false);
        break;
    default: /* only the transport waited for it */
        break;
    }
}

/* The peer has ended its side while it waits. Whether it still reads cannot be known; a computation
 * is not worth continuing for one that most likely does not; all else is answered. */
static void on_disconnect(struct connection *connection)
{
    const struct asker *asker = &connection->exchange->asker;
    if (asker->is_asking && !question_is_short(connection->exchange->question_kind))
        connection_close(connection);
    else
        watch(connection, 0);
}

static void serve_events(struct connection *connection, uint32_t events)
{
    if ((events & EPOLLOUT) && !transport_flush(&connection->transport)) {
        connection_close(connection);
        return;
    }
    if (events & connection->wanted & EPOLLRDHUP) {
        on_disconnect(connection);
        return;
    }
    if (events & connection->wanted & EPOLLOUT)
        on_writable(connection);
    if (!(events & connection->wanted & EPOLLIN))
        return;
    if (connection->state == CONNECTION_LINGERING)
        on_lingering_readable(connection);
    else if (connection->state != CONNECTION_CLOSED)
        on_readable(connection);
}

/* That both sides have ended is told by what is watched: a read or a write finds out. */
void connection_on_ready(void *context, uint32_t events)
{
    struct connection *connection = context;
    if (connection->state == CONNECTION_CLOSED) /* earlier in this turn */
        return;
    if ((events & EPOLLHUP) && connection->events != 0)
        events |= connection->events;
    else if (events & EPOLLHUP)
        events |= EPOLLERR;
    if (events & EPOLLERR)
        connection_close(connection);
    else
        serve_events(connection, events);
    update_watch(connection);
}

/* -- life -------------------------------------------------------------------------------------- */

void connection_start(struct worker *worker, int fd, const struct connection_start *start)
{
    struct connection *connection = memory_allocate_zeroed(1, sizeof *connection);
    connection->worker = worker;
    connection->place = start->place;
    connection->refusal = start->refusal;
    connection->is_proxied = start->is_proxied;
    connection->poll_class = (uint8_t)start->poll_class;
    if (!poller_add(&worker->poller, start->poll_class, fd, 0, connection)) {
        places_give_back(&worker->shared->places, &connection->place);
        close(fd);
        free(connection);
        return;
    }
    transport_init(&connection->transport, fd, worker->shared->tls);
    list_push_back(&worker->connections, &connection->in_worker);
    list_push_back(start->refusal != NULL ? &worker->refused : &worker->http, &connection->in_http);
    worker->refused_count += start->refusal != NULL;
    worker->connection_count++;
    enter(connection, CONNECTION_READING);
    char address[CLIENT_ADDRESS_TEXT_SIZE];
    log_debug("connection opened", log_text("address", peer_text(connection, address)));
}

/* A head that has begun and is late is answered (RFC 9110 §15.5.9). Where nothing of a request has
 * come the connection ends without a word: a client that is just about to send one would take what
 * it reads for the answer to that. If it was refused, that is right. */
static void end_late(struct connection *connection)
{
    char address[CLIENT_ADDRESS_TEXT_SIZE];
    bool is_read = connection->state == CONNECTION_READING;
    bool has_begun = connection->exchange != NULL && exchange_has_begun(connection->exchange);
    if (connection->state == CONNECTION_WRITING || (is_read && has_begun))
        notices_tell_peer(&connection->worker->shared->notices,
                          is_read ? NOTICE_LATE_REQUEST : NOTICE_UNREAD, connection->transport.fd);
    if (!is_read || (!has_begun && connection->refusal == NULL) ||
        transport_is_shaking_hands(&connection->transport)) {
        connection_close(connection);
        return;
    }
    log_debug("request head is late", log_text("address", peer_text(connection, address)));
    routes_serve_late(make_exchange(connection));
    send_answer(connection);
}

void connection_check_liveness(struct connection *connection, uint64_t now_ns)
{
    if (connection->state == CONNECTION_WEBSOCKET)
        session_check_liveness(connection->session, now_ns);
    else if (connection->state != CONNECTION_CLOSED && now_ns > connection->deadline_ns)
        end_late(connection);
}

void connection_put_off(struct connection *connection, uint64_t away_ns)
{
    if (connection->deadline_ns != UINT64_MAX)
        connection->deadline_ns += away_ns;
    if (connection->exchange != NULL && connection->exchange->due_ns != 0)
        connection->exchange->due_ns += away_ns;
}

void connection_drain(struct connection *connection)
{
    if (connection->state == CONNECTION_WEBSOCKET)
        session_close(connection->session, WS_CLOSE_GOING_AWAY, "server shutdown",
                      SUBSCRIBER_END_SHUTDOWN);
    else if (connection->state == CONNECTION_READING || connection->state == CONNECTION_IDLE ||
             connection->state == CONNECTION_YIELDING)
        connection_close(connection);
}
