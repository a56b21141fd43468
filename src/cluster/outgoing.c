/* The generator puts frames into a mailbox and continues; it never waits for Redis. Behind the
 * mailbox, on the main loop, each symbol has at most one command under way and one frame that
 * waits for it, the newest: a burst, or a Redis that is slow or unreachable, costs two frames a
 * symbol and no more. */
#include "cluster/cluster_internal.h"

#include "base/check.h"
#include "base/log.h"
#include "cluster/reply.h"
#include "cluster/scripts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PRINTS_UNDER_WAY_MAX = 512 };

void cluster_publish(struct cluster *cluster, struct frame *frame)
{
    struct frame *replaced;
    mailbox_put_frames(&cluster->outbox, &frame, 1, &replaced);
    if (replaced != NULL)
        count(&cluster->counters.replaced);
    frame_release(replaced);
}

void cluster_publish_print(struct cluster *cluster, size_t symbol_index, const char *text,
                           size_t text_size)
{
    struct frame *frame = frame_create((uint32_t)symbol_index, 0, 0, 0, text, text_size);
    mailbox_put_print(&cluster->outbox, frame);
    frame_release(frame);
}

/* Takes the reference over. */
static void put(struct cluster *cluster, struct frame *frame, bool is_foreign)
{
    struct outgoing *outgoing = &cluster->outgoing[frame->symbol_index];
    if (outgoing->waiting != NULL && !outgoing->is_foreign)
        count(&cluster->counters.replaced);
    frame_release(outgoing->waiting);
    outgoing->waiting = frame;
    outgoing->is_foreign = is_foreign;
}

/* A liquidation tells what happens now, so that it does not wait for a Redis that is away or slow.
 */
static void send_print(struct cluster *cluster, const struct frame *print)
{
    char channel[REDIS_NAME_SIZE];
    if (cluster->commands.state != LINK_READY ||
        cluster->prints_under_way >= PRINTS_UNDER_WAY_MAX) {
        count(&cluster->counters.prints_dropped);
        return;
    }
    cluster_channel(cluster, cluster->options.config->symbols.names[print->symbol_index], channel);
    redis_link_command(&cluster->commands, command_tag(COMMAND_PRINT, print->symbol_index), 3,
                       (const char *[]){"PUBLISH", channel, frame_json(print)},
                       (const size_t[]){7, strlen(channel), frame_json_size(print)});
    cluster->prints_under_way++;
    count(&cluster->counters.prints_published);
}

void outgoing_on_printed(struct cluster *cluster)
{
    cluster->prints_under_way--;
}

void outgoing_take_mail(struct cluster *cluster)
{
    size_t count = mailbox_take(&cluster->outbox, cluster->mail);
    for (size_t i = 0; i < count; i++)
        if (cluster->mail[i].frame != NULL)
            put(cluster, cluster->mail[i].frame, false);
    if (count > 0)
        outgoing_flush(cluster);
    struct frame *print;
    while (mailbox_take_prints(&cluster->outbox, &print, 1) == 1) {
        send_print(cluster, print);
        frame_release(print);
    }
}

void outgoing_keep(struct cluster *cluster, struct frame *frame)
{
    put(cluster, frame, true);
    outgoing_flush(cluster);
}

static void fail(struct cluster *cluster, enum publish_failure reason, const char *symbol,
                 const char *why)
{
    count(&cluster->counters.failures[reason]);
    log_warn("snapshot not published", log_text("symbol", symbol), log_text("reason", why));
}

static void send_waiting(struct cluster *cluster, size_t symbol_index)
{
    struct outgoing *outgoing = &cluster->outgoing[symbol_index];
    const struct frame *frame = outgoing->waiting;
    const char *symbol = cluster->options.config->symbols.names[symbol_index];
    char key[REDIS_NAME_SIZE], channel[REDIS_NAME_SIZE], epoch[24], seq[24], epoch_max[24];
    cluster_key(cluster, "newest", symbol, key);
    cluster_channel(cluster, symbol, channel);
    snprintf(epoch, sizeof epoch, "%" PRIu64, frame->epoch);
    snprintf(seq, sizeof seq, "%" PRIu64, frame->seq);
    snprintf(epoch_max, sizeof epoch_max, "%" PRIu64, lease_stored_epoch_max(&cluster->lease));
    struct script_argument json = {frame_json(frame), frame_json_size(frame)};
    if (outgoing->is_foreign)
        cluster_run(
            cluster, command_tag(COMMAND_KEEP, symbol_index), script_keep, 1, 5,
            (struct script_argument[]){{key, 0}, {epoch, 0}, {seq, 0}, json, {epoch_max, 0}});
    else
        cluster_run(cluster, command_tag(COMMAND_PUBLISH, symbol_index), script_publish, 2, 8,
                    (struct script_argument[]){{cluster->lease_key, 0},
                                               {key, 0},
                                               {cluster->id, 0},
                                               {channel, 0},
                                               {epoch, 0},
                                               {seq, 0},
                                               json,
                                               {epoch_max, 0}});
    outgoing->under_way = outgoing->waiting;
    outgoing->is_under_way_foreign = outgoing->is_foreign;
    outgoing->waiting = NULL;
}

