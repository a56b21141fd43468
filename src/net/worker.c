/* N loops rather than one: a broadcast is a system call a subscriber, so what one core can send is
 * the limit, and loops that share nothing add up. Each accepts connections on a socket of its own
 * (SO_REUSEPORT), and a connection stays on its loop until it ends; nothing here is locked.
 *
 * What comes from other threads arrives in two places: snapshots in the mailbox, answers to
 * questions in the inbox. Each has a waker of the loop, so that neither is looked for when
 * the other comes: a broadcast takes no lock but the mailbox's own.
 *
 * A loop that accepts must not let newcomers starve those it has, nor the other way round; the
 * comments at unread_max() and pause_accepting() say how. A loop ends when it has been told to
 * stop and its last connection is gone. */
#include "net/worker.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/admission.h"
#include "net/connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS_NS UINT64_C(1000000)

enum {
    PRINTS_A_TIME = 64, /* liquidations between two writes */
    /* In one turn; see accepts_in_turn(). The greater is all that the kernel's queue holds as it
     * comes (net.core.somaxconn). */
    ACCEPTS_MIN = 32,
    ACCEPTS_MAX = 4096,
    ACCEPT_PAUSE_MS = 100,     /* after the process has run out of file descriptors */
    ACCEPT_WARNING_MS = 60000, /* at most one line in this time says so */
    LIVENESS_PERIOD_MS = 1000,
    PROBATIONS_PER_TICK = 256, /* that end: each takes two system calls */
    DRAIN_SPREAD_MS = 500,     /* over which the 1001s go out, so that clients come back spread */
    DRAIN_MAX_MS = 4000,       /* for clients to take what is queued for them */
};

/* -- listening --------------------------------------------------------------------------------- */

static void on_connection(uv_poll_t *poll, int status, int events);

static void pause_accepting(struct worker *worker, uint64_t now_ns)
{
    if (now_ns >= worker->accept_warning_due_ns) {
        worker->accept_warning_due_ns = now_ns + ACCEPT_WARNING_MS * MS_NS;
        log_warn("out of file descriptors; new connections have to wait",
                 log_int("connections", (int64_t)worker->connection_count));
    }
    worker->accept_paused_until_ns = now_ns + ACCEPT_PAUSE_MS * MS_NS;
    uv_poll_stop(&worker->listener);
}

/* How many may be accepted and not be looked at yet. A client that finds the kernel's queue full
 * tries again only after a second, so the queue is emptied where possible. But a newcomer may close
 * the oldest connection, or be refused since its address has its share (net/admission.c), which is
 * right only if those before it have been read: so they may be half of what there is room for. */
static int unread_max(const struct places *places)
{
    int room = places->limits.http - places_http(places);
    int share = room < places->limits.per_address ? room : places->limits.per_address;
    int half = share / 2;
    return half < ACCEPTS_MIN ? ACCEPTS_MIN : half < ACCEPTS_MAX ? half : ACCEPTS_MAX;
}

static int accepts_in_turn(struct worker *worker)
{
    uint64_t emptied = poller_emptied(&worker->poller);
    if (!poller_is_behind(&worker->poller) && emptied != worker->emptied) {
        worker->emptied = emptied;
        worker->unread = 0; /* whoever has said something has been read */
    }
    int count = unread_max(&worker->shared->places) - worker->unread;
    return count > ACCEPTS_MIN ? count : ACCEPTS_MIN;
}

/* Whether newcomers have had their slice of the turn. A loop that has no one to keep waiting takes
 * in all of a crowd. */
static bool is_slice_over(const struct worker *worker, uint64_t begun_ns)
{
    return worker->poller.sets[POLL_FIRST].count > 0 &&
           clock_monotonic_ns() - begun_ns >= POLLER_SLICE_US * UINT64_C(1000);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct worker *worker = poll->data;
    uint64_t begun_ns = clock_monotonic_ns();
    for (int left = accepts_in_turn(worker); left > 0; left--) {
        if (is_slice_over(worker, begun_ns))
            return;
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof peer;
        int fd = accept4(worker->listener_fd, (struct sockaddr *)&peer, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                pause_accepting(worker, clock_monotonic_ns());
            else if (errno == EINTR || errno == ECONNABORTED)
                continue;
            return;
        }
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        atomic_fetch_add_explicit(&worker->shared->accepted, 1, memory_order_relaxed);
        worker->unread++;
        admission_open(worker, fd, (const struct sockaddr *)&peer);
    }
}

