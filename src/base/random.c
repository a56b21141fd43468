/* SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): one
 * 64-bit word of state that any seed may fill, and more than good enough to spread retries and to
 * move a simulated price. */
#include "base/random.h"

#include "base/check.h"

#include <errno.h>
#include <sys/random.h>

void random_system_bytes(void *bytes, size_t size)
{
    for (char *at = bytes; size > 0;) {
        ssize_t count = getrandom(at, size, 0);
        check(count > 0 || errno == EINTR); /* it fails only when a signal interrupts it */
        if (count > 0) {
            at += count;
            size -= (size_t)count;
        }
    }
}

struct random random_seeded_by_system(void)
{
    struct random random;
    random_system_bytes(&random.state, sizeof random.state);
    return random;
}

uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t random_between(struct random *random, uint64_t low, uint64_t high)
{
    check(low <= high);
    uint64_t span = high - low + 1; /* 0 for all of 64 bits */
    uint64_t number = random_next(random);
    return span == 0 ? number : low + number % span;
}

double random_unit(struct random *random)
{
    return (double)((random_next(random) >> 11) + 1) / 9007199254740993.0; /* 2^53 + 1 */
}
