/* REDIS_URL: its parts, what is refused, and that a password is never shown. */
#include "config/redis_url.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static void urls_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        int port, database;
        const char *user, *password, *shown;
    } good[] = {
        {"redis://127.0.0.1:6379", "127.0.0.1", 6379, 0, "", "", "redis://127.0.0.1:6379"},
        {"redis://redis", "redis", 6379, 0, "", "", "redis://redis:6379"},
        {"redis://redis/", "redis", 6379, 0, "", "", "redis://redis:6379"},
        {"redis://a-b.example_c:7000/12", "a-b.example_c", 7000, 12, "", "",
         "redis://a-b.example_c:7000/12"},
        {"redis://[::1]:1/3", "::1", 1, 3, "", "", "redis://[::1]:1/3"},
        {"redis://[fe80::1%eth0]", "fe80::1%eth0", 6379, 0, "", "", "redis://[fe80::1%eth0]:6379"},
        {"redis://:pass@h", "h", 6379, 0, "", "pass", "redis://:***@h:6379"},
        {"redis://me:p%40s%3As%25@h:1", "h", 1, 0, "me", "p@s:s%", "redis://me:***@h:1"},
        {"redis://me:a@b:c@h", "h", 6379, 0, "me", "a@b:c", "redis://me:***@h:6379"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct redis_url url;
        struct error error = {0};
        char shown[REDIS_URL_TEXT_SIZE];
        if (redis_url_parse(good[i].text, &url, &error) != STATUS_OK)
            fail_msg("%s: %s", good[i].text, error.message);
        assert_string_equal(url.host, good[i].host);
        assert_int_equal(url.port, good[i].port);
        assert_int_equal(url.database, good[i].database);
        assert_string_equal(url.user, good[i].user);
        assert_string_equal(url.password, good[i].password);
        assert_string_equal(redis_url_format(&url, shown), good[i].shown);
    }
}

static void others_are_refused_without_showing_what_may_be_a_password(void **state)
{
    (void)state;
    char host[300], user[900];
    snprintf(host, sizeof host, "redis://%0*d", 254, 0);
    snprintf(user, sizeof user, "redis://:%0*d@h", REDIS_CREDENTIAL_SIZE, 0);
    const char *const bad[] = {
        "",
        "127.0.0.1",
        "http://secret",
        "redis:/h",
        "redis://",
        "redis://:6379",
        "redis://@",
        "redis://secret@h",
        "redis://secret:@h",
        "redis://:secret%4@h",
        "redis://:secret%zz@h",
        "redis://:secret%00@h",
        "redis://:secret@",
        "redis://:secret@h:0",
        "redis://:secret@h:65536",
        "redis://:secret@h:6379x",
        "redis://:secret@h:",
        "redis://:secret@h/one",
        "redis://:secret@h/-1",
        "redis://:secret@h/65536",
        "redis://:secret@h/1/2",
        "redis://:secret@h?db=1",
        "redis://:secret@h h",
        "redis://:secret@[::1",
        "redis://:secret@[::1]6379",
        "redis://:secret@[]",
        "rediss://:secret@h",
        host,
        user,
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct redis_url url;
        struct error error = {0};
        if (redis_url_parse(bad[i], &url, &error) != STATUS_INVALID)
            fail_msg("%s was accepted", bad[i]);
        assert_null(strstr(error.message, "secret"));
        assert_non_null(strstr(error.message, "redis://"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(others_are_refused_without_showing_what_may_be_a_password),
    };
    return cmocka_run_group_tests_name("redis_url", tests, NULL, NULL);
}
