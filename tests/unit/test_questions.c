/* Questions of several loops: each computed once, by threads that never wait for another question;
 * short ones never behind long ones; nothing left behind by askers that leave, or by a stop. */
#include "base/memory.h"
#include "net/questions.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <setjmp.h>

#include <cmocka.h>

enum { LOOPS = 3, TIMEOUT_S = 60 };

/* -- the backend ------------------------------------------------------------------------------- */

/* It says what it was asked, followed by `size` dots; at once, or when the test lets it. */
static struct {
    atomic_bool is_gated, is_short_gated, ignores_cancelling, has_no_version;
    sem_t begun, may_answer;
    atomic_int asked, in_use, cancelled;
    atomic_uint_least64_t version;
    atomic_size_t size;
    atomic_int status;
    atomic_int failing_call; /* after the answer, of those that take memory; 0: none */
    atomic_int niceness;     /* of the thread that was asked last */
} world;

static void await(sem_t *semaphore)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += TIMEOUT_S;
    if (sem_timedwait(semaphore, &deadline) != 0)
        fail_msg("it did not come in %d s", TIMEOUT_S);
}

/* Waits for the test. False if the question was cancelled before. */
static bool pass_gate(const struct question_control *control)
{
    while (sem_trywait(&world.may_answer) != 0) {
        if (question_is_cancelled(control) && !world.ignores_cancelling) {
            atomic_fetch_add(&world.cancelled, 1);
            return false;
        }
        usleep(500);
    }
    return true;
}

static enum status answer(void *context, const struct backend_request *request,
                          const struct question_control *control, struct buffer *out,
                          struct error *error)
{
    (void)context;
    bool is_gated = question_is_short(request->kind) ? world.is_short_gated : world.is_gated;
    enum status status = (enum status)atomic_load(&world.status);
    atomic_fetch_add(&world.in_use, 1);
    atomic_fetch_add(&world.asked, 1);
    world.niceness = getpriority(PRIO_PROCESS, 0); /* of a thread, as Linux has it */
    sem_post(&world.begun);
    if (is_gated && !pass_gate(control))
        status = STATUS_CANCELLED;
    buffer_append_format(out, "%d %s", request->kind, request->symbol);
    size_t size = world.size;
    memset(buffer_reserve(out, size), '.', size);
    buffer_commit(out, size);
    if (status != STATUS_OK) {
        error_set(error, status, "it is %s", buffer_text(out));
        if (!question_is_short(request->kind))
            buffer_deinit(out);
    }
    atomic_fetch_sub(&world.in_use, 1);
    memory_fail_call((uint64_t)atomic_exchange(&world.failing_call, 0));
    return status;
}

static bool find_version(void *context, uint64_t *version)
{
    (void)context;
    *version = world.version;
    return !world.has_no_version;
}

static const struct backend backend = {.answer = answer, .version = find_version};

/* -- loops and their clients ------------------------------------------------------------------- */

static struct loop {
    struct question_inbox inbox;
    sem_t woken;
} loops[LOOPS];

static const struct questions_limits limits = {.answer_bytes_max = 1 << 30, .per_address = 64};
static struct questions *questions;

struct client {
    struct asker asker;
    bool is_answered;
    enum question_outcome outcome;
    struct answer *answer; /* a reference */
};

static void on_woken(void *context)
{
    struct loop *loop = context;
    sem_post(&loop->woken);
}

static sem_t was_delivered;
static atomic_bool had_to_wait; /* the loop that was woken, for the thread that woke it */

static void on_woken_by_a_slow_thread(void *context)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += TIMEOUT_S / 4;
    on_woken(context);
    had_to_wait = sem_timedwait(&was_delivered, &deadline) != 0;
}

static void on_answered(struct asker *asker, enum question_outcome outcome, struct answer *answer)
{
    struct client *client = list_entry(asker, struct client, asker);
    assert_false(client->is_answered);
    client->is_answered = true;
    client->outcome = outcome;
    client->answer = answer != NULL ? answer_acquire(answer) : NULL;
}

static void ask_kind(struct client *client, size_t loop, enum question_kind kind, const char *text,
                     bool accepts_gzip)
{
    struct backend_request request = {.kind = kind};
    struct buffer canonical = {0};
    snprintf(request.symbol, sizeof request.symbol, "%s", text);
    buffer_append_text(&canonical, text);
    *client = (struct client){.asker = {.inbox = &loops[loop].inbox, .on_answered = on_answered}};
    questions_ask(questions, &client->asker, &request, &canonical, accepts_gzip);
    assert_int_equal(canonical.size, 0);
}

