/* WebSockets over real sockets: handshakes, places, snapshots, and clients that vanish at the worst
 * moment. */
#include "net_fixture.h"

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
    static const char *const bad_keys[] = {"", "Sec-WebSocket-Key: abc\r\n", KEY KEY};
    for (size_t i = 0; i < 3; i++) {
        struct buffer request = {0};
        buffer_append_text(&request, "GET /ws/heatmap HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                                     "Connection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n");
        buffer_append_text(&request, bad_keys[i]);
        buffer_append_text(&request, "\r\n");
        expect_answer(buffer_text(&request), "HTTP/1.1 400 ", "one Sec-WebSocket-Key");
        buffer_deinit(&request);
    }
    expect_answer("GET /ws/heatmap HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade, close\r\n" KEY "\r\n",
                  "HTTP/1.1 400 ", "Sec-WebSocket-Version: 13");
    static const struct {
        const char *request, *why;
    } wrong[] = {
        {HANDSHAKE_OF("HEAD", "/ws/heatmap", KEY), ""},
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
    for (int i = 0; i < 1000; i++)
        buffer_append_format(&list, "%sSYM%d", i > 0 ? "," : "", i);
    set("symbols", buffer_text(&list));
    start_server();
    buffer_append_format(&request,
                         "GET /ws/heatmap?symbols=%s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" KEY "\r\n",
                         buffer_text(&list));
    int fd = connect_websocket(buffer_text(&request), &in);
    expect_connections(1);
    assert_int_equal(publisher_subscriber_count(publisher, 999), 1);
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
    expect_answer(GET("/healthz"), "HTTP/1.1 200 ", "ok"); /* HTTP is not limited */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
