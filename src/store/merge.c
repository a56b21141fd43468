/* From a stage into its table, within the transaction, with two statements: one that overwrites
 * what is there already, where that is wanted, and one that inserts the rest. That is fast for a
 * month of rows and for one, needs no constraint of the target table (a database that another
 * program made may have none, or a key on the time alone), and counts exactly what is new. An
 * anti-join decides what is new rather than ON CONFLICT, which would silently drop the other symbol
 * where the key is the time alone. The join covers the batch's time range only, so that its cost
 * does not grow with the table; and there is none where the table has nothing in that range, as
 * there is no sorting of rows that came in order. */
#include "store/internal.h"

#include "base/buffer.h"

#include <string.h>

/* Whether a column is given a value. A table of our own has no default for its id and numbers are
 * given; where there is one (a sequence), that sequence must stay ahead of all ids. */
bool store_is_written(const struct store_session *session, enum table table, size_t column)
{
    const struct schema *schema = &session->instance->schema;
    bool is_id = table == TABLE_INTEREST && column == 0;
    return schema->has[table][column] && !(is_id && schema->has_default[table][column]);
}

bool store_is_key(enum table table, size_t i)
{
    const struct table_shape *shape = &store_tables[table];
    const char *name = shape->columns[i].name;
    return strcmp(name, "id") == 0 || strcmp(name, "symbol") == 0 ||
           strcmp(name, shape->time_column) == 0;
}

/* One row per symbol and time of the batch. */
static void append_staged_rows(const struct store_session *session, enum table table,
                               struct buffer *sql)
{
    if (session->write.stages[table].is_series) {
        buffer_append_format(sql, "temp.%s AS staged", store_stage_names[table]);
        return;
    }
    buffer_append_format(sql,
                         "(SELECT * FROM temp.%s QUALIFY row_number() OVER "
                         "(PARTITION BY symbol, time_us ORDER BY row %s) = 1) AS staged",
                         store_stage_names[table], session->write.replaces ? "DESC" : "ASC");
}

void store_append_match(enum table table, struct buffer *sql)
{
    buffer_append_format(sql,
                         "target.symbol = staged.symbol AND TRY_CAST(target.%s AS TIMESTAMP) = "
                         "make_timestamp(staged.time_us) AND "
                         "TRY_CAST(target.%s AS TIMESTAMP) BETWEEN $1 AND $2",
                         store_tables[table].time_column, store_tables[table].time_column);
}

static void append_update(const struct store_session *session, enum table table, struct buffer *sql)
{
    const struct table_shape *shape = &store_tables[table];
    const char *separator = " SET ";
    buffer_append_format(sql, "UPDATE %s AS target", shape->name);
    for (size_t i = 0; i < shape->column_count; i++) {
        const struct column *column = &shape->columns[i];
        if (store_is_key(table, i) || !store_is_written(session, table, i))
            continue;
        buffer_append_format(sql, "%s%s = %s", separator, column->name, column->staged);
        separator = ", ";
    }
    buffer_append_text(sql, " FROM ");
    append_staged_rows(session, table, sql);
    buffer_append_text(sql, " WHERE ");
    store_append_match(table, sql);
}

/* `has_others`: the table has rows that may be among those that are staged. */
static void append_insert(const struct store_session *session, enum table table, bool has_others,
                          struct buffer *sql)
{
    const struct table_shape *shape = &store_tables[table];
    const char *separator = " (";
    buffer_append_format(sql, "INSERT INTO %s", shape->name);
    for (size_t i = 0; i < shape->column_count; i++) {
        if (!store_is_written(session, table, i))
            continue;
        buffer_append_format(sql, "%s%s", separator, shape->columns[i].name);
        separator = ", ";
    }
    separator = ") SELECT ";
    for (size_t i = 0; i < shape->column_count; i++) {
        if (!store_is_written(session, table, i))
            continue;
        buffer_append_format(sql, "%s%s", separator, shape->columns[i].staged);
        separator = ", ";
    }
    buffer_append_text(sql, " FROM ");
    append_staged_rows(session, table, sql);
    /* Of all rows, so that $1 and $2 are there in any case. */
    buffer_append_text(sql, " WHERE make_timestamp(staged.time_us) BETWEEN $1 AND $2");
    if (!has_others)
        return;
    buffer_append_format(sql, " AND NOT EXISTS (SELECT 1 FROM %s AS target WHERE ", shape->name);
    store_append_match(table, sql);
    buffer_append_char(sql, ')');
}

