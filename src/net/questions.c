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
 * same thread answers the short kinds, which open the database. They have no version, so they can
 * be joined until they begin and not afterwards, when they may have read already.
 *
 *     (created) ──> QUEUED ──> RUNNING ──> KEPT ──> (freed)
 *                     ^           │          │
 *                     │           └─ failed, cancelled, too large: freed
 *                     └─── a client wants the gzip form, which is not there yet
 *
 * The thread that takes a question off the queue makes what its askers want: the plain answer,
 * unless it is there, and from that the gzip form; or it refuses them, if the answers that exist
 * fill their memory by then. Askers wait only while it is queued or running.
 * If the last of them leaves before there is a plain answer, a queued question is dropped, and a
 * running one is cancelled and cannot be joined any more.
 *
 * One lock guards all of this: the lists, the questions but for what is written before they are
 * queued (kind, text, request), and the askers but for is_asking. It is held for a walk over the
 * table, which has at most QUESTIONS_MAX + QUESTIONS_KEPT_MAX entries, or over the askers of one
 * question, as many as there are connections; never while a backend works, a text is compressed, or
 * memory of an answer is freed. Loops take it for a question, not for a broadcast. */
#include "net/questions.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/address_count.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum question_state { QUESTION_QUEUED, QUESTION_RUNNING, QUESTION_KEPT };

struct question_entry {
    struct list in_table; /* the used last last; in `garbage` when it is to be freed */
    struct list in_queue; /* while queued: the computations or the short ones */
    struct list askers;   /* none while it is kept */
    struct backend_request *request;
    char *canonical;
    bool has_version; /* else it may be joined only until it begins, and is not kept */
    uint64_t version;
    enum question_state state;
    bool is_joinable; /* false: it is freed when it no longer runs */
    struct question_control control;
    uint64_t address_key;           /* counted while it is queued or runs, unless it is short */
    struct answer *plain, *gzipped; /* NULL until they are made; may be the same one */
    uint64_t queued_ns;
};

struct questions {
    const struct backend *backend;
    size_t answer_bytes_max, kept_bytes_max;
    struct address_count *by_address; /* of questions under way */
    pthread_mutex_t lock;
    pthread_cond_t lookup_due, computation_due;
    struct list arriving;     /* askers that are to be found in the table */
    struct list looked_up;    /* those of them that are being found in it now */
    struct list table;        /* all questions */
    struct list short_ones;   /* queued, of the short kinds: one of each at most */
    struct list computations; /* queued, of the others; the oldest first */
    struct list garbage;      /* questions to be freed when the lock is released */
    size_t under_way;         /* about the past, queued or running */
    bool is_stopping;
    bool is_started;
    pthread_t lookup_thread, compute_threads[QUESTION_THREADS];
    /* Relaxed: it only decides which thread writes the line. */
    struct log_pause failure_pause;
};

/* -- the lock ---------------------------------------------------------------------------------- */

static void lock(struct questions *questions)
{
    pthread_mutex_lock(&questions->lock);
}

static void move_all(struct list *from, struct list *to)
{
    while (!list_is_empty(from)) {
        struct list *link = from->next;
        list_remove(link);
        list_push_back(to, link);
    }
}

static void free_question(struct question_entry *question)
{
    answer_release(question->plain);
    answer_release(question->gzipped);
    free(question->canonical);
    free(question->request);
    free(question);
}

static void free_all(struct list *questions)
{
    list_for_each_safe(link, following, questions)
        free_question(list_entry(link, struct question_entry, in_table));
}

/* Freeing an answer of many megabytes takes a while; no thread has to wait for the lock meanwhile.
 */
static void unlock(struct questions *questions)
{
    struct list garbage;
    list_init(&garbage);
    move_all(&questions->garbage, &garbage);
    pthread_mutex_unlock(&questions->lock);
    free_all(&garbage);
}

/* -- askers (under the lock) ------------------------------------------------------------------- */

/* Sends the asker home. The loop sees all that was written before, since it takes the lock to fetch
 * its askers; and it finds them, since it is woken after they are in the inbox. */
