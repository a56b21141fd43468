/* A database as other programs use it: through DuckDB itself. */
#ifndef HEATCAST_TESTS_FOREIGN_DATABASE_H
#define HEATCAST_TESTS_FOREIGN_DATABASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <duckdb.h>

/* What another program would do to the file. */
static inline void run_foreign(const char *path, const char *sql)
{
    duckdb_database foreign;
    duckdb_connection connection;
    duckdb_result result;
    assert_int_equal(duckdb_open(path, &foreign), DuckDBSuccess);
    assert_int_equal(duckdb_connect(foreign, &connection), DuckDBSuccess);
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess)
        fail_msg("%s", duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    duckdb_disconnect(&connection);
    duckdb_close(&foreign);
}

/* The first value of a query's result. */
static inline int64_t ask_foreign(const char *path, const char *sql)
{
    duckdb_database foreign;
    duckdb_connection connection;
    duckdb_result result;
    assert_int_equal(duckdb_open(path, &foreign), DuckDBSuccess);
    assert_int_equal(duckdb_connect(foreign, &connection), DuckDBSuccess);
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess)
        fail_msg("%s", duckdb_result_error(&result));
    int64_t answer = duckdb_value_int64(&result, 0, 0);
    duckdb_destroy_result(&result);
    duckdb_disconnect(&connection);
    duckdb_close(&foreign);
    return answer;
}

#endif
