/* Places for connections: in all, of one address, and through all that a connection may become. */
#include "net/places.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { HTTP = 6, WEBSOCKETS = 3, PER_ADDRESS = 4, WEBSOCKETS_PER_ADDRESS = 2, PLACES_MAX = 16 };
enum { A = 1, B = 2, C = 3 };

static const struct places_limits limits = {HTTP, WEBSOCKETS, PER_ADDRESS, WEBSOCKETS_PER_ADDRESS};
static struct places places;
static struct place taken[PLACES_MAX]; /* all are given back in the end */

static int prepare(void **state)
{
    (void)state;
    places_init(&places, &limits);
    for (size_t i = 0; i < PLACES_MAX; i++)
        taken[i] = (struct place){0};
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < PLACES_MAX; i++)
        places_give_back(&places, &taken[i]);
    assert_int_equal(places_http(&places), 0);
    assert_int_equal(places_websockets(&places), 0);
    for (uint64_t key = A; key <= C; key++)
        assert_int_equal(places_of_address(&places, key), 0);
    places_deinit(&places);
    return 0;
}

static void enter(size_t from, size_t count, uint64_t key)
{
    for (size_t i = from; i < from + count; i++)
        assert_int_equal(places_enter(&places, key, &taken[i]), PLACE_TAKEN);
}

static void become_websocket(struct place *place)
{
    assert_int_equal(places_take_websocket(&places, place), PLACE_TAKEN);
    places_leave_http(&places, place);
}

static void one_address_has_its_share_and_others_find_the_rest(void **state)
{
    (void)state;
    enter(0, PER_ADDRESS, A);
    assert_int_equal(places_enter(&places, A, &taken[10]), PLACE_ADDRESS_HAS_ITS_SHARE);
    enter(PER_ADDRESS, HTTP - PER_ADDRESS, B);
    assert_int_equal(places_enter(&places, C, &taken[10]), PLACE_ALL_TAKEN);
    assert_int_equal(places_http(&places), HTTP);
    places_give_back(&places, &taken[0]);
    places_give_back(&places, &taken[0]); /* harmless */
    enter(10, 1, A);
}

static void a_websocket_counts_for_its_address_and_no_more_as_http(void **state)
{
    (void)state;
    enter(0, 2, A);
    become_websocket(&taken[0]);
    become_websocket(&taken[1]);
    assert_int_equal(places_http(&places), 0);
    assert_int_equal(places_websockets(&places), 2);
    assert_int_equal(places_of_address(&places, A), 2);
    enter(2, 2, A);
    assert_int_equal(places_enter(&places, A, &taken[10]), PLACE_ADDRESS_HAS_ITS_SHARE);
    assert_int_equal(places_take_websocket(&places, &taken[2]),
                     PLACE_ADDRESS_HAS_ITS_WEBSOCKETS_SHARE);
    assert_int_equal(places_websockets(&places), 2);
    enter(4, 2, B);
    become_websocket(&taken[4]);
    assert_int_equal(places_take_websocket(&places, &taken[5]), PLACE_ALL_TAKEN);
    places_give_back(&places, &taken[0]);
    become_websocket(&taken[2]);
}

static void a_handshake_that_fails_gives_both_places_back(void **state)
{
    (void)state;
    enter(0, 1, A);
    assert_int_equal(places_take_websocket(&places, &taken[0]), PLACE_TAKEN);
    assert_int_equal(places_http(&places), 1);
    places_give_back(&places, &taken[0]);
    assert_int_equal(places_http(&places), 0);
    assert_int_equal(places_websockets(&places), 0);
}

static void a_proxys_connection_counts_for_the_client_whose_request_it_carries(void **state)
{
    (void)state;
    enter(0, HTTP - 1, 0); /* more than one address may have */
    assert_int_equal(places_of_address(&places, 0), 0);
    for (size_t i = 0; i < PER_ADDRESS; i++)
        assert_int_equal(places_count_for(&places, A, &taken[i]), PLACE_TAKEN);
    assert_int_equal(places_count_for(&places, A, &taken[0]), PLACE_TAKEN); /* its next request */
    assert_int_equal(places_count_for(&places, A, &taken[4]), PLACE_ADDRESS_HAS_ITS_SHARE);
    assert_int_equal(places_of_address(&places, A), PER_ADDRESS);
    assert_int_equal(places_count_for(&places, B, &taken[4]), PLACE_TAKEN);
    assert_int_equal(places_count_for(&places, B, &taken[0]), PLACE_TAKEN); /* another's */
    assert_int_equal(places_of_address(&places, A), PER_ADDRESS - 1);
    assert_int_equal(places_of_address(&places, B), 2);
    places_count_for_nobody(&places, &taken[0]);
    places_count_for_nobody(&places, &taken[0]);
    assert_int_equal(places_of_address(&places, B), 1);
    become_websocket(&taken[4]);
    assert_int_equal(places_of_address(&places, B), 1);
}

static void without_a_limit_of_its_own_one_address_may_have_all_websockets(void **state)
{
    (void)state;
    const struct places_limits wide = {HTTP, WEBSOCKETS, HTTP, 0};
    places_deinit(&places);
    places_init(&places, &wide);
    enter(0, WEBSOCKETS + 1, A);
    for (size_t i = 0; i < WEBSOCKETS; i++)
        become_websocket(&taken[i]);
    assert_int_equal(places_take_websocket(&places, &taken[WEBSOCKETS]), PLACE_ALL_TAKEN);
}

#define fact(test) cmocka_unit_test_setup_teardown(test, prepare, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(one_address_has_its_share_and_others_find_the_rest),
        fact(a_websocket_counts_for_its_address_and_no_more_as_http),
        fact(a_handshake_that_fails_gives_both_places_back),
        fact(a_proxys_connection_counts_for_the_client_whose_request_it_carries),
        fact(without_a_limit_of_its_own_one_address_may_have_all_websockets),
    };
    return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
