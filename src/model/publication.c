/* The hash is taken over the very bytes that clients read, not over the numbers they were made of:
 * an update is sent when, and only when, a client could tell the difference. Epoch and sequence
 * number order publications and are no part of the content. */
#include "model/publication.h"

#include "base/hash.h"

#include <string.h>

/* The bytes of the number in a fixed order, so that every machine finds the same hash. */
static uint64_t hash_time(uint64_t hash, int64_t time_ms)
{
    unsigned char stamp[8];
    for (size_t i = 0; i < sizeof stamp; i++)
        stamp[i] = (unsigned char)((uint64_t)time_ms >> (8 * i));
    return hash_bytes(hash, stamp, sizeof stamp);
}

uint64_t publication_hash(int64_t timestamp_ms, const char *data, size_t data_size)
{
    return hash_bytes(hash_time(HASH_START, timestamp_ms), data, data_size);
}

uint64_t publication_print_key(const char *exchange, int64_t time_ms, const char *id)
{
    const uint64_t hash = hash_time(HASH_START, time_ms);
    return hash_bytes(hash_bytes(hash, exchange, strlen(exchange) + 1), id, strlen(id));
}
