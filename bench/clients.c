/* A broadcast costs each client one epoll event and, for a message below SCRATCH_SIZE, one recv():
 * header and payload come together, and what remains of a larger one is dropped in the kernel by
 * MSG_TRUNC (tcp(7)). Events are edge-triggered: a recv() that gives less than was asked for has
 * emptied the socket, and the next byte makes a new event. */
#include "clients.h"

#include "base/check.h"
#include "base/clock.h"
#include "fail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS_NS UINT64_C(1000000)

enum {
    SCRATCH_SIZE = 4096,
    EVENTS_MAX = 1024,
    HEAD_SIZE_MAX = 4096, /* of the answer to the handshake */
    CONNECT_DEADLINE_MS = 60000,
    STALLED_SEGMENT_SIZE = 536, /* makes the server's send buffer small: it follows the segment's */
    STALLED_RECEIVE_BUFFER = 4096,
};

enum phase { PHASE_CONNECTING, PHASE_ASKED, PHASE_OPEN, PHASE_STALLED };

struct client {
    int fd;
    uint8_t phase;
    uint8_t header_size; /* bytes of a frame header that is not complete */
    bool is_data;        /* the frame under way is a part of a data message */
    bool is_final;       /* and its last */
    unsigned char header[10];
    uint64_t payload_left;
    uint64_t messages; /* data messages received whole */
};

struct clients {
    struct clients_options options;
    char request[512];
    size_t request_size;
    int epoll;
    size_t count, count_max; /* of `list`; the stalled ones come last */
    size_t stalled;
    size_t opened;     /* handshakes answered */
    uint64_t expected; /* messages that each client should have had */
    uint64_t bytes;
    /* Of the wait that continues. */
    size_t behind; /* clients that lack messages */
    uint64_t since_ns;
    uint32_t *latencies_ns;
    struct client *list;
    char scratch[SCRATCH_SIZE];
};

struct clients *clients_create(const struct clients_options *options, size_t count_max)
{
    struct clients *clients = memory_allocate_zeroed(1, sizeof *clients);
    clients->options = *options;
    clients->count_max = count_max;
    clients->list = memory_allocate_zeroed(count_max, sizeof *clients->list);
    clients->epoll = epoll_create1(EPOLL_CLOEXEC);
    check(clients->epoll >= 0);
    const char *rest = options->is_plain_http ? ""
                                              : "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                                "Sec-WebSocket-Version: 13\r\n"
                                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    int size = snprintf(clients->request, sizeof clients->request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s\r\n", options->path,
                        options->port, rest,
                        options->offers_deflate ? "Sec-WebSocket-Extensions: permessage-deflate; "
                                                  "client_no_context_takeover; "
                                                  "server_no_context_takeover\r\n"
                                                : "");
    check(size > 0 && (size_t)size < sizeof clients->request);
    clients->request_size = (size_t)size;
    return clients;
}

