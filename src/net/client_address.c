/* Limits per address would count a proxy as one client, so the address that it names is the one
 * that counts. Each proxy appends the address that it was connected from. A client may send a list
 * of its own, which then stands at the beginning; so nothing left of the first address that is not
 * a trusted proxy's can be believed. */
#include "net/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* Removes the port and the brackets from "192.0.2.1:4711" and "[2001:db8::1]:4711"; an IPv6 address
 * alone has more colons than one. */
static struct slice host_of(struct slice text)
{
    struct slice rest = text, host;
    if (slice_try_take(&rest, "["))
        return slice_split(&rest, ']', &host) ? host : (struct slice){rest.data, 0};
    if (slice_split(&rest, ':', &host) && memchr(rest.data, ':', rest.size) == NULL)
        return host;
    return text;
}

static bool parse_address(struct slice text, struct sockaddr_storage *address)
{
    char host[INET6_ADDRSTRLEN];
    struct sockaddr_storage found = {0};
    if (!slice_copy(host_of(text), host, sizeof host))
        return false;
    if (inet_pton(AF_INET, host, &((struct sockaddr_in *)&found)->sin_addr) == 1)
        found.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, host, &((struct sockaddr_in6 *)&found)->sin6_addr) == 1)
        found.ss_family = AF_INET6;
    else
        return false;
    *address = found;
    return true;
}

void client_address_of_peer(int fd, struct sockaddr_storage *peer)
{
    socklen_t size = sizeof *peer;
    memset(peer, 0, sizeof *peer);
    getpeername(fd, (struct sockaddr *)peer, &size);
}

void client_address_find(const struct network_list *trusted, const struct http_head *head,
                         struct sockaddr_storage *peer)
{
    if (trusted->count == 0)
        return;
    for (size_t i = head->header_count; i-- > 0;) {
        const struct http_header *header = &head->headers[i];
        struct slice list = header->value, item;
        if (!slice_equals_ignoring_case(header->name, "X-Forwarded-For"))
            continue;
        while (list.size > 0) {
            slice_split_last(&list, ',', &item);
            if (!network_list_has(trusted, (const struct sockaddr *)peer) ||
                !parse_address(slice_trim(item), peer))
                return;
        }
    }
}

const char *client_address_format(const struct sockaddr *address,
                                  char text[CLIENT_ADDRESS_TEXT_SIZE])
{
    const void *bytes = NULL;
    if (address->sa_family == AF_INET)
        bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    else if (address->sa_family == AF_INET6)
        bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (bytes == NULL ||
        inet_ntop(address->sa_family, bytes, text, CLIENT_ADDRESS_TEXT_SIZE) == NULL)
        strcpy(text, "unknown");
    return text;
}
