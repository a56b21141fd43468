/* The physical limit: what a broadcast costs when there is nothing but epoll and one send() a
 * socket. It answers the handshake and knows nothing more of WebSocket: input is dropped, a frame
 * is prepared once, a socket that is full misses it. What it does not do, no server can be spared.
 *
 *     limit_server --size BYTES      of the payload */
#include "base/check.h"
#include "base/streams.h"
#include "fail.h"
#include "wire/http_head.h"
#include "wire/websocket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 1024, BACKLOG = 4096, READ_SIZE = 8192 };

struct server {
    int epoll, listener;
    size_t count;     /* subscribers */
    int *subscribers; /* their sockets */
    size_t *places;   /* by socket: where it stands in `subscribers`, from 1 on; 0: not yet */
    size_t descriptors;
    char *frame;
    size_t frame_size;
};

static void watch(struct server *server, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    check(epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void accept_all(struct server *server)
{
    int fd;
    while ((fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        check((size_t)fd < server->descriptors);
        server->places[fd] = 0;
        watch(server, fd);
    }
}

static void drop(struct server *server, int fd)
{
    size_t place = server->places[fd];
    if (place > 0) {
        int last = server->subscribers[--server->count];
        server->subscribers[place - 1] = last;
        server->places[last] = place;
    }
    close(fd);
}

static void answer(struct server *server, int fd, const char *bytes, size_t size)
{
    struct http_head head;
    char accept[WS_ACCEPT_SIZE], text[256];
    if (http_head_parse(&head, bytes, size) != HTTP_HEAD_DONE)
        fail("a request is not one", NULL);
    const struct slice *key = http_head_find(&head, "Sec-WebSocket-Key");
    if (key == NULL || !ws_accept_key(key->data, key->size, accept))
        fail("a request has no key", NULL);
    int length = snprintf(text, sizeof text,
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
                          accept,
                          http_head_find(&head, "Sec-WebSocket-Extensions") != NULL
                              ? "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                              : "");
    if (send(fd, text, (size_t)length, MSG_NOSIGNAL) != length) {
        drop(server, fd);
        return;
    }
    server->subscribers[server->count++] = fd;
    server->places[fd] = server->count;
}

static void read_socket(struct server *server, int fd)
{
    char bytes[READ_SIZE];
    ssize_t size = recv(fd, bytes, sizeof bytes, 0);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0)
        drop(server, fd);
    else if (server->places[fd] == 0)
        answer(server, fd, bytes, (size_t)size);
}

static void publish(struct server *server)
{
    for (size_t i = 0; i < server->count;) {
        int fd = server->subscribers[i];
        ssize_t sent = send(fd, server->frame, server->frame_size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent == (ssize_t)server->frame_size || (sent < 0 && errno == EAGAIN))
            i++;
        else
            drop(server, fd); /* the last one takes its place */
    }
}

/* False at the end of standard input. */
static bool read_publications(struct server *server)
{
    char bytes[64];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    for (ssize_t i = 0; i < count; i++)
        publish(server);
    return count > 0;
}

static void start_listening(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int on = 1;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(server->listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* inherited */
    check(bind(server->listener, (struct sockaddr *)&address, size) == 0);
    check(listen(server->listener, BACKLOG) == 0);
    check(getsockname(server->listener, (struct sockaddr *)&address, &size) == 0);
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
}

static void prepare_frame(struct server *server, size_t payload_size)
{
    char header[WS_FRAME_HEADER_MAX];
    size_t header_size = ws_encode_header(header, WS_TEXT, payload_size);
    server->frame_size = header_size + payload_size;
    server->frame = memory_allocate(server->frame_size);
    memcpy(server->frame, header, header_size);
    memset(server->frame + header_size, 'x', payload_size);
}

int main(int argc, char **argv)
{
    streams_open_standard();
    if (argc != 3 || strcmp(argv[1], "--size") != 0)
        fail("usage", "limit_server --size BYTES");
    struct server server = {0};
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    server.descriptors = (size_t)limit.rlim_cur;
    server.subscribers = memory_allocate_zeroed(server.descriptors, sizeof *server.subscribers);
    server.places = memory_allocate_zeroed(server.descriptors, sizeof *server.places);
    prepare_frame(&server, strtoul(argv[2], NULL, 10));
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    start_listening(&server);
    watch(&server, server.listener);
    watch(&server, STDIN_FILENO);
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(server.epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == server.listener)
                accept_all(&server);
            else if (fd != STDIN_FILENO)
                read_socket(&server, fd);
            else if (!read_publications(&server))
                return 0;
        }
    }
}
