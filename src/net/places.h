/* How many WebSockets there may be: WS_MAX_CONNECTIONS, and WS_MAX_CONNECTIONS_PER_IP of one
 * address. Private to net/. One for all loops; any thread. */
#ifndef HEATCAST_NET_PLACES_H
#define HEATCAST_NET_PLACES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct address_count;

struct places {
    int max;
    atomic_int taken;
    struct address_count *by_address; /* NULL: no limit per address */
};

/* A connection's own; all zero holds none. */
struct place {
    bool is_taken;
    uint64_t address_key; /* where it is counted as well, if that is limited */
};

/* `per_address` 0: no such limit. */
void places_init(struct places *places, int max, int per_address);
void places_deinit(struct places *places);

/* Whether places_take() needs the address. */
static inline bool places_are_per_address(const struct places *places)
{
    return places->by_address != NULL;
}

enum place_result { PLACE_TAKEN, PLACE_ALL_TAKEN, PLACE_ADDRESS_HAS_ITS_SHARE };

enum place_result places_take(struct places *places, const struct sockaddr *address,
                              struct place *place);
void places_give_back(struct places *places, struct place *place); /* harmless if none is held */

/* Places that are taken now. */
int places_count(const struct places *places);

#endif
