/* The composition root of net/: it makes what the loops share, then the loops, and sees to the
 * order in which they end. Questions end before the loops do, since clients stay connected until
 * they have an answer.
 *
 * Every worker has a listening socket of its own on the same port (SO_REUSEPORT), and the kernel
 * spreads the connections. Because such a port can be shared by accident with another process, it
 * is first bound without SO_REUSEPORT, which fails if another program listens there. */
#include "net/server.h"

#include "base/check.h"
#include "base/log.h"
#include "net/questions.h"
#include "net/server_stats.h"
#include "net/site.h"
#include "net/tls.h"
#include "net/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HTTP_PLACES_MORE = 1024,      /* than WebSockets, */
    HTTP_PLACES_OF_ADDRESS = 512, /* and of these one address may have, by default */
    LISTEN_BACKLOG = 65535,       /* what the kernel allows: it cuts this to net.core.somaxconn */
    DESCRIPTORS_RESERVED = 256,   /* some HTTP connections, the database, libraries */
    /* What the kernel holds for a client and cannot send yet, besides a segment that it has begun
     * to fill (64 KiB at most). With its own choice, megabytes, a slow client would get snapshots
     * that are minutes old: only what waits in the outbox is replaced by what is newer. Enough for
     * a snapshot, so that the next write comes before the last one is out. */
    UNSENT_BYTES_MAX = 16 * 1024,
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t make_address(const struct listen_address *listen, int port, union address *address)
{
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, listen->host, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons((uint16_t)port);
        return sizeof address->v4;
    }
    check(inet_pton(AF_INET6, listen->host, &address->v6.sin6_addr) == 1);
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons((uint16_t)port);
    return sizeof address->v6;
}

static enum status bind_error(const struct listen_address *listen, struct error *error)
{
    if (errno == EADDRINUSE)
        return error_set(error, STATUS_IO,
                         "LISTEN: port %d of %s is in use by another program; stop it, or choose "
                         "another (--listen %s:%d, port 0 picks a free one)",
                         listen->port, listen->host, listen->host, listen->port + 1);
    return error_set(error, STATUS_IO, "LISTEN: cannot listen on %s port %d: %s", listen->host,
                     listen->port, strerror(errno));
}

/* A bound socket, or -1 with errno. */
static int bind_socket(const struct listen_address *listen, int port, bool is_shared)
{
    union address address;
    socklen_t size = make_address(listen, port, &address);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (is_shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    int unsent_max = UNSENT_BYTES_MAX; /* for the sockets that it accepts, which inherit this */
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_max, sizeof unsent_max);
    if (bind(fd, &address.any, size) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static int bound_port(int fd)
{
    union address address = {0};
    socklen_t size = sizeof address;
    check(getsockname(fd, &address.any, &size) == 0);
    return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}

/* Fills `fds` with one listening socket a worker. */
static enum status open_listeners(const struct config *config, int *fds, int *port,
                                  struct error *error)
{
    const struct listen_address *listen_on = &config->listen;
    int probe = bind_socket(listen_on, listen_on->port, false);
    if (probe < 0)
        return bind_error(listen_on, error);
    if (listen(probe, 1) != 0) { /* two binds may coexist, two listeners may not */
        enum status status = bind_error(listen_on, error);
        close(probe);
        return status;
    }
    *port = bound_port(probe);
    close(probe);
    for (int i = 0; i < config->workers; i++) {
        fds[i] = bind_socket(listen_on, *port, true);
        if (fds[i] >= 0 && listen(fds[i], LISTEN_BACKLOG) == 0)
            continue;
        enum status status = bind_error(listen_on, error);
        for (int j = 0; j <= i; j++)
            if (fds[j] >= 0)
                close(fds[j]);
        return status;
    }
    return STATUS_OK;
}

/* All WebSocket clients may shake hands at once, and pages and programs find room besides. */
static int http_places(const struct config *config)
{
    return config->ws_max_connections + HTTP_PLACES_MORE;
}

static void init_places(struct places *places, const struct config *config)
{
    const struct places_limits limits = {
        .http = http_places(config),
        .websockets = config->ws_max_connections,
        .per_address = config->connections_per_ip > 0
                           ? config->connections_per_ip
                           : config->ws_max_connections + HTTP_PLACES_OF_ADDRESS,
        .websockets_per_address = config->ws_max_connections_per_ip,
    };
    places_init(places, &limits);
}

static void raise_descriptor_limit(const struct config *config)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)config->ws_max_connections + DESCRIPTORS_RESERVED;
    rlim_t wanted = needed + (rlim_t)http_places(config);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    struct rlimit raised = {wanted, limit.rlim_max > wanted ? limit.rlim_max : wanted};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return;
    raised = (struct rlimit){limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0 && limit.rlim_max >= needed)
        return;
    log_warn("the open-file limit is too low for WS_MAX_CONNECTIONS; raise it (ulimit -n, "
             "LimitNOFILE)",
             log_int("limit", (int64_t)limit.rlim_max), log_int("needed", (int64_t)needed));
}

