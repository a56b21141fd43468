/* OpenSSL wants a write that did not go to be repeated with the same bytes, while the outbox may
 * have something newer by then. So its output goes through a BIO that always takes everything: what
 * the socket does not take waits here, and nothing more is encrypted until it is out. That is one
 * record at most, besides what a handshake or an alert says.
 *
 * A record that waits here is not with the client, though, and deadlines for slow clients must see
 * that. So all of its bytes but the last are reported as taken, which makes the outbox keep what it
 * has begun; the last is reported when the record is out. */
#include "net/tls.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/iso_time.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Forward secrecy and authenticated encryption; TLS 1.3 has nothing else to begin with. */
#define TLS_1_2_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

/* What may wait besides a record: answers to key updates that a peer asks for and does not read. */
enum { PENDING_SIZE_MAX = 64 * 1024 };

struct tls_context {
    const char *certificate_path, *key_path;
    BIO_METHOD *method;
    pthread_mutex_t lock; /* guards ssl_context and not_after_s */
    SSL_CTX *ssl_context;
    int64_t not_after_s;
    atomic_uint_least64_t handshakes, failures; /* relaxed: counters */
};

struct tls {
    struct tls_context *context;
    SSL *ssl;
    int fd;
    struct buffer pending; /* encrypted, and not taken by the socket yet */
    bool owes_byte;        /* the last byte of the record in `pending` was not reported as taken */
    bool is_established;
    unsigned long fault; /* OpenSSL's, of the read that failed; 0: it knows of none */
};

/* -- the certificate --------------------------------------------------------------------------- */

/* Why OpenSSL did not take a file, of its reasons the first: the last ones only say where. */
static enum status file_error(struct error *error, const char *setting, const char *path,
                              const char *wanted)
{
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);
    if (ERR_SYSTEM_ERROR(code))
        return error_set(error, STATUS_INVALID, "%s: %s cannot be read: %s", setting, path,
                         strerror(ERR_GET_REASON(code)));
    return error_set(error, STATUS_INVALID, "%s: %s holds no %s (%s)", setting, path, wanted,
                     reason != NULL ? reason : "it is of another kind");
}

/* A server has no one to ask for a passphrase. */
static int refuse_passphrase(char *text, int size, int for_writing, void *context)
{
    (void)text, (void)size, (void)for_writing;
    bool *is_encrypted = context;
    *is_encrypted = true;
    return -1;
}

static enum status load_key(const struct tls_context *context, SSL_CTX *ssl_context,
                            struct error *error)
{
    bool is_encrypted = false;
    EVP_PKEY *key = NULL;
    ERR_clear_error();
    BIO *file = BIO_new_file(context->key_path, "r");
    if (file != NULL)
        key = PEM_read_bio_PrivateKey(file, NULL, refuse_passphrase, &is_encrypted);
    BIO_free(file);
    enum status status = STATUS_OK;
    if (is_encrypted)
        status = error_set(error, STATUS_INVALID,
                           "TLS_KEY: %s is encrypted; give a key without a passphrase",
                           context->key_path);
    else if (key == NULL)
        status = file_error(error, "TLS_KEY", context->key_path, "private key in PEM form");
    else if (X509_check_private_key(SSL_CTX_get0_certificate(ssl_context), key) != 1)
        status = error_set(error, STATUS_INVALID,
                           "TLS_KEY: %s is not the key of the certificate in %s (TLS_CERT)",
                           context->key_path, context->certificate_path);
    else if (SSL_CTX_use_PrivateKey(ssl_context, key) != 1)
        status = file_error(error, "TLS_KEY", context->key_path, "key that may be used");
    EVP_PKEY_free(key);
    return status;
}

static int64_t unix_time(const ASN1_TIME *time)
{
    int days = 0, seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    check(epoch != NULL);
    bool is_valid = ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;
    ASN1_TIME_free(epoch);
    return is_valid ? (int64_t)days * 86400 + seconds : 0;
}

static enum status check_validity(const struct tls_context *context, SSL_CTX *ssl_context,
                                  struct error *error)
{
    X509 *certificate = SSL_CTX_get0_certificate(ssl_context);
    const ASN1_TIME *from = X509_get0_notBefore(certificate);
    const ASN1_TIME *until = X509_get0_notAfter(certificate);
    char date[ISO_TIME_SIZE];
    if (X509_cmp_current_time(until) < 0)
        return error_set(error, STATUS_INVALID, "TLS_CERT: %s: the certificate has expired on %s",
                         context->certificate_path, iso_time_format(unix_time(until) * 1000, date));
    if (X509_cmp_current_time(from) > 0)
        return error_set(error, STATUS_INVALID,
                         "TLS_CERT: %s: the certificate is not valid before %s",
                         context->certificate_path, iso_time_format(unix_time(from) * 1000, date));
    return STATUS_OK;
}

