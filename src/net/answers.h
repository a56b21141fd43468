/* The backend's answers: computed once, compressed once, kept while they are asked for. Any thread
 * that may block, which no worker loop may. */
#ifndef HEATCAST_NET_ANSWERS_H
#define HEATCAST_NET_ANSWERS_H

#include "net/answer.h"
#include "net/backend.h"

struct answers;

struct answers *answers_create(const struct backend *backend); /* which must outlive it */
void answers_destroy(struct answers *answers);                 /* nobody may be asking */

/* Sets `*answer`, with a reference for the caller, to the answer: in its gzip form if `gzips` and
 * it is worth it. After a failure it is NULL, or, of what is not kept, what the backend says
 * nonetheless. */
enum status answers_get(struct answers *answers, const struct backend_request *question, bool gzips,
                        struct answer **answer, struct error *error);

#endif
