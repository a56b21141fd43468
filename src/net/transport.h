/* One socket's reads and writes, plain or through TLS, so that nothing above knows which it is.
 * Private to net/.
 *
 * Owns the descriptor. On the connection's loop, embedded in the connection: a broadcast writes
 * through here, so the struct is small and stands where the connection's first cache line is. */
#ifndef HEATCAST_NET_TRANSPORT_H
#define HEATCAST_NET_TRANSPORT_H

#include "net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct transport {
    struct tls *tls; /* NULL: plain */
    int fd;
};

/* What transport_read() needs room for: a whole record, plain or not. */
#define TRANSPORT_READ_SIZE TLS_RECORD_SIZE_MAX

/* Takes over a non-blocking socket. `tls_context` is NULL for a plain one. */
void transport_init(struct transport *transport, int fd, struct tls_context *tls_context);
void transport_deinit(struct transport *transport); /* closes the socket */

/* As outbox_writer: the bytes taken, 0 if the socket is full, -1 if the peer is gone. */
ssize_t transport_write(struct transport *transport, const struct iovec *pieces, int count);

/* The bytes that came, 0 if there are none now, -1 at the end, orderly or not. `bytes` has room for
 * TRANSPORT_READ_SIZE; of a plain socket no more than `size_max` are taken. */
ssize_t transport_read(struct transport *transport, char *bytes, size_t size_max);

/* The same after transport_finish(), when nothing that comes has a meaning any more. */
ssize_t transport_read_discarded(struct transport *transport, char *bytes);

/* Whether bytes that count as written wait for the socket, as encrypted ones may: then watch it for
 * writability, and call transport_flush(), which is false if the peer is gone. */
bool transport_has_pending(const struct transport *transport);
bool transport_flush(struct transport *transport);

/* Says that nothing more will be sent; nothing may be written afterwards. */
void transport_finish(struct transport *transport);

/* Whether it cannot carry an answer yet. */
bool transport_is_shaking_hands(const struct transport *transport);

/* After transport_read() has failed: the peer speaks plain HTTP, and TLS is spoken here. It can be
 * answered by transport_write_plain(), which writes once and does not say how much went. */
bool transport_met_plain_http(const struct transport *transport);
void transport_write_plain(struct transport *transport, const char *bytes, size_t size);

/* After transport_read() has failed: why the TLS handshake did not succeed, for a person. NULL if
 * it did, or the socket is plain. */
const char *transport_handshake_fault(const struct transport *transport);

#endif
