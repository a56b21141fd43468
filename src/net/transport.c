/* A broadcast is a thousand writes in a row, each a system call of one piece. What is added to that
 * call here is one comparison, of which the processor knows the outcome in advance since a server's
 * sockets are all plain or all TLS, and the choice of send() over sendmsg(), which spares the
 * kernel fetching a list of one. A table of functions instead would be an indirect call a delivery.
 *
 * TLS reads and writes as a bare socket does (net/tls.c), so the two differ in three places only:
 * encrypted bytes may wait below, an end is announced before the socket is shut down, and a peer
 * that speaks plain HTTP to a TLS port is worth an answer that it can read. */
#include "net/transport.h"

#include "base/check.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

void transport_init(struct transport *transport, int fd, struct tls_context *tls_context)
{
    transport->fd = fd;
    transport->tls = tls_context != NULL ? tls_create(tls_context, fd) : NULL;
}

void transport_deinit(struct transport *transport)
{
    tls_destroy(transport->tls);
    close(transport->fd);
}

static ssize_t send_pieces(int fd, const struct iovec *pieces, int count)
{
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    if (count == 1)
        return send(fd, pieces->iov_base, pieces->iov_len, flags);
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
    return sendmsg(fd, &message, flags);
}

ssize_t transport_write(struct transport *transport, const struct iovec *pieces, int count)
{
    if (transport->tls != NULL)
        return tls_write(transport->tls, pieces, count);
    for (;;) {
        ssize_t sent = send_pieces(transport->fd, pieces, count);
        if (sent >= 0)
            return sent;
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
            return 0;
        if (errno != EINTR)
            return -1;
    }
}

static ssize_t read_plain(int fd, char *bytes, size_t size_max)
{
    ssize_t got = recv(fd, bytes, size_max, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return 0;
    return got > 0 ? got : -1;
}

ssize_t transport_read(struct transport *transport, char *bytes, size_t size_max)
{
    return transport->tls != NULL ? tls_read(transport->tls, bytes, TRANSPORT_READ_SIZE)
                                  : read_plain(transport->fd, bytes, size_max);
}

ssize_t transport_read_discarded(struct transport *transport, char *bytes)
{
    return read_plain(transport->fd, bytes, TRANSPORT_READ_SIZE);
}

bool transport_has_pending(const struct transport *transport)
{
    return transport->tls != NULL && tls_has_pending(transport->tls);
}

bool transport_flush(struct transport *transport)
{
    return transport->tls == NULL || tls_flush(transport->tls);
}

void transport_finish(struct transport *transport)
{
    if (transport->tls != NULL)
        tls_close_notify(transport->tls);
    shutdown(transport->fd, SHUT_WR);
}

bool transport_is_shaking_hands(const struct transport *transport)
{
    return transport->tls != NULL && !tls_is_established(transport->tls);
}

bool transport_met_plain_http(const struct transport *transport)
{
    return transport->tls != NULL && tls_met_plain_http(transport->tls);
}

void transport_write_plain(struct transport *transport, const char *bytes, size_t size)
{
    ssize_t sent = send(transport->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* a fresh socket takes a short text; if not, the peer sees the end all the same */
}

const char *transport_handshake_fault(const struct transport *transport)
{
    return transport->tls != NULL ? tls_handshake_fault(transport->tls) : NULL;
}
