/* A collector without exchanges: rows of many symbols go through the writer, as fast as a market
 * never is, until the program is told to end (SIGTERM). Prints a JSON line about it now and then.
 *
 *     collect_probe PATH SYMBOLS
 *
 * And another program, which reads the file with DuckDB: counts the candles; exit code 3 where the
 * file is held. With `stay` it holds the file until its standard input ends.
 *
 *     collect_probe PATH [stay] */
#include "base/clock.h"
#include "base/decimal.h"
#include "base/log.h"
#include "sources/collect/writer.h"

#include <duckdb.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEP_MS = 100, REPORT_STEPS = 5, STOP_MS = 20000, EXIT_HELD = 3 };

static volatile sig_atomic_t is_stopping;

static void on_signal(int number)
{
    (void)number;
    is_stopping = 1;
}

static void put_step(struct writer *writer, int symbol_count, int64_t time_ms)
{
    for (int i = 0; i < symbol_count; i++) {
        struct kline_row candle = {.candle = {.open_time_ms = time_ms,
                                              .open_e8 = 100 * DECIMAL_ONE,
                                              .high_e8 = 101 * DECIMAL_ONE,
                                              .low_e8 = 99 * DECIMAL_ONE,
                                              .close_e8 = 100 * DECIMAL_ONE},
                                   .volume_e8 = DECIMAL_ONE,
                                   .close_time_ms = time_ms + CANDLE_MS - 1};
        struct interest_row stamp = {.timestamp_ms = time_ms, .value_e8 = 1000 * DECIMAL_ONE};
        struct liquidation_row print = {.exchange = "probe",
                                        .time_ms = time_ms,
                                        .price_e8 = 100 * DECIMAL_ONE,
                                        .quantity_e8 = DECIMAL_ONE,
                                        .value_e8 = 100 * DECIMAL_ONE,
                                        .id = "1"};
        snprintf(candle.symbol, sizeof candle.symbol, "SYM%dUSDT", i);
        strcpy(stamp.symbol, candle.symbol);
        strcpy(print.symbol, candle.symbol);
        writer_put_kline(writer, &candle);
        writer_put_interest(writer, &stamp, "probe");
        writer_put_liquidation(writer, &print);
    }
}

static void report(struct writer *writer, int64_t steps)
{
    struct writer_status status;
    writer_status(writer, &status);
    printf("{\"steps\":%" PRId64 ",\"waiting\":%" PRIu64 ",\"klines\":%" PRIu64
           ",\"dropped\":%" PRIu64 "}\n",
           steps, status.waiting_rows, status.written_klines,
           status.dropped_klines + status.dropped_interest + status.dropped_liquidations);
    fflush(stdout);
}

static int collect(const char *path, int symbol_count)
{
    struct store *store = NULL;
    struct error error;
    if (store_open(path, STORE_SHARED, &store, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    int64_t start_ms = clock_wall_ms() / CANDLE_MS * CANDLE_MS - 365 * DAY_MS, steps = 0;
    struct writer *writer = writer_start(&(struct writer_options){
        .store = store, .write_seconds = 0.5, .waiting_bytes_max = 64000000});
    for (; !is_stopping; steps++) {
        put_step(writer, symbol_count, start_ms + steps * CANDLE_MS);
        if (steps % REPORT_STEPS == 0)
            report(writer, steps);
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
    }
    writer_stop(writer, STOP_MS, NULL);
    store_close(store);
    printf("{\"steps\":%" PRId64 ",\"ended\":true}\n", steps);
    return 0;
}

static int count(const char *path, bool stays)
{
    duckdb_config config = NULL;
    duckdb_database database = NULL;
    duckdb_connection connection = NULL;
    duckdb_result result = {0};
    char *message = NULL;
    duckdb_create_config(&config);
    duckdb_set_config(config, "access_mode", "READ_ONLY");
    bool is_open = duckdb_open_ext(path, &database, config, &message) == DuckDBSuccess;
    duckdb_destroy_config(&config);
    if (!is_open) {
        bool is_held = strstr(message, "Could not set lock") != NULL;
        fprintf(stderr, "%s\n", message);
        duckdb_free(message);
        return is_held ? EXIT_HELD : 1;
    }
    bool is_read = duckdb_connect(database, &connection) == DuckDBSuccess &&
                   duckdb_query(connection, "SELECT count(*) FROM klines_5m_history", &result) ==
                       DuckDBSuccess;
    if (is_read)
        printf("%" PRId64 "\n", duckdb_value_int64(&result, 0, 0));
    fflush(stdout);
    while (stays && getchar() != EOF)
        continue;
    duckdb_destroy_result(&result);
    duckdb_disconnect(&connection);
    duckdb_close(&database);
    return is_read ? 0 : 1;
}

int main(int argc, char **argv)
{
    signal(SIGTERM, on_signal);
    log_configure(LOG_WARN, LOG_FORMAT_TEXT);
    bool stays = argc > 2 && strcmp(argv[2], "stay") == 0;
    return argc > 2 && !stays ? collect(argv[1], atoi(argv[2])) : count(argv[1], stays);
}
