/* The address of a client, also behind proxies: TRUSTED_PROXIES and X-Forwarded-For. Any thread. */
#ifndef HEATCAST_NET_CLIENT_ADDRESS_H
#define HEATCAST_NET_CLIENT_ADDRESS_H

#include "config/network.h"
#include "wire/http_head.h"

#include <sys/socket.h>

/* The address of the other end of a socket; of no family if it is gone already. */
void client_address_of_peer(int fd, struct sockaddr_storage *peer);

/* Replaces the peer's address by the client's. Only a trusted proxy is believed, and only the
 * entry that it appended itself: the list is read from its end for as long as the address before is
 * trusted. What is not an address ends it, too. */
void client_address_find(const struct network_list *trusted, const struct http_head *head,
                         struct sockaddr_storage *peer);

/* For the log: "192.0.2.1", "2001:db8::1", or "unknown". Returns `text`. */
#define CLIENT_ADDRESS_TEXT_SIZE 46
const char *client_address_format(const struct sockaddr *address,
                                  char text[CLIENT_ADDRESS_TEXT_SIZE]);

#endif
