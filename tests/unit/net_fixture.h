/* A server on a port of its own with a backend that answers what the test wants, and clients. */
#ifndef HEATCAST_TESTS_NET_FIXTURE_H
#define HEATCAST_TESTS_NET_FIXTURE_H

#include "base/check.h"
#include "net/page.h"
#include "net/server.h"
#include "publish.h"
#include "server_frames.h"

#include <arpa/inet.h>
#include <poll.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

const struct page_asset page_assets[] = {
    {"/", "text/html", "\"1\"", 0, (const unsigned char *)"<p>page", 7, NULL, 0}};
const size_t page_asset_count = 1;

enum { TIMEOUT_MS = 10000 };

#define GET(target) "GET " target " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define HANDSHAKE_OF(method, target, more)                                                         \
    method " " target " HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n"                     \
           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" more "\r\n"
#define HANDSHAKE HANDSHAKE_OF("GET", "/ws/heatmap", KEY)

/* -- the server -------------------------------------------------------------------------------- */

static struct config config;
static struct config_origin origin;
static struct publisher *publisher;
static struct metrics *metrics;
static struct net_server *server;
static sem_t asked, may_answer; /* a question has come; it may be answered */
static size_t answer_size;
static enum status answer_status; /* if it is not STATUS_OK, it is answered with the message */
static const char *answer_message = "";
static atomic_uint data_version; /* answers are kept until it changes */

/* What the loop does when it is asked a question; NULL: nothing. */
static void (*on_question)(const struct backend_request *request);

/* The parameters as they are given. */
static inline enum status canonicalize(void *context, const struct backend_request *request,
                                       struct buffer *canonical, struct error *error)
{
    (void)context;
    if (on_question != NULL)
        on_question(request);
    buffer_append_text(canonical, request->symbol);
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct backend_parameter *parameter = &request->parameters[i];
        if (strcmp(parameter->name, "wrong") == 0)
            return error_set(error, STATUS_INVALID, "there is no parameter 'wrong'");
        buffer_append_format(canonical, " %s=%s", parameter->name, parameter->value);
    }
    return STATUS_OK;
}

static inline enum status answer(void *context, const struct backend_request *request,
                                 const struct question_control *control, struct buffer *out,
                                 struct error *error)
{
    (void)context;
    sem_post(&asked);
    while (request->kind == QUESTION_HISTORY && sem_trywait(&may_answer) != 0) { /* the slow one */
        if (question_is_cancelled(control))
            return error_set(error, STATUS_CANCELLED, "it is not wanted");
        usleep(500);
    }
    if (answer_status != STATUS_OK)
        return error_set(error, answer_status, "%s", answer_message);
    buffer_append_char(out, '"');
    for (size_t i = 2; i < answer_size; i++)
        buffer_append_char(out, 'a');
    buffer_append_char(out, '"');
    return STATUS_OK;
}

static inline bool version(void *context, uint64_t *result)
{
    (void)context;
    *result = atomic_load(&data_version);
    return true;
}

static const struct backend backend = {
    .canonicalize = canonicalize, .answer = answer, .version = version};

static inline void on_wanted(size_t symbol_index, void *context)
{
    (void)context;
    publisher_checked(publisher, symbol_index, STATUS_NO_DATA);
}

static inline const char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

static inline void set(const char *flag, const char *value)
{
    assert_int_equal(config_set_flag(&config, &origin, flag, value, NULL), STATUS_OK);
}

static inline int prepare(void **state)
{
    (void)state;
    assert_int_equal(config_load(&config, &origin, no_environment, NULL), STATUS_OK);
    set("listen", "127.0.0.1:0");
    set("workers", "1");
    set("questions-per-ip", "64"); /* all of a test come from one */
    set("allowed-hosts", "*");
    sem_init(&asked, 0, 0);
    sem_init(&may_answer, 0, 0);
    on_question = NULL;
    answer_size = 100;
    answer_status = STATUS_OK;
    return 0;
}

static inline void create_server(void)
{
    metrics = metrics_create();
    publisher = publisher_create(&config.symbols, on_wanted, NULL);
    assert_int_equal(net_server_create(&config, publisher, &backend, metrics, &server, NULL),
                     STATUS_OK);
}