static void ask_for(struct client *client, size_t loop, const char *text, uint64_t address_key)
{
    struct backend_request request = {.kind = QUESTION_HISTORY};
    struct buffer canonical = {0};
    snprintf(request.symbol, sizeof request.symbol, "%s", text);
    buffer_append_text(&canonical, text);
    *client = (struct client){.asker = {.inbox = &loops[loop].inbox,
                                        .address_key = address_key,
                                        .on_answered = on_answered}};
    questions_ask(questions, &client->asker, &request, &canonical, false);
}

static void ask(struct client *client, size_t loop, const char *text)
{
    ask_kind(client, loop, QUESTION_HISTORY, text, false);
}

static void leave(struct client *client)
{
    questions_leave(questions, &client->asker);
}

/* Runs the client's loop until it is answered. */
static void await_answer(struct client *client)
{
    struct loop *loop = list_entry(client->asker.inbox, struct loop, inbox);
    while (!client->is_answered) {
        await(&loop->woken);
        questions_deliver(questions, &loop->inbox);
    }
}

static void expect_outcome(struct client *client, enum question_outcome outcome)
{
    await_answer(client);
    assert_int_equal(client->outcome, outcome);
    assert_true((client->answer != NULL) == (outcome == QUESTION_ANSWERED));
    answer_release(client->answer);
}

static void expect_text(struct client *client, const char *text)
{
    await_answer(client);
    assert_int_equal(client->outcome, QUESTION_ANSWERED);
    assert_int_equal(client->answer->status, STATUS_OK);
    assert_string_equal(buffer_text(&client->answer->body), text);
    answer_release(client->answer);
}

static void await_begun(int count)
{
    for (int i = 0; i < count; i++)
        await(&world.begun);
}

static void let_answer(int count)
{
    for (int i = 0; i < count; i++)
        sem_post(&world.may_answer);
}

/* Whatever was asked before has been found in the table, or is in it. */
static void await_lookups(void)
{
    struct client ready;
    ask_kind(&ready, 0, QUESTION_READY, "", false);
    expect_outcome(&ready, QUESTION_ANSWERED);
    await_begun(1);
    atomic_fetch_sub(&world.asked, 1);
}

/* All compute threads are busy with questions of these clients, which begin with `letter`. */
static void occupy_threads(struct client busy[QUESTION_THREADS], char letter)
{
    world.is_gated = true;
    for (int i = 0; i < QUESTION_THREADS; i++) {
        char text[] = {letter, (char)('0' + i), '\0'};
        ask(&busy[i], 0, text);
    }
    await_begun(QUESTION_THREADS);
}

static int prepare(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    world.version = 1;
    sem_init(&world.begun, 0, 0);
    sem_init(&world.may_answer, 0, 0);
    for (size_t i = 0; i < LOOPS; i++) {
        sem_init(&loops[i].woken, 0, 0);
        question_inbox_init(&loops[i].inbox, on_woken, &loops[i]);
    }
    questions = questions_create(&backend, &limits);
    questions_start(questions);
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    questions_stop(questions);
    assert_int_equal(world.in_use, 0);
    for (size_t i = 0; i < LOOPS; i++)
        assert_true(list_is_empty(&loops[i].inbox.arrived));
    questions_destroy(questions);
    return 0;
}

/* -- one flight -------------------------------------------------------------------------------- */

static void equal_questions_of_all_loops_hold_one_thread(void **state)
{
    (void)state;
    enum { CROWD = 300 };
    static struct client crowd[CROWD], others[QUESTION_THREADS - 1], late;
    world.is_gated = true;
    for (size_t i = 0; i < CROWD; i++)
        ask(&crowd[i], i % LOOPS, "map");
    await_begun(1);
    ask(&others[0], 0, "a");
    ask(&others[1], 1, "b");
    ask(&others[2], 2, "c");
    await_begun(3);       /* so three threads were free */
    ask(&late, 1, "map"); /* joins what is being computed */
    let_answer(4);
    for (size_t i = 0; i < CROWD; i++)
        await_answer(&crowd[i]);
    await_answer(&late);
    assert_int_equal(world.asked, 4);
    for (size_t i = 0; i < CROWD; i++) {
        assert_ptr_equal(crowd[i].answer, late.answer);
        answer_release(crowd[i].answer);
    }
    expect_text(&late, "2 map");
    expect_text(&others[0], "2 a");
    expect_text(&others[1], "2 b");
    expect_text(&others[2], "2 c");
}

