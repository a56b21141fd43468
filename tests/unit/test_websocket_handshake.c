/* The opening handshake as a client makes it: what it sends is what a server of this program
 * accepts, and only an acceptance of exactly that counts. Answers are read at every length. */
#include "wire/websocket_handshake.h"

#include "wire/deflate.h"

#include <stdarg.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"

struct fixture {
    struct ws_handshake handshake;
    struct buffer request;
};

static struct fixture begin(bool offers_compression)
{
    struct fixture fixture = {0};
    ws_handshake_begin(&fixture.handshake, "example.com:9443", "/ws?a=1", "heatcast/1.0",
                       offers_compression, &fixture.request);
    return fixture;
}

/* Reads an answer, in which %s stands for the right Sec-WebSocket-Accept: shorter pieces of it ask
 * for more, and what follows it changes nothing. */
static enum ws_handshake_result read_answer(const struct ws_handshake *handshake,
                                            struct ws_handshake_answer *answer, const char *format,
                                            struct buffer *bytes)
{
    const char *place = strstr(format, "%s");
    buffer_clear(bytes);
    buffer_append(bytes, format, place != NULL ? (size_t)(place - format) : strlen(format));
    if (place != NULL) {
        buffer_append_text(bytes, handshake->accept);
        buffer_append_text(bytes, place + 2);
    }
    for (size_t size = 0; size < bytes->size; size++) {
        char *piece = malloc(size > 0 ? size : 1);
        memcpy(piece, bytes->data, size);
        enum ws_handshake_result result = ws_handshake_read(handshake, piece, size, answer);
        free(piece);
        if (result == WS_HANDSHAKE_BROKEN)
            return result;
        assert_int_equal(result, WS_HANDSHAKE_NEEDS_MORE);
    }
    size_t head_size = bytes->size;
    buffer_append(bytes, "\x81\x02hi", 4);
    enum ws_handshake_result result =
        ws_handshake_read(handshake, bytes->data, bytes->size, answer);
    if (result != WS_HANDSHAKE_BROKEN)
        assert_int_equal(answer->head.size, head_size);
    return result;
}

static enum ws_handshake_result result_of(const char *format, bool offers_compression)
{
    struct fixture fixture = begin(offers_compression);
    struct ws_handshake_answer answer;
    struct buffer bytes = {0};
    enum ws_handshake_result result = read_answer(&fixture.handshake, &answer, format, &bytes);
    assert_int_equal(answer.reason != NULL, result == WS_HANDSHAKE_BROKEN);
    if (result == WS_HANDSHAKE_ACCEPTED)
        assert_int_equal(answer.is_compressed, strstr(format, "permessage-deflate") != NULL);
    buffer_deinit(&bytes);
    buffer_deinit(&fixture.request);
    return result;
}

static void the_request_is_one_that_a_server_accepts(void **state)
{
    (void)state;
    struct fixture fixture = begin(true);
    struct http_head head;
    char accept[WS_ACCEPT_SIZE], extensions[WS_DEFLATE_ANSWER_SIZE];
    assert_int_equal(http_head_parse(&head, fixture.request.data, fixture.request.size),
                     HTTP_HEAD_DONE);
    assert_int_equal(head.size, fixture.request.size);
    assert_true(slice_equals(head.method, "GET"));
    assert_true(slice_equals(head.target, "/ws?a=1"));
    assert_true(slice_equals(*http_head_find_only(&head, "Host"), "example.com:9443"));
    assert_true(slice_equals(*http_head_find_only(&head, "User-Agent"), "heatcast/1.0"));
    assert_true(slice_equals(*http_head_find_only(&head, "Sec-WebSocket-Version"), "13"));
    assert_true(http_head_has_token(&head, "Upgrade", "websocket"));
    assert_true(http_head_has_token(&head, "Connection", "upgrade"));
    const struct slice *key = http_head_find_only(&head, "Sec-WebSocket-Key");
    assert_true(ws_accept_key(key->data, key->size, accept));
    assert_string_equal(accept, fixture.handshake.accept);
    assert_int_equal(ws_deflate_negotiate(&head, extensions), WS_DEFLATE_ACCEPTED);
    buffer_deinit(&fixture.request);
}

static void nothing_is_offered_unless_wanted_and_no_key_comes_twice(void **state)
{
    (void)state;
    struct fixture first = begin(false), second = begin(false);
    struct http_head head;
    assert_int_equal(http_head_parse(&head, first.request.data, first.request.size),
                     HTTP_HEAD_DONE);
    assert_null(http_head_find(&head, "Sec-WebSocket-Extensions"));
    assert_string_not_equal(first.handshake.accept, second.handshake.accept);
    buffer_deinit(&first.request);
    buffer_deinit(&second.request);
}

