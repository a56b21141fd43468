/* Connections beyond the limits, over real sockets: who is refused, and what it is told; and whose
 * connections those of a proxy are. */
#include "net_fixture.h"

#include <sys/resource.h>

enum { WEBSOCKETS_MAX = 1, HTTP_PLACES = 1 + 1024, OF_ONE_ADDRESS = 1 + 512 };

#define HISTORY                                                                                    \
    "GET /api/v1/heatmap/BTCUSDT/history HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static int connect_from(const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)net_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int ask_from(const char *address, const char *request)
{
    int fd = connect_from(address);
    send_bytes(fd, request, strlen(request));
    return fd;
}

/* The whole answer, and the end of the connection, which is no reset. */
static void expect_answer_on(int fd, const char *start, const char *part)
{
    struct buffer in = {0};
    char piece[4096];
    ssize_t size;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    while (poll(&readable, 1, TIMEOUT_MS) == 1 && (size = recv(fd, piece, sizeof piece, 0)) != 0) {
        assert_true(size > 0);
        buffer_append(&in, piece, (size_t)size);
    }
    const char *text = buffer_text(&in);
    if (strncmp(text, start, strlen(start)) != 0 || strstr(text, part) == NULL)
        fail_msg("'%s' is not '%s ... %s'", text, start, part);
    buffer_deinit(&in);
    close(fd);
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur > 2 * HTTP_PLACES + 200);
}

/* Until the loop has read the request: before, the connection gives way. */
static void fill_last_place(int *fd)
{
    for (bool is_full = false; !is_full;) {
        struct buffer in = {0};
        *fd = ask_from("127.0.0.9", HISTORY);
        usleep(20000);
        int newcomer = ask_from("127.0.0.9", GET("/healthz"));
        receive_to_end(newcomer, &in);
        is_full = strncmp(buffer_text(&in), "HTTP/1.1 503 ", 13) == 0;
        buffer_deinit(&in);
        close(newcomer);
        if (!is_full)
            close(*fd);
    }
}

static void a_full_server_tells_a_newcomer_so_and_serves_it_when_there_is_a_place(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};
    static int fds[HTTP_PLACES];
    allow_descriptors();
    set("ws-max-connections", "1");
    start_server();
    /* All wait for one answer, so that none can give way. */
    for (int i = 0; i < HTTP_PLACES - 1; i++)
        fds[i] = ask_from(addresses[i / OF_ONE_ADDRESS], HISTORY);
    sem_wait(&asked);
    expect_answer_on(ask_from("127.0.0.9", GET("/healthz")), "HTTP/1.1 200 ", "ok"); /* read, all */
    fill_last_place(&fds[HTTP_PLACES - 1]);
    expect_answer_on(ask_from("127.0.0.9", GET("/healthz")), "HTTP/1.1 503 ",
                     "There are too many connections");
    expect_answer_on(ask_from("127.0.0.1", GET("/healthz")), "HTTP/1.1 503 ", "Retry-After: 5");
    close(fds[0]);
    for (bool is_served = false; !is_served;) {
        struct buffer in = {0};
        int fd = ask_from("127.0.0.9", GET("/healthz"));
        receive_to_end(fd, &in);
        is_served = strncmp(buffer_text(&in), "HTTP/1.1 200 ", 13) == 0;
        buffer_deinit(&in);
        close(fd);
    }
    sem_post(&may_answer);
    for (int i = 1; i < HTTP_PLACES; i++)
        expect_answer_on(fds[i], "HTTP/1.1 200 ", "\"aaaa");
    stop_server();
}

static void an_address_that_has_its_share_keeps_nobody_else_out(void **state)
{
    (void)state;
    static int fds[OF_ONE_ADDRESS];
    allow_descriptors();
    set("ws-max-connections", "1");
    start_server();
    for (int i = 0; i < OF_ONE_ADDRESS; i++)
        fds[i] = ask_from("127.0.0.2", HISTORY);
    sem_wait(&asked);
    for (int i = 0; i < 10; i++) {
        expect_answer_on(ask_from("127.0.0.2", HISTORY), "HTTP/1.1 503 ",
                         "This address has as many connections");
        expect_answer_on(ask_from("127.0.0.1", GET("/healthz")), "HTTP/1.1 200 ", "ok");
    }
    sem_post(&may_answer);
    for (int i = 0; i < OF_ONE_ADDRESS; i++)
        expect_answer_on(fds[i], "HTTP/1.1 200 ", "\"aaaa");
    expect_answer_on(ask_from("127.0.0.2", GET("/healthz")), "HTTP/1.1 200 ", "ok");
    stop_server();
}

