/* The backend's answers for all worker loops: each question is computed once, however many ask it.
 * Private to net/.
 *
 * Questions of one kind and canonical text (net/backend.h) are equal as long as the version of the
 * data is the same. Equal ones share one computation and one answer, on whatever loops they come
 * and whether it is queued, under way or done; those that come after a change get the new data. The
 * answers used last are kept. Failures are shared with those that wait, and then forgotten.
 *
 * Computing is done by QUESTION_THREADS threads of its own, none of which ever waits for another
 * question: what waits is an asker in a list. One more thread does all that is short: it finds
 * questions in the table, and answers the short kinds, which therefore never queue behind
 * computations. The page of metrics has yet another one, since it has to come when the database
 * hangs. */
#ifndef HEATCAST_NET_QUESTIONS_H
#define HEATCAST_NET_QUESTIONS_H

#include "base/list.h"
#include "net/answer.h"
#include "net/backend.h"

/* Limits of questions, with those of struct questions_limits; question_table.c holds to them. */
#define QUESTION_THREADS 4                          /* that compute */
#define QUESTIONS_MAX 64                            /* about the past, queued or being computed */
#define QUESTIONS_KEPT_MAX 32                       /* answers kept, in one form or both */
#define QUESTIONS_KEPT_BYTES_MAX ((size_t)64 << 20) /* their size; at most half of all answers */
#define QUESTIONS_ADDRESS_QUARTERS 3 /* of answer_bytes_max: answers to one address' questions */

struct questions_limits {
    size_t answer_bytes_max; /* that all clients and the table hold: ANSWERS_MEMORY_MAX */
    int per_address;         /* about the past, queued or being computed: QUESTIONS_PER_IP */
};

struct questions;

/* Where a loop's answers arrive. Embedded in what the loop owns; one for each loop. */
struct question_inbox {
    struct list arrived; /* askers; belongs to questions.c, as does the next */
    struct list in_posted;
    /* Makes the loop call questions_deliver() soon. Any thread, until questions_stop() has returned
     * and all askers have left. Must not block (waker_wake()). */
    void (*wake)(void *context);
    void *context;
};

enum question_outcome {
    QUESTION_ANSWERED, /* the answer may be a failure; see its status */
    QUESTION_REFUSED,  /* a limit is reached */
    QUESTION_STOPPED,  /* questions_stop() was called */
};

/* What waits for an answer: embedded in its owner, on one loop. */
struct asker {
    struct question_inbox *inbox; /* its loop's; set by the owner, as are the next two */
    uint64_t address_key;         /* whose question it is: address_count_key() */
    /* `answer` is NULL unless the outcome is QUESTION_ANSWERED; acquire it to keep it. The asker
     * may ask again. */
    void (*on_answered)(struct asker *asker, enum question_outcome outcome, struct answer *answer);

    /* Belongs to questions.c. */
    bool is_asking; /* its loop's alone */
    bool accepts_gzip;
    struct list link;                /* in the list of what it waits for, or in the inbox */
    struct question_entry *question; /* that it waits for; NULL before and after */
    struct backend_request *request; /* owned, until it is found in the table, as is the next */
    char *canonical;
    enum question_outcome outcome; /* in the inbox */
    struct answer *answer;         /* a reference, in the inbox */
};

/* The backend must outlive it, and be ready for questions from questions_start() on. */
struct questions *questions_create(const struct backend *backend,
                                   const struct questions_limits *limits);
void questions_start(struct questions *questions);

/* From here on questions are not taken. Those that wait are answered QUESTION_STOPPED, those under
 * way are cancelled and waited for: when this returns, the backend is not in use and never will be
 * again. Harmless if it was never started. */
void questions_stop(struct questions *questions);

/* After questions_stop(), with all askers and answers gone. NULL is harmless. */
void questions_destroy(struct questions *questions);

void question_inbox_init(struct question_inbox *inbox, void (*wake)(void *context), void *context);

/* -- on the asker's loop ----------------------------------------------------------------------- */

/* A request that backend.canonicalize() has accepted, and its text, which is taken over. The answer
 * comes through the inbox, never at once. The asker must not be asking already. */
void questions_ask(struct questions *questions, struct asker *asker,
                   const struct backend_request *request, struct buffer *canonical,
                   bool accepts_gzip);

/* The asker does not wait any longer: its answer will not come. A question without an asker is
 * dropped if it is queued, and cancelled if it is being computed. Harmless if it is not asking. */
void questions_leave(struct questions *questions, struct asker *asker);

/* Calls on_answered of all askers whose answers have arrived. */
void questions_deliver(struct questions *questions, struct question_inbox *inbox);

#endif
