/* Pseudo-random numbers where nothing has to be secret: jitter, simulated markets. The same seed
 * gives the same numbers on every machine. One thread per generator. */
#ifndef HEATCAST_BASE_RANDOM_H
#define HEATCAST_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state; /* any value is a seed */
};

/* Unpredictable bytes from the kernel: seeds, identifiers. */
void random_system_bytes(void *bytes, size_t size);
struct random random_seeded_by_system(void);

uint64_t random_next(struct random *random);
uint64_t random_between(struct random *random, uint64_t low, uint64_t high); /* both inclusive */
double random_unit(struct random *random);                                   /* above 0, below 1 */

#endif
