/* The rows of a result, one after the other, straight from DuckDB's vectors. One thread. */
#ifndef HEATCAST_STORE_ROWS_H
#define HEATCAST_STORE_ROWS_H

#include "base/slice.h"
#include "model/rows.h"

#include <duckdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROWS_COLUMNS_MAX 7

/* `struct rows rows = {.column_count = N}`, whose result a query then fills; rows_close() when that
 * has succeeded. */
struct rows {
    duckdb_result result;
    size_t column_count;
    duckdb_data_chunk chunk;
    idx_t row, row_count;
    idx_t rows_before; /* in chunks before this one */
    const void *data[ROWS_COLUMNS_MAX];
    uint64_t *validity[ROWS_COLUMNS_MAX];
};

/* Goes to the next row; false if there is none. */
bool rows_next(struct rows *rows);

/* False if rows_next() has ended too early: DuckDB says "no more" as well where it has no memory.
 */
bool rows_close(struct rows *rows);

/* The value of a column in this row; whether it has one. */
static inline bool rows_has(const struct rows *rows, size_t column)
{
    return duckdb_validity_row_is_valid(rows->validity[column], rows->row);
}

static inline int64_t rows_int64(const struct rows *rows, size_t column)
{
    return ((const int64_t *)rows->data[column])[rows->row];
}

static inline bool rows_bool(const struct rows *rows, size_t column)
{
    return ((const bool *)rows->data[column])[rows->row];
}

static inline double rows_double(const struct rows *rows, size_t column)
{
    return ((const double *)rows->data[column])[rows->row];
}

static inline __int128 rows_wide(const struct rows *rows, size_t column)
{
    duckdb_hugeint value = ((const duckdb_hugeint *)rows->data[column])[rows->row];
    return (__int128)value.upper * ((__int128)1 << 64) + (__int128)value.lower;
}

/* Valid until rows_next(). */
static inline struct slice rows_text(const struct rows *rows, size_t column)
{
    duckdb_string_t text = ((const duckdb_string_t *)rows->data[column])[rows->row];
    const duckdb_string_t *stored = &((const duckdb_string_t *)rows->data[column])[rows->row];
    return (struct slice){duckdb_string_is_inlined(text) ? stored->value.inlined.inlined
                                                         : stored->value.pointer.ptr,
                          duckdb_string_t_length(text)};
}

/* Five columns from this one on: the prices as DECIMAL(18,8), and the volume as DOUBLE. What is
 * missing, or no number that a price can be, is 0, as is the time. */
struct candle rows_candle(const struct rows *rows, size_t column);

/* Three columns from this one on: the time, and as DECIMAL(28,8) the value and the contracts, which
 * are 0 where they are missing. */
struct interest_reading rows_interest(const struct rows *rows, size_t column);

#endif
