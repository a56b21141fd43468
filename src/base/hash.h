/* 64-bit FNV-1a (Fowler, Noll, Vo): tells contents apart, quickly and the same on every machine.
 * Not for tables whose keys clients choose: collisions are easy to make. Any thread. */
#ifndef HEATCAST_BASE_HASH_H
#define HEATCAST_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* Continues from `hash` (HASH_START, or an earlier result) over `size` more bytes. */
static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
