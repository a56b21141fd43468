/* Sockets are watched with uv_poll rather than wrapped in a uv_tcp stream: send() then tells at
 * once how much went, which is all that the outbox needs to keep its own place in a shared frame;
 * no write request is allocated, and an idle connection costs 88 bytes less. */
#include "net/connection.h"

#include "base/check.h"
#include "base/clock.h"
#include "net/address_count.h"
#include "net/client_address.h"
#include "net/tcp_progress.h"
#include "stream/request.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS_NS UINT64_C(1000000)

/* Of one connection, so that others have their turn. A thousand may have a long answer at a time.
 */
enum { REQUESTS_PER_TURN = 4, ANSWER_BYTES_PER_TURN = 32 * 1024 };

static void on_event(uv_poll_t *poll, int status, int events);

static void update_watch(struct connection *connection)
{
    int events = connection->wanted;
    if (connection->tls != NULL && tls_has_pending(connection->tls))
        events |= UV_WRITABLE;
    if (connection->events == events || connection->state == CONNECTION_CLOSED)
        return;
    connection->events = (uint8_t)events;
    if (events == 0)
        uv_poll_stop(&connection->poll);
    else
        check(uv_poll_start(&connection->poll, events, on_event) == 0);
}

static void watch(struct connection *connection, int wanted)
{
    connection->wanted = (uint8_t)wanted;
    update_watch(connection);
}

/* -- places ------------------------------------------------------------------------------------ */

static bool take_place_of_address(struct connection *connection, const struct http_head *head)
{
    struct net_shared *shared = connection->worker->shared;
    struct address_count *counts = shared->address_counts;
    if (counts == NULL)
        return true;
    struct sockaddr_storage peer = {0}; /* of no family, should it be gone already */
    socklen_t size = sizeof peer;
    getpeername(connection->fd, (struct sockaddr *)&peer, &size);
    client_address_find(&shared->config->trusted_proxies, head, &peer);
    connection->address_key = address_count_key((const struct sockaddr *)&peer);
    return address_count_try_add(counts, connection->address_key);
}

bool connection_take_place(struct connection *connection, const struct http_head *head,
                           enum refusal *reason)
{
    struct net_shared *shared = connection->worker->shared;
    int before = atomic_fetch_add_explicit(&shared->ws_connections, 1, memory_order_relaxed);
    bool has_room = before < shared->config->ws_max_connections;
    if (has_room && take_place_of_address(connection, head)) {
        connection->has_place = true;
        return true;
    }
    atomic_fetch_sub_explicit(&shared->ws_connections, 1, memory_order_relaxed);
    *reason = has_room ? REFUSED_LIMIT_PER_ADDRESS : REFUSED_LIMIT;
    atomic_fetch_add_explicit(&shared->refused[*reason], 1, memory_order_relaxed);
    return false;
}

static void give_place_back(struct connection *connection)
{
    struct net_shared *shared = connection->worker->shared;
    if (!connection->has_place)
        return;
    atomic_fetch_sub_explicit(&shared->ws_connections, 1, memory_order_relaxed);
    if (shared->address_counts != NULL)
        address_count_remove(shared->address_counts, connection->address_key);
}

/* -- ending ------------------------------------------------------------------------------------ */

static void on_handle_closed(uv_handle_t *handle)
{
    struct connection *connection = (struct connection *)handle->data;
    struct worker *worker = connection->worker;
    tls_destroy(connection->tls);
    close(connection->fd);
    give_place_back(connection);
    if (connection->session != NULL)
        session_deinit(connection->session);
    else
        atomic_fetch_sub_explicit(&worker->shared->http_connections, 1, memory_order_relaxed);
    free(connection->session);
    http_exchange_destroy(connection->http);
    list_remove(&connection->in_worker);
    worker->connection_count--;
    free(connection);
}

void connection_close(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    connection->state = CONNECTION_CLOSED;
    list_remove(&connection->in_http);
    uv_close((uv_handle_t *)&connection->poll, on_handle_closed);
}

void connection_finish(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED || connection->state == CONNECTION_LINGERING)
        return;
    connection->state = CONNECTION_LINGERING;
    connection->deadline_ns = clock_monotonic_ns() + LINGER_TIMEOUT_MS * MS_NS;
    if (connection->tls != NULL)
        tls_close_notify(connection->tls);
    shutdown(connection->fd, SHUT_WR);
    watch(connection, UV_READABLE);
}