/* Whether the waiting frame may still be sent: not one of an epoch that is over, nor one that this
 * server made for its own clients. */
static bool is_due(struct cluster *cluster, const struct outgoing *outgoing)
{
    return outgoing->is_foreign || (cluster->lease.state == LEASE_LEADING &&
                                    outgoing->waiting->epoch == cluster->lease.epoch);
}

static void flush_symbol(struct cluster *cluster, size_t symbol_index)
{
    struct outgoing *outgoing = &cluster->outgoing[symbol_index];
    if (outgoing->waiting == NULL)
        return;
    bool is_too_large = frame_json_size(outgoing->waiting) > MESSAGE_SIZE_MAX;
    if (is_due(cluster, outgoing) && !is_too_large) {
        if (outgoing->under_way == NULL && cluster->commands.state == LINK_READY)
            send_waiting(cluster, symbol_index);
        return;
    }
    if (is_due(cluster, outgoing))
        fail(cluster, PUBLISH_FAILED_TOO_LARGE,
             cluster->options.config->symbols.names[symbol_index],
             "it has more than 4 MiB; a larger HEATMAP_BUCKET makes it smaller");
    frame_release(outgoing->waiting);
    outgoing->waiting = NULL;
}

void outgoing_flush(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->options.config->symbols.count; i++)
        flush_symbol(cluster, i);
}

static void on_published(struct cluster *cluster, size_t symbol_index, const redisReply *reply)
{
    const char *symbol = cluster->options.config->symbols.names[symbol_index];
    struct publish_reply published;
    if (!reply_read_publish(reply, &published)) {
        snprintf(cluster->keep_fault, sizeof cluster->keep_fault, "%s", reply_fault(reply));
        fail(cluster, PUBLISH_FAILED_REDIS, symbol, cluster->keep_fault);
    } else if (!published.has_lease) {
        fail(cluster, PUBLISH_FAILED_LEASE, symbol, "another server has taken over");
        cluster_hurry(cluster);
    } else {
        count(&cluster->counters.published);
        log_debug("snapshot published to Redis", log_text("symbol", symbol),
                  log_int("receivers", published.receivers));
        snprintf(cluster->keep_fault, sizeof cluster->keep_fault, "%s", published.fault);
        /* Ours is not kept if it is less. */
        if (published.kept_epoch <= lease_stored_epoch_max(&cluster->lease))
            lease_see_epoch(&cluster->lease, published.kept_epoch);
    }
}

void outgoing_on_reply(struct cluster *cluster, enum command command, size_t symbol_index,
                       const redisReply *reply)
{
    struct outgoing *outgoing = &cluster->outgoing[symbol_index];
    frame_release(outgoing->under_way);
    outgoing->under_way = NULL;
    struct numbers kept;
    if (command == COMMAND_PUBLISH)
        on_published(cluster, symbol_index, reply);
    else if (reply_read_kept(reply, &kept.epoch, &kept.seq) &&
             kept.epoch <= lease_stored_epoch_max(&cluster->lease))
        cluster->incoming[symbol_index].kept = kept;
    outgoing_flush(cluster);
}

/* What was under way may have arrived or not. It is sent again unless there is a newer one; a
 * server that gets it twice drops it by its numbers. */
void outgoing_on_lost(struct cluster *cluster)
{
    cluster->prints_under_way = 0;
    for (size_t i = 0; i < cluster->options.config->symbols.count; i++) {
        struct outgoing *outgoing = &cluster->outgoing[i];
        if (outgoing->under_way == NULL)
            continue;
        count(&cluster->counters.failures[PUBLISH_FAILED_LOST]);
        if (outgoing->waiting == NULL) {
            outgoing->waiting = outgoing->under_way;
            outgoing->is_foreign = outgoing->is_under_way_foreign;
        } else {
            frame_release(outgoing->under_way);
        }
        outgoing->under_way = NULL;
    }
}

void outgoing_deinit(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->options.config->symbols.count; i++) {
        frame_release(cluster->outgoing[i].waiting);
        frame_release(cluster->outgoing[i].under_way);
    }
}
