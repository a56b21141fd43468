/* A place is taken before anything is done for a connection, so that a crowd that comes at once
 * cannot pass the limit: each loop counts itself in first and takes that back if it was one too
 * many. A moment of that may refuse a client for which there would have been a place, which comes
 * again; it never lets one in for which there is none.
 *
 * One address may have all WebSockets (unless WS_MAX_CONNECTIONS_PER_IP says otherwise: a company
 * is one address), but not all places for HTTP, since those that are answered nothing yet are what
 * a flood consists of. The totals are atomics, since every connection counts there; addresses have
 * tables, with a lock each. */
#include "net/places.h"

#include "base/check.h"
#include "net/address_count.h"

void places_init(struct places *places, const struct places_limits *limits)
{
    places->limits = *limits;
    atomic_init(&places->http, 0);
    atomic_init(&places->websockets, 0);
    places->by_address = address_count_create(limits->per_address);
    places->websockets_by_address = limits->websockets_per_address > 0
                                        ? address_count_create(limits->websockets_per_address)
                                        : NULL;
}

void places_deinit(struct places *places)
{
    address_count_destroy(places->by_address);
    address_count_destroy(places->websockets_by_address);
}

/* Relaxed, here and below: the count itself is all that the loops tell each other. */
static bool try_take(atomic_int *taken, int max)
{
    if (atomic_fetch_add_explicit(taken, 1, memory_order_relaxed) < max)
        return true;
    atomic_fetch_sub_explicit(taken, 1, memory_order_relaxed);
    return false;
}

static void give_back(atomic_int *taken)
{
    atomic_fetch_sub_explicit(taken, 1, memory_order_relaxed);
}

enum place_result places_enter(struct places *places, uint64_t address_key, struct place *place)
{
    *place = (struct place){.is_http = try_take(&places->http, places->limits.http)};
    if (!place->is_http)
        return PLACE_ALL_TAKEN;
    enum place_result result = places_count_for(places, address_key, place);
    if (result != PLACE_TAKEN)
        places_give_back(places, place);
    return result;
}

enum place_result places_count_for(struct places *places, uint64_t address_key, struct place *place)
{
    if (place->is_counted && place->address_key == address_key)
        return PLACE_TAKEN;
    places_count_for_nobody(places, place);
    place->address_key = address_key;
    if (address_key == 0)
        return PLACE_TAKEN;
    place->is_counted = address_count_try_add(places->by_address, address_key);
    return place->is_counted ? PLACE_TAKEN : PLACE_ADDRESS_HAS_ITS_SHARE;
}

void places_count_for_nobody(struct places *places, struct place *place)
{
    if (place->is_counted)
        address_count_remove(places->by_address, place->address_key);
    place->is_counted = false;
}

enum place_result places_take_websocket(struct places *places, struct place *place)
{
    check(place->is_http && !place->is_websocket);
    place->is_websocket = try_take(&places->websockets, places->limits.websockets);
    if (!place->is_websocket)
        return PLACE_ALL_TAKEN;
    if (places->websockets_by_address == NULL)
        return PLACE_TAKEN;
    place->is_counted_websocket =
        address_count_try_add(places->websockets_by_address, place->address_key);
    if (place->is_counted_websocket)
        return PLACE_TAKEN;
    place->is_websocket = false;
    give_back(&places->websockets);
    return PLACE_ADDRESS_HAS_ITS_WEBSOCKETS_SHARE;
}

void places_leave_http(struct places *places, struct place *place)
{
    if (place->is_http)
        give_back(&places->http);
    place->is_http = false;
}

void places_give_back(struct places *places, struct place *place)
{
    places_leave_http(places, place);
    places_count_for_nobody(places, place);
    if (place->is_websocket)
        give_back(&places->websockets);
    if (place->is_counted_websocket)
        address_count_remove(places->websockets_by_address, place->address_key);
    place->is_websocket = place->is_counted_websocket = false;
}

uint32_t places_of_address(struct places *places, uint64_t address_key)
{
    return address_count_of(places->by_address, address_key);
}
