/* A thousand viewers open the page and ask for the same map: that must be one computation, and no
 * thread may wait for it. Meanwhile a few clients ask for histories of their own, seconds of work
 * each: that must not keep a load balancer from learning that the server is ready.
 *
 *     loops ──ask──> arriving ──lookup thread──> the table ──queue──> compute threads
 *       ^                │                          │                        │
 *       └──deliver── inbox of each loop <───────────┴────────────────────────┘
 *
 * The table holds every question that exists: queued, running, or kept with its answer. Which of
 * them an asker belongs to depends on the version of the data. Reading that may block (stat() on a
 * slow file system), so no loop does it: askers arrive in a list, and the lookup thread reads the
 * version once for all that arrived before; hence no asker gets data older than its question. The
 * same thread answers the short kinds that open the database. They have no version, so they can be
 * joined until they begin and not afterwards, when they may have read already. That holds for the
 * page of metrics as well, which a thread of its own makes: however many scrape at a time, there is
 * one page under way, and it is no older than their requests.
 *
 * The threads that may work for long give way to the loops: clients that are connected are more
 * urgent than answers that nobody expects at once. */
#include "net/questions.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/question_table.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Added to the niceness of threads that may work for long: a third of a loop's weight. With less,
 * a machine that other programs keep busy would not answer questions before their time is over. */
enum { BUSY_THREAD_NICENESS = 5 };

/* The lists and the flag are under the table's lock. */
struct questions {
    const struct backend *backend;
    struct question_table table;
    struct list arriving;  /* askers that are to be found in the table */
    struct list looked_up; /* those of them that are being found in it now */
    bool is_stopping;
    bool is_started;
    pthread_t lookup_thread, metrics_thread, compute_threads[QUESTION_THREADS];
    struct log_pause failure_pause;
};

static void lock(struct questions *questions)
{
    question_table_lock(&questions->table);
}

static void unlock(struct questions *questions)
{
    question_table_unlock(&questions->table);
}

/* -- answering (under the lock, which is released meanwhile) ----------------------------------- */

static const char *kind_name(enum question_kind kind)
{
    static const char *const names[] = {
        [QUESTION_SYMBOLS] = "symbols",
        [QUESTION_READY] = "ready",
        [QUESTION_HISTORY] = "history",
        [QUESTION_CANDLES] = "candles",
        [QUESTION_GRID] = "grid",
        [QUESTION_LIQUIDATIONS] = "liquidations",
        [QUESTION_SCORE] = "score",
        [QUESTION_METRICS] = "metrics",
        [QUESTION_LIQUIDATIONS_CSV] = "liquidations as CSV",
    };
    return names[kind];
}

/* One line a minute: clients may ask as often as they like. */
static void log_failure(struct questions *questions, const struct answer *answer)
{
    if (log_end_pause(&questions->failure_pause))
        log_warn("requests fail", log_text("reason", answer->message));
}

static struct answer *ask_backend(struct questions *questions,
                                  const struct question_entry *question)
{
    const struct backend *backend = questions->backend;
    struct answer *answer = answer_create();
    struct error error = {.message = ""};
    uint64_t begun_ns = clock_monotonic_ns();
    answer->status = backend->answer(backend->context, question->request, &question->control,
                                     &answer->body, &error);
    answer_complete(answer);
    if (answer->status != STATUS_OK) {
        answer->message = memory_copy_string(error.message);
        answer->fit = error.fit;
    }
    log_debug("question computed", log_text("kind", kind_name(question->request->kind)),
              log_text("question", question->canonical),
              log_text("result", answer->status == STATUS_OK ? "ok" : error.message),
              log_int("bytes", (int64_t)answer->body.size),
              log_real("queued_ms", (double)(begun_ns - question->queued_ns) / 1e6),
              log_real("ms", (double)(clock_monotonic_ns() - begun_ns) / 1e6));
    if (answer->body.size == 0 &&
        (answer->status == STATUS_IO || answer->status == STATUS_NOT_FOUND))
        log_failure(questions, answer);
    return answer;
}

static void take_plain(struct questions *questions, struct question_entry *question,
                       struct answer *plain)
{
    question->plain = plain;
    if (!answer_is_worth_gzip(plain))
        question->gzipped = answer_acquire(plain); /* one form does for both */
    if (question_table_try_charge(&questions->table, question, plain))
        return;
    question->is_joinable = false;
    question_table_post_all(&questions->table, &question->askers, QUESTION_REFUSED);
}

