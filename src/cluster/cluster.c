/* Two connections, because one that subscribes takes no other commands. Every second a heartbeat
 * (scripts.c) asks Redis who generates, and takes or renews the lease; every two seconds a probe
 * goes out on one connection and must come in on the other, since a connection that stands and
 * answers need not deliver: a proxy that lost the subscription, a rule that forbids the channel, a
 * replica that was cut off. What the heartbeat and the probe find goes into the lease (lease.c),
 * which says what state this server is in.
 *
 *                      heartbeat, probe, snapshots                 publications
 *     outgoing.c  ->  [ commands ]  ->  Redis  ->  [ subscription ]  ->  feed.c
 *
 * Nothing here waits. Frames of the generator come through a mailbox, and what clients get leaves
 * through the publisher and the worker loops' mailboxes. Other threads read what a lock guards:
 * the reading, and which epoch the generator may still publish. */
#include "cluster/cluster_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cluster/reply.h"
#include "cluster/scripts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS_NS UINT64_C(1000000)

enum {
    TICK_MS = 100,
    HEARTBEAT_MS = 1000,
    HEARTBEAT_SPREAD_MS = 50, /* so that servers do not all reach for a free lease at once */
    PROBE_MS = 2000,
    PROBE_TIMEOUT_MS = 3000,
    FETCH_MS = 1000,
    BAR_MS = 10000, /* after its database could not be read, before it is a candidate again */
    REPLACED_LOG_MS = 60000,
    SCRIPT_ARGUMENTS_MAX = 10,
};

static const char *const state_names[CLUSTER_STATE_COUNT] = {
    [CLUSTER_JOINING] = "joining",
    [CLUSTER_FOLLOWING] = "following",
    [CLUSTER_LEADING] = "leading",
    [CLUSTER_ALONE] = "alone",
};

const char *cluster_state_name(enum cluster_state state)
{
    return state_names[state];
}

/* -- commands ---------------------------------------------------------------------------------- */

char *cluster_key(const struct cluster *cluster, const char *kind, const char *name,
                  char text[REDIS_NAME_SIZE])
{
    snprintf(text, REDIS_NAME_SIZE, "%s:%s%s%s", cluster->options.config->redis_channel_prefix,
             kind != NULL ? kind : "", kind != NULL ? ":" : "", name);
    return text;
}

char *cluster_channel(const struct cluster *cluster, const char *name, char text[REDIS_NAME_SIZE])
{
    const struct config *config = cluster->options.config;
    char database[16] = "";
    if (config->redis_url.database != 0)
        snprintf(database, sizeof database, "@%d", config->redis_url.database);
    snprintf(text, REDIS_NAME_SIZE, "%s%s:%s", config->redis_channel_prefix, database, name);
    return text;
}

void cluster_run(struct cluster *cluster, uint32_t tag, const char *script, int key_count,
                 int count, const struct script_argument *arguments)
{
    const char *words[SCRIPT_ARGUMENTS_MAX + 3] = {"EVAL", script};
    size_t sizes[SCRIPT_ARGUMENTS_MAX + 3] = {4, strlen(script), 1};
    char keys[2] = {(char)('0' + key_count), '\0'};
    check(count <= SCRIPT_ARGUMENTS_MAX && key_count <= 9);
    words[2] = keys;
    for (int i = 0; i < count; i++) {
        words[3 + i] = arguments[i].text;
        sizes[3 + i] = arguments[i].size != 0 ? arguments[i].size : strlen(arguments[i].text);
    }
    redis_link_command(&cluster->commands, tag, count + 3, words, sizes);
}

static bool is_ready(const struct redis_link *link)
{
    return link->state == LINK_READY;
}

/* -- state ------------------------------------------------------------------------------------- */

/* Publications come through, by the last probe. */
static bool hears(const struct cluster *cluster, uint64_t now_ns)
{
    return cluster->is_subscribed && cluster->probe_heard_ns != 0 &&
           now_ns - cluster->probe_heard_ns < (PROBE_MS + PROBE_TIMEOUT_MS) * MS_NS;
}

