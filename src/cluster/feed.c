/* From Redis to the clients. Any program that may publish on the channels can send anything, so a
 * text goes no further than message_parse() unless it passes there; one that does not is counted,
 * dropped, and logged at most once a minute for each reason.
 *
 * A text without numbers comes from a program other than heatcast. It gets the number after the
 * newest, and is kept in Redis with it, so that all servers number alike and one that starts later
 * has it for its first subscriber.
 *
 * One with numbers that are not greater than the newest's is ignored, and must not be ignored for
 * good: a clock may have been days ahead once, and clients would get nothing until all others have
 * caught up. Two ways lead out, and neither asks a clock what is right:
 *
 *     a generator's       it has the lease, so it gets a greater epoch from Redis: at once because
 *                         servers tell Redis the greatest that they have seen (lease.c), and in
 *                         any case when its snapshots have been ignored for DROPPED_MS
 *     another program's   nothing hands out its numbers. Where they went back and continue from
 *                         there, with none that is greater for OLDER_MS, it counts as restarted:
 *                         what it sends from then on gets numbers like a text without. Of two
 *                         programs that publish side by side the one that is behind stays ignored,
 *                         because the other's come between. */
#include "cluster/cluster_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "cluster/print_message.h"
#include "cluster/reply.h"

#include <stdlib.h>
#include <string.h>

#define MS_NS UINT64_C(1000000)
#define IGNORED_LOG_NS (60000 * MS_NS)

enum {
    NUMBER_TRIES = 3,
    DROPPED_MS = 5000, /* longer than a generator takes to get a greater epoch */
    OLDER_MS = 10000,
    HEAL_PAUSE_MS = 10000,
};

static const char *symbol_name(const struct cluster *cluster, size_t symbol_index)
{
    return cluster->options.config->symbols.names[symbol_index];
}

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
    if (is_news) {
        struct incoming *incoming = &cluster->incoming[publication->symbol_index];
        lease_see_epoch(&cluster->lease, publication->epoch);
        incoming->older_since_ns = incoming->dropped_since_ns = 0;
    }
    log_debug("snapshot from Redis",
              log_text("symbol", symbol_name(cluster, publication->symbol_index)),
              log_int("epoch", (int64_t)publication->epoch),
              log_int("seq", (int64_t)publication->seq), log_text("news", is_news ? "yes" : "no"));
    return is_news;
}

/* -- numbers ----------------------------------------------------------------------------------- */

static bool is_equal(struct numbers a, struct numbers b)
{
    return a.epoch == b.epoch && a.seq == b.seq;
}

static bool is_after(struct numbers a, struct numbers b)
{
    return a.epoch != b.epoch ? a.epoch > b.epoch : a.seq > b.seq;
}

static struct numbers find_newest(const struct cluster *cluster, size_t symbol_index)
{
    struct numbers newest;
    cluster->options.find_newest(symbol_index, &newest.epoch, &newest.seq,
                                 cluster->options.context);
    return newest;
}

/* All servers have got the same epoch from Redis, unless its answer has not come yet. */
static uint64_t first_epoch(const struct cluster *cluster)
{
    int64_t wall_ms = clock_wall_ms();
    if (cluster->lease.seen_epoch > 0)
        return cluster->lease.seen_epoch;
    return wall_ms > 0 ? (uint64_t)wall_ms : 1;
}

static struct numbers find_next(const struct cluster *cluster, size_t symbol_index)
{
    struct numbers next = find_newest(cluster, symbol_index);
    if (is_after(cluster->incoming[symbol_index].kept, next))
        next = cluster->incoming[symbol_index].kept;
    if (next.epoch == 0)
        next.epoch = first_epoch(cluster);
    if (next.seq == MESSAGE_NUMBER_MAX)
        next = (struct numbers){next.epoch + 1, 0};
    next.seq++;
    return next;
}

/* Gives the text the numbers after the newest's. The generator may publish at the same moment and
 * take them; then the next ones are tried. */
static bool deliver_foreign(struct cluster *cluster, const struct publication *original,
                            const struct message *message, struct numbers *given)
{
    struct buffer *numbered = &cluster->numbered;
    struct publication publication = *original;
    for (int i = 0; i < NUMBER_TRIES; i++) {
        *given = find_next(cluster, original->symbol_index);
        buffer_clear(numbered);
        message_append_numbered(numbered, message, original->text, original->text_size,
                                given->epoch, given->seq);
        publication.epoch = given->epoch;
        publication.seq = given->seq;
        publication.text = numbered->data;
        publication.text_size = numbered->size;
        if (!deliver(cluster, &publication, true))
            continue;
        outgoing_keep(cluster, frame_create((uint32_t)publication.symbol_index, publication.epoch,
                                            publication.seq, 0, numbered->data, numbered->size));
        return true;
    }
    return false;
}