static void questions_that_differ_have_their_own_answers(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct client clients[4];
        ask_kind(&clients[0], 0, QUESTION_HISTORY, "BTC", false);
        ask_kind(&clients[1], 0, QUESTION_GRID, "BTC", false);
        ask_kind(&clients[2], 0, QUESTION_HISTORY, "ETH", false);
        ask_kind(&clients[3], 0, QUESTION_HISTORY, "", false);
        expect_text(&clients[0], "2 BTC");
        expect_text(&clients[1], "4 BTC");
        expect_text(&clients[2], "2 ETH");
        expect_text(&clients[3], "2 ");
    }
    assert_int_equal(world.asked, 4);
}

static void an_answer_is_kept_until_the_data_change(void **state)
{
    (void)state;
    struct client first, second, third;
    ask(&first, 0, "map");
    await_answer(&first);
    ask(&second, 1, "map");
    await_answer(&second);
    world.version++;
    ask(&third, 2, "map");
    await_answer(&third);
    assert_ptr_equal(first.answer, second.answer);
    assert_ptr_not_equal(first.answer, third.answer);
    assert_int_equal(first.answer->tag, third.answer->tag); /* of the same content */
    assert_int_equal(world.asked, 2);
    answer_release(first.answer);
    answer_release(second.answer);
    answer_release(third.answer);
}

static void a_question_after_a_change_does_not_join_one_from_before(void **state)
{
    (void)state;
    struct client before, after, again;
    world.is_gated = true;
    ask(&before, 0, "map");
    await_begun(1);
    world.version++;
    ask(&after, 1, "map");
    await_begun(1);
    ask(&again, 2, "map"); /* joins the second */
    let_answer(2);
    expect_text(&before, "2 map");
    expect_text(&after, "2 map");
    expect_text(&again, "2 map");
    assert_int_equal(world.asked, 2);
}

static void data_without_a_version_is_not_kept_nor_joined_once_it_may_have_been_read(void **state)
{
    (void)state;
    struct client busy[QUESTION_THREADS], waiting, joining, later;
    world.has_no_version = true;
    occupy_threads(busy, 'b');
    ask(&waiting, 0, "map");
    ask(&joining, 1, "map");
    ask(&later, 1, "b0");
    await_lookups();
    let_answer(1);
    await_begun(1); /* "map", once */
    let_answer(QUESTION_THREADS - 1 + 2);
    for (int i = 0; i < QUESTION_THREADS; i++)
        expect_outcome(&busy[i], QUESTION_ANSWERED);
    expect_text(&waiting, "2 map");
    expect_text(&joining, "2 map");
    expect_text(&later, "2 b0");
    assert_int_equal(world.asked, QUESTION_THREADS + 2);
    let_answer(1);
    ask(&later, 1, "map");
    expect_text(&later, "2 map");
    assert_int_equal(world.asked, QUESTION_THREADS + 3);
}

static void a_failure_is_shared_and_forgotten(void **state)
{
    (void)state;
    struct client first, second, third;
    world.is_gated = true;
    world.status = STATUS_NO_DATA;
    ask(&first, 0, "map");
    await_begun(1);
    ask_kind(&second, 1, QUESTION_HISTORY, "map", true);
    world.status = STATUS_OK;
    await_lookups();
    let_answer(1);
    await_answer(&first);
    await_answer(&second);
    assert_ptr_equal(first.answer, second.answer);
    assert_int_equal(first.answer->status, STATUS_NO_DATA);
    assert_int_equal(first.answer->body.size, 0);
    assert_string_equal(first.answer->message, "it is 2 map");
    answer_release(first.answer);
    answer_release(second.answer);
    let_answer(1);
    ask(&third, 0, "map");
    expect_text(&third, "2 map");
    assert_int_equal(world.asked, 2);
}

/* -- forms ------------------------------------------------------------------------------------- */