/* The highest id of the table, or one above it. The bound lets DuckDB pass over all blocks with
 * lower ids: without it the whole column is read for each transaction. */
static enum status find_last_id(struct store_session *session, int64_t *last_id,
                                struct error *error)
{
    static const char sql[] =
        "SELECT coalesce(max(id), $1) FROM open_interest_history WHERE id > $1";
    const struct parameter bound = {.type = PARAMETER_INTEGER,
                                    .integer = session->store->interest_id};
    return store_run_row(session, sql, &bound, 1, last_id, NULL, 1, error);
}

/* Whether the table has rows that the stage's might be. Most often there are none: then nothing
 * needs to be joined. $1 and $2 are as above, $3 is the symbol, where there is one. */
static enum status find_others(struct store_session *session, enum table table, bool *has_others,
                               struct error *error)
{
    const struct stage *stage = &session->write.stages[table];
    const struct table_shape *shape = &store_tables[table];
    const struct parameter parameters[] = {
        {.type = PARAMETER_TIME, .time_ms = stage->time_min_ms},
        {.type = PARAMETER_TIME, .time_ms = stage->time_max_ms},
        {.type = PARAMETER_TEXT, .text = stage->symbol},
    };
    struct buffer sql = {0};
    int64_t found = 0;
    buffer_append_format(&sql,
                         "SELECT EXISTS (SELECT 1 FROM %s AS target WHERE "
                         "TRY_CAST(target.%s AS TIMESTAMP) BETWEEN $1 AND $2%s)",
                         shape->name, shape->time_column,
                         stage->is_series ? " AND target.symbol = $3" : "");
    enum status status = store_run_row(session, buffer_text(&sql), parameters,
                                       stage->is_series ? 3 : 2, &found, NULL, 1, error);
    buffer_deinit(&sql);
    *has_others = found != 0;
    return status;
}

static enum status update(struct store_session *session, enum table table,
                          const struct parameter parameters[2], struct error *error)
{
    struct buffer sql = {0};
    append_update(session, table, &sql);
    enum status status = store_run(session, buffer_text(&sql), parameters, 2, NULL, error);
    buffer_deinit(&sql);
    return status;
}

static enum status insert(struct store_session *session, enum table table, bool has_others,
                          uint64_t *row_count, struct error *error)
{
    const struct stage *stage = &session->write.stages[table];
    struct parameter parameters[] = {
        {.type = PARAMETER_TIME, .time_ms = stage->time_min_ms},
        {.type = PARAMETER_TIME, .time_ms = stage->time_max_ms},
        {.type = PARAMETER_INTEGER}, /* the last id */
    };
    bool numbers = table == TABLE_INTEREST && store_is_written(session, table, 0);
    enum status status = numbers ? find_last_id(session, &parameters[2].integer, error) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    struct buffer sql = {0};
    duckdb_result result;
    append_insert(session, table, has_others, &sql);
    status = store_run(session, buffer_text(&sql), parameters, numbers ? 3 : 2, &result, error);
    if (status == STATUS_OK) {
        *row_count = duckdb_rows_changed(&result);
        duckdb_destroy_result(&result);
    }
    if (status == STATUS_OK && numbers)
        session->store->interest_id = parameters[2].integer + (int64_t)*row_count;
    buffer_deinit(&sql);
    return status;
}

enum status store_merge_stage(struct store_session *session, enum table table, uint64_t *row_count,
                              struct error *error)
{
    const struct stage *stage = &session->write.stages[table];
    const struct parameter range[] = {
        {.type = PARAMETER_TIME, .time_ms = stage->time_min_ms},
        {.type = PARAMETER_TIME, .time_ms = stage->time_max_ms},
    };
    bool has_others;
    enum status status = find_others(session, table, &has_others, error);
    if (status == STATUS_OK && has_others && session->write.replaces)
        status = update(session, table, range, error);
    if (status == STATUS_OK)
        status = insert(session, table, has_others, row_count, error);
    bool may_differ = has_others || !stage->is_series;
    if (status == STATUS_OK && may_differ && session->write.telling.on_conflict != NULL &&
        *row_count < (uint64_t)stage->row_count)
        status = store_tell_conflicts(session, table, error);
    if (status == STATUS_OK)
        status = store_delete_replaced(session, table, error);
    if (status != STATUS_OK)
        return status;
    struct buffer sql = {0};
    buffer_append_format(&sql, "DROP TABLE temp.%s", store_stage_names[table]);
    status = store_run(session, buffer_text(&sql), NULL, 0, NULL, error);
    buffer_deinit(&sql);
    return status;
}
