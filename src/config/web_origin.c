/* A browser says where a page comes from as scheme, host and port, with the port left out where it
 * is the scheme's own; people write it in either way. So both sides are taken apart and the parts
 * compared, never the text: "https://a.example:443" is "https://a.example", and a wildcard can be
 * held to whole labels. "*.a.example" stands for the subdomains of a.example, at any depth; not for
 * a.example, which is another entry, and not for evil-a.example, which is somebody else's.
 *
 * An entry that could never fit is refused, so that a slip shows when the server starts and not
 * when its users complain. */
#include "config/web_origin.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <strings.h>

enum { NAME_SIZE_MAX = 253, LABEL_SIZE_MAX = 63, PORT_MAX = 65535 }; /* RFC 1035 §2.3.4 */

/* "example.com", "*.example.com", "[::1]:8000" */
struct pattern {
    struct slice host; /* of a wildcard, what stands behind "*." */
    bool is_wildcard;
    int port; /* 0: none is given */
};

int web_origin_default_port(struct slice scheme)
{
    static const struct {
        const char *scheme;
        int port;
    } known[] = {{"http", 80}, {"https", 443}, {"ws", 80}, {"wss", 443}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (slice_equals_ignoring_case(scheme, known[i].scheme))
            return known[i].port;
    return 0;
}

/* -- hosts ------------------------------------------------------------------------------------- */

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool parse_v6(struct slice host, struct in6_addr *address)
{
    char text[INET6_ADDRSTRLEN];
    if (host.size < 2 || host.data[0] != '[' || host.data[host.size - 1] != ']')
        return false;
    return slice_copy((struct slice){host.data + 1, host.size - 2}, text, sizeof text) &&
           inet_pton(AF_INET6, text, address) == 1;
}

static bool is_v4(struct slice host)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    return slice_copy(host, text, sizeof text) && inet_pton(AF_INET, text, &address) == 1;
}

static bool is_all(struct slice text, bool (*accepts)(char c))
{
    return text.size > 0 && slice_take_while(&text, accepts).size > 0 && text.size == 0;
}

/* A name whose last label is a number is an IPv4 address, or nothing that a browser would ask. */
static bool is_name(struct slice host, bool may_be_address)
{
    struct slice rest = host, label;
    for (bool has_more = true; has_more;) {
        has_more = slice_split(&rest, '.', &label);
        if (label.size > LABEL_SIZE_MAX || !is_all(label, is_label_char))
            return false;
    }
    return host.size <= NAME_SIZE_MAX &&
           (!is_all(label, is_digit) || (may_be_address && is_v4(host)));
}

static struct slice without_last_dot(struct slice host)
{
    if (host.size > 1 && host.data[host.size - 1] == '.')
        host.size--;
    return host;
}

bool web_host_is_same(struct slice one, struct slice other)
{
    struct in6_addr first, second;
    if (parse_v6(one, &first) && parse_v6(other, &second))
        return memcmp(&first, &second, sizeof first) == 0;
    one = without_last_dot(one);
    other = without_last_dot(other);
    return one.size == other.size && one.size > 0 &&
           strncasecmp(one.data, other.data, one.size) == 0;
}

static bool parse_port(struct slice text, int *port)
{
    uint64_t number;
    if (!slice_parse_unsigned(text, PORT_MAX, &number) || number == 0)
        return false;
    *port = (int)number;
    return true;
}

static bool parse_pattern(struct slice text, struct pattern *pattern)
{
    struct slice port;
    struct in6_addr address;
    *pattern = (struct pattern){.is_wildcard = slice_try_take(&text, "*.")};
    const char *colon = text.size > 0 ? memrchr(text.data, ':', text.size) : NULL;
    if (colon != NULL && memchr(colon, ']', text.size - (size_t)(colon - text.data)) == NULL) {
        slice_split_last(&text, ':', &port);
        if (!parse_port(port, &pattern->port))
            return false;
    }
    pattern->host = without_last_dot(text);
    return is_name(pattern->host, !pattern->is_wildcard) ||
           (!pattern->is_wildcard && parse_v6(text, &address));
}

