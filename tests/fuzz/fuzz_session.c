/* A session with hub and publisher, over a transport that takes as much as the input says. Whatever
 * comes in, what goes out must be whole unmasked frames: messages are JSON objects with a type,
 * control frames are short, and nothing follows a close. And it must not be much: replies have at
 * most the bytes that came and what the allowance pays for, and a snapshot that is no news comes
 * again only as often as the hub lets it. The input is a play, one step a line, so that a case can
 * be read and written by hand; see step(). */
#include "fuzz.h"

#include "../unit/fake_clock.h"
#include "../unit/publish.h"
#include "../unit/server_frames.h"

#include "stream/request.h"
#include "wire/deflate.h"

#include <jansson.h>

enum {
    TICKS_MAX = 3000,
    STEPS_MAX = 400,
    COMPRESSED = 0x40,
    CONNECT_REPLY_MAX = 1024,
    REPLIES_ONCE = 96 * 1024
};

struct client {
    struct session session;
    struct buffer written;
    size_t room;
    size_t received; /* bytes of its frames, and of symbols that it named at connect */
    bool is_broken, wants_writable, is_finished, is_aborted;
};

static ssize_t client_write(void *context, const struct iovec *pieces, int count)
{
    struct client *client = context;
    size_t taken = 0;
    check(!client->is_finished && !client->is_aborted);
    if (client->is_broken)
        return -1;
    for (int i = 0; i < count; i++) {
        size_t size = pieces[i].iov_len < client->room ? pieces[i].iov_len : client->room;
        buffer_append(&client->written, pieces[i].iov_base, size);
        client->room -= size;
        taken += size;
    }
    return (ssize_t)taken;
}

static void client_wants_writable(void *context, bool wanted)
{
    struct client *client = context;
    check(client->wants_writable != wanted);
    client->wants_writable = wanted;
}

static void client_read_progress(void *context, struct transport_progress *progress)
{
    const struct client *client = context;
    *progress = (struct transport_progress){client->written.size, client->room == 0};
}

static void client_finish(void *context)
{
    struct client *client = context;
    check(!client->is_finished && !client->is_aborted);
    client->is_finished = true;
}

