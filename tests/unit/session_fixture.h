/* Sessions on a hub, with a real publisher and mailbox, a transport that takes as much as the test
 * says, and a clock that moves when the test says: docs/protocol.md as a client sees it. */
#ifndef HEATCAST_TESTS_SESSION_FIXTURE_H
#define HEATCAST_TESTS_SESSION_FIXTURE_H

#include "fake_clock.h"
#include "publish.h"
#include "server_frames.h"

#include "base/check.h"
#include "stream/request.h"
#include "wire/deflate.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BTC, ETH, SOL };

/* -- a client ---------------------------------------------------------------------------------- */

struct client {
    struct session session;
    struct buffer written; /* what reached it and no test has read yet */
    size_t room;           /* what its socket still takes */
    struct transport_progress progress;
    unsigned writes; /* calls that had anything for it */
    bool is_broken, wants_writable, is_finished, is_aborted;
};

static uint64_t write_duration_ns; /* of each write, by the fake clock */

static inline ssize_t client_write(void *context, const struct iovec *pieces, int count)
{
    struct client *client = context;
    size_t taken = 0;
    assert_false(client->is_finished || client->is_aborted);
    client->writes++;
    fake_now_ns += write_duration_ns;
    if (client->is_broken)
        return -1;
    for (int i = 0; i < count; i++) {
        size_t size = pieces[i].iov_len;
        if (size > client->room)
            size = client->room;
        buffer_append(&client->written, pieces[i].iov_base, size);
        client->room -= size;
        taken += size;
    }
    return (ssize_t)taken;
}

static inline void client_wants_writable(void *context, bool wanted)
{
    struct client *client = context;
    assert_true(client->wants_writable != wanted);
    client->wants_writable = wanted;
}

static inline void client_read_progress(void *context, struct transport_progress *progress)
{
    const struct client *client = context;
    *progress = client->progress;
}

static inline void client_finish(void *context)
{
    struct client *client = context;
    assert_false(client->is_finished || client->is_aborted);
    client->is_finished = true;
}

static inline void client_abort(void *context)
{
    struct client *client = context;
    assert_false(client->is_finished || client->is_aborted);
    client->is_aborted = true;
}

static const struct subscriber_transport transport = {
    .write = client_write,
    .want_writable = client_wants_writable,
    .read_progress = client_read_progress,
    .finish = client_finish,
    .abort = client_abort,
};

/* -- the server -------------------------------------------------------------------------------- */

static struct config config;
static struct publisher *publisher;
static struct mailbox mailbox;
static struct hub hub;
static unsigned wanted_count[SYMBOLS_MAX];

static inline void on_wanted(size_t symbol_index, void *context)
{
    (void)context;
    wanted_count[symbol_index]++;
}

static inline int start(void **state)
{
    (void)state;
    struct error error;
    config = (struct config){.ws_slow_consumer_timeout_seconds = 1,
                             .ws_slow_consumer_disconnect_seconds = 60};
    value_parse_symbols("BTCUSDT,ETHUSDT,SOLUSDT", &config.symbols, &error);
    fake_now_ns = FAKE_START_NS;
    write_duration_ns = 0;
    memset(wanted_count, 0, sizeof wanted_count);
    publisher = publisher_create(&config.symbols, on_wanted, NULL);
    mailbox_init(&mailbox, config.symbols.count, NULL, NULL);
    publisher_add_mailbox(publisher, &mailbox);
    hub_init(&hub, &config, publisher, &transport);
    return 0;
}

static inline int stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < config.symbols.count; i++)
        assert_int_equal(publisher_subscriber_count(publisher, i), 0);
    assert_true(list_is_empty(&hub.group.ready) && list_is_empty(&hub.group.blocked) &&
                list_is_empty(&hub.held));
    assert_int_equal(atomic_load(&hub.group.slow_count), 0);
    hub_deinit(&hub);
    mailbox_deinit(&mailbox);
    publisher_destroy(publisher);
    return 0;
}

static inline void deliver(void)
{
    static struct mail mail[SYMBOLS_MAX];
    size_t count = mailbox_take(&mailbox, mail);
    if (count > 0)
        hub_deliver(&hub, mail, count);
}