/* Why this server is not fully connected, or "". */
static const char *find_fault(const struct cluster *cluster, uint64_t now_ns)
{
    if (!is_ready(&cluster->commands))
        return cluster->commands.reason;
    if (cluster->heartbeat_fault[0] != '\0')
        return cluster->heartbeat_fault;
    if (!is_ready(&cluster->subscription))
        return cluster->subscription.reason;
    if (!hears(cluster, now_ns))
        return "connected, but publications do not come through";
    const char *fault = feed_fault(cluster, now_ns);
    return fault[0] != '\0' ? fault : cluster->keep_fault;
}

static void refresh_reading(struct cluster *cluster, uint64_t now_ns)
{
    const char *fault = find_fault(cluster, now_ns);
    pthread_mutex_lock(&cluster->lock);
    cluster->reading.state = (enum cluster_state)cluster->lease.state;
    cluster->reading.is_connected = fault[0] == '\0';
    snprintf(cluster->reading.reason, sizeof cluster->reading.reason, "%s", fault);
    pthread_mutex_unlock(&cluster->lock);
    atomic_store_explicit(&cluster->counters.commands_ready, is_ready(&cluster->commands),
                          memory_order_relaxed);
    atomic_store_explicit(&cluster->counters.subscription_ready, cluster->is_subscribed,
                          memory_order_relaxed);
    atomic_store_explicit(&cluster->counters.losses,
                          cluster->commands.losses + cluster->subscription.losses,
                          memory_order_relaxed);
}

/* The epoch and its end are read together by the generator's thread, so they are written
 * together. */
static void set_admitted(struct cluster *cluster, uint64_t epoch, uint64_t until_ns)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->admitted_epoch = epoch;
    cluster->admitted_until_ns = until_ns;
    pthread_mutex_unlock(&cluster->lock);
}

bool cluster_admits(struct cluster *cluster, uint64_t epoch)
{
    pthread_mutex_lock(&cluster->lock);
    uint64_t until_ns = cluster->admitted_epoch == epoch ? cluster->admitted_until_ns : 0;
    pthread_mutex_unlock(&cluster->lock);
    return clock_monotonic_ns() < until_ns;
}

/* Passes on what the lease says now, to the generator's thread and to the owner. */
static void apply_state(struct cluster *cluster)
{
    _Static_assert((int)CLUSTER_JOINING == (int)LEASE_JOINING &&
                       (int)CLUSTER_FOLLOWING == (int)LEASE_FOLLOWING &&
                       (int)CLUSTER_LEADING == (int)LEASE_LEADING &&
                       (int)CLUSTER_ALONE == (int)LEASE_ALONE,
                   "the lease's states are the cluster's");
    const struct lease *lease = &cluster->lease;
    set_admitted(cluster, lease->epoch,
                 lease->state == LEASE_LEADING ? lease->valid_until_ns : UINT64_MAX);
    if (lease->state == cluster->applied_state && lease->epoch == cluster->applied_epoch)
        return;
    bool is_new_state = lease->state != cluster->applied_state;
    cluster->applied_state = lease->state;
    cluster->applied_epoch = lease->epoch;
    if (is_new_state) {
        count(&cluster->counters.state_changes);
        log_info("cluster", log_text("state", state_names[lease->state]),
                 log_text("server", cluster->id), log_int("epoch", (int64_t)lease->epoch));
    } else {
        log_debug("cluster epoch", log_int("epoch", (int64_t)lease->epoch));
    }
    refresh_reading(cluster, clock_monotonic_ns());
    cluster->options.on_state((enum cluster_state)lease->state, lease->epoch,
                              cluster->options.context);
    outgoing_flush(cluster); /* drops what may no longer be sent */
}

/* -- heartbeat --------------------------------------------------------------------------------- */

/* Its role in the election now. One that leads stays a candidate although it hears nothing: the
 * others hear it. */
