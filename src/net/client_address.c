/* Each proxy appends the address that it was connected from. A client may send a list of its own,
 * which then stands at the beginning; so nothing left of the first address that is not a trusted
 * proxy's is worth anything. */
#include "net/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]:4711". */
static bool parse_address(struct slice text, struct sockaddr_storage *address)
{
    char host[INET6_ADDRSTRLEN];
    const char *start = text.data, *end = text.data + text.size;
    const char *colon = memchr(start, ':', text.size);
    if (text.size > 0 && *start == '[') {
        start++;
        const char *bracket = memchr(start, ']', (size_t)(end - start));
        end = bracket != NULL ? bracket : start;
    } else if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon - 1)) == NULL) {
        end = colon; /* an IPv6 address has more than one */
    }
    size_t size = (size_t)(end - start);
    if (size == 0 || size >= sizeof host)
        return false;
    memcpy(host, start, size);
    host[size] = '\0';

    struct sockaddr_storage found = {0};
    if (inet_pton(AF_INET, host, &((struct sockaddr_in *)&found)->sin_addr) == 1)
        found.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, host, &((struct sockaddr_in6 *)&found)->sin6_addr) == 1)
        found.ss_family = AF_INET6;
    else
        return false;
    *address = found;
    return true;
}

/* Cuts the last item off a comma-separated list, blanks around it excluded. False if none is left.
 */
static bool take_last(struct slice *list, struct slice *item)
{
    if (list->size == 0)
        return false;
    const char *comma = memrchr(list->data, ',', list->size);
    const char *start = comma != NULL ? comma + 1 : list->data;
    const char *end = list->data + list->size;
    list->size = comma != NULL ? (size_t)(comma - list->data) : 0;
    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *item = (struct slice){start, (size_t)(end - start)};
    return true;
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
        while (take_last(&list, &item))
            if (!network_list_has(trusted, (const struct sockaddr *)peer) ||
                !parse_address(item, peer))
                return;
    }
}