/* -- writing ----------------------------------------------------------------------------------- */

/* A broadcast is one piece, and send() spares the kernel fetching the list of them. */
static ssize_t send_pieces(int fd, const struct iovec *pieces, int count)
{
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    if (count == 1)
        return send(fd, pieces->iov_base, pieces->iov_len, flags);
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
    return sendmsg(fd, &message, flags);
}

/* As outbox_writer: the bytes taken, 0 if the socket is full, -1 if the peer is gone. */
static ssize_t write_pieces(struct connection *connection, const struct iovec *pieces, int count)
{
    if (connection->tls != NULL)
        return tls_write(connection->tls, pieces, count);
    for (;;) {
        ssize_t sent = send_pieces(connection->fd, pieces, count);
        if (sent >= 0)
            return sent;
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
            return 0;
        if (errno != EINTR)
            return -1;
    }
}

static const char *answer_body(const struct http_exchange *http)
{
    if (http->frame_body != NULL)
        return frame_json(http->frame_body);
    if (http->answer_body != NULL)
        return http->answer_body->body.data;
    return http->static_body != NULL ? http->static_body : http->body.data;
}

/* What is left of the head, and of the body at most `body_max` bytes. Returns how many pieces. */
static int answer_pieces(const struct http_exchange *http, size_t body_max, struct iovec pieces[2])
{
    size_t body_size = http->is_head_request || http->websocket != NULL ? 0 : http->body_size;
    int count = 0;
    size_t head_sent = http->sent < http->head.size ? http->sent : http->head.size;
    size_t body_sent = http->sent - head_sent;
    if (head_sent < http->head.size)
        pieces[count++] = (struct iovec){http->head.data + head_sent, http->head.size - head_sent};
    size_t body_left = body_size - body_sent;
    if (body_left > 0)
        pieces[count++] = (struct iovec){(char *)answer_body(http) + body_sent,
                                         body_left < body_max ? body_left : body_max};
    return count;
}

/* -- the session's way to the socket ----------------------------------------------------------- */

static ssize_t session_write(void *context, const struct iovec *pieces, int count)
{
    return write_pieces(context, pieces, count);
}

static void session_wants_writable(void *context, bool wanted)
{
    watch(context, UV_READABLE | (wanted ? UV_WRITABLE : 0));
}

static void session_read_progress(void *context, struct transport_progress *progress)
{
    const struct connection *connection = context;
    tcp_progress_read(connection->fd, progress);
}

static void session_finish(void *context)
{
    connection_finish(context);
}

static void session_abort(void *context)
{
    connection_close(context);
}

const struct subscriber_transport connection_transport = {
    .write = session_write,
    .want_writable = session_wants_writable,
    .read_progress = session_read_progress,
    .finish = session_finish,
    .abort = session_abort,
};

/* The handshake is answered: from here on it is a WebSocket. */
static void become_websocket(struct connection *connection)
{
    struct http_exchange *http = connection->http;
    struct worker *worker = connection->worker;
    struct session *session = memory_allocate(sizeof *session);
    connection->http = NULL;
    connection->session = session;
    atomic_fetch_sub_explicit(&worker->shared->http_connections, 1, memory_order_relaxed);

    connection->state = CONNECTION_WEBSOCKET;
    list_remove(&connection->in_http);
    session_init(session, &worker->hub, http->websocket, http->deflates, connection);
    watch(connection, UV_READABLE);
    request_subscribe_list(session, http->websocket_symbols);
    session_receive(session, http->in.data, http->in.size);
    subscriber_flush(&session->subscriber);
    http_exchange_destroy(http);
}

/* Answers what has come in, one request after the other, until one has to wait. Between requests
 * there is no exchange: an idle connection costs no more than itself. Who pipelines many is
 * answered a few a turn: the socket that can be written brings the next turn. */
static void take_requests(struct connection *connection)
{
    for (int taken = 0; connection->state == CONNECTION_HTTP; taken++) {
        if (taken == REQUESTS_PER_TURN && connection->http->in.size > 0) {
            watch(connection, UV_WRITABLE);
            return;
        }
        struct http_exchange *http = connection->http;
        http->is_dispatching = true;
        bool has_request = http_exchange_next(http);
        if (connection->http == http) /* it is gone once the connection is a WebSocket */
            http->is_dispatching = false;
        if (has_request)
            continue;
        if (http->in.size == 0) {
            http_exchange_destroy(http);
            connection->http = NULL;
        }
        return;
    }
    /* What is pipelined behind a request that waits stays in the socket. */
    if (connection->state == CONNECTION_ANSWERING && connection->wanted == UV_READABLE)
        watch(connection, 0);
}

