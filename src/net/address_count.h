/* How many WebSocket connections each address has: WS_MAX_CONNECTIONS_PER_IP.
 *
 * One table for all worker loops, guarded by a mutex; it exists only where the limit is set, and is
 * used once when a connection becomes a WebSocket and once when it ends (places.c). Any thread. */
#ifndef HEATCAST_NET_ADDRESS_COUNT_H
#define HEATCAST_NET_ADDRESS_COUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct address_count;

/* At most `limit` (above 0) connections an address. */
struct address_count *address_count_create(int limit);
void address_count_destroy(struct address_count *counts); /* NULL is harmless */

/* What stands for a peer in the table: an IPv4 address, also one mapped into IPv6, or the /64
 * network of an IPv6 address, which is what one customer or machine has at the least. 0 for any
 * other family. */
uint64_t address_count_key(const struct sockaddr *address);

/* One connection more, unless the address has `limit` of them already. */
bool address_count_try_add(struct address_count *counts, uint64_t key);

/* One less; it must have been added. */
void address_count_remove(struct address_count *counts, uint64_t key);

/* How many addresses have a connection. Only for tests. */
size_t address_count_size(struct address_count *counts);

#endif
