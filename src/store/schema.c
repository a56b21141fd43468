/* The two tables: what they are like when heatcast makes them, and what of them an open database
 * has. One that another program made may have more columns, fewer, or others of the same name; only
 * those that are read must be there. */
#include "store/internal.h"

#include "base/buffer.h"

#include <string.h>

/* Staged numbers are integers scaled by 10^8; this is the same number, exactly, as SQL sees it. */
#define EXACT(column) "CAST(" column " AS DECIMAL(19,0)) * CAST(0.00000001 AS DECIMAL(9,8))"

const struct table_shape store_tables[TABLE_COUNT] = {
    [TABLE_KLINES] =
        {
            .name = "klines_5m_history",
            .time_column = "open_time",
            .constraint = "PRIMARY KEY (symbol, open_time)",
            .column_count = 12,
            .columns =
                {
                    {"open_time", "TIMESTAMP", "make_timestamp(staged.time_us)", true},
                    {"symbol", "VARCHAR", "staged.symbol", true},
                    {"open", "DECIMAL(18,8)", EXACT("staged.open_e8"), true},
                    {"high", "DECIMAL(18,8)", EXACT("staged.high_e8"), true},
                    {"low", "DECIMAL(18,8)", EXACT("staged.low_e8"), true},
                    {"close", "DECIMAL(18,8)", EXACT("staged.close_e8"), true},
                    {"volume", "DECIMAL(18,8)", EXACT("staged.volume_e8"), true},
                    {"close_time", "TIMESTAMP", "make_timestamp(staged.close_time_us)", false},
                    {"quote_volume", "DECIMAL(20,8)", EXACT("staged.quote_volume_e8"), false},
                    {"count", "INTEGER", "staged.trade_count", false},
                    {"taker_buy_volume", "DECIMAL(18,8)", EXACT("staged.taker_buy_volume_e8"),
                     false},
                    {"taker_buy_quote_volume", "DECIMAL(20,8)",
                     EXACT("staged.taker_buy_quote_volume_e8"), false},
                },
        },
    [TABLE_INTEREST] =
        {
            .name = "open_interest_history",
            .time_column = "timestamp",
            .constraint = "UNIQUE (symbol, timestamp)",
            .column_count = 6,
            .columns =
                {
                    {"id", "BIGINT PRIMARY KEY", "$3 + row_number() OVER (ORDER BY staged.row)",
                     false},
                    {"timestamp", "TIMESTAMP NOT NULL", "make_timestamp(staged.time_us)", true},
                    {"symbol", "VARCHAR(20) NOT NULL", "staged.symbol", true},
                    {"open_interest_value", "DECIMAL(20,8) NOT NULL", EXACT("staged.value_e8"),
                     true},
                    {"open_interest_contracts", "DECIMAL(18,8)", EXACT("staged.contracts_e8"),
                     false},
                    {"source", "VARCHAR(50)", "staged.source", false},
                },
        },
};

static enum status create_table(struct store_session *session, const struct table_shape *table,
                                struct error *error)
{
    struct buffer sql = {0};
    buffer_append_format(&sql, "CREATE TABLE IF NOT EXISTS %s (", table->name);
    for (size_t i = 0; i < table->column_count; i++)
        buffer_append_format(&sql, "%s %s, ", table->columns[i].name, table->columns[i].type);
    buffer_append_format(&sql, "%s)", table->constraint);
    enum status status = store_run(session, buffer_text(&sql), NULL, 0, NULL, error);
    buffer_deinit(&sql);
    return status;
}

/* In one transaction: a reader finds both or none. */
enum status store_create_tables(struct store_session *session, struct error *error)
{
    enum status status = store_run(session, "BEGIN TRANSACTION", NULL, 0, NULL, error);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < TABLE_COUNT && status == STATUS_OK; i++)
        status = create_table(session, &store_tables[i], error);
    if (status == STATUS_OK)
        return store_run(session, "COMMIT", NULL, 0, NULL, error);
    store_run(session, "ROLLBACK", NULL, 0, NULL, NULL);
    return status;
}

static void note_column(enum table table, const char *name, size_t name_size, bool has_default,
                        struct schema *schema)
{
    const struct table_shape *shape = &store_tables[table];
    for (size_t i = 0; i < shape->column_count; i++) {
        const char *expected = shape->columns[i].name;
        if (strlen(expected) != name_size || memcmp(expected, name, name_size) != 0)
            continue;
        schema->has[table][i] = true;
        schema->has_default[table][i] = has_default;
    }
}

/* Which of a table's columns are there. The pragma takes a fraction of a millisecond, where
 * duckdb_columns() takes ten: it fills DuckDB's whole catalog first. */
static enum status read_columns(struct store_session *session, enum table table,
                                struct schema *schema, struct error *error)
{
    static const char sql[] =
        "SELECT lower(name), dflt_value IS NOT NULL FROM pragma_table_info($1)";
    const struct table_shape *shape = &store_tables[table];
    const struct parameter name = {.type = PARAMETER_TEXT, .text = shape->name};
    duckdb_result result;
    struct error reason = {0};
    enum status status = store_run(session, sql, &name, 1, &result, &reason);
    if (status != STATUS_OK && strstr(reason.message, "does not exist") != NULL)
        return error_set(error, STATUS_NOT_FOUND,
                         "%s: the database has no table %s (`heatcast import` makes it)",
                         session->store->path, shape->name);
    if (status != STATUS_OK)
        return error_set(error, status, "%s", reason.message);

    duckdb_data_chunk chunk;
    while ((chunk = duckdb_fetch_chunk(result)) != NULL) {
        duckdb_string_t *names = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        const bool *defaults = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
        for (idx_t row = 0; row < duckdb_data_chunk_get_size(chunk); row++)
            note_column(table, duckdb_string_t_data(&names[row]),
                        duckdb_string_t_length(names[row]), defaults[row], schema);
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    return STATUS_OK;
}

enum status store_check_schema(struct store_session *session, struct schema *schema,
                               struct error *error)
{
    *schema = (struct schema){0};
    for (enum table table = 0; table < TABLE_COUNT; table++) {
        const struct table_shape *shape = &store_tables[table];
        enum status status = read_columns(session, table, schema, error);
        if (status != STATUS_OK)
            return status;
        for (size_t i = 0; i < shape->column_count; i++)
            if (shape->columns[i].is_read && !schema->has[table][i])
                return error_set(error, STATUS_NOT_FOUND, "%s: the table %s has no column %s",
                                 session->store->path, shape->name, shape->columns[i].name);
    }
    return STATUS_OK;
}
