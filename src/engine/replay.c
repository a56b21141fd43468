/* What is known by a moment are the candles that have closed by then, and the open interest until
 * then: exactly what the model's columns up to the last of these candles depend on. So what is
 * published of a column is what a question about the past answers of it. */
#include "engine/replay.h"

#include "base/clock.h"
#include "base/iso_time.h"
#include "base/log.h"
#include "model/candle.h"

#include <math.h>

#define SHORTEST_INTERVAL_SECONDS 0.05

/* The newest candles of the symbols that are served. */
struct search {
    const struct symbol_list *symbols;
    int64_t newest_ms; /* INT64_MIN: there is none */
};

static void on_newest(const struct store_newest *newest, void *context)
{
    struct search *search = context;
    if (newest->open_time_ms > search->newest_ms &&
        symbol_list_find(search->symbols, newest->symbol.data, newest->symbol.size) >= 0)
        search->newest_ms = newest->open_time_ms;
}

static enum status find_newest(struct store *store, struct search *search, struct error *error)
{
    struct store_session *session;
    search->newest_ms = INT64_MIN;
    enum status status = store_begin(store, &session, error);
    if (status == STATUS_OK) {
        status = store_newest_all(session, 0, false, on_newest, search, error);
        store_end(session);
    }
    return status;
}

static int64_t whole_candles(int64_t time_ms)
{
    return time_ms - time_ms % CANDLE_MS;
}

static enum status check_time(const struct search *all, const struct search *before,
                              int64_t from_ms, struct error *error)
{
    char from[ISO_TIME_SIZE], end[ISO_TIME_SIZE];
    iso_time_format(from_ms, from);
    if (all->newest_ms == INT64_MIN)
        return error_set(error, STATUS_NO_DATA,
                         "replay: the database has no candles of the symbols that are served");
    iso_time_format(all->newest_ms, end);
    if (all->newest_ms + CANDLE_MS <= from_ms)
        return error_set(error, STATUS_NO_DATA,
                         "replay: nothing is stored after %s: the newest candle is that of %s",
                         from, end);
    if (before->newest_ms == INT64_MIN)
        return error_set(error, STATUS_NO_DATA, "replay: no candle is stored that closes by %s",
                         from);
    return STATUS_OK;
}

enum status replay_open(struct replay *replay, struct store *store,
                        const struct symbol_list *symbols, int64_t from_ms, double speed,
                        struct error *error)
{
    struct search all = {.symbols = symbols}, before = {.symbols = symbols};
    enum status status = find_newest(store, &all, error);
    store_set_horizon(store, whole_candles(from_ms));
    if (status == STATUS_OK)
        status = find_newest(store, &before, error);
    if (status == STATUS_OK)
        status = check_time(&all, &before, from_ms, error);
    if (status != STATUS_OK)
        return status;
    *replay = (struct replay){
        .store = store, .from_ms = from_ms, .end_ms = all.newest_ms + CANDLE_MS, .speed = speed};
    atomic_init(&replay->now_ms, from_ms);
    return STATUS_OK;
}

void replay_advance(struct replay *replay)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (!replay->has_begun)
        replay->begun_ns = now_ns;
    replay->has_begun = true;
    double passed_ms = (double)(now_ns - replay->begun_ns) / 1e6 * replay->speed;
    const bool is_over = passed_ms >= (double)(replay->end_ms - replay->from_ms);
    int64_t now_ms = is_over ? replay->end_ms : replay->from_ms + (int64_t)passed_ms;
    atomic_store_explicit(&replay->now_ms, now_ms, memory_order_relaxed);
    store_set_horizon(replay->store, whole_candles(now_ms));
    if (is_over && !replay->has_ended) {
        char end[ISO_TIME_SIZE];
        log_info("the replay is at the end of the data, and stays there",
                 log_text("time", iso_time_format(now_ms, end)));
    }
    replay->has_ended = is_over;
}

double replay_interval_seconds(const struct replay *replay, double shortest, double longest)
{
    double seconds = (double)CANDLE_MS / 1e3 / replay->speed;
    seconds = fmin(seconds, longest);
    return fmax(seconds, fmax(shortest, SHORTEST_INTERVAL_SECONDS));
}

int64_t replay_now_ms(const struct replay *replay)
{
    return atomic_load_explicit(&replay->now_ms, memory_order_relaxed);
}