static void post(struct asker *asker, enum question_outcome outcome, struct answer *answer)
{
    list_remove(&asker->link);
    asker->question = NULL;
    asker->outcome = outcome;
    asker->answer = answer != NULL ? answer_acquire(answer) : NULL;
    list_push_back(&asker->inbox->arrived, &asker->link);
    asker->inbox->wake(asker->inbox->context);
}

static void post_all(struct list *askers, enum question_outcome outcome)
{
    while (!list_is_empty(askers))
        post(list_entry(askers->next, struct asker, link), outcome, NULL);
}

static struct answer *form_for(const struct question_entry *question, const struct asker *asker)
{
    return asker->accepts_gzip ? question->gzipped : question->plain;
}

/* Answers those whose form is there. */
static void give(struct question_entry *question)
{
    list_for_each_safe(link, following, &question->askers)
    {
        struct asker *asker = list_entry(link, struct asker, link);
        struct answer *answer = form_for(question, asker);
        if (answer != NULL)
            post(asker, QUESTION_ANSWERED, answer);
    }
}

/* -- the table (under the lock) ---------------------------------------------------------------- */

static bool is_short(const struct question_entry *question)
{
    return question_is_short(question->request->kind);
}

static void discard(struct questions *questions, struct question_entry *question)
{
    list_remove(&question->in_table);
    list_push_back(&questions->garbage, &question->in_table);
}

static struct question_entry *find(struct questions *questions, const struct asker *asker,
                                   bool has_version, uint64_t version)
{
    list_for_each_safe(link, following, &questions->table)
    {
        struct question_entry *question = list_entry(link, struct question_entry, in_table);
        if (question->is_joinable && question->request->kind == asker->request->kind &&
            question->has_version == has_version && question->version == version &&
            strcmp(question->canonical, asker->canonical) == 0)
            return question;
    }
    return NULL;
}

/* Takes the asker's request over. */
static struct question_entry *create_question(struct questions *questions, struct asker *asker,
                                              bool has_version, uint64_t version)
{
    struct question_entry *question = memory_allocate_zeroed(1, sizeof *question);
    question->request = asker->request;
    question->canonical = asker->canonical;
    asker->request = NULL;
    asker->canonical = NULL;
    question->has_version = has_version;
    question->version = version;
    question->state = QUESTION_KEPT; /* with no answer in any form yet */
    question->is_joinable = true;
    atomic_init(&question->control.is_cancelled, false);
    list_init(&question->in_queue);
    list_init(&question->askers);
    list_push_back(&questions->table, &question->in_table);
    return question;
}

/* Whether another answer may be made. Those that are being made meanwhile come on top, one a
 * thread. */
static bool has_memory(const struct questions *questions)
{
    return answer_bytes_held() < questions->answer_bytes_max;
}

/* Whether one more may be computed: the limits are of all that are under way, of the memory that
 * answers hold, and of what one address may ask. */
static bool try_take_room(struct questions *questions, uint64_t address_key)
{
    return questions->under_way < QUESTIONS_MAX && has_memory(questions) &&
           address_count_try_add(questions->by_address, address_key);
}

/* False if a limit is reached. */
static bool try_enqueue(struct questions *questions, struct question_entry *question,
                        uint64_t address_key)
{
    if (!is_short(question) && !try_take_room(questions, address_key))
        return false;
    question->address_key = address_key;
    question->state = QUESTION_QUEUED;
    question->queued_ns = clock_monotonic_ns();
    if (is_short(question)) {
        list_push_back(&questions->short_ones, &question->in_queue);
        pthread_cond_signal(&questions->lookup_due);
    } else {
        questions->under_way++;
        list_push_back(&questions->computations, &question->in_queue);
        pthread_cond_signal(&questions->computation_due);
    }
    return true;
}

/* It has left the queue, and runs no longer or never did. */
static void leave_queue(struct questions *questions, struct question_entry *question)
{
    list_remove(&question->in_queue);
    question->state = QUESTION_KEPT;
    if (!is_short(question)) {
        questions->under_way--;
        address_count_remove(questions->by_address, question->address_key);
    }
}