void clients_destroy(struct clients *clients)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    for (size_t i = 0; i < clients->count; i++) {
        setsockopt(clients->list[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(clients->list[i].fd);
    }
    close(clients->epoll);
    free(clients->list);
    free(clients);
}

/* -- frames ------------------------------------------------------------------------------------ */

static void note_message(struct clients *clients, struct client *client)
{
    client->messages++;
    if (clients->behind == 0 || client->messages > clients->expected)
        return; /* before the rounds; in them clients_await() finds it */
    if (client->messages == clients->expected) {
        if (clients->latencies_ns != NULL)
            clients->latencies_ns[client - clients->list] =
                (uint32_t)(clock_monotonic_ns() - clients->since_ns);
        clients->behind--;
    }
}

static void end_frame(struct clients *clients, struct client *client)
{
    client->header_size = 0;
    if (client->is_data && client->is_final)
        note_message(clients, client);
}

/* Bytes that a frame header has, as far as its first two tell (RFC 6455 §5.2; servers mask not). */
static size_t header_length(const struct client *client)
{
    unsigned char length = client->header_size < 2 ? 0 : client->header[1] & 0x7f;
    return length == 126 ? 4 : length == 127 ? 10 : 2;
}

static void begin_frame(struct clients *clients, struct client *client)
{
    unsigned opcode = client->header[0] & 0x0f;
    size_t length = header_length(client);
    if ((client->header[1] & 0x80) != 0 || opcode > 10)
        fail("a server sent what is no frame", NULL);
    if (opcode == 8)
        fail("the server closed a connection", NULL);
    client->is_data = opcode < 8;
    client->is_final = (client->header[0] & 0x80) != 0;
    client->payload_left = length == 2 ? client->header[1] & 0x7f : 0;
    for (size_t i = 2; i < length; i++)
        client->payload_left = client->payload_left << 8 | client->header[i];
    if (client->payload_left == 0)
        end_frame(clients, client);
}

static void take_bytes(struct clients *clients, struct client *client, const char *bytes,
                       size_t size)
{
    while (size > 0) {
        if (client->payload_left > 0) {
            size_t taken = size < client->payload_left ? size : client->payload_left;
            client->payload_left -= taken;
            bytes += taken;
            size -= taken;
            if (client->payload_left == 0)
                end_frame(clients, client);
            continue;
        }
        client->header[client->header_size++] = (unsigned char)*bytes++;
        size--;
        if (client->header_size >= 2 && client->header_size == header_length(client))
            begin_frame(clients, client);
    }
}

static void read_frames(struct clients *clients, struct client *client)
{
    for (;;) {
        bool drops = client->payload_left > SCRATCH_SIZE;
        size_t wanted = drops ? client->payload_left : SCRATCH_SIZE;
        ssize_t size = recv(client->fd, drops ? NULL : clients->scratch, wanted,
                            MSG_DONTWAIT | (drops ? MSG_TRUNC : 0));
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size <= 0)
            fail("a connection was lost", size < 0 ? strerror(errno) : "closed by the server");
        clients->bytes += (uint64_t)size;
        if (!drops) {
            take_bytes(clients, client, clients->scratch, (size_t)size);
        } else if ((client->payload_left -= (uint64_t)size) == 0) {
            end_frame(clients, client);
        }
        if ((size_t)size < wanted)
            return;
    }
}

/* -- handshakes -------------------------------------------------------------------------------- */

static void watch(struct clients *clients, struct client *client, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLET,
                                .data.u32 = (uint32_t)(client - clients->list)};
    check(epoll_ctl(clients->epoll, operation, client->fd, &event) == 0);
}

static struct client *add_client(struct clients *clients, enum phase phase)
{
    check(clients->count < clients->count_max);
    struct client *client = &clients->list[clients->count++];
    client->phase = (uint8_t)phase;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        fail("no more sockets", strerror(errno));
    return client;
}

static int connect_socket(const struct clients *clients, int fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)clients->options.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect(fd, (struct sockaddr *)&address, sizeof address);
}

static void send_request(struct clients *clients, struct client *client)
{
    ssize_t sent = send(client->fd, clients->request, clients->request_size, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN))
        return; /* not connected yet: there will be an event */
    if (sent != (ssize_t)clients->request_size)
        fail("a request could not be sent", strerror(errno));
    client->phase = PHASE_ASKED;
}

static void begin_connecting(struct clients *clients)
{
    struct client *client = add_client(clients, PHASE_CONNECTING);
    int on = 1;
    check(ioctl(client->fd, FIONBIO, &on) == 0);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect_socket(clients, client->fd) != 0 && errno != EINPROGRESS)
        fail("cannot connect", strerror(errno));
    watch(clients, client, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    send_request(clients, client);
}

static void check_answer(const struct clients *clients, const char *head)
{
    const char *status = clients->options.is_plain_http ? "HTTP/1.1 200 " : "HTTP/1.1 101 ";
    if (strncmp(head, status, strlen(status)) != 0)
        fail("the server answered", head);
    if (clients->options.offers_deflate && strcasestr(head, "permessage-deflate") == NULL)
        fail("the server did not accept permessage-deflate", head);
}

/* A body's size, which is dropped as if it were one frame's payload. */
static uint64_t content_length(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");
    return at == NULL ? 0 : strtoull(at + strlen("\r\ncontent-length:"), NULL, 10);
}

/* The head is looked at first and then taken exactly, so that frames behind it stay. */
static void read_answer(struct clients *clients, struct client *client)
{
    char head[HEAD_SIZE_MAX + 1];
    ssize_t size = recv(client->fd, head, HEAD_SIZE_MAX, MSG_DONTWAIT | MSG_PEEK);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0)
        fail("a handshake failed", size < 0 ? strerror(errno) : "closed by the server");
    head[size] = '\0';
    char *end = strstr(head, "\r\n\r\n");
    if (end == NULL) {
        if (size == HEAD_SIZE_MAX)
            fail("the answer's head is too long", NULL);
        return;
    }
    ssize_t head_size = end + 4 - head;
    check(recv(client->fd, head, (size_t)head_size, MSG_DONTWAIT) == head_size);
    head[head_size] = '\0';
    check_answer(clients, head);
    if (clients->options.is_plain_http)
        client->payload_left = content_length(head);
    client->phase = PHASE_OPEN;
    clients->opened++;
    read_frames(clients, client);
}

