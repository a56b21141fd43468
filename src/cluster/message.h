/* Whether what came over a channel, from heatcast or from any other program, is a snapshot, and
 * its parts. Nothing is kept and nothing is sent. Any thread. */
#ifndef HEATCAST_CLUSTER_MESSAGE_H
#define HEATCAST_CLUSTER_MESSAGE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "model/publication.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_SIZE_MAX (4 * 1024 * 1024)
#define MESSAGE_NUMBER_MAX ((INT64_C(1) << 53) - 1) /* what a JavaScript client counts exactly */

enum message_fault {
    MESSAGE_OK,
    MESSAGE_TOO_LARGE,
    MESSAGE_NOT_JSON,
    MESSAGE_NOT_A_SNAPSHOT, /* a member is missing, mistyped or out of range */
    MESSAGE_WRONG_SYMBOL,   /* not the channel's */
    MESSAGE_WRONG_EPOCH,    /* so great that it leaves too little room for later ones */
    MESSAGE_FAULT_COUNT,
};

struct message {
    int64_t timestamp_ms;
    bool is_numbered;    /* has epoch and seq */
    uint64_t epoch, seq; /* 0 if it is not; also set where only what follows them is at fault */
    struct publication_totals totals;
    /* Texts inside the message. */
    struct slice data;                 /* the value of the member "data" */
    struct slice epoch_text, seq_text; /* of "epoch" and "seq"; {0} if it is not numbered */
};

/* Reads the text that came for `symbol`. An epoch above `epoch_max` is a fault. On a fault, `error`
 * (may be NULL) says what it is. */
enum message_fault message_parse(struct message *message, const char *json, size_t size,
                                 const char *symbol, uint64_t epoch_max, struct error *error);

/* Appends the text with these numbers: in the place of its own, or as its last members. `message`
 * is what message_parse() has made of the text, without a fault. */
void message_append_numbered(struct buffer *out, const struct message *message, const char *json,
                             size_t size, uint64_t epoch, uint64_t seq);

#endif
