/* Signals are waited for, not handled: the main thread has them blocked before others start, which
 * inherit that, and asks for them while a source works on a thread of its own. So stopping is plain
 * code, which may print and wait. */
#include "cli/signals.h"

#include "sources/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    POLL_MS = 100,        /* from a signal to the stop, at most */
    SAME_SIGNAL_MS = 100, /* signals that come together are one: `timeout` sends two */
    STOP_S = 8,           /* for a source to stop: one that reads a pipe may never */
};

static volatile sig_atomic_t asked_by; /* the signal; set before on_alarm() is installed */

static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void signals_block(sigset_t *awaited)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    signal(SIGPIPE, SIG_IGN); /* writing to a peer that is gone is an error, not the end */
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(awaited);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (!is_ignored(numbers[i]))
            sigaddset(awaited, numbers[i]);
    pthread_sigmask(SIG_BLOCK, awaited, NULL);
}

int signals_take(const sigset_t *awaited)
{
    const struct timespec now = {0};
    int number = sigtimedwait(awaited, NULL, &now);
    return number > 0 ? number : 0;
}

void signals_unblock(const sigset_t *awaited)
{
    usleep(SAME_SIGNAL_MS * 1000);
    while (signals_take(awaited) != 0)
        ;
    pthread_sigmask(SIG_UNBLOCK, awaited, NULL);
}

/* What is stored by now is whole, so the program may end anywhere. */
static void on_alarm(int number)
{
    static const char message[] = "heatcast: stopping takes too long, the program ends now\n";
    (void)number;
    (void)!write(STDERR_FILENO, message, sizeof message - 1);
    signal(asked_by, SIG_DFL);
    raise(asked_by);
}

static enum status stop(struct source *source, int number, struct error *error)
{
    asked_by = number;
    signal(SIGALRM, on_alarm);
    alarm(STOP_S);
    enum status status = source_stop(source, error);
    alarm(0);
    return status;
}

enum status signals_run(struct source *source, const sigset_t *awaited, int *number,
                        struct error *error)
{
    *number = 0;
    while (*number == 0 && !source_wait(source, POLL_MS))
        *number = signals_take(awaited);
    if (*number == 0)
        return source_stop(source, error);
    signals_unblock(awaited);
    return stop(source, *number, error);
}

_Noreturn void signals_end_by(int number)
{
    fflush(NULL);
    signal(number, SIG_DFL);
    raise(number);
    abort(); /* it is one that ends a program */
}
