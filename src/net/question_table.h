/* The table of all questions (net/questions.c), and those who wait for them: what exists, what may
 * be joined, what may be queued, what is kept. It computes nothing and has no thread. Private to
 * net/.
 *
 * One lock guards all of it: the lists, the questions but for what is written before they are
 * queued (kind, text, request), and the askers but for is_asking. It is held for a walk over the
 * table, which has at most QUESTIONS_MAX + QUESTIONS_KEPT_MAX entries, or over the askers of one
 * question, as many as there are connections; never while a backend works, a text is compressed, or
 * memory of an answer is freed. Loops take it for a question, not for a broadcast. */
#ifndef HEATCAST_NET_QUESTION_TABLE_H
#define HEATCAST_NET_QUESTION_TABLE_H

#include "net/address_count.h"
#include "net/questions.h"

#include <pthread.h>

enum question_state { QUESTION_QUEUED, QUESTION_RUNNING, QUESTION_KEPT };

struct question_entry {
    struct list in_table; /* the used last last; in `garbage` when it is to be freed */
    struct list in_queue; /* while queued: the computations or the short ones */
    struct list askers;   /* none while it is kept */
    struct backend_request *request;
    char *canonical;
    bool has_version; /* else it may be joined only until it begins, and is not kept */
    uint64_t version;
    enum question_state state;
    bool is_joinable; /* false: it is freed when it no longer runs */
    struct question_control control;
    uint64_t address_key;           /* counted while it is queued or runs, unless it is short */
    struct answer *plain, *gzipped; /* NULL until they are made; may be the same one */
    uint64_t queued_ns;
};

struct question_table {
    size_t answer_bytes_max, address_bytes_max, kept_bytes_max;
    struct address_count *by_address;      /* questions under way */
    struct address_count *held_by_address; /* KiB of answers that exist, by who asked first */
    pthread_mutex_t lock;
    pthread_cond_t lookup_due, metrics_due, computation_due; /* something was queued */
    struct list questions;                                   /* all of them */
    struct list short_ones;   /* queued, of the short kinds: one of each at most, as in the next */
    struct list metrics;      /* queued, of QUESTION_METRICS */
    struct list computations; /* queued, of the others; the oldest first */
    struct list garbage;      /* questions to be freed when the lock is released */
    struct list posted;       /* inboxes whose loops are to be woken then */
    size_t under_way;         /* about the past, queued or running */
};

void question_table_init(struct question_table *table, const struct questions_limits *limits);
void question_table_deinit(struct question_table *table); /* when nobody waits any more */

void question_table_lock(struct question_table *table);

/* Freeing an answer of many megabytes takes a while; no thread has to wait for the lock meanwhile.
 * And a loop that is woken must not have to wait for the thread that wakes it (net/waker.c). */
void question_table_unlock(struct question_table *table);

/* -- under the lock ---------------------------------------------------------------------------- */

/* Whether there is anything to be done when the lock is released. */
bool question_table_owes(const struct question_table *table);

/* Sends askers home. */
void question_table_post_all(struct question_table *table, struct list *askers,
                             enum question_outcome outcome);

/* Finds the asker's question, or makes it of the request that is in the asker; then the asker has
 * its answer, or waits for it, or is refused. */
void question_table_join(struct question_table *table, struct asker *asker, bool has_version,
                         uint64_t version);

/* Whether another answer may be made for this address, within what all and what it may have held.
 * Kept answers go for that, those used longest ago first. Those that are being made come on top. */
bool question_table_make_room(struct question_table *table, uint64_t address_key);

/* Counts an answer that has been made (answer_charge()), if there is room for it: one address may
 * have asked for several at a time, which do not fit together. One that is all that the address
 * has may be larger than its share. */
bool question_table_try_charge(struct question_table *table, const struct question_entry *question,
                               struct answer *answer);

/* Takes a queued one out of its queue, to be answered by the caller. */
void question_table_begin(struct question_entry *question);

/* Answers the askers whose form is there. */
void question_table_give(struct question_table *table, struct question_entry *question);

/* Answers all askers with the plain answer, which every client understands. */
void question_table_give_plain(struct question_table *table, struct question_entry *question);

/* It has run, and all of its askers have their answer. */
void question_table_end(struct question_table *table, struct question_entry *question);

/* Its last asker has left. */
void question_table_abandon(struct question_table *table, struct question_entry *question);

#endif
