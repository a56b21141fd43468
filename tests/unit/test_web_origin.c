/* Origins of web pages as WS_ALLOWED_ORIGINS names them. */
#include "config/web_origin.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static struct slice text(const char *chars)
{
    return (struct slice){chars, strlen(chars)};
}

static void what_is_no_origin_is_refused_and_quoted(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "a.example",
        "://a.example",
        "https:/a.example",
        "https://",
        "https:///",
        "https://a.example/",
        "https://a.example/path",
        "https://a.example:",
        "https://a.example:0",
        "https://a.example:65536",
        "https://a.example:x",
        "https://user@a.example",
        "https://a..example",
        "https://.a.example",
        "https://a.example?x",
        "https://m\xc3\xbcnchen.example",
        "https://1.2.3",
        "https://1.2.3.256",
        "https://[::1",
        "https://[::1]x",
        "https://[1.2.3.4]",
        "https://::1",
        "https://*",
        "https://*:443",
        "https://*a.example",
        "https://a.*.example",
        "https://*.*.example",
        "https://*.",
        "https://*.192.0.2.1",
        "https://*.[::1]",
        "*.a.example",
        "*://a.example",
        "1https://a.example",
        "file://host",
        "file:///",
        "nullx",
        "null://",
        "*,https://a.example",
        "https://a.example,*",
        "https://a.example https://b.example/",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct error error;
        if (web_origin_check_list(wrong[i], &error) != STATUS_INVALID)
            fail_msg("'%s' was taken", wrong[i]);
        assert_non_null(strstr(error.message, " is not an origin ("));
    }
    struct error error;
    web_origin_check_list("https://a.example,https://b.example/x", &error);
    assert_memory_equal(error.message, "'https://b.example/x' ", 22);
}

static void what_browsers_send_may_be_listed(void **state)
{
    (void)state;
    static const char *const right[] = {
        "",
        "*",
        "null",
        "file://",
        "https://a.example",
        "HTTPS://A.Example.",
        "https://a.example:8443, http://b.example,http://c",
        "http://localhost:3000",
        "http://192.0.2.1:8000",
        "http://[2001:db8::1]:8000",
        "https://*.a.example",
        "https://*.a.example:8443",
        "https://xn--mnchen-3ya.example",
        "chrome-extension://abcdefghijklmnop",
        "capacitor://localhost",
        "https://a_b.example",
    };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        struct error error;
        if (web_origin_check_list(right[i], &error) != STATUS_OK)
            fail_msg("'%s': %s", right[i], error.message);
    }
}

/* `port` 0 is that of the scheme. */
static bool is_listed(const char *list, const char *scheme, const char *host, int port)
{
    const struct web_origin origin = {
        .scheme = text(scheme),
        .host = text(host),
        .port = port != 0 ? port : web_origin_default_port(text(scheme)),
    };
    assert_int_equal(web_origin_check_list(list, NULL), STATUS_OK);
    return web_origin_is_listed(list, &origin);
}

static void scheme_host_and_port_all_count(void **state)
{
    (void)state;
    const char *list = "https://a.example, http://b.example:8080,https://c.example:443";
    assert_true(is_listed(list, "https", "a.example", 0));
    assert_true(is_listed(list, "https", "a.example", 443));
    assert_true(is_listed(list, "HTTPS", "A.EXAMPLE", 0));
    assert_true(is_listed(list, "https", "a.example.", 0));
    assert_true(is_listed(list, "http", "b.example", 8080));
    assert_true(is_listed(list, "https", "c.example", 0));
    assert_false(is_listed(list, "http", "a.example", 0));
    assert_false(is_listed(list, "http", "a.example", 443));
    assert_false(is_listed(list, "https", "a.example", 8443));
    assert_false(is_listed(list, "http", "b.example", 0));
    assert_false(is_listed(list, "https", "b.example", 8080));
    assert_false(is_listed(list, "https", "x.a.example", 0));
    assert_false(is_listed(list, "https", "a.example.evil", 0));
    assert_false(is_listed(list, "https", "", 0));
    assert_false(is_listed("", "https", "a.example", 0));
    assert_true(is_listed("*", "https", "a.example", 0));
    assert_true(is_listed("app://a", "app", "a", 0));
    assert_false(is_listed("app://a", "app", "a", 1));
    assert_true(is_listed("http://[0:0::1]:8000", "http", "[::1]", 8000));
    assert_false(is_listed("http://[::1]:8000", "http", "[::2]", 8000));
}

static void a_wildcard_stands_for_whole_labels(void **state)
{
    (void)state;
    const char *list = "https://*.a.example";
    assert_true(is_listed(list, "https", "x.a.example", 0));
    assert_true(is_listed(list, "https", "x.y.a.example", 0));
    assert_true(is_listed(list, "https", "X.A.Example.", 443));
    assert_false(is_listed(list, "https", "a.example", 0));
    assert_false(is_listed(list, "https", ".a.example", 0));
    assert_false(is_listed(list, "https", "..a.example", 0));
    assert_false(is_listed(list, "https", "x..a.example", 0));
    assert_false(is_listed(list, "https", "evil-a.example", 0));
    assert_false(is_listed(list, "https", "x.evil-a.example", 0));
    assert_false(is_listed(list, "https", "x.a.example.evil", 0));
    assert_false(is_listed(list, "http", "x.a.example", 0));
    assert_false(is_listed(list, "https", "x.a.example", 8443));
    assert_true(is_listed("https://*.a.example:8443", "https", "x.a.example", 8443));
}

static void origins_without_a_host_are_taken_by_name(void **state)
{
    (void)state;
    assert_true(is_listed("null", "null", "", 0));
    assert_true(is_listed("https://a.example,file://", "file", "", 0));
    assert_false(is_listed("null", "file", "", 0));
    assert_false(is_listed("file://", "null", "", 0));
    assert_false(is_listed("file://", "file", "a.example", 0));
    assert_false(is_listed("https://a.example", "null", "", 0));
    assert_false(is_listed("https://a.example", "https", "", 0));
}

static bool is_answered(const char *list, const char *host, int port)
{
    assert_int_equal(web_host_check_list(list, NULL), STATUS_OK);
    return web_host_is_listed(list, text(host), port);
}

static void hosts_are_listed_with_or_without_a_port(void **state)
{
    (void)state;
    const char *list = "a.example,b.example:8000 *.c.example,d.example:443,*.e.example:80";
    assert_true(is_answered(list, "a.example", 0));
    assert_true(is_answered(list, "A.example.", 1234));
    assert_true(is_answered(list, "b.example", 8000));
    assert_true(is_answered(list, "x.c.example", 99));
    assert_true(is_answered(list, "d.example", 443));
    assert_true(is_answered(list, "d.example", 0)); /* of https, which is not told here */
    assert_true(is_answered(list, "x.e.example", 0));
    assert_false(is_answered(list, "b.example", 0));
    assert_false(is_answered(list, "b.example", 80));
    assert_false(is_answered(list, "c.example", 0));
    assert_false(is_answered(list, "evil-c.example", 0));
    assert_false(is_answered(list, "d.example", 8443));
    assert_false(is_answered(list, "a.example.evil", 0));
    assert_false(is_answered("", "a.example", 0));
    assert_true(is_answered("*", "a.example", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_origin_is_refused_and_quoted),
        cmocka_unit_test(what_browsers_send_may_be_listed),
        cmocka_unit_test(scheme_host_and_port_all_count),
        cmocka_unit_test(a_wildcard_stands_for_whole_labels),
        cmocka_unit_test(hosts_are_listed_with_or_without_a_port),
        cmocka_unit_test(origins_without_a_host_are_taken_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
