/* What a question's life is, and what it may take.
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
 * running one is cancelled and cannot be joined any more. */
#include "net/question_table.h"

#include "base/check.h"
#include "base/clock.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* -- the lock ---------------------------------------------------------------------------------- */

void question_table_lock(struct question_table *table)
{
    pthread_mutex_lock(&table->lock);
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

void question_table_unlock(struct question_table *table)
{
    struct list garbage;
    list_init(&garbage);
    list_move_all(&table->garbage, &garbage);
    while (!list_is_empty(&table->posted)) {
        struct question_inbox *inbox =
            list_entry(table->posted.next, struct question_inbox, in_posted);
        list_remove(&inbox->in_posted);
        pthread_mutex_unlock(&table->lock);
        inbox->wake(inbox->context);
        pthread_mutex_lock(&table->lock);
    }
    pthread_mutex_unlock(&table->lock);
    free_all(&garbage);
}

bool question_table_owes(const struct question_table *table)
{
    return !list_is_empty(&table->garbage) || !list_is_empty(&table->posted);
}

/* -- askers ------------------------------------------------------------------------------------ */

/* Sends the asker home. The loop sees all that was written before, since it takes the lock to fetch
 * its askers; and it finds them, since it is woken after they are in the inbox. */
static void post(struct question_table *table, struct asker *asker, enum question_outcome outcome,
                 struct answer *answer)
{
    list_remove(&asker->link);
    asker->question = NULL;
    asker->outcome = outcome;
    asker->answer = answer != NULL ? answer_acquire(answer) : NULL;
    list_push_back(&asker->inbox->arrived, &asker->link);
    list_remove(&asker->inbox->in_posted);
    list_push_back(&table->posted, &asker->inbox->in_posted);
}

void question_table_post_all(struct question_table *table, struct list *askers,
                             enum question_outcome outcome)
{
    while (!list_is_empty(askers))
        post(table, list_entry(askers->next, struct asker, link), outcome, NULL);
}

static struct answer *form_for(const struct question_entry *question, const struct asker *asker)
{
    return asker->accepts_gzip ? question->gzipped : question->plain;
}

void question_table_give(struct question_table *table, struct question_entry *question)
{
    list_for_each_safe(link, following, &question->askers)
    {
        struct asker *asker = list_entry(link, struct asker, link);
        struct answer *answer = form_for(question, asker);
        if (answer != NULL)
            post(table, asker, QUESTION_ANSWERED, answer);
    }
}

void question_table_give_plain(struct question_table *table, struct question_entry *question)
{
    while (!list_is_empty(&question->askers))
        post(table, list_entry(question->askers.next, struct asker, link), QUESTION_ANSWERED,
             question->plain);
}

/* -- the table --------------------------------------------------------------------------------- */

static bool is_short(const struct question_entry *question)
{
    return question_is_short(question->request->kind);
}

/* Nobody else holds it, or can have it any more: what is to be freed soon counts no longer. */
static void discharge_unshared(struct answer *answer, unsigned held_here)
{
    if (answer != NULL && answer_holders(answer) == held_here)
        answer_discharge(answer);
}

static void discard(struct question_table *table, struct question_entry *question)
{
    unsigned held_here = question->plain == question->gzipped ? 2 : 1;
    discharge_unshared(question->plain, held_here);
    discharge_unshared(question->gzipped, held_here);
    list_remove(&question->in_table);
    list_push_back(&table->garbage, &question->in_table);
}

static struct question_entry *find(struct question_table *table, const struct asker *asker,
                                   bool has_version, uint64_t version)
{
    list_for_each_safe(link, following, &table->questions)
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
static struct question_entry *create_question(struct question_table *table, struct asker *asker,
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
    list_push_back(&table->questions, &question->in_table);
    return question;
}

static size_t size_of(const struct question_entry *question)
{
    size_t size = question->plain != NULL ? question->plain->body.size : 0;
    if (question->gzipped != NULL && question->gzipped != question->plain)
        size += question->gzipped->body.size;
    return size;
}

static bool is_shared(const struct question_entry *question)
{
    const struct answer *plain = question->plain, *gzipped = question->gzipped;
    unsigned held_here = plain == gzipped ? 2 : 1;
    return (plain != NULL && answer_holders(plain) > held_here) ||
           (gzipped != NULL && answer_holders(gzipped) > held_here);
}

/* Whether `size` more bytes of answers are within the limits, beyond which no other may be begun.
 */
static bool is_within(const struct question_table *table, uint64_t address_key, size_t size)
{
    size_t of_address = (size_t)address_count_of(table->held_by_address, address_key) * 1024;
    return answer_bytes_held() + size < table->answer_bytes_max &&
           of_address + size < table->address_bytes_max;
}

/* Discards what is kept, as far as that helps. */
static bool reclaim(struct question_table *table, uint64_t address_key, size_t size)
{
    list_for_each_safe(link, following, &table->questions)
    {
        struct question_entry *question = list_entry(link, struct question_entry, in_table);
        bool is_full = answer_bytes_held() + size >= table->answer_bytes_max;
        if (is_within(table, address_key, size))
            return true;
        if (question->state == QUESTION_KEPT && !is_shared(question) &&
            (is_full || question->address_key == address_key))
            discard(table, question);
    }
    return is_within(table, address_key, size);
}

bool question_table_make_room(struct question_table *table, uint64_t address_key)
{
    return reclaim(table, address_key, 0);
}

bool question_table_try_charge(struct question_table *table, const struct question_entry *question,
                               struct answer *answer)
{
    uint64_t key = question->address_key;
    bool is_short = question_is_short(question->request->kind);
    bool fits = is_short || reclaim(table, key, answer->body.capacity) ||
                (address_count_of(table->held_by_address, key) == 0 && is_within(table, key, 0));
    if (fits)
        answer_charge(answer, table->held_by_address, key);
    return fits;
}

/* Whether one more may be computed: the limits are of all that are under way, of the memory that
 * answers hold, in all and of this address, and of what one address may ask. */
static bool try_take_room(struct question_table *table, uint64_t address_key)
{
    return table->under_way < QUESTIONS_MAX && question_table_make_room(table, address_key) &&
           address_count_try_add(table->by_address, address_key);
}

/* False if a limit is reached. */
static bool try_enqueue(struct question_table *table, struct question_entry *question,
                        uint64_t address_key)
{
    if (!is_short(question) && !try_take_room(table, address_key))
        return false;
    question->address_key = address_key;
    question->state = QUESTION_QUEUED;
    question->queued_ns = clock_monotonic_ns();
    if (question->request->kind == QUESTION_METRICS) {
        list_push_back(&table->metrics, &question->in_queue);
        pthread_cond_signal(&table->metrics_due);
    } else if (is_short(question)) {
        list_push_back(&table->short_ones, &question->in_queue);
        pthread_cond_signal(&table->lookup_due);
    } else {
        table->under_way++;
        list_push_back(&table->computations, &question->in_queue);
        pthread_cond_signal(&table->computation_due);
    }
    return true;
}

/* It has left the queue, and runs no longer or never did. */
static void leave_queue(struct question_table *table, struct question_entry *question)
{
    list_remove(&question->in_queue);
    question->state = QUESTION_KEPT;
    if (!is_short(question)) {
        table->under_way--;
        address_count_remove(table->by_address, question->address_key);
    }
}

static void join(struct question_table *table, struct question_entry *question, struct asker *asker)
{
    struct answer *answer = form_for(question, asker);
    list_remove(&question->in_table);
    list_push_back(&table->questions, &question->in_table);
    if (answer != NULL) {
        post(table, asker, QUESTION_ANSWERED, answer);
    } else if (question->state == QUESTION_KEPT &&
               !try_enqueue(table, question, asker->address_key)) {
        post(table, asker, QUESTION_REFUSED, NULL);
        if (question->plain == NULL)
            discard(table, question);
    } else {
        list_remove(&asker->link);
        list_push_back(&question->askers, &asker->link);
        asker->question = question;
    }
}

void question_table_join(struct question_table *table, struct asker *asker, bool has_version,
                         uint64_t version)
{
    struct question_entry *question = find(table, asker, has_version, version);
    if (question == NULL)
        question = create_question(table, asker, has_version, version);
    join(table, question, asker);
}

void question_table_abandon(struct question_table *table, struct question_entry *question)
{
    if (question->state == QUESTION_QUEUED) {
        leave_queue(table, question);
        if (question->plain == NULL)
            discard(table, question);
    } else if (question->plain == NULL) {
        question->is_joinable = false;
        atomic_store_explicit(&question->control.is_cancelled, true, memory_order_relaxed);
    }
}

/* Discards answers, those used longest ago first, until the limits hold. */
static void evict(struct question_table *table)
{
    size_t count = 0, bytes = 0;
    list_for_each_safe(link, following, &table->questions)
    {
        struct question_entry *question = list_entry(link, struct question_entry, in_table);
        count += question->plain != NULL;
        bytes += size_of(question);
    }
    list_for_each_safe(link, following, &table->questions)
    {
        struct question_entry *question = list_entry(link, struct question_entry, in_table);
        if (count <= QUESTIONS_KEPT_MAX && bytes <= table->kept_bytes_max)
            return;
        if (question->state != QUESTION_KEPT)
            continue;
        count--;
        bytes -= size_of(question);
        discard(table, question);
    }
}

void question_table_end(struct question_table *table, struct question_entry *question)
{
    leave_queue(table, question);
    if (question->plain == NULL || !question->is_joinable || question->plain->status != STATUS_OK ||
        size_of(question) > table->kept_bytes_max)
        discard(table, question);
    else
        evict(table);
}

void question_table_begin(struct question_entry *question)
{
    list_remove(&question->in_queue);
    question->state = QUESTION_RUNNING;
    question->is_joinable &= question->has_version;
}

/* -- life -------------------------------------------------------------------------------------- */

void question_table_init(struct question_table *table, const struct questions_limits *limits)
{
    size_t half = limits->answer_bytes_max / 2;
    table->answer_bytes_max = limits->answer_bytes_max;
    table->address_bytes_max = limits->answer_bytes_max / 4 * QUESTIONS_ADDRESS_QUARTERS;
    table->kept_bytes_max = half < QUESTIONS_KEPT_BYTES_MAX ? half : QUESTIONS_KEPT_BYTES_MAX;
    table->by_address = address_count_create(limits->per_address);
    table->held_by_address = address_count_create(INT_MAX);
    table->under_way = 0;
    check(pthread_mutex_init(&table->lock, NULL) == 0);
    check(pthread_cond_init(&table->lookup_due, NULL) == 0);
    check(pthread_cond_init(&table->metrics_due, NULL) == 0);
    check(pthread_cond_init(&table->computation_due, NULL) == 0);
    list_init(&table->questions);
    list_init(&table->short_ones);
    list_init(&table->metrics);
    list_init(&table->computations);
    list_init(&table->garbage);
    list_init(&table->posted);
}

void question_table_deinit(struct question_table *table)
{
    free_all(&table->questions);
    address_count_destroy(table->by_address);
    address_count_destroy(table->held_by_address);
    pthread_cond_destroy(&table->computation_due);
    pthread_cond_destroy(&table->metrics_due);
    pthread_cond_destroy(&table->lookup_due);
    pthread_mutex_destroy(&table->lock);
}