static void expect_gzip_of(const struct answer *gzipped, const struct answer *plain)
{
    static char text[200000];
    z_stream stream = {.next_in = (Bytef *)gzipped->body.data,
                       .avail_in = (uInt)gzipped->body.size,
                       .next_out = (Bytef *)text,
                       .avail_out = sizeof text};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK); /* with its head and its checksum */
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, plain->body.size);
    assert_memory_equal(text, plain->body.data, plain->body.size);
    inflateEnd(&stream);
}

static void both_forms_cost_one_computation_and_one_compression(void **state)
{
    (void)state;
    enum { FORMS = 6 };
    struct client clients[FORMS];
    world.size = 100000;
    world.is_gated = true;
    for (size_t i = 0; i < FORMS; i++)
        ask_kind(&clients[i], i % LOOPS, QUESTION_GRID, "map", i % 2 == 0);
    let_answer(1);
    for (size_t i = 0; i < FORMS; i++)
        await_answer(&clients[i]);
    assert_int_equal(world.asked, 1);
    const struct answer *gzipped = clients[0].answer, *plain = clients[1].answer;
    assert_true(gzipped->is_gzipped && gzipped->body.size < 1000);
    assert_false(plain->is_gzipped);
    assert_int_equal(gzipped->tag, plain->tag);
    expect_gzip_of(gzipped, plain);
    for (size_t i = 0; i < FORMS; i++) {
        assert_ptr_equal(clients[i].answer, clients[i % 2].answer);
        answer_release(clients[i].answer);
    }
}

static void a_form_that_is_wanted_later_is_made_from_the_kept_one(void **state)
{
    (void)state;
    struct client plain, gzipped, left, again;
    world.size = 100000;
    ask(&plain, 0, "map");
    await_answer(&plain);
    ask_kind(&left, 0, QUESTION_HISTORY, "map", true);
    leave(&left); /* whether that has begun or not, the answer stays */
    ask_kind(&gzipped, 1, QUESTION_HISTORY, "map", true);
    await_answer(&gzipped);
    ask_kind(&again, 2, QUESTION_HISTORY, "map", true);
    await_answer(&again);
    assert_ptr_equal(gzipped.answer, again.answer);
    assert_int_equal(gzipped.answer->tag, plain.answer->tag);
    assert_int_equal(world.asked, 1);
    answer_release(plain.answer);
    answer_release(gzipped.answer);
    answer_release(again.answer);
}

/* What is given back after the answer is a call, too. */
static void where_there_is_no_memory_to_compress_it_goes_out_plain(void **state)
{
    (void)state;
    char text[16];
    struct client client;
    world.size = 100000;
    for (int call = 2; call < 4; call++) { /* the compressor, and room for what it makes */
        world.failing_call = call;
        snprintf(text, sizeof text, "map %d", call);
        ask_kind(&client, 0, QUESTION_HISTORY, text, true);
        await_answer(&client);
        assert_int_equal(client.answer->status, STATUS_OK);
        assert_false(client.answer->is_gzipped);
        answer_release(client.answer);
        ask_kind(&client, 0, QUESTION_HISTORY, text, true); /* by now there is */
        await_answer(&client);
        assert_true(client.answer->is_gzipped);
        answer_release(client.answer);
        assert_int_equal(world.asked, call - 1);
    }
}

static void a_short_answer_stays_plain(void **state)
{
    (void)state;
    struct client client;
    ask_kind(&client, 0, QUESTION_GRID, "map", true);
    await_answer(&client);
    assert_false(client.answer->is_gzipped);
    expect_text(&client, "4 map");
}

/* -- short questions --------------------------------------------------------------------------- */

static void readiness_is_answered_while_all_threads_compute(void **state)
{
    (void)state;
    enum { QUEUED = 20 };
    struct client busy[QUESTION_THREADS], queued[QUEUED], ready, symbols;
    occupy_threads(busy, 'b');
    for (int i = 0; i < QUEUED; i++) {
        char text[16];
        snprintf(text, sizeof text, "q%d", i);
        ask(&queued[i], 1, text);
    }
    ask_kind(&ready, 2, QUESTION_READY, "", false);
    expect_text(&ready, "1 ");
    ask_kind(&symbols, 2, QUESTION_SYMBOLS, "", false);
    expect_text(&symbols, "0 ");
    assert_int_equal(world.in_use, QUESTION_THREADS);
    let_answer(QUESTION_THREADS + QUEUED);
    for (int i = 0; i < QUESTION_THREADS; i++)
        expect_outcome(&busy[i], QUESTION_ANSWERED);
    for (int i = 0; i < QUEUED; i++)
        expect_outcome(&queued[i], QUESTION_ANSWERED);
}

