/* TLS on a socket pair, with OpenSSL's own client on the other end: whatever the socket takes and
 * whenever, the client gets the bytes that count as taken, and no others. */
#include "base/buffer.h"
#include "base/check.h"
#include "net/tls.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum { DAY_S = 86400 };

/* -- certificates ------------------------------------------------------------------------------ */

static char folder[] = "/tmp/heatcast-tls-XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static FILE *open_new(const char *name)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    return file;
}

/* Writes NAME.crt and NAME.key, valid from and until so many seconds from now. */
static void make_pair(const char *name, long from_s, long until_s)
{
    char file_name[64];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), until_s);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    snprintf(file_name, sizeof file_name, "%s.crt", name);
    FILE *file = open_new(file_name);
    PEM_write_X509(file, certificate);
    fclose(file);
    snprintf(file_name, sizeof file_name, "%s.key", name);
    file = open_new(file_name);
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    snprintf(file_name, sizeof file_name, "%s.locked", name);
    file = open_new(file_name);
    PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL,
                         NULL);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void expect_refused(const char *certificate, const char *key, const char *said)
{
    struct error error;
    struct tls_context *context;
    assert_int_equal(tls_context_create(path_of(certificate), path_of(key), &context, &error),
                     STATUS_INVALID);
    if (strstr(error.message, said) == NULL)
        fail_msg("'%s' does not say '%s'", error.message, said);
}

static void a_pair_that_cannot_be_used_is_refused_and_named(void **state)
{
    (void)state;
    make_pair("expired", -2 * DAY_S, -DAY_S);
    make_pair("early", DAY_S, 2 * DAY_S);
    FILE *junk = open_new("junk");
    fputs("this is no certificate\n", junk);
    fclose(junk);
    expect_refused("missing", "good.key", "TLS_CERT: /tmp/");
    expect_refused("missing", "good.key", "No such file");
    expect_refused("junk", "good.key", "TLS_CERT");
    expect_refused("good.crt", "missing", "TLS_KEY");
    expect_refused("good.crt", "junk", "TLS_KEY");
    expect_refused("good.crt", "good.crt", "TLS_KEY");
    expect_refused("good.crt", "other.key", "is not the key of the certificate");
    expect_refused("good.crt", "good.locked", "passphrase");
    expect_refused("expired.crt", "expired.key", "has expired on");
    expect_refused("early.crt", "early.key", "not valid before");
}

/* -- two ends ---------------------------------------------------------------------------------- */

struct ends {
    char certificate_path[128], key_path[128];
    struct tls_context *context;
    struct tls *server;
    SSL_CTX *client_context;
    SSL *client;
    int fds[2];             /* the server's, the client's */
    struct buffer received; /* by the client */
    bool is_client_at_end;
};

static void make_ends(struct ends *ends)
{
    struct error error;
    memset(ends, 0, sizeof *ends);
    strcpy(ends->certificate_path, path_of("good.crt"));
    strcpy(ends->key_path, path_of("good.key"));
    assert_int_equal(
        tls_context_create(ends->certificate_path, ends->key_path, &ends->context, &error),
        STATUS_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends->fds), 0);
    int size = 1; /* the least that the system allows: writes go in part early */
    setsockopt(ends->fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    ends->server = tls_create(ends->context, ends->fds[0]);
    ends->client_context = SSL_CTX_new(TLS_client_method());
    ends->client = SSL_new(ends->client_context);
    SSL_set_fd(ends->client, ends->fds[1]);
    SSL_set_connect_state(ends->client);
}

static void free_ends(struct ends *ends)
{
    tls_destroy(ends->server);
    tls_context_destroy(ends->context);
    SSL_free(ends->client);
    SSL_CTX_free(ends->client_context);
    close(ends->fds[0]);
    close(ends->fds[1]);
    buffer_deinit(&ends->received);
}

static void client_reads(struct ends *ends, size_t size_max)
{
    char bytes[4096];
    while (size_max > 0) {
        int got =
            SSL_read(ends->client, bytes, (int)(size_max < sizeof bytes ? size_max : sizeof bytes));
        if (got <= 0) {
            ends->is_client_at_end |= SSL_get_error(ends->client, got) == SSL_ERROR_ZERO_RETURN;
            return;
        }
        buffer_append(&ends->received, bytes, (size_t)got);
        size_max -= (size_t)got;
    }
}

