/* What the HTTP API asks of the rest of the program. The composition root fills it in, so that the
 * network side knows neither DuckDB nor the model. */
#ifndef HEATCAST_NET_BACKEND_H
#define HEATCAST_NET_BACKEND_H

#include "base/buffer.h"
#include "base/error.h"
#include "config/value.h"

#include <stdatomic.h>
#include <stdbool.h>

enum question_kind {
    /* Short: about the database as it is now. Neither symbol nor parameters. */
    QUESTION_SYMBOLS,
    QUESTION_READY, /* any status but OK is "not ready"; the answer names each failing part */
    /* About the past: a range of candles is read, and the model may be run over it. */
    QUESTION_HISTORY,
    QUESTION_CANDLES,
    QUESTION_GRID,
    QUESTION_LIQUIDATIONS,
    QUESTION_LIQUIDATIONS_CSV, /* whose answer is no JSON */
    QUESTION_SCORE,
    /* Short, too: the page of metrics. Not the backend's: net/server.c answers it. */
    QUESTION_METRICS,
};

static inline bool question_is_short(enum question_kind kind)
{
    return kind == QUESTION_SYMBOLS || kind == QUESTION_READY || kind == QUESTION_METRICS;
}

#define BACKEND_PARAMETERS_MAX 10
#define BACKEND_PARAMETER_SIZE 256

struct backend_parameter {
    char name[32];
    char value[BACKEND_PARAMETER_SIZE];
};

/* A question as a client has put it. */
struct backend_request {
    enum question_kind kind;
    char symbol[SYMBOL_SIZE]; /* one of the whitelist, or "" */
    size_t parameter_count;
    struct backend_parameter parameters[BACKEND_PARAMETERS_MAX];
};

/* What may end a question before its answer is made. Any thread cancels it, once; the thread that
 * answers tests it now and then, and returns STATUS_CANCELLED. What one may cost is the backend's.
 */
struct question_control {
    atomic_bool is_cancelled;
};

static inline bool question_is_cancelled(const struct question_control *control)
{
    /* Relaxed: the flag says that the work is not wanted, and hands nothing over. */
    return atomic_load_explicit(&control->is_cancelled, memory_order_relaxed);
}

struct backend {
    void *context;
    /* Appends a text that is the same for all requests of one kind that mean the same, and for no
     * others: "48h" and "2d" are one. STATUS_INVALID: a parameter is wrong; any other failure
     * answers the client as well. Must not block: runs on worker loops. */
    enum status (*canonicalize)(void *context, const struct backend_request *request,
                                struct buffer *canonical, struct error *error);
    /* Appends the JSON answer to a request that canonicalize() has accepted. May block; several at
     * once. After a failure nothing has been appended, but for QUESTION_READY. */
    enum status (*answer)(void *context, const struct backend_request *request,
                          const struct question_control *control, struct buffer *out,
                          struct error *error);
    /* Sets the version of the data that all questions about the past depend on; an answer may be
     * kept until it changes. False if it is not known now. May block. NULL: nothing is kept. */
    bool (*version)(void *context, uint64_t *version);
    /* The time by which the data have an age, Unix milliseconds. Must not block. NULL: that of this
     * machine's clock. */
    int64_t (*now_ms)(void *context);
};

#endif
