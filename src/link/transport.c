/* libcurl has some ninety errors. What can be done about them differs in a dozen ways, and those
 * are the outcomes; libcurl's own words, which name hosts, ports and certificates, go into the
 * message.
 *
 * A proxy's refusal is an error of receiving for libcurl; the status of its answer to CONNECT tells
 * it from a connection that broke. */
#include "link/transport.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/slice.h"

enum { PROXY_STATUS_OK = 200 };

CURL *transport_create(const char *url, const char *ca_file, uint64_t connect_timeout_ms,
                       char *error_text)
{
    CURL *easy = curl_easy_init();
    check(easy != NULL);
    bool is_plain = slice_starts_with(slice_of(url), "http://");
    if (connect_timeout_ms == 0)
        connect_timeout_ms = HTTP_CONNECT_TIMEOUT_MS;
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Cancelling must not wait for the resolver's thread, which ends by itself. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, is_plain ? "http,https" : "https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (ca_file != NULL && ca_file[0] != '\0') {
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    return easy;
}

static bool has_proxy_refused(CURL *easy)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
    return status != 0 && status != PROXY_STATUS_OK;
}

/* Whether the last answer led somewhere else. */
static bool is_redirect(CURL *easy)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 300 && status <= 399;
}

enum http_outcome transport_outcome(CURL *easy, CURLcode code)
{
    switch ((int)code) {
    case CURLE_OK:
        return HTTP_ANSWERED;
    case CURLE_COULDNT_RESOLVE_HOST:
        return HTTP_NAME_UNKNOWN;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return HTTP_NOT_CONNECTED;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return HTTP_NOT_TRUSTED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_USE_SSL_FAILED:
        return HTTP_TLS_FAILED;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        return HTTP_PROXY_FAILED;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_TIMED_OUT;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
        return HTTP_CUT_OFF;
    case CURLE_RECV_ERROR:
        return has_proxy_refused(easy) ? HTTP_PROXY_FAILED : HTTP_CUT_OFF;
    case CURLE_FILESIZE_EXCEEDED:
        return HTTP_TOO_LARGE;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return HTTP_BROKEN;
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer without a head is HTTP/0.9 to libcurl */
        return is_redirect(easy) ? HTTP_REDIRECT_REFUSED : HTTP_BROKEN;
    case CURLE_TOO_MANY_REDIRECTS:
        return HTTP_REDIRECT_REFUSED;
    default:
        return HTTP_FAILED;
    }
}

static const char *phrase(enum http_outcome outcome)
{
    static const char *const phrases[] = {
        [HTTP_ANSWERED] = "answered",
        [HTTP_NAME_UNKNOWN] = "the name has no address",
        [HTTP_NOT_CONNECTED] = "no connection",
        [HTTP_NOT_TRUSTED] = "its certificate is not trusted",
        [HTTP_TLS_FAILED] = "TLS failed",
        [HTTP_PROXY_FAILED] = "the proxy did not let the request through",
        [HTTP_TIMED_OUT] = "timed out",
        [HTTP_CUT_OFF] = "the connection ended before the answer did",
        [HTTP_TOO_LARGE] = "the answer is too large",
        [HTTP_BROKEN] = "the answer is broken",
        [HTTP_REDIRECT_REFUSED] = "a redirect was refused",
        [HTTP_STOPPED] = "stopped",
        [HTTP_FAILED] = "the request cannot be made",
    };
    return phrases[outcome];
}

static bool is_in_authority(char c)
{
    return c != '/' && c != '?' && c != '#';
}

void transport_append_message(struct buffer *out, const char *url, enum http_outcome outcome,
                              const char *words)
{
    struct slice rest = slice_of(url);
    const char *mark = strstr(url, "://");
    slice_take(&rest, mark != NULL ? (size_t)(mark - url) + 3 : 0);
    struct slice host = slice_take_while(&rest, is_in_authority);
    buffer_append_format(out, "%.*s: %s (%s)", slice_arguments(host), phrase(outcome), words);
}

int64_t transport_retry_after_ms(const char *text)
{
    enum { MS_PER_S = 1000 };
    const uint64_t seconds_max = HTTP_RETRY_AFTER_MAX_MS / MS_PER_S;
    struct slice digits = slice_trim(slice_of(text));
    uint64_t seconds;
    if (slice_parse_unsigned(digits, UINT64_MAX, &seconds))
        return (int64_t)(seconds < seconds_max ? seconds : seconds_max) * MS_PER_S;
    time_t moment = curl_getdate(text, NULL);
    if (moment == -1)
        return -1;
    int64_t wait_ms = (int64_t)moment * MS_PER_S - clock_wall_ms();
    return wait_ms < 0 ? 0 : wait_ms < HTTP_RETRY_AFTER_MAX_MS ? wait_ms : HTTP_RETRY_AFTER_MAX_MS;
}
