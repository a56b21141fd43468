/* What is older than is to be kept is looked for once an hour and removed in steps:
 *
 *     RESTS -> find the newest candle -> CANDLES -> INTEREST -> PRINTS -> RESTS, an hour
 *          none of the last day: RESTS, a minute
 *
 * Ages are counted from the newest candle, not from the clock alone: a machine whose clock is years
 * ahead would remove all, and a collector that has stood still for long should not remove what it
 * will not replace. Symbols that are not collected are left alone: they may be somebody's archive.
 */
#include "sources/collect/retention.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

#define PERIOD_NS (UINT64_C(3600) * 1000000000)
#define RETRY_NS (UINT64_C(60) * 1000000000)

uint64_t retention_due_ns(const struct retention *retention)
{
    bool keeps_all = retention->keep_candles_ms == 0 && retention->keep_liquidations_ms == 0;
    return keeps_all || retention->symbol_count == 0 ? UINT64_MAX : retention->due_ns;
}

static void rest(struct retention *retention, uint64_t for_ns)
{
    retention->phase = RETENTION_RESTS;
    retention->due_ns = clock_monotonic_ns() + for_ns;
}

/* Finds the time from which ages are counted, and begins; rests where there is none. */
static enum status begin(struct retention *retention, struct store_session *session,
                         struct error *error)
{
    int64_t now_ms = clock_wall_ms(), newest_ms = STORE_NONE;
    int64_t *each_ms = memory_allocate(retention->symbol_count * sizeof *each_ms);
    int64_t open_ms = now_ms - now_ms % CANDLE_MS;
    const struct store_scope day = {retention->symbols, retention->symbol_count, open_ms - DAY_MS,
                                    open_ms};
    enum status status = store_newest_of_each(session, STORE_CANDLES, &day, each_ms, error);
    for (size_t i = 0; i < retention->symbol_count && status == STATUS_OK; i++)
        if (each_ms[i] > newest_ms)
            newest_ms = each_ms[i];
    free(each_ms);
    if (status != STATUS_OK)
        return status;
    if (newest_ms == STORE_NONE) {
        rest(retention, RETRY_NS);
        return STATUS_OK;
    }
    retention->now_ms = newest_ms;
    retention->phase = RETENTION_CANDLES;
    return STATUS_OK;
}

static enum status prune(struct retention *retention, struct store_session *session,
                         uint64_t *removed, struct error *error)
{
    static const struct {
        enum store_kind kind;
        const char *name;
    } phases[] = {
        [RETENTION_CANDLES] = {STORE_CANDLES, "candles"},
        [RETENTION_INTEREST] = {STORE_INTEREST, "open interest"},
        [RETENTION_PRINTS] = {STORE_LIQUIDATIONS, "liquidations"},
    };
    int64_t keep_ms = retention->phase == RETENTION_PRINTS ? retention->keep_liquidations_ms
                                                           : retention->keep_candles_ms;
    const struct store_scope old = {retention->symbols, retention->symbol_count, 0,
                                    retention->now_ms - keep_ms - 1};
    enum status status = STATUS_OK;
    if (keep_ms > 0)
        status = store_prune(session, phases[retention->phase].kind, &old, removed, error);
    if (status != STATUS_OK)
        return status;
    if (*removed > 0)
        log_debug("removed what is too old", log_text("rows", phases[retention->phase].name),
                  log_int("count", (int64_t)*removed));
    if (*removed == STORE_PRUNE_ROWS)
        return STATUS_OK; /* there are more */
    if (retention->phase == RETENTION_PRINTS)
        rest(retention, PERIOD_NS);
    else
        retention->phase++;
    return STATUS_OK;
}

enum status retention_step(struct retention *retention, struct store *store, uint64_t *removed,
                           struct error *error)
{
    struct store_session *session = NULL;
    *removed = 0;
    enum status status = store_begin_brief(store, &session, error);
    if (status == STATUS_OK && retention->phase == RETENTION_RESTS)
        status = begin(retention, session, error);
    if (status == STATUS_OK && retention->phase != RETENTION_RESTS)
        status = prune(retention, session, removed, error);
    store_end(session);
    if (status != STATUS_OK && status != STATUS_BUSY)
        rest(retention, RETRY_NS); /* what is newly collected is written all the same */
    return status;
}
