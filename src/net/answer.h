/* What the backend said to one question: made on a thread of questions.c, immutable from then on,
 * counted by reference and sent to every client that asked the same. Any thread that holds a
 * reference. */
#ifndef HEATCAST_NET_ANSWER_H
#define HEATCAST_NET_ANSWER_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>

struct address_count;

struct answer {
    atomic_uint references;
    enum status status;   /* anything but OK: the question failed */
    char *message;        /* why it failed, for a person; NULL if it did not */
    struct error_fit fit; /* what would not have failed, if that is known */
    bool is_gzipped;
    uint64_t tag;       /* of the content, the same for its plain and its gzip form */
    struct buffer body; /* JSON, or its gzip form; usually empty after a failure */
    size_t charged; /* bytes of it in answer_bytes_held(), as answer_charge() has counted them */
    struct address_count *by_address; /* where they count as well, in KiB */
    uint64_t address_key;
};

/* The size of all answers that are charged. Any thread. */
size_t answer_bytes_held(void);

struct answer *answer_create(void); /* empty; the caller owns the one reference */
struct answer *answer_acquire(struct answer *answer);
unsigned answer_holders(const struct answer *answer); /* now; others may come and go */
void answer_release(struct answer *answer);           /* NULL is harmless */

/* -- for the thread that makes it -------------------------------------------------------------- */

/* The body is written: computes the tag, and gives back memory that was reserved in advance. */
void answer_complete(struct answer *answer);

/* Whether it is long enough; a failure never is. */
bool answer_is_worth_gzip(const struct answer *plain);

/* The same content in its gzip form, as an answer of its own. The caller owns the reference. NULL:
 * there is no memory for it. */
struct answer *answer_gzip(const struct answer *plain);

/* Counts it, in all and for whoever has asked first, until its last reference is gone; the counts
 * must outlive it. Once, before others have it. */
void answer_charge(struct answer *answer, struct address_count *by_address, uint64_t address_key);

/* The same before its last reference is gone, which the caller holds, and gives back soon. */
void answer_discharge(struct answer *answer);

#endif
