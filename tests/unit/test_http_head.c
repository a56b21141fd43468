/* HTTP request heads: what RFC 9112 allows is understood however the bytes come in, and the rest is
 * refused. */
#include "wire/http_head.h"

#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#define SAMPLE                                                                                     \
    "GET /ws/heatmap?symbols=BTCUSDT HTTP/1.1\r\n"                                                 \
    "Host: example.com:8000\r\n"                                                                   \
    "Upgrade: websocket\r\n"                                                                       \
    "Connection: keep-alive, Upgrade\r\n"                                                          \
    "X-Empty:\r\n"                                                                                 \
    "X-Blanks: \t two words \t \r\n"                                                               \
    "\r\n"

/* Parses from memory of exactly that size, so that a sanitizer sees any step beyond it. */
static enum http_head_result parse_bytes(const char *bytes, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, bytes, size);
    struct http_head head;
    enum http_head_result result = http_head_parse(&head, copy, size);
    free(copy);
    return result;
}

static enum http_head_result parse(struct http_head *head, const char *text)
{
    return http_head_parse(head, text, strlen(text));
}

/* The text gives `expected` when whole; a piece of it asks for more or gives `expected` already. */
static void expect(const char *text, enum http_head_result expected)
{
    size_t size = strlen(text);
    for (size_t length = 0; length < size; length++) {
        enum http_head_result result = parse_bytes(text, length);
        if (result != HTTP_HEAD_NEEDS_MORE && result != expected)
            fail_msg("%d for %zu bytes of '%s'", result, length, text);
    }
    if (parse_bytes(text, size) != expected)
        fail_msg("%d for '%s'", parse_bytes(text, size), text);
}

static bool has(struct slice slice, const char *text)
{
    return slice_equals(slice, text);
}

/* -- what is understood ------------------------------------------------------------------------ */

static void a_head_is_cut_into_its_parts(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(parse(&head, SAMPLE "behind"), HTTP_HEAD_DONE);
    assert_int_equal(head.size, strlen(SAMPLE));
    assert_true(has(head.method, "GET"));
    assert_true(has(head.target, "/ws/heatmap?symbols=BTCUSDT"));
    assert_true(has(head.path, "/ws/heatmap"));
    assert_true(has(head.query, "symbols=BTCUSDT"));
    assert_int_equal(head.minor_version, 1);
    assert_int_equal(head.content_length, 0);
    assert_true(head.is_keep_alive);
    assert_int_equal(head.header_count, 5);
    assert_true(has(*http_head_find(&head, "hOsT"), "example.com:8000"));
    assert_true(has(*http_head_find(&head, "X-Empty"), ""));
    assert_true(has(*http_head_find(&head, "X-Blanks"), "two words"));
    assert_null(http_head_find(&head, "X-Blank"));
}

static void a_head_is_done_at_its_last_byte_and_not_before(void **state)
{
    (void)state;
    for (size_t length = 0; length < strlen(SAMPLE); length++)
        assert_int_equal(parse_bytes(SAMPLE, length), HTTP_HEAD_NEEDS_MORE);
    assert_int_equal(parse_bytes(SAMPLE, strlen(SAMPLE)), HTTP_HEAD_DONE);
}

static void lone_line_feeds_and_empty_lines_before_are_accepted(void **state)
{
    (void)state;
    expect("\r\n\n\r\nGET / HTTP/1.1\nHost: a\n\n", HTTP_HEAD_DONE);
}

