/* A client makes the server work, and send, no more than it sends itself and a constant a second:
 * whatever it sends, as fast as it can, for a minute. What it is sent because there is news does
 * not count, as every subscriber gets that. */
#include "session_fixture.h"

enum {
    SECONDS = 60,
    MESSAGES_PER_SECOND = 400,
    SNAPSHOT_SIZE = 14000,
};

/* What replies may be beyond the bytes that came: what the allowance pays for, and at any moment a
 * burst of refusals before the client is closed or has to pause. */
static size_t reply_bytes_max(unsigned seconds)
{
    return (size_t)seconds * ALLOWANCE_PER_SECOND * ALLOWANCE_WORK_SIZE + OUTBOX_REPLY_BYTES_MAX;
}

/* -- what it sends ----------------------------------------------------------------------------- */

struct attack {
    const char *name;
    int first;                 /* byte of the frame, without FIN's meaning for `deflates` */
    bool deflates;             /* the message is sent compressed */
    unsigned pauses;           /* seconds without a message behind each second with many */
    struct buffer messages[2]; /* sent in turns; the second may be empty */
};

static struct buffer text_of(const char *text)
{
    struct buffer out = {0};
    buffer_append_text(&out, text);
    return out;
}

/* A request with as many names as fit, each made by `format` from its number. */
static struct buffer request_of(const char *action, const char *id, const char *format, int names)
{
    struct buffer out = {0};
    buffer_append_format(&out, "{\"action\":\"%s\",\"id\":\"%s\",\"symbols\":[", action, id);
    for (int i = 0; i < names; i++) {
        char name[64];
        snprintf(name, sizeof name, format, i);
        if (out.size + strlen(name) + 5 > REQUEST_SIZE_MAX)
            break;
        buffer_append_format(&out, "%s\"%s\"", i > 0 ? "," : "", name);
    }
    buffer_append_text(&out, "]}");
    return out;
}

static struct buffer repeated(char c, size_t count)
{
    struct buffer out = {0};
    for (size_t i = 0; i < count; i++)
        buffer_append_char(&out, c);
    return out;
}

/* -- how much comes back ----------------------------------------------------------------------- */

struct traffic {
    size_t in, out;
};

static void send_attack(struct client *client, const struct attack *attack, unsigned turn,
                        struct traffic *traffic)
{
    const struct buffer *message = &attack->messages[turn % 2];
    struct buffer payload = {0}, frame = {0};
    if (turn % 2 == 1 && message->data == NULL)
        message = &attack->messages[0];
    if (attack->deflates)
        ws_deflate(hub_deflater(&hub), message->data, message->size, &payload);
    else if (message->size > 0)
        buffer_append(&payload, message->data, message->size);
    put_frame(&frame, attack->first | (attack->deflates ? 0x40 : 0), payload.data, payload.size);
    traffic->in += frame.size;
    receive(client, &frame);
    buffer_deinit(&payload);
}

/* Plays the attack for a minute, or until the client is closed. Returns how many seconds. */
static unsigned play(const struct attack *attack, struct traffic *traffic)
{
    struct client *client = connect_with(&request_protocol, attack->deflates);
    unsigned turn = 0, second = 0;
    *traffic = (struct traffic){0};
    for (; second < SECONDS && session_is_open(&client->session); second++) {
        bool rests = attack->pauses > 0 && second % (attack->pauses + 1) != 0;
        for (int i = 0; !rests && i < MESSAGES_PER_SECOND; i++) {
            if (!session_is_open(&client->session) ||
                (i > 0 && attack->pauses > 0 && client->session.allowance.refusals > 90))
                break;
            send_attack(client, attack, turn++, traffic);
        }
        tick_for_ms(1000);
        session_check_liveness(&client->session, fake_now_ns);
        traffic->out += client->written.size;
        buffer_clear(&client->written);
    }
    disconnect(client);
    return second;
}

static void expect_bounded(struct attack *attack)
{
    struct traffic traffic;
    unsigned seconds = play(attack, &traffic);
    size_t bound = traffic.in + reply_bytes_max(seconds);
    print_message("%-44s %2u s: %7zu bytes in, %8zu out\n", attack->name, seconds, traffic.in,
                  traffic.out);
    if (traffic.out > bound)
        fail_msg("%s: %zu bytes for %zu", attack->name, traffic.out, traffic.in);
    buffer_deinit(&attack->messages[0]);
    buffer_deinit(&attack->messages[1]);
}

