/* Fields that are lists: each rule with its section. */
#include "wire/http_fields.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A head with these lines of headers. It points into `text`. */
static struct http_head parse(struct buffer *text, const char *lines)
{
    struct http_head head;
    buffer_clear(text);
    buffer_append_format(text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);
    assert_int_equal(http_head_parse(&head, text->data, text->size), HTTP_HEAD_DONE);
    return head;
}

/* -- Accept-Encoding --------------------------------------------------------------------------- */

static void gzip_is_sent_to_clients_that_want_it(void **state)
{
    (void)state;
    static const struct {
        const char *section, *lines;
        bool is_accepted;
    } rules[] = {
        {"RFC 9110 §12.5.3", "", false},
        {"RFC 9110 §12.5.3", "Accept-Encoding:\r\n", false},
        {"RFC 9110 §12.5.3", "Accept-Encoding: gzip\r\n", true},
        {"RFC 9110 §12.5.3", "Accept-Encoding: br, gzip, deflate\r\n", true},
        {"RFC 9110 §12.5.3", "Accept-Encoding: br,deflate\r\n", false},
        {"RFC 9110 §12.5.3", "Accept-Encoding: *\r\n", true},
        {"RFC 9110 §12.5.3", "Accept-Encoding: *;q=0\r\n", false},
        {"RFC 9110 §12.5.3", "Accept-Encoding: gzip;q=0, *\r\n", false},
        {"RFC 9110 §12.5.3", "Accept-Encoding: gzip, *;q=0\r\n", true},
        {"RFC 9110 §12.5.3", "Accept-Encoding: identity\r\n", false},
        {"RFC 9110 §12.5.3", "Accept-Encoding: identity, gzip\r\n", true},
        {"RFC 9110 §12.5.3", "Accept-Encoding: identity, gzip;q=0.5\r\n", false},
        {"RFC 9110 §12.5.3", "Accept-Encoding: identity;q=0.5, gzip;q=0.6\r\n", true},
        {"RFC 9110 §12.5.3", "Accept-Encoding: identity;q=0.5, *;q=0.1\r\n", false},
        {"RFC 9110 §8.4.1", "Accept-Encoding: GZIP\r\n", true},
        {"RFC 9110 §8.4.1", "Accept-Encoding: gzipx\r\n", false},
        {"RFC 9110 §8.4.1", "Accept-Encoding: pack200-gzip\r\n", false},
        {"RFC 9110 §8.4.1.3", "Accept-Encoding: x-gzip\r\n", true},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;q=1\r\n", true},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;q=1.000\r\n", true},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;q=0.001\r\n", true},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;q=0.\r\n", false},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;q=0\r\n", false},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;q=0.000\r\n", false},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;Q=0\r\n", false},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip \t; \tq=0\r\n", false},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;q=1.001\r\n", false},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;q=2\r\n", false},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;q=0.0001\r\n", false},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;q=00.5\r\n", false},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;q=\r\n", false},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;q=-1\r\n", false},
        {"RFC 9110 §12.4.2", "Accept-Encoding: gzip;level=9\r\n", false},
        {"RFC 9110 §5.3", "Accept-Encoding: br\r\naccept-encoding: gzip\r\n", true},
        {"RFC 9110 §5.6.1", "Accept-Encoding: , ,gzip,\r\n", true},
        {"RFC 9110 §5.6.1", "Accept-Encoding: ;q=1, gzip\r\n", true},
    };
    struct buffer text = {0};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct http_head head = parse(&text, rules[i].lines);
        if (http_accepts_gzip(&head) != rules[i].is_accepted)
            fail_msg("%s: %s", rules[i].section, rules[i].lines);
    }
    buffer_deinit(&text);
}

/* -- entity tags ------------------------------------------------------------------------------- */