static void join(struct questions *questions, struct question_entry *question, struct asker *asker)
{
    struct answer *answer = form_for(question, asker);
    list_remove(&question->in_table);
    list_push_back(&questions->table, &question->in_table);
    if (answer != NULL) {
        post(asker, QUESTION_ANSWERED, answer);
    } else if (question->state == QUESTION_KEPT &&
               !try_enqueue(questions, question, asker->address_key)) {
        post(asker, QUESTION_REFUSED, NULL);
        if (question->plain == NULL)
            discard(questions, question);
    } else {
        list_remove(&asker->link);
        list_push_back(&question->askers, &asker->link);
        asker->question = question;
    }
}

static void find_and_join(struct questions *questions, struct asker *asker, bool has_version,
                          uint64_t version)
{
    struct question_entry *question = find(questions, asker, has_version, version);
    if (question == NULL)
        question = create_question(questions, asker, has_version, version);
    join(questions, question, asker);
}

/* Its last asker has left. */
static void abandon(struct questions *questions, struct question_entry *question)
{
    if (question->state == QUESTION_QUEUED) {
        leave_queue(questions, question);
        if (question->plain == NULL)
            discard(questions, question);
    } else if (question->plain == NULL) {
        question->is_joinable = false;
        atomic_store_explicit(&question->control.is_cancelled, true, memory_order_relaxed);
    }
}

static size_t size_of(const struct question_entry *question)
{
    size_t size = question->plain != NULL ? question->plain->body.size : 0;
    if (question->gzipped != NULL && question->gzipped != question->plain)
        size += question->gzipped->body.size;
    return size;
}

/* Discards answers, those used longest ago first, until the limits hold. */
static void evict(struct questions *questions)
{
    size_t count = 0, bytes = 0;
    list_for_each_safe(link, following, &questions->table)
    {
        struct question_entry *question = list_entry(link, struct question_entry, in_table);
        count += question->plain != NULL;
        bytes += size_of(question);
    }
    list_for_each_safe(link, following, &questions->table)
    {
        struct question_entry *question = list_entry(link, struct question_entry, in_table);
        if (count <= QUESTIONS_KEPT_MAX && bytes <= questions->kept_bytes_max)
            return;
        if (question->state != QUESTION_KEPT)
            continue;
        count--;
        bytes -= size_of(question);
        discard(questions, question);
    }
}

/* A question has run, and all of its askers have their answer. */
static void keep(struct questions *questions, struct question_entry *question)
{
    leave_queue(questions, question);
    if (question->plain == NULL || !question->is_joinable || question->plain->status != STATUS_OK ||
        size_of(question) > questions->kept_bytes_max)
        discard(questions, question);
    else
        evict(questions);
}

/* -- answering (under the lock, which is released meanwhile) ----------------------------------- */

