/* A place is taken when the handshake is answered, not when it is done, so that a crowd that shakes
 * hands at once cannot pass the limit: each loop counts itself in first and takes that back if it
 * was one too many. A moment of that may refuse a client for which there would have been a place,
 * which comes again; it never lets one in for which there is none.
 *
 * The total is an atomic, since every connection counts there. Addresses have a table with a lock,
 * which exists only where the setting asks for it. */
#include "net/places.h"

#include "net/address_count.h"

void places_init(struct places *places, int max, int per_address)
{
    places->max = max;
    atomic_init(&places->taken, 0);
    places->by_address = per_address > 0 ? address_count_create(per_address) : NULL;
}

void places_deinit(struct places *places)
{
    address_count_destroy(places->by_address);
}

enum place_result places_take(struct places *places, const struct sockaddr *address,
                              struct place *place)
{
    /* Relaxed, here and below: the count itself is all that the loops tell each other. */
    int before = atomic_fetch_add_explicit(&places->taken, 1, memory_order_relaxed);
    bool has_room = before < places->max;
    if (has_room && places->by_address != NULL) {
        place->address_key = address_count_key(address);
        place->is_taken = address_count_try_add(places->by_address, place->address_key);
    } else {
        place->is_taken = has_room;
    }
    if (place->is_taken)
        return PLACE_TAKEN;
    atomic_fetch_sub_explicit(&places->taken, 1, memory_order_relaxed);
    return has_room ? PLACE_ADDRESS_HAS_ITS_SHARE : PLACE_ALL_TAKEN;
}

void places_give_back(struct places *places, struct place *place)
{
    if (!place->is_taken)
        return;
    place->is_taken = false;
    atomic_fetch_sub_explicit(&places->taken, 1, memory_order_relaxed);
    if (places->by_address != NULL)
        address_count_remove(places->by_address, place->address_key);
}

int places_count(const struct places *places)
{
    return atomic_load_explicit(&places->taken, memory_order_relaxed);
}
