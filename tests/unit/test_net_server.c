/* The network side over real sockets, with a backend that answers what the test wants: handshakes,
 * places, pipelining, compression, and clients that vanish at the worst moment. */
#include "net/server.h"

#include "base/check.h"
#include "net/page.h"
#include "publish.h"
#include "server_frames.h"
#include "wire/http_head.h"

#include <arpa/inet.h>
#include <poll.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <setjmp.h>

#include <cmocka.h>

const struct page_asset page_assets[] = {
    {"/", "text/html", "\"1\"", 0, (const unsigned char *)"<p>page", 7, NULL, 0}};
const size_t page_asset_count = 1;

enum { TIMEOUT_MS = 10000 };

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
static atomic_uint data_version; /* answers are kept until it changes */

static enum status answer(void *context, const struct backend_request *request, struct buffer *out,
                          struct error *error)
{
    (void)context, (void)error;
    sem_post(&asked);
    if (request->question == BACKEND_HISTORY) /* the slow one */
        sem_wait(&may_answer);
    buffer_append_char(out, '"');
    for (size_t i = 2; i < answer_size; i++)
        buffer_append_char(out, 'a');
    buffer_append_char(out, '"');
    return STATUS_OK;
}

static bool version(void *context, const struct backend_request *request, uint64_t *result)
{
    (void)context;
    *result = atomic_load(&data_version);
    return request->question != BACKEND_READY;
}

static const struct backend backend = {.answer = answer, .version = version};

static void on_wanted(size_t symbol_index, void *context)
{
    (void)context;
    publisher_checked(publisher, symbol_index, STATUS_NO_DATA);
}

static const char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

static void set(const char *flag, const char *value)
{
    assert_int_equal(config_set_flag(&config, &origin, flag, value, NULL), STATUS_OK);
}

static int prepare(void **state)
{
    (void)state;
    assert_int_equal(config_load(&config, &origin, no_environment, NULL), STATUS_OK);
    set("listen", "127.0.0.1:0");
    set("workers", "1");
    sem_init(&asked, 0, 0);
    sem_init(&may_answer, 0, 0);
    answer_size = 100;
    return 0;
}

static void create_server(void)
{
    metrics = metrics_create();
    publisher = publisher_create(&config.symbols, on_wanted, NULL);
    assert_int_equal(net_server_create(&config, publisher, &backend, metrics, &server, NULL),
                     STATUS_OK);
}

static void destroy_server(void)
{
    net_server_destroy(server);
    publisher_destroy(publisher);
    metrics_destroy(metrics);
}

static void start_server(void)
{
    create_server();
    net_server_start(server);
}

static void stop_server(void)
{
    net_server_begin_stop(server);
    net_server_join(server);
    destroy_server();
}

static int clean_up(void **state)
{
    (void)state;
    config_origin_deinit(&origin);
    return 0;
}

/* -- a client ---------------------------------------------------------------------------------- */

