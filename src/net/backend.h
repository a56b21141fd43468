/* What the HTTP API asks of the rest of the program. The composition root fills it in, so that the
 * network side knows neither DuckDB nor the model. */
#ifndef HEATCAST_NET_BACKEND_H
#define HEATCAST_NET_BACKEND_H

#include "base/buffer.h"
#include "base/error.h"
#include "config/value.h"

#include <stdbool.h>

enum backend_question {
    BACKEND_SYMBOLS, /* no symbol, no parameters */
    BACKEND_HISTORY,
    BACKEND_CANDLES,
    BACKEND_GRID,
    BACKEND_READY, /* any status but OK is "not ready"; the answer names each failing part */
};

#define BACKEND_PARAMETERS_MAX 8
#define BACKEND_PARAMETER_SIZE 256

struct backend_parameter {
    char name[32];
    char value[BACKEND_PARAMETER_SIZE];
};

struct backend_request {
    enum backend_question question;
    char symbol[SYMBOL_SIZE]; /* one of the whitelist, or "" */
    size_t parameter_count;
    struct backend_parameter parameters[BACKEND_PARAMETERS_MAX];
};

struct backend {
    void *context;
    /* Appends the JSON answer. May block; runs on libuv's thread pool, several at once. */
    enum status (*answer)(void *context, const struct backend_request *request, struct buffer *out,
                          struct error *error);
    /* Tells the version of all that the answer depends on, if the answer may be kept until that
     * changes. May block, as above. NULL: nothing is kept. */
    bool (*version)(void *context, const struct backend_request *request, uint64_t *version);
};

#endif