static enum status load_files(const struct tls_context *context, SSL_CTX *ssl_context,
                              struct error *error)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ssl_context, context->certificate_path) != 1)
        return file_error(error, "TLS_CERT", context->certificate_path,
                          "certificate in PEM form that may be used");
    enum status status = load_key(context, ssl_context, error);
    if (status != STATUS_OK)
        return status;
    return check_validity(context, ssl_context, error);
}

static enum status make_ssl_context(const struct tls_context *context, SSL_CTX **result,
                                    struct error *error)
{
    SSL_CTX *ssl_context = SSL_CTX_new(TLS_server_method());
    check(ssl_context != NULL);
    check(SSL_CTX_set_min_proto_version(ssl_context, TLS1_2_VERSION) == 1);
    check(SSL_CTX_set_cipher_list(ssl_context, TLS_1_2_CIPHERS) == 1);
    SSL_CTX_set_options(ssl_context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ssl_context, SSL_MODE_RELEASE_BUFFERS); /* idle connections are many */
    /* One record a read: a flood of key updates would otherwise be read to its end in one turn. */
    SSL_CTX_clear_mode(ssl_context, SSL_MODE_AUTO_RETRY);
    enum status status = load_files(context, ssl_context, error);
    if (status != STATUS_OK) {
        SSL_CTX_free(ssl_context);
        return status;
    }
    *result = ssl_context;
    return STATUS_OK;
}

static BIO_METHOD *make_method(void);

enum status tls_context_create(const char *certificate_path, const char *key_path,
                               struct tls_context **result, struct error *error)
{
    struct tls_context *context = memory_allocate_zeroed(1, sizeof *context);
    context->certificate_path = certificate_path;
    context->key_path = key_path;
    context->method = make_method();
    check(pthread_mutex_init(&context->lock, NULL) == 0);
    enum status status = tls_context_reload(context, error);
    if (status != STATUS_OK) {
        tls_context_destroy(context);
        return status;
    }
    *result = context;
    return STATUS_OK;
}

enum status tls_context_reload(struct tls_context *context, struct error *error)
{
    SSL_CTX *fresh;
    enum status status = make_ssl_context(context, &fresh, error);
    if (status != STATUS_OK)
        return status;
    pthread_mutex_lock(&context->lock);
    SSL_CTX *former = context->ssl_context;
    context->ssl_context = fresh;
    context->not_after_s = unix_time(X509_get0_notAfter(SSL_CTX_get0_certificate(fresh)));
    pthread_mutex_unlock(&context->lock);
    SSL_CTX_free(former); /* connections that stand have references of their own */
    return STATUS_OK;
}

void tls_context_destroy(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ssl_context);
    BIO_meth_free(context->method);
    pthread_mutex_destroy(&context->lock);
    free(context);
}

void tls_context_read_stats(struct tls_context *context, struct tls_stats *stats)
{
    stats->handshakes = atomic_load_explicit(&context->handshakes, memory_order_relaxed);
    stats->failures = atomic_load_explicit(&context->failures, memory_order_relaxed);
    pthread_mutex_lock(&context->lock);
    stats->not_after_s = context->not_after_s;
    pthread_mutex_unlock(&context->lock);
}

/* -- the socket below OpenSSL ------------------------------------------------------------------ */

/* The bytes that the socket took, or -1 if the peer is gone. */
static ssize_t send_some(int fd, const char *bytes, size_t size)
{
    size_t sent = 0;
    while (sent < size) {
        ssize_t taken = send(fd, bytes + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (taken >= 0)
            sent += (size_t)taken;
        else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
            break;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)sent;
}

static int bio_write(BIO *bio, const char *bytes, int size)
{
    struct tls *tls = BIO_get_data(bio);
    size_t sent = 0;
    if (tls->pending.size == 0) {
        ssize_t taken = send_some(tls->fd, bytes, (size_t)size);
        if (taken < 0)
            return -1;
        sent = (size_t)taken;
    }
    if (tls->pending.size > PENDING_SIZE_MAX)
        return -1;
    buffer_append(&tls->pending, bytes + sent, (size_t)size - sent);
    return size;
}

static int bio_read(BIO *bio, char *bytes, int size)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t got;
    do
        got = recv(tls->fd, bytes, (size_t)size, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(bio);
    return (int)got;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *make_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "heatcast");
    check(method != NULL && BIO_meth_set_write(method, bio_write) == 1 &&
          BIO_meth_set_read(method, bio_read) == 1 && BIO_meth_set_ctrl(method, bio_control) == 1);
    return method;
}

