/* Which hosts are answered, and which pages may open a WebSocket, by what the request and trusted
 * proxies say of the address that it came to. */
#include "net/site.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

enum { PLAIN = 0, TLS = 1, PROXY = 2 };

static bool is_admitted(int how, const char *allowed, const char *headers)
{
    char bytes[1024];
    struct http_head head;
    struct site site;
    snprintf(bytes, sizeof bytes, "GET / HTTP/1.1\r\n%s\r\n", headers);
    assert_int_equal(http_head_parse(&head, bytes, strlen(bytes)), HTTP_HEAD_DONE);
    site_find(&head, (how & TLS) != 0, (how & PROXY) != 0, &site);
    return site_admits_origin(&site, allowed, &head);
}

struct row {
    int how;
    const char *headers;
};

#define HOST(host) "Host: " host "\r\n"
#define ORIGIN(origin) "Origin: " origin "\r\n"
#define FORWARDED(what, value) "X-Forwarded-" what ": " value "\r\n"

static void an_own_page_may_connect(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {PLAIN, HOST("a.example")},
        {PLAIN, HOST("a.example") ORIGIN("http://a.example")},
        {PLAIN, HOST("A.example") ORIGIN("HTTP://a.EXAMPLE")},
        {PLAIN, HOST("a.example.") ORIGIN("http://a.example")},
        {PLAIN, HOST("a.example:80") ORIGIN("http://a.example")},
        {PLAIN, HOST("a.example") ORIGIN("http://a.example:80")},
        {PLAIN, HOST("a.example:") ORIGIN("http://a.example")},
        {PLAIN, HOST("a.example:8000") ORIGIN("http://a.example:8000")},
        {PLAIN, HOST("[::1]:8000") ORIGIN("http://[::1]:8000")},
        {PLAIN, HOST("192.0.2.1:8000") ORIGIN("http://192.0.2.1:8000")},
        /* who ends TLS is not known */
        {PLAIN, HOST("a.example") ORIGIN("https://a.example")},
        {PLAIN, HOST("a.example:443") ORIGIN("https://a.example")},
        {PLAIN, HOST("a.example") ORIGIN("https://a.example:443")},
        {TLS, HOST("a.example") ORIGIN("https://a.example")},
        {TLS, HOST("a.example:443") ORIGIN("https://a.example")},
        {TLS, HOST("a.example:8443") ORIGIN("https://a.example:8443")},
        {PROXY, HOST("a.example") ORIGIN("https://a.example")},
        {PROXY, HOST("a.example") ORIGIN("https://a.example") FORWARDED("Proto", "https")},
        {PROXY, HOST("a.example") ORIGIN("https://a.example") FORWARDED("Proto", "WSS")},
        {PROXY, HOST("a.example") ORIGIN("http://a.example") FORWARDED("Proto", "http")},
        {PROXY, HOST("a.example") ORIGIN("http://a.example") FORWARDED("Proto", "gopher")},
        {PROXY | TLS, HOST("a.example") ORIGIN("http://a.example") FORWARDED("Proto", "http")},
        /* the port is lost on the way, or the name */
        {PROXY, HOST("a.example") ORIGIN("https://a.example:8443") FORWARDED("Port", "8443")},
        {PROXY, HOST("a.example") ORIGIN("https://a.example") FORWARDED("Port", "443")},
        {PROXY, HOST("up") ORIGIN("https://a.example") FORWARDED("Host", "a.example")},
        {PROXY, HOST("up:8000") ORIGIN("https://a.example") FORWARDED("Host", "a.example")},
        {PROXY, HOST("up") ORIGIN("http://a.example:81") FORWARDED("Host", "a.example:81")},
        {PROXY, HOST("up") ORIGIN("http://a.example:81") FORWARDED("Host", "a.example")
                    FORWARDED("Port", "81") FORWARDED("Proto", "http")},
        {PROXY, HOST("up") ORIGIN("http://a.example:81") FORWARDED("Host", "a.example:81")
                    FORWARDED("Port", "80")},
        /* through two of them */
        {PROXY, HOST("up") ORIGIN("https://a.example") FORWARDED("Host", "a.example, middle")
                    FORWARDED("Proto", "https, http") FORWARDED("Port", "443,8080")},
        /* nonsense says nothing */
        {PROXY, HOST("a.example") ORIGIN("https://a.example") FORWARDED("Host", "a b")
                    FORWARDED("Port", "70000") FORWARDED("Proto", "")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!is_admitted(rows[i].how, "", rows[i].headers))
            fail_msg("%d: %s", rows[i].how, rows[i].headers);
}