static void take_gzipped(struct questions *questions, struct question_entry *question,
                         struct answer *gzipped)
{
    question->gzipped = gzipped;
    if (gzipped != NULL)
        answer_charge(gzipped, questions->table.held_by_address, question->address_key);
    else /* there is no memory; when it is asked for again there may be */
        question_table_give_plain(&questions->table, question);
}

/* Makes what the askers want. Its own fields that this thread alone writes while it runs (plain and
 * gzipped) are written under the lock, because others read them to join. */
static void run(struct questions *questions, struct question_entry *question)
{
    question_table_begin(question);
    while (!list_is_empty(&question->askers)) {
        struct answer *plain = question->plain;
        unlock(questions);
        struct answer *made = plain == NULL ? ask_backend(questions, question) : answer_gzip(plain);
        lock(questions);
        if (plain == NULL)
            take_plain(questions, question, made);
        else
            take_gzipped(questions, question, made);
        question_table_give(&questions->table, question);
    }
    question_table_end(&questions->table, question);
}

/* Waits until there may be work. What is to be done when the lock is released is done first, and
 * not left to a loop that happens to release it next. */
static void await_work(struct questions *questions, pthread_cond_t *due)
{
    if (!question_table_owes(&questions->table)) {
        pthread_cond_wait(due, &questions->table.lock);
    } else {
        unlock(questions);
        lock(questions);
    }
}

static struct question_entry *first_queued(const struct list *queue)
{
    return list_entry(queue->next, struct question_entry, in_queue);
}

/* There may have been memory for it when it was queued. */
static void run_or_refuse(struct questions *questions, struct question_entry *question)
{
    if (question->plain != NULL ||
        question_table_make_room(&questions->table, question->address_key)) {
        run(questions, question);
    } else {
        question_table_post_all(&questions->table, &question->askers, QUESTION_REFUSED);
        question_table_abandon(&questions->table, question);
    }
}

/* Of the calling thread alone, as Linux has it. */
static void give_way(void)
{
    errno = 0;
    int niceness = nice(BUSY_THREAD_NICENESS);
    check(niceness != -1 || errno == 0);
}

static void *compute(void *context)
{
    struct questions *questions = context;
    give_way();
    lock(questions);
    while (!questions->is_stopping) {
        if (list_is_empty(&questions->table.computations))
            await_work(questions, &questions->table.computation_due);
        else
            run_or_refuse(questions, first_queued(&questions->table.computations));
    }
    unlock(questions);
    return NULL;
}

/* Finds all that have arrived in the table. */
static void look_up(struct questions *questions)
{
    const struct backend *backend = questions->backend;
    uint64_t version = 0;
    list_move_all(&questions->arriving, &questions->looked_up);
    unlock(questions);
    bool has_version = backend->version != NULL && backend->version(backend->context, &version);
    lock(questions);
    while (!list_is_empty(&questions->looked_up)) /* some may have left meanwhile */
        question_table_join(&questions->table,
                            list_entry(questions->looked_up.next, struct asker, link), has_version,
                            has_version ? version : 0);
}

/* One batch of lookups, then one short question, so that neither waits for many of the other. */
static void *look_up_and_answer(void *context)
{
    struct questions *questions = context;
    lock(questions);
    while (!questions->is_stopping) {
        bool has_work = false;
        if (!list_is_empty(&questions->arriving)) {
            look_up(questions);
            has_work = true;
        }
        if (!list_is_empty(&questions->table.short_ones)) {
            run(questions, first_queued(&questions->table.short_ones));
            has_work = true;
        }
        if (!has_work)
            await_work(questions, &questions->table.lookup_due);
    }
    unlock(questions);
    return NULL;
}

static void *make_metrics(void *context)
{
    struct questions *questions = context;
    give_way();
    lock(questions);
    while (!questions->is_stopping) {
        if (list_is_empty(&questions->table.metrics))
            await_work(questions, &questions->table.metrics_due);
        else
            run(questions, first_queued(&questions->table.metrics));
    }
    unlock(questions);
    return NULL;
}

/* -- on the asker's loop ----------------------------------------------------------------------- */

void question_inbox_init(struct question_inbox *inbox, void (*wake)(void *context), void *context)
{
    list_init(&inbox->arrived);
    list_init(&inbox->in_posted);
    inbox->wake = wake;
    inbox->context = context;
}

