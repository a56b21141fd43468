/* Redis clients take a URL (https://www.iana.org/assignments/uri-schemes/prov/redis), and it is the
 * one setting that may hold a password. So no sentence here quotes what was given, and people see
 * the URL only as redis_url_format() writes it. */
#include "config/redis_url.h"

#include "base/slice.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SCHEME "redis://"
#define TLS_SCHEME "rediss://"

enum { DATABASE_MAX = 65535 };

static enum status invalid(struct error *error, const char *what)
{
    return error_set(error, STATUS_INVALID,
                     "%s; allowed: redis://[[user]:password@]host[:port][/database], as in %s",
                     what, REDIS_URL_DEFAULT);
}

/* "user:password", percent-encoded; the user may be empty. */
static enum status parse_credentials(struct slice text, struct redis_url *url, struct error *error)
{
    struct slice user;
    if (!slice_split(&text, ':', &user) || text.size == 0)
        return invalid(error, "there is a user, but no password behind it");
    if (!slice_percent_decode(user, false, url->user, sizeof url->user) ||
        !slice_percent_decode(text, false, url->password, sizeof url->password))
        return invalid(error, "user or password is longer than 255 bytes, or a % in them is not "
                              "followed by two hexadecimal digits");
    return STATUS_OK;
}

static bool is_host(struct slice text, bool is_v6)
{
    for (size_t i = 0; i < text.size; i++)
        if (!isalnum((unsigned char)text.data[i]) &&
            strchr(is_v6 ? ":.%" : ".-_", text.data[i]) == NULL)
            return false;
    return text.size > 0;
}

/* "host", "host:port", "[::1]:port". */
static enum status parse_host(struct slice text, struct redis_url *url, struct error *error)
{
    struct slice host;
    uint64_t port;
    bool is_v6 = slice_try_take(&text, "[");
    bool has_port = slice_split(&text, is_v6 ? ']' : ':', &host);
    if (is_v6 && !has_port)
        return invalid(error, "a [ without its ]");
    if (is_v6)
        has_port = text.size > 0;
    if (!is_host(host, is_v6) || !slice_copy(host, url->host, sizeof url->host))
        return invalid(error, "there is no host, or it is neither a name nor an address");
    if (!has_port)
        return STATUS_OK;
    if ((is_v6 && !slice_try_take(&text, ":")) || !slice_parse_unsigned(text, 65535, &port) ||
        port == 0)
        return invalid(error, "the port is not a whole number from 1 to 65535");
    url->port = (int)port;
    return STATUS_OK;
}

static bool is_in_authority(char c)
{
    return c != '/' && c != '?' && c != '#';
}

enum status redis_url_parse(const char *text, struct redis_url *url, struct error *error)
{
    struct slice rest = slice_of(text), host;
    uint64_t database;
    *url = (struct redis_url){.port = 6379};
    if (slice_starts_with(rest, TLS_SCHEME))
        return error_set(error, STATUS_INVALID,
                         "rediss:// needs TLS, which this program's Redis library (hiredis) does "
                         "not have; use redis://, through a tunnel (stunnel, a private network) "
                         "where the network is not trusted");
    if (!slice_try_take(&rest, SCHEME))
        return invalid(error, "it does not begin with redis://");
    struct slice authority = slice_take_while(&rest, is_in_authority);
    if (slice_split_last(&authority, '@', &host)) {
        enum status status = parse_credentials(authority, url, error);
        if (status != STATUS_OK)
            return status;
    }
    enum status status = parse_host(host, url, error);
    if (status != STATUS_OK || rest.size == 0 || slice_equals(rest, "/"))
        return status;
    if (!slice_try_take(&rest, "/") || !slice_parse_unsigned(rest, DATABASE_MAX, &database))
        return invalid(error, "what follows the host is not /database, a whole number");
    url->database = (int)database;
    return STATUS_OK;
}

char *redis_url_format(const struct redis_url *url, char text[REDIS_URL_TEXT_SIZE])
{
    bool is_v6 = strchr(url->host, ':') != NULL;
    char database[16] = "";
    if (url->database != 0)
        snprintf(database, sizeof database, "/%d", url->database);
    snprintf(text, REDIS_URL_TEXT_SIZE, SCHEME "%s%s%s%s%s:%d%s", url->user,
             url->password[0] != '\0' ? ":***@" : "", is_v6 ? "[" : "", url->host, is_v6 ? "]" : "",
             url->port, database);
    return text;
}