static void client_abort(void *context)
{
    struct client *client = context;
    check(!client->is_finished && !client->is_aborted);
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

struct play {
    struct publisher *publisher;
    struct mailbox mailbox;
    struct hub hub;
    struct client client;
    uint64_t seq;
    unsigned ticks;
};

static struct config config = {.ws_slow_consumer_timeout_seconds = 1,
                               .ws_slow_consumer_disconnect_seconds = 60};

static void on_wanted(size_t symbol_index, void *context)
{
    (void)context;
    check(symbol_index < config.symbols.count);
}

static void deliver(struct play *play)
{
    static struct mail mail[SYMBOLS_MAX];
    size_t count = mailbox_take(&play->mailbox, mail);
    if (count > 0)
        hub_deliver(&play->hub, mail, count);
}

static void publish(struct play *play, size_t symbol)
{
    static const char data[] = "{\"levels\":[{\"price\":98400,\"long_density\":1.5,"
                               "\"short_density\":0},{\"price\":98500,\"long_density\":0,"
                               "\"short_density\":20480.25}],\"current_price\":98450}";
    play->seq++;
    publish_data(play->publisher, &config.symbols, symbol, 9, play->seq, play->seq, data);
    deliver(play);
}

static void tick(struct play *play, unsigned count)
{
    for (; count > 0 && play->ticks < TICKS_MAX; count--, play->ticks++) {
        fake_clock_advance_ms(HUB_TICK_MS);
        hub_tick(&play->hub, fake_now_ns);
        if (play->ticks % 20 == 0)
            session_check_liveness(&play->client.session, fake_now_ns);
    }
}

/* -- the client -------------------------------------------------------------------------------- */

static void receive(struct play *play, const void *bytes, size_t size)
{
    char *copy = fuzz_copy(bytes, size);
    play->client.received += size;
    session_receive(&play->client.session, copy, size);
    free(copy);
}

static void send_frame(struct play *play, int first, const uint8_t *payload, size_t size)
{
    static const uint8_t mask[] = {0x11, 0x22, 0x33, 0x44};
    struct buffer frame = {0};
    char header[WS_FRAME_HEADER_MAX];
    size_t header_size = ws_encode_header(header, WS_TEXT, size);
    header[0] = (char)first;
    header[1] = (char)(header[1] | 0x80);
    buffer_append(&frame, header, header_size);
    buffer_append(&frame, mask, sizeof mask);
    for (size_t i = 0; i < size; i++)
        buffer_append_char(&frame, (char)(payload[i] ^ mask[i % 4]));
    receive(play, frame.data, frame.size);
    buffer_deinit(&frame);
}

/* A text message as a client compresses it. */
static void send_compressed(struct play *play, const uint8_t *text, size_t size)
{
    struct buffer payload = {0};
    ws_deflate(hub_deflater(&play->hub), (const char *)text, size, &payload);
    send_frame(play, 0x80 | COMPRESSED | WS_TEXT, (const uint8_t *)payload.data, payload.size);
    buffer_deinit(&payload);
}

static unsigned number(const uint8_t *text, size_t size, unsigned max)
{
    unsigned value = 0;
    for (size_t i = 0; i < size && text[i] >= '0' && text[i] <= '9' && value < max; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    return value < max ? value : max;
}

static void connect_with(struct play *play, const uint8_t *text, size_t size)
{
    char *symbols = memory_allocate(size + 1);
    memcpy(symbols, text, size);
    symbols[size] = '\0';
    play->client.received +=
        size + CONNECT_REPLY_MAX; /* a client connects once, a play may often */
    request_subscribe_list(&play->client.session, symbols);
    subscriber_flush(&play->client.session.subscriber);
    free(symbols);
}

/* One line: a letter and what belongs to it; any other line is a text message as it stands. */
static void step(struct play *play, const uint8_t *line, size_t size)
{
    const uint8_t *rest = line + 1;
    size_t left = size - 1;
    size_t symbol = number(rest, left, 2);
    struct client *client = &play->client;
    switch (line[0]) {
    case 'B': /* a binary message */
        send_frame(play, 0x80 | WS_BINARY, rest, left);
        break;
    case 'F': /* a text message's first piece */
        send_frame(play, WS_TEXT, rest, left);
        break;
    case 'C': /* its next piece */
        send_frame(play, WS_CONTINUATION, rest, left);
        break;
    case 'E': /* its last piece */
        send_frame(play, 0x80 | WS_CONTINUATION, rest, left);
        break;
    case 'K': /* a text message, compressed */
        send_compressed(play, rest, left);
        break;
    case 'J': /* what says that it is compressed text */
        send_frame(play, 0x80 | COMPRESSED | WS_TEXT, rest, left);
        break;
    case 'P':
        send_frame(play, 0x80 | WS_PING, rest, left);
        break;
    case 'O':
        send_frame(play, 0x80 | WS_PONG, rest, left);
        break;
    case 'X': /* a close frame's payload */
        send_frame(play, 0x80 | WS_CLOSE, rest, left);
        break;
    case 'S': /* symbols named at connect */
        connect_with(play, rest, left);
        break;
    case 'N': /* a new snapshot of symbol 0, 1 or 2 */
        publish(play, symbol);
        break;
    case 'U': /* the generator fails on that symbol */
        publisher_checked(play->publisher, symbol, STATUS_BUSY);
        deliver(play);
        break;
    case 'R': /* bytes that the socket takes from now on */
        client->room = number(rest, left, 1000000);
        subscriber_flush(&client->session.subscriber);
        break;
    case 'D': /* the peer is gone */
        client->is_broken = true;
        break;
    case 'W': /* tenths of a second pass */
        tick(play, 2 * number(rest, left, 10000));
        break;
    case 'Q': /* the server shuts down */
        session_close(&client->session, WS_CLOSE_GOING_AWAY, "server shutdown",
                      SUBSCRIBER_END_SHUTDOWN);
        break;
    default:
        send_frame(play, 0x80 | WS_TEXT, line, size);
        break;
    }
}

/* -- what was written -------------------------------------------------------------------------- */

struct totals {
    size_t reply_bytes, snapshots;
};

/* What the server says of itself, a warning or that there is no snapshot yet, is no reply. */
static void check_text(const char *text, size_t size, struct totals *totals)
{
    struct utf8 utf8 = {0};
    check(utf8_feed(&utf8, text, size) && utf8_is_complete(&utf8));
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    check(json_is_object(root));
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *code = json_string_value(json_object_get(root, "code"));
    check(type != NULL);
    if (strcmp(type, "snapshot") == 0)
        totals->snapshots++;
    else if (strcmp(type, "warning") != 0 && (code == NULL || strcmp(code, "SERVER_ERROR") != 0))
        totals->reply_bytes += size;
    json_decref(root);
}

static void check_message(const struct client *client, const struct server_frame *frame,
                          struct totals *totals)
{
    if (!frame->is_compressed) {
        check_text(frame->payload, frame->size, totals);
        return;
    }
    struct buffer text = {0};
    check(client->session.subscriber.outbox.deflates);
    check(ws_inflate(hub_inflater(session_hub(&client->session)), frame->payload, frame->size,
                     1 << 20, &text) == WS_INFLATE_DONE);
    check_text(text.data, text.size, totals);
    buffer_deinit(&text);
}

static void check_close(const struct server_frame *frame)
{
    const uint8_t *bytes = (const uint8_t *)frame->payload;
    if (frame->size == 0)
        return;
    check(frame->size >= 2);
    int code = bytes[0] << 8 | bytes[1];
    check((code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
          (code >= 3000 && code <= 4999));
    struct utf8 utf8 = {0};
    check(utf8_feed(&utf8, frame->payload + 2, frame->size - 2) && utf8_is_complete(&utf8));
}

static void check_totals(const struct play *play, const struct totals *totals)
{
    size_t seconds = (size_t)((fake_now_ns - FAKE_START_NS) / 1000000000) + 1;
    size_t periods = seconds * 1000 / HUB_FIRSTS_PERIOD_MS + 1;
    check(totals->reply_bytes <= play->client.received + REPLIES_ONCE +
                                     seconds * ALLOWANCE_PER_SECOND * ALLOWANCE_WORK_SIZE);
    check(totals->snapshots <= play->seq + (2 + periods) * config.symbols.count);
}

static void check_written(const struct play *play)
{
    const struct client *client = &play->client;
    struct totals totals = {0};
    struct server_frame frame = {0};
    bool is_closed = false;
    for (size_t at = 0; at < client->written.size;) {
        if (!server_frame_next(&client->written, &at, &frame)) {
            check(client->is_aborted); /* a cut connection alone may end within a frame */
            break;
        }
        check(!is_closed);
        is_closed = frame.opcode == WS_CLOSE;
        if (frame.opcode == WS_TEXT) {
            check_message(client, &frame, &totals);
            continue;
        }
        check(frame.opcode == WS_CLOSE || frame.opcode == WS_PING || frame.opcode == WS_PONG);
        check(frame.size <= WS_CONTROL_PAYLOAD_MAX);
        totals.reply_bytes += frame.opcode == WS_PONG ? frame.size : 0;
        if (is_closed)
            check_close(&frame);
    }
    check(!client->is_finished || is_closed);
    check_totals(play, &totals);
}

/* -- the play ---------------------------------------------------------------------------------- */

static void act(struct play *play, const uint8_t *data, size_t size)
{
    for (unsigned steps = 0; size > 0 && steps < STEPS_MAX; steps++) {
        if (data[0] == '*') { /* the rest is what the client sends, byte for byte */
            receive(play, data + 1, size - 1);
            return;
        }
        const uint8_t *stop = memchr(data, '\n', size);
        if (stop == NULL)
            stop = data + size;
        if (stop > data)
            step(play, data, (size_t)(stop - data));
        if (stop == data + size)
            return;
        size -= (size_t)(stop - data) + 1;
        data = stop + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct play play;
    if (config.symbols.count == 0)
        value_parse_symbols("BTCUSDT,ETHUSDT,SOLUSDT", &config.symbols, NULL);
    fake_now_ns = FAKE_START_NS;
    play = (struct play){.client = {.room = SIZE_MAX}};
    play.publisher = publisher_create(&config.symbols, on_wanted, NULL);
    mailbox_init(&play.mailbox, config.symbols.count, NULL, NULL);
    publisher_add_mailbox(play.publisher, &play.mailbox);
    hub_init(&play.hub, &config, play.publisher, &transport);
    bool deflates = size > 0 && data[0] == 'Z'; /* it negotiated permessage-deflate */
    session_init(&play.client.session, &play.hub, &request_protocol, deflates, &play.client);

    act(&play, data + deflates, size - deflates);
    play.client.room = SIZE_MAX;
    subscriber_flush(&play.client.session.subscriber);
    check_written(&play);

    session_deinit(&play.client.session);
    for (size_t i = 0; i < config.symbols.count; i++)
        check(publisher_subscriber_count(play.publisher, i) == 0);
    check(list_is_empty(&play.hub.group.ready) && list_is_empty(&play.hub.group.blocked) &&
          list_is_empty(&play.hub.held) && atomic_load(&play.hub.group.slow_count) == 0);
    buffer_deinit(&play.client.written);
    hub_deinit(&play.hub);
    mailbox_deinit(&play.mailbox);
    publisher_destroy(play.publisher);
    return 0;
}
