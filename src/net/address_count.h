/* How many of something each address has: WebSocket connections (places.c), questions under way and
 * KiB of answers (question_table.c).
 *
 * One table for all worker loops, guarded by a mutex, and used seldom: when a connection becomes a
 * WebSocket and when it ends, when a question is queued and when it is answered. Any thread. */
#ifndef HEATCAST_NET_ADDRESS_COUNT_H
#define HEATCAST_NET_ADDRESS_COUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct address_count;

/* At most `limit` (above 0) an address. */
struct address_count *address_count_create(int limit);
void address_count_destroy(struct address_count *counts); /* NULL is harmless */

/* What stands for a peer in the table: an IPv4 address, also one mapped into IPv6, or the /64
 * network of an IPv6 address, which is what one customer or machine has at the least. 0 for any
 * other family. */
uint64_t address_count_key(const struct sockaddr *address);

/* One more, unless the address has `limit` of them already. */
bool address_count_try_add(struct address_count *counts, uint64_t key);

/* One less; it must have been added. */
void address_count_remove(struct address_count *counts, uint64_t key);

/* Several more, whatever the limit is, and several less. */
void address_count_add_many(struct address_count *counts, uint64_t key, uint32_t count);
void address_count_remove_many(struct address_count *counts, uint64_t key, uint32_t count);

/* How many it has. */
uint32_t address_count_of(struct address_count *counts, uint64_t key);

/* How many addresses have any. Only for tests. */
size_t address_count_size(struct address_count *counts);

#endif