static void a_foreign_page_may_not(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {PLAIN, HOST("a.example") ORIGIN("http://b.example")},
        {PLAIN, HOST("a.example") ORIGIN("http://a.example.evil")},
        {PLAIN, HOST("a.example") ORIGIN("http://evil-a.example")},
        {PLAIN, HOST("a.example") ORIGIN("http://sub.a.example")},
        {PLAIN, HOST("a.example") ORIGIN("http://a.example:8000")},
        {PLAIN, HOST("a.example:8000") ORIGIN("http://a.example")},
        {PLAIN, HOST("a.example:80") ORIGIN("https://a.example")},
        {PLAIN, HOST("a.example:443") ORIGIN("http://a.example")},
        {PLAIN, HOST("a.example") ORIGIN("http://a.example/")},
        {PLAIN, HOST("a.example") ORIGIN("http://a@a.example")},
        {PLAIN, HOST("a.example") ORIGIN("ftp://a.example")},
        {PLAIN, HOST("a.example") ORIGIN("a.example")},
        {PLAIN, HOST("a.example") ORIGIN("null")},
        {PLAIN, HOST("a.example") ORIGIN("file://")},
        {PLAIN, HOST("a.example") ORIGIN("")},
        {PLAIN, HOST("a.example") ORIGIN("http://a.example http://b.example")},
        {PLAIN, HOST("a.example") ORIGIN("http://a.example") ORIGIN("http://b.example")},
        {PLAIN, HOST("") ORIGIN("null")},
        {PLAIN, HOST("") ORIGIN("http://")},
        /* a page that anybody on the way could have changed */
        {TLS, HOST("a.example") ORIGIN("http://a.example")},
        {TLS, HOST("a.example:443") ORIGIN("http://a.example:443")},
        {PROXY, HOST("a.example") ORIGIN("http://a.example") FORWARDED("Proto", "https")},
        {PROXY, HOST("a.example") ORIGIN("http://a.example") FORWARDED("Proto", "wss")},
        {PROXY, HOST("a.example") ORIGIN("https://a.example") FORWARDED("Proto", "http")},
        {PROXY, HOST("a.example") ORIGIN("https://a.example") FORWARDED("Host", "b.example")},
        {PROXY, HOST("a.example") ORIGIN("https://a.example") FORWARDED("Port", "8443")},
        {PROXY, HOST("up") ORIGIN("https://a.example")},
        /* anybody may say so */
        {PLAIN, HOST("up") ORIGIN("https://a.example") FORWARDED("Host", "a.example")},
        {PLAIN, HOST("a.example") ORIGIN("http://a.example:81") FORWARDED("Port", "81")},
        {TLS, HOST("a.example") ORIGIN("http://a.example") FORWARDED("Proto", "http")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (is_admitted(rows[i].how, "", rows[i].headers))
            fail_msg("%d: %s", rows[i].how, rows[i].headers);
}

static void a_list_says_which_pages_may(void **state)
{
    (void)state;
    const char *list = "https://a.example,https://*.b.example,null,file://";
    assert_true(is_admitted(PLAIN, list, HOST("x") ORIGIN("https://a.example")));
    assert_true(is_admitted(PLAIN, list, HOST("x") ORIGIN("https://a.example:443")));
    assert_true(is_admitted(PLAIN, list, HOST("x") ORIGIN("https://deep.in.b.example")));
    assert_true(is_admitted(PLAIN, list, HOST("x") ORIGIN("null")));
    assert_true(is_admitted(PLAIN, list, HOST("x") ORIGIN("file://")));
    assert_true(is_admitted(PLAIN, list, HOST("x")));
    assert_false(is_admitted(PLAIN, list, HOST("x") ORIGIN("http://x")));
    assert_false(is_admitted(PLAIN, list, HOST("x") ORIGIN("http://a.example")));
    assert_false(is_admitted(PLAIN, list, HOST("x") ORIGIN("https://b.example")));
    assert_false(is_admitted(PLAIN, list, HOST("x") ORIGIN("https://evil-b.example")));
    assert_true(is_admitted(PLAIN, "*", HOST("x") ORIGIN("nonsense")));
    assert_true(is_admitted(PLAIN, "app://local", HOST("x") ORIGIN("app://local")));
}

/* With "Host: host", or with another target. */
static bool is_answered(const char *allowed, bool is_local, const char *target, const char *headers)
{
    char bytes[512];
    struct http_head head;
    struct site site;
    snprintf(bytes, sizeof bytes, "GET %s HTTP/1.%d\r\n%s\r\n", target, headers[0] != '\0',
             headers);
    assert_int_equal(http_head_parse(&head, bytes, strlen(bytes)), HTTP_HEAD_DONE);
    site_find(&head, false, false, &site);
    return site_is_answered(&site, allowed, is_local);
}

static void a_local_server_answers_for_no_name_but_localhost(void **state)
{
    (void)state;
    static const char *const own[] = {
        HOST("localhost"),
        HOST("LOCALHOST:8000"),
        HOST("localhost."),
        HOST("a.localhost:1"),
        HOST("127.0.0.1"),
        HOST("127.0.0.1:8000"),
        HOST("[::1]:8000"),
        HOST("192.0.2.1"),
        HOST("[2001:db8::1]"),
        HOST(""),
        "",
    };
    static const char *const foreign[] = {
        HOST("evil.example"),
        HOST("evil.example:8000"),
        HOST("localhost.evil.example"),
        HOST("evillocalhost"),
        HOST("127.0.0.1.evil.example"),
        HOST("127.1"),
        HOST("2130706433"),
        HOST("0x7f.0.0.1"),
        HOST("1.2.3.4.5"),
        HOST("evil.example") FORWARDED("Host", "localhost"),
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (!is_answered("", true, "/", own[i]))
            fail_msg("%s", own[i]);
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        if (is_answered("", true, "/", foreign[i]))
            fail_msg("%s", foreign[i]);
        assert_true(is_answered("", false, "/", foreign[i]));
        assert_true(is_answered("*", true, "/", foreign[i]));
        assert_false(is_answered("a.example", false, "/", foreign[i]));
    }
    assert_true(is_answered("a.example", true, "/", HOST("a.example")));
    assert_true(is_answered("a.example", true, "/", HOST("127.0.0.1")));
    assert_false(is_answered("a.example", true, "/", HOST("localhost")));
    /* the target's host counts */
    assert_false(is_answered("", true, "http://evil.example/", HOST("localhost")));
    assert_false(is_answered("", true, "http://evil.example/", ""));
    assert_true(is_answered("", true, "http://localhost/", HOST("evil.example")));
}

static void only_a_plain_server_on_loopback_is_local(void **state)
{
    (void)state;
    static const struct {
        const char *listen;
        bool is_local;
    } rows[] = {
        {"127.0.0.1:8000", true}, {"127.3.2.1:8000", true}, {"[::1]:8000", true},
        {"localhost:8000", true}, {"0.0.0.0:8000", false},  {":8000", false},
        {"[::]:8000", false},     {"192.0.2.1:80", false},  {"[2001:db8::1]:80", false},
        {"128.0.0.1:80", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config config = {0};
        assert_int_equal(value_parse_address(rows[i].listen, &config.listen, NULL), STATUS_OK);
        if (site_is_local(&config) != rows[i].is_local)
            fail_msg("%s", rows[i].listen);
        strcpy(config.tls_cert, "cert.pem");
        assert_false(site_is_local(&config));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_own_page_may_connect),
        cmocka_unit_test(a_foreign_page_may_not),
        cmocka_unit_test(a_list_says_which_pages_may),
        cmocka_unit_test(a_local_server_answers_for_no_name_but_localhost),
        cmocka_unit_test(only_a_plain_server_on_loopback_is_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