/* -- older ones -------------------------------------------------------------------------------- */

/* Whether it is the generator's, as far as the last heartbeat knows. */
static bool is_generators(const struct cluster *cluster, uint64_t epoch)
{
    return cluster->lease.state == LEASE_FOLLOWING && cluster->generator_epoch != 0 &&
           cluster->generator_epoch == epoch;
}

static void note_dropped(struct cluster *cluster, size_t symbol_index, enum message_fault fault)
{
    struct incoming *incoming = &cluster->incoming[symbol_index];
    if (incoming->dropped_since_ns == 0)
        incoming->dropped_since_ns = clock_monotonic_ns();
    incoming->dropped_fault = fault;
}

/* Whether a program's numbers, which are not greater than the newest's, count nonetheless. */
static bool has_gone_back(struct incoming *incoming, struct numbers numbers, struct numbers newest)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (is_equal(newest, incoming->renumbered_to)) { /* it has, and the newest is its own */
        newest = incoming->renumbered_from;
        if (is_after(numbers, newest))
            return true;
    }
    if (is_equal(numbers, newest))
        return false; /* the newest once more */
    if (incoming->older_since_ns == 0) {
        incoming->older_since_ns = now_ns;
        incoming->oldest = numbers;
        return false;
    }
    if (!is_after(numbers, incoming->oldest)) {
        incoming->oldest = numbers;
        return false;
    }
    return now_ns - incoming->older_since_ns >= OLDER_MS * MS_NS;
}

/* False where a server generates, which passes such numbers by itself. */
static bool try_renumber(struct cluster *cluster, const struct publication *publication,
                         const struct message *message, struct numbers newest)
{
    struct incoming *incoming = &cluster->incoming[publication->symbol_index];
    const struct numbers numbers = {publication->epoch, publication->seq};
    struct numbers given;
    bool is_known = is_equal(newest, incoming->renumbered_to);
    if (cluster->generator_epoch != 0 || cluster->lease.epoch != 0 ||
        !has_gone_back(incoming, numbers, newest) ||
        !deliver_foreign(cluster, publication, message, &given))
        return false;
    incoming->renumbered_from = numbers;
    incoming->renumbered_to = given;
    if (!is_known)
        log_warn("a publisher's numbers went back; numbering its snapshots",
                 log_text("symbol", symbol_name(cluster, publication->symbol_index)),
                 log_int("from_epoch", (int64_t)newest.epoch),
                 log_int("to_epoch", (int64_t)numbers.epoch));
    return true;
}

static void take_older(struct cluster *cluster, const struct publication *publication,
                       const struct message *message)
{
    const struct numbers newest = find_newest(cluster, publication->symbol_index);
    if (try_renumber(cluster, publication, message, newest))
        return;
    count(&cluster->counters.ignored[IGNORED_OLD]);
    if (is_generators(cluster, publication->epoch) &&
        !is_equal((struct numbers){publication->epoch, publication->seq}, newest))
        note_dropped(cluster, publication->symbol_index, MESSAGE_OK);
}

/* -- one text ---------------------------------------------------------------------------------- */

static bool is_own(const struct cluster *cluster, uint64_t epoch)
{
    return cluster->lease.state == LEASE_LEADING && epoch == cluster->lease.epoch;
}

static void take_published(struct cluster *cluster, const struct publication *publication,
                           const struct message *message)
{
    struct numbers given;
    if (!message->is_numbered)
        (void)deliver_foreign(cluster, publication, message, &given);
    else if (is_own(cluster, publication->epoch))
        count(&cluster->counters.ignored[IGNORED_OWN]);
    else if (!deliver(cluster, publication, false))
        take_older(cluster, publication, message);
}

static void take(struct cluster *cluster, size_t symbol_index, const char *channel,
                 const redisReply *text, bool is_kept)
{
    struct error error = {0};
    struct message message;
    enum message_fault fault =
        message_parse(&message, text->str, text->len, symbol_name(cluster, symbol_index),
                      lease_epoch_max(&cluster->lease), &error);
    if (fault != MESSAGE_OK) {
        ignore(cluster, (int)fault, channel, error.message);
        if (!is_kept && is_generators(cluster, message.epoch))
            note_dropped(cluster, symbol_index, fault);
        return;
    }
    const struct publication publication = {
        .symbol_index = symbol_index,
        .timestamp_ms = message.timestamp_ms,
        .epoch = message.epoch,
        .seq = message.seq,
        .hash = publication_hash(message.timestamp_ms, message.data.data, message.data.size),
        .totals = message.totals,
        .text = text->str,
        .text_size = text->len,
    };
    if (!is_kept)
        take_published(cluster, &publication, &message);
    else if (message.is_numbered) /* usually no news, and no fault then */
        (void)deliver(cluster, &publication, false);
}