static void kept_answers_are_given_while_all_threads_compute(void **state)
{
    (void)state;
    struct client busy[QUESTION_THREADS], kept;
    ask(&kept, 0, "map");
    expect_text(&kept, "2 map");
    await_begun(1);
    occupy_threads(busy, 'b');
    ask(&kept, 1, "map");
    expect_text(&kept, "2 map");
    let_answer(QUESTION_THREADS);
    for (int i = 0; i < QUESTION_THREADS; i++)
        expect_outcome(&busy[i], QUESTION_ANSWERED);
}

static void short_questions_that_wait_are_answered_by_one_look(void **state)
{
    (void)state;
    enum { PROBES = 50 };
    struct client first, probes[PROBES];
    world.is_short_gated = true;
    ask_kind(&first, 0, QUESTION_READY, "", false);
    await_begun(1);
    for (size_t i = 0; i < PROBES; i++) /* none may have what the first has seen already */
        ask_kind(&probes[i], i % LOOPS, QUESTION_READY, "", false);
    let_answer(2);
    expect_text(&first, "1 ");
    for (size_t i = 0; i < PROBES; i++)
        expect_text(&probes[i], "1 ");
    assert_int_equal(world.asked, 2);
}

static void
the_page_of_metrics_comes_while_the_database_hangs_and_once_for_all_that_wait(void **state)
{
    (void)state;
    enum { SCRAPES = 50 };
    struct client ready, page, scrapes[SCRAPES];
    world.is_short_gated = true;
    ask_kind(&ready, 0, QUESTION_READY, "", false);
    await_begun(1);
    ask_kind(&page, 0, QUESTION_METRICS, "", false);
    await_begun(1); /* a thread of its own has taken it */
    for (size_t i = 0; i < SCRAPES; i++)
        ask_kind(&scrapes[i], i % LOOPS, QUESTION_METRICS, "", false);
    world.is_short_gated = false;
    let_answer(2);
    char text[8];
    snprintf(text, sizeof text, "%d ", QUESTION_METRICS);
    expect_text(&page, text);
    for (size_t i = 0; i < SCRAPES; i++)
        expect_text(&scrapes[i], text);
    expect_text(&ready, "1 ");
    assert_int_equal(world.asked, 3);
}

static void readiness_that_fails_still_says_what(void **state)
{
    (void)state;
    struct client client;
    world.status = STATUS_IO;
    ask_kind(&client, 0, QUESTION_READY, "", true);
    await_answer(&client);
    assert_int_equal(client.answer->status, STATUS_IO);
    assert_string_equal(buffer_text(&client.answer->body), "1 ");
    answer_release(client.answer);
}

/* -- limits ------------------------------------------------------------------------------------ */

static void too_many_different_questions_are_refused_and_equal_ones_join(void **state)
{
    (void)state;
    static struct client clients[QUESTIONS_MAX], over, same, ready;
    world.is_gated = true;
    char text[16] = "";
    for (int i = 0; i < QUESTIONS_MAX; i++) {
        snprintf(text, sizeof text, "%d", i);
        ask(&clients[i], 0, text);
    }
    ask(&over, 1, "one more");
    expect_outcome(&over, QUESTION_REFUSED);
    ask(&same, 1, text);
    ask_kind(&ready, 2, QUESTION_READY, "", false);
    expect_outcome(&ready, QUESTION_ANSWERED);
    let_answer(QUESTIONS_MAX);
    for (int i = 0; i < QUESTIONS_MAX; i++)
        expect_outcome(&clients[i], QUESTION_ANSWERED);
    expect_text(&same, "2 63");
    let_answer(1);
    ask(&over, 1, "one more"); /* there is room again */
    expect_outcome(&over, QUESTION_ANSWERED);
}

static void ask_and_expect(const char *text, int asked)
{
    struct client client;
    ask(&client, 0, text);
    expect_outcome(&client, QUESTION_ANSWERED);
    assert_int_equal(world.asked, asked);
}

