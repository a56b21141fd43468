/* Messages of strangers: what passes as a snapshot, what its parts are, and why the rest does not.
 */
#include "cluster/message.h"

#include <stdarg.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#define EPOCH_MAX (UINT64_C(1) << 52)
#define DATA                                                                                       \
    "{\"levels\":[{\"price\":98000,\"long_density\":1.5,\"short_density\":0}],"                    \
    "\"current_price\":98450,\"positions_created\":4,\"positions_consumed\":1}"
#define HEAD "{\"type\":\"snapshot\",\"symbol\":\"BTCUSDT\",\"timestamp\":\"2025-12-28T14:30:00Z\","
#define TOTALS(created, consumed)                                                                  \
    "{\"positions_created\":" created ",\"positions_consumed\":" consumed "}"
#define UNNUMBERED HEAD "\"data\":" DATA "}"

static enum message_fault parse(struct message *message, const char *json, struct error *error)
{
    return message_parse(message, json, strlen(json), "BTCUSDT", EPOCH_MAX, error);
}

static void assert_data(const struct message *message, const char *text)
{
    assert_int_equal(message->data.size, strlen(text));
    assert_memory_equal(message->data.data, text, strlen(text));
}

static void a_snapshot_is_taken_apart(void **state)
{
    (void)state;
    struct message message;
    assert_int_equal(
        parse(&message, HEAD "\"epoch\":1766932200123,\"seq\":1042,\"data\":" DATA "}", NULL),
        MESSAGE_OK);
    assert_true(message.is_numbered);
    assert_int_equal(message.epoch, 1766932200123);
    assert_int_equal(message.seq, 1042);
    assert_int_equal(message.timestamp_ms, 1766932200000);
    assert_data(&message, DATA);
    assert_false(message.totals.are_known);
    assert_int_equal(
        parse(&message, HEAD "\"totals\":" TOTALS("7", "5") ",\"data\":" DATA "}", NULL),
        MESSAGE_OK);
    assert_true(message.totals.are_known);
    assert_int_equal(message.totals.created, 7);
    assert_int_equal(message.totals.consumed, 5);
    assert_int_equal(parse(&message, UNNUMBERED, NULL), MESSAGE_OK);
    assert_false(message.is_numbered);
    assert_data(&message, DATA);
}

static void order_blanks_and_further_members_do_not_matter(void **state)
{
    (void)state;
    static const char *const texts[] = {
        " \n{ \"data\" : " DATA " , \"symbol\":\"BTCUSDT\",\t\"type\":\"snapshot\",\r\n"
        "\"timestamp\":\"2025-12-28 14:30\" } \n",
        "{\"note\":\"\\\"data\\\":[}{\\\\\",\"more\":[{\"data\":1},[[]],{}],\"n\":-1.5e3,\"t\":"
        "true,"
        "\"symbol\":\"BTCUSDT\",\"type\":\"snapshot\",\"data\":" DATA
        ",\"timestamp\":\"2025-12-28T15:30:00+01:00\"}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct message message;
        assert_int_equal(parse(&message, texts[i], NULL), MESSAGE_OK);
        assert_data(&message, DATA);
        assert_int_equal(message.timestamp_ms, 1766932200000);
    }
}

