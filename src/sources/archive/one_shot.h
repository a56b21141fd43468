/* A source that ends by itself (sources/source.h): work that is done once, on a thread of its own,
 * until it is done or stopped. What importing and fetching have in common. */
#ifndef HEATCAST_SOURCES_ARCHIVE_ONE_SHOT_H
#define HEATCAST_SOURCES_ARCHIVE_ONE_SHOT_H

#include "base/error.h"
#include "base/stop_token.h"
#include "sources/source.h"

#include <pthread.h>

/* The first member of such a source. The first three are its own, and set before it starts. */
struct one_shot {
    struct source base;
    /* On the thread. Asks `stop` now and then. */
    enum status (*work)(struct one_shot *one_shot, struct error *error);
    void (*wake)(struct one_shot *one_shot); /* `stop` has changed: any thread; or NULL */
    void (*destroy)(struct one_shot *one_shot);
    struct stop_token stop;

    pthread_t thread;
    pthread_mutex_t mutex; /* of the next two */
    pthread_cond_t ended;
    bool has_ended;
    struct error outcome;
    atomic_bool is_cancelled; /* relaxed: it hands nothing over */
};

/* From here on it belongs to source_stop(), which destroys it. */
struct source *one_shot_start(struct one_shot *one_shot);

#endif