/* -- questions --------------------------------------------------------------------------------- */

/* A page is as long as there are symbols and families; what takes more memory is a fault. */
#define METRICS_SIZE_MAX ((size_t)16 << 20)

static enum status make_metrics(struct net_server *server, struct buffer *out, struct error *error)
{
    struct buffer_bound bound = {.size_max = METRICS_SIZE_MAX};
    out->bound = &bound;
    metrics_render(server->shared.metrics, out);
    out->bound = NULL;
    if (bound.failure == BUFFER_COMPLETE)
        return STATUS_OK;
    buffer_deinit(out);
    return error_set(error, STATUS_NO_MEMORY, "there is not enough memory just now");
}

static enum status answer(void *context, const struct backend_request *request,
                          const struct question_control *control, struct buffer *out,
                          struct error *error)
{
    struct net_server *server = context;
    const struct backend *backend = server->shared.backend;
    if (request->kind == QUESTION_METRICS)
        return make_metrics(server, out, error);
    return backend->answer(backend->context, request, control, out, error);
}

static bool find_version(void *context, uint64_t *version)
{
    const struct net_server *server = context;
    const struct backend *backend = server->shared.backend;
    return backend->version != NULL && backend->version(backend->context, version);
}

static void create_questions(struct net_server *server)
{
    const struct config *config = server->shared.config;
    server->asked = (struct backend){.context = server, .answer = answer, .version = find_version};
    server->shared.questions = questions_create(
        &server->asked, &(struct questions_limits){.answer_bytes_max = config->answers_memory_max,
                                                   .per_address = config->questions_per_ip});
}

/* -- life -------------------------------------------------------------------------------------- */

enum status net_server_create(const struct config *config, struct publisher *publisher,
                              const struct backend *backend, struct metrics *metrics,
                              struct net_server **result, struct error *error)
{
    int *fds = memory_allocate_zeroed((size_t)config->workers, sizeof *fds);
    int port = 0;
    struct tls_context *tls = NULL;
    enum status status = STATUS_OK;
    if (config->tls_cert[0] != '\0')
        status = tls_context_create(config->tls_cert, config->tls_key, &tls, error);
    if (status == STATUS_OK)
        status = open_listeners(config, fds, &port, error);
    if (status != STATUS_OK) {
        tls_context_destroy(tls);
        free(fds);
        return status;
    }
    raise_descriptor_limit(config);
    struct net_server *server = memory_allocate_zeroed(1, sizeof *server);
    server->shared.config = config;
    server->shared.publisher = publisher;
    server->shared.backend = backend;
    server->shared.metrics = metrics;
    server->shared.append_stats = server_stats_append_json;
    server->shared.server = server;
    create_questions(server);
    server->shared.tls = tls;
    server->shared.is_local = site_is_local(config);
    init_places(&server->shared.places, config);
    server->port = port;
    server->worker_count = (size_t)config->workers;
    server->workers = memory_allocate_zeroed(server->worker_count, sizeof *server->workers);
    server_stats_init(server);
    for (size_t i = 0; i < server->worker_count; i++)
        server->workers[i] = worker_create(&server->shared, fds[i]);
    free(fds);
    *result = server;
    return STATUS_OK;
}

enum status net_server_reload_tls(struct net_server *server, struct error *error)
{
    return tls_context_reload(server->shared.tls, error);
}

void net_server_open_echo(struct net_server *server)
{
    server->shared.has_echo = true;
}

void net_server_start(struct net_server *server)
{
    questions_start(server->shared.questions);
    for (size_t i = 0; i < server->worker_count; i++)
        worker_start(server->workers[i]);
}

int net_server_port(const struct net_server *server)
{
    return server->port;
}

void net_server_tick(struct net_server *server)
{
    size_t next = atomic_load_explicit(&server->sent_next, memory_order_relaxed);
    atomic_store_explicit(&server->sent_at[next % STATS_WINDOW_SECONDS],
                          server_stats_messages_sent(server), memory_order_release);
    atomic_store_explicit(&server->sent_next, next + 1, memory_order_release);
}

void net_server_begin_stop(struct net_server *server)
{
    /* Release: a worker that sees the flag also sees everything done before the stop. */
    atomic_store_explicit(&server->shared.is_stopping, true, memory_order_release);
    for (size_t i = 0; i < server->worker_count; i++)
        worker_begin_stop(server->workers[i]);
}

void net_server_join(struct net_server *server)
{
    /* First, since clients that wait for an answer stay connected until they have it. */
    questions_stop(server->shared.questions);
    for (size_t i = 0; i < server->worker_count; i++)
        worker_join(server->workers[i]);
}

void net_server_destroy(struct net_server *server)
{
    if (server == NULL)
        return;
    for (size_t i = 0; i < server->worker_count; i++)
        worker_destroy(server->workers[i]);
    questions_destroy(server->shared.questions);
    places_deinit(&server->shared.places);
    tls_context_destroy(server->shared.tls);
    server_stats_deinit(server);
    free(server->workers);
    free(server);
}
