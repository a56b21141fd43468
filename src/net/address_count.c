/* One client must not be able to take all places for WebSockets, so connections are counted by
 * address; and it must not be able to make that counting slow or large either. A hash table with
 * linear probing, at most half full, holds the addresses that are connected now: an entry without
 * connections is removed at once, and those behind it move up, so that there are no tombstones and
 * the table is as large as the most addresses that were connected at a time. Its hash is seeded, so
 * that clients cannot choose addresses that collide.
 *
 * One lock guards all of it. Loops meet here, but only when a connection becomes a WebSocket and
 * when it ends. */
#include "net/address_count.h"

#include "base/check.h"
#include "base/random.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 64 };

struct entry {
    uint64_t key;
    uint32_t count; /* 0: the place is free */
};

struct address_count {
    pthread_mutex_t lock; /* guards all of it; held for a few instructions, or one growth */
    uint32_t limit;
    uint64_t seed;
    size_t capacity; /* a power of two */
    size_t size;
    struct entry *entries;
};

struct address_count *address_count_create(int limit)
{
    check(limit > 0);
    struct address_count *counts = memory_allocate_zeroed(1, sizeof *counts);
    check(pthread_mutex_init(&counts->lock, NULL) == 0);
    random_system_bytes(&counts->seed, sizeof counts->seed);
    counts->limit = (uint32_t)limit;
    counts->capacity = CAPACITY_MIN;
    counts->entries = memory_allocate_zeroed(counts->capacity, sizeof *counts->entries);
    return counts;
}

void address_count_destroy(struct address_count *counts)
{
    if (counts == NULL)
        return;
    pthread_mutex_destroy(&counts->lock);
    free(counts->entries);
    free(counts);
}

/* IPv4 addresses get a number that no /64 of the internet has: 0000::/8 is reserved. */
static uint64_t v4_key(const void *bytes)
{
    uint32_t address;
    memcpy(&address, bytes, sizeof address);
    return UINT64_C(1) << 32 | ntohl(address);
}

uint64_t address_count_key(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return v4_key(&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    if (address->sa_family != AF_INET6)
        return 0;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(v6))
        return v4_key(v6->s6_addr + 12);
    uint64_t key = 0;
    for (size_t i = 0; i < 8; i++)
        key = key << 8 | v6->s6_addr[i];
    return key;
}

/* The finalizer of SplitMix64: every bit of the key moves every bit of the result. */
static size_t home(const struct address_count *counts, uint64_t key)
{
    uint64_t hash = key ^ counts->seed;
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    return (size_t)(hash ^ hash >> 31) & (counts->capacity - 1);
}

/* The key's entry, or the free one where it would go. */
static struct entry *find(struct address_count *counts, uint64_t key)
{
    size_t i = home(counts, key);
    while (counts->entries[i].count > 0 && counts->entries[i].key != key)
        i = (i + 1) & (counts->capacity - 1);
    return &counts->entries[i];
}

static void grow(struct address_count *counts)
{
    struct entry *old = counts->entries;
    size_t old_capacity = counts->capacity;
    counts->capacity *= 2;
    counts->entries = memory_allocate_zeroed(counts->capacity, sizeof *counts->entries);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].count > 0)
            *find(counts, old[i].key) = old[i];
    free(old);
}

/* The count, of which there will be some; under the lock. */
static uint32_t *make_count(struct address_count *counts, uint64_t key)
{
    struct entry *entry = find(counts, key);
    if (entry->count == 0 && ++counts->size * 2 > counts->capacity) {
        grow(counts);
        entry = find(counts, key);
    }
    entry->key = key;
    return &entry->count;
}

bool address_count_try_add(struct address_count *counts, uint64_t key)
{
    pthread_mutex_lock(&counts->lock);
    bool has_room = find(counts, key)->count < counts->limit;
    if (has_room)
        ++*make_count(counts, key);
    pthread_mutex_unlock(&counts->lock);
    return has_room;
}

void address_count_add_many(struct address_count *counts, uint64_t key, uint32_t count)
{
    if (count == 0)
        return;
    pthread_mutex_lock(&counts->lock);
    *make_count(counts, key) += count;
    pthread_mutex_unlock(&counts->lock);
}

uint32_t address_count_of(struct address_count *counts, uint64_t key)
{
    pthread_mutex_lock(&counts->lock);
    uint32_t count = find(counts, key)->count;
    pthread_mutex_unlock(&counts->lock);
    return count;
}

/* Frees a place and moves up the entries that were pushed past it. */
static void free_place(struct address_count *counts, size_t hole)
{
    size_t mask = counts->capacity - 1;
    for (size_t i = (hole + 1) & mask; counts->entries[i].count > 0; i = (i + 1) & mask) {
        size_t distance = (i - home(counts, counts->entries[i].key)) & mask;
        if (distance < ((i - hole) & mask))
            continue; /* it is not behind its home by so much */
        counts->entries[hole] = counts->entries[i];
        hole = i;
    }
    counts->entries[hole].count = 0;
    counts->size--;
}

void address_count_remove_many(struct address_count *counts, uint64_t key, uint32_t count)
{
    if (count == 0)
        return;
    pthread_mutex_lock(&counts->lock);
    struct entry *entry = find(counts, key);
    check(entry->count >= count);
    entry->count -= count;
    if (entry->count == 0)
        free_place(counts, (size_t)(entry - counts->entries));
    pthread_mutex_unlock(&counts->lock);
}

void address_count_remove(struct address_count *counts, uint64_t key)
{
    address_count_remove_many(counts, key, 1);
}

size_t address_count_size(struct address_count *counts)
{
    pthread_mutex_lock(&counts->lock);
    size_t size = counts->size;
    pthread_mutex_unlock(&counts->lock);
    return size;
}
