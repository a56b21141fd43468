/* A client makes the server work, and send, no more than it sends itself and a constant a second:
 * whatever it sends, as fast as it can, for a minute. What it is sent because there is news does
 * not count, as every subscriber gets that. */
#include "session_fixture.h"

enum {
    SECONDS = 60,
    MESSAGES_IN_TENTH = 150, /* of a second */
    SNAPSHOT_SIZE = 14000,
    ONCE = 96 * 1024,
};

/* What replies may be beyond the bytes that came: what the allowance pays for, and once a full
 * bucket and the refusals behind it. */
static size_t reply_bytes_max(unsigned seconds)
{
    return (size_t)seconds * ALLOWANCE_PER_SECOND * ALLOWANCE_WORK_SIZE + ONCE;
}

/* -- what it sends ----------------------------------------------------------------------------- */

struct attack {
    const char *name;
    int first;                 /* byte of the frame, without FIN's meaning for `deflates` */
    bool deflates;             /* the message is sent compressed */
    bool is_clever;            /* stops short of being closed, until its refusals are forgotten */
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

static struct buffer object_with_id(const char *id)
{
    struct buffer out = {0};
    buffer_append_format(&out, "{\"id\":\"%s\"}", id);
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

static bool may_send(const struct attack *attack, const struct allowance *allowance)
{
    double tokens = (double)allowance->tokens +
                    (double)(fake_now_ns - allowance->updated_ns) / 1e9 * ALLOWANCE_PER_SECOND;
    return !attack->is_clever || allowance->refusals < REQUEST_REFUSALS_MAX ||
           tokens > 1 + ALLOWANCE_BURST / 2;
}

/* Plays the attack for a minute, or until the client is closed. Returns how many seconds. */
static unsigned play(const struct attack *attack, struct traffic *traffic)
{
    struct client *client = connect_with(&request_protocol, attack->deflates);
    unsigned turn = 0, tenth = 0;
    *traffic = (struct traffic){0};
    for (; tenth < 10 * SECONDS && session_is_open(&client->session); tenth++) {
        for (int i = 0; i < MESSAGES_IN_TENTH && session_is_open(&client->session); i++)
            if (may_send(attack, &client->session.allowance))
                send_attack(client, attack, turn++, traffic);
        tick_for_ms(100);
        if (tenth % 10 == 9)
            session_check_liveness(&client->session, fake_now_ns);
        traffic->out += client->written.size;
        buffer_clear(&client->written);
    }
    disconnect(client);
    return (tenth + 9) / 10;
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
    for (int is_clever = 0; is_clever < 2; is_clever++) {
        struct attack attacks[] = {
            {"one empty name many times, a long id",
             0x81,
             true,
             is_clever,
             {request_of("subscribe", buffer_text(&long_id), "", 650)}},
            {"one empty name many times",
             0x81,
             true,
             is_clever,
             {request_of("subscribe", "1", "", 1300)}},
            {"unknown names, an id of control characters",
             0x81,
             true,
             is_clever,
             {request_of("subscribe", buffer_text(&id), "\\u0001\\u0002%02d", 64)}},
            {"a thousand unknown names",
             0x81,
             true,
             is_clever,
             {request_of("subscribe", "1", "%d", 1000)}},
            {"subscribing and unsubscribing",
             0x81,
             true,
             is_clever,
             {text_of("{\"action\":\"subscribe\",\"symbols\":[\"BTCUSDT\",\"ETHUSDT\"],\"id\":1}"),
              text_of("{\"action\":\"unsubscribe\",\"symbols\":[\"BTCUSDT\",\"ETHUSDT\"]}")}},
            {"pings that want an acknowledgement",
             0x81,
             false,
             is_clever,
             {text_of("{\"action\":\"ping\",\"id\":1}")}},
            {"nothing but an id of control characters",
             0x81,
             true,
             is_clever,
             {object_with_id(buffer_text(&id))}},
            {"empty objects", 0x81, false, is_clever, {text_of("{}")}},
            {"blanks, compressed", 0x81, true, is_clever, {repeated(' ', REQUEST_SIZE_MAX)}},
            {"deep nesting, compressed", 0x81, true, is_clever, {repeated('[', REQUEST_SIZE_MAX)}},
            {"binary messages, compressed",
             0x82,
             true,
             is_clever,
             {repeated('b', REQUEST_SIZE_MAX)}},
            {"nothing, compressed", 0x81, true, is_clever, {text_of("")}},
            {"protocol pings", 0x89, false, is_clever, {repeated('p', 125)}},
            {"empty protocol pings", 0x89, false, is_clever, {text_of("")}},
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
    for (int i = 0; i < 2; i++) {
        struct traffic traffic;
        attack.is_clever = i == 1;
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