static int connect_client(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)net_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void send_bytes(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* One more piece of what comes; false at the end. */
static bool receive_piece(int fd, struct buffer *in)
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
static void receive_until(int fd, struct buffer *in, const char *text)
{
    while (memmem(in->size > 0 ? in->data : "", in->size, text, strlen(text)) == NULL)
        if (!receive_piece(fd, in))
            fail_msg("the end came before '%s': '%s'", text, buffer_text(in));
}

static void receive_to_end(int fd, struct buffer *in)
{
    while (receive_piece(fd, in))
        continue;
}

/* The answer to one request on a connection of its own, which "Connection: close" ends. */
static struct buffer ask(const char *request)
{
    struct buffer in = {0};
    int fd = connect_client();
    send_bytes(fd, request, strlen(request));
    receive_to_end(fd, &in);
    close(fd);
    return in;
}

/* The answer begins with `start` and holds `part`. */
static void expect_answer(const char *request, const char *start, const char *part)
{
    struct buffer in = ask(request);
    const char *text = buffer_text(&in);
    if (strncmp(text, start, strlen(start)) != 0 || strstr(text, part) == NULL)
        fail_msg("'%s' is not '%s ... %s'", text, start, part);
    buffer_deinit(&in);
}

/* Connects and shakes hands; what comes behind the head stays in `in`. */
static int connect_websocket(const char *handshake, struct buffer *in)
{
    int fd = connect_client();
    send_bytes(fd, handshake, strlen(handshake));
    receive_until(fd, in, "\r\n\r\n");
    assert_memory_equal(in->data, "HTTP/1.1 101 ", 13);
    const char *end = memmem(in->data, in->size, "\r\n\r\n", 4);
    buffer_consume(in, (size_t)(end + 4 - in->data));
    return fd;
}

static int connect_quietly(void)
{
    struct buffer in = {0};
    int fd = connect_websocket(HANDSHAKE, &in);
    buffer_deinit(&in);
    return fd;
}

/* Reads a whole frame and checks what it holds. */
static void expect_frame(int fd, struct buffer *in, enum ws_opcode opcode, const char *part)
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

static void publish(uint64_t seq)
{
    publish_data(publisher, &config.symbols, 0, 1, seq, seq, "{}");
}

/* Asks /ws/stats until it shows so many connections. */
static void expect_connections(int count)
{
    char part[40];
    snprintf(part, sizeof part, "\"active_connections\":%d,", count);
    for (int i = 0; i < 500; i++) {
        struct buffer in = ask("GET /ws/stats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        bool is_so = strstr(buffer_text(&in), part) != NULL;
        buffer_deinit(&in);
        if (is_so)
            return;
        usleep(10000);
    }
    fail_msg("never %d connections", count);
}

/* -- requests ---------------------------------------------------------------------------------- */

static void requests_are_answered_or_refused_with_a_reason(void **state)
{
    (void)state;
    start_server();
#define GET(target) "GET " target " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    expect_answer(GET("/"), "HTTP/1.1 200 ", "<p>page");
    expect_answer(GET("/healthz"), "HTTP/1.1 200 ", "{\"status\":\"ok\"}");
    expect_answer(GET("http://a/healthz"), "HTTP/1.1 200 ", "{\"status\":\"ok\"}");
    expect_answer(GET("/nothing"), "HTTP/1.1 404 ", "NOT_FOUND");
    expect_answer(GET("/api/v1/heatmap/XYZ"), "HTTP/1.1 404 ", "INVALID_SYMBOL");
    expect_answer(GET("/api/v1/heatmap/BTCUSDT"), "HTTP/1.1 404 ", "NO_DATA");
    expect_answer(GET("/metrics"), "HTTP/1.1 200 ", "heatcast_connections");
    expect_answer("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 ",
                  "Allow: GET, HEAD");
    expect_answer("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "BAD_REQUEST");
    expect_answer("GET / HTTP/3.0\r\n\r\n", "HTTP/1.1 505 ", "BAD_VERSION");
    expect_answer("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: foo\r\n\r\n", "HTTP/1.1 501 ",
                  "UNKNOWN_CODING");
    expect_answer("GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                  "HTTP/1.1 200 ", "Connection: close");
    expect_answer("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 ", "Connection: close");
    expect_answer("GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
                  "HTTP/1.1 200 ", "Connection: close");
    stop_server();
}

static void a_head_over_the_limit_is_refused(void **state)
{
    (void)state;
    start_server();
    struct buffer request = {0};
    buffer_append_text(&request, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    for (int i = 0; i < HTTP_HEAD_SIZE_MAX; i++)
        buffer_append_char(&request, 'x');
    expect_answer(buffer_text(&request), "HTTP/1.1 431 ", "HEAD_TOO_LARGE");
    memset(request.data + 5, 'x', HTTP_TARGET_SIZE_MAX); /* "GET /xx" and so on */
    expect_answer(buffer_text(&request), "HTTP/1.1 414 ", "TARGET_TOO_LONG");
    buffer_deinit(&request);
    stop_server();
}

static void pipelined_requests_are_answered_in_their_order(void **state)
{
    (void)state;
    start_server();
    struct buffer in = {0};
    int fd = connect_client();
    const char *requests = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
                           "GET /api/v1/symbols HTTP/1.1\r\nHost: a\r\n\r\n" /* thread pool */
                           "GET /api/v1/heatmap/BTCUSDT HTTP/1.1\r\nHost: a\r\n\r\n" /* hub */
                           "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
                           "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (size_t i = 0; i < strlen(requests); i += 50) { /* cut anywhere */
        size_t left = strlen(requests) - i;
        send_bytes(fd, requests + i, left < 50 ? left : 50);
        usleep(1000);
    }
    receive_to_end(fd, &in);
    close(fd);
    static const char *const parts[] = {"{\"status\":\"ok\"}", "\"aaa", "NO_DATA",
                                        "Content-Length: 7\r\n", "NOT_FOUND"};
    const char *at = buffer_text(&in);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        at = strstr(at, parts[i]);
        assert_non_null(at);
    }
    assert_null(strstr(in.data, "<p>page"));
    buffer_deinit(&in);
    stop_server();
}

static void the_newest_snapshot_has_a_tag(void **state)
{
    (void)state;
    start_server();
    publish(10);
    expect_answer(GET("/api/v1/heatmap/BTCUSDT"), "HTTP/1.1 404 ", "NO_DATA"); /* as looked */
    publisher_checked(publisher, 0, STATUS_OK);
    expect_answer(GET("/api/v1/heatmap/BTCUSDT"), "HTTP/1.1 200 ", "\"seq\":10,");
    expect_answer(GET("/api/v1/heatmap/BTCUSDT"), "HTTP/1.1 200 ", "ETag: \"000000000000000a\"");
    expect_answer("GET /api/v1/heatmap/BTCUSDT HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                  "If-None-Match: W/\"x\", \"000000000000000a\"\r\n\r\n",
                  "HTTP/1.1 304 ", "ETag: ");
    stop_server();
}

/* -- compression ------------------------------------------------------------------------------- */

static void an_answer_that_shrinks_below_the_threshold_is_still_marked_as_gzip(void **state)
{
    (void)state;
    start_server();
    answer_size = 5000;
    struct buffer in = ask("GET /api/v1/symbols HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                           "Accept-Encoding: deflate, gzip;q=0.5\r\n\r\n");
    char *body = memmem(in.data, in.size, "\r\n\r\n", 4);
    assert_non_null(body);
    *body = '\0';
    body += 4;
    assert_non_null(strstr(in.data, "Content-Encoding: gzip"));
    char plain[6000];
    z_stream stream = {.next_in = (Bytef *)body,
                       .avail_in = (uInt)(in.size - (size_t)(body - in.data)),
                       .next_out = (Bytef *)plain,
                       .avail_out = sizeof plain};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, 5000);
    assert_memory_equal(plain, "\"aaaa", 5);
    inflateEnd(&stream);
    buffer_deinit(&in);
    stop_server();
}

static void who_does_not_want_gzip_gets_none(void **state)
{
    (void)state;
    start_server();
    answer_size = 5000;
    static const char *const refusals[] = {"", "Accept-Encoding: deflate\r\n",
                                           "Accept-Encoding: gzip;q=0\r\n",
                                           "Accept-Encoding: gzip; q=0.0, br\r\n"};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        char request[160];
        snprintf(request, sizeof request,
                 "GET /api/v1/symbols HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n",
                 refusals[i]);
        expect_answer(request, "HTTP/1.1 200 ", "\"aaaa");
    }
    stop_server();
}

/* -- the handshake ----------------------------------------------------------------------------- */

static void a_handshake_may_bring_its_first_messages_along(void **state)
{
    (void)state;
    start_server();
    publish(1);
    struct buffer in = {0};
    int fd = connect_websocket(HANDSHAKE_OF("GET", "/ws/heatmap?symbols=BTCUSDT%2CXYZ",
                                            KEY) "\x89\x83\x01\x01\x01\x01`cb", /* a ping, masked */
                               &in);
    expect_frame(fd, &in, WS_TEXT, "INVALID_SYMBOL");
    expect_frame(fd, &in, WS_PONG, "abc");
    expect_frame(fd, &in, WS_TEXT, "\"seq\":1,");
    publish(2);
    expect_frame(fd, &in, WS_TEXT, "\"seq\":2,");
    send_bytes(fd, "\x88\x80\0\0\0\0", 6);
    expect_frame(fd, &in, WS_CLOSE, "");
    receive_to_end(fd, &in);
    assert_int_equal(in.size, 0);
    close(fd);
    buffer_deinit(&in);
    expect_connections(0);
    stop_server();
}

static void other_requests_are_no_handshakes(void **state)
{
    (void)state;
    start_server();
    expect_answer(GET("/ws/heatmap"), "HTTP/1.1 426 ", "Upgrade: websocket");
    static const struct {
        const char *request, *why;
    } wrong[] = {
        {HANDSHAKE_OF("HEAD", "/ws/heatmap", KEY), ""},
        {HANDSHAKE_OF("GET", "/ws/heatmap", ""), "Sec-WebSocket-Key must be"},
        {HANDSHAKE_OF("GET", "/ws/heatmap", "Sec-WebSocket-Key: abc\r\n"),
         "Sec-WebSocket-Key must"},
        {HANDSHAKE_OF("GET", "/ws/heatmap", KEY "Content-Length: 1\r\n"), "without a body"},
        {"GET /ws/heatmap HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Version: 8\r\n" KEY "\r\n",
         "Sec-WebSocket-Version must be 13"},
        {"GET /ws/heatmap HTTP/1.0\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Version: 13\r\n" KEY "\r\n",
         "HTTP/1.1"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct buffer in = {0};
        int fd = connect_client();
        send_bytes(fd, wrong[i].request, strlen(wrong[i].request));
        shutdown(fd, SHUT_WR);
        receive_until(fd, &in, "\r\n\r\n");
        assert_memory_equal(in.data, "HTTP/1.1 426 ", 13);
        assert_non_null(strstr(buffer_text(&in), "\r\nConnection: Upgrade\r\n"));
        receive_until(fd, &in, wrong[i].why);
        close(fd);
        buffer_deinit(&in);
    }
    expect_connections(0);
    stop_server();
}

static void foreign_pages_are_refused_and_programs_are_not(void **state)
{
    (void)state;
    start_server();
    struct buffer in = {0};
    close(connect_websocket(HANDSHAKE_OF("GET", "/ws/heatmap", KEY "Origin: https://A.example\r\n"),
                            &in));
    int fd = connect_client();
    const char *foreign = HANDSHAKE_OF("GET", "/ws/heatmap", KEY "Origin: https://b.example\r\n");
    send_bytes(fd, foreign, strlen(foreign));
    receive_until(fd, &in, "FOREIGN_ORIGIN");
    close(fd);
    buffer_deinit(&in);
    stop_server();
}

static void all_symbols_of_a_long_whitelist_fit_into_the_address(void **state)
{
    (void)state;
    struct buffer list = {0}, request = {0}, in = {0};
    for (int i = 0; i < SYMBOLS_MAX; i++)
        buffer_append_format(&list, "%sSYMBOL-OF-20-CHARS%02d", i > 0 ? "," : "", i);
    set("symbols", buffer_text(&list));
    start_server();
    buffer_append_format(&request,
                         "GET /ws/heatmap?symbols=%s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" KEY "\r\n",
                         buffer_text(&list));
    int fd = connect_websocket(buffer_text(&request), &in);
    expect_connections(1);
    assert_int_equal(publisher_subscriber_count(publisher, SYMBOLS_MAX - 1), 1);
    close(fd);
    buffer_deinit(&list);
    buffer_deinit(&request);
    buffer_deinit(&in);
    stop_server();
}

static void a_switched_off_endpoint_says_so(void **state)
{
    (void)state;
    set("ws-enabled", "false");
    start_server();
    struct buffer in = {0};
    int fd = connect_client();
    send_bytes(fd, HANDSHAKE, strlen(HANDSHAKE));
    receive_until(fd, &in, "WS_DISABLED");
    assert_memory_equal(in.data, "HTTP/1.1 503 ", 13);
    close(fd);
    buffer_deinit(&in);
    stop_server();
}

/* -- places ------------------------------------------------------------------------------------ */

static void expect_refused(void)
{
    struct buffer in = {0};
    int fd = connect_client();
    send_bytes(fd, HANDSHAKE, strlen(HANDSHAKE));
    receive_until(fd, &in, "TOO_MANY_CONNECTIONS");
    assert_memory_equal(in.data, "HTTP/1.1 503 ", 13);
    assert_non_null(strstr(buffer_text(&in), "\r\nRetry-After: "));
    close(fd);
    buffer_deinit(&in);
}

static void connections_over_the_limit_are_refused_until_one_goes(void **state)
{
    (void)state;
    set("ws-max-connections", "2");
    start_server();
    int one = connect_quietly(), two = connect_quietly();
    expect_refused();
    close(one);
    expect_connections(1);
    one = connect_quietly();
    expect_refused();
    close(one);
    close(two);
    expect_connections(0);
    expect_answer(GET("/metrics"), "HTTP/1.1 200 ",
                  "heatcast_connections_refused_total{reason=\"limit\"} 2");
    stop_server();
}

static void connections_of_one_address_over_its_limit_are_refused_until_one_goes(void **state)
{
    (void)state;
    set("ws-max-connections-per-ip", "2");
    start_server();
    int one = connect_quietly(), two = connect_quietly();
    expect_refused();
    expect_answer(GET("/healthz"), "HTTP/1.1 200 ", "ok"); /* HTTP goes on */
    close(two);
    expect_connections(1);
    two = connect_quietly();
    expect_refused();
    close(one);
    close(two);
    expect_connections(0);
    expect_answer(GET("/metrics"), "HTTP/1.1 200 ",
                  "heatcast_connections_refused_total{reason=\"limit_per_address\"} 2");
    stop_server();
}

static void a_client_that_vanishes_in_the_handshake_gives_its_place_back(void **state)
{
    (void)state;
    set("ws-max-connections", "3");
    set("ws-max-connections-per-ip", "3");
    start_server();
    for (int i = 0; i < 10; i++) {
        int fd = connect_client();
        char requests[400];
        snprintf(requests, sizeof requests,
                 "GET /api/v1/heatmap/BTCUSDT/history?window=%d HTTP/1.1\r\nHost: a\r\n\r\n%s", i,
                 HANDSHAKE);
        send_bytes(fd, requests, strlen(requests));
        sem_wait(&asked); /* both requests are in, and the first is being worked on */
        close(fd);
        sem_post(&may_answer); /* its answer meets a closed socket, the 101 a broken one */
    }
    expect_connections(0);
    close(connect_quietly());
    stop_server();
}

static void clients_that_vanish_while_they_wait_leave_nothing_behind(void **state)
{
    (void)state;
    start_server();
    for (int i = 0; i < 20; i++) {
        int fd = connect_client();
        struct linger linger = {.l_onoff = 1};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger); /* ends with a reset */
        char question[120];
        snprintf(question, sizeof question, GET("/api/v1/heatmap/BTCUSDT/history?window=%d"), i);
        const char *request = i % 3 == 0   ? question
                              : i % 3 == 1 ? GET("/api/v1/heatmap/BTCUSDT")
                                           : HANDSHAKE;
        send_bytes(fd, request, strlen(request));
        if (i % 3 == 0)
            sem_wait(&asked);
        if (i % 2 == 0)
            usleep(2000);
        close(fd);
        if (i % 3 == 0)
            sem_post(&may_answer);
    }
    expect_connections(0);
    stop_server();
}

/* -- snapshots --------------------------------------------------------------------------------- */

/* Both symbols in one call, as a tick does. */
static void publish_both(uint64_t seq)
{
    struct frame *frames[2];
    struct publication published[2];
    for (size_t i = 0; i < 2; i++)
        published[i] = (struct publication){
            .symbol_index = i, .epoch = 1, .seq = seq, .hash = seq, .text = "{}", .text_size = 2};
    publisher_publish(publisher, published, 2, frames);
    for (size_t i = 0; i < 2; i++)
        frame_release(frames[i]);
}

/* How many whole frames it holds. */
static int count_frames(struct buffer *in)
{
    struct server_frame frame;
    size_t at = 0;
    int count = 0;
    while (at < in->size && server_frame_next(in, &at, &frame))
        count++;
    return count;
}

static void symbols_that_are_published_together_come_together(void **state)
{
    (void)state;
    enum { TICKS = 20 };
    start_server();
    struct buffer in = {0};
    int fd = connect_websocket(HANDSHAKE_OF("GET", "/ws/heatmap?symbols=BTCUSDT,ETHUSDT",
                                            KEY) "\x89\x83\x01\x01\x01\x01`cb", /* a ping */
                               &in);
    expect_frame(fd, &in, WS_PONG, "abc");
    for (uint64_t seq = 1; seq <= TICKS; seq++) {
        publish_both(seq);
        buffer_clear(&in);
        assert_true(receive_piece(fd, &in));
        assert_int_equal(count_frames(&in), 2);
    }
    close(fd);
    buffer_deinit(&in);
    stop_server();
}

/* -- questions to the backend ------------------------------------------------------------------ */

static int ask_for_history(int window)
{
    char request[120];
    snprintf(request, sizeof request, GET("/api/v1/heatmap/BTCUSDT/history?window=%d"), window);
    int fd = connect_client();
    send_bytes(fd, request, strlen(request));
    return fd;
}

static void expect_from(int fd, const char *start, const char *part)
{
    struct buffer in = {0};
    receive_to_end(fd, &in);
    close(fd);
    const char *text = buffer_text(&in);
    if (strncmp(text, start, strlen(start)) != 0 || strstr(text, part) == NULL)
        fail_msg("'%s' is not '%s ... %s'", text, start, part);
    buffer_deinit(&in);
}

/* Whatever was sent before is read when this is answered, which takes a turn more of the loop. */
static void let_the_loop_read(void)
{
    expect_answer(GET("/healthz"), "HTTP/1.1 200 ", "ok");
}

static void those_who_ask_the_same_at_once_cost_one_question(void **state)
{
    (void)state;
    enum { VIEWERS = 200 };
    int fds[VIEWERS], count;
    start_server();
    for (size_t i = 0; i < VIEWERS; i++)
        fds[i] = ask_for_history(7);
    sem_wait(&asked);
    let_the_loop_read();
    close(fds[0]); /* who asked first does not wait */
    close(fds[VIEWERS / 2]);
    let_the_loop_read();
    sem_post(&may_answer);
    for (size_t i = 1; i < VIEWERS; i++)
        if (i != VIEWERS / 2)
            expect_from(fds[i], "HTTP/1.1 200 ", "\"aaaa");
    expect_from(ask_for_history(7), "HTTP/1.1 200 ", "\"aaaa"); /* is kept */
    sem_getvalue(&asked, &count);
    assert_int_equal(count, 0);
    atomic_fetch_add(&data_version, 1);
    sem_post(&may_answer);
    expect_from(ask_for_history(7), "HTTP/1.1 200 ", "\"aaaa");
    sem_getvalue(&asked, &count);
    assert_int_equal(count, 1);
    stop_server();
}

static void who_asks_after_a_change_is_not_told_what_was_before(void **state)
{
    (void)state;
    start_server();
    int before = ask_for_history(7);
    sem_wait(&asked);
    atomic_fetch_add(&data_version, 1);
    int after = ask_for_history(7);
    sem_wait(&asked); /* anew, while the first is still worked on */
    sem_post(&may_answer);
    sem_post(&may_answer);
    expect_from(before, "HTTP/1.1 200 ", "\"aaaa");
    expect_from(after, "HTTP/1.1 200 ", "\"aaaa");
    stop_server();
}

static void too_many_different_questions_are_refused(void **state)
{
    (void)state;
    enum { QUESTIONS = 64 };
    int fds[QUESTIONS];
    start_server();
    for (int i = 0; i < QUESTIONS; i++)
        fds[i] = ask_for_history(i);
    let_the_loop_read();
    expect_from(ask_for_history(QUESTIONS), "HTTP/1.1 503 ", "Retry-After: 1\r\n");
    int same = ask_for_history(QUESTIONS - 1);
    let_the_loop_read();
    for (int i = 0; i < QUESTIONS; i++)
        sem_post(&may_answer);
    for (int i = 0; i < QUESTIONS; i++)
        expect_from(fds[i], "HTTP/1.1 200 ", "\"aaaa");
    expect_from(same, "HTTP/1.1 200 ", "\"aaaa");
    stop_server();
}

static void an_answer_larger_than_a_turn_comes_whole(void **state)
{
    (void)state;
    start_server();
    answer_size = 5000000;
    struct buffer in = ask(GET("/api/v1/symbols"));
    const char *body = memmem(in.data, in.size, "\r\n\r\n", 4);
    assert_non_null(body);
    assert_int_equal(in.data + in.size - (body + 4), answer_size);
    assert_int_equal(in.data[in.size - 1], '"');
    buffer_deinit(&in);
    stop_server();
}

/* -- the end ----------------------------------------------------------------------------------- */

static void a_stopping_server_tells_its_clients(void **state)
{
    (void)state;
    start_server();
    struct buffer in = {0}, idle_in = {0};
    int fd = connect_websocket(HANDSHAKE, &in), idle = connect_client();
    expect_connections(1);
    net_server_begin_stop(server);
    expect_frame(fd, &in, WS_CLOSE, "\x03\xe9server shutdown");
    receive_to_end(fd, &in);
    receive_to_end(idle, &idle_in);
    assert_int_equal(in.size + idle_in.size, 0);
    close(fd);
    close(idle);
    net_server_join(server);
    destroy_server();
    buffer_deinit(&in);
}

static void a_server_that_never_started_leaves_nothing_behind(void **state)
{
    (void)state;
    set("workers", "3");
    create_server();
    int fd = connect_client(); /* the kernel takes it */
    destroy_server();          /* and the sanitizer looks for the rest */
    close(fd);
}

#define fact(test) cmocka_unit_test_setup_teardown(test, prepare, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(requests_are_answered_or_refused_with_a_reason),
        fact(a_head_over_the_limit_is_refused),
        fact(pipelined_requests_are_answered_in_their_order),
        fact(the_newest_snapshot_has_a_tag),
        fact(an_answer_that_shrinks_below_the_threshold_is_still_marked_as_gzip),
        fact(who_does_not_want_gzip_gets_none),
        fact(a_handshake_may_bring_its_first_messages_along),
        fact(other_requests_are_no_handshakes),
        fact(foreign_pages_are_refused_and_programs_are_not),
        fact(all_symbols_of_a_long_whitelist_fit_into_the_address),
        fact(a_switched_off_endpoint_says_so),
        fact(connections_over_the_limit_are_refused_until_one_goes),
        fact(connections_of_one_address_over_its_limit_are_refused_until_one_goes),
        fact(a_client_that_vanishes_in_the_handshake_gives_its_place_back),
        fact(clients_that_vanish_while_they_wait_leave_nothing_behind),
        fact(symbols_that_are_published_together_come_together),
        fact(those_who_ask_the_same_at_once_cost_one_question),
        fact(who_asks_after_a_change_is_not_told_what_was_before),
        fact(too_many_different_questions_are_refused),
        fact(an_answer_larger_than_a_turn_comes_whole),
        fact(a_stopping_server_tells_its_clients),
        fact(a_server_that_never_started_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