static const char *kind_name(enum question_kind kind)
{
    static const char *const names[] = {
        [QUESTION_SYMBOLS] = "symbols", [QUESTION_READY] = "ready", [QUESTION_HISTORY] = "history",
        [QUESTION_CANDLES] = "candles", [QUESTION_GRID] = "grid",
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

/* Makes what the askers want. Its own fields that this thread alone writes while it runs (plain and
 * gzipped) are written under the lock, because others read them to join. */
static void run(struct questions *questions, struct question_entry *question)
{
    list_remove(&question->in_queue);
    question->state = QUESTION_RUNNING;
    question->is_joinable &= question->has_version;
    while (!list_is_empty(&question->askers)) {
        struct answer *plain = question->plain;
        unlock(questions);
        struct answer *made = plain == NULL ? ask_backend(questions, question) : answer_gzip(plain);
        lock(questions);
        if (plain != NULL)
            question->gzipped = made;
        else
            question->plain = made;
        if (plain == NULL && !answer_is_worth_gzip(made))
            question->gzipped = answer_acquire(made); /* one form does for both */
        give(question);
    }
    keep(questions, question);
}

/* Waits until there may be work. What is to be freed is freed first, and not left to a loop that
 * happens to release the lock next. */
static void await_work(struct questions *questions, pthread_cond_t *due)
{
    if (list_is_empty(&questions->garbage)) {
        pthread_cond_wait(due, &questions->lock);
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
    if (question->plain != NULL || has_memory(questions)) {
        run(questions, question);
    } else {
        post_all(&question->askers, QUESTION_REFUSED);
        abandon(questions, question);
    }
}

static void *compute(void *context)
{
    struct questions *questions = context;
    lock(questions);
    while (!questions->is_stopping) {
        if (list_is_empty(&questions->computations))
            await_work(questions, &questions->computation_due);
        else
            run_or_refuse(questions, first_queued(&questions->computations));
    }
    unlock(questions);
    return NULL;
}

/* Finds all that have arrived in the table. */
static void look_up(struct questions *questions)
{
    const struct backend *backend = questions->backend;
    uint64_t version = 0;
    move_all(&questions->arriving, &questions->looked_up);
    unlock(questions);
    bool has_version = backend->version != NULL && backend->version(backend->context, &version);
    lock(questions);
    while (!list_is_empty(&questions->looked_up)) /* some may have left meanwhile */
        find_and_join(questions, list_entry(questions->looked_up.next, struct asker, link),
                      has_version, has_version ? version : 0);
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
        if (!list_is_empty(&questions->short_ones)) {
            run(questions, first_queued(&questions->short_ones));
            has_work = true;
        }
        if (!has_work)
            await_work(questions, &questions->lookup_due);
    }
    unlock(questions);
    return NULL;
}

/* -- on the asker's loop ----------------------------------------------------------------------- */

void question_inbox_init(struct question_inbox *inbox, void (*wake)(void *context), void *context)
{
    list_init(&inbox->arrived);
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
        post(asker, QUESTION_STOPPED, NULL);
    } else if (question_is_short(request->kind)) {
        find_and_join(questions, asker, false, 0);
    } else {
        list_push_back(&questions->arriving, &asker->link);
        pthread_cond_signal(&questions->lookup_due);
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
        abandon(questions, question);
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
    move_all(&inbox->arrived, &arrived);
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
    questions->answer_bytes_max = limits->answer_bytes_max;
    questions->kept_bytes_max = limits->answer_bytes_max / 2 < QUESTIONS_KEPT_BYTES_MAX
                                    ? limits->answer_bytes_max / 2
                                    : QUESTIONS_KEPT_BYTES_MAX;
    questions->by_address = address_count_create(limits->per_address);
    check(pthread_mutex_init(&questions->lock, NULL) == 0);
    check(pthread_cond_init(&questions->lookup_due, NULL) == 0);
    check(pthread_cond_init(&questions->computation_due, NULL) == 0);
    list_init(&questions->arriving);
    list_init(&questions->looked_up);
    list_init(&questions->table);
    list_init(&questions->short_ones);
    list_init(&questions->computations);
    list_init(&questions->garbage);
    return questions;
}

void questions_start(struct questions *questions)
{
    questions->is_started = true;
    check(pthread_create(&questions->lookup_thread, NULL, look_up_and_answer, questions) == 0);
    for (size_t i = 0; i < QUESTION_THREADS; i++)
        check(pthread_create(&questions->compute_threads[i], NULL, compute, questions) == 0);
}

static void stop_all(struct questions *questions)
{
    questions->is_stopping = true;
    post_all(&questions->arriving, QUESTION_STOPPED);
    post_all(&questions->looked_up, QUESTION_STOPPED);
    list_for_each_safe(link, following, &questions->table)
    {
        struct question_entry *question = list_entry(link, struct question_entry, in_table);
        post_all(&question->askers, QUESTION_STOPPED);
        if (question->state != QUESTION_KEPT)
            abandon(questions, question);
    }
    pthread_cond_broadcast(&questions->lookup_due);
    pthread_cond_broadcast(&questions->computation_due);
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
    for (size_t i = 0; i < QUESTION_THREADS; i++)
        pthread_join(questions->compute_threads[i], NULL);
}

void questions_destroy(struct questions *questions)
{
    if (questions == NULL)
        return;
    check(!questions->is_started && list_is_empty(&questions->arriving));
    free_all(&questions->table);
    address_count_destroy(questions->by_address);
    pthread_cond_destroy(&questions->computation_due);
    pthread_cond_destroy(&questions->lookup_due);
    pthread_mutex_destroy(&questions->lock);
    free(questions);
}
