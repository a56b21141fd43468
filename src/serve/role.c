/* The generator knows no network, the cluster no generator, and neither knows the publisher; what
 * one says to another passes through here. The generator's callbacks come on its thread, the
 * cluster's on the main loop, and a client's wish (role_on_wanted) on any worker loop: what they
 * share is the state of the cluster, which the main loop alone writes, and a flag a symbol.
 *
 * A wish wakes the generator where there is one at work. Where another server generates, what came
 * from it last is as new as can be, and says so at once; but while this server still finds its
 * place (JOINING), the client waits for the outcome. */
#include "serve/role.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/settings.h"

#include <stdlib.h>

bool role_is_relay(const struct config *config)
{
    return config->redis_enabled && config->cluster_role == CLUSTER_RELAY;
}

enum cluster_state role_cluster_state(const struct role *role)
{
    return (enum cluster_state)atomic_load_explicit(&role->cluster_state, memory_order_relaxed);
}

/* Whether this server's generator is at work. */
static bool is_generating(const struct role *role)
{
    enum cluster_state state = role_cluster_state(role);
    return !role->config->redis_enabled ||
           (!role_is_relay(role->config) && (state == CLUSTER_LEADING || state == CLUSTER_ALONE));
}

/* -- the generator's thread -------------------------------------------------------------------- */

/* A server that generates for others does not know what their clients want. */
static bool is_wanted(size_t symbol_index, void *context)
{
    const struct role *role = context;
    return publisher_is_wanted(role->publisher, symbol_index) ||
           role_cluster_state(role) == CLUSTER_LEADING;
}

static void on_published(const struct publication *published, size_t count, void *context)
{
    struct role *role = context;
    struct frame **frames = role->frames;
    if (role->cluster != NULL && !cluster_admits(role->cluster, published[0].epoch))
        return; /* another server has taken over; a new epoch begins with all symbols */
    publisher_publish(role->publisher, published, count, frames);
    for (size_t i = 0; i < count; i++) {
        if (frames[i] != NULL && role->cluster != NULL)
            cluster_publish(role->cluster, frames[i]);
        frame_release(frames[i]);
    }
}

/* A generator that cannot read its database should leave the work to one that can. */
static void report_database(struct role *role, enum status status)
{
    bool has_failed = status != STATUS_OK && status != STATUS_NO_DATA && status != STATUS_BUSY;
    size_t failures = 0;
    if (has_failed)
        failures = 1 + atomic_fetch_add_explicit(&role->failures_in_a_row, 1, memory_order_relaxed);
    else
        atomic_store_explicit(&role->failures_in_a_row, 0, memory_order_relaxed);
    cluster_report_database(role->cluster, failures < role->config->symbols.count);
}

static void on_checked(size_t symbol_index, enum status status, const char *message, void *context)
{
    (void)message; /* the generator has logged it */
    struct role *role = context;
    if (role->cluster != NULL)
        report_database(role, status);
    publisher_checked(role->publisher, symbol_index, status);
}

/* Where another server generates, what it publishes says how new its data are. */
static void on_newest(size_t symbol_index, int64_t open_time_ms, void *context)
{
    const struct role *role = context;
    if (is_generating(role))
        publisher_note_data_time(role->publisher, symbol_index, open_time_ms);
}

static void on_interest(size_t symbol_index, int64_t time_ms, void *context)
{
    const struct role *role = context;
    publisher_note_interest_time(role->publisher, symbol_index, time_ms);
}

static void on_computed(size_t symbol_index, uint64_t query_ns, uint64_t compute_ns, void *context)
{
    (void)symbol_index;
    const struct role *role = context;
    role->parts.on_computed(query_ns, compute_ns, role->parts.context);
}

/* -- liquidations (the source's thread, the main loop) -------------------------------------------
 */

void role_publish_print(struct role *role, size_t symbol_index, uint64_t key, const char *text,
                        size_t text_size)
{
    bool is_new = publisher_publish_print(role->publisher, symbol_index, key, text, text_size);
    /* Acquire: pairs with the release in join_servers(), which has set `cluster` before. */
    if (is_new && atomic_load_explicit(&role->has_joined, memory_order_acquire))
        cluster_publish_print(role->cluster, symbol_index, text, text_size);
}

/* From another server, or this one's own come back. */
static bool on_print(size_t symbol_index, uint64_t key, const char *text, size_t text_size,
                     void *context)
{
    struct role *role = context;
    return publisher_publish_print(role->publisher, symbol_index, key, text, text_size);
}

/* -- clients' wishes --------------------------------------------------------------------------- */

static void answer_without_generator(struct role *role, size_t symbol_index)
{
    struct frame *newest = publisher_newest(role->publisher, symbol_index);
    enum status status = newest != NULL                              ? STATUS_OK
                         : role_cluster_state(role) == CLUSTER_ALONE ? STATUS_UNREACHABLE
                                                                     : STATUS_NO_DATA;
    frame_release(newest);
    publisher_checked(role->publisher, symbol_index, status);
}

void role_on_wanted(size_t symbol_index, void *context)
{
    struct role *role = context;
    if (is_generating(role)) {
        generator_wake(role->generator, symbol_index);
        return;
    }
    /* Release and acquire: uv_async_send() may be merged with one that is under way, but the main
     * loop then sees the flag. */
    atomic_store_explicit(&role->is_asked[symbol_index], true, memory_order_release);
    uv_async_send(&role->asked);
}