static inline void publish_undelivered(size_t symbol, uint64_t seq)
{
    publish_data(publisher, &config.symbols, symbol, 9, seq, seq, "{}");
}

static inline void publish(size_t symbol, uint64_t seq)
{
    publish_undelivered(symbol, seq);
    deliver();
}

static inline void tick_for_ms(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += HUB_TICK_MS) {
        fake_clock_advance_ms(HUB_TICK_MS);
        hub_tick(&hub, fake_now_ns);
    }
}

static inline struct client *connect_with(const struct session_protocol *protocol, bool deflates)
{
    struct client *client = memory_allocate_zeroed(1, sizeof *client);
    client->room = SIZE_MAX;
    session_init(&client->session, &hub, protocol, deflates, client);
    return client;
}

static inline struct client *connect_client(void)
{
    return connect_with(&request_protocol, false);
}

/* Its socket can be written. */
static inline void flush(struct client *client)
{
    subscriber_flush(&client->session.subscriber);
}

static inline void disconnect(struct client *client)
{
    session_deinit(&client->session);
    buffer_deinit(&client->written);
    free(client);
}

/* -- talking ----------------------------------------------------------------------------------- */

static inline void put_frame(struct buffer *out, int first, const char *payload, size_t size)
{
    static const char mask[] = {0x11, 0x22, 0x33, 0x44};
    buffer_append_char(out, (char)first);
    if (size < 126) {
        buffer_append_char(out, (char)(0x80 | size));
    } else {
        buffer_append_char(out, (char)(0x80 | 126));
        buffer_append_char(out, (char)(size >> 8));
        buffer_append_char(out, (char)size);
    }
    buffer_append(out, mask, 4);
    for (size_t i = 0; i < size; i++)
        buffer_append_char(out, (char)(payload[i] ^ mask[i % 4]));
}

static inline void receive(struct client *client, struct buffer *bytes)
{
    session_receive(&client->session, bytes->data, bytes->size);
    buffer_deinit(bytes);
}

static inline void send_frame(struct client *client, int first, const char *payload, size_t size)
{
    struct buffer bytes = {0};
    put_frame(&bytes, first, payload, size);
    receive(client, &bytes);
}

static inline void send_text(struct client *client, const char *text)
{
    send_frame(client, 0x81, text, strlen(text));
}

/* Sends a text message compressed, in frames of at most `piece` bytes. */
static inline void send_compressed(struct client *client, const char *text, size_t size,
                                   size_t piece)
{
    struct ws_deflater *deflater = ws_deflater_create();
    struct buffer payload = {0};
    ws_deflate(deflater, text, size, &payload);
    ws_deflater_destroy(deflater);
    for (size_t at = 0; at < payload.size; at += piece) {
        bool is_last = payload.size - at <= piece;
        int first = (at == 0 ? 0x40 | WS_TEXT : 0) | (is_last ? 0x80 : 0);
        send_frame(client, first, payload.data + at, is_last ? payload.size - at : piece);
    }
    buffer_deinit(&payload);
}

static inline void subscribe(struct client *client, const char *symbols)
{
    struct buffer text = {0};
    buffer_append_format(&text, "{\"action\":\"subscribe\",\"symbols\":[%s]}", symbols);
    send_text(client, buffer_text(&text));
    buffer_deinit(&text);
}

static inline void subscribe_with_interval(struct client *client, const char *interval)
{
    char text[120];
    snprintf(text, sizeof text,
             "{\"action\":\"subscribe\",\"symbols\":[\"BTCUSDT\"],\"update_interval\":%s}",
             interval);
    send_text(client, text);
}

static inline void describe_since_last(struct buffer *out, const json_t *since)
{
    buffer_append_format(out, " since %d: %d %d",
                         (int)json_integer_value(json_object_get(since, "seq")),
                         (int)json_integer_value(json_object_get(since, "positions_created")),
                         (int)json_integer_value(json_object_get(since, "positions_consumed")));
}

