/* Whether what came over a channel is a liquidation, and what tells it from others. Nothing is
 * kept. Any thread. */
#ifndef HEATCAST_CLUSTER_PRINT_MESSAGE_H
#define HEATCAST_CLUSTER_PRINT_MESSAGE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define PRINT_MESSAGE_SIZE_MAX 1024
#define PRINT_ID_SIZE_MAX 64
#define PRINT_EXCHANGE_SIZE_MAX 32

enum print_verdict {
    PRINT_TAKEN,
    PRINT_OTHER,  /* its type is another, or it is no JSON object */
    PRINT_REFUSED /* a member is missing, mistyped or out of range; the error says which */
};

/* Reads the text that came for `symbol`; `*key` becomes publication_print_key() of it. `error` may
 * be NULL. */
enum print_verdict print_message_parse(const char *json, size_t size, const char *symbol,
                                       uint64_t *key, struct error *error);

#endif
