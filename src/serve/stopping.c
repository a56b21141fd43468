/* Supervisors send more than one signal: `timeout` signals the process and then its group, a
 * terminal's Ctrl-C reaches every process of a pipeline whose leader passes it on. So signals that
 * come together are one, and only a later one is a person who does not want to wait. libuv's own
 * signal handles tell of a signal when the loop comes round, which it does not while the server
 * stops; hence a handler here, which does what a handler may: it looks at the clock, keeps the time
 * in an atomic, and sends an async handle, which libuv allows.
 *
 * What stopping waits for is bounded, part by part, but a disk or a network mount that hangs holds
 * a thread where nothing reaches it. A supervisor would send SIGKILL some time later; the watch
 * ends the process before, and says so. */
#include "serve/stopping.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MS_NS UINT64_C(1000000)
#define SECOND_NS (1000 * MS_NS)

enum { LAST_LINE_MS = 200 }; /* for the log's thread to write why the process ends */

/* -- signals ----------------------------------------------------------------------------------- */

static uv_async_t *asked_handle;       /* set before the handler is installed */
static atomic_int first_signal;        /* 0: none yet */
static atomic_uint_least64_t first_ns; /* when it came; set before first_signal */

static void on_signal(int number)
{
    int saved_errno = errno, none = 0;
    uint64_t now_ns = clock_monotonic_ns();
    if (atomic_load(&first_signal) == 0) {
        atomic_store(&first_ns, now_ns);
        if (atomic_compare_exchange_strong(&first_signal, &none, number))
            uv_async_send(asked_handle);
    } else if (now_ns - atomic_load(&first_ns) > STOPPING_SAME_SIGNAL_MS * MS_NS) {
        signal(number, SIG_DFL);
        raise(number); /* delivered when this handler returns */
    }
    errno = saved_errno;
}

static void handle(int number, void (*handler)(int number))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    check(sigaction(number, &action, NULL) == 0);
}

void stopping_catch_signals(uv_async_t *asked)
{
    asked_handle = asked;
    handle(SIGTERM, on_signal);
    handle(SIGINT, on_signal);
    handle(SIGUSR1, SIG_IGN);
    handle(SIGUSR2, SIG_IGN);
}

const char *stopping_signal(void)
{
    int number = atomic_load(&first_signal);
    return number == SIGTERM ? "SIGTERM" : number == SIGINT ? "SIGINT" : NULL;
}

void stopping_release_signals(void)
{
    handle(SIGTERM, SIG_DFL);
    handle(SIGINT, SIG_DFL);
}

/* -- the watch --------------------------------------------------------------------------------- */

static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool has_ended;
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *run_watch(void *unused)
{
    (void)unused;
    uint64_t due_ns = clock_monotonic_ns() + STOPPING_TIMEOUT_MS * MS_NS;
    const struct timespec due = {.tv_sec = (time_t)(due_ns / SECOND_NS),
                                 .tv_nsec = (long)(due_ns % SECOND_NS)};
    pthread_mutex_lock(&watch.lock);
    while (!watch.has_ended && clock_monotonic_ns() < due_ns)
        pthread_cond_timedwait(&watch.ended, &watch.lock, &due);
    bool has_ended = watch.has_ended;
    pthread_mutex_unlock(&watch.lock);
    if (has_ended)
        return NULL;
    log_error("stopping takes too long, the process ends now",
              log_int("limit_ms", STOPPING_TIMEOUT_MS));
    usleep(LAST_LINE_MS * 1000);
    _exit(EXIT_FAILURE);
}

void stopping_begin(void)
{
    pthread_condattr_t attributes;
    check(pthread_condattr_init(&attributes) == 0);
    check(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    check(pthread_cond_init(&watch.ended, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    check(pthread_create(&watch.thread, NULL, run_watch, NULL) == 0);
    pthread_setname_np(watch.thread, "stopping");
}

void stopping_end(void)
{
    pthread_mutex_lock(&watch.lock);
    watch.has_ended = true;
    pthread_cond_signal(&watch.ended);
    pthread_mutex_unlock(&watch.lock);
    pthread_join(watch.thread, NULL);
    pthread_cond_destroy(&watch.ended);
}