/* One line a frame: snapshots as "BTCUSDT 7" or "BTCUSDT 7 since 5: 30 4", errors as
 * "INVALID_SYMBOL: text", warnings as "SLOW_CONSUMER 3", control frames as "ping", "pong:payload",
 * "close:1000:reason", the rest as its JSON. An error's id follows it in brackets. */
static inline void describe(struct buffer *out, const struct server_frame *frame)
{
    const unsigned char *bytes = (const unsigned char *)frame->payload;
    if (frame->opcode == WS_PING) {
        buffer_append_text(out, "ping");
    } else if (frame->opcode == WS_PONG) {
        buffer_append_format(out, "pong:%.*s", (int)frame->size, frame->payload);
    } else if (frame->opcode == WS_CLOSE) {
        buffer_append_format(out, "close:%d", frame->size == 0 ? 0 : bytes[0] << 8 | bytes[1]);
        if (frame->size > 2)
            buffer_append_format(out, ":%.*s", (int)frame->size - 2, frame->payload + 2);
    } else {
        json_t *root = json_loadb(frame->payload, frame->size, 0, NULL);
        assert_non_null(root);
        const char *type = json_string_value(json_object_get(root, "type"));
        const char *code = json_string_value(json_object_get(root, "code"));
        const json_t *id = json_object_get(root, "id");
        if (strcmp(type, "snapshot") == 0)
            buffer_append_format(out, "%s %d", json_string_value(json_object_get(root, "symbol")),
                                 (int)json_integer_value(json_object_get(root, "seq")));
        if (json_object_get(root, "since_last") != NULL)
            describe_since_last(out, json_object_get(root, "since_last"));
        else if (strcmp(type, "error") == 0)
            buffer_append_format(out, "%s: %s", code,
                                 json_string_value(json_object_get(root, "message")));
        else if (strcmp(type, "warning") == 0)
            buffer_append_format(
                out, "%s %d", code,
                (int)json_integer_value(json_object_get(root, "dropped_messages")));
        else if (strcmp(type, "snapshot") != 0)
            buffer_append(out, frame->payload, frame->size);
        if (strcmp(type, "error") == 0 && id != NULL) {
            char *text = json_dumps(id, JSON_ENCODE_ANY);
            buffer_append_format(out, " [%s]", text);
            free(text);
        }
        json_decref(root);
    }
    buffer_append_char(out, '\n');
}

/* All that the client got since the last call; fails unless it is whole frames. */
static inline struct buffer take_lines(struct client *client)
{
    struct buffer lines = {0};
    struct server_frame frame = {0};
    for (size_t at = 0; at < client->written.size;) {
        assert_true(server_frame_next(&client->written, &at, &frame));
        struct buffer text = {0};
        if (frame.is_compressed) {
            assert_int_equal(
                ws_inflate(hub_inflater(&hub), frame.payload, frame.size, 100000, &text),
                WS_INFLATE_DONE);
            frame.payload = text.data;
            frame.size = text.size;
        }
        describe(&lines, &frame);
        buffer_deinit(&text);
    }
    buffer_clear(&client->written);
    return lines;
}

static inline void expect(struct client *client, const char *expected)
{
    struct buffer lines = take_lines(client);
    assert_string_equal(buffer_text(&lines), expected);
    buffer_deinit(&lines);
}

/* The client got one line, and it begins so. */
static inline void expect_start(struct client *client, const char *expected)
{
    struct buffer lines = take_lines(client);
    const char *text = buffer_text(&lines);
    if (strncmp(text, expected, strlen(expected)) != 0 ||
        strchr(text, '\n') != text + lines.size - 1)
        fail_msg("'%s' does not begin with '%s'", text, expected);
    buffer_deinit(&lines);
}

/* How many lines of those that came begin so. */
static inline unsigned count_lines(struct client *client, const char *start)
{
    struct buffer lines = take_lines(client);
    unsigned count = 0;
    for (const char *line = buffer_text(&lines); *line != '\0'; line = strchr(line, '\n') + 1)
        count += strncmp(line, start, strlen(start)) == 0;
    buffer_deinit(&lines);
    return count;
}

#define fact(test) cmocka_unit_test_setup_teardown(test, start, stop)

#endif