static void an_answer_that_fits_the_key_is_an_acceptance(void **state)
{
    (void)state;
    assert_int_equal(result_of(SWITCHING UPGRADE "Sec-WebSocket-Accept: %s\r\n\r\n", false),
                     WS_HANDSHAKE_ACCEPTED);
    assert_int_equal(result_of("HTTP/1.1 101\r\nupgrade: WebSocket\r\nconnection: keep-alive, "
                               "upgrade\r\nSEC-WEBSOCKET-ACCEPT:%s\r\n\r\n",
                               true),
                     WS_HANDSHAKE_ACCEPTED);
}

static void other_statuses_are_refusals_that_can_be_read(void **state)
{
    (void)state;
    struct fixture fixture = begin(false);
    struct ws_handshake_answer answer;
    struct buffer bytes = {0};
    enum ws_handshake_result result = read_answer(
        &fixture.handshake, &answer,
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 4\r\n\r\n", &bytes);
    assert_int_equal(result, WS_HANDSHAKE_REFUSED);
    assert_int_equal(answer.status, 429);
    assert_true(slice_equals(*http_head_find(&answer.head, "retry-after"), "30"));
    buffer_deinit(&bytes);
    buffer_deinit(&fixture.request);
    assert_int_equal(result_of("HTTP/1.0 200 OK\r\n\r\n", false), WS_HANDSHAKE_REFUSED);
}

static void an_acceptance_of_something_else_is_broken(void **state)
{
    (void)state;
    static const char *const answers[] = {
        SWITCHING "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
        SWITCHING "Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
        SWITCHING "Upgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
        SWITCHING UPGRADE "\r\n",
        SWITCHING UPGRADE "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        SWITCHING UPGRADE "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Accept: x\r\n\r\n",
        SWITCHING UPGRADE "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
        SWITCHING UPGRADE "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Extensions: "
                          "permessage-deflate; server_no_context_takeover\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        assert_int_equal(result_of(answers[i], false), WS_HANDSHAKE_BROKEN);
}

static void what_is_not_http_is_broken(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2.0 101 x\r\n\r\n",
        "HTTP/1.1 10 x\r\n\r\n",
        "HTTP/1.1 1010 x\r\n\r\n",
        "HTTP/1.1 001 x\r\n\r\n",
        "HTTP/1.1 101x\r\n\r\n",
        "HTTP/1.1 101 x\r\nno colon\r\n\r\n",
        "\r\nHTTP/1.1 101 x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        assert_int_equal(result_of(answers[i], false), WS_HANDSHAKE_BROKEN);
}

static void a_head_without_end_is_broken_at_16_kib(void **state)
{
    (void)state;
    struct fixture fixture = begin(false);
    struct ws_handshake_answer answer;
    struct buffer bytes = {0};
    buffer_append_text(&bytes, SWITCHING "X: ");
    while (bytes.size < HTTP_HEAD_SIZE_MAX - 1)
        buffer_append_char(&bytes, 'x');
    assert_int_equal(ws_handshake_read(&fixture.handshake, bytes.data, bytes.size, &answer),
                     WS_HANDSHAKE_NEEDS_MORE);
    buffer_append_char(&bytes, 'x');
    assert_int_equal(ws_handshake_read(&fixture.handshake, bytes.data, bytes.size, &answer),
                     WS_HANDSHAKE_BROKEN);
    buffer_deinit(&bytes);
    buffer_deinit(&fixture.request);
}

static enum ws_handshake_result compressed(const char *extension)
{
    struct buffer format = {0};
    buffer_append_format(&format,
                         SWITCHING UPGRADE "Sec-WebSocket-Accept: %%s\r\n"
                                           "Sec-WebSocket-Extensions: %s\r\n\r\n",
                         extension);
    enum ws_handshake_result result = result_of(buffer_text(&format), true);
    buffer_deinit(&format);
    return result;
}

static void compression_is_used_as_it_was_offered_or_not_at_all(void **state)
{
    (void)state;
    static const char *const accepted[] = {
        WS_DEFLATE_OFFER,
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate;server_no_context_takeover;server_max_window_bits=10",
    };
    static const char *const refused[] = {
        "permessage-deflate", /* each message would need those before it */
        "permessage-deflate; client_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; client_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover, permessage-deflate",
        "x-webkit-deflate-frame",
        "",
    };
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++)
        assert_int_equal(compressed(accepted[i]), WS_HANDSHAKE_ACCEPTED);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(compressed(refused[i]), WS_HANDSHAKE_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_one_that_a_server_accepts),
        cmocka_unit_test(nothing_is_offered_unless_wanted_and_no_key_comes_twice),
        cmocka_unit_test(an_answer_that_fits_the_key_is_an_acceptance),
        cmocka_unit_test(other_statuses_are_refusals_that_can_be_read),
        cmocka_unit_test(an_acceptance_of_something_else_is_broken),
        cmocka_unit_test(what_is_not_http_is_broken),
        cmocka_unit_test(a_head_without_end_is_broken_at_16_kib),
        cmocka_unit_test(compression_is_used_as_it_was_offered_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
