/* What an exchange is asked is a base address and a path that heatcast appends. A path may be part
 * of the base, for those who put a proxy of their own before an exchange; a query may not, since
 * nothing could follow it, and neither may a user and a password, which logs would show. */
#include "config/base_url.h"

#include "base/slice.h"

static bool is_in_authority(char c)
{
    return c != '/' && c != '?' && c != '#' && c != '@' && c > ' ' && c != 0x7f;
}

static bool is_in_path(char c)
{
    return c != '?' && c != '#' && c > ' ' && c != 0x7f;
}

static bool is_in_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
}

static bool is_in_address_6(char c)
{
    return slice_hex_value(c) >= 0 || c == ':' || c == '.';
}

/* "host", "host:port", "[::1]:port" */
static bool is_authority(struct slice text)
{
    bool is_bracketed = slice_try_take(&text, "[");
    struct slice host = slice_take_while(&text, is_bracketed ? is_in_address_6 : is_in_name);
    uint64_t port;
    if (host.size == 0 || (is_bracketed && !slice_try_take(&text, "]")))
        return false;
    if (text.size == 0)
        return true;
    return slice_try_take(&text, ":") && slice_parse_unsigned(text, 65535, &port) && port > 0;
}

static bool take_scheme(struct slice *text, const char *const *schemes)
{
    for (; *schemes != NULL; schemes++) {
        struct slice rest = *text;
        if (slice_try_take(&rest, *schemes) && slice_try_take(&rest, "://")) {
            *text = rest;
            return true;
        }
    }
    return false;
}

enum status base_url_parse(const char *text, const char *const *schemes, char url[BASE_URL_SIZE],
                           struct error *error)
{
    struct slice whole = slice_of(text), rest = whole;
    bool is_valid = take_scheme(&rest, schemes) &&
                    is_authority(slice_take_while(&rest, is_in_authority)) &&
                    (rest.size == 0 || rest.data[0] == '/');
    slice_take_while(&rest, is_in_path);
    if (!is_valid || rest.size > 0)
        return error_set(error, STATUS_INVALID,
                         "'%.60s' is not the base address of a server (%s:// or %s://, "
                         "host[:port], and a path, if any, without ? and #)",
                         text, schemes[0], schemes[1]);
    while (whole.data[whole.size - 1] == '/')
        whole.size--;
    if (!slice_copy(whole, url, BASE_URL_SIZE))
        return error_set(error, STATUS_INVALID, "'%.60s...' is longer than %d characters", text,
                         BASE_URL_SIZE - 1);
    return STATUS_OK;
}