static const char *role(const struct cluster *cluster, uint64_t now_ns)
{
    bool is_candidate = cluster->options.may_generate && now_ns >= cluster->barred_until_ns &&
                        (hears(cluster, now_ns) || cluster->lease.state == LEASE_LEADING);
    return !is_candidate                                                ? "none"
           : cluster->options.config->cluster_role == CLUSTER_GENERATOR ? "generator"
                                                                        : "auto";
}

static void send_heartbeat(struct cluster *cluster, uint64_t now_ns)
{
    char seen[24], held[24], epoch_max[24], lease_ms[16];
    const struct lease *lease = &cluster->lease;
    bool is_leading = lease->state == LEASE_LEADING;
    snprintf(seen, sizeof seen, "%" PRIu64, lease->seen_epoch);
    snprintf(held, sizeof held, "%" PRIu64, is_leading ? lease->epoch : 0);
    snprintf(epoch_max, sizeof epoch_max, "%" PRIu64, lease_stored_epoch_max(lease));
    snprintf(lease_ms, sizeof lease_ms, "%d", LEASE_MS);
    cluster->is_heartbeat_awaited = true;
    cluster->heartbeat_sent_ns = now_ns;
    cluster->heartbeat_due_ns = now_ns + HEARTBEAT_MS * MS_NS;
    cluster_run(cluster, command_tag(COMMAND_HEARTBEAT, 0), script_heartbeat, 3, 9,
                (struct script_argument[]){{cluster->lease_key, 0},
                                           {cluster->epoch_key, 0},
                                           {cluster->claim_key, 0},
                                           {cluster->id, 0},
                                           {role(cluster, now_ns), 0},
                                           {lease_ms, 0},
                                           {seen, 0},
                                           {held, 0},
                                           {epoch_max, 0}});
}

/* A replica answers, but cannot write: a failover is moving the name, which is resolved again. */
static void on_heartbeat_error(struct cluster *cluster, const char *text)
{
    snprintf(cluster->heartbeat_fault, sizeof cluster->heartbeat_fault, "%s", text);
    log_debug("heartbeat refused", log_text("reason", cluster->heartbeat_fault));
    if (strstr(text, "READONLY") == NULL)
        return;
    redis_link_fail(&cluster->subscription, text);
    redis_link_fail(&cluster->commands, text);
}

static void log_replaced(struct cluster *cluster, const char *replaced, uint64_t now_ns)
{
    if (replaced[0] == '\0' || (cluster->replaced_logged_ns != 0 &&
                                now_ns - cluster->replaced_logged_ns < REPLACED_LOG_MS * MS_NS))
        return;
    cluster->replaced_logged_ns = now_ns;
    log_warn("keys in Redis held what no server wrote; replaced", log_text("were", replaced),
             log_text("advice", "keep other programs from writing these keys"));
}

static void take_lease(struct cluster *cluster, const struct heartbeat_reply *heartbeat,
                       uint64_t now_ns)
{
    const struct lease_reply found = {
        .has_holder = heartbeat->holder[0] != '\0',
        .is_mine = strcmp(heartbeat->holder, cluster->id) == 0,
        .epoch = heartbeat->epoch,
    };
    cluster->generator_epoch = found.has_holder && !found.is_mine ? found.epoch : 0;
    /* Asks again when the holder's time is over, in case it has not renewed by then. */
    uint64_t left_ms = heartbeat->left_ms + 1 + now_ns % HEARTBEAT_SPREAD_MS;
    if (!found.is_mine && found.has_holder && left_ms < HEARTBEAT_MS)
        cluster->heartbeat_due_ns = now_ns + left_ms * MS_NS;
    lease_on_reply(&cluster->lease, &found, hears(cluster, now_ns), cluster->heartbeat_sent_ns,
                   now_ns);
    if (found.is_mine && cluster->lease.state != LEASE_LEADING)
        cluster_hurry(cluster); /* it came too late to be used */
}

