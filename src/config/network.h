/* Lists of networks, as in TRUSTED_PROXIES: "127.0.0.1,10.0.0.0/8,::1,fd00::/8". A list is constant
 * once it is parsed, so any thread may read it. */
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
        int prefix; /* leading bits that are compared, 0 to 128 */
    } networks[NETWORKS_MAX];
};

/* Separated by commas or blanks; empty for none. STATUS_INVALID: the message quotes the network
 * that is wrong and says what is allowed. */
enum status network_list_parse(const char *text, struct network_list *list, struct error *error);

/* Whether the address (IPv4, IPv6, IPv4 mapped into IPv6) is in one of them. */
bool network_list_has(const struct network_list *list, const struct sockaddr *address);

#endif
