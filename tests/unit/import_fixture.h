/* What the tests of `heatcast import` share: small files, and what came of importing them. */
#ifndef HEATCAST_TESTS_IMPORT_FIXTURE_H
#define HEATCAST_TESTS_IMPORT_FIXTURE_H

#include "market_fixture.h"

#include "sources/archive/import.h"

#define KLINE_HEADER                                                                               \
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"         \
    "taker_buy_quote_volume,ignore\n"
#define METRICS_HEADER                                                                             \
    "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_"     \
    "ratio,sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n"
#define KLINE_0 "1764547200000,100,103,97,101,5,1764547499999,,,,,0\n"
#define KLINE_1 "1764547500000,101,104,98,102,5,1764547799999,,,,,0\n"
#define KLINE_2 "1764547800000,102,105,99,103,5,1764548099999,,,,,0\n"
#define METRIC_0 "2025-12-01 00:00:00,BTCUSDT,10,1000,,,,\n"
#define METRIC_1 "2025-12-01 00:05:02,BTCUSDT,11,1500,,,,\n"

struct outcome {
    enum status status;
    struct error error;
    struct import_summary klines, interest;
    unsigned problems, progress;
    char problem[1024]; /* the last one */
    char notes[4096];   /* all of them, one a line */
    uint64_t bytes_done, bytes_total;
};

static inline void on_problem(const char *message, void *context)
{
    struct outcome *outcome = context;
    outcome->problems++;
    snprintf(outcome->problem, sizeof outcome->problem, "%s", message);
}

static inline void on_note(const char *message, void *context)
{
    struct outcome *outcome = context;
    size_t size = strlen(outcome->notes);
    snprintf(outcome->notes + size, sizeof outcome->notes - size, "%s\n", message);
}

static inline void on_progress(const char *path, uint64_t bytes_done, uint64_t bytes_total,
                               void *context)
{
    struct outcome *outcome = context;
    assert_non_null(path);
    assert_true(bytes_done >= outcome->bytes_done && bytes_done <= bytes_total);
    outcome->progress++;
    outcome->bytes_done = bytes_done;
    outcome->bytes_total = bytes_total;
}

static inline const char *put(void **state, const char *name, const char *text)
{
    const char *path = path_in(state, name);
    char folder[256];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(folder, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

static inline struct outcome run(struct store *store, const char *symbol, bool is_strict,
                                 const char *path)
{
    struct outcome outcome = {0};
    struct import_summary summaries[IMPORT_KIND_COUNT];
    outcome.status = import_run(&(struct import_options){.store = store,
                                                         .symbol = symbol,
                                                         .is_strict = is_strict,
                                                         .on_problem = on_problem,
                                                         .on_note = on_note,
                                                         .on_assumed = on_note,
                                                         .on_progress = on_progress,
                                                         .context = &outcome},
                                &path, 1, summaries, &outcome.error);
    outcome.klines = summaries[IMPORT_KLINES];
    outcome.interest = summaries[IMPORT_INTEREST];
    return outcome;
}

static inline struct outcome run_new(void **state, const char *symbol, bool is_strict,
                                     const char *path)
{
    struct store *store = open_store(database(state), STORE_OWNER);
    struct outcome outcome = run(store, symbol, is_strict, path);
    store_close(store);
    return outcome;
}

static inline struct series stored(void **state, const char *symbol)
{
    struct series series = {0};
    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *session = begin(store);
    assert_ok(store_load(session, symbol, T0, T0 + DAY_MS, CANDLE_MS, &series, fault));
    store_end(session);
    store_close(store);
    return series;
}

static inline void assert_stored(void **state, const char *symbol, size_t count)
{
    struct series series = stored(state, symbol);
    assert_int_equal(series.count, count);
    series_deinit(&series);
}

static inline void assert_says(const struct outcome *outcome, const char *words)
{
    if (strstr(outcome->problem, words) == NULL)
        fail_msg("'%s' does not say '%s'", outcome->problem, words);
}

#endif
