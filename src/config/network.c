#include "config/network.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
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

static bool parse_network(const char *text, size_t size, uint8_t bytes[16], int *prefix)
{
    char host[64];
    const char *slash = memchr(text, '/', size);
    size_t host_size = slash != NULL ? (size_t)(slash - text) : size;
    if (host_size == 0 || host_size >= sizeof host)
        return false;
    memcpy(host, text, host_size);
    host[host_size] = '\0';

    struct in_addr v4;
    bool is_v4 = inet_pton(AF_INET, host, &v4) == 1;
    if (is_v4)
        map_v4(&v4, bytes);
    else if (inet_pton(AF_INET6, host, bytes) != 1)
        return false;
    *prefix = ADDRESS_BITS;
    if (slash == NULL)
        return true;
    char *end;
    long bits = strtol(slash + 1, &end, 10);
    if (!isdigit((unsigned char)slash[1]) || end != text + size ||
        bits > (is_v4 ? ADDRESS_BITS - V4_OFFSET_BITS : ADDRESS_BITS))
        return false;
    *prefix = (int)bits + (is_v4 ? V4_OFFSET_BITS : 0);
    return is_network(bytes, *prefix);
}

enum status network_list_parse(const char *text, struct network_list *list, struct error *error)
{
    list->count = 0;
    for (text += strspn(text, ", "); *text != '\0'; text += strspn(text, ", ")) {
        size_t size = strcspn(text, ", ");
        if (list->count == NETWORKS_MAX)
            return error_set(error, STATUS_INVALID, "more than %d networks", NETWORKS_MAX);
        if (!parse_network(text, size, list->networks[list->count].bytes,
                           &list->networks[list->count].prefix))
            return error_set(error, STATUS_INVALID,
                             "'%.*s' is not an address or a network (127.0.0.1, 10.0.0.0/8, ::1, "
                             "fd00::/8; no bits behind the prefix)",
                             (int)(size < 60 ? size : 60), text);
        list->count++;
        text += size;
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