static void shake_hands(struct ends *ends)
{
    static char bytes[TLS_RECORD_SIZE_MAX];
    for (int i = 0; i < 10000 && !SSL_is_init_finished(ends->client); i++) {
        SSL_do_handshake(ends->client);
        assert_int_equal(tls_read(ends->server, bytes, sizeof bytes), 0);
        assert_true(tls_flush(ends->server));
    }
    assert_true(SSL_is_init_finished(ends->client));
    assert_int_equal(SSL_write(ends->client, "hello", 5), 5);
    assert_int_equal(tls_read(ends->server, bytes, sizeof bytes), 5);
    assert_memory_equal(bytes, "hello", 5);
    for (int i = 0; i < 1000 && tls_has_pending(ends->server); i++) { /* session tickets */
        client_reads(ends, 1);
        assert_true(tls_flush(ends->server));
    }
}

/* As the outbox does it: what is not begun may be another text the next time. */
static void what_counts_as_taken_is_what_the_client_gets(void **state)
{
    (void)state;
    enum { MESSAGES = 300, SIZE_MAX_ = 40000 };
    struct ends ends;
    struct buffer sent = {0};
    make_ends(&ends);
    shake_hands(&ends);
    char *text = memory_allocate(SIZE_MAX_);
    uint32_t random = 5, blocked = 0;
    size_t at = 0, size = 0; /* of the message at hand: what is taken, and all */
    for (int message = 0; message < MESSAGES;) {
        random = random * 1664525 + 1013904223;
        if (at == 0) { /* not begun: choose again */
            size = 2 + random % (message % 3 == 0 ? SIZE_MAX_ - 2 : 50);
            memset(text, 'a' + (int)(random >> 16) % 26, size);
        }
        struct iovec pieces[2] = {{text + at, (size - at) / 2},
                                  {text + at + (size - at) / 2, size - at - (size - at) / 2}};
        ssize_t taken = tls_write(ends.server, pieces, 2);
        assert_true(taken >= 0 && (size_t)taken <= size - at);
        buffer_append(&sent, text + at, (size_t)taken);
        at += (size_t)taken;
        if (at == size) {
            message++;
            at = 0;
            assert_false(tls_has_pending(ends.server)); /* taken whole means out */
        } else {
            blocked++;
            assert_true(tls_has_pending(ends.server));
            client_reads(&ends, 1 + (random >> 8) % 30000);
        }
    }
    while (tls_has_pending(ends.server)) {
        client_reads(&ends, SIZE_MAX);
        assert_true(tls_flush(ends.server));
    }
    client_reads(&ends, SIZE_MAX);
    assert_true(blocked > 20);
    assert_int_equal(ends.received.size, sent.size);
    assert_memory_equal(ends.received.data, sent.data, sent.size);
    buffer_deinit(&sent);
    free(text);
    free_ends(&ends);
}

static void nothing_is_taken_while_a_record_waits(void **state)
{
    (void)state;
    struct ends ends;
    char *text = memory_allocate_zeroed(1, 1 << 20);
    make_ends(&ends);
    shake_hands(&ends);
    struct iovec piece = {text, 1 << 20};
    ssize_t taken = tls_write(ends.server, &piece, 1);
    assert_true(taken > 0 && taken < 1 << 20);
    piece = (struct iovec){text, (1 << 20) - (size_t)taken};
    for (int i = 0; i < 100; i++)
        assert_int_equal(tls_write(ends.server, &piece, 1), 0);
    free(text);
    free_ends(&ends);
}

/* The byte that is owed is never a piece's only begun one: the outbox, told that nothing of that
 * piece went, would send another in its place. */
static void a_record_never_ends_one_byte_into_a_piece(void **state)
{
    (void)state;
    struct ends ends;
    char first[TLS_RECORD_SIZE_MAX - 1], second[200];
    memset(first, 'a', sizeof first);
    memset(second, 'b', sizeof second);
    struct iovec pieces[2] = {{first, sizeof first}, {second, sizeof second}};
    make_ends(&ends);
    shake_hands(&ends);
    ssize_t taken = tls_write(ends.server, pieces, 2);
    assert_true(tls_has_pending(ends.server)); /* the socket is small */
    assert_int_equal(taken, sizeof first - 1);
    free_ends(&ends);
}

/* Each read takes one record, so that a client that sends many empty ones does not hold the loop.
 */
