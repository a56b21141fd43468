/* The two tables: what they are like when heatcast makes them, and what of them an open database
 * has. One that another program made may have more columns, fewer, or others of the same name; only
 * those that are read must be there, with values of a type that can be read. */
#include "store/internal.h"

#include "base/buffer.h"
#include "store/rows.h"

#include <stdio.h>
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

/* Whether the database has the tables, whoever made them. */
static enum status has_tables(struct store_session *session, bool *is_there, struct error *error)
{
    struct error reason = {0};
    enum status status =
        store_run(session, "SELECT 1 FROM open_interest_history LIMIT 0", NULL, 0, NULL, &reason);
    *is_there = status == STATUS_OK;
    if (status == STATUS_OK || strstr(reason.message, "does not exist") != NULL)
        return STATUS_OK;
    return error_set(error, status, "%s", reason.message);
}

static enum status note_version(struct store_session *session, struct error *error)
{
    static const char create_sql[] = "CREATE TABLE heatcast_schema (version INTEGER NOT NULL)";
    static const char insert_sql[] = "INSERT INTO heatcast_schema VALUES ($1)";
    const struct parameter version = {.type = PARAMETER_INTEGER, .integer = STORE_VERSION};
    enum status status = store_run(session, create_sql, NULL, 0, NULL, error);
    return status == STATUS_OK ? store_run(session, insert_sql, &version, 1, NULL, error) : status;
}

/* In one transaction: a reader finds all or none. A database that has rows already keeps the
 * version that it was begun with. */
enum status store_create_tables(struct store_session *session, struct error *error)
{
    bool is_there;
    enum status status = has_tables(session, &is_there, error);
    if (status == STATUS_OK)
        status = store_run(session, "BEGIN TRANSACTION", NULL, 0, NULL, error);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < TABLE_COUNT && status == STATUS_OK; i++)
        status = create_table(session, &store_tables[i], error);
    if (status == STATUS_OK && !is_there)
        status = note_version(session, error);
    if (status == STATUS_OK)
        return store_run(session, "COMMIT", NULL, 0, NULL, error);
    store_run(session, "ROLLBACK", NULL, 0, NULL, NULL);
    return status;
}

enum status store_schema_version(struct store_session *session, int64_t *version,
                                 struct error *error)
{
    struct error reason = {0};
    enum status status =
        store_run_row(session, "SELECT CAST(max(version) AS BIGINT) FROM heatcast_schema", NULL, 0,
                      version, NULL, 1, &reason);
    if (status == STATUS_OK)
        return STATUS_OK;
    *version = 1;
    return strstr(reason.message, "does not exist") != NULL
               ? STATUS_OK
               : error_set(error, status, "%s", reason.message);
}

/* A column of an open database. */
struct found_column {
    struct slice name, type;
    bool has_default, is_needed, is_key;
};

/* Whether a type is the one that we give the column, which a constraint may follow. */
static bool is_own_type(const struct column *column, struct slice type)
{
    size_t size = type.size;
    return strncmp(column->type, type.data, size) == 0 &&
           (column->type[size] == '\0' || strchr(" (", column->type[size]) != NULL);
}

/* Whether the column is of the primary key of the table as we make it. */
static bool is_own_key(const struct table_shape *shape, const struct column *column)
{
    bool has_key = strncmp(shape->constraint, "PRIMARY KEY", 11) == 0;
    return strstr(column->type, "PRIMARY KEY") != NULL ||
           (has_key &&
            (strcmp(column->name, "symbol") == 0 || strcmp(column->name, shape->time_column) == 0));
}

static void note_column(enum table table, const struct found_column *found, struct schema *schema)
{
    const struct table_shape *shape = &store_tables[table];
    for (size_t i = 0; i < shape->column_count; i++) {
        const struct column *column = &shape->columns[i];
        if (!slice_equals(found->name, column->name))
            continue;
        bool is_needed_by_us =
            strstr(column->type, "NOT NULL") != NULL || is_own_key(shape, column);
        bool is_own = is_own_type(column, found->type) && (!found->is_needed || is_needed_by_us);
        schema->has[table][i] = true;
        schema->is_key[table][i] = found->is_key;
        schema->has_default[table][i] = found->has_default;
        schema->is_needed[table][i] = found->is_needed;
        schema->is_foreign[table] = schema->is_foreign[table] || !is_own;
        snprintf(schema->types[table][i], TYPE_SIZE, "%.*s", slice_arguments(found->type));
        return;
    }
    if (found->is_needed && !found->has_default)
        snprintf(schema->unfilled[table], COLUMN_NAME_SIZE, "%.*s", slice_arguments(found->name));
}

/* Whether the table has a primary key that is not ours: of the time alone, it would refuse the rows
 * of a second symbol. */