static void entity_tags_are_compared_weakly_or_strongly(void **state)
{
    (void)state;
    static const struct {
        const char *section, *list, *etag;
        bool weakly, strongly;
    } rules[] = {
        {"RFC 9110 §8.8.3.2", "\"1\"", "\"1\"", true, true},
        {"RFC 9110 §8.8.3.2", "W/\"1\"", "W/\"1\"", true, false},
        {"RFC 9110 §8.8.3.2", "W/\"1\"", "\"1\"", true, false},
        {"RFC 9110 §8.8.3.2", "\"1\"", "W/\"1\"", true, false},
        {"RFC 9110 §8.8.3.2", "\"1\"", "\"2\"", false, false},
        {"RFC 9110 §8.8.3", "\"\"", "\"\"", true, true},
        {"RFC 9110 §8.8.3", "\"a,b\"", "\"a,b\"", true, true},
        {"RFC 9110 §8.8.3", "\"a,b\"", "\"a\"", false, false},
        {"RFC 9110 §8.8.3", "\"A\"", "\"a\"", false, false},
        {"RFC 9110 §8.8.3", "w/\"1\"", "\"1\"", false, false},
        {"RFC 9110 §8.8.3", "W/ \"1\"", "\"1\"", false, false},
        {"RFC 9110 §8.8.3", "1", "\"1\"", false, false},
        {"RFC 9110 §8.8.3", "\"1", "\"1\"", false, false},
        {"RFC 9110 §8.8.3", "\"a b\"", "\"a b\"", false, false},
        {"RFC 9110 §8.8.3", "\"1\"x", "\"1\"", false, false},
        {"RFC 9110 §13.1.2", "*", "\"1\"", true, true},
        {"RFC 9110 §13.1.2", " * ", "\"1\"", true, true},
        {"RFC 9110 §13.1.2", "\"*\"", "\"1\"", false, false},
        {"RFC 9110 §13.1.2", "\"0\", \"1\"", "\"1\"", true, true},
        {"RFC 9110 §13.1.2", "\"1\" ,\t\"2\"", "\"1\"", true, true},
        {"RFC 9110 §13.1.2", "\"0\",W/\"1\",\"2\"", "\"1\"", true, false},
        {"RFC 9110 §5.6.1", ",, \"1\",", "\"1\"", true, true},
        {"RFC 9110 §5.6.1", "broken, \"1\"", "\"1\"", true, true},
        {"RFC 9110 §5.6.1", "\"broken, \"1\"", "\"1\"", false, false},
        {"RFC 9110 §5.6.1", "", "\"1\"", false, false},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct slice list = slice_of(rules[i].list);
        if (http_etag_is_listed(list, rules[i].etag, true) != rules[i].weakly ||
            http_etag_is_listed(list, rules[i].etag, false) != rules[i].strongly)
            fail_msg("%s: %s in %s", rules[i].section, rules[i].etag, rules[i].list);
    }
}

static void a_list_of_entity_tags_may_come_in_several_lines(void **state)
{
    (void)state; /* RFC 9110 §5.3 */
    struct buffer text = {0};
    struct http_head head = parse(&text, "If-None-Match: \"1\"\r\nIf-Match: \"3\"\r\n"
                                         "if-none-match: W/\"2\"\r\n");
    assert_true(http_etag_matches(&head, "If-None-Match", "\"1\"", true));
    assert_true(http_etag_matches(&head, "If-None-Match", "\"2\"", true));
    assert_false(http_etag_matches(&head, "If-None-Match", "\"3\"", true));
    assert_true(http_etag_matches(&head, "If-Match", "\"3\"", false));
    assert_false(http_etag_matches(&head, "If-Range", "\"3\"", false));
    buffer_deinit(&text);
}

static void a_list_of_entity_tags_may_be_as_long_as_a_head(void **state)
{
    (void)state;
    struct buffer lines = {0}, text = {0};
    buffer_append_text(&lines, "If-None-Match: \"0\"");
    for (int i = 1; lines.size < HTTP_HEAD_SIZE_MAX - 100; i++)
        buffer_append_format(&lines, ", \"%d\"", i);
    buffer_append_text(&lines, ", \"last\"\r\n");
    struct http_head head = parse(&text, buffer_text(&lines));
    assert_true(http_etag_matches(&head, "If-None-Match", "\"last\"", true));
    buffer_deinit(&lines);
    buffer_deinit(&text);
}

/* -- subprotocols ------------------------------------------------------------------------------ */

static void the_known_subprotocol_is_chosen_or_the_first(void **state)
{
    (void)state; /* RFC 6455 §4.2.2, §11.3.4 */
    static const char *const offers[][2] = {
        {"", ""},
        {"Sec-WebSocket-Protocol:\r\n", ""},
        {"Sec-WebSocket-Protocol: ,\r\n", ""},
        {"Sec-WebSocket-Protocol: a b, \"c\"\r\n", ""},
        {"Sec-WebSocket-Protocol: known\r\n", "known"},
        {"Sec-WebSocket-Protocol: json\r\n", "json"},
        {"Sec-WebSocket-Protocol: json, other\r\n", "json"},
        {"Sec-WebSocket-Protocol: json, known\r\n", "known"},
        {"Sec-WebSocket-Protocol: json\r\nsec-websocket-protocol: known, x\r\n", "known"},
        {"Sec-WebSocket-Protocol: Known, x\r\n", "Known"},
        {"Sec-WebSocket-Protocol: a b, x\r\n", "x"},
    };
    struct buffer text = {0};
    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        struct slice chosen;
        struct http_head head = parse(&text, offers[i][0]);
        assert_int_equal(http_choose_subprotocol(&head, "known", &chosen), offers[i][1][0] != '\0');
        assert_true(slice_equals(chosen, offers[i][1]));
    }
    buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_is_sent_to_clients_that_want_it),
        cmocka_unit_test(entity_tags_are_compared_weakly_or_strongly),
        cmocka_unit_test(a_list_of_entity_tags_may_come_in_several_lines),
        cmocka_unit_test(a_list_of_entity_tags_may_be_as_long_as_a_head),
        cmocka_unit_test(the_known_subprotocol_is_chosen_or_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