static void resume_accepting(struct worker *worker, uint64_t now_ns)
{
    if (worker->accept_paused_until_ns == 0 || now_ns < worker->accept_paused_until_ns ||
        !worker->is_listening)
        return;
    worker->accept_paused_until_ns = 0;
    check(uv_poll_start(&worker->listener, UV_READABLE, on_connection) == 0);
}

/* -- ending ------------------------------------------------------------------------------------ */

static void on_listener_closed(uv_handle_t *handle)
{
    struct worker *worker = handle->data;
    close(worker->listener_fd);
}

static void begin_drain(struct worker *worker)
{
    worker->is_draining = true;
    worker->is_listening = false;
    worker->drain_started_ns = clock_monotonic_ns();
    uv_close((uv_handle_t *)&worker->listener, on_listener_closed);
}

static void end_loop(struct worker *worker)
{
    mailbox_close(&worker->mailbox);
    uv_close((uv_handle_t *)&worker->tick, NULL);
    uv_close((uv_handle_t *)&worker->turn_end, NULL);
    poller_close(&worker->poller);
    waker_close(&worker->wake);
    waker_close(&worker->answered); /* no asker is left that could be answered */
}

/* Says goodbye to the clients whose turn has come; cuts off those that do not leave in time. */
static void drain(struct worker *worker, uint64_t now_ns)
{
    uint64_t since_ms = (now_ns - worker->drain_started_ns) / MS_NS;
    size_t index = 0, due = worker->connection_count;
    if (since_ms < DRAIN_SPREAD_MS)
        due = worker->connection_count * (since_ms + HUB_TICK_MS) / DRAIN_SPREAD_MS;
    list_for_each_safe(link, following, &worker->connections)
    {
        struct connection *connection = list_entry(link, struct connection, in_worker);
        if (since_ms >= DRAIN_MAX_MS)
            connection_close(connection);
        else if (index++ < due)
            connection_drain(connection);
    }
    if (worker->connection_count == 0)
        end_loop(worker);
}

/* -- the loop ---------------------------------------------------------------------------------- */

static void deliver_mail(struct worker *worker)
{
    size_t count = mailbox_take(&worker->mailbox, worker->mail);
    if (count > 0)
        hub_deliver(&worker->hub, worker->mail, count);
}

/* After the snapshots, so that liquidations that came with one do not hold it back. */
static void deliver_prints(struct worker *worker)
{
    struct frame *prints[PRINTS_A_TIME];
    size_t count;
    while ((count = mailbox_take_prints(&worker->mailbox, prints, PRINTS_A_TIME)) > 0)
        hub_deliver_prints(&worker->hub, prints, count);
}

static void on_wake(void *context)
{
    struct worker *worker = context;
    deliver_mail(worker);
    deliver_prints(worker);
    if (atomic_load_explicit(&worker->shared->is_stopping, memory_order_acquire) &&
        !worker->is_draining)
        begin_drain(worker);
}

static void on_answers(void *context)
{
    struct worker *worker = context;
    questions_deliver(worker->shared->questions, &worker->inbox);
}

/* Nothing of a connection is on the stack here. */
static void on_turn_end(uv_check_t *check)
{
    struct worker *worker = check->data;
    list_for_each_safe(link, following, &worker->closed)
        connection_free(list_entry(link, struct connection, in_http));
}

/* While a loop was away it has not read what its clients sent, so it was not they who were late. */
static void put_deadlines_off(struct worker *worker, uint64_t away_ns)
{
    list_for_each_safe(link, following, &worker->connections)
        connection_put_off(list_entry(link, struct connection, in_worker), away_ns);
}

