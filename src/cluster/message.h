/* What comes over a channel, from a heatcast or from any other program: is it a snapshot?
 * Checks and takes apart; keeps nothing and sends nothing. Any thread. */
#ifndef HEATCAST_CLUSTER_MESSAGE_H
#define HEATCAST_CLUSTER_MESSAGE_H

#include "base/buffer.h"
#include "base/error.h"

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
    MESSAGE_WRONG_EPOCH,    /* so far in the future that nothing would come after it */
    MESSAGE_FAULT_COUNT,
};

struct message {
    int64_t timestamp_ms;
    bool is_numbered; /* has epoch and seq */
    uint64_t epoch, seq;
    const char *data; /* the text of the member "data", inside the message */
    size_t data_size;
};

/* Reads the text that came for `symbol`; json[size] must be a NUL. On a fault, `error` (may be
 * NULL) says what it is. */
enum message_fault message_parse(struct message *message, const char *json, size_t size,
                                 const char *symbol, int64_t now_ms, struct error *error);

/* Appends the text with epoch and seq as its last members. It must be a valid one without them. */
void message_append_numbered(struct buffer *out, const char *json, size_t size, uint64_t epoch,
                             uint64_t seq);

#endif
