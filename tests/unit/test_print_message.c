/* Liquidations of strangers: what passes as one, and why the rest does not. */
#include "cluster/print_message.h"

#include "model/publication.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static const char whole[] =
    "{\"type\":\"liquidation\",\"symbol\":\"BTCUSDT\",\"exchange\":\"bybit\","
    "\"time\":\"2025-12-28T14:30:00.123Z\",\"side\":\"long\",\"price\":87650.1,"
    "\"quantity\":0.42,\"value\":36813.042,\"id\":\"a1\"}";

static enum print_verdict parse(const char *json, uint64_t *key, struct error *error)
{
    return print_message_parse(json, strlen(json), "BTCUSDT", key, error);
}

static void a_liquidation_is_known_by_exchange_time_and_id(void **state)
{
    (void)state;
    uint64_t key;
    assert_int_equal(parse(whole, &key, NULL), PRINT_TAKEN);
    assert_int_equal(key, publication_print_key("bybit", 1766932200123, "a1"));
    assert_int_not_equal(key, publication_print_key("bybit", 1766932200124, "a1"));
    assert_int_not_equal(key, publication_print_key("bybi", 1766932200123, "ta1"));
    assert_int_not_equal(key, publication_print_key("bybit", 1766932200123, "a2"));
}

static void what_is_none_is_left_to_others(void **state)
{
    (void)state;
    uint64_t key;
    assert_int_equal(parse("", &key, NULL), PRINT_OTHER);
    assert_int_equal(parse("[1]", &key, NULL), PRINT_OTHER);
    assert_int_equal(parse("{\"type\":\"snapshot\"}", &key, NULL), PRINT_OTHER);
    assert_int_equal(parse("{\"type\":\"liquidation\"", &key, NULL), PRINT_OTHER);
    char large[PRINT_MESSAGE_SIZE_MAX + 100];
    memset(large, ' ', sizeof large);
    memcpy(large, whole, sizeof whole - 1);
    assert_int_equal(print_message_parse(large, sizeof large, "BTCUSDT", &key, NULL), PRINT_OTHER);
    assert_int_equal(print_message_parse(large, PRINT_MESSAGE_SIZE_MAX, "BTCUSDT", &key, NULL),
                     PRINT_TAKEN);
}

static void a_member_that_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *was, *is, *named;
    } changes[] = {
        {"BTCUSDT", "ETHUSDT", "'symbol'"},
        {"\"bybit\"", "\"\"", "'exchange'"},
        {"\"bybit\"", "7", "'exchange'"},
        {"\"bybit\"", "\"123456789012345678901234567890123\"", "'exchange'"},
        {"2025-12-28T", "yesterday ", "'time'"},
        {"\"long\"", "\"up\"", "'side'"},
        {"\"long\"", "true", "'side'"},
        {"87650.1", "-1", "'price'"},
        {"0.42", "\"0.42\"", "'price', 'quantity'"},
        {"36813.042", "null", "'value'"},
        {"\"a1\"", "1", "'id'"},
        {"\"a1\"", "\"12345678901234567890123456789012345678901234567890123456789012345\"", "'id'"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char json[600];
        const char *at = strstr(whole, changes[i].was);
        uint64_t key;
        struct error error = {0};
        snprintf(json, sizeof json, "%.*s%s%s", (int)(at - whole), whole, changes[i].is,
                 at + strlen(changes[i].was));
        if (parse(json, &key, &error) != PRINT_REFUSED ||
            strstr(error.message, changes[i].named) == NULL)
            fail_msg("%s: %s", json, error.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_liquidation_is_known_by_exchange_time_and_id),
        cmocka_unit_test(what_is_none_is_left_to_others),
        cmocka_unit_test(a_member_that_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
