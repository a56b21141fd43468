/* Questions to the backend over real sockets: shared, refused, and answered in pieces. */
#include "net_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(those_who_ask_the_same_at_once_cost_one_question),
        fact(who_asks_after_a_change_is_not_told_what_was_before),
        fact(too_many_different_questions_are_refused),
        fact(an_answer_larger_than_a_turn_comes_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