static void the_answer_used_longest_ago_goes_first(void **state)
{
    (void)state;
    char text[16];
    int asked = 0;
    for (int i = 0; i < QUESTIONS_KEPT_MAX; i++) {
        snprintf(text, sizeof text, "%d", i);
        ask_and_expect(text, ++asked);
    }
    ask_and_expect("0", asked);
    ask_and_expect("new", ++asked); /* "1" goes */
    ask_and_expect("0", asked);
    ask_and_expect("2", asked);
    ask_and_expect("1", ++asked);
}

static void the_bytes_kept_are_bounded(void **state)
{
    (void)state;
    world.size = QUESTIONS_KEPT_BYTES_MAX * 5 / 8;
    ask_and_expect("a", 1);
    ask_and_expect("b", 2); /* "a" goes */
    ask_and_expect("b", 2);
    world.size = QUESTIONS_KEPT_BYTES_MAX + 1;
    ask_and_expect("huge", 3); /* is not kept, and makes nothing go */
    ask_and_expect("huge", 4);
    ask_and_expect("b", 4);
    world.size = 10;
    ask_and_expect("a", 5);
}

static void an_answer_outlives_its_place(void **state)
{
    (void)state;
    struct client client;
    ask(&client, 0, "map");
    await_answer(&client);
    for (int i = 0; i < QUESTIONS_KEPT_MAX; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        ask_and_expect(text, i + 2);
    }
    questions_stop(questions);
    expect_text(&client, "2 map");
}

static const struct questions_limits small_limits = {.answer_bytes_max = 40 << 20,
                                                     .per_address = 64};

static void restart_with(const struct questions_limits *others)
{
    questions_stop(questions);
    questions_destroy(questions);
    questions = questions_create(&backend, others);
    questions_start(questions);
}

static void one_address_may_not_have_all_memory_for_answers(void **state)
{
    (void)state;
    enum { ANSWERS = 10, ITS_SHARE = 5 };
    struct client clients[ANSWERS], other;
    char text[16];
    int answered = 0;
    restart_with(&small_limits);
    world.size = 5 << 20;
    for (int i = 0; i < ANSWERS; i++) {
        snprintf(text, sizeof text, "%d", i);
        ask_for(&clients[i], 0, text, 7);
        await_answer(&clients[i]);
        answered += clients[i].outcome == QUESTION_ANSWERED;
    }
    assert_int_equal(answered, ITS_SHARE); /* less than three quarters of 40 MiB */
    ask_for(&other, 1, "other", 8);
    expect_outcome(&other, QUESTION_ANSWERED);
    for (int i = 0; i < ANSWERS; i++)
        answer_release(clients[i].answer);
    ask_for(&other, 0, "again", 7);
    expect_outcome(&other, QUESTION_ANSWERED);
}

static void answers_made_at_a_time_that_do_not_fit_together_are_refused(void **state)
{
    (void)state;
    struct client clients[QUESTION_THREADS], other;
    int answered = 0, refused = 0;
    restart_with(&small_limits);
    occupy_threads(clients, 'b');
    world.size = 9 << 20; /* one of them alone may be larger than a share */
    let_answer(QUESTION_THREADS);
    for (int i = 0; i < QUESTION_THREADS; i++) {
        await_answer(&clients[i]);
        answered += clients[i].outcome == QUESTION_ANSWERED;
        refused += clients[i].outcome == QUESTION_REFUSED;
    }
    assert_int_equal(answered, 3); /* 27 MiB of 30 */
    assert_int_equal(refused, 1);
    world.is_gated = false;
    world.size = 10;
    ask_for(&other, 1, "other", 8);
    expect_outcome(&other, QUESTION_ANSWERED);
    for (int i = 0; i < QUESTION_THREADS; i++)
        answer_release(clients[i].answer);
    world.size = 35 << 20;
    ask(&other, 1, "larger than a share");
    expect_outcome(&other, QUESTION_ANSWERED);
}

static void kept_answers_go_for_new_ones(void **state)
{
    (void)state;
    struct client client;
    restart_with(&small_limits);
    world.size = 8 << 20;
    for (int i = 0; i < 20; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        ask(&client, 0, text);
        expect_outcome(&client, QUESTION_ANSWERED);
    }
}

/* -- leaving ----------------------------------------------------------------------------------- */