static void a_flood_of_key_updates_is_read_record_by_record(void **state)
{
    (void)state;
    enum { UPDATES = 50 };
    static char bytes[TLS_RECORD_SIZE_MAX];
    struct ends ends;
    make_ends(&ends);
    shake_hands(&ends);
    for (int i = 0; i < UPDATES; i++) {
        assert_int_equal(SSL_key_update(ends.client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(ends.client), 1);
    }
    assert_int_equal(SSL_write(ends.client, "hello", 5), 5);
    int reads = 1;
    ssize_t got;
    while ((got = tls_read(ends.server, bytes, sizeof bytes)) == 0 && reads <= UPDATES)
        reads++;
    assert_int_equal(got, 5);
    assert_int_equal(reads, UPDATES + 1);
    free_ends(&ends);
}

static void the_end_is_told_and_heard(void **state)
{
    (void)state;
    static char bytes[TLS_RECORD_SIZE_MAX];
    struct ends ends;
    make_ends(&ends);
    shake_hands(&ends);
    tls_close_notify(ends.server);
    client_reads(&ends, 10);
    assert_true(ends.is_client_at_end);
    SSL_shutdown(ends.client);
    assert_int_equal(tls_read(ends.server, bytes, sizeof bytes), -1);
    assert_false(tls_met_plain_http(ends.server));
    struct tls_stats stats;
    tls_context_read_stats(ends.context, &stats);
    assert_int_equal(stats.handshakes, 1);
    assert_int_equal(stats.failures, 0);
    free_ends(&ends);
}

static void who_speaks_no_tls_is_refused(void **state)
{
    (void)state;
    static char bytes[TLS_RECORD_SIZE_MAX];
    static const char *const spoken[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                         "\x16\x03\x01 nonsense", "\0\0\0\0\0\0\0\0\0\0\0\0"};
    for (size_t i = 0; i < 3; i++) {
        struct ends ends;
        struct tls_stats stats;
        make_ends(&ends);
        assert_int_equal(write(ends.fds[1], spoken[i], 12), 12);
        assert_int_equal(shutdown(ends.fds[1], SHUT_WR), 0);
        assert_int_equal(tls_read(ends.server, bytes, sizeof bytes), -1);
        assert_true(tls_met_plain_http(ends.server) == (i == 0));
        tls_destroy(ends.server);
        ends.server = NULL;
        tls_context_read_stats(ends.context, &stats);
        assert_int_equal(stats.failures, 1);
        free_ends(&ends);
    }
}

static void a_reload_is_for_new_connections_and_a_failed_one_for_none(void **state)
{
    (void)state;
    struct ends ends;
    struct error error;
    make_ends(&ends);
    shake_hands(&ends);
    struct tls_stats before, after;
    tls_context_read_stats(ends.context, &before);
    assert_int_equal(rename(path_of("good.key"), path_of("kept.key")), 0);
    assert_int_equal(tls_context_reload(ends.context, &error), STATUS_INVALID);
    assert_int_equal(rename(path_of("kept.key"), path_of("good.key")), 0);
    make_pair("good", 0, 500 * DAY_S);
    assert_int_equal(tls_context_reload(ends.context, &error), STATUS_OK);
    tls_context_read_stats(ends.context, &after);
    assert_true(after.not_after_s > before.not_after_s + 100 * DAY_S);
    struct iovec piece = {"still here", 10};
    assert_int_equal(tls_write(ends.server, &piece, 1), 10);
    client_reads(&ends, 10);
    assert_memory_equal(ends.received.data, "still here", 10);
    free_ends(&ends);
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    make_pair("good", 0, 30 * DAY_S);
    make_pair("other", 0, 30 * DAY_S);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"good", "other", "expired", "early"};
    static const char *const ends[] = {"crt", "key", "locked"};
    char name[64];
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 3; j++) {
            snprintf(name, sizeof name, "%s.%s", names[i], ends[j]);
            unlink(path_of(name));
        }
    unlink(path_of("junk"));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_that_cannot_be_used_is_refused_and_named),
        cmocka_unit_test(what_counts_as_taken_is_what_the_client_gets),
        cmocka_unit_test(nothing_is_taken_while_a_record_waits),
        cmocka_unit_test(a_record_never_ends_one_byte_into_a_piece),
        cmocka_unit_test(a_flood_of_key_updates_is_read_record_by_record),
        cmocka_unit_test(the_end_is_told_and_heard),
        cmocka_unit_test(who_speaks_no_tls_is_refused),
        cmocka_unit_test(a_reload_is_for_new_connections_and_a_failed_one_for_none),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