static void forget_request(struct asker *asker)
{
    free(asker->request);
    free(asker->canonical);
    asker->request = NULL;
    asker->canonical = NULL;
}

void questions_ask(struct questions *questions, struct asker *asker,
                   const struct backend_request *request, struct buffer *canonical,
                   bool accepts_gzip)
{
    check(!asker->is_asking);
    asker->is_asking = true;
    asker->accepts_gzip = accepts_gzip;
    asker->question = NULL;
    asker->request = memory_allocate(sizeof *request);
    *asker->request = *request;
    buffer_text(canonical);
    asker->canonical = buffer_detach(canonical);
    list_init(&asker->link);
    lock(questions);
    if (questions->is_stopping) {
        list_push_back(&questions->arriving, &asker->link);
        question_table_post_all(&questions->table, &questions->arriving, QUESTION_STOPPED);
    } else if (question_is_short(request->kind)) {
        question_table_join(&questions->table, asker, false, 0);
    } else {
        list_push_back(&questions->arriving, &asker->link);
        pthread_cond_signal(&questions->table.lookup_due);
    }
    unlock(questions);
}

void questions_leave(struct questions *questions, struct asker *asker)
{
    if (!asker->is_asking)
        return;
    lock(questions);
    struct question_entry *question = asker->question;
    list_remove(&asker->link);
    if (question != NULL && list_is_empty(&question->askers))
        question_table_abandon(&questions->table, question);
    unlock(questions);
    forget_request(asker);
    answer_release(asker->answer);
    asker->answer = NULL;
    asker->is_asking = false;
}

void questions_deliver(struct questions *questions, struct question_inbox *inbox)
{
    struct list arrived;
    list_init(&arrived);
    lock(questions);
    list_move_all(&inbox->arrived, &arrived);
    unlock(questions);
    while (!list_is_empty(&arrived)) { /* on_answered() may make others of them leave */
        struct asker *asker = list_entry(arrived.next, struct asker, link);
        struct answer *answer = asker->answer;
        list_remove(&asker->link);
        forget_request(asker);
        asker->answer = NULL;
        asker->is_asking = false;
        asker->on_answered(asker, asker->outcome, answer);
        answer_release(answer);
    }
}

/* -- life -------------------------------------------------------------------------------------- */

struct questions *questions_create(const struct backend *backend,
                                   const struct questions_limits *limits)
{
    struct questions *questions = memory_allocate_zeroed(1, sizeof *questions);
    questions->backend = backend;
    question_table_init(&questions->table, limits);
    list_init(&questions->arriving);
    list_init(&questions->looked_up);
    return questions;
}

void questions_start(struct questions *questions)
{
    questions->is_started = true;
    check(pthread_create(&questions->lookup_thread, NULL, look_up_and_answer, questions) == 0);
    check(pthread_create(&questions->metrics_thread, NULL, make_metrics, questions) == 0);
    for (size_t i = 0; i < QUESTION_THREADS; i++)
        check(pthread_create(&questions->compute_threads[i], NULL, compute, questions) == 0);
}

static void stop_all(struct questions *questions)
{
    questions->is_stopping = true;
    question_table_post_all(&questions->table, &questions->arriving, QUESTION_STOPPED);
    question_table_post_all(&questions->table, &questions->looked_up, QUESTION_STOPPED);
    list_for_each_safe(link, following, &questions->table.questions)
    {
        struct question_entry *question = list_entry(link, struct question_entry, in_table);
        question_table_post_all(&questions->table, &question->askers, QUESTION_STOPPED);
        if (question->state != QUESTION_KEPT)
            question_table_abandon(&questions->table, question);
    }
    pthread_cond_broadcast(&questions->table.lookup_due);
    pthread_cond_broadcast(&questions->table.metrics_due);
    pthread_cond_broadcast(&questions->table.computation_due);
}

void questions_stop(struct questions *questions)
{
    if (!questions->is_started)
        return;
    questions->is_started = false;
    lock(questions);
    stop_all(questions);
    unlock(questions);
    pthread_join(questions->lookup_thread, NULL);
    pthread_join(questions->metrics_thread, NULL);
    for (size_t i = 0; i < QUESTION_THREADS; i++)
        pthread_join(questions->compute_threads[i], NULL);
}

void questions_destroy(struct questions *questions)
{
    if (questions == NULL)
        return;
    check(!questions->is_started && list_is_empty(&questions->arriving));
    question_table_deinit(&questions->table);
    free(questions);
}
