/* What the backend said to one question: made on the thread pool, immutable from then on, counted
 * by reference and sent to everybody who asked the same. Any thread that holds a reference. */
#ifndef HEATCAST_NET_ANSWER_H
#define HEATCAST_NET_ANSWER_H

#include "base/buffer.h"

#include <stdatomic.h>
#include <stdbool.h>

struct answer {
    atomic_uint references;
    bool is_gzipped;
    uint64_t tag;       /* of the content, the same for its plain and its gzip form */
    struct buffer body; /* JSON, or its gzip form */
};

struct answer *answer_create(void); /* empty; the caller owns the one reference */
struct answer *answer_acquire(struct answer *answer);
void answer_release(struct answer *answer); /* NULL is harmless */

#endif