static void answer_is_out(struct connection *connection)
{
    struct http_exchange *http = connection->http;
    if (http->websocket != NULL) {
        become_websocket(connection);
        return;
    }
    if (!http->is_keep_alive ||
        atomic_load_explicit(&connection->worker->shared->is_stopping, memory_order_relaxed)) {
        connection_finish(connection);
        return;
    }
    connection->state = CONNECTION_HTTP;
    uint64_t timeout_ms = http->in.size > 0 ? HTTP_HEAD_TIMEOUT_MS : HTTP_IDLE_TIMEOUT_MS;
    connection->deadline_ns = clock_monotonic_ns() + timeout_ms * MS_NS;
    watch(connection, UV_READABLE);
    if (!http->is_dispatching)
        take_requests(connection);
}

/* The rest of the answer waits until the socket can be written, in a later turn at the earliest. */
static void send_later(struct connection *connection)
{
    connection->deadline_ns = clock_monotonic_ns() + HTTP_IDLE_TIMEOUT_MS * MS_NS;
    watch(connection, UV_WRITABLE);
}

void connection_send_answer(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    struct http_exchange *http = connection->http;
    struct iovec pieces[2];
    int count;
    size_t left = ANSWER_BYTES_PER_TURN;
    while ((count = answer_pieces(http, left, pieces)) > 0) {
        ssize_t sent = left > 0 ? write_pieces(connection, pieces, count) : 0;
        if (sent < 0) {
            connection_close(connection);
            return;
        }
        if (sent == 0) {
            send_later(connection);
            return;
        }
        http->sent += (size_t)sent;
        left -= (size_t)sent < left ? (size_t)sent : left;
    }
    answer_is_out(connection);
}

/* -- reading ----------------------------------------------------------------------------------- */

static void take_http_input(struct connection *connection, const char *bytes, size_t size)
{
    if (connection->http == NULL) {
        connection->http = http_exchange_create(connection);
        /* A head's clock runs from its first byte; the first head's has run since the accept. */
        uint64_t deadline_ns = clock_monotonic_ns() + HTTP_HEAD_TIMEOUT_MS * MS_NS;
        if (deadline_ns < connection->deadline_ns)
            connection->deadline_ns = deadline_ns;
    }
    buffer_append(&connection->http->in, bytes, size);
    take_requests(connection);
}

