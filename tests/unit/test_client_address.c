/* X-Forwarded-For: which proxies are believed, and how much of it. */
#include "net/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static struct network_list trusted;

/* The client of a request that came from `peer` with these header lines. */
static const char *find(const char *peer, const char *headers)
{
    static char text[INET6_ADDRSTRLEN];
    char bytes[1024];
    struct http_head head;
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
    bool is_v4 = inet_pton(AF_INET, peer, &v4->sin_addr) == 1;
    address.ss_family = is_v4 ? AF_INET : AF_INET6;
    assert_true(is_v4 || inet_pton(AF_INET6, peer, &v6->sin6_addr) == 1);
    snprintf(bytes, sizeof bytes, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
    assert_int_equal(http_head_parse(&head, bytes, strlen(bytes)), HTTP_HEAD_DONE);
    client_address_find(&trusted, &head, &address);
    is_v4 = address.ss_family == AF_INET;
    return inet_ntop(address.ss_family,
                     is_v4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr, text,
                     sizeof text);
}

static int trust(void **state)
{
    (void)state;
    return network_list_parse("127.0.0.1,10.0.0.0/8,::1", &trusted, NULL) != STATUS_OK;
}

static void a_trusted_proxy_is_believed(void **state)
{
    (void)state;
    static const struct {
        const char *peer, *headers, *client;
    } cases[] = {
        {"127.0.0.1", "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
        {"::ffff:127.0.0.1", "x-forwarded-for:192.0.2.1\r\n", "192.0.2.1"},
        {"::1", "X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7"},
        {"127.0.0.1", "X-Forwarded-For: 192.0.2.1:4711\r\n", "192.0.2.1"},
        {"127.0.0.1", "X-Forwarded-For: [2001:db8::7]:4711\r\n", "2001:db8::7"},
        /* through two of them */
        {"127.0.0.1", "X-Forwarded-For: 192.0.2.1, 10.1.2.3\r\n", "192.0.2.1"},
        {"127.0.0.1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.1.2.3\r\n", "192.0.2.1"},
        /* a machine of one's own asks through one's own proxy */
        {"127.0.0.1", "X-Forwarded-For: 10.1.2.3\r\n", "10.1.2.3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(find(cases[i].peer, cases[i].headers), cases[i].client);
}

static void what_a_client_has_written_itself_is_not(void **state)
{
    (void)state;
    static const struct {
        const char *peer, *headers, *client;
    } cases[] = {
        {"192.0.2.9", "X-Forwarded-For: 198.51.100.1\r\n", "192.0.2.9"},
        {"127.0.0.1", "X-Forwarded-For: 198.51.100.1, 192.0.2.1\r\n", "192.0.2.1"},
        {"127.0.0.1", "X-Forwarded-For: 10.0.0.1, 192.0.2.1, 10.0.0.2\r\n", "192.0.2.1"},
        {"127.0.0.1", "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 192.0.2.1\r\n",
         "192.0.2.1"},
        {"127.0.0.1", "", "127.0.0.1"},
        {"127.0.0.1", "X-Forwarded-For: \r\n", "127.0.0.1"},
        {"127.0.0.1", "X-Forwarded-For: unknown\r\n", "127.0.0.1"},
        {"127.0.0.1", "X-Forwarded-For: 192.0.2.1, _hidden\r\n", "127.0.0.1"},
        {"127.0.0.1", "X-Forwarded-For: 192.0.2.1, [::\r\n", "127.0.0.1"},
        {"127.0.0.1", "X-Forwarded-For: 192.0.2.1,\r\n", "127.0.0.1"},
        {"127.0.0.1", "X-Forwarded-For: 192.0.2.1, 10.0.0.1, x\r\n", "127.0.0.1"},
        {"127.0.0.1", "Forwarded: for=192.0.2.1\r\n", "127.0.0.1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(find(cases[i].peer, cases[i].headers), cases[i].client);
}

static void an_address_has_a_text_for_the_log(void **state)
{
    (void)state;
    struct sockaddr_storage address = {.ss_family = AF_INET6};
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
    char text[CLIENT_ADDRESS_TEXT_SIZE];
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::7", &v6->sin6_addr), 1);
    const struct sockaddr *any = (const struct sockaddr *)&address;
    assert_string_equal(client_address_format(any, text), "2001:db8::7");
    client_address_of_peer(-1, &address); /* of a socket that is gone */
    assert_string_equal(client_address_format(any, text), "unknown");
}

static void without_trusted_proxies_no_header_is_believed(void **state)
{
    (void)state;
    trusted.count = 0;
    assert_string_equal(find("127.0.0.1", "X-Forwarded-For: 192.0.2.1\r\n"), "127.0.0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_trusted_proxy_is_believed, trust),
        cmocka_unit_test_setup(what_a_client_has_written_itself_is_not, trust),
        cmocka_unit_test(an_address_has_a_text_for_the_log),
        cmocka_unit_test(without_trusted_proxies_no_header_is_believed),
    };
    return cmocka_run_group_tests_name("client_address", tests, NULL, NULL);
}