static void a_target_may_lack_a_query_or_have_an_empty_one(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(parse(&head, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_HEAD_DONE);
    assert_true(has(head.path, "/a"));
    assert_int_equal(head.query.size, 0);
    assert_int_equal(parse(&head, "GET /a? HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_HEAD_DONE);
    assert_true(has(head.path, "/a"));
    assert_int_equal(head.query.size, 0);
    assert_int_equal(parse(&head, "GET /?x?y HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_HEAD_DONE);
    assert_true(has(head.path, "/"));
    assert_true(has(head.query, "x?y"));
}

static void connections_stay_open_as_the_version_and_header_say(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_keep_alive;
    } expected[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: a , CLOSE\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct http_head head;
        assert_int_equal(parse(&head, expected[i].text), HTTP_HEAD_DONE);
        assert_int_equal(head.is_keep_alive, expected[i].is_keep_alive);
    }
}

static void tokens_are_found_in_any_line_and_case(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(parse(&head, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c ,,\tWebSocket\r\n"
                                  "upgrade:other\r\nConnection:\r\n\r\n"),
                     HTTP_HEAD_DONE);
    assert_true(http_head_has_token(&head, "Upgrade", "websocket"));
    assert_true(http_head_has_token(&head, "UPGRADE", "h2c"));
    assert_true(http_head_has_token(&head, "Upgrade", "other"));
    assert_false(http_head_has_token(&head, "Upgrade", "web"));
    assert_false(http_head_has_token(&head, "Upgrade", "socket"));
    assert_false(http_head_has_token(&head, "Connection", "upgrade"));
}

static void a_content_length_is_a_number(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(parse(&head, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1234\r\n\r\n"),
                     HTTP_HEAD_DONE);
    assert_int_equal(head.content_length, 1234);
    static const char *const wrong[] = {
        "", "-1", "+1", "1 2", "0x10", "1,1", "a", "1.", "9999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[120];
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\n\r\n",
                 wrong[i]);
        assert_int_equal(parse(&head, text), HTTP_HEAD_BAD);
    }
}

/* -- what is refused --------------------------------------------------------------------------- */

static void what_is_not_http_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET / http/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET /\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET \xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET heatmap HTTP/1.1\r\nHost: a\r\n\r\n",
        "\x16\x03\x01\x02",
        "\r\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\rX",
        "GET / HTTP/x\r\n\r\n",
        "GET / HTTP/1\r\n\r\n",
        "GET / HTTP/1.\r\n\r\n",
        "GET / HTTP/1.10\r\n\r\n",
        "GET / HTTP/11.1\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect(texts[i], HTTP_HEAD_BAD);
}

static void other_versions_are_refused_as_such(void **state)
{
    (void)state;
    expect("GET / HTTP/2.0\r\n\r\n", HTTP_HEAD_BAD_VERSION);
    expect("GET / HTTP/0.9\r\n\r\n", HTTP_HEAD_BAD_VERSION);
    expect("PRI * HTTP/2.0\r\n\r\n", HTTP_HEAD_BAD_VERSION);
}

static void a_greater_minor_version_is_taken_as_1_1(void **state)
{
    (void)state; /* RFC 9110 §2.5 */
    for (char minor = '1'; minor <= '9'; minor++) {
        char text[] = "GET / HTTP/1.x\r\nHost: a\r\n\r\n";
        *strchr(text, 'x') = minor;
        struct http_head head;
        assert_int_equal(parse(&head, text), HTTP_HEAD_DONE);
        assert_int_equal(head.minor_version, 1);
        assert_true(head.is_keep_alive);
    }
}

static void broken_header_lines_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "A : 1",       /* a blank before the colon, RFC 9112 §5.1 */
        ": 1",         /* no name */
        "A",           /* no colon */
        "A\x01: 1",    /* */
        "\xc3\xa4: 1", /* */
        "A: b\rc",     /* a lone CR, RFC 9112 §2.2 */
        "A: b\x01",    /* a control character */
        "A: b\x7f",    /* */
        "A: b\r\n c",  /* a folded line, RFC 9112 §5.2 */
        "A: b\r\n\tc", /* */
        " A: b",       /* a blank before the first header */
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 1\r\ncontent-length: 2",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[160];
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\n%s\r\nHost: a\r\n\r\n", lines[i]);
        expect(text, HTTP_HEAD_BAD);
    }
}

static void a_zero_byte_is_refused_everywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < strlen(SAMPLE); i++) {
        char bytes[] = SAMPLE;
        bytes[i] = '\0';
        enum http_head_result result = parse_bytes(bytes, sizeof bytes - 1);
        assert_true(result == HTTP_HEAD_BAD || result == HTTP_HEAD_BAD_VERSION);
    }
}

static void values_may_hold_bytes_above_ascii(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(parse(&head, "GET / HTTP/1.1\r\nHost: a\r\nA: \xc3\xa4\r\n\r\n"),
                     HTTP_HEAD_DONE);
    assert_true(has(*http_head_find(&head, "A"), "\xc3\xa4"));
}

