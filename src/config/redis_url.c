#include "config/redis_url.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

static int hex_digit(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                        : -1;
}

/* Undoes the percent-encoding (RFC 3986 §2.1). A NUL could not be told from the end. */
static bool decode(const char *text, size_t size, char out[REDIS_CREDENTIAL_SIZE])
{
    size_t written = 0;
    for (size_t i = 0; i < size; i++) {
        int c = (unsigned char)text[i];
        if (c == '%') {
            if (size - i < 3 || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
                return false;
            c = hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]);
            i += 2;
        }
        if (c == '\0' || written == REDIS_CREDENTIAL_SIZE - 1)
            return false;
        out[written++] = (char)c;
    }
    out[written] = '\0';
    return true;
}

static enum status parse_credentials(const char *text, size_t size, struct redis_url *url,
                                     struct error *error)
{
    const char *colon = memchr(text, ':', size);
    if (colon == NULL || colon + 1 == text + size)
        return invalid(error, "there is a user, but no password behind it");
    size_t user_size = (size_t)(colon - text);
    if (!decode(text, user_size, url->user) ||
        !decode(colon + 1, size - user_size - 1, url->password))
        return invalid(error, "user or password is longer than 255 bytes, or a % in them is not "
                              "followed by two hexadecimal digits");
    return STATUS_OK;
}

static bool parse_number(const char *text, size_t size, int low, int high, int *value)
{
    char digits[8], *end;
    if (size == 0 || size >= sizeof digits || !isdigit((unsigned char)text[0]))
        return false;
    memcpy(digits, text, size);
    digits[size] = '\0';
    long number = strtol(digits, &end, 10);
    *value = (int)number;
    return *end == '\0' && number >= low && number <= high;
}

static bool is_host(const char *text, size_t size, bool is_v6)
{
    if (size == 0 || size >= sizeof((struct redis_url *)NULL)->host)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && strchr(is_v6 ? ":.%" : ".-_", text[i]) == NULL)
            return false;
    return true;
}

/* "host", "host:port", "[::1]:port". */
static enum status parse_host(const char *text, size_t size, struct redis_url *url,
                              struct error *error)
{
    const char *end = text + size, *host = text, *behind;
    bool is_v6 = size > 0 && text[0] == '[';
    if (is_v6) {
        host++;
        const char *bracket = memchr(host, ']', (size_t)(end - host));
        if (bracket == NULL)
            return invalid(error, "a [ without its ]");
        size = (size_t)(bracket - host);
        behind = bracket + 1;
    } else {
        const char *colon = memchr(text, ':', size);
        behind = colon != NULL ? colon : end;
        size = (size_t)(behind - host);
    }
    if (!is_host(host, size, is_v6))
        return invalid(error, "there is no host, or it is neither a name nor an address");
    memcpy(url->host, host, size);
    url->host[size] = '\0';
    if (behind < end && (*behind != ':' || !parse_number(behind + 1, (size_t)(end - behind - 1), 1,
                                                         65535, &url->port)))
        return invalid(error, "the port is not a whole number from 1 to 65535");
    return STATUS_OK;
}

enum status redis_url_parse(const char *text, struct redis_url *url, struct error *error)
{
    *url = (struct redis_url){.port = 6379};
    if (strncmp(text, TLS_SCHEME, strlen(TLS_SCHEME)) == 0)
        return error_set(error, STATUS_INVALID,
                         "rediss:// needs TLS, which this program's Redis library (hiredis) does "
                         "not have; use redis://, through a tunnel (stunnel, a private network) "
                         "where the way is not trusted");
    if (strncmp(text, SCHEME, strlen(SCHEME)) != 0)
        return invalid(error, "it does not begin with redis://");
    const char *authority = text + strlen(SCHEME);
    const char *end = authority + strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', (size_t)(end - authority));
    const char *host = at != NULL ? at + 1 : authority;
    if (at != NULL) {
        enum status status = parse_credentials(authority, (size_t)(at - authority), url, error);
        if (status != STATUS_OK)
            return status;
    }
    enum status status = parse_host(host, (size_t)(end - host), url, error);
    if (status != STATUS_OK)
        return status;
    if (*end == '\0' || strcmp(end, "/") == 0)
        return STATUS_OK;
    if (*end != '/' || !parse_number(end + 1, strlen(end + 1), 0, DATABASE_MAX, &url->database))
        return invalid(error, "what follows the host is not /database, a whole number");
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
