/* One table has all kinds, so that none is told without an address or without a pause. The counters
 * order nothing: of two threads that tell at the same moment one writes, and may count the other's
 * in or not. */
#include "net/notices.h"

#include "net/client_address.h"

static const char *const texts[NOTICE_COUNT] = {
    [NOTICE_FULL] = "clients are refused: all places are taken",
    [NOTICE_CONNECTIONS] = "a client is refused: its address has as many connections as it may",
    [NOTICE_QUESTIONS] = "questions are refused: too many at a time",
    [NOTICE_BAD_REQUEST] = "a client sends what is no HTTP request",
    [NOTICE_LATE_REQUEST] = "a client does not complete its request",
    [NOTICE_UNREAD] = "a client is closed: it does not take its answer",
    [NOTICE_HANDSHAKE] = "a TLS handshake failed",
    [NOTICE_SLOW] = "a WebSocket is closed: it does not read",
    [NOTICE_PROTOCOL] = "a WebSocket is closed: it breaks the protocol",
    [NOTICE_RATE] = "a WebSocket is closed: it sends too much",
};

void notices_tell(struct notices *notices, enum notice kind, const char *address)
{
    atomic_uint_least64_t *untold = &notices->kinds[kind].untold;
    atomic_fetch_add_explicit(untold, 1, memory_order_relaxed);
    if (!log_end_pause(&notices->kinds[kind].pause))
        return;
    uint64_t count = atomic_exchange_explicit(untold, 0, memory_order_relaxed);
    log_warn(texts[kind], log_text("address", address), log_int("times", (int64_t)count));
}

void notices_tell_peer(struct notices *notices, enum notice kind, int fd)
{
    char text[CLIENT_ADDRESS_TEXT_SIZE];
    struct sockaddr_storage peer;
    client_address_of_peer(fd, &peer);
    notices_tell(notices, kind, client_address_format((const struct sockaddr *)&peer, text));
}