static void on_heartbeat(struct cluster *cluster, const redisReply *reply)
{
    uint64_t now_ns = clock_monotonic_ns();
    struct heartbeat_reply heartbeat;
    cluster->is_heartbeat_awaited = false;
    if (!reply_read_heartbeat(reply, &heartbeat) ||
        heartbeat.epoch > lease_stored_epoch_max(&cluster->lease) + 1) {
        on_heartbeat_error(cluster, reply_fault(reply));
        return;
    }
    snprintf(cluster->heartbeat_fault, sizeof cluster->heartbeat_fault, "%s", heartbeat.fault);
    log_replaced(cluster, heartbeat.replaced, now_ns);
    take_lease(cluster, &heartbeat, now_ns);
    apply_state(cluster);
    outgoing_flush(cluster);
}

void cluster_hurry(struct cluster *cluster)
{
    cluster->heartbeat_due_ns = 0;
}

/* -- probe ------------------------------------------------------------------------------------- */

static void send_probe(struct cluster *cluster, uint64_t now_ns)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, ++cluster->probe_number);
    cluster->probe_sent_ns = now_ns;
    cluster->probe_due_ns = now_ns + PROBE_MS * MS_NS;
    redis_link_command(&cluster->commands, command_tag(COMMAND_PROBE, 0), 3,
                       (const char *[]){"PUBLISH", cluster->probe_channel, number}, NULL);
}

static void check_probe(struct cluster *cluster, uint64_t now_ns)
{
    if (!cluster->is_subscribed || !is_ready(&cluster->commands))
        return;
    if (cluster->probe_sent_ns != 0 && now_ns - cluster->probe_sent_ns > PROBE_TIMEOUT_MS * MS_NS) {
        count(&cluster->counters.probe_failures);
        redis_link_fail(&cluster->subscription, "connected, but publications do not come through");
    } else if (cluster->probe_sent_ns == 0 && now_ns >= cluster->probe_due_ns) {
        send_probe(cluster, now_ns);
    }
}

/* What is kept is fetched when publications begin to come, and while they do not. */
static void check_fetch(struct cluster *cluster, uint64_t now_ns)
{
    bool is_wanted = cluster->is_subscribed ? !cluster->is_fetched : !hears(cluster, now_ns);
    if (!is_wanted || !is_ready(&cluster->commands) || now_ns < cluster->fetch_due_ns)
        return;
    cluster->is_fetched = cluster->is_subscribed;
    cluster->fetch_due_ns = now_ns + FETCH_MS * MS_NS;
    feed_fetch(cluster);
}

/* -- links ------------------------------------------------------------------------------------- */

static void on_commands_ready(struct redis_link *link)
{
    struct cluster *cluster = link->owner;
    cluster->heartbeat_due_ns = cluster->probe_due_ns = 0;
    outgoing_flush(cluster);
}

static void on_commands_lost(struct redis_link *link)
{
    struct cluster *cluster = link->owner;
    cluster->is_heartbeat_awaited = cluster->is_fetched = false;
    cluster->heartbeat_fault[0] = cluster->keep_fault[0] = '\0';
    cluster->probe_sent_ns = cluster->fetch_due_ns = 0;
    outgoing_on_lost(cluster);
}

static void on_subscription_ready(struct redis_link *link)
{
    struct cluster *cluster = link->owner;
    redis_link_subscribe(link, command_tag(COMMAND_SUBSCRIBE, 0), cluster->pattern);
}

static void on_subscription_lost(struct redis_link *link)
{
    struct cluster *cluster = link->owner;
    cluster->is_subscribed = false;
    cluster->probe_sent_ns = cluster->probe_heard_ns = 0;
}

static void on_subscribed(struct cluster *cluster)
{
    cluster->is_subscribed = true;
    cluster->is_fetched = false;
    cluster->probe_sent_ns = cluster->probe_heard_ns = 0;
    cluster->probe_due_ns = cluster->fetch_due_ns = 0;
}