/* -- what is kept ------------------------------------------------------------------------------ */

void feed_fetch(struct cluster *cluster)
{
    const struct symbol_list *symbols = &cluster->options.config->symbols;
    for (size_t i = 0; i < symbols->count; i++) {
        char key[REDIS_NAME_SIZE];
        const char *words[] = {"HGET", cluster_key(cluster, "newest", symbols->names[i], key),
                               "json"};
        redis_link_command(&cluster->commands, command_tag(COMMAND_FETCH, i), 3, words, NULL);
    }
}

void feed_on_fetched(struct cluster *cluster, size_t symbol_index, const redisReply *reply)
{
    char key[REDIS_NAME_SIZE];
    if (reply->type == REDIS_REPLY_STRING)
        take(cluster, symbol_index,
             cluster_key(cluster, "newest", symbol_name(cluster, symbol_index), key), reply, true);
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

/* False: it is no liquidation. */
static bool try_take_print(struct cluster *cluster, size_t symbol_index, const char *channel,
                           const redisReply *text)
{
    struct error error = {0};
    uint64_t key;
    switch (print_message_parse(text->str, text->len, symbol_name(cluster, symbol_index), &key,
                                &error)) {
    case PRINT_TAKEN:
        if (!cluster->options.on_print(symbol_index, key, text->str, text->len,
                                       cluster->options.context))
            count(&cluster->counters.ignored[IGNORED_KNOWN_LIQUIDATION]);
        return true;
    case PRINT_REFUSED:
        ignore(cluster, IGNORED_NOT_A_LIQUIDATION, channel, error.message);
        return true;
    case PRINT_OTHER:
        break;
    }
    return false;
}

void feed_on_publication(struct cluster *cluster, const redisReply *channel, const redisReply *text)
{
    static const char probes[] = "__probe__:";
    struct slice symbol = {channel->str, channel->len};
    if (!slice_try_take(&symbol, cluster->channels))
        return; /* the pattern matches no other */
    if (strcmp(channel->str, cluster->probe_channel) == 0) {
        take_probe(cluster, text);
        return;
    }
    if (slice_starts_with(symbol, probes))
        return; /* another server's */
    count(&cluster->counters.received);
    int index = symbol_list_find(&cluster->options.config->symbols, symbol.data, symbol.size);
    if (index < 0)
        ignore(cluster, IGNORED_UNKNOWN_SYMBOL, channel->str, "its symbol is not one of SYMBOLS");
    else if (!try_take_print(cluster, (size_t)index, channel->str, text))
        take(cluster, (size_t)index, channel->str, text, false);
}

/* -- what was dropped -------------------------------------------------------------------------- */

/* The generator's snapshots, for so long that its epoch has not risen by itself. */
static bool are_dropped(const struct incoming *incoming, uint64_t now_ns)
{
    return incoming->dropped_since_ns != 0 &&
           now_ns - incoming->dropped_since_ns >= DROPPED_MS * MS_NS;
}

/* The generator's next epoch will be greater than any that the symbol's clients have. */
static void heal(struct cluster *cluster, size_t symbol_index, uint64_t now_ns)
{
    struct incoming *incoming = &cluster->incoming[symbol_index];
    if (incoming->dropped_fault != MESSAGE_OK || now_ns < incoming->heal_due_ns)
        return;
    incoming->heal_due_ns = now_ns + HEAL_PAUSE_MS * MS_NS;
    lease_see_epoch(&cluster->lease, cluster->generator_epoch + 1);
    log_warn("snapshots of the generator are older than what clients have; raising its epoch",
             log_text("symbol", symbol_name(cluster, symbol_index)),
             log_int("epoch", (int64_t)cluster->generator_epoch));
}

void feed_on_tick(struct cluster *cluster, uint64_t now_ns)
{
    bool is_following = cluster->lease.state == LEASE_FOLLOWING && cluster->generator_epoch != 0;
    for (size_t i = 0; i < cluster->options.config->symbols.count; i++) {
        if (!is_following)
            cluster->incoming[i].dropped_since_ns = 0;
        else if (are_dropped(&cluster->incoming[i], now_ns))
            heal(cluster, i, now_ns);
    }
}

const char *feed_fault(const struct cluster *cluster, uint64_t now_ns)
{
    for (size_t i = 0; i < cluster->options.config->symbols.count; i++)
        if (are_dropped(&cluster->incoming[i], now_ns))
            return "snapshots of the generator are ignored; the log says why";
    return "";
}