static void a_queued_question_without_askers_is_dropped(void **state)
{
    (void)state;
    struct client busy[QUESTION_THREADS], first, second, last;
    occupy_threads(busy, 'b');
    ask(&first, 0, "unwanted");
    ask(&second, 1, "unwanted");
    ask(&last, 1, "last");
    leave(&first);
    leave(&second);
    leave(&second); /* harmless */
    let_answer(QUESTION_THREADS + 1);
    for (int i = 0; i < QUESTION_THREADS; i++)
        expect_outcome(&busy[i], QUESTION_ANSWERED);
    expect_text(&last, "2 last");
    assert_int_equal(world.asked, QUESTION_THREADS + 1);
    assert_false(first.is_answered || second.is_answered);
}

static void a_question_is_cancelled_when_the_last_asker_leaves(void **state)
{
    (void)state;
    struct client first, second, again;
    world.is_gated = true;
    ask(&first, 0, "map");
    ask(&second, 1, "map");
    await_begun(1);
    await_lookups();
    leave(&first);
    usleep(20000);
    assert_int_equal(world.cancelled, 0); /* the second waits */
    leave(&second);
    ask(&again, 2, "map"); /* does not join what was cancelled */
    await_begun(1);
    while (world.cancelled == 0)
        usleep(1000);
    let_answer(1);
    expect_text(&again, "2 map");
    assert_false(first.is_answered || second.is_answered);
}

static void an_asker_may_leave_with_its_answer_on_the_way(void **state)
{
    (void)state;
    struct client client, other;
    ask(&client, 0, "map");
    await(&loops[0].woken); /* it is in the inbox */
    leave(&client);
    ask(&other, 0, "map");
    expect_text(&other, "2 map");
    assert_false(client.is_answered);
}

/* -- stopping ---------------------------------------------------------------------------------- */

static void a_loop_that_is_woken_does_not_wait_for_the_thread_that_wakes_it(void **state)
{
    (void)state;
    struct client client;
    sem_init(&was_delivered, 0, 0);
    loops[0].inbox.wake = on_woken_by_a_slow_thread;
    ask(&client, 0, "a");
    await_answer(&client);
    sem_post(&was_delivered);
    expect_outcome(&client, QUESTION_ANSWERED);
    questions_stop(questions); /* the thread has returned */
    assert_false(had_to_wait);
    sem_destroy(&was_delivered);
}

static void threads_that_compute_give_way_and_those_that_look_up_do_not(void **state)
{
    (void)state;
    const int own = getpriority(PRIO_PROCESS, 0), most = 19;
    struct client client;
    ask(&client, 0, "a");
    expect_outcome(&client, QUESTION_ANSWERED);
    assert_in_range(world.niceness, own + 5 < most ? own + 5 : most, most);
    ask_kind(&client, 0, QUESTION_READY, "", false);
    expect_outcome(&client, QUESTION_ANSWERED);
    assert_int_equal(world.niceness, own);
}

static void a_stop_answers_all_that_wait_and_cancels_what_runs(void **state)
{
    (void)state;
    enum { QUEUED = 10 };
    struct client busy[QUESTION_THREADS], queued[QUEUED], ready, late;
    world.is_short_gated = true;
    occupy_threads(busy, 'b');
    for (int i = 0; i < QUEUED; i++) {
        char text[16];
        snprintf(text, sizeof text, "q%d", i % 5);
        ask(&queued[i], (size_t)i % LOOPS, text);
    }
    ask_kind(&ready, 2, QUESTION_READY, "", false);
    questions_stop(questions);
    assert_int_equal(world.in_use, 0);
    for (int i = 0; i < QUESTION_THREADS; i++)
        expect_outcome(&busy[i], QUESTION_STOPPED);
    for (int i = 0; i < QUEUED; i++)
        expect_outcome(&queued[i], QUESTION_STOPPED);
    expect_outcome(&ready, QUESTION_STOPPED);
    ask(&late, 0, "late");
    expect_outcome(&late, QUESTION_STOPPED);
    ask_kind(&late, 0, QUESTION_READY, "", false);
    expect_outcome(&late, QUESTION_STOPPED);
    assert_true(world.asked <= QUESTION_THREADS + 1);
}

static void *stop(void *context)
{
    (void)context;
    questions_stop(questions);
    return NULL;
}

static void a_stop_waits_for_the_backend(void **state)
{
    (void)state;
    struct client client;
    pthread_t thread;
    world.is_gated = true;
    world.ignores_cancelling = true;
    ask(&client, 0, "map");
    await_begun(1);
    assert_int_equal(pthread_create(&thread, NULL, stop, NULL), 0);
    expect_outcome(&client, QUESTION_STOPPED); /* at once, while the backend is in use */
    assert_int_equal(world.in_use, 1);
    let_answer(1);
    pthread_join(thread, NULL);
    assert_int_equal(world.in_use, 0);
}

