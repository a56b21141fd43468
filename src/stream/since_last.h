/* Snapshots with `since_last` (docs/protocol.md): what happened since the last one that a client
 * got. Clients whose last one was the same get the same frame, made once a loop. One thread, the
 * loop's.
 *
 * `struct since_last last = {0};` has made nothing yet. */
#ifndef HEATCAST_STREAM_SINCE_LAST_H
#define HEATCAST_STREAM_SINCE_LAST_H

#include "stream/frame.h"

struct ws_deflater;

/* Different ones that are kept of a snapshot, for all clients that come after; and of these the
 * ones that are compressed, since that takes a loop's time. The others go as they are. */
#define SINCE_LAST_KEPT_MAX 16
#define SINCE_LAST_DEFLATED_MAX 4

/* The snapshot that a client got last. */
struct since_last_base {
    uint64_t epoch, seq; /* 0: none */
    struct publication_totals totals;
};

/* What was made of one frame. */
struct since_last {
    struct frame *of; /* NULL: nothing */
    size_t count, deflated_count;
    struct since_last_made {
        uint64_t seq; /* of the base; its epoch is the frame's */
        struct frame *frame;
    } made[SINCE_LAST_KEPT_MAX];
};

/* The frame for a client that got `base` last, with a reference for the caller: `frame` itself, if
 * there is nothing to compare it with. Compressed if `deflater` is not NULL, and as above. */
struct frame *since_last_frame(struct since_last *last, struct frame *frame,
                               const struct since_last_base *base, struct ws_deflater *deflater);

void since_last_deinit(struct since_last *last); /* leaves one that has made nothing */

#endif