static void on_asked(uv_async_t *async)
{
    struct role *role = async->data;
    for (size_t i = 0; i < role->config->symbols.count; i++) {
        if (!atomic_exchange_explicit(&role->is_asked[i], false, memory_order_acquire))
            continue;
        if (is_generating(role)) /* by now */
            generator_wake(role->generator, i);
        else if (role_cluster_state(role) != CLUSTER_JOINING)
            answer_without_generator(role, i);
    }
}

/* -- the cluster (main loop) ------------------------------------------------------------------- */

static void on_cluster_state(enum cluster_state state, uint64_t epoch, void *context)
{
    struct role *role = context;
    atomic_store_explicit(&role->cluster_state, (int)state, memory_order_relaxed);
    if (role->generator != NULL)
        generator_lead(role->generator, epoch);
    if (!is_generating(role))
        for (size_t i = 0; i < role->config->symbols.count; i++)
            answer_without_generator(role, i);
}

static bool on_publication(const struct publication *publication, bool is_foreign, void *context)
{
    struct role *role = context;
    struct frame *frame;
    publisher_publish(role->publisher, publication, 1, &frame);
    bool is_news = frame != NULL;
    frame_release(frame);
    if (is_news && is_foreign && role->generator != NULL)
        generator_skip(role->generator, publication->symbol_index, publication->epoch,
                       publication->seq);
    if (is_news && !is_generating(role))
        publisher_checked(role->publisher, publication->symbol_index, STATUS_OK);
    return is_news;
}

static void find_newest(size_t symbol_index, uint64_t *epoch, uint64_t *seq, void *context)
{
    struct role *role = context;
    struct frame *newest = publisher_newest(role->publisher, symbol_index);
    *epoch = newest != NULL ? newest->epoch : 0;
    *seq = newest != NULL ? newest->seq : 0;
    frame_release(newest);
}

/* -- life -------------------------------------------------------------------------------------- */

void role_init(struct role *role, const struct config *config, struct publisher *publisher,
               uv_loop_t *loop)
{
    const size_t count = config->symbols.count;
    *role = (struct role){
        .config = config,
        .publisher = publisher,
        .is_asked = memory_allocate_zeroed(count, sizeof *role->is_asked),
        .frames = memory_allocate_zeroed(count, sizeof *role->frames),
    };
    check(uv_async_init(loop, &role->asked, on_asked) == 0);
    role->asked.data = role;
}

/* Where a server on its own begins to count: probably above what it used before a restart, which
 * spares clients that keep numbers over connections; nothing here rests on that. 0 would mean that
 * the generator rests. */
static uint64_t first_epoch(void)
{
    int64_t wall_ms = clock_wall_ms();
    return wall_ms > 0 ? (uint64_t)wall_ms : 1;
}

static void start_generator(struct role *role)
{
    const struct config *config = role->config;
    struct replay *replay = role->parts.replay;
    const double interval_seconds = config->ws_update_interval_seconds;
    const double live_seconds = config->live_update_interval_seconds;
    role->model_settings = settings_of_model(config);
    role->generator = generator_start(&(struct generator_options){
        .store = role->parts.store,
        .model = model_of(config->heatmap_model),
        .symbols = &config->symbols,
        .buckets = &config->heatmap_buckets,
        .settings = &role->model_settings,
        .interval_seconds = replay == NULL
                                ? interval_seconds
                                : replay_interval_seconds(replay, live_seconds, interval_seconds),
        .live_interval_seconds = live_seconds,
        .is_filled = role->parts.is_filled,
        .replay = replay,
        .epoch = config->redis_enabled ? 0 : first_epoch(),
        .is_wanted = is_wanted,
        .on_published = on_published,
        .on_checked = on_checked,
        .on_newest = on_newest,
        .on_interest = on_interest,
        .on_computed = on_computed,
        .context = role,
    });
}

static void join_servers(struct role *role, uv_loop_t *loop, struct metrics *metrics)
{
    char url[REDIS_URL_TEXT_SIZE];
    log_info("several servers share snapshots",
             log_text("redis", redis_url_format(&role->config->redis_url, url)),
             log_text("prefix", role->config->redis_channel_prefix));
    role->cluster = cluster_create(&(struct cluster_options){
        .loop = loop,
        .config = role->config,
        .may_generate = !role_is_relay(role->config),
        .on_state = on_cluster_state,
        .on_publication = on_publication,
        .on_print = on_print,
        .find_newest = find_newest,
        .context = role,
    });
    atomic_store_explicit(&role->has_joined, true, memory_order_release);
    metrics_register(metrics, cluster_collect, role->cluster);
}

void role_start(struct role *role, const struct role_generator *generator, uv_loop_t *loop,
                struct metrics *metrics)
{
    if (generator != NULL) {
        role->parts = *generator;
        start_generator(role);
    }
    if (role->config->redis_enabled)
        join_servers(role, loop, metrics);
}

void role_begin_stop(struct role *role)
{
    if (role->cluster != NULL)
        cluster_begin_stop(role->cluster);
    uv_unref((uv_handle_t *)&role->asked); /* clients ask until the workers are gone */
}

void role_stop(struct role *role)
{
    generator_stop(role->generator);
    uv_close((uv_handle_t *)&role->asked, NULL);
}

void role_deinit(struct role *role)
{
    cluster_destroy(role->cluster);
    free(role->is_asked);
    free(role->frames);
}
