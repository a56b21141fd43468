/* What the tests of the market share: a folder of their own, and small data in it. */
#ifndef HEATCAST_TESTS_MARKET_FIXTURE_H
#define HEATCAST_TESTS_MARKET_FIXTURE_H

#include "base/clock.h"
#include "base/decimal.h"
#include "store/store.h"

#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define T0 INT64_C(1764547200000)         /* 2025-12-01T00:00:00Z */
#define PATIENCE_NS UINT64_C(60000000000) /* far more than anything here takes */

/* For the thread sanitizer: DuckDB's allocator takes more locks before a fork() than the deadlock
 * detector can count, and what DuckDB's own threads do is not instrumented. */
#ifdef __SANITIZE_THREAD__
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "detect_deadlocks=0";
}

const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:libduckdb.so";
}
#endif

/* `call` takes `fault` as its struct error. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        struct error fault_, *fault = &fault_;                                                     \
        if ((call) != STATUS_OK)                                                                   \
            fail_msg("%s: %s", #call, fault->message);                                             \
    } while (0)

/* Each test has a folder of its own, `*state`. */
static inline int make_folder(void **state)
{
    char path[] = "/tmp/heatcast-test-XXXXXX";
    if (mkdtemp(path) == NULL)
        return -1;
    *state = strdup(path);
    return 0;
}

static inline int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static inline int remove_folder(void **state)
{
    nftw(*state, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return 0;
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

/* A path in the test's folder; up to eight are valid at a time. */
static inline const char *path_in(void **state, const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", (const char *)*state, name);
    return path;
}

static inline const char *database(void **state)
{
    return path_in(state, "test.duckdb");
}

static inline struct store *open_store(const char *path, enum store_mode mode)
{
    struct store *store = NULL;
    assert_ok(store_open(path, mode, &store, fault));
    return store;
}

static inline struct store_session *begin(struct store *store)
{
    struct store_session *session = NULL;
    assert_ok(store_begin(store, &session, fault));
    return session;
}

/* A candle with whole prices, its times counted in candles from T0. */
static inline struct kline_row kline(const char *symbol, int index, int open, int high, int low,
                                     int close)
{
    struct kline_row row = {
        .candle = {.open_time_ms = T0 + index * CANDLE_MS,
                   .open_e8 = open * DECIMAL_ONE,
                   .high_e8 = high * DECIMAL_ONE,
                   .low_e8 = low * DECIMAL_ONE,
                   .close_e8 = close * DECIMAL_ONE},
        .volume_e8 = DECIMAL_ONE,
    };
    snprintf(row.symbol, sizeof row.symbol, "%s", symbol);
    row.close_time_ms = row.candle.open_time_ms + CANDLE_MS - 1;
    return row;
}

static inline struct interest_row interest(const char *symbol, int index, int64_t value)
{
    struct interest_row row = {.timestamp_ms = T0 + index * CANDLE_MS,
                               .value_e8 = value * DECIMAL_ONE};
    snprintf(row.symbol, sizeof row.symbol, "%s", symbol);
    return row;
}

static inline void write_rows(struct store *store, bool replaces, const struct kline_row *klines,
                              size_t kline_count, const struct interest_row *interests,
                              size_t interest_count, uint64_t *klines_new, uint64_t *interest_new)
{
    struct store_session *session = begin(store);
    assert_ok(store_write_begin(session, "test", replaces, fault));
    for (size_t i = 0; i < kline_count; i++)
        assert_ok(store_write_kline(session, &klines[i], fault));
    for (size_t i = 0; i < interest_count; i++)
        assert_ok(store_write_interest(session, &interests[i], fault));
    assert_ok(store_write_commit(session, klines_new, interest_new, fault));
    store_end(session);
}

/* `count` candles from `first` on, and open interest that rises by `step` with each. */
static inline void write_market(struct store *store, const char *symbol, int first, int count,
                                int64_t step)
{
    struct kline_row *klines = calloc((size_t)count, sizeof *klines);
    struct interest_row *interests = calloc((size_t)count, sizeof *interests);
    for (int i = 0; i < count; i++) {
        int price = 1000 + (first + i) % 7;
        klines[i] = kline(symbol, first + i, price, price + 3, price - 3, price + 1);
        interests[i] = interest(symbol, first + i, 1000000 + step * (first + i));
    }
    write_rows(store, true, klines, (size_t)count, interests, (size_t)count, NULL, NULL);
    free(klines);
    free(interests);
}

static inline off_t size_of(const char *path)
{
    struct stat stat_of;
    assert_int_equal(stat(path, &stat_of), 0);
    return stat_of.st_size;
}

/* What the database's log may grow by from now on, as if that were the space left on the disk;
 * negative: as much as it likes. */
static inline void leave_space(void **state, off_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur =
        bytes < 0 ? limit.rlim_max : (rlim_t)(size_of(path_in(state, "test.duckdb.wal")) + bytes);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static inline void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Waits for something that another thread will make true. */
#define wait_until(condition)                                                                      \
    do {                                                                                           \
        uint64_t deadline_ = clock_monotonic_ns() + PATIENCE_NS;                                   \
        while (!(condition)) {                                                                     \
            if (clock_monotonic_ns() > deadline_)                                                  \
                fail_msg("%s did not come true", #condition);                                      \
            sleep_ms(5);                                                                           \
        }                                                                                          \
    } while (0)

#endif
