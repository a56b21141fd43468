/* The hash is taken over the very bytes that clients read, not over the numbers they were made of:
 * an update is sent when, and only when, a client could tell the difference. Epoch and sequence
 * number order publications and are no part of the content. */
#include "model/publication.h"

#include "base/hash.h"

uint64_t publication_hash(int64_t timestamp_ms, const char *data, size_t data_size)
{
    /* The bytes of the number in a fixed order, so that every machine finds the same hash. */
    unsigned char stamp[8];
    for (size_t i = 0; i < sizeof stamp; i++)
        stamp[i] = (unsigned char)((uint64_t)timestamp_ms >> (8 * i));
    return hash_bytes(hash_bytes(HASH_START, stamp, sizeof stamp), data, data_size);
}
