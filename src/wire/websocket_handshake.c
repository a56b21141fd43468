/* RFC 6455 §4.1 lists what a client must check before it takes an answer for an acceptance: status,
 * Upgrade, Connection, the key's digest, and that no extension or subprotocol is named that was not
 * offered. A server that fails one of these may be a cache, or no WebSocket server at all. */
#include "wire/websocket_handshake.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/random.h"
#include "wire/deflate.h"

enum { NONCE_SIZE = 16, STATUS_SWITCHING = 101 };

void ws_handshake_begin(struct ws_handshake *handshake, const char *authority, const char *target,
                        const char *user_agent, bool offers_compression, struct buffer *out)
{
    struct buffer key = {0};
    char nonce[NONCE_SIZE];
    random_system_bytes(nonce, sizeof nonce);
    base64_append(&key, nonce, sizeof nonce);
    *handshake = (struct ws_handshake){.offers_compression = offers_compression};
    check(ws_accept_key(key.data, key.size, handshake->accept));
    buffer_append_format(out,
                         "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                         "Sec-WebSocket-Version: 13\r\nUser-Agent: %s\r\n",
                         target, authority, buffer_text(&key), user_agent);
    if (offers_compression)
        buffer_append_text(out, "Sec-WebSocket-Extensions: " WS_DEFLATE_OFFER "\r\n");
    buffer_append_text(out, "\r\n");
    buffer_deinit(&key);
}

/* What keeps the answer, whose status is 101, from being an acceptance; or NULL. */
static const char *fault_in(const struct ws_handshake *handshake,
                            struct ws_handshake_answer *answer)
{
    const struct http_head *head = &answer->head;
    const struct slice *accept = http_head_find_only(head, "Sec-WebSocket-Accept");
    if (!http_head_has_token(head, "Upgrade", "websocket"))
        return "the answer does not upgrade to websocket";
    if (!http_head_has_token(head, "Connection", "Upgrade"))
        return "the answer has no Connection: Upgrade";
    if (accept == NULL || !slice_equals(*accept, handshake->accept))
        return "Sec-WebSocket-Accept does not fit the key";
    if (http_head_find(head, "Sec-WebSocket-Protocol") != NULL)
        return "the answer names a subprotocol, and none was offered";
    if (http_head_find(head, "Sec-WebSocket-Extensions") == NULL)
        return NULL;
    answer->is_compressed = handshake->offers_compression && ws_deflate_is_accepted(head);
    return answer->is_compressed ? NULL : "the answer names an extension that was not offered";
}

enum ws_handshake_result ws_handshake_read(const struct ws_handshake *handshake, const char *bytes,
                                           size_t size, struct ws_handshake_answer *answer)
{
    answer->is_compressed = false;
    answer->reason = NULL;
    enum http_head_result result =
        http_head_parse_answer(&answer->head, &answer->status, bytes, size);
    if (result == HTTP_HEAD_NEEDS_MORE)
        return WS_HANDSHAKE_NEEDS_MORE;
    if (result != HTTP_HEAD_DONE) {
        answer->reason = result == HTTP_HEAD_TOO_LARGE ? "the head of the answer is too large"
                                                       : "the answer is not HTTP/1.1";
        return WS_HANDSHAKE_BROKEN;
    }
    if (answer->status != STATUS_SWITCHING)
        return WS_HANDSHAKE_REFUSED;
    answer->reason = fault_in(handshake, answer);
    return answer->reason == NULL ? WS_HANDSHAKE_ACCEPTED : WS_HANDSHAKE_BROKEN;
}
