/* How many connections there may be: of HTTP and WebSockets, in all and from one address. Private
 * to net/. One for all loops; any thread. */
#ifndef HEATCAST_NET_PLACES_H
#define HEATCAST_NET_PLACES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address_count;

struct places_limits {
    int http, websockets;       /* in all; a connection is HTTP until it is a WebSocket */
    int per_address;            /* of both together */
    int websockets_per_address; /* 0: no such limit */
};

struct places {
    struct places_limits limits;
    atomic_int http, websockets;
    struct address_count *by_address;
    struct address_count *websockets_by_address; /* NULL: no such limit */
};

/* A connection's own; all zero holds none. */
struct place {
    uint64_t address_key; /* address_count_key() of whom it counts for; 0: for nobody */
    bool is_http, is_websocket;
    bool is_counted;           /* for the address */
    bool is_counted_websocket; /* for the address as well */
};

void places_init(struct places *places, const struct places_limits *limits);
void places_deinit(struct places *places);

enum place_result {
    PLACE_TAKEN,
    PLACE_ALL_TAKEN,
    PLACE_ADDRESS_HAS_ITS_SHARE, /* of connections */
    PLACE_ADDRESS_HAS_ITS_WEBSOCKETS_SHARE,
};

/* A newcomer's place. A key of 0 counts for no address: a trusted proxy's connections are its
 * clients'. */
enum place_result places_enter(struct places *places, uint64_t address_key, struct place *place);

/* From now on the place counts for this address, whatever it counted for. If that has its share,
 * the place counts for nobody. */
enum place_result places_count_for(struct places *places, uint64_t address_key,
                                   struct place *place);
void places_count_for_nobody(struct places *places, struct place *place);

/* A place for a WebSocket, on top of that for HTTP, which is left when the handshake is over. */
enum place_result places_take_websocket(struct places *places, struct place *place);
void places_leave_http(struct places *places, struct place *place);

/* All that it holds; harmless if that is nothing. */
void places_give_back(struct places *places, struct place *place);

/* How many connections count for the address now. */
uint32_t places_of_address(struct places *places, uint64_t address_key);

static inline int places_http(const struct places *places)
{
    return atomic_load_explicit(&places->http, memory_order_relaxed);
}

static inline int places_websockets(const struct places *places)
{
    return atomic_load_explicit(&places->websockets, memory_order_relaxed);
}

#endif
