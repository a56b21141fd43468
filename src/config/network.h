/* Lists of networks, as TRUSTED_PROXIES has them: "127.0.0.1,10.0.0.0/8,::1,fd00::/8". */
#ifndef HEATCAST_CONFIG_NETWORK_H
#define HEATCAST_CONFIG_NETWORK_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NETWORKS_MAX 64

/* Addresses are kept as IPv6 (IPv4 mapped into it), so that there is one way to compare. */
struct network_list {
    size_t count;
    struct {
        uint8_t bytes[16];
        int prefix; /* leading bits that count, 0 to 128 */
    } networks[NETWORKS_MAX];
};

/* Empty for none. */
enum status network_list_parse(const char *text, struct network_list *list, struct error *error);

/* Whether the address (IPv4, IPv6, IPv4 mapped into IPv6) is in one of them. */
bool network_list_has(const struct network_list *list, const struct sockaddr *address);

#endif
