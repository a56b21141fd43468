/* What clients do that is refused, or for which they are closed: a warning for each kind, with the
 * client's address, at most once a minute; what was not told is counted and told with the next. An
 * operator sees in the log that somebody floods the server and who it is, and no flood fills the
 * log. Any thread; nothing blocks. Zeroed, it is ready. */
#ifndef HEATCAST_NET_NOTICES_H
#define HEATCAST_NET_NOTICES_H

#include "base/log.h"

#include <stdatomic.h>

enum notice {
    NOTICE_FULL,         /* all places for connections, or for WebSockets, are taken */
    NOTICE_CONNECTIONS,  /* an address has as many of them as it may */
    NOTICE_QUESTIONS,    /* too many questions about the past, or no memory for their answers */
    NOTICE_BAD_REQUEST,  /* a head that HTTP does not allow */
    NOTICE_LATE_REQUEST, /* a head that does not come to its end */
    NOTICE_UNREAD,       /* an answer that is not taken */
    NOTICE_HANDSHAKE,    /* TLS that fails */
    NOTICE_SLOW,         /* WebSockets: takes nothing for too long, or does not read its replies */
    NOTICE_PROTOCOL,     /* breaks RFC 6455, or sends more than is allowed */
    NOTICE_RATE,         /* too many messages or frames */
    NOTICE_COUNT
};

struct notices {
    struct {
        struct log_pause pause;
        atomic_uint_least64_t untold;
    } kinds[NOTICE_COUNT];
};

void notices_tell(struct notices *notices, enum notice kind, const char *address);

/* The same for the other end of a socket. */
void notices_tell_peer(struct notices *notices, enum notice kind, int fd);

#endif