static void on_subscription_reply(struct redis_link *link, uint32_t tag, const redisReply *reply)
{
    (void)tag;
    struct cluster *cluster = link->owner;
    struct publication_reply publication;
    if (reply_is_subscribed(reply))
        on_subscribed(cluster);
    else if (reply_read_publication(reply, &publication))
        feed_on_publication(cluster, publication.channel, publication.text);
}

/* The lease is given back, or that has taken too long. */
static void end_goodbye(uv_timer_t *timer)
{
    struct cluster *cluster = timer->data;
    redis_link_close(&cluster->commands);
    if (!uv_is_closing((uv_handle_t *)timer))
        uv_close((uv_handle_t *)timer, NULL);
}

static void on_command_reply(struct redis_link *link, uint32_t tag, const redisReply *reply)
{
    struct cluster *cluster = link->owner;
    size_t symbol_index = tag >> 8;
    if (cluster->is_stopping && tag != command_tag(COMMAND_RELEASE, 0))
        return;
    switch ((enum command)(tag & 0xff)) {
    case COMMAND_HEARTBEAT:
        on_heartbeat(cluster, reply);
        break;
    case COMMAND_PROBE:
        if (reply->type == REDIS_REPLY_ERROR)
            snprintf(cluster->heartbeat_fault, sizeof cluster->heartbeat_fault, "%s", reply->str);
        break;
    case COMMAND_FETCH:
        feed_on_fetched(cluster, symbol_index, reply);
        break;
    case COMMAND_PUBLISH:
    case COMMAND_KEEP:
        outgoing_on_reply(cluster, (enum command)(tag & 0xff), symbol_index, reply);
        break;
    case COMMAND_PRINT:
        outgoing_on_printed(cluster);
        break;
    case COMMAND_RELEASE:
        end_goodbye(&cluster->timer);
        break;
    case COMMAND_SUBSCRIBE:
        break;
    }
}

static const struct link_events command_events = {
    .on_ready = on_commands_ready,
    .on_lost = on_commands_lost,
    .on_reply = on_command_reply,
};

static const struct link_events subscription_events = {
    .on_ready = on_subscription_ready,
    .on_lost = on_subscription_lost,
    .on_reply = on_subscription_reply,
};

/* -- time -------------------------------------------------------------------------------------- */

static void check_database(struct cluster *cluster, uint64_t now_ns)
{
    if (!atomic_exchange_explicit(&cluster->is_database_broken, false, memory_order_relaxed) ||
        cluster->lease.state != LEASE_LEADING)
        return;
    log_warn("database cannot be read; leaving the lease to another server");
    cluster->barred_until_ns = now_ns + BAR_MS * MS_NS;
    lease_resign(&cluster->lease);
    cluster_hurry(cluster);
}

static void on_timer(uv_timer_t *timer)
{
    struct cluster *cluster = timer->data;
    uint64_t now_ns = clock_monotonic_ns();
    if (now_ns - cluster->ticked_ns > LEASE_STALL_MS * MS_NS && cluster->probe_sent_ns != 0)
        cluster->probe_sent_ns = now_ns; /* its answer may lie in the socket */
    cluster->ticked_ns = now_ns;
    redis_link_tick(&cluster->commands, now_ns);
    redis_link_tick(&cluster->subscription, now_ns);
    check_database(cluster, now_ns);
    feed_on_tick(cluster, now_ns);
    check_probe(cluster, now_ns);
    if (is_ready(&cluster->commands) && !cluster->is_heartbeat_awaited &&
        now_ns >= cluster->heartbeat_due_ns)
        send_heartbeat(cluster, now_ns);
    check_fetch(cluster, now_ns); /* after the first heartbeat: it says which epochs to believe */
    lease_on_tick(&cluster->lease, now_ns, clock_wall_ms());
    apply_state(cluster);
    refresh_reading(cluster, now_ns);
}

static void on_wake(uv_async_t *async)
{
    outgoing_take_mail(async->data);
}

static void on_mail(void *context)
{
    struct cluster *cluster = context;
    uv_async_send(&cluster->wake);
}

/* -- life -------------------------------------------------------------------------------------- */

