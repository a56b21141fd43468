/* The answer to a WebSocket handshake comes from a server that may be anything. Whatever it is, an
 * answer that comes in two pieces ends as the whole one does, and what is broken stays so with more
 * bytes. The input is the answer; its first byte says where it is cut and what was offered. */
#include "fuzz.h"

#include "wire/websocket_handshake.h"

static enum ws_handshake_result read_part(const struct ws_handshake *handshake,
                                          struct ws_handshake_answer *answer, const uint8_t *data,
                                          size_t size)
{
    char *bytes = fuzz_copy(data, size);
    enum ws_handshake_result result = ws_handshake_read(handshake, bytes, size, answer);
    check((result == WS_HANDSHAKE_BROKEN) == (answer->reason != NULL));
    if (result == WS_HANDSHAKE_ACCEPTED || result == WS_HANDSHAKE_REFUSED) {
        check(answer->head.size <= size && answer->status >= 100 && answer->status <= 999);
        check((result == WS_HANDSHAKE_ACCEPTED) == (answer->status == 101));
        for (size_t i = 0; i < answer->head.header_count; i++) {
            struct slice value = answer->head.headers[i].value;
            check(value.data >= bytes && value.data + value.size <= bytes + answer->head.size);
        }
    }
    free(bytes);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct ws_handshake handshake = {.accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                                     .offers_compression = (data[0] & 0x80) != 0};
    struct ws_handshake_answer whole, part;
    size_t cut = data[0] & 0x7F;
    data++;
    size--;
    enum ws_handshake_result result = read_part(&handshake, &whole, data, size);
    if (cut < size) {
        enum ws_handshake_result early = read_part(&handshake, &part, data, cut);
        check(early == WS_HANDSHAKE_NEEDS_MORE || early == result);
    }
    check(!whole.is_compressed || (handshake.offers_compression && whole.status == 101));
    return 0;
}
