/* Walking over a result. DuckDB hands it out in chunks of 2,048 rows, each a vector a column; its
 * functions for single values would look the column up again for each of them. */
#include "store/rows.h"

bool rows_next(struct rows *rows)
{
    rows->row++;
    while (rows->chunk == NULL || rows->row >= rows->row_count) {
        duckdb_destroy_data_chunk(&rows->chunk);
        rows->rows_before += rows->row_count;
        rows->row = rows->row_count = 0;
        rows->chunk = duckdb_fetch_chunk(rows->result);
        if (rows->chunk == NULL)
            return false;
        rows->row_count = duckdb_data_chunk_get_size(rows->chunk);
        for (size_t i = 0; i < rows->column_count; i++) {
            duckdb_vector vector = duckdb_data_chunk_get_vector(rows->chunk, i);
            rows->data[i] = duckdb_vector_get_data(vector);
            rows->validity[i] = duckdb_vector_get_validity(vector);
        }
    }
    return true;
}

static int64_t read_price(const struct rows *rows, size_t column)
{
    return rows_has(rows, column) ? rows_int64(rows, column) : 0;
}

struct candle rows_candle(const struct rows *rows, size_t column)
{
    return (struct candle){
        .open_e8 = read_price(rows, column),
        .high_e8 = read_price(rows, column + 1),
        .low_e8 = read_price(rows, column + 2),
        .close_e8 = read_price(rows, column + 3),
        .volume = rows_has(rows, column + 4) ? rows_double(rows, column + 4) : 0,
    };
}

static __int128 read_amount(const struct rows *rows, size_t column)
{
    return rows_has(rows, column) ? rows_wide(rows, column) : 0;
}

struct interest_reading rows_interest(const struct rows *rows, size_t column)
{
    return (struct interest_reading){
        .time_us = rows_int64(rows, column),
        .value_e8 = read_amount(rows, column + 1),
        .contracts_e8 = read_amount(rows, column + 2),
    };
}

bool rows_close(struct rows *rows)
{
    bool is_complete = rows->rows_before == duckdb_row_count(&rows->result);
    duckdb_destroy_data_chunk(&rows->chunk);
    duckdb_destroy_result(&rows->result);
    return is_complete;
}