static void make_names(struct cluster *cluster)
{
    uint64_t number;
    random_system_bytes(&number, sizeof number);
    snprintf(cluster->id, sizeof cluster->id, "%016" PRIx64, number);
    cluster_key(cluster, NULL, "lease", cluster->lease_key);
    cluster_key(cluster, NULL, "epoch", cluster->epoch_key);
    cluster_key(cluster, NULL, "claim", cluster->claim_key);
    cluster_channel(cluster, "", cluster->channels);
    cluster_channel(cluster, "*", cluster->pattern);
    char probe[sizeof "__probe__:" + SERVER_ID_SIZE];
    snprintf(probe, sizeof probe, "__probe__:%s", cluster->id);
    cluster_channel(cluster, probe, cluster->probe_channel);
}

struct cluster *cluster_create(const struct cluster_options *options)
{
    uint64_t now_ns = clock_monotonic_ns();
    const struct redis_url *url = &options->config->redis_url;
    struct cluster *cluster = memory_allocate_zeroed(1, sizeof *cluster);
    cluster->options = *options;
    make_names(cluster);
    check(pthread_mutex_init(&cluster->lock, NULL) == 0);
    check(uv_timer_init(options->loop, &cluster->timer) == 0);
    check(uv_async_init(options->loop, &cluster->wake, on_wake) == 0);
    cluster->timer.data = cluster->wake.data = cluster;
    const size_t symbol_count = options->config->symbols.count;
    mailbox_init(&cluster->outbox, symbol_count, on_mail, cluster);
    cluster->mail = memory_allocate_zeroed(symbol_count, sizeof *cluster->mail);
    cluster->outgoing = memory_allocate_zeroed(symbol_count, sizeof *cluster->outgoing);
    cluster->incoming = memory_allocate_zeroed(symbol_count, sizeof *cluster->incoming);
    lease_init(&cluster->lease, options->may_generate, now_ns);
    cluster->applied_state = LEASE_JOINING;
    cluster->ticked_ns = now_ns;
    redis_link_init(&cluster->commands, options->loop, url, "commands", &command_events, cluster);
    redis_link_init(&cluster->subscription, options->loop, url, "subscription",
                    &subscription_events, cluster);
    refresh_reading(cluster, now_ns);
    check(uv_timer_start(&cluster->timer, on_timer, 0, TICK_MS) == 0);
    return cluster;
}

void cluster_report_database(struct cluster *cluster, bool is_readable)
{
    atomic_store_explicit(&cluster->is_database_broken, !is_readable, memory_order_relaxed);
}

void cluster_read(struct cluster *cluster, struct cluster_reading *reading)
{
    pthread_mutex_lock(&cluster->lock);
    *reading = cluster->reading;
    pthread_mutex_unlock(&cluster->lock);
}

void cluster_begin_stop(struct cluster *cluster)
{
    set_admitted(cluster, 0, 0);
    cluster->is_stopping = true;
    mailbox_close(&cluster->outbox);
    uv_close((uv_handle_t *)&cluster->wake, NULL);
    redis_link_close(&cluster->subscription);
    uv_timer_stop(&cluster->timer);
    if (!is_ready(&cluster->commands)) {
        end_goodbye(&cluster->timer);
        return;
    }
    cluster_run(cluster, command_tag(COMMAND_RELEASE, 0), script_release, 2, 3,
                (struct script_argument[]){
                    {cluster->lease_key, 0}, {cluster->claim_key, 0}, {cluster->id, 0}});
    check(uv_timer_start(&cluster->timer, end_goodbye, CLUSTER_GOODBYE_MS, 0) == 0);
}

void cluster_destroy(struct cluster *cluster)
{
    if (cluster == NULL)
        return;
    outgoing_deinit(cluster);
    mailbox_deinit(&cluster->outbox);
    free(cluster->mail);
    free(cluster->outgoing);
    free(cluster->incoming);
    buffer_deinit(&cluster->numbered);
    pthread_mutex_destroy(&cluster->lock);
    free(cluster);
}