static void on_event(struct clients *clients, const struct epoll_event *event)
{
    struct client *client = &clients->list[event->data.u32];
    if (client->phase == PHASE_OPEN) {
        read_frames(clients, client);
        return;
    }
    if (client->phase == PHASE_CONNECTING)
        send_request(clients, client);
    if (client->phase == PHASE_ASKED && (event->events & ~(uint32_t)EPOLLOUT) != 0)
        read_answer(clients, client);
}

/* False if nothing came for `timeout_ms`. */
static bool turn(struct clients *clients, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(clients->epoll, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < count; i++)
        on_event(clients, &events[i]);
    return count > 0 || (count < 0 && errno == EINTR);
}

void clients_connect(struct clients *clients, size_t count, size_t window)
{
    check(clients->stalled == 0);
    size_t target = clients->count + count;
    uint64_t deadline_ns = clock_monotonic_ns() + CONNECT_DEADLINE_MS * MS_NS;
    while (clients->opened < target) {
        while (clients->count < target && clients->count - clients->opened < window)
            begin_connecting(clients);
        turn(clients, 1000);
        if (clock_monotonic_ns() > deadline_ns)
            fail("the handshakes were not answered in time", NULL);
    }
}

void clients_connect_stalled(struct clients *clients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct client *client = add_client(clients, PHASE_STALLED);
        clients->stalled++;
        int segment = STALLED_SEGMENT_SIZE, room = STALLED_RECEIVE_BUFFER;
        setsockopt(client->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
        if (connect_socket(clients, client->fd) != 0)
            fail("cannot connect", strerror(errno));
        send_request(clients, client);
        char head[HEAD_SIZE_MAX + 1];
        ssize_t size = recv(client->fd, head, HEAD_SIZE_MAX, 0);
        if (size <= 0)
            fail("a handshake failed", NULL);
        head[size] = '\0';
        check_answer(clients, head);
        client->phase = PHASE_STALLED;
    }
}

size_t clients_stalled_bytes(const struct clients *clients)
{
    size_t total = 0;
    for (size_t i = clients->count - clients->stalled; i < clients->count; i++) {
        int waiting = 0;
        if (ioctl(clients->list[i].fd, FIONREAD, &waiting) == 0)
            total += (size_t)waiting;
    }
    return total;
}

/* -- rounds ------------------------------------------------------------------------------------ */

void clients_settle(struct clients *clients, unsigned quiet_ms)
{
    while (turn(clients, (int)quiet_ms))
        continue;
    for (size_t i = 0; i < clients->count; i++)
        clients->list[i].messages = 0;
    clients->expected = 0;
}

uint64_t clients_await(struct clients *clients, unsigned count, uint64_t since_ns,
                       uint32_t *latencies_ns, unsigned deadline_ms)
{
    clients->expected += count;
    clients->since_ns = since_ns;
    clients->latencies_ns = latencies_ns;
    clients->behind = 0;
    for (size_t i = 0; i < clients_count(clients); i++)
        clients->behind += clients->list[i].messages < clients->expected;
    uint64_t deadline_ns = clock_monotonic_ns() + deadline_ms * MS_NS;
    while (clients->behind > 0) {
        turn(clients, 0); /* without a sleep, out of which the server would have to wake it */
        if (clients->behind > 0 && clock_monotonic_ns() > deadline_ns) {
            char text[96];
            snprintf(text, sizeof text, "%zu of %zu clients did not get a publication",
                     clients->behind, clients_count(clients));
            fail(text, NULL);
        }
    }
    uint64_t end_ns = clock_monotonic_ns();
    for (size_t i = 0; i < clients_count(clients); i++)
        if (clients->list[i].messages != clients->expected)
            fail("a client got a message that was not published", NULL);
    return end_ns;
}

size_t clients_count(const struct clients *clients)
{
    return clients->count - clients->stalled;
}

uint64_t clients_bytes_received(const struct clients *clients)
{
    return clients->bytes;
}
