/* From Redis to the clients. Any program that may publish on the channels can send anything, so a
 * text goes no further than message_parse() unless it passes there; one that does not is counted,
 * dropped, and logged at most once a minute for each reason.
 *
 * A text without numbers comes from a program other than heatcast. It gets the number after the
 * newest, and is kept in Redis with it, so that all servers number alike and one that starts later
 * has it for its first subscriber. */
#include "cluster/cluster_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define IGNORED_LOG_NS (UINT64_C(60) * 1000000000)

enum { NUMBER_TRIES = 3 };

static void ignore(struct cluster *cluster, int reason, const char *channel, const char *why)
{
    uint64_t now_ns = clock_monotonic_ns(), *logged_ns = &cluster->ignored_logged_ns[reason];
    count(&cluster->counters.ignored[reason]);
    if (*logged_ns != 0 && now_ns - *logged_ns < IGNORED_LOG_NS)
        return;
    *logged_ns = now_ns;
    log_warn("message ignored", log_text("channel", channel), log_text("reason", why));
}

static bool deliver(struct cluster *cluster, const struct publication *publication, bool is_foreign)
{
    bool is_news =
        cluster->options.on_publication(publication, is_foreign, cluster->options.context);
    if (is_news)
        lease_see_epoch(&cluster->lease, publication->epoch);
    log_debug("snapshot from Redis",
              log_text("symbol", cluster->options.config->symbols.names[publication->symbol_index]),
              log_int("epoch", (int64_t)publication->epoch),
              log_int("seq", (int64_t)publication->seq), log_text("news", is_news ? "yes" : "no"));
    return is_news;
}

static void find_next_number(struct cluster *cluster, size_t symbol_index, uint64_t *epoch,
                             uint64_t *seq)
{
    uint64_t kept_epoch = cluster->kept[symbol_index].epoch;
    uint64_t kept_seq = cluster->kept[symbol_index].seq;
    cluster->options.find_newest(symbol_index, epoch, seq, cluster->options.context);
    if (kept_epoch > *epoch || (kept_epoch == *epoch && kept_seq > *seq)) {
        *epoch = kept_epoch;
        *seq = kept_seq;
    }
    if (*epoch == 0) /* the first of this symbol: all servers have got the same epoch from Redis */
        *epoch =
            cluster->lease.seen_epoch > 0 ? cluster->lease.seen_epoch : (uint64_t)clock_wall_ms();
    ++*seq;
}

/* The generator may publish at the same moment and take the number; then the next one is tried. */
static void deliver_foreign(struct cluster *cluster, const struct publication *unnumbered)
{
    struct buffer *numbered = &cluster->numbered;
    struct publication publication = *unnumbered;
    for (int i = 0; i < NUMBER_TRIES; i++) {
        find_next_number(cluster, publication.symbol_index, &publication.epoch, &publication.seq);
        buffer_clear(numbered);
        message_append_numbered(numbered, unnumbered->text, unnumbered->text_size,
                                publication.epoch, publication.seq);
        publication.text = numbered->data;
        publication.text_size = numbered->size;
        if (!deliver(cluster, &publication, true))
            continue;
        outgoing_keep(cluster, frame_create((uint32_t)publication.symbol_index, publication.epoch,
                                            publication.seq, 0, numbered->data, numbered->size));
        return;
    }
}

static bool is_own(const struct cluster *cluster, uint64_t epoch)
{
    return cluster->lease.state == LEASE_LEADING && epoch == cluster->lease.epoch;
}

static void take(struct cluster *cluster, size_t symbol_index, const char *channel,
                 const redisReply *text, bool is_kept)
{
    struct error error = {0};
    struct message parsed;
    enum message_fault fault = message_parse(&parsed, text->str, (size_t)text->len,
                                             cluster->options.config->symbols.names[symbol_index],
                                             clock_wall_ms(), &error);
    if (fault != MESSAGE_OK) {
        ignore(cluster, (int)fault, channel, error.message);
        return;
    }
    const struct publication publication = {
        .symbol_index = symbol_index,
        .timestamp_ms = parsed.timestamp_ms,
        .epoch = parsed.epoch,
        .seq = parsed.seq,
        .hash = publication_hash(parsed.timestamp_ms, parsed.data.data, parsed.data.size),
        .text = text->str,
        .text_size = (size_t)text->len,
    };
    if (is_kept) /* usually no news, and no fault then */
        (void)(parsed.is_numbered && deliver(cluster, &publication, false));
    else if (!parsed.is_numbered)
        deliver_foreign(cluster, &publication);
    else if (is_own(cluster, parsed.epoch))
        count(&cluster->counters.ignored[IGNORED_OWN]);
    else if (!deliver(cluster, &publication, false))
        count(&cluster->counters.ignored[IGNORED_OLD]);
}

/* -- what is kept ------------------------------------------------------------------------------ */

void feed_fetch(struct cluster *cluster)
{
    const struct symbol_list *symbols = &cluster->options.config->symbols;
    for (size_t i = 0; i < symbols->count; i++) {
        char key[REDIS_NAME_SIZE];
        const char *words[] = {"HGET", cluster_name(cluster, "newest", symbols->names[i], key),
                               "json"};
        redis_link_command(&cluster->commands, command_tag(COMMAND_FETCH, i), 3, words, NULL);
    }
}

void feed_on_fetched(struct cluster *cluster, size_t symbol_index, const redisReply *reply)
{
    char key[REDIS_NAME_SIZE];
    if (reply->type == REDIS_REPLY_STRING)
        take(cluster, symbol_index,
             cluster_name(cluster, "newest", cluster->options.config->symbols.names[symbol_index],
                          key),
             reply, true);
}

/* -- what is published ------------------------------------------------------------------------- */

/* The probe of this server has come back. */
static void take_probe(struct cluster *cluster, const redisReply *text)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (cluster->probe_sent_ns == 0 || strtoull(text->str, NULL, 10) != cluster->probe_number)
        return; /* it came after it was given up */
    atomic_store_explicit(&cluster->counters.probe_ns, now_ns - cluster->probe_sent_ns,
                          memory_order_relaxed);
    if (cluster->probe_heard_ns == 0)
        cluster_hurry(cluster); /* from now on it may be a candidate */
    cluster->probe_sent_ns = 0;
    cluster->probe_heard_ns = now_ns;
}

void feed_on_publication(struct cluster *cluster, const redisReply *channel, const redisReply *text)
{
    static const char probes[] = "__probe__:";
    size_t prefix_size = strlen(cluster->options.config->redis_channel_prefix) + 1;
    if ((size_t)channel->len <= prefix_size)
        return; /* the pattern matches no shorter one */
    const char *symbol = channel->str + prefix_size;
    if (strcmp(channel->str, cluster->probe_channel) == 0) {
        take_probe(cluster, text);
        return;
    }
    if (strncmp(symbol, probes, sizeof probes - 1) == 0)
        return; /* another server's */
    count(&cluster->counters.received);
    int index = symbol_list_find(&cluster->options.config->symbols, symbol,
                                 (size_t)channel->len - prefix_size);
    if (index < 0)
        ignore(cluster, IGNORED_UNKNOWN_SYMBOL, channel->str, "its symbol is not one of SYMBOLS");
    else
        take(cluster, (size_t)index, channel->str, text, false);
}
