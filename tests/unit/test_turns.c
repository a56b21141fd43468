/* What a turn of a loop leaves for the next: a flood, of whatever it is made, comes behind others.
 *
 * The order is seen on the loop itself, in the backend's function that it calls for each question:
 * what it has sent so far can be read there from the clients' sockets. A question takes a slice of
 * the turn. */
#include "net_fixture.h"

#include "base/clock.h"
#include "net/poller.h"
#include "stream/session.h"

enum {
    FLOOD = 20,
    CROWD = 40, /* connections of one address, so that the last of them are a crowd */
    CROWD_ASKS = 3,
    ATTEMPTS_MAX = 20,
    ATTEMPT_PAUSE_US = 1100000, /* after a second a client is known, and its frames are forgotten */
};

/* A question with a parameter that does not exist is answered by the loop. */
#define QUESTION(name) GET("/api/v1/heatmap/BTCUSDT/history?wrong=" name)

static sem_t all_sent;
static int listener; /* a client that has subscribed and says nothing */
static uint64_t seq;
static int served;         /* questions in this attempt */
static int served_before;  /* the snapshot; 0: it has not come */
static int flooder;        /* a client that has sent too much */
static bool is_probe_late; /* the flooder was answered before it */

static bool has_input(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    return poll(&pollfd, 1, 0) == 1;
}

static void use_up_slice(void)
{
    uint64_t end_ns = clock_monotonic_ns() + POLLER_SLICE_US * UINT64_C(1000);
    while (clock_monotonic_ns() < end_ns)
        continue;
}

static int send_text(int fd, const char *text)
{
    send_bytes(fd, text, strlen(text));
    return fd;
}

/* The loop has accepted it, and waits for its next request. */
static int connect_idle(void)
{
    struct buffer in = {0};
    int fd = send_text(connect_client(), "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    receive_until(fd, &in, "\r\n\r\n");
    buffer_deinit(&in);
    return fd;
}

static void expect_end(int fd)
{
    struct buffer in = {0};
    receive_to_end(fd, &in);
    close(fd);
    buffer_deinit(&in);
}

static int connect_listener(struct buffer *in)
{
    int fd = connect_websocket(HANDSHAKE_OF("GET", "/ws/heatmap?symbols=BTCUSDT", KEY), in);
    publish(seq = 1);
    expect_frame(fd, in, WS_TEXT, "\"seq\":1,");
    return fd;
}

/* Calls `attempt` until it is true. */
static void expect_in_the_end(bool (*attempt)(void))
{
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        if (attempt())
            return;
        usleep(ATTEMPT_PAUSE_US);
    }
    fail_msg("it is not so in %d attempts", ATTEMPTS_MAX);
}

/* -- a broadcast ------------------------------------------------------------------------------- */

static void publish_at_the_first(const struct backend_request *request)
{
    (void)request;
    if (served_before == 0 && has_input(listener))
        served_before = served;
    if (++served == 1) {
        sem_wait(&all_sent);
        publish(++seq);
    }
    use_up_slice();
}

static bool is_delivered_in_the_midst_of_a_flood(void)
{
    int clients[FLOOD];
    served = served_before = 0;
    for (int i = 0; i < FLOOD; i++)
        clients[i] = connect_idle();
    for (int i = 0; i < FLOOD; i++)
        send_text(clients[i], QUESTION("1"));
    sem_post(&all_sent);
    for (int i = 0; i < FLOOD; i++)
        expect_end(clients[i]);
    struct buffer in = {0};
    expect_frame(listener, &in, WS_TEXT, "\"seq\":");
    buffer_deinit(&in);
    assert_int_equal(served, FLOOD);
    return served_before > 0 && served_before < FLOOD / 2;
}

static void a_client_that_only_listens_does_not_wait_for_a_flood(void **state)
{
    (void)state;
    struct buffer in = {0};
    sem_init(&all_sent, 0, 0);
    start_server();
    listener = connect_listener(&in);
    on_question = publish_at_the_first;
    expect_in_the_end(is_delivered_in_the_midst_of_a_flood);
    close(listener);
    buffer_deinit(&in);
    stop_server();
}

/* -- a client that sends too much -------------------------------------------------------------- */

static void note_the_probe(const struct backend_request *request)
{
    const char *name = request->parameters[0].value;
    if (strcmp(name, "gate") == 0)
        sem_wait(&all_sent);
    if (strcmp(name, "probe") == 0)
        is_probe_late = has_input(flooder);
    use_up_slice();
}

/* Pings, more than a client that is well sends in a second, and reads the answers. */
static void flood_with_pings(void)
{
    static const char ping[] = "\x89\x80\0\0\0\0";
    struct buffer in = {0};
    for (int i = 0; i <= SESSION_FRAMES_FEW; i++)
        send_bytes(flooder, ping, sizeof ping - 1);
    while (in.size < (SESSION_FRAMES_FEW + 1) * 2)
        assert_true(receive_piece(flooder, &in));
    buffer_deinit(&in);
}

/* The flooder is ready before the probe, and behind some of a crowd. */
static bool is_flooder_behind_the_probe(void)
{
    int crowd[CROWD];
    int gate = connect_idle(), probe = connect_idle();
    for (int i = 0; i < CROWD; i++)
        crowd[i] = connect_idle();
    flood_with_pings();
    send_text(gate, QUESTION("gate"));
    for (int i = CROWD - CROWD_ASKS; i < CROWD; i++)
        send_text(crowd[i], QUESTION("crowd"));
    send_bytes(flooder, "\x89\x80\0\0\0\0", 6);
    send_text(probe, QUESTION("probe"));
    sem_post(&all_sent);
    expect_end(gate);
    expect_end(probe);
    for (int i = 0; i < CROWD - CROWD_ASKS; i++)
        close(crowd[i]);
    for (int i = CROWD - CROWD_ASKS; i < CROWD; i++)
        expect_end(crowd[i]);
    struct buffer in = {0};
    expect_frame(flooder, &in, WS_PONG, "");
    buffer_deinit(&in);
    return !is_probe_late;
}

static void a_client_that_sends_too_much_is_served_with_the_crowd(void **state)
{
    (void)state;
    struct buffer in = {0};
    sem_init(&all_sent, 0, 0);
    start_server();
    listener = connect_listener(&in);
    flooder = connect_quietly();
    on_question = note_the_probe;
    expect_in_the_end(is_flooder_behind_the_probe);
    close(listener);
    close(flooder);
    buffer_deinit(&in);
    stop_server();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(a_client_that_only_listens_does_not_wait_for_a_flood),
        fact(a_client_that_sends_too_much_is_served_with_the_crowd),
    };
    return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
