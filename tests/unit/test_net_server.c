/* HTTP over real sockets: requests, pipelining, compression, and the end of the server. */
#include "net_fixture.h"

#include "wire/http_head.h"

#include <zlib.h>

/* -- requests ---------------------------------------------------------------------------------- */

static void the_colon_of_a_symbol_may_be_encoded(void **state)
{
    (void)state;
    set("symbols", "BTCUSDT,ALL:BTCUSDT");
    start_server();
    expect_answer(GET("/api/v1/heatmap/ALL:BTCUSDT"), "HTTP/1.1 404 ", "NO_DATA");
    expect_answer(GET("/api/v1/heatmap/ALL%3ABTCUSDT"), "HTTP/1.1 404 ", "NO_DATA");
    expect_answer(GET("/api/v1/heatmap/ALL%3aBTCUSDT"), "HTTP/1.1 404 ", "NO_DATA");
    expect_answer(GET("/api/v1/heatmap/ALL%3"), "HTTP/1.1 400 ", "BAD_REQUEST");
    expect_answer(GET("/api/v1/heatmap/ALL%00"), "HTTP/1.1 404 ", "INVALID_SYMBOL");
    stop_server();
}

static void requests_are_answered_or_refused_with_a_reason(void **state)
{
    (void)state;
    start_server();
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
    expect_answer(GET("/api/v1/heatmap/BTCUSDT"), "HTTP/1.1 200 ", "ETag: W/\"000000000000000a\"");
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

static void a_client_that_refuses_gzip_gets_none(void **state)
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

/* -- the end ----------------------------------------------------------------------------------- */

static void a_stopping_server_closes_its_clients_with_1001(void **state)
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
    destroy_server();          /* and the sanitizer finds the rest */
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(requests_are_answered_or_refused_with_a_reason),
        fact(the_colon_of_a_symbol_may_be_encoded),
        fact(a_head_over_the_limit_is_refused),
        fact(pipelined_requests_are_answered_in_their_order),
        fact(the_newest_snapshot_has_a_tag),
        fact(an_answer_that_shrinks_below_the_threshold_is_still_marked_as_gzip),
        fact(a_client_that_refuses_gzip_gets_none),
        fact(a_stopping_server_closes_its_clients_with_1001),
        fact(a_server_that_never_started_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