/* At least one whole label stands before the name of a wildcard. */
static bool fits_host(const struct pattern *pattern, struct slice host)
{
    if (!pattern->is_wildcard)
        return web_host_is_same(pattern->host, host);
    host = without_last_dot(host);
    if (host.size < pattern->host.size + 2)
        return false;
    struct slice before = slice_take(&host, host.size - pattern->host.size);
    return web_host_is_same(host, pattern->host) && before.data[before.size - 1] == '.' &&
           before.data[0] != '.' && before.data[before.size - 2] != '.';
}

enum status web_host_check_list(const char *list, struct error *error)
{
    struct slice rest = slice_of(list), entry;
    struct pattern pattern;
    if (slice_equals(rest, "*"))
        return STATUS_OK;
    while (slice_take_word(&rest, ", ", &entry))
        if (!parse_pattern(entry, &pattern))
            return error_set(error, STATUS_INVALID,
                             "'%.*s' is not a host (a.example, a.example:8000, *.b.example), and * "
                             "stands alone",
                             slice_arguments(entry));
    return STATUS_OK;
}

static bool fits_port(const struct pattern *pattern, int port)
{
    bool is_common = pattern->port == 80 || pattern->port == 443;
    return pattern->port == 0 || pattern->port == port || (port == 0 && is_common);
}

bool web_host_is_listed(const char *list, struct slice host, int port)
{
    struct slice rest = slice_of(list), entry;
    struct pattern pattern;
    if (slice_equals(rest, "*"))
        return true;
    while (slice_take_word(&rest, ", ", &entry))
        if (parse_pattern(entry, &pattern) && fits_port(&pattern, port) &&
            fits_host(&pattern, host))
            return true;
    return false;
}

/* -- origins ----------------------------------------------------------------------------------- */

static bool is_scheme_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("+-.", c) != NULL);
}

/* What sandboxed frames send, and pages from files: origins without a host, taken by name. */
static bool is_hostless(struct slice text)
{
    return slice_equals_ignoring_case(text, "null") || slice_equals_ignoring_case(text, "file://");
}

/* Of one without a host the pattern is empty. */
static bool parse_entry(struct slice text, struct slice *scheme, struct pattern *pattern)
{
    bool has_host = !is_hostless(text);
    *pattern = (struct pattern){0};
    *scheme = slice_take_while(&text, is_scheme_char);
    return !has_host ||
           (scheme->size > 0 && !is_digit(scheme->data[0]) && slice_try_take(&text, "://") &&
            !slice_equals_ignoring_case(*scheme, "file") && parse_pattern(text, pattern));
}

enum status web_origin_check_list(const char *list, struct error *error)
{
    struct slice rest = slice_of(list), entry, scheme;
    struct pattern pattern;
    if (slice_equals(rest, "*"))
        return STATUS_OK;
    while (slice_take_word(&rest, ", ", &entry))
        if (!parse_entry(entry, &scheme, &pattern))
            return error_set(error, STATUS_INVALID,
                             "'%.*s' is not an origin (https://a.example, http://b.example:8080, "
                             "https://*.c.example, null or file://; no path), and * stands alone",
                             slice_arguments(entry));
    return STATUS_OK;
}

static bool fits_origin(struct slice scheme, const struct pattern *pattern,
                        const struct web_origin *origin)
{
    int port = pattern->port != 0 ? pattern->port : web_origin_default_port(scheme);
    if (scheme.size != origin->scheme.size ||
        strncasecmp(scheme.data, origin->scheme.data, scheme.size) != 0)
        return false;
    return pattern->host.size == 0 ? origin->host.size == 0
                                   : port == origin->port && fits_host(pattern, origin->host);
}

bool web_origin_is_listed(const char *list, const struct web_origin *origin)
{
    struct slice rest = slice_of(list), entry, scheme;
    struct pattern pattern;
    if (slice_equals(rest, "*"))
        return true;
    while (slice_take_word(&rest, ", ", &entry))
        if (parse_entry(entry, &scheme, &pattern) && fits_origin(scheme, &pattern, origin))
            return true;
    return false;
}