static void what_is_no_snapshot_is_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *json, *named;
        enum message_fault fault;
    } bad[] = {
        {"", "", MESSAGE_NOT_JSON},
        {"{\"type\":\"snapshot\"", "", MESSAGE_NOT_JSON},
        {UNNUMBERED "x", "", MESSAGE_NOT_JSON},
        {"{\"type\":\"snapshot\",\"type\":\"snapshot\"}", "", MESSAGE_NOT_JSON},
        {"\xff\xfe", "", MESSAGE_NOT_JSON},
        {"null", "'type'", MESSAGE_NOT_A_SNAPSHOT},
        {"[]", "'type'", MESSAGE_NOT_A_SNAPSHOT},
        {"{\"type\":\"pong\"}", "'type'", MESSAGE_NOT_A_SNAPSHOT},
        {"{\"type\":\"snapshot\"}", "'symbol'", MESSAGE_NOT_A_SNAPSHOT},
        {"{\"type\":\"snapshot\",\"symbol\":\"ETHUSDT\"}", "channel", MESSAGE_WRONG_SYMBOL},
        {"{\"type\":\"snapshot\",\"symbol\":\"BTCUSD\"}", "channel", MESSAGE_WRONG_SYMBOL},
        {"{\"type\":\"snapshot\",\"symbol\":\"BTCUSDT\",\"timestamp\":\"now\"}", "'timestamp'",
         MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"data\":[]}", "'data'", MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"data\":{}}", "current_price", MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"seq\":1,\"data\":" DATA "}", "'epoch'", MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"epoch\":1,\"data\":" DATA "}", "'epoch'", MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"epoch\":0,\"seq\":1,\"data\":" DATA "}", "'epoch'", MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"epoch\":1,\"seq\":-1,\"data\":" DATA "}", "'epoch'", MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"epoch\":1,\"seq\":1.0,\"data\":" DATA "}", "'epoch'", MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"totals\":1,\"data\":" DATA "}", "'totals'", MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"totals\":" TOTALS("1", "-1") ",\"data\":" DATA "}", "'totals'",
         MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"epoch\":9007199254740992,\"seq\":1,\"data\":" DATA "}", "'epoch'",
         MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"epoch\":9007199254740991,\"seq\":1,\"data\":" DATA "}", "too great",
         MESSAGE_WRONG_EPOCH},
        {HEAD "\"d\\u0061ta\":" DATA "}", "escapes", MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"\\u0065poch\":1,\"seq\":1,\"data\":" DATA "}", "escapes", MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"epoch\":1,\"se\\u0071\":1,\"data\":" DATA "}", "escapes", MESSAGE_NOT_A_SNAPSHOT},
        {HEAD "\"d\\u0061ta\":" DATA ",\"data\":" DATA "}", "", MESSAGE_NOT_JSON},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct message message;
        struct error error = {0};
        if (parse(&message, bad[i].json, &error) != bad[i].fault)
            fail_msg("%s: %s", bad[i].json, error.message);
        if (strstr(error.message, bad[i].named) == NULL || error.message[0] == '\0')
            fail_msg("%s: %s", bad[i].json, error.message);
    }
}

static void numbers_must_be_in_their_range(void **state)
{
    (void)state;
    static const char *const good = HEAD "\"data\":{\"levels\":[{\"price\":%s,\"long_density\":%s,"
                                         "\"short_density\":0}],\"current_price\":%s,"
                                         "\"positions_created\":%s,\"positions_consumed\":0}}";
    static const char *const values[] = {"1", "0.25", "-1", "\"1\"", "null", "1e999", "1.5"};
    static const bool is_number[] = {true, true, false, false, false, false, true};
    static const bool is_count[] = {true, false, false, false, false, false, false};
    for (size_t place = 0; place < 4; place++)
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            const char *texts[] = {"1", "1", "1", "1"};
            char json[512];
            struct message message;
            texts[place] = values[i];
            snprintf(json, sizeof json, good, texts[0], texts[1], texts[2], texts[3]);
            bool is_valid = place == 3 ? is_count[i] : is_number[i];
            assert_int_equal(parse(&message, json, NULL) == MESSAGE_OK, is_valid);
        }
}

static void the_epoch_may_be_as_great_as_is_allowed_and_no_greater(void **state)
{
    (void)state;
    static const char json[] = HEAD "\"epoch\":70,\"seq\":1,\"data\":" DATA "}";
    struct message message;
    assert_int_equal(message_parse(&message, json, strlen(json), "BTCUSDT", 70, NULL), MESSAGE_OK);
    assert_int_equal(message_parse(&message, json, strlen(json), "BTCUSDT", 69, NULL),
                     MESSAGE_WRONG_EPOCH);
}