static void http_1_1_names_exactly_one_host(void **state)
{
    (void)state; /* RFC 9112 §3.2 */
    expect("GET / HTTP/1.1\r\n\r\n", HTTP_HEAD_BAD);
    expect("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HTTP_HEAD_BAD);
    expect("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", HTTP_HEAD_BAD);
    expect("GET / HTTP/1.0\r\n\r\n", HTTP_HEAD_DONE);
    expect("GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_HEAD_DONE);
}

static void the_absolute_form_of_a_target_is_understood(void **state)
{
    (void)state; /* RFC 9112 §3.2.2 */
    static const struct {
        const char *target, *path, *query, *host;
    } expected[] = {
        {"http://b.example:8000/ws/heatmap?x=1", "/ws/heatmap", "x=1", "b.example:8000"},
        {"HTTPS://b.example", "/", "", "b.example"},
        {"http://b.example?x=1", "/", "x=1", "b.example"},
        {"http://[::1]:8000/", "/", "", "[::1]:8000"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        char text[120];
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", expected[i].target);
        struct http_head head;
        assert_int_equal(parse(&head, text), HTTP_HEAD_DONE);
        assert_true(has(head.path, expected[i].path));
        assert_true(has(head.query, expected[i].query));
        assert_true(has(*http_head_find(&head, "Host"), expected[i].host));
    }
    expect("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_HEAD_BAD);
    expect("GET ftp://b/x HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_HEAD_BAD);
}

/* Each rule with its section: a request line and headers that keep it or break it. */
static void rules_of_targets_hosts_and_codings(void **state)
{
    (void)state;
    static const struct {
        const char *section, *line, *headers;
        enum http_head_result result;
    } rules[] = {
        {"RFC 9112 §3.2.1", "GET /a?b", "Host: a", HTTP_HEAD_DONE},
        {"RFC 9112 §3.2.2", "GET http://a/", "Host: b", HTTP_HEAD_DONE},
        {"RFC 9112 §3.2.2", "GET http://a:80", "Host: b", HTTP_HEAD_DONE},
        {"RFC 9112 §3.2.2", "GET a/", "Host: a", HTTP_HEAD_BAD},
        {"RFC 9112 §3.2.3", "CONNECT a:80", "Host: a", HTTP_HEAD_DONE},
        {"RFC 9112 §3.2.3", "CONNECT [::1]:80", "Host: a", HTTP_HEAD_DONE},
        {"RFC 9112 §3.2.3", "CONNECT a", "Host: a", HTTP_HEAD_BAD},
        {"RFC 9112 §3.2.3", "CONNECT a:", "Host: a", HTTP_HEAD_BAD},
        {"RFC 9112 §3.2.3", "CONNECT [::1]", "Host: a", HTTP_HEAD_BAD},
        {"RFC 9112 §3.2.3", "CONNECT /", "Host: a", HTTP_HEAD_BAD},
        {"RFC 9112 §3.2.3", "GET a:80", "Host: a", HTTP_HEAD_BAD},
        {"RFC 9112 §3.2.4", "OPTIONS *", "Host: a", HTTP_HEAD_DONE},
        {"RFC 9112 §3.2.4", "OPTIONS /a", "Host: a", HTTP_HEAD_DONE},
        {"RFC 9112 §3.2.4", "OPTIONS *?a", "Host: a", HTTP_HEAD_BAD},
        {"RFC 9112 §3.2.4", "GET *", "Host: a", HTTP_HEAD_BAD},
        {"RFC 9112 §3.2", "GET /a#b", "Host: a", HTTP_HEAD_BAD},
        {"RFC 3986 §2.1", "GET /%41%7e", "Host: a", HTTP_HEAD_DONE},
        {"RFC 3986 §2.1", "GET /%4", "Host: a", HTTP_HEAD_BAD},
        {"RFC 3986 §2.1", "GET /%zz", "Host: a", HTTP_HEAD_BAD},
        {"RFC 3986 §2.1", "GET /%", "Host: a", HTTP_HEAD_BAD},

        {"RFC 9112 §3.2", "GET /", "X: a", HTTP_HEAD_BAD},
        {"RFC 9112 §3.2", "GET /", "Host: a\r\nHost: a", HTTP_HEAD_BAD},
        {"RFC 9112 §3.2", "GET /", "Host:", HTTP_HEAD_DONE},
        {"RFC 9112 §3.2", "GET http://a/", "Host: b c", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.2", "GET /", "Host: a.b-c_d~e", HTTP_HEAD_DONE},
        {"RFC 3986 §3.2.2", "GET /", "Host: 127.0.0.1:8000", HTTP_HEAD_DONE},
        {"RFC 3986 §3.2.2", "GET /", "Host: a%2Db", HTTP_HEAD_DONE},
        {"RFC 3986 §3.2.2", "GET /", "Host: [::1]", HTTP_HEAD_DONE},
        {"RFC 3986 §3.2.2", "GET /", "Host: [2001:db8::7]:8000", HTTP_HEAD_DONE},
        {"RFC 3986 §3.2.2", "GET /", "Host: a b", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.2", "GET /", "Host: a/b", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.2", "GET /", "Host: a,b", HTTP_HEAD_DONE},
        {"RFC 3986 §3.2.2", "GET /", "Host: a%2", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.2", "GET /", "Host: \xc3\xa4", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.2", "GET /", "Host: <a>", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.2", "GET /", "Host: [::1", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.2", "GET /", "Host: ::1", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.2", "GET /", "Host: [1]", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.2", "GET /", "Host: []", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.2", "GET /", "Host: [::1]a", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.3", "GET /", "Host: a:", HTTP_HEAD_DONE},
        {"RFC 3986 §3.2.3", "GET /", "Host: a:65535", HTTP_HEAD_DONE},
        {"RFC 3986 §3.2.3", "GET /", "Host: a:65536", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.3", "GET /", "Host: a:-1", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.3", "GET /", "Host: a:b", HTTP_HEAD_BAD},
        {"RFC 3986 §3.2.3", "GET /", "Host: a:80:80", HTTP_HEAD_BAD},
        {"RFC 9110 §4.2.1", "GET http:///", "Host: a", HTTP_HEAD_BAD},
        {"RFC 9110 §4.2.1", "GET http://:80/", "Host: a", HTTP_HEAD_BAD},
        {"RFC 9110 §4.2.4", "GET http://user@a/", "Host: a", HTTP_HEAD_BAD},
        {"RFC 9110 §4.2.4", "GET /", "Host: user@a", HTTP_HEAD_BAD},

        {"RFC 9112 §6.1", "POST /", "Host: a\r\nTransfer-Encoding: chunked", HTTP_HEAD_DONE},
        {"RFC 9112 §6.1", "POST /", "Host: a\r\nTransfer-Encoding: Chunked", HTTP_HEAD_DONE},
        {"RFC 9112 §6.1", "POST /", "Host: a\r\nTransfer-Encoding: foo", HTTP_HEAD_UNKNOWN_CODING},
        {"RFC 9112 §6.1", "POST /", "Host: a\r\nTransfer-Encoding: gzip, chunked",
         HTTP_HEAD_UNKNOWN_CODING},
        {"RFC 9112 §6.1", "POST /",
         "Host: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
         HTTP_HEAD_UNKNOWN_CODING},
        {"RFC 9112 §6.1", "POST /", "Host: a\r\nTransfer-Encoding: identity",
         HTTP_HEAD_UNKNOWN_CODING},
        {"RFC 9112 §7", "POST /", "Host: a\r\nTransfer-Encoding: chunked;a=b",
         HTTP_HEAD_UNKNOWN_CODING},
        {"RFC 9112 §7", "POST /", "Host: a\r\nTransfer-Encoding: chunked;",
         HTTP_HEAD_UNKNOWN_CODING},
        {"RFC 9112 §7", "POST /", "Host: a\r\nTransfer-Encoding: chunked, chunked", HTTP_HEAD_BAD},
        {"RFC 9112 §6.3", "POST /", "Host: a\r\nTransfer-Encoding: chunked, gzip", HTTP_HEAD_BAD},
        {"RFC 9112 §6.3", "POST /",
         "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip", HTTP_HEAD_BAD},
        {"RFC 9112 §6.3", "POST /", "Host: a\r\nTransfer-Encoding:", HTTP_HEAD_BAD},
        {"RFC 9112 §6.3", "POST /", "Host: a\r\nTransfer-Encoding: chunked,", HTTP_HEAD_BAD},
        {"RFC 9112 §6.3", "POST /", "Host: a\r\nTransfer-Encoding: ch unked", HTTP_HEAD_BAD},
        {"RFC 9112 §6.3", "POST /", "Host: a\r\nTransfer-Encoding: \"chunked\"", HTTP_HEAD_BAD},
        {"RFC 9112 §6.3", "POST /", "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1",
         HTTP_HEAD_BAD},
        {"RFC 9112 §6.3", "POST /", "Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
         HTTP_HEAD_BAD},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        char text[200];
        struct http_head head;
        snprintf(text, sizeof text, "%s HTTP/1.1\r\n%s\r\n\r\n", rules[i].line, rules[i].headers);
        enum http_head_result result = parse(&head, text);
        if (result != rules[i].result)
            fail_msg("%s: %d for '%s'", rules[i].section, result, text);
        expect(text, rules[i].result);
    }
    /* RFC 9112 §6.1: an HTTP/1.0 message has no codings. */
    expect("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_HEAD_BAD);
}

static void targets_for_all_and_for_tunnels_have_their_own_form(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(parse(&head, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_HEAD_DONE);
    assert_true(has(head.path, "*"));
    assert_int_equal(head.query.size, 0);
    assert_int_equal(parse(&head, "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n"),
                     HTTP_HEAD_DONE); /* RFC 9110 §4.2.3 */
    assert_true(has(head.path, "*"));
    assert_int_equal(parse(&head, "CONNECT b:80 HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_HEAD_DONE);
    assert_true(has(head.authority, "b:80"));
    assert_int_equal(head.path.size, 0);
}

static void a_chunked_body_has_a_length_that_is_not_known(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(
        parse(&head, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        HTTP_HEAD_DONE);
    assert_true(head.content_length == HTTP_CONTENT_CHUNKED);
}

static void an_authority_is_cut_in_two(void **state)
{
    (void)state;
    static const struct {
        const char *authority, *host, *port;
    } expected[] = {
        {"a", "a", ""},          {"a:80", "a", "80"},
        {"a:", "a", ""},         {"", "", ""},
        {":80", "", "80"},       {"[::1]", "[::1]", ""},
        {"[::1]:", "[::1]", ""}, {"[::1]:80", "[::1]", "80"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct slice host, port;
        assert_true(http_authority_split(slice_of(expected[i].authority), &host, &port));
        assert_true(has(host, expected[i].host) && has(port, expected[i].port));
    }
}

static void a_header_that_must_stand_once_is_not_found_twice(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(parse(&head, "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\na: 3\r\n\r\n"),
                     HTTP_HEAD_DONE);
    assert_true(has(*http_head_find_only(&head, "b"), "2"));
    assert_null(http_head_find_only(&head, "A"));
    assert_null(http_head_find_only(&head, "C"));
}

static void unreserved_characters_of_a_path_stand_for_themselves(void **state)
{
    (void)state; /* RFC 3986 §6.2.2.2; RFC 9110 §4.2.3 */
    static const char *const paths[][2] = {
        {"/api/v1/heatmap/BTCUSDT", "/api/v1/heatmap/BTCUSDT"},
        {"/%61p%69/%76%31/%42TCUSD%54", "/api/v1/BTCUSDT"},
        {"/%2d%2E%5f%7E%30", "/-._~0"},
        {"/a%2Fb%2fc%20%25%3F", "/a%2Fb%2fc%20%25%3F"}, /* all of these are reserved, or neither */
        {"/%2541", "/%2541"},                           /* decoded once */
        {"*", "*"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char text[64];
        assert_true(http_path_normalize(slice_of(paths[i][0]), text, sizeof text));
        assert_string_equal(text, paths[i][1]);
        assert_true(http_path_normalize(slice_of(paths[i][0]), text, strlen(paths[i][1]) + 1));
        assert_false(http_path_normalize(slice_of(paths[i][0]), text, strlen(paths[i][1])));
    }
}

/* -- limits ------------------------------------------------------------------------------------ */

/* A head of exactly `size` bytes. */
static struct buffer head_of_size(size_t size)
{
    struct buffer text = {0};
    buffer_append_text(&text, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    while (text.size < size - 4)
        buffer_append_char(&text, 'x');
    buffer_append_text(&text, "\r\n\r\n");
    return text;
}

static void a_head_may_have_16_kib(void **state)
{
    (void)state;
    struct buffer text = head_of_size(HTTP_HEAD_SIZE_MAX);
    assert_int_equal(parse_bytes(text.data, text.size - 1), HTTP_HEAD_NEEDS_MORE);
    assert_int_equal(parse_bytes(text.data, text.size), HTTP_HEAD_DONE);
    buffer_append_text(&text, "what follows does not count");
    assert_int_equal(parse_bytes(text.data, text.size), HTTP_HEAD_DONE);
    buffer_deinit(&text);

    text = head_of_size(HTTP_HEAD_SIZE_MAX + 1);
    assert_int_equal(parse_bytes(text.data, HTTP_HEAD_SIZE_MAX - 1), HTTP_HEAD_NEEDS_MORE);
    assert_int_equal(parse_bytes(text.data, HTTP_HEAD_SIZE_MAX), HTTP_HEAD_TOO_LARGE);
    assert_int_equal(parse_bytes(text.data, text.size), HTTP_HEAD_TOO_LARGE);
    buffer_deinit(&text);
}

static void a_target_may_have_8000_bytes(void **state)
{
    (void)state; /* RFC 9112 §3 */
    struct buffer text = {0};
    buffer_append_text(&text, "GET /");
    while (text.size < 4 + HTTP_TARGET_SIZE_MAX)
        buffer_append_char(&text, 'a');
    size_t size = text.size;
    assert_int_equal(parse_bytes(text.data, text.size), HTTP_HEAD_NEEDS_MORE);
    buffer_append_text(&text, " HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(parse_bytes(text.data, text.size), HTTP_HEAD_DONE);
    text.data[size] = 'a';
    assert_int_equal(parse_bytes(text.data, size + 1), HTTP_HEAD_TARGET_TOO_LONG);
    assert_int_equal(parse_bytes(text.data, text.size), HTTP_HEAD_TARGET_TOO_LONG);
    buffer_deinit(&text);
}

static void more_bytes_are_news_if_they_can_end_a_line_or_pass_a_limit(void **state)
{
    (void)state;
    assert_true(http_head_has_news("GET /", 5, 0));
    assert_false(http_head_has_news("GET / HTTP", 10, 5));
    assert_false(http_head_has_news("GET /\n", 6, 6));
    assert_true(http_head_has_news("GET / HTTP/1.1\r\n", 16, 5));
    struct buffer text = head_of_size(HTTP_HEAD_SIZE_MAX);
    assert_false(http_head_has_news(text.data, HTTP_HEAD_SIZE_MAX - 1, HTTP_HEAD_SIZE_MAX - 2));
    assert_true(http_head_has_news(text.data, HTTP_HEAD_SIZE_MAX, HTTP_HEAD_SIZE_MAX));
    buffer_deinit(&text);
}

static void a_head_may_have_64_headers(void **state)
{
    (void)state;
    struct buffer text = {0};
    buffer_append_text(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 1; i < HTTP_HEADERS_MAX; i++)
        buffer_append_format(&text, "X-%d: 1\r\n", i);
    size_t size = text.size;
    buffer_append_text(&text, "\r\n");
    assert_int_equal(parse_bytes(text.data, text.size), HTTP_HEAD_DONE);
    text.size = size;
    buffer_append_text(&text, "One: more\r\n");
    assert_int_equal(parse_bytes(text.data, text.size), HTTP_HEAD_TOO_LARGE);
    buffer_deinit(&text);
}

/* -- queries ----------------------------------------------------------------------------------- */

/* The pairs of a query as "name=value;...", with "name!" for a broken one. */
static void expect_pairs(const char *query, const char *expected)
{
    struct slice rest = {query, strlen(query)};
    char name[8], value[8], pairs[120] = "";
    bool is_valid;
    while (http_query_next(&rest, name, sizeof name, value, sizeof value, &is_valid)) {
        size_t length = strlen(pairs);
        if (is_valid)
            snprintf(pairs + length, sizeof pairs - length, "%s=%s;", name, value);
        else
            snprintf(pairs + length, sizeof pairs - length, "%s!;", name);
    }
    assert_string_equal(pairs, expected);
}

static void queries_are_walked_pair_by_pair(void **state)
{
    (void)state;
    expect_pairs("", "");
    expect_pairs("&&&", "");
    expect_pairs("a=1", "a=1;");
    expect_pairs("a=1&b=2&&c=3&", "a=1;b=2;c=3;");
    expect_pairs("a&b=&=c", "a=;b=;=c;");
    expect_pairs("a=b=c", "a=b=c;");
    expect_pairs("a=1&a=2", "a=1;a=2;");
}

static void percent_signs_and_pluses_are_decoded(void **state)
{
    (void)state;
    expect_pairs("a=1%2C2", "a=1,2;");
    expect_pairs("%61=%4a%4B", "a=JK;");
    expect_pairs("a=x+y%2B", "a=x y+;");
    expect_pairs("a=%26%3D", "a=&=;");
    expect_pairs("a=%C3%A4", "a=\xc3\xa4;");
}

static void broken_or_long_pairs_are_invalid_and_the_next_is_read(void **state)
{
    (void)state;
    expect_pairs("a=%&b=1", "a!;b=1;");
    expect_pairs("a=%4", "a!;");
    expect_pairs("a=%4&4=1", "a!;4=1;");
    expect_pairs("a=%g0", "a!;");
    expect_pairs("a=%0g", "a!;");
    expect_pairs("a=%00", "a!;");
    expect_pairs("%zz=1", "!;");
    expect_pairs("1234567=1234567", "1234567=1234567;");
    expect_pairs("12345678=1", "!;");
    expect_pairs("a=12345678&b=2", "a!;b=2;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_cut_into_its_parts),
        cmocka_unit_test(a_head_is_done_at_its_last_byte_and_not_before),
        cmocka_unit_test(lone_line_feeds_and_empty_lines_before_are_accepted),
        cmocka_unit_test(a_target_may_lack_a_query_or_have_an_empty_one),
        cmocka_unit_test(connections_stay_open_as_the_version_and_header_say),
        cmocka_unit_test(tokens_are_found_in_any_line_and_case),
        cmocka_unit_test(a_content_length_is_a_number),
        cmocka_unit_test(what_is_not_http_is_refused),
        cmocka_unit_test(other_versions_are_refused_as_such),
        cmocka_unit_test(a_greater_minor_version_is_taken_as_1_1),
        cmocka_unit_test(broken_header_lines_are_refused),
        cmocka_unit_test(a_zero_byte_is_refused_everywhere),
        cmocka_unit_test(values_may_hold_bytes_above_ascii),
        cmocka_unit_test(http_1_1_names_exactly_one_host),
        cmocka_unit_test(the_absolute_form_of_a_target_is_understood),
        cmocka_unit_test(rules_of_targets_hosts_and_codings),
        cmocka_unit_test(targets_for_all_and_for_tunnels_have_their_own_form),
        cmocka_unit_test(a_chunked_body_has_a_length_that_is_not_known),
        cmocka_unit_test(an_authority_is_cut_in_two),
        cmocka_unit_test(a_header_that_must_stand_once_is_not_found_twice),
        cmocka_unit_test(unreserved_characters_of_a_path_stand_for_themselves),
        cmocka_unit_test(a_head_may_have_16_kib),
        cmocka_unit_test(a_target_may_have_8000_bytes),
        cmocka_unit_test(more_bytes_are_news_if_they_can_end_a_line_or_pass_a_limit),
        cmocka_unit_test(a_head_may_have_64_headers),
        cmocka_unit_test(queries_are_walked_pair_by_pair),
        cmocka_unit_test(percent_signs_and_pluses_are_decoded),
        cmocka_unit_test(broken_or_long_pairs_are_invalid_and_the_next_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