/* As tls_read(): the bytes that came, 0 if none did, -1 at the end. */
static ssize_t read_plain(struct connection *connection, char *bytes, size_t size)
{
    ssize_t got = recv(connection->fd, bytes, size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return 0;
    return got > 0 ? got : -1;
}

/* A browser that was sent to http:// at our https:// port. */
static void answer_plain_http(struct connection *connection)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                                 "Connection: close\r\n\r\nThis port speaks https:// and wss://\n";
    ssize_t sent = send(connection->fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* a fresh socket takes it; if not, the peer will see the end all the same */
    connection_finish(connection);
}

static void on_readable(struct connection *connection)
{
    struct worker *worker = connection->worker;
    bool reads_tls = connection->tls != NULL && connection->state != CONNECTION_LINGERING;
    ssize_t size = reads_tls ? tls_read(connection->tls, worker->read_buffer, TLS_RECORD_SIZE_MAX)
                             : read_plain(connection, worker->read_buffer, WORKER_READ_SIZE);
    if (size == 0)
        return;
    if (size < 0 && reads_tls && tls_met_plain_http(connection->tls)) {
        answer_plain_http(connection);
        return;
    }
    if (size < 0) {
        connection_close(connection);
        return;
    }
    if (connection->state == CONNECTION_WEBSOCKET)
        session_receive(connection->session, worker->read_buffer, (size_t)size);
    else if (connection->state == CONNECTION_HTTP)
        take_http_input(connection, worker->read_buffer, (size_t)size);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    if (status < 0) {
        connection_close(connection);
        return;
    }
    if ((events & UV_WRITABLE) && connection->tls != NULL && !tls_flush(connection->tls)) {
        connection_close(connection);
        return;
    }
    if (events & connection->wanted & UV_WRITABLE) {
        if (connection->state == CONNECTION_WEBSOCKET) {
            subscriber_flush(&connection->session->subscriber);
        } else if (connection->state == CONNECTION_ANSWERING) {
            connection_send_answer(connection);
        } else if (connection->state == CONNECTION_HTTP) {
            watch(connection, UV_READABLE);
            take_requests(connection);
            events &= ~UV_READABLE; /* in the next turn */
        }
    }
    if ((events & UV_READABLE) && connection->state != CONNECTION_CLOSED &&
        connection->state != CONNECTION_ANSWERING)
        on_readable(connection);
    update_watch(connection);
}

/* -- life -------------------------------------------------------------------------------------- */

/* Makes room for a newcomer: the oldest that has no request under way gives way, so that nobody can
 * lock others out by holding connections. One that lingers has its answer, and is refused nothing.
 * False if all of this loop's are being answered. */
static bool evict_oldest(struct worker *worker)
{
    list_for_each_safe(link, following, &worker->http)
    {
        struct connection *connection = list_entry(link, struct connection, in_http);
        bool lingers = connection->state == CONNECTION_LINGERING;
        if (!lingers && connection->state != CONNECTION_HTTP)
            continue;
        connection_close(connection);
        if (!lingers)
            atomic_fetch_add_explicit(&worker->shared->refused[REFUSED_HTTP_LIMIT], 1,
                                      memory_order_relaxed);
        return true;
    }
    return false;
}

/* There are too many already. Best effort: an answer that the peer may not read is no loss. */
static void refuse(struct worker *worker, int fd)
{
    static const char answer[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        "Retry-After: 5\r\nConnection: close\r\n\r\n"
        "{\"error\":{\"code\":\"TOO_MANY_CONNECTIONS\",\"message\":\"Too many connections at a "
        "time; try again later\"}}";
    ssize_t sent = worker->shared->tls == NULL
                       ? send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT)
                       : 0;
    (void)sent;
    close(fd);
    atomic_fetch_add_explicit(&worker->shared->refused[REFUSED_HTTP_LIMIT], 1,
                              memory_order_relaxed);
}

void connection_open(struct worker *worker, int fd)
{
    struct net_shared *shared = worker->shared;
    if (atomic_load_explicit(&shared->http_connections, memory_order_relaxed) >=
            http_connections_max(shared->config) && /* loops may pass it by one each: no harm */
        !evict_oldest(worker)) {
        refuse(worker, fd);
        return;
    }
    struct connection *connection = memory_allocate_zeroed(1, sizeof *connection);
    connection->worker = worker;
    connection->fd = fd;
    connection->state = CONNECTION_HTTP;
    connection->deadline_ns = clock_monotonic_ns() + HTTP_HEAD_TIMEOUT_MS * MS_NS;
    if (uv_poll_init(&worker->loop, &connection->poll, fd) != 0) {
        close(fd);
        free(connection);
        return;
    }
    connection->poll.data = connection;
    if (shared->tls != NULL)
        connection->tls = tls_create(shared->tls, fd);
    list_push_back(&worker->connections, &connection->in_worker);
    list_push_back(&worker->http, &connection->in_http);
    worker->connection_count++;
    atomic_fetch_add_explicit(&shared->http_connections, 1, memory_order_relaxed);
    watch(connection, UV_READABLE);
}

void connection_check_liveness(struct connection *connection, uint64_t now_ns)
{
    switch ((enum connection_state)connection->state) {
    case CONNECTION_WEBSOCKET:
        session_check_liveness(connection->session, now_ns);
        break;
    case CONNECTION_HTTP:
    case CONNECTION_LINGERING:
        if (now_ns > connection->deadline_ns)
            connection_close(connection);
        break;
    case CONNECTION_ANSWERING:
        /* Only a client that does not take its answer has a deadline, not a query that runs. */
        if (connection->wanted == UV_WRITABLE && now_ns > connection->deadline_ns)
            connection_close(connection);
        break;
    case CONNECTION_CLOSED:
        break;
    }
}

void connection_drain(struct connection *connection)
{
    if (connection->state == CONNECTION_WEBSOCKET)
        session_close(connection->session, WS_CLOSE_GOING_AWAY, "server shutdown",
                      SUBSCRIBER_END_SHUTDOWN);
    else if (connection->state == CONNECTION_HTTP)
        connection_close(connection);
}