static void replies_are_bounded_whatever_a_client_sends(void **state)
{
    (void)state;
    struct buffer long_id = repeated('i', 1950), id = {0};
    for (int i = 0; i < REQUEST_ID_SIZE_MAX; i++)
        buffer_append_text(&id, "\\u0001");
    for (unsigned pauses = 0; pauses < 6; pauses += 2) {
        struct attack attacks[] = {
            {"one empty name many times, a long id",
             0x81,
             true,
             pauses,
             {request_of("subscribe", buffer_text(&long_id), "", 650)}},
            {"one empty name many times",
             0x81,
             true,
             pauses,
             {request_of("subscribe", "1", "", 1300)}},
            {"unknown names, an id of control characters",
             0x81,
             true,
             pauses,
             {request_of("subscribe", buffer_text(&id), "\\u0001\\u0002%02d", REQUEST_NAMES_MAX)}},
            {"too many names", 0x81, true, pauses, {request_of("subscribe", "1", "%d", 1000)}},
            {"subscribing and unsubscribing",
             0x81,
             true,
             pauses,
             {text_of("{\"action\":\"subscribe\",\"symbols\":[\"BTCUSDT\",\"ETHUSDT\"],\"id\":1}"),
              text_of("{\"action\":\"unsubscribe\",\"symbols\":[\"BTCUSDT\",\"ETHUSDT\"]}")}},
            {"pings that want an acknowledgement",
             0x81,
             false,
             pauses,
             {text_of("{\"action\":\"ping\",\"id\":1}")}},
            {"empty objects", 0x81, false, pauses, {text_of("{}")}},
            {"blanks, compressed", 0x81, true, pauses, {repeated(' ', REQUEST_SIZE_MAX)}},
            {"deep nesting, compressed", 0x81, true, pauses, {repeated('[', REQUEST_SIZE_MAX)}},
            {"binary messages, compressed", 0x82, true, pauses, {repeated('b', REQUEST_SIZE_MAX)}},
            {"nothing, compressed", 0x81, true, pauses, {text_of("")}},
            {"protocol pings", 0x89, false, pauses, {repeated('p', 125)}},
            {"empty protocol pings", 0x89, false, pauses, {text_of("")}},
        };
        for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++)
            expect_bounded(&attacks[i]);
    }
    buffer_deinit(&long_id);
    buffer_deinit(&id);
}

/* -- snapshots that are no news ---------------------------------------------------------------- */

static void snapshots_are_not_had_again_and_again_by_subscribing_again(void **state)
{
    (void)state;
    struct buffer data = repeated(' ', SNAPSHOT_SIZE);
    buffer_append_text(&data, "{}");
    for (size_t symbol = 0; symbol < 3; symbol++)
        publish_data(publisher, &config.symbols, symbol, 9, 1, 1, buffer_text(&data));
    deliver();
    struct attack attack = {
        "snapshots by subscribing again",
        0x81,
        true,
        0,
        {request_of("subscribe", "1", "%.0dBTCUSDT\",\"ETHUSDT\",\"SOLUSDT", 1),
         request_of("unsubscribe", "1", "%.0dBTCUSDT\",\"ETHUSDT\",\"SOLUSDT", 1)}};
    for (attack.pauses = 0; attack.pauses < 8; attack.pauses++) {
        struct traffic traffic;
        unsigned seconds = play(&attack, &traffic);
        size_t snapshots = 3 * (2 + (size_t)seconds * 1000 / HUB_FIRSTS_PERIOD_MS + 1);
        assert_true(traffic.out > 3 * SNAPSHOT_SIZE);
        assert_true(traffic.out <=
                    traffic.in + snapshots * (SNAPSHOT_SIZE + 200) + reply_bytes_max(seconds));
    }
    buffer_deinit(&attack.messages[0]);
    buffer_deinit(&attack.messages[1]);
    buffer_deinit(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(replies_are_bounded_whatever_a_client_sends),
        fact(snapshots_are_not_had_again_and_again_by_subscribing_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
