/* The parts of a running server, shared by the files of serve/.
 *
 * Made and freed by server.c on the main thread. While it runs, the main loop, the generator, the
 * worker loops and the threads that answer questions read it; what changes meanwhile is atomic, or
 * one of the parts, which say themselves which threads may call them. */
#ifndef HEATCAST_SERVE_SERVER_INTERNAL_H
#define HEATCAST_SERVE_SERVER_INTERNAL_H

#include "base/clock.h"
#include "engine/history.h"
#include "net/server.h"
#include "ops/histogram.h"
#include "serve/role.h"
#include "sources/source.h"

#include <stdatomic.h>
#include <uv.h>

struct server {
    const struct config *config;
    bool is_demo, is_collecting;
    struct store *store;   /* NULL: a relay, as the next two */
    struct source *source; /* NULL unless one fills the database here */
    struct history *history;
    struct replay *replay;   /* NULL: the data are of now */
    struct scoring *scoring; /* NULL: nothing is scored */
    struct metrics *metrics;
    struct publisher *publisher;
    struct backend backend;
    struct net_server *net;
    struct role role;
    struct replay replay_state;
    struct histogram query_seconds, compute_seconds;
    atomic_bool is_stopping;
    uv_loop_t loop;
    uv_async_t stop_asked; /* by a signal */
    uv_signal_t on_hangup;
    uv_timer_t second, delay;
};

/* The time by which the data have an age. Any thread. */
static inline int64_t server_now_ms(const struct server *server)
{
    return server->replay != NULL ? replay_now_ms(server->replay) : clock_wall_ms();
}

#endif
