/* Whether what came over a channel, from heatcast or from any other program, is a snapshot, and
 * its parts. Nothing is kept and nothing is sent. Any thread. */
#ifndef HEATCAST_CLUSTER_MESSAGE_H
#define HEATCAST_CLUSTER_MESSAGE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_SIZE_MAX (4 * 1024 * 1024)
#define MESSAGE_NUMBER_MAX ((INT64_C(1) << 53) - 1) /* what a JavaScript client counts exactly */
#define MESSAGE_EPOCH_AHEAD_MS (24 * 3600 * INT64_C(1000)) /* an epoch is a time, roughly now */

enum message_fault {
    MESSAGE_OK,
    MESSAGE_TOO_LARGE,
    MESSAGE_NOT_JSON,
    MESSAGE_NOT_A_SNAPSHOT, /* a member is missing, mistyped or out of range */
    MESSAGE_WRONG_SYMBOL,   /* not the channel's */
    MESSAGE_WRONG_EPOCH,    /* so far in the future that no later snapshot would be newer */
    MESSAGE_FAULT_COUNT,
};

struct message {
    int64_t timestamp_ms;
    bool is_numbered; /* has epoch and seq */
    uint64_t epoch, seq;
    struct slice data; /* the text of the member "data", inside the message */
};

/* Reads the text that came for `symbol`. On a fault, `error` (may be NULL) says what it is. */
enum message_fault message_parse(struct message *message, const char *json, size_t size,
                                 const char *symbol, int64_t now_ms, struct error *error);

/* Appends the text with epoch and seq as its last members. It must be a valid one without them. */
void message_append_numbered(struct buffer *out, const char *json, size_t size, uint64_t epoch,
                             uint64_t seq);

#endif