static inline void destroy_server(void)
{
    net_server_destroy(server);
    publisher_destroy(publisher);
    metrics_destroy(metrics);
}

static inline void start_server(void)
{
    create_server();
    net_server_start(server);
}

static inline void stop_server(void)
{
    net_server_begin_stop(server);
    net_server_join(server);
    destroy_server();
}

static inline int clean_up(void **state)
{
    (void)state;
    config_origin_deinit(&origin);
    return 0;
}

/* -- a client ---------------------------------------------------------------------------------- */

static inline int connect_client(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)net_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void send_bytes(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* One more piece of what comes; false at the end. */
static inline bool receive_piece(int fd, struct buffer *in)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    if (poll(&pollfd, 1, TIMEOUT_MS) != 1)
        fail_msg("nothing came behind '%s'", in->size > 0 ? buffer_text(in) : "");
    char piece[4096];
    ssize_t size = recv(fd, piece, sizeof piece, 0);
    if (size > 0)
        buffer_append(in, piece, (size_t)size);
    return size > 0;
}

/* Reads until `text` is in it. */
static inline void receive_until(int fd, struct buffer *in, const char *text)
{
    while (memmem(in->size > 0 ? in->data : "", in->size, text, strlen(text)) == NULL)
        if (!receive_piece(fd, in))
            fail_msg("the end came before '%s': '%s'", text, buffer_text(in));
}

static inline void receive_to_end(int fd, struct buffer *in)
{
    while (receive_piece(fd, in))
        continue;
}

/* The answer to one request on a connection of its own, which "Connection: close" ends. */
static inline struct buffer ask(const char *request)
{
    struct buffer in = {0};
    int fd = connect_client();
    send_bytes(fd, request, strlen(request));
    receive_to_end(fd, &in);
    close(fd);
    return in;
}

/* The answer begins with `start` and holds `part`. */
static inline void expect_answer(const char *request, const char *start, const char *part)
{
    struct buffer in = ask(request);
    const char *text = buffer_text(&in);
    if (strncmp(text, start, strlen(start)) != 0 || strstr(text, part) == NULL)
        fail_msg("'%s' is not '%s ... %s'", text, start, part);
    buffer_deinit(&in);
}

/* Connects and shakes hands; what comes behind the head stays in `in`. */
static inline int connect_websocket(const char *handshake, struct buffer *in)
{
    int fd = connect_client();
    send_bytes(fd, handshake, strlen(handshake));
    receive_until(fd, in, "\r\n\r\n");
    assert_memory_equal(in->data, "HTTP/1.1 101 ", 13);
    const char *end = memmem(in->data, in->size, "\r\n\r\n", 4);
    buffer_consume(in, (size_t)(end + 4 - in->data));
    return fd;
}

static inline int connect_quietly(void)
{
    struct buffer in = {0};
    int fd = connect_websocket(HANDSHAKE, &in);
    buffer_deinit(&in);
    return fd;
}

/* Reads a whole frame and checks what it holds. */
static inline void expect_frame(int fd, struct buffer *in, enum ws_opcode opcode, const char *part)
{
    struct server_frame frame;
    size_t at = 0;
    while (in->size < 2 || !server_frame_next(in, &at, &frame))
        assert_true(receive_piece(fd, in));
    assert_int_equal(frame.opcode, opcode);
    if (memmem(frame.payload, frame.size, part, strlen(part)) == NULL)
        fail_msg("'%.*s' lacks '%s'", (int)frame.size, frame.payload, part);
    buffer_consume(in, at);
}

static inline void publish(uint64_t seq)
{
    publish_data(publisher, &config.symbols, 0, 1, seq, seq, "{}");
}

/* Asks /ws/stats until it shows so many connections. */
static inline void expect_connections(int count)
{
    char part[40];
    snprintf(part, sizeof part, "\"active_connections\":%d,", count);
    for (int i = 0; i < 500; i++) {
        struct buffer in = ask(GET("/ws/stats"));
        bool is_so = strstr(buffer_text(&in), part) != NULL;
        buffer_deinit(&in);
        if (is_so)
            return;
        usleep(10000);
    }
    fail_msg("never %d connections", count);
}

#define fact(test) cmocka_unit_test_setup_teardown(test, prepare, clean_up)

#endif