static void the_epoch_is_known_where_only_what_follows_is_at_fault(void **state)
{
    (void)state;
    struct message message;
    assert_int_equal(parse(&message, HEAD "\"epoch\":70,\"seq\":1,\"data\":[]}", NULL),
                     MESSAGE_NOT_A_SNAPSHOT);
    assert_int_equal(message.epoch, 70);
    assert_int_equal(parse(&message, "{\"epoch\":70}", NULL), MESSAGE_NOT_A_SNAPSHOT);
    assert_int_equal(message.epoch, 0);
}

static void size_is_limited_before_anything_is_read(void **state)
{
    (void)state;
    struct message message;
    struct buffer big = {0};
    buffer_append_text(&big, UNNUMBERED);
    while (big.size < MESSAGE_SIZE_MAX)
        buffer_append_char(&big, ' ');
    assert_int_equal(parse(&message, buffer_text(&big), NULL), MESSAGE_OK);
    buffer_append_char(&big, ' ');
    assert_int_equal(parse(&message, buffer_text(&big), NULL), MESSAGE_TOO_LARGE);
    buffer_deinit(&big);
}

static void nesting_that_is_too_deep_is_refused(void **state)
{
    (void)state;
    struct message message;
    struct buffer deep = {0};
    for (int i = 0; i < 100000; i++)
        buffer_append_char(&deep, '[');
    assert_int_equal(parse(&message, buffer_text(&deep), NULL), MESSAGE_NOT_JSON);
    buffer_deinit(&deep);
}

static void numbers_are_added_as_the_last_members(void **state)
{
    (void)state;
    struct message message;
    struct buffer out = {0};
    assert_int_equal(parse(&message, UNNUMBERED " \n", NULL), MESSAGE_OK);
    message_append_numbered(&out, &message, UNNUMBERED " \n", strlen(UNNUMBERED " \n"), 12, 34);
    assert_string_equal(buffer_text(&out), HEAD "\"data\":" DATA ",\"epoch\":12,\"seq\":34}");
    assert_int_equal(parse(&message, buffer_text(&out), NULL), MESSAGE_OK);
    assert_int_equal(message.epoch, 12);
    assert_int_equal(message.seq, 34);
    assert_data(&message, DATA);
    buffer_deinit(&out);
}

static void numbers_that_stand_in_the_text_are_replaced_there(void **state)
{
    (void)state;
    static const struct {
        const char *json, *numbered;
    } texts[] = {
        {HEAD "\"epoch\":1766932200123,\"seq\":7,\"data\":" DATA "}",
         HEAD "\"epoch\":12,\"seq\":34,\"data\":" DATA "}"},
        {"{ \"seq\" : 7 , "
         "\"data\":" DATA ",\"note\":\"\\\"epoch\\\":5\",\"epoch\":1,"
         "\"type\":\"snapshot\",\"symbol\":\"BTCUSDT\",\"timestamp\":\"2025-12-28T14:30:00Z\"}\n",
         "{ \"seq\" : 34 , "
         "\"data\":" DATA ",\"note\":\"\\\"epoch\\\":5\",\"epoch\":12,"
         "\"type\":\"snapshot\",\"symbol\":\"BTCUSDT\",\"timestamp\":\"2025-12-28T14:30:00Z\"}\n"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct message message;
        struct buffer out = {0};
        assert_int_equal(parse(&message, texts[i].json, NULL), MESSAGE_OK);
        message_append_numbered(&out, &message, texts[i].json, strlen(texts[i].json), 12, 34);
        assert_string_equal(buffer_text(&out), texts[i].numbered);
        buffer_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_is_taken_apart),
        cmocka_unit_test(order_blanks_and_further_members_do_not_matter),
        cmocka_unit_test(what_is_no_snapshot_is_refused_with_the_reason),
        cmocka_unit_test(numbers_must_be_in_their_range),
        cmocka_unit_test(the_epoch_may_be_as_great_as_is_allowed_and_no_greater),
        cmocka_unit_test(the_epoch_is_known_where_only_what_follows_is_at_fault),
        cmocka_unit_test(size_is_limited_before_anything_is_read),
        cmocka_unit_test(nesting_that_is_too_deep_is_refused),
        cmocka_unit_test(numbers_are_added_as_the_last_members),
        cmocka_unit_test(numbers_that_stand_in_the_text_are_replaced_there),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
