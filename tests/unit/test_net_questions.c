/* Questions to the backend over real sockets: shared, refused, stopped, and answered in pieces. */
#include "base/memory.h"
#include "net_fixture.h"

#include <pthread.h>

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

static void equal_questions_at_once_are_one(void **state)
{
    (void)state;
    enum { VIEWERS = 200 };
    int fds[VIEWERS], count;
    start_server();
    for (size_t i = 0; i < VIEWERS; i++)
        fds[i] = ask_for_history(7);
    sem_wait(&asked);
    let_the_loop_read();
    close(fds[0]); /* the first that asked */
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

static void a_question_after_a_change_is_answered_from_the_new_data(void **state)
{
    (void)state;
    start_server();
    int before = ask_for_history(7);
    sem_wait(&asked);
    atomic_fetch_add(&data_version, 1);
    int after = ask_for_history(7);
    sem_wait(&asked); /* while the first is still being answered */
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

static void
what_is_wrong_is_refused_and_what_is_short_is_answered_while_all_threads_are_busy(void **state)
{
    (void)state;
    enum { QUESTIONS = 64 };
    int fds[QUESTIONS];
    start_server();
    for (int i = 0; i < QUESTIONS; i++)
        fds[i] = ask_for_history(i);
    expect_answer(GET("/api/v1/heatmap/BTCUSDT/history?wrong=1"), "HTTP/1.1 400 ",
                  "INVALID_PARAMETER");
    expect_answer(GET("/readyz"), "HTTP/1.1 200 ", "\"aaaa");
    expect_answer(GET("/api/v1/symbols"), "HTTP/1.1 200 ", "\"aaaa");
    for (int i = 0; i < QUESTIONS; i++)
        sem_post(&may_answer);
    for (int i = 0; i < QUESTIONS; i++)
        expect_from(fds[i], "HTTP/1.1 200 ", "\"aaaa");
    stop_server();
}

static void *join_server(void *context)
{
    (void)context;
    net_server_join(server);
    return NULL;
}

static void questions_that_wait_when_the_server_stops_are_answered_503(void **state)
{
    (void)state;
    enum { QUESTIONS = 10 };
    int fds[QUESTIONS];
    pthread_t thread;
    start_server();
    for (int i = 0; i < QUESTIONS; i++)
        fds[i] = ask_for_history(i);
    for (int i = 0; i < 4; i++)
        sem_wait(&asked); /* these are being answered */
    let_the_loop_read();
    net_server_begin_stop(server);
    assert_int_equal(pthread_create(&thread, NULL, join_server, NULL), 0);
    for (int i = 0; i < QUESTIONS; i++)
        expect_from(fds[i], "HTTP/1.1 503 ", "SHUTTING_DOWN");
    pthread_join(thread, NULL);
    destroy_server();
}

static void a_failure_is_told_in_general_words_if_it_is_the_databases(void **state)
{
    (void)state;
    static const struct {
        enum status status;
        const char *message, *start, *part;
    } failures[] = {
        {STATUS_NOT_FOUND, "no file /secret", "HTTP/1.1 503 ", "`heatcast import`"},
        {STATUS_BUSY, "/secret: in use", "HTTP/1.1 503 ", "another process is writing"},
        {STATUS_IO, "/secret: IO Error", "HTTP/1.1 503 ", "the server's log says why"},
        {STATUS_NO_MEMORY, "none for /secret", "HTTP/1.1 503 ", "not enough memory"},
        {STATUS_NO_DATA, "no candle then", "HTTP/1.1 404 ", "no candle then"},
        {STATUS_TOO_LARGE, "an hour fits", "HTTP/1.1 400 ", "an hour fits"},
    };
    start_server();
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        answer_status = failures[i].status;
        answer_message = failures[i].message;
        struct buffer in = ask(GET("/api/v1/candles/BTCUSDT"));
        const char *text = buffer_text(&in);
        if (strncmp(text, failures[i].start, strlen(failures[i].start)) != 0 ||
            strstr(text, failures[i].part) == NULL || strstr(text, "secret") != NULL)
            fail_msg("'%s'", text);
        buffer_deinit(&in);
    }
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

/* More than fits the page as it is. */
static void long_family(struct buffer *out, void *context)
{
    (void)context;
    for (int i = 0; i < 5000; i++)
        metrics_family(out, "long", "counter", "A family.");
}

static void fail_next(struct buffer *out, void *context)
{
    (void)out;
    memory_fail_call(atomic_load((atomic_int *)context) > 0);
}

static void
a_page_of_metrics_for_which_there_is_no_memory_is_a_503_and_the_next_one_comes(void **state)
{
    (void)state;
    atomic_int fails = 1;
    create_server();
    metrics_register(metrics, fail_next, &fails);
    metrics_register(metrics, long_family, NULL);
    net_server_start(server);
    expect_answer(GET("/metrics"), "HTTP/1.1 503 ", "not enough memory");
    fails = 0;
    expect_answer(GET("/metrics"), "HTTP/1.1 200 ", "# HELP long");
    stop_server();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(equal_questions_at_once_are_one),
        fact(a_question_after_a_change_is_answered_from_the_new_data),
        fact(too_many_different_questions_are_refused),
        fact(what_is_wrong_is_refused_and_what_is_short_is_answered_while_all_threads_are_busy),
        fact(questions_that_wait_when_the_server_stops_are_answered_503),
        fact(a_failure_is_told_in_general_words_if_it_is_the_databases),
        fact(an_answer_larger_than_a_turn_comes_whole),
        fact(a_page_of_metrics_for_which_there_is_no_memory_is_a_503_and_the_next_one_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