static bool has_foreign_key(enum table table, const struct schema *schema)
{
    const struct table_shape *shape = &store_tables[table];
    bool has_key = false, is_own = true;
    for (size_t i = 0; i < shape->column_count; i++) {
        has_key = has_key || schema->is_key[table][i];
        is_own = is_own && schema->is_key[table][i] == is_own_key(shape, &shape->columns[i]);
    }
    return has_key && !is_own;
}

/* Which of a table's columns are there. The pragma takes a fraction of a millisecond, where
 * duckdb_columns() takes ten: it fills DuckDB's whole catalog first. */
static enum status read_columns(struct store_session *session, enum table table,
                                struct schema *schema, struct error *error)
{
    static const char sql[] = "SELECT lower(name), dflt_value IS NOT NULL, type, \"notnull\", pk "
                              "FROM pragma_table_info($1)";
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

    struct rows rows = {.result = result, .column_count = 5};
    while (rows_next(&rows)) {
        const struct found_column found = {
            .name = rows_text(&rows, 0),
            .has_default = rows_bool(&rows, 1),
            .type = rows_text(&rows, 2),
            .is_needed = rows_bool(&rows, 3),
            .is_key = rows_bool(&rows, 4),
        };
        note_column(table, &found, schema);
    }
    schema->is_foreign[table] = schema->is_foreign[table] || has_foreign_key(table, schema);
    return rows_close(&rows)
               ? STATUS_OK
               : store_fail(session->store, STATUS_NO_MEMORY, "no memory for a result", error);
}

/* What types the values of a column may be of, by the words that they begin with. */
static const char *const *types_of(const struct table_shape *shape, const struct column *column)
{
    static const char *const times[] = {"TIMESTAMP", "DATE", "VARCHAR", NULL};
    static const char *const texts[] = {"VARCHAR", "ENUM", NULL};
    static const char *const numbers[] = {"DECIMAL",  "DOUBLE",  "FLOAT",    "BIGINT",
                                          "INTEGER",  "HUGEINT", "SMALLINT", "TINYINT",
                                          "UHUGEINT", "UBIGINT", "UINTEGER", "USMALLINT",
                                          "UTINYINT", "VARCHAR", NULL};
    return strcmp(column->name, shape->time_column) == 0 ? times
           : strcmp(column->name, "symbol") == 0         ? texts
                                                         : numbers;
}

/* Whether they can be cast to what is read; lists of them, DOUBLE[], cannot. */
static bool is_readable(const char *const *types, const char *type)
{
    for (; *types != NULL; types++)
        if (strncmp(type, *types, strlen(*types)) == 0)
            return type[strlen(type) - 1] != ']';
    return false;
}

/* That a column that is read is there, with values that can be read. A number is no time: it might
 * count seconds or milliseconds, and read as either it would be one that no window has. */
static enum status check_column(const struct store *store, const struct table_shape *shape,
                                const struct column *column, bool is_there, const char *type,
                                struct error *error)
{
    const char *const *types = types_of(shape, column);
    if (!is_there)
        return error_set(error, STATUS_NOT_FOUND, "%s: the table %s has no column %s", store->path,
                         shape->name, column->name);
    if (is_readable(types, type))
        return STATUS_OK;
    if (strcmp(types[0], "TIMESTAMP") != 0)
        return error_set(error, STATUS_IO,
                         "%s: the column %s of the table %s is of type %s, and of a type like %s "
                         "is expected",
                         store->path, column->name, shape->name, type, types[0]);
    return error_set(error, STATUS_IO,
                     "%s: the column %s of the table %s is of type %s, and TIMESTAMP is expected; "
                     "milliseconds become one with CREATE OR REPLACE TABLE %s AS SELECT * REPLACE "
                     "(epoch_ms(CAST(%s AS BIGINT)) AS %s) FROM %s",
                     store->path, column->name, shape->name, type, shape->name, column->name,
                     column->name, shape->name);
}

/* All that are read. */
static enum status check_columns(const struct store *store, enum table table,
                                 const struct schema *schema, struct error *error)
{
    const struct table_shape *shape = &store_tables[table];
    enum status status = STATUS_OK;
    for (size_t i = 0; i < shape->column_count && status == STATUS_OK; i++)
        if (shape->columns[i].is_read)
            status = check_column(store, shape, &shape->columns[i], schema->has[table][i],
                                  schema->types[table][i], error);
    return status;
}

enum status store_check_schema(struct store_session *session, struct schema *schema,
                               struct error *error)
{
    enum status status = STATUS_OK;
    *schema = (struct schema){0};
    for (enum table table = 0; table < TABLE_COUNT && status == STATUS_OK; table++) {
        status = read_columns(session, table, schema, error);
        if (status == STATUS_OK)
            status = check_columns(session->store, table, schema, error);
    }
    return status;
}
