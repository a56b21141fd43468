/* A thousand viewers open the page and ask for the same map: one of them computes it, the others
 * wait on a condition variable. The entries are few, so that a list in order of use does for
 * finding, for ageing, and for waiting alike.
 *
 * An entry is created pending, by whoever asks first, and is done when it has an answer or a
 * failure. It lives as long as it is listed or somebody looks at it. */
#include "net/answer_cache.h"

#include "base/check.h"
#include "base/list.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct list link; /* in answer_cache.entries while is_listed */
    char *key;
    size_t key_size;
    size_t askers; /* that look at it now */
    bool is_listed, is_done;
    enum status status;
    struct error error;
    struct answer *answer;
};

struct answer_cache {
    size_t count_max, bytes_max;
    pthread_mutex_t lock; /* over everything below, and all of an entry until it is done */
    pthread_cond_t done;  /* some entry is */
    struct list entries;  /* the last used last */
    size_t count, bytes;  /* of the entries and of all their answers */
};

struct answer_cache *answer_cache_create(size_t count_max, size_t bytes_max)
{
    struct answer_cache *cache = memory_allocate_zeroed(1, sizeof *cache);
    cache->count_max = count_max;
    cache->bytes_max = bytes_max;
    pthread_mutex_init(&cache->lock, NULL);
    pthread_cond_init(&cache->done, NULL);
    list_init(&cache->entries);
    return cache;
}

static void free_if_unused(struct entry *entry)
{
    if (entry->is_listed || entry->askers > 0)
        return;
    answer_release(entry->answer);
    free(entry->key);
    free(entry);
}

static void unlist(struct answer_cache *cache, struct entry *entry)
{
    list_remove(&entry->link);
    entry->is_listed = false;
    cache->count--;
    if (entry->is_done)
        cache->bytes -= entry->answer->body.size;
    free_if_unused(entry);
}

static struct entry *find(struct answer_cache *cache, const void *key, size_t key_size)
{
    list_for_each_safe(link, following, &cache->entries)
    {
        struct entry *entry = list_entry(link, struct entry, link);
        if (entry->key_size == key_size && memcmp(entry->key, key, key_size) == 0)
            return entry;
    }
    return NULL;
}

static struct entry *create_entry(struct answer_cache *cache, const void *key, size_t key_size)
{
    struct entry *entry = memory_allocate_zeroed(1, sizeof *entry);
    entry->key = memory_allocate(key_size);
    memcpy(entry->key, key, key_size);
    entry->key_size = key_size;
    entry->answer = answer_create();
    entry->is_listed = true;
    list_push_back(&cache->entries, &entry->link);
    cache->count++;
    return entry;
}

/* Unlists answers, those used longest ago first, until the limits hold. Pending entries stay: they
 * are as many as threads that ask. */
static void evict(struct answer_cache *cache)
{
    list_for_each_safe(link, following, &cache->entries)
    {
        struct entry *entry = list_entry(link, struct entry, link);
        if (cache->count <= cache->count_max && cache->bytes <= cache->bytes_max)
            return;
        if (entry->is_done)
            unlist(cache, entry);
    }
}

/* The entry has its answer or its failure: keep it or let it go, and tell those who wait. */
static void finish(struct answer_cache *cache, struct entry *entry, enum status status)
{
    check(entry->askers > 0); /* who computed it looks at it still */
    entry->status = status;
    entry->is_done = true;
    cache->bytes += entry->answer->body.size;
    if (status != STATUS_OK || entry->answer->body.size > cache->bytes_max)
        unlist(cache, entry);
    else
        evict(cache);
    pthread_cond_broadcast(&cache->done);
}

/* Gives back what growing has allocated in advance. */
static void trim(struct buffer *buffer)
{
    if (buffer->size == 0)
        return;
    buffer->data = memory_resize(buffer->data, buffer->size, 1);
    buffer->capacity = buffer->size;
}

static void compute_entry(struct answer_cache *cache, struct entry *entry,
                          enum status (*compute)(void *, struct answer *, struct error *),
                          void *context)
{
    pthread_mutex_unlock(&cache->lock);
    enum status status = compute(context, entry->answer, &entry->error);
    if (status != STATUS_OK)
        buffer_deinit(&entry->answer->body);
    trim(&entry->answer->body);
    pthread_mutex_lock(&cache->lock);
    finish(cache, entry, status);
}

enum status answer_cache_get(struct answer_cache *cache, const void *key, size_t key_size,
                             enum status (*compute)(void *context, struct answer *answer,
                                                    struct error *error),
                             void *context, struct answer **answer, struct error *error)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, key, key_size);
    if (entry != NULL) {
        entry->askers++;
        list_remove(&entry->link);
        list_push_back(&cache->entries, &entry->link);
        while (!entry->is_done)
            pthread_cond_wait(&cache->done, &cache->lock);
    } else {
        entry = create_entry(cache, key, key_size);
        entry->askers++;
        compute_entry(cache, entry, compute, context);
    }
    enum status status = entry->status;
    if (status == STATUS_OK)
        *answer = answer_acquire(entry->answer);
    else if (error != NULL)
        *error = entry->error;
    entry->askers--;
    free_if_unused(entry);
    pthread_mutex_unlock(&cache->lock);
    return status;
}

void answer_cache_destroy(struct answer_cache *cache)
{
    if (cache == NULL)
        return;
    list_for_each_safe(link, following, &cache->entries)
    {
        struct entry *entry = list_entry(link, struct entry, link);
        check(entry->askers == 0);
        unlist(cache, entry);
    }
    pthread_cond_destroy(&cache->done);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}
