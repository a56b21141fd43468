/* TLS 1.2 and 1.3 for accepted sockets, through OpenSSL. Private to net/.
 *
 * A `tls_context` is the certificate and key in force, shared by all loops, and may be reloaded on
 * any thread. A `tls` is one connection's, on its loop. It reads and writes as a plain socket does,
 * so that net/transport.h can hide which of the two it has. */
#ifndef HEATCAST_NET_TLS_H
#define HEATCAST_NET_TLS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* What one tls_read() should have room for: a whole record, RFC 8446 §5.1. What did not fit would
 * wait inside OpenSSL, where no event loop sees it. */
#define TLS_RECORD_SIZE_MAX (16 * 1024)

struct tls_context;

/* Loads PEM files: the certificate with its chain, and its private key. STATUS_INVALID: they cannot
 * be read, do not fit together, are encrypted, or are not valid today; the message names the
 * setting and the file. The paths must outlive the context. */
enum status tls_context_create(const char *certificate_path, const char *key_path,
                               struct tls_context **context, struct error *error);

/* Loads the files again, for connections from now on. A failure leaves everything as it was. */
enum status tls_context_reload(struct tls_context *context, struct error *error);

void tls_context_destroy(struct tls_context *context); /* NULL is harmless */

struct tls_stats {
    uint64_t handshakes, failures; /* completed; ended before that */
    int64_t not_after_s;           /* the certificate's end, Unix time */
};
void tls_context_read_stats(struct tls_context *context, struct tls_stats *stats);

struct tls;

struct tls *tls_create(struct tls_context *context, int fd); /* does not own the socket */
void tls_destroy(struct tls *tls);                           /* NULL is harmless */

/* As recv(2) on a non-blocking socket, but 0 is "nothing now" and -1 the end, orderly or not. Goes
 * through the handshake on its way, one record a call. `size` at least TLS_RECORD_SIZE_MAX. */
ssize_t tls_read(struct tls *tls, char *bytes, size_t size);

/* As outbox_writer: the bytes taken, 0 if the socket is full, -1 if the connection is broken. Bytes
 * count as taken when the socket has their record, save that of a record that went in part all but
 * the last byte count at once: what follows must begin with the byte that is owed. */
ssize_t tls_write(struct tls *tls, const struct iovec *pieces, int count);

/* Whether encrypted bytes wait for the socket: then watch for writability, and call tls_flush(). */
bool tls_has_pending(const struct tls *tls);
bool tls_flush(struct tls *tls); /* false if the connection is broken */

/* Says that nothing more will be sent; nothing may be written afterwards. */
void tls_close_notify(struct tls *tls);

/* Whether the handshake is over. */
bool tls_is_established(const struct tls *tls);

/* After tls_read() has failed: whether the peer speaks plain HTTP; why the handshake did not
 * succeed, for a person, or NULL if it did. */
bool tls_met_plain_http(const struct tls *tls);
const char *tls_handshake_fault(const struct tls *tls);

#endif