static void questions_that_were_never_started_can_be_destroyed(void **state)
{
    (void)state;
    struct questions *unused = questions_create(&backend, &limits);
    questions_stop(unused);
    questions_destroy(unused);
}

/* -- all at once ------------------------------------------------------------------------------- */

enum { ROUNDS = 3000, CLIENTS = 8 };

static void *run_loop(void *context)
{
    size_t index = (size_t)((struct loop *)context - loops);
    unsigned chance = (unsigned)index;
    struct client clients[CLIENTS];
    char texts[CLIENTS][8];
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < CLIENTS; i++) {
            chance = chance * 1103515245u + 12345u;
            snprintf(texts[i], sizeof texts[i], "%u", (chance >> 16) % 60);
            ask_kind(&clients[i], index, i == 0 ? QUESTION_READY : QUESTION_HISTORY,
                     i == 0 ? "" : texts[i], i % 2 == 0);
        }
        if (round % 64 == 0)
            atomic_fetch_add(&world.version, 1);
        for (size_t i = 0; i < CLIENTS; i++) {
            if ((chance >> (i + 8)) % 4 == 0) {
                leave(&clients[i]);
                if (clients[i].is_answered)
                    answer_release(clients[i].answer);
                continue;
            }
            await_answer(&clients[i]);
            assert_int_equal(clients[i].outcome, QUESTION_ANSWERED);
            assert_int_equal(clients[i].answer->body.data[0], i == 0 ? '1' : '2');
            if (i != 0)
                assert_memory_equal(clients[i].answer->body.data + 2, texts[i], strlen(texts[i]));
            answer_release(clients[i].answer);
        }
    }
    return NULL;
}

static void loops_that_ask_and_leave_get_their_own_answers(void **state)
{
    (void)state;
    pthread_t threads[LOOPS];
    for (size_t i = 0; i < LOOPS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_loop, &loops[i]), 0);
    for (size_t i = 0; i < LOOPS; i++)
        pthread_join(threads[i], NULL);
}

#define fact(test) cmocka_unit_test_setup_teardown(test, prepare, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(equal_questions_of_all_loops_hold_one_thread),
        fact(questions_that_differ_have_their_own_answers),
        fact(an_answer_is_kept_until_the_data_change),
        fact(a_question_after_a_change_does_not_join_one_from_before),
        fact(data_without_a_version_is_not_kept_nor_joined_once_it_may_have_been_read),
        fact(a_failure_is_shared_and_forgotten),
        fact(both_forms_cost_one_computation_and_one_compression),
        fact(a_form_that_is_wanted_later_is_made_from_the_kept_one),
        fact(where_there_is_no_memory_to_compress_it_goes_out_plain),
        fact(a_short_answer_stays_plain),
        fact(readiness_is_answered_while_all_threads_compute),
        fact(kept_answers_are_given_while_all_threads_compute),
        fact(short_questions_that_wait_are_answered_by_one_look),
        fact(the_page_of_metrics_comes_while_the_database_hangs_and_once_for_all_that_wait),
        fact(readiness_that_fails_still_says_what),
        fact(too_many_different_questions_are_refused_and_equal_ones_join),
        fact(the_answer_used_longest_ago_goes_first),
        fact(the_bytes_kept_are_bounded),
        fact(an_answer_outlives_its_place),
        fact(one_address_may_not_have_all_memory_for_answers),
        fact(answers_made_at_a_time_that_do_not_fit_together_are_refused),
        fact(kept_answers_go_for_new_ones),
        fact(a_queued_question_without_askers_is_dropped),
        fact(a_question_is_cancelled_when_the_last_asker_leaves),
        fact(an_asker_may_leave_with_its_answer_on_the_way),
        fact(a_loop_that_is_woken_does_not_wait_for_the_thread_that_wakes_it),
        fact(threads_that_compute_give_way_and_those_that_look_up_do_not),
        fact(a_stop_answers_all_that_wait_and_cancels_what_runs),
        fact(a_stop_waits_for_the_backend),
        fact(questions_that_were_never_started_can_be_destroyed),
        fact(loops_that_ask_and_leave_get_their_own_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
