/* A proxy is named by an address or a network, of either family, and a client's address may be IPv4
 * written as IPv6 (::ffff:10.0.0.1) when the listener is IPv6. So everything is kept as 128 bits,
 * IPv4 mapped into them (RFC 4291 §2.5.5.2), and a match is one comparison of leading bits. Lists
 * are short and read for each request behind a proxy: a scan is enough. */
#include "config/network.h"

#include "base/slice.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { ADDRESS_BITS = 128, V4_OFFSET_BITS = 96 };

static void map_v4(const void *v4, uint8_t bytes[16])
{
    memset(bytes, 0, 10);
    bytes[10] = bytes[11] = 0xff;
    memcpy(bytes + 12, v4, 4);
}

static bool has_prefix(const uint8_t *bytes, const uint8_t *network, int prefix)
{
    size_t whole = (size_t)prefix / 8;
    int rest = prefix % 8;
    if (memcmp(bytes, network, whole) != 0)
        return false;
    return rest == 0 || (bytes[whole] ^ network[whole]) >> (8 - rest) == 0;
}

/* Bits behind the prefix must be zero: "10.1.2.3/8" is more likely a slip than a wish. */
static bool is_network(const uint8_t *bytes, int prefix)
{
    for (int bit = prefix; bit < ADDRESS_BITS; bit++)
        if (bytes[bit / 8] & 0x80 >> bit % 8)
            return false;
    return true;
}

static bool parse_network(struct slice text, uint8_t bytes[16], int *prefix)
{
    char host[64];
    struct slice address;
    bool has_prefix_size = slice_split(&text, '/', &address);
    if (!slice_copy(address, host, sizeof host))
        return false;
    struct in_addr v4;
    bool is_v4 = inet_pton(AF_INET, host, &v4) == 1;
    if (is_v4)
        map_v4(&v4, bytes);
    else if (inet_pton(AF_INET6, host, bytes) != 1)
        return false;
    uint64_t bits = is_v4 ? ADDRESS_BITS - V4_OFFSET_BITS : ADDRESS_BITS;
    if (has_prefix_size && !slice_parse_unsigned(text, bits, &bits))
        return false;
    *prefix = (int)bits + (is_v4 ? V4_OFFSET_BITS : 0);
    return is_network(bytes, *prefix);
}

enum status network_list_parse(const char *text, struct network_list *list, struct error *error)
{
    struct slice rest = slice_of(text), word;
    list->count = 0;
    while (slice_take_word(&rest, ", ", &word)) {
        if (list->count == NETWORKS_MAX)
            return error_set(error, STATUS_INVALID, "more than %d networks", NETWORKS_MAX);
        if (!parse_network(word, list->networks[list->count].bytes,
                           &list->networks[list->count].prefix))
            return error_set(error, STATUS_INVALID,
                             "'%.*s' is not an address or a network (127.0.0.1, 10.0.0.0/8, ::1, "
                             "fd00::/8; no bits behind the prefix)",
                             slice_arguments(word));
        list->count++;
    }
    return STATUS_OK;
}

bool network_list_has(const struct network_list *list, const struct sockaddr *address)
{
    uint8_t bytes[16];
    if (address->sa_family == AF_INET)
        map_v4(&((const struct sockaddr_in *)(const void *)address)->sin_addr, bytes);
    else if (address->sa_family == AF_INET6)
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    else
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (has_prefix(bytes, list->networks[i].bytes, list->networks[i].prefix))
            return true;
    return false;
}