/* -- a connection ------------------------------------------------------------------------------ */

struct tls *tls_create(struct tls_context *context, int fd)
{
    struct tls *tls = memory_allocate_zeroed(1, sizeof *tls);
    tls->context = context;
    tls->fd = fd;
    pthread_mutex_lock(&context->lock);
    tls->ssl = SSL_new(context->ssl_context);
    pthread_mutex_unlock(&context->lock);
    BIO *bio = BIO_new(context->method);
    check(tls->ssl != NULL && bio != NULL);
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio); /* owns it from here on */
    SSL_set_accept_state(tls->ssl);
    return tls;
}

void tls_destroy(struct tls *tls)
{
    if (tls == NULL)
        return;
    if (!tls->is_established)
        atomic_fetch_add_explicit(&tls->context->failures, 1, memory_order_relaxed);
    SSL_free(tls->ssl);
    buffer_deinit(&tls->pending);
    free(tls);
}

static void note_progress(struct tls *tls)
{
    if (tls->is_established || !SSL_is_init_finished(tls->ssl))
        return;
    tls->is_established = true;
    atomic_fetch_add_explicit(&tls->context->handshakes, 1, memory_order_relaxed);
}

ssize_t tls_read(struct tls *tls, char *bytes, size_t size)
{
    check(size >= TLS_RECORD_SIZE_MAX && size <= INT_MAX);
    ERR_clear_error();
    int got = SSL_read(tls->ssl, bytes, (int)size);
    note_progress(tls);
    if (got > 0)
        return got;
    if (SSL_get_error(tls->ssl, got) == SSL_ERROR_WANT_READ)
        return 0;
    tls->fault = ERR_peek_error();
    return -1;
}

bool tls_has_pending(const struct tls *tls)
{
    return tls->pending.size > 0;
}

bool tls_flush(struct tls *tls)
{
    ssize_t sent = send_some(tls->fd, tls->pending.data, tls->pending.size);
    if (sent < 0)
        return false;
    if ((size_t)sent == tls->pending.size)
        buffer_deinit(&tls->pending); /* a client that is well needs none */
    else
        buffer_consume(&tls->pending, (size_t)sent);
    return true;
}

/* Copies what stands at `offset` in the pieces, up to a record. It never ends one byte into a
 * piece: that byte might be the one that is owed, and the outbox would not know that the piece is
 * begun. */
static size_t gather(const struct iovec *pieces, int count, size_t offset,
                     char record[TLS_RECORD_SIZE_MAX])
{
    size_t size = 0;
    for (int i = 0; i < count && size < TLS_RECORD_SIZE_MAX; i++) {
        if (offset >= pieces[i].iov_len) {
            offset -= pieces[i].iov_len;
            continue;
        }
        size_t part = pieces[i].iov_len - offset;
        if (part > TLS_RECORD_SIZE_MAX - size)
            part = TLS_RECORD_SIZE_MAX - size;
        if (part == 1 && size > 0 && pieces[i].iov_len - offset > 1)
            break;
        memcpy(record + size, (const char *)pieces[i].iov_base + offset, part);
        size += part;
        offset = 0;
    }
    return size;
}

ssize_t tls_write(struct tls *tls, const struct iovec *pieces, int count)
{
    char record[TLS_RECORD_SIZE_MAX];
    size_t taken = 0, size;
    if (tls_has_pending(tls) && !tls_flush(tls))
        return -1;
    if (tls_has_pending(tls))
        return 0;
    if (tls->owes_byte) {
        tls->owes_byte = false;
        taken = 1;
    }
    while (!tls_has_pending(tls) && (size = gather(pieces, count, taken, record)) > 0) {
        ERR_clear_error();
        if (SSL_write(tls->ssl, record, (int)size) != (int)size)
            return -1;
        taken += size;
    }
    if (tls_has_pending(tls)) {
        tls->owes_byte = true;
        taken--;
    }
    return (ssize_t)taken;
}

void tls_close_notify(struct tls *tls)
{
    ERR_clear_error();
    if (tls->is_established)
        SSL_shutdown(tls->ssl);
}

bool tls_is_established(const struct tls *tls)
{
    return tls->is_established;
}

bool tls_met_plain_http(const struct tls *tls)
{
    return ERR_GET_REASON(tls->fault) == SSL_R_HTTP_REQUEST;
}

const char *tls_handshake_fault(const struct tls *tls)
{
    const char *reason = ERR_reason_error_string(tls->fault);
    if (tls->is_established)
        return NULL;
    return reason != NULL ? reason : "the peer left";
}
