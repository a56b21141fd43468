/* Counting connections by address: limits, what counts as one address, and a table that stays right
 * through growth, removal and threads. */
#include "net/address_count.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static uint64_t key_of(const char *text)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)rand())};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)rand())};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return address_count_key((const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return address_count_key((const struct sockaddr *)&v6);
}

static void an_address_has_up_to_the_limit(void **state)
{
    (void)state;
    struct address_count *counts = address_count_create(2);
    uint64_t one = key_of("192.0.2.1"), two = key_of("192.0.2.2");
    assert_true(address_count_try_add(counts, one));
    assert_true(address_count_try_add(counts, one));
    assert_false(address_count_try_add(counts, one));
    assert_true(address_count_try_add(counts, two));
    address_count_remove(counts, one);
    assert_true(address_count_try_add(counts, one));
    assert_false(address_count_try_add(counts, one));
    assert_int_equal(address_count_size(counts), 2);
    address_count_remove(counts, one);
    address_count_remove(counts, one);
    address_count_remove(counts, two);
    assert_int_equal(address_count_size(counts), 0);
    address_count_destroy(counts);
}

static void many_are_counted_at_once_whatever_the_limit_is(void **state)
{
    (void)state;
    struct address_count *counts = address_count_create(2);
    address_count_add_many(counts, 1, 0);
    assert_int_equal(address_count_size(counts), 0);
    for (uint64_t key = 1; key <= 200; key++)
        address_count_add_many(counts, key, (uint32_t)key);
    assert_int_equal(address_count_of(counts, 200), 200);
    assert_int_equal(address_count_of(counts, 201), 0);
    assert_false(address_count_try_add(counts, 2));
    assert_true(address_count_try_add(counts, 1));
    address_count_remove_many(counts, 1, 2);
    for (uint64_t key = 2; key <= 200; key++)
        address_count_remove_many(counts, key, (uint32_t)key);
    address_count_remove_many(counts, 7, 0);
    assert_int_equal(address_count_size(counts), 0);
    address_count_destroy(counts);
}

static void ports_do_not_count_and_mapped_addresses_are_their_ipv4_ones(void **state)
{
    (void)state;
    assert_int_equal(key_of("192.0.2.1"), key_of("192.0.2.1"));
    assert_int_equal(key_of("192.0.2.1"), key_of("::ffff:192.0.2.1"));
    assert_int_not_equal(key_of("192.0.2.1"), key_of("192.0.2.2"));
    assert_int_not_equal(key_of("0.0.0.0"), key_of("::"));
}

static void an_ipv6_address_counts_with_its_64_bit_network(void **state)
{
    (void)state;
    assert_int_equal(key_of("2001:db8:1:2::1"), key_of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_int_not_equal(key_of("2001:db8:1:2::1"), key_of("2001:db8:1:3::1"));
    assert_int_not_equal(key_of("2001:db8:1:2::1"), key_of("2002:db8:1:2::1"));
}

static void other_families_are_one_address(void **state)
{
    (void)state;
    struct sockaddr address = {.sa_family = AF_UNIX};
    assert_int_equal(address_count_key(&address), 0);
    struct address_count *counts = address_count_create(1);
    assert_true(address_count_try_add(counts, 0));
    assert_false(address_count_try_add(counts, 0));
    address_count_remove(counts, 0);
    address_count_destroy(counts);
}

static void the_table_agrees_with_a_plain_one_through_growth_and_removal(void **state)
{
    (void)state;
    enum { ADDRESSES = 3000, LIMIT = 3 };
    static unsigned expected[ADDRESSES];
    struct address_count *counts = address_count_create(LIMIT);
    srand(7);
    for (int step = 0; step < 300000; step++) {
        /* Waves: many come, then many go. */
        bool adds = rand() % 10 < (step / 50000 % 2 == 0 ? 8 : 2);
        size_t i = (size_t)rand() % ADDRESSES;
        if (adds) {
            assert_int_equal(address_count_try_add(counts, i), expected[i] < LIMIT);
            expected[i] += expected[i] < LIMIT;
        } else if (expected[i] > 0) {
            address_count_remove(counts, i);
            expected[i]--;
        }
    }
    size_t used = 0;
    for (size_t i = 0; i < ADDRESSES; i++)
        used += expected[i] > 0;
    assert_int_equal(address_count_size(counts), used);
    for (size_t i = 0; i < ADDRESSES; i++)
        for (; expected[i] > 0; expected[i]--)
            address_count_remove(counts, i);
    assert_int_equal(address_count_size(counts), 0);
    address_count_destroy(counts);
}

static void *come_and_go(void *argument)
{
    struct address_count *counts = argument;
    size_t refused = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t key = i % 500;
        if (address_count_try_add(counts, key))
            address_count_remove(counts, key);
        else
            refused++;
    }
    return (void *)refused;
}

static void threads_count_together(void **state)
{
    (void)state;
    struct address_count *counts = address_count_create(4);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, counts), 0);
    for (size_t i = 0; i < 4; i++) {
        void *refused;
        pthread_join(threads[i], &refused);
        assert_null(refused); /* four threads are never more than four at one address */
    }
    assert_int_equal(address_count_size(counts), 0);
    address_count_destroy(counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_up_to_the_limit),
        cmocka_unit_test(many_are_counted_at_once_whatever_the_limit_is),
        cmocka_unit_test(ports_do_not_count_and_mapped_addresses_are_their_ipv4_ones),
        cmocka_unit_test(an_ipv6_address_counts_with_its_64_bit_network),
        cmocka_unit_test(other_families_are_one_address),
        cmocka_unit_test(the_table_agrees_with_a_plain_one_through_growth_and_removal),
        cmocka_unit_test(threads_count_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
