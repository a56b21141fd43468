/* A Redis that says anything: replies of any form to any command, and messages on any channel, in
 * any order. The input is what comes over the socket, from hiredis' parser on; each reply goes to
 * every place that takes one, and a status (`+OK`) lets time pass. What must hold is what clients
 * rely on: a symbol's numbers rise, are exact in JavaScript, and leave room for the next; what is
 * sent on parses again. */
#include "fuzz.h"

#include "base/clock.h"
#include "base/log.h"
#include "cluster/cluster_internal.h"
#include "cluster/print_message.h"

#include <stdio.h>

enum { PASSING_MS = 20000 };

static const char own_id[] = "me"; /* so that an input can give this server the lease */
static struct config config;
static struct numbers newest[SYMBOLS_MAX];

static void check_text(const struct publication *publication)
{
    struct message message;
    const char *symbol = config.symbols.names[publication->symbol_index];
    check(message_parse(&message, publication->text, publication->text_size, symbol,
                        MESSAGE_NUMBER_MAX, NULL) == MESSAGE_OK);
    check(message.epoch == publication->epoch && message.seq == publication->seq);
    check(message.timestamp_ms == publication->timestamp_ms);
    check(publication_hash(message.timestamp_ms, message.data.data, message.data.size) ==
          publication->hash);
}

/* As publisher_publish() would take it. */
static bool on_publication(const struct publication *publication, bool is_foreign, void *context)
{
    (void)is_foreign;
    (void)context;
    struct numbers *last = &newest[publication->symbol_index];
    check(publication->symbol_index < config.symbols.count);
    check(publication->epoch >= 1 && publication->epoch <= MESSAGE_NUMBER_MAX);
    check(publication->seq >= 1 && publication->seq <= MESSAGE_NUMBER_MAX);
    check_text(publication);
    if (publication->epoch < last->epoch ||
        (publication->epoch == last->epoch && publication->seq <= last->seq))
        return false;
    *last = (struct numbers){publication->epoch, publication->seq};
    return true;
}

static bool on_print(size_t symbol_index, uint64_t key, const char *text, size_t text_size,
                     void *context)
{
    uint64_t again;
    (void)context;
    check(print_message_parse(text, text_size, config.symbols.names[symbol_index], &again, NULL) ==
              PRINT_TAKEN &&
          again == key);
    return key % 2 == 0;
}

static void find_newest(size_t symbol_index, uint64_t *epoch, uint64_t *seq, void *context)
{
    (void)context;
    *epoch = newest[symbol_index].epoch;
    *seq = newest[symbol_index].seq;
}

static void on_state(enum cluster_state state, uint64_t epoch, void *context)
{
    (void)context;
    check(state < CLUSTER_STATE_COUNT && epoch <= MESSAGE_NUMBER_MAX);
    check((epoch != 0) == (state == CLUSTER_LEADING || state == CLUSTER_ALONE));
}

static struct cluster *start(uv_loop_t *loop)
{
    struct cluster *cluster = cluster_create(&(struct cluster_options){
        .loop = loop,
        .config = &config,
        .may_generate = true,
        .on_state = on_state,
        .on_publication = on_publication,
        .on_print = on_print,
        .find_newest = find_newest,
    });
    memset(newest, 0, sizeof newest);
    snprintf(cluster->id, sizeof cluster->id, "%s", own_id);
    cluster->is_subscribed = true;
    cluster->probe_heard_ns = clock_monotonic_ns();
    return cluster;
}

/* What was ignored, was so a while ago. */
static void pass_time(struct cluster *cluster)
{
    uint64_t now_ns = clock_monotonic_ns();
    for (size_t i = 0; i < config.symbols.count; i++) {
        struct incoming *incoming = &cluster->incoming[i];
        uint64_t *const times_ns[] = {&incoming->older_since_ns, &incoming->dropped_since_ns};
        for (size_t j = 0; j < 2; j++)
            if (*times_ns[j] > PASSING_MS * UINT64_C(1000000))
                *times_ns[j] -= PASSING_MS * UINT64_C(1000000);
    }
    feed_on_tick(cluster, now_ns);
    (void)feed_fault(cluster, now_ns);
    lease_on_tick(&cluster->lease, now_ns, 1);
}

static void take_reply(struct cluster *cluster, const redisReply *reply)
{
    struct redis_link *commands = &cluster->commands, *subscription = &cluster->subscription;
    if (reply->type == REDIS_REPLY_STATUS) {
        pass_time(cluster);
        return;
    }
    subscription->events->on_reply(subscription, command_tag(COMMAND_SUBSCRIBE, 0), reply);
    for (enum command command = COMMAND_HEARTBEAT; command <= COMMAND_KEEP; command++)
        if (command != COMMAND_RELEASE)
            commands->events->on_reply(commands, command_tag(command, 0), reply);
    check(lease_epoch_max(&cluster->lease) <= MESSAGE_NUMBER_MAX + LEASE_EPOCH_STEP_MAX);
    check(cluster->lease.epoch <= MESSAGE_NUMBER_MAX);
}

static void take_replies(struct cluster *cluster, const char *bytes, size_t size)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    check(redisReaderFeed(reader, bytes, size) == REDIS_OK);
    while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL) {
        take_reply(cluster, reply);
        freeReplyObject(reply);
        reply = NULL;
    }
    redisReaderFree(reader);
}

/* hiredis allocates what a list announces before it has come: that is its own affair. */
static bool has_long_list(const char *bytes, size_t size)
{
    for (size_t i = 0; i + 3 < size; i++)
        if (bytes[i] == '*' && bytes[i + 1] >= '0' && bytes[i + 2] >= '0' && bytes[i + 3] >= '0')
            return true;
    return false;
}

static void configure(void)
{
    log_configure(LOG_ERROR, LOG_FORMAT_TEXT);
    snprintf(config.redis_channel_prefix, sizeof config.redis_channel_prefix, "heatmap");
    snprintf(config.redis_url.host, sizeof config.redis_url.host, "127.0.0.1");
    snprintf(config.symbols.names[0], sizeof config.symbols.names[0], "BTCUSDT");
    snprintf(config.symbols.names[1], sizeof config.symbols.names[1], "ETHUSDT");
    config.symbols.count = 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uv_loop_t loop;
    if (config.symbols.count == 0)
        configure();
    if (has_long_list((const char *)data, size))
        return 0;
    check(uv_loop_init(&loop) == 0);
    struct cluster *cluster = start(&loop);
    char *bytes = fuzz_copy(data, size);
    take_replies(cluster, bytes, size);
    free(bytes);
    cluster_begin_stop(cluster);
    check(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    cluster_destroy(cluster);
    check(uv_loop_close(&loop) == 0);
    return 0;
}
