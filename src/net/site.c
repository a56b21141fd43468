/* A page may open a WebSocket if it comes from the same origin: the same scheme, host and port. The
 * page's side of that is in Origin, which no script can change. Our side has to be put together:
 *
 *   - Host is what the client asked for, unless a proxy on the way wrote another. "Host: a.example"
 *     means the port of the scheme, as does "Origin: https://a.example".
 *   - Whether the client used TLS is known where it ends here, or where a trusted proxy says so.
 *     Otherwise a proxy may have taken it off, so that both schemes are possible.
 *   - Behind a proxy that changes Host (`Host $host` of nginx loses the port) X-Forwarded-Host and
 *     X-Forwarded-Port tell what it was.
 *
 * Each proxy may append to those three fields; the first entry is the one nearest to the client.
 * A program can make it up, as it can make up an Origin; a web page, against which all of this is
 * done, can set neither in a handshake. A port in the host is what the client used; one in
 * X-Forwarded-Port is what the proxy listens on, which stands in for one that is missing.
 *
 * The origin alone does not stop DNS rebinding: a page of evil.example, whose owner lets that name
 * point to 127.0.0.1 for a moment, is of the same origin as our server then, and may read all of
 * it. Its requests say "Host: evil.example", so the server answers only for the hosts that are its
 * own. An IP address is no name and cannot be made to point elsewhere. X-Forwarded-Host does not
 * count here, because in requests a page can set it; nor does a list matter where TLS proves to
 * browsers which names are ours. */
#include "net/site.h"

#include "config/web_origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum { PORT_MAX = 65535 };

/* The first entry of a list; empty if there is none. */
static struct slice first_entry(const struct http_head *head, const char *name)
{
    const struct slice *value = http_head_find(head, name);
    struct slice_list list = {.rest = value != NULL ? *value : (struct slice){"", 0}};
    struct slice entry = {"", 0};
    slice_list_next(&list, ',', &entry);
    return entry;
}

static int parse_port(struct slice text)
{
    uint64_t port;
    return slice_parse_unsigned(text, PORT_MAX, &port) ? (int)port : 0;
}

static bool take_host(struct slice authority, struct site *site)
{
    struct slice host, port;
    if (!http_authority_split(authority, &host, &port) || host.size == 0)
        return false;
    site->host = host;
    site->port = parse_port(port);
    return true;
}

/* Some proxies name the scheme of a WebSocket instead. */
static struct slice scheme_of(struct slice forwarded)
{
    bool is_known = web_origin_default_port(forwarded) != 0;
    bool is_secure = web_origin_default_port(forwarded) == 443;
    return is_known ? slice_of(is_secure ? "https" : "http") : (struct slice){"", 0};
}

void site_find(const struct http_head *head, bool has_tls, bool is_from_proxy, struct site *site)
{
    const struct slice *host = http_head_find(head, "Host");
    *site = (struct site){.scheme = slice_of(has_tls ? "https" : ""), .host = {"", 0}};
    if (head->authority.size > 0) /* the target's is the one that counts (RFC 9112 §3.2.2) */
        take_host(head->authority, site);
    else if (host != NULL)
        take_host(*host, site);
    if (!is_from_proxy)
        return;
    struct slice scheme = scheme_of(first_entry(head, "X-Forwarded-Proto"));
    if (scheme.size > 0)
        site->scheme = scheme;
    take_host(first_entry(head, "X-Forwarded-Host"), site);
    if (site->port == 0)
        site->port = parse_port(first_entry(head, "X-Forwarded-Port"));
}

/* -- hosts (RFC 9110 §7.4) --------------------------------------------------------------------- */

/* The names that browsers themselves resolve to this machine (RFC 6761 §6.3). */
#define LOCAL_NAMES "localhost,*.localhost"

static bool is_address(struct slice host)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    return slice_starts_with(host, "[") ||
           (slice_copy(host, text, sizeof text) && inet_pton(AF_INET, text, &address) == 1);
}

bool site_is_answered(const struct site *site, const char *allowed, bool is_local)
{
    if (site->host.size == 0 || is_address(site->host))
        return true;
    if (allowed[0] == '\0')
        allowed = is_local ? LOCAL_NAMES : "*";
    return web_host_is_listed(allowed, site->host, site->port);
}

bool site_is_local(const struct config *config)
{
    struct in_addr v4;
    struct in6_addr v6;
    const char *host = config->listen.host;
    bool is_loopback = inet_pton(AF_INET, host, &v4) == 1
                           ? ntohl(v4.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET
                           : inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    return is_loopback && config->tls_cert[0] == '\0';
}

/* -- origins ----------------------------------------------------------------------------------- */

/* Not all that a browser could send is an origin that we know how to compare: then it is false. */
static bool parse_origin(struct slice text, struct web_origin *origin)
{
    struct slice rest = text, port;
    const char *mark = memmem(text.data, text.size, "://", 3);
    *origin = (struct web_origin){.scheme = text, .host = {"", 0}};
    if (mark == NULL)
        return slice_equals(text, "null");
    origin->scheme = slice_take(&rest, (size_t)(mark - text.data));
    slice_take(&rest, 3);
    if (rest.size == 0)
        return true;
    if (!http_authority_split(rest, &origin->host, &port) || origin->host.size == 0)
        return false;
    origin->port = port.size > 0 ? parse_port(port) : web_origin_default_port(origin->scheme);
    return true;
}

static bool is_own(const struct site *site, const struct web_origin *origin)
{
    bool is_web = slice_equals_ignoring_case(origin->scheme, "http") ||
                  slice_equals_ignoring_case(origin->scheme, "https");
    bool has_scheme = site->scheme.size == 0 || web_origin_default_port(site->scheme) ==
                                                    web_origin_default_port(origin->scheme);
    int port = site->port != 0 ? site->port : web_origin_default_port(origin->scheme);
    return is_web && has_scheme && port == origin->port &&
           web_host_is_same(site->host, origin->host);
}

bool site_admits_origin(const struct site *site, const char *allowed, const struct http_head *head)
{
    struct web_origin origin;
    const struct slice *text = http_head_find_only(head, "Origin");
    if (http_head_find(head, "Origin") == NULL || strcmp(allowed, "*") == 0)
        return true;
    if (text == NULL || !parse_origin(*text, &origin))
        return false;
    return allowed[0] == '\0' ? is_own(site, &origin) : web_origin_is_listed(allowed, &origin);
}
