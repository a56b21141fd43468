/* What writing beside others costs: how long a transaction of a collector holds the file, what it
 * writes to the disk, and what readers pay for the .wal that it leaves. Prints one JSON object;
 * times are medians and the longest, in milliseconds.
 *
 *     store_bench PATH [SYMBOLS [DAYS [WRITES]]]
 *
 * A file that is not there is made with DAYS (30) of SYMBOLS (50); one that is there is written to
 * as it is. Each write is a candle, open interest and five liquidations a symbol. Then a day of all
 * symbols goes through the collector's writer, and the oldest day of candles is removed. */
#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/streams.h"
#include "fail.h"
#include "sources/collect/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { SYMBOLS_AT_MOST = 1000, WRITES_AT_MOST = 1000, PRINTS = 5, DAY_CANDLES = 288 };

static char names[SYMBOLS_AT_MOST][SYMBOL_SIZE];
static const char *symbols[SYMBOLS_AT_MOST];
static size_t symbol_count;
static struct error error;

struct times {
    const char *name;
    size_t count;
    double ms[WRITES_AT_MOST];
};

static void must(enum status status)
{
    if (status != STATUS_OK)
        fail("the database", error.message);
}

static void note(struct times *times, uint64_t since_ns)
{
    times->ms[times->count++] = (double)(clock_monotonic_ns() - since_ns) / 1e6;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void append_times(struct buffer *out, struct times *times)
{
    qsort(times->ms, times->count, sizeof times->ms[0], compare);
    buffer_append_format(out, ",\"%s\":{\"median\":%.1f,\"max\":%.1f}", times->name,
                         times->ms[times->count / 2], times->ms[times->count - 1]);
}

static struct kline_row make_kline(size_t symbol, int64_t time_ms)
{
    struct kline_row row = {.candle = {.open_time_ms = time_ms,
                                       .open_e8 = 100 * DECIMAL_ONE,
                                       .high_e8 = 100 * DECIMAL_ONE + rand(),
                                       .low_e8 = 90 * DECIMAL_ONE + rand(),
                                       .close_e8 = 100 * DECIMAL_ONE},
                            .volume_e8 = DECIMAL_ONE + rand(),
                            .close_time_ms = time_ms + CANDLE_MS - 1};
    strcpy(row.symbol, names[symbol]);
    return row;
}

static struct interest_row make_interest(size_t symbol, int64_t time_ms)
{
    struct interest_row row = {.timestamp_ms = time_ms, .value_e8 = 1000 * DECIMAL_ONE + rand()};
    strcpy(row.symbol, names[symbol]);
    return row;
}

static struct liquidation_row make_print(size_t symbol, int64_t time_ms, size_t number)
{
    struct liquidation_row row = {.exchange = "bench",
                                  .time_ms = time_ms,
                                  .price_e8 = 100 * DECIMAL_ONE,
                                  .quantity_e8 = DECIMAL_ONE,
                                  .value_e8 = 100 * DECIMAL_ONE};
    strcpy(row.symbol, names[symbol]);
    snprintf(row.id, sizeof row.id, "%zu", number);
    return row;
}

static void write_step(struct store_session *session, size_t symbol, int64_t time_ms)
{
    const struct kline_row kline = make_kline(symbol, time_ms);
    const struct interest_row interest = make_interest(symbol, time_ms);
    must(store_write_kline(session, &kline, &error));
    must(store_write_interest(session, &interest, &error));
}

static void make(const char *path, int days, int64_t end_ms)
{
    struct store *store = NULL;
    struct store_session *session = NULL;
    must(store_open(path, STORE_OWNER, &store, &error));
    must(store_begin(store, &session, &error));
    for (int day = days; day > 0; day--) {
        must(store_write_begin(session, "bench", false, &error));
        for (int candle = 0; candle < DAY_CANDLES; candle++)
            for (size_t i = 0; i < symbol_count; i++)
                write_step(session, i, end_ms - day * DAY_MS + candle * CANDLE_MS);
        must(store_write_commit(session, NULL, NULL, &error));
    }
    store_end(session);
    store_close(store);
}

static void write_prints(struct store_session *session, int64_t time_ms)
{
    for (size_t i = 0; i < symbol_count * PRINTS; i++) {
        const struct liquidation_row row = make_print(i % symbol_count, time_ms, i);
        must(store_write_liquidation(session, &row, &error));
    }
}

static void write_once(struct store *store, int64_t time_ms, struct times *held)
{
    struct store_session *session = NULL;
    uint64_t start_ns = clock_monotonic_ns();
    must(store_begin_brief(store, &session, &error));
    must(store_write_begin(session, "bench", true, &error));
    for (size_t i = 0; i < symbol_count; i++)
        write_step(session, i, time_ms);
    write_prints(session, time_ms);
    must(store_write_commit(session, NULL, NULL, &error));
    check(store_liquidations_new(session) <= symbol_count * PRINTS);
    store_end(session);
    note(held, start_ns);
}

/* A day of all symbols, as a collector puts it that has been away. */
static void fill_back(struct store *store, int64_t start_ms, struct buffer *out)
{
    const struct writer_options options = {
        .store = store, .write_seconds = 1, .waiting_bytes_max = 1000000000};
    struct writer_status status;
    struct writer *writer = writer_start(&options);
    uint64_t start_ns = clock_monotonic_ns();
    for (int candle = 0; candle < DAY_CANDLES; candle++)
        for (size_t i = 0; i < symbol_count; i++) {
            int64_t time_ms = start_ms + candle * CANDLE_MS;
            const struct kline_row kline = make_kline(i, time_ms);
            const struct interest_row interest = make_interest(i, time_ms);
            const struct liquidation_row print = make_print(i, time_ms, i);
            check(!writer_is_full(writer));
            writer_put_kline(writer, &kline);
            writer_put_interest(writer, &interest, "bench");
            writer_put_liquidation(writer, &print);
        }
    do {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        writer_status(writer, &status);
    } while (status.waiting_rows > 0);
    double seconds = (double)(clock_monotonic_ns() - start_ns) / 1e9;
    writer_stop(writer, 0, NULL);
    buffer_append_format(out, ",\"filled\":{\"seconds\":%.1f,\"held\":%.2f,\"writes\":%llu}",
                         seconds, status.held_seconds / seconds, (unsigned long long)status.writes);
}

static void prune(struct store *store, int64_t to_ms, struct times *pruned)
{
    const struct store_scope old = {symbols, symbol_count, 0, to_ms};
    uint64_t count = STORE_PRUNE_ROWS;
    while (count == STORE_PRUNE_ROWS && pruned->count < WRITES_AT_MOST) {
        struct store_session *session = NULL;
        uint64_t start_ns = clock_monotonic_ns();
        must(store_begin_brief(store, &session, &error));
        must(store_prune(session, STORE_CANDLES, &old, &count, &error));
        store_end(session);
        note(pruned, start_ns);
    }
}

static void note_hole(size_t symbol, int64_t first_ms, int64_t last_ms, void *context)
{
    (void)symbol, (void)first_ms, (void)last_ms;
    ++*(size_t *)context;
}

/* What a reader pays, and a collector that starts, for the last week. */
static void read_once(struct store *store, int64_t time_ms, struct times *opening,
                      struct times *newest, struct times *holes)
{
    static int64_t found_ms[SYMBOLS_AT_MOST];
    const struct store_scope week = {symbols, symbol_count, time_ms - 7 * DAY_MS, time_ms};
    struct store_session *session = NULL;
    size_t count = 0;
    uint64_t start_ns = clock_monotonic_ns();
    must(store_begin(store, &session, &error));
    note(opening, start_ns);
    start_ns = clock_monotonic_ns();
    must(store_newest_of_each(session, STORE_CANDLES, &week, found_ms, &error));
    note(newest, start_ns);
    start_ns = clock_monotonic_ns();
    must(store_find_holes(session, STORE_CANDLES, &week, note_hole, &count, &error));
    note(holes, start_ns);
    store_end(session);
}

int main(int argc, char **argv)
{
    static struct times bare = {.name = "opening_without_log"}, held = {.name = "held"},
                        opening = {.name = "opening"}, newest = {.name = "newest"},
                        holes = {.name = "holes"}, pruned = {.name = "pruned"};
    struct buffer filled = {0};
    streams_open_standard();
    if (argc < 2)
        fail("usage: store_bench PATH [SYMBOLS [DAYS [WRITES]]]", NULL);
    symbol_count = argc > 2 ? (size_t)atoi(argv[2]) : 50;
    int writes = argc > 4 ? atoi(argv[4]) : 60;
    check(symbol_count > 0 && symbol_count <= SYMBOLS_AT_MOST);
    check(writes > 0 && writes <= WRITES_AT_MOST);
    for (size_t i = 0; i < symbol_count; i++) {
        snprintf(names[i], SYMBOL_SIZE, "SYM%zuUSDT", i);
        symbols[i] = names[i];
    }
    int64_t now_ms = clock_wall_ms() / CANDLE_MS * CANDLE_MS;
    int days = argc > 3 ? atoi(argv[3]) : 30;
    if (access(argv[1], F_OK) != 0)
        make(argv[1], days, now_ms);

    struct store *store = NULL;
    struct store_session *session = NULL;
    struct rusage before, after;
    must(store_open(argv[1], STORE_SHARED, &store, &error));
    for (int i = 0; i < writes; i++) {
        must(store_begin(store, &session, &error)); /* makes what the first opening makes */
        store_end(session);
        uint64_t start_ns = clock_monotonic_ns();
        must(store_begin(store, &session, &error));
        note(&bare, start_ns);
        store_end(session);
    }
    getrusage(RUSAGE_SELF, &before);
    for (int i = 0; i < writes; i++) {
        write_once(store, now_ms + i * CANDLE_MS, &held);
        read_once(store, now_ms + i * CANDLE_MS, &opening, &newest, &holes);
    }
    getrusage(RUSAGE_SELF, &after);
    fill_back(store, now_ms + (writes + 1) * CANDLE_MS, &filled);
    prune(store, now_ms - (days - 1) * DAY_MS, &pruned);
    int64_t prints = 0;
    must(store_begin(store, &session, &error));
    must(store_count_liquidations(session, &prints, &error));
    store_end(session);
    store_close(store);
    struct buffer out = {0};
    buffer_append_format(&out, "{\"liquidations\":%lld,\"written_kb\":%.0f", (long long)prints,
                         (double)(after.ru_oublock - before.ru_oublock) / 2 / writes);
    append_times(&out, &bare);
    append_times(&out, &held);
    append_times(&out, &opening);
    append_times(&out, &newest);
    append_times(&out, &holes);
    append_times(&out, &pruned);
    buffer_append_text(&out, buffer_text(&filled));
    buffer_deinit(&filled);
    buffer_append_text(&out, "}\n");
    fputs(buffer_text(&out), stdout);
    buffer_deinit(&out);
    return 0;
}
