/* TRUSTED_PROXIES: which addresses are in a list of networks. */
#include "config/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static struct network_list list;

static bool has(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return network_list_has(&list, (const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return network_list_has(&list, (const struct sockaddr *)&v6);
}

static void addresses_are_in_their_networks_alone(void **state)
{
    (void)state;
    assert_int_equal(
        network_list_parse(" 127.0.0.1, 10.0.0.0/8,192.168.4.0/22 , ::1,fd00::/9, 2001:db8::/127",
                           &list, NULL),
        STATUS_OK);
    assert_int_equal(list.count, 6);
    static const char *const in[] = {
        "127.0.0.1", "10.0.0.0",     "10.255.255.255", "192.168.7.255",
        "::1",       "fd7f:ffff::1", "2001:db8::1",    "::ffff:10.1.2.3"};
    static const char *const out[] = {"127.0.0.2", "11.0.0.0", "9.255.255.255",  "192.168.8.0",
                                      "::2",       "fd80::1",  "2001:db8::2",    "::10.0.0.1",
                                      "0.0.0.0",   "fc00::",   "::ffff:11.0.0.1"};
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++)
        if (!has(in[i]))
            fail_msg("%s", in[i]);
    for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
        if (has(out[i]))
            fail_msg("%s", out[i]);
}

static void none_and_all_can_be_said(void **state)
{
    (void)state;
    assert_int_equal(network_list_parse("", &list, NULL), STATUS_OK);
    assert_int_equal(list.count, 0);
    assert_false(has("127.0.0.1"));
    assert_int_equal(network_list_parse("0.0.0.0/0", &list, NULL), STATUS_OK);
    assert_true(has("8.8.8.8"));
    assert_false(has("2001:db8::1"));
    assert_int_equal(network_list_parse("::/0", &list, NULL), STATUS_OK);
    assert_true(has("8.8.8.8"));
    assert_true(has("2001:db8::1"));
    const struct sockaddr local = {.sa_family = AF_UNIX};
    assert_false(network_list_has(&list, &local));
}

static void what_is_no_network_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const bad[] = {"localhost",  "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/",
                                      "10.0.0.0/x", "10.0.0/8",   "::1/129",     "fd00::1/8",
                                      "/8",         "*",          "10.0.0.0/-1", "1.2.3.4:80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[64];
        struct error error = {0};
        snprintf(text, sizeof text, "::1,%s", bad[i]);
        if (network_list_parse(text, &list, &error) != STATUS_INVALID)
            fail_msg("%s was accepted", bad[i]);
        assert_non_null(strstr(error.message, bad[i]));
        assert_non_null(strstr(error.message, "10.0.0.0/8"));
    }
    char many[NETWORKS_MAX * 4 + 8] = "";
    for (int i = 0; i <= NETWORKS_MAX; i++)
        strcat(many, "::1,");
    assert_int_equal(network_list_parse(many, &list, NULL), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_in_their_networks_alone),
        cmocka_unit_test(none_and_all_can_be_said),
        cmocka_unit_test(what_is_no_network_is_refused_by_name),
    };
    return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
