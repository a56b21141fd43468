/* Who is behind a proxy: TRUSTED_PROXIES and X-Forwarded-For. Any thread. */
#ifndef HEATCAST_NET_CLIENT_ADDRESS_H
#define HEATCAST_NET_CLIENT_ADDRESS_H

#include "config/network.h"
#include "wire/http_head.h"

#include <sys/socket.h>

/* Replaces the peer's address by the client's. Only a trusted proxy is believed, and only the
 * entry that it appended itself: the list is read from its end for as long as the address before is
 * trusted. What is no address ends it, too. */
void client_address_find(const struct network_list *trusted, const struct http_head *head,
                         struct sockaddr_storage *peer);

#endif
