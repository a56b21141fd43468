/* The work knows nothing of threads: it is a function that blocks, as a test calls it. Stopping
 * asks it to end by its token, and waits; what it has stored by then is whole files, so a stop in
 * between loses nothing that the next run would not do. How the work has ended is the outcome,
 * which stays until the source is stopped, whether it ended by itself or not. */
#include "sources/archive/one_shot.h"

#include "base/check.h"
#include "base/clock.h"

#include <time.h>

#define MS_NS UINT64_C(1000000)
#define SECOND_NS (1000 * MS_NS)

static struct one_shot *one_shot_of(struct source *source)
{
    return (struct one_shot *)(void *)source; /* its first member */
}

static void *run(void *argument)
{
    struct one_shot *one_shot = argument;
    struct error outcome = {0};
    outcome.status = one_shot->work(one_shot, &outcome);
    pthread_mutex_lock(&one_shot->mutex);
    one_shot->outcome = outcome;
    one_shot->has_ended = true;
    pthread_cond_broadcast(&one_shot->ended);
    pthread_mutex_unlock(&one_shot->mutex);
    return NULL;
}

static enum status status_of(struct source *source, uint64_t *failures, struct error *error)
{
    struct one_shot *one_shot = one_shot_of(source);
    pthread_mutex_lock(&one_shot->mutex);
    const struct error outcome = one_shot->outcome;
    pthread_mutex_unlock(&one_shot->mutex);
    if (failures != NULL)
        *failures = outcome.status != STATUS_OK;
    return outcome.status == STATUS_OK ? STATUS_OK
                                       : error_set(error, outcome.status, "%s", outcome.message);
}

static bool wait_for(struct source *source, uint64_t timeout_ms)
{
    struct one_shot *one_shot = one_shot_of(source);
    uint64_t due_ns = clock_monotonic_ns() + timeout_ms * MS_NS;
    const struct timespec due = {.tv_sec = (time_t)(due_ns / SECOND_NS),
                                 .tv_nsec = (long)(due_ns % SECOND_NS)};
    pthread_mutex_lock(&one_shot->mutex);
    while (!one_shot->has_ended && clock_monotonic_ns() < due_ns)
        pthread_cond_timedwait(&one_shot->ended, &one_shot->mutex, &due);
    bool has_ended = one_shot->has_ended;
    pthread_mutex_unlock(&one_shot->mutex);
    return has_ended;
}

static enum status stop(struct source *source, struct error *error)
{
    struct one_shot *one_shot = one_shot_of(source);
    atomic_store_explicit(&one_shot->is_cancelled, true, memory_order_relaxed);
    if (one_shot->wake != NULL)
        one_shot->wake(one_shot);
    pthread_join(one_shot->thread, NULL);
    enum status status = status_of(source, NULL, error);
    pthread_cond_destroy(&one_shot->ended);
    pthread_mutex_destroy(&one_shot->mutex);
    one_shot->destroy(one_shot);
    return status;
}

static const struct source_type one_shot_type = {
    .status = status_of,
    .wait = wait_for,
    .stop = stop,
};

struct source *one_shot_start(struct one_shot *one_shot)
{
    pthread_condattr_t attributes;
    one_shot->base.type = &one_shot_type;
    one_shot->stop = (struct stop_token){.is_cancelled = &one_shot->is_cancelled};
    check(pthread_mutex_init(&one_shot->mutex, NULL) == 0);
    check(pthread_condattr_init(&attributes) == 0);
    check(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    check(pthread_cond_init(&one_shot->ended, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    check(pthread_create(&one_shot->thread, NULL, run, one_shot) == 0);
    return &one_shot->base;
}
