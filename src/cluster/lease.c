/* What this guards is order: a client must never see an older snapshot after a newer one. Epochs
 * give that order, and it rests on no clock. Redis hands them out, each greater than any before;
 * every server tells Redis the greatest that its clients have seen, and a generator whose epoch is
 * not greater than that gets a new one. A clock only says where counting begins when nothing is
 * known: an epoch that a clock, a mistake or another program has put days ahead is counted on from.
 * Without Redis a server makes one for itself that is greater than all it has seen.
 *
 * Silence is measured in time that this server has listened. One that was stopped (SIGSTOP, a
 * suspended machine) wakes up with its lease run out and knows nothing; taking the silence for an
 * outage, it would start to generate beside the server that has taken over. */
#include "cluster/lease.h"

#define MS_NS UINT64_C(1000000)

static void note_epoch(struct lease *lease, uint64_t epoch)
{
    if (epoch > lease->seen_epoch)
        lease->seen_epoch = epoch;
}

/* Every change of state. */
static void enter(struct lease *lease, enum lease_state state, uint64_t epoch)
{
    lease->state = state;
    lease->epoch = epoch;
    note_epoch(lease, epoch);
}

void lease_init(struct lease *lease, bool may_generate, uint64_t now_ns)
{
    *lease = (struct lease){.state = LEASE_JOINING,
                            .may_generate = may_generate,
                            .heard_ns = now_ns,
                            .ticked_ns = now_ns};
}

/* One that leads gets a greater epoch with its next heartbeat; one that is alone takes it itself.
 * What a reply says is no reason to: two that are alone would raise each other without end. */
void lease_see_epoch(struct lease *lease, uint64_t epoch)
{
    note_epoch(lease, epoch);
    if (lease->state == LEASE_ALONE && lease->may_generate && epoch > lease->epoch)
        enter(lease, LEASE_ALONE, epoch + 1);
}

static uint64_t max_from(const struct lease *lease, uint64_t free_max)
{
    uint64_t next_max = lease->seen_epoch + LEASE_EPOCH_STEP_MAX;
    return next_max > free_max ? next_max : free_max;
}

uint64_t lease_epoch_max(const struct lease *lease)
{
    return max_from(lease, LEASE_EPOCH_MAX);
}

uint64_t lease_stored_epoch_max(const struct lease *lease)
{
    return max_from(lease, LEASE_EPOCH_MAX + LEASE_EPOCH_ROOM);
}

void lease_on_reply(struct lease *lease, const struct lease_reply *reply, bool hears,
                    uint64_t sent_ns, uint64_t now_ns)
{
    note_epoch(lease, reply->epoch);
    /* Snapshots were refused since it ran out: only a new epoch makes the generator repeat
     * them. */
    if (lease->state == LEASE_LEADING && now_ns >= lease->valid_until_ns) {
        enter(lease, LEASE_FOLLOWING, 0);
        return;
    }
    if (reply->is_mine && lease->may_generate) {
        lease->valid_until_ns = sent_ns + (LEASE_MS - LEASE_MARGIN_MS) * MS_NS;
        if (now_ns < lease->valid_until_ns) {
            lease->heard_ns = now_ns;
            enter(lease, LEASE_LEADING, reply->epoch);
            return;
        }
    }
    /* A relay waits for no generator: another program may publish. */
    if (hears && (reply->has_holder || !lease->may_generate)) {
        lease->heard_ns = now_ns;
        enter(lease, LEASE_FOLLOWING, 0);
    } else if (lease->state == LEASE_LEADING) {
        enter(lease, LEASE_FOLLOWING, 0);
    }
}

void lease_on_tick(struct lease *lease, uint64_t now_ns, int64_t wall_ms)
{
    bool has_stalled = now_ns - lease->ticked_ns > LEASE_STALL_MS * MS_NS;
    bool has_run_out = lease->state == LEASE_LEADING && now_ns >= lease->valid_until_ns;
    uint64_t patience_ms = lease->state == LEASE_JOINING ? LEASE_JOIN_MS : LEASE_SILENCE_MS;
    lease->ticked_ns = now_ns;
    if (has_stalled) {
        lease->heard_ns = now_ns;
        if (has_run_out)
            enter(lease, LEASE_FOLLOWING, 0);
        return;
    }
    if (lease->state == LEASE_ALONE ||
        (!has_run_out &&
         (lease->state == LEASE_LEADING || now_ns - lease->heard_ns < patience_ms * MS_NS)))
        return;
    uint64_t epoch = lease->seen_epoch + 1;
    if (wall_ms > 0 && (uint64_t)wall_ms > epoch)
        epoch = (uint64_t)wall_ms;
    enter(lease, LEASE_ALONE, lease->may_generate ? epoch : 0);
}

void lease_resign(struct lease *lease)
{
    if (lease->state == LEASE_LEADING)
        enter(lease, LEASE_FOLLOWING, 0);
}
