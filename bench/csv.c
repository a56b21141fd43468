/* What DuckDB's own CSV reader takes for files that `heatcast import` reads, into the same tables:
 * the measure of an import. Prints one JSON object.
 *
 *     csv_bench DATABASE klines|metrics FILES...
 *
 * The tables are made here as heatcast makes them, keys and all; FILES may be a pattern. Prices and
 * times are converted as the files have them, and nothing is checked. */
#include "base/clock.h"

#include <duckdb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { SQL_SIZE = 8192 };

static const char tables[] =
    "CREATE TABLE klines_5m_history (open_time TIMESTAMP, symbol VARCHAR, open DECIMAL(18,8), "
    "high DECIMAL(18,8), low DECIMAL(18,8), close DECIMAL(18,8), volume DECIMAL(18,8), "
    "close_time TIMESTAMP, quote_volume DECIMAL(20,8), count INTEGER, "
    "taker_buy_volume DECIMAL(18,8), taker_buy_quote_volume DECIMAL(20,8), "
    "PRIMARY KEY (symbol, open_time));"
    "CREATE TABLE open_interest_history (id BIGINT PRIMARY KEY, timestamp TIMESTAMP NOT NULL, "
    "symbol VARCHAR(20) NOT NULL, open_interest_value DECIMAL(20,8) NOT NULL, "
    "open_interest_contracts DECIMAL(18,8), source VARCHAR(50), UNIQUE (symbol, timestamp));";

static const char klines[] =
    "INSERT INTO klines_5m_history SELECT epoch_ms(open_time), 'BTCUSDT', open, high, low, close, "
    "volume, epoch_ms(close_time), quote_volume, count, taker_buy_volume, taker_buy_quote_volume "
    "FROM read_csv('%s')";
static const char metrics[] =
    "INSERT INTO open_interest_history SELECT row_number() OVER (), create_time, symbol, "
    "sum_open_interest_value, sum_open_interest, 'binance' FROM read_csv('%s')";

static idx_t run(duckdb_connection connection, const char *sql)
{
    duckdb_result result;
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess) {
        fprintf(stderr, "csv_bench: %s\n", duckdb_result_error(&result));
        exit(1);
    }
    idx_t changed = duckdb_rows_changed(&result);
    duckdb_destroy_result(&result);
    return changed;
}

int main(int argc, char **argv)
{
    duckdb_database database;
    duckdb_connection connection;
    char sql[SQL_SIZE];
    if (argc != 4) {
        fprintf(stderr, "usage: csv_bench DATABASE klines|metrics FILES\n");
        return 2;
    }
    uint64_t start_ns = clock_monotonic_ns();
    if (duckdb_open(argv[1], &database) != DuckDBSuccess ||
        duckdb_connect(database, &connection) != DuckDBSuccess) {
        fprintf(stderr, "csv_bench: %s cannot be opened\n", argv[1]);
        return 1;
    }
    run(connection, tables);
    bool is_klines = strcmp(argv[2], "klines") == 0;
    int size = is_klines ? snprintf(sql, sizeof sql, klines, argv[3])
                         : snprintf(sql, sizeof sql, metrics, argv[3]);
    if (size >= SQL_SIZE)
        return 2;
    idx_t rows = run(connection, sql);
    duckdb_disconnect(&connection);
    duckdb_close(&database);
    double seconds = (double)(clock_monotonic_ns() - start_ns) / 1e9;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"rows\":%llu,\"seconds\":%.6f,\"memory_kb\":%ld}\n", (unsigned long long)rows,
           seconds, usage.ru_maxrss);
    return 0;
}
