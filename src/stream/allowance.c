/* A limit on messages alone says little of what they cost: seventy compressed bytes can be a
 * message of 4 KiB, and its answer as long. So the work that a message causes is charged after it
 * is known: a small message costs its token and nothing else, a large one more, down to a debt that
 * is paid off before the next message is accepted. Bytes caused are then at most
 * ALLOWANCE_WORK_SIZE for each token, and tokens come at a fixed rate, however well the client
 * compresses.
 *
 * A refused message is answered as well, so it is charged, too, though it has no token: a small one
 * hardly, and a flood as much as its answers weigh. Refusals are forgotten once the bucket is half
 * full: that takes a pause, which a burst has and a flood does not. The debt has a limit, so that
 * no client pays for long, and it is worth more than all the answers that a client can get refused
 * before it is closed (REQUEST_REFUSALS_MAX). */
#include "stream/allowance.h"

static float tokens_at(const struct allowance *allowance, uint64_t now_ns)
{
    double tokens = ALLOWANCE_BURST;
    if (allowance->updated_ns != 0)
        tokens = (double)allowance->tokens +
                 (double)(now_ns - allowance->updated_ns) / 1e9 * ALLOWANCE_PER_SECOND;
    return (float)(tokens < ALLOWANCE_BURST ? tokens : ALLOWANCE_BURST);
}

bool allowance_try_take(struct allowance *allowance, uint64_t now_ns)
{
    allowance->tokens = tokens_at(allowance, now_ns);
    allowance->updated_ns = now_ns;
    if (allowance->tokens < 1) {
        if (allowance->refusals < UINT16_MAX)
            allowance->refusals++;
        return false;
    }
    allowance->tokens -= 1;
    if (allowance->tokens * 2 > ALLOWANCE_BURST)
        allowance->refusals = 0;
    return true;
}

bool allowance_is_kept(const struct allowance *allowance, uint64_t now_ns)
{
    return allowance->refusals == 0 || tokens_at(allowance, now_ns) * 2 > ALLOWANCE_BURST;
}

void allowance_charge_refused(struct allowance *allowance, size_t bytes)
{
    allowance->tokens -= (float)bytes / ALLOWANCE_WORK_SIZE;
    if (allowance->tokens < -ALLOWANCE_DEBT_MAX)
        allowance->tokens = -ALLOWANCE_DEBT_MAX;
}

void allowance_charge(struct allowance *allowance, size_t bytes)
{
    if (bytes > ALLOWANCE_WORK_SIZE)
        allowance_charge_refused(allowance, bytes - ALLOWANCE_WORK_SIZE);
}