#define FOR(client, target, more)                                                                  \
    "GET " target " HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " client "\r\n" more "\r\n"
#define CLOSE "Connection: close\r\n"

static void a_proxys_connections_are_those_of_its_clients(void **state)
{
    (void)state;
    enum { LIMIT = 2, IDLE = 6 };
    static const char history[] = FOR("192.0.2.1", "/api/v1/heatmap/BTCUSDT/history", CLOSE);
    int busy[LIMIT], idle[IDLE];
    set("connections-per-ip", "2");
    set("trusted-proxies", "127.0.0.1");
    start_server();
    for (int i = 0; i < IDLE; i++) { /* an idle connection is nobody's */
        struct buffer in = {0};
        static const char request[] = FOR("192.0.2.1", "/healthz", "");
        idle[i] = ask_from("127.0.0.1", request);
        receive_until(idle[i], &in, "\"ok\"}");
        assert_memory_equal(in.data, "HTTP/1.1 200 ", 13);
        buffer_deinit(&in);
    }
    for (int i = 0; i < LIMIT; i++)
        busy[i] = ask_from("127.0.0.1", history);
    sem_wait(&asked);
    expect_answer_on(ask_from("127.0.0.1", FOR("192.0.2.1", "/healthz", CLOSE)), "HTTP/1.1 503 ",
                     "This address has as many connections");
    expect_answer_on(ask_from("127.0.0.1", FOR("192.0.2.2", "/healthz", CLOSE)), "HTTP/1.1 200 ",
                     "ok");
    expect_answer_on(ask_from("127.0.0.1", GET("/healthz")), "HTTP/1.1 200 ", "ok"); /* its own */
    sem_post(&may_answer);
    for (int i = 0; i < LIMIT; i++)
        expect_answer_on(busy[i], "HTTP/1.1 200 ", "\"aaaa");
    expect_answer_on(ask_from("127.0.0.1", FOR("192.0.2.1", "/healthz", CLOSE)), "HTTP/1.1 200 ",
                     "ok");
    for (int i = 0; i < IDLE; i++)
        close(idle[i]);
    stop_server();
}

static void a_websocket_through_a_proxy_counts_for_its_client_until_it_ends(void **state)
{
    (void)state;
    enum { LIMIT = 2 };
    int fds[LIMIT];
    set("connections-per-ip", "2");
    set("trusted-proxies", "127.0.0.1");
    start_server();
    for (int i = 0; i < LIMIT; i++) {
        struct buffer in = {0};
        fds[i] = connect_websocket(
            HANDSHAKE_OF("GET", "/ws/heatmap", KEY "X-Forwarded-For: 192.0.2.1\r\n"), &in);
        buffer_deinit(&in);
    }
    expect_answer_on(ask_from("127.0.0.1", FOR("192.0.2.1", "/healthz", CLOSE)), "HTTP/1.1 503 ",
                     "This address has as many connections");
    expect_answer_on(ask_from("127.0.0.1", FOR("192.0.2.2", "/healthz", CLOSE)), "HTTP/1.1 200 ",
                     "ok");
    close(fds[0]);
    for (bool is_served = false; !is_served;) {
        struct buffer in = ask(FOR("192.0.2.1", "/healthz", CLOSE));
        is_served = strncmp(buffer_text(&in), "HTTP/1.1 200 ", 13) == 0;
        buffer_deinit(&in);
    }
    close(fds[1]);
    stop_server();
}

#define fact(test) cmocka_unit_test_setup_teardown(test, prepare, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(a_full_server_tells_a_newcomer_so_and_serves_it_when_there_is_a_place),
        fact(an_address_that_has_its_share_keeps_nobody_else_out),
        fact(a_proxys_connections_are_those_of_its_clients),
        fact(a_websocket_through_a_proxy_counts_for_its_client_until_it_ends),
    };
    return cmocka_run_group_tests_name("net_admission", tests, NULL, NULL);
}
