/* Answers that cost something, kept while they are likely to be asked for again.
 *
 * A key names a question and everything its answer depends on. A question that is being answered is
 * not answered twice: whoever asks meanwhile waits and gets the same. Failures are shared with
 * those who wait, and then forgotten. Any thread. */
#ifndef HEATCAST_NET_ANSWER_CACHE_H
#define HEATCAST_NET_ANSWER_CACHE_H

#include "base/error.h"
#include "net/answer.h"

struct answer_cache;

/* Keeps the answers used last: at most `count_max`, and `bytes_max` in total. */
struct answer_cache *answer_cache_create(size_t count_max, size_t bytes_max);
void answer_cache_destroy(struct answer_cache *cache); /* nobody may be asking; NULL is harmless */

/* Sets `*answer`, with a reference for the caller, to what the cache has or what `compute` makes of
 * an empty one, outside of the cache's lock. Returns what `compute` returned; no answer comes of a
 * failure. */
enum status answer_cache_get(struct answer_cache *cache, const void *key, size_t key_size,
                             enum status (*compute)(void *context, struct answer *answer,
                                                    struct error *error),
                             void *context, struct answer **answer, struct error *error);

#endif