static void end_probations(struct worker *worker, uint64_t now_ns)
{
    for (int left = PROBATIONS_PER_TICK; left > 0 && !list_is_empty(&worker->on_probation);
         left--) {
        struct connection *connection =
            list_entry(worker->on_probation.next, struct connection, in_http);
        if (now_ns < connection->deadline_ns)
            return;
        connection_end_probation(connection, now_ns);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t away_ns = hub_tick(&worker->hub, now_ns);
    if (away_ns > 0)
        put_deadlines_off(worker, away_ns);
    resume_accepting(worker, now_ns);
    end_probations(worker, now_ns);
    if (now_ns >= worker->liveness_due_ns) {
        worker->liveness_due_ns = now_ns + LIVENESS_PERIOD_MS * MS_NS;
        list_for_each_safe(link, following, &worker->connections)
            connection_check_liveness(list_entry(link, struct connection, in_worker), now_ns);
    }
    if (worker->is_draining)
        drain(worker, now_ns);
}

static void on_mail(void *context)
{
    struct worker *worker = context;
    waker_wake(&worker->wake);
}

static void on_answer_posted(void *context)
{
    struct worker *worker = context;
    waker_wake(&worker->answered);
}

static void run(void *argument)
{
    struct worker *worker = argument;
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    check(uv_loop_close(&worker->loop) == 0);
}

static void init_host(struct worker *worker)
{
    worker->host.shared = worker->shared;
    worker->host.hub = &worker->hub;
    worker->host.inbox = &worker->inbox;
    connection_init_host(&worker->host);
}

struct worker *worker_create(struct net_shared *shared, int listener_fd)
{
    struct worker *worker = memory_allocate_zeroed(1, sizeof *worker);
    worker->shared = shared;
    worker->listener_fd = listener_fd;
    worker->is_listening = true;
    list_init(&worker->connections);
    list_init(&worker->http);
    list_init(&worker->refused);
    list_init(&worker->closed);
    list_init(&worker->on_probation);
    check(uv_loop_init(&worker->loop) == 0);
    waker_init(&worker->wake, &worker->loop, on_wake, worker);
    waker_init(&worker->answered, &worker->loop, on_answers, worker);
    check(uv_timer_init(&worker->loop, &worker->tick) == 0);
    check(uv_check_init(&worker->loop, &worker->turn_end) == 0);
    check(uv_poll_init(&worker->loop, &worker->listener, listener_fd) == 0);
    worker->tick.data = worker->listener.data = worker->turn_end.data = worker;
    poller_init(&worker->poller, &worker->loop, connection_on_ready);
    const size_t symbol_count = shared->config->symbols.count;
    mailbox_init(&worker->mailbox, symbol_count, on_mail, worker);
    worker->mail = memory_allocate_lines(symbol_count, sizeof *worker->mail);
    question_inbox_init(&worker->inbox, on_answer_posted, worker);
    hub_init(&worker->hub, shared->config, shared->publisher, &connection_transport);
    init_host(worker);
    publisher_add_mailbox(shared->publisher, &worker->mailbox);
    check(uv_timer_start(&worker->tick, on_tick, HUB_TICK_MS, HUB_TICK_MS) == 0);
    check(uv_check_start(&worker->turn_end, on_turn_end) == 0);
    check(uv_poll_start(&worker->listener, UV_READABLE, on_connection) == 0);
    return worker;
}

void worker_start(struct worker *worker)
{
    check(uv_thread_create(&worker->thread, run, worker) == 0);
    worker->is_started = true;
}

void worker_begin_stop(struct worker *worker)
{
    waker_wake(&worker->wake);
}

void worker_join(struct worker *worker)
{
    uv_thread_join(&worker->thread);
}

void worker_destroy(struct worker *worker)
{
    if (!worker->is_started) { /* the program could not start, and the loop has never run */
        begin_drain(worker);
        end_loop(worker);
        run(worker);
    }
    hub_deinit(&worker->hub);
    mailbox_deinit(&worker->mailbox);
    waker_deinit(&worker->wake);
    waker_deinit(&worker->answered);
    free(worker->mail);
    free(worker);
}
