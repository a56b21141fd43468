/* Rows that a foreign table cannot hold. A table of another program's making may have narrower
 * numbers than ours, want a value where a file has none, or have something only once that we write
 * twice (uniques.c); one such row would fail the whole transaction. So before rows go from the
 * stage into the table, those that do not fit are looked for, told (the column, the value, the
 * type) and left out. */
#include "store/internal.h"

#include "base/buffer.h"
#include "store/rows.h"

#include <stdio.h>
#include <string.h>

/* Whether a value may not fit: the column is not of our type, and its type is known in full. */
static bool may_refuse(const struct store_session *session, enum table table, size_t i)
{
    const struct schema *schema = &session->instance->schema;
    bool is_id = table == TABLE_INTEREST && i == 0;
    return store_is_written(session, table, i) && !is_id &&
           strlen(schema->types[table][i]) < TYPE_SIZE - 1;
}

/* Whether what the column makes of a value is another one: a time without its time of day, or a
 * price that is rounded by more than a binary fraction would be. */
static void append_is_changed(const struct store_session *session, enum table table, size_t i,
                              struct buffer *sql)
{
    const struct table_shape *shape = &store_tables[table];
    const struct column *column = &shape->columns[i];
    const char *type = session->instance->schema.types[table][i];
    if (strcmp(column->name, shape->time_column) == 0)
        buffer_append_format(sql, " WHEN TRY_CAST(TRY_CAST(%s AS %s) AS TIMESTAMP) <> %s THEN %zu",
                             column->staged, type, column->staged, i);
    else if (column->is_read && !store_is_key(table, i) && strcmp(column->name, "volume") != 0)
        buffer_append_format(sql,
                             " WHEN abs(TRY_CAST(TRY_CAST(%s AS %s) AS DOUBLE) - "
                             "CAST(%s AS DOUBLE)) > 1e-6 * CAST(%s AS DOUBLE) THEN %zu",
                             column->staged, type, column->staged, column->staged, i);
}

/* Which column refuses a staged row, or above COLUMNS_MAX which rule of its table, as a number;
 * NULL if none does. */
static void append_which(const struct store_session *session, enum table table, struct buffer *sql)
{
    const struct schema *schema = &session->instance->schema;
    buffer_append_text(sql, "CASE WHEN false THEN -1");
    for (size_t i = 0; i < store_tables[table].column_count; i++) {
        const char *staged = store_tables[table].columns[i].staged;
        if (!may_refuse(session, table, i))
            continue;
        if (schema->is_needed[table][i])
            buffer_append_format(sql, " WHEN TRY_CAST(%s AS %s) IS NULL THEN %zu", staged,
                                 schema->types[table][i], i);
        else
            buffer_append_format(sql,
                                 " WHEN (%s) IS NOT NULL AND TRY_CAST(%s AS %s) IS NULL THEN %zu",
                                 staged, staged, schema->types[table][i], i);
        append_is_changed(session, table, i, sql);
    }
    store_append_uniques(session, table, COLUMNS_MAX, sql);
    buffer_append_text(sql, " END");
}

/* The value that the column refuses, as text. */
static void append_value(const struct store_session *session, enum table table, struct buffer *sql)
{
    buffer_append_text(sql, "CASE which WHEN -1 THEN ''");
    for (size_t i = 0; i < store_tables[table].column_count; i++)
        if (may_refuse(session, table, i))
            buffer_append_format(sql, " WHEN %zu THEN CAST(%s AS VARCHAR)", i,
                                 store_tables[table].columns[i].staged);
    buffer_append_text(sql, " END");
}

static enum status tell(struct store_session *session, enum table table, struct rows *rows,
                        uint64_t *count, struct error *error)
{
    const struct schema *schema = &session->instance->schema;
    char reason[256];
    enum status status = STATUS_OK;
    while (status == STATUS_OK && rows_next(rows)) {
        size_t column = (size_t)rows_int64(rows, 1);
        if (column >= COLUMNS_MAX)
            snprintf(reason, sizeof reason,
                     "the table %s has another row that its %s does not allow beside this one",
                     store_tables[table].name,
                     session->instance->uniques[table].rules[column - COLUMNS_MAX].name);
        else if (!rows_has(rows, 2))
            snprintf(reason, sizeof reason, "%s is not known, which the table does not allow",
                     store_tables[table].columns[column].name);
        else
            snprintf(reason, sizeof reason, "%s '%.*s' does not fit the column's type %s",
                     store_tables[table].columns[column].name, slice_arguments(rows_text(rows, 2)),
                     schema->types[table][column]);
        status = session->write.telling.on_refused((uint64_t)rows_int64(rows, 0), reason,
                                                   session->write.telling.context, error);
        (*count)++;
    }
    return status;
}

static enum status find_refused(struct store_session *session, enum table table, uint64_t *count,
                                struct error *error)
{
    struct buffer sql = {0};
    struct rows rows = {.column_count = 3};
    buffer_append_text(&sql, "SELECT origin, CAST(which AS BIGINT), ");
    append_value(session, table, &sql);
    buffer_append_text(&sql, " FROM (SELECT *, ");
    append_which(session, table, &sql);
    buffer_append_format(&sql,
                         " AS which FROM temp.%s AS staged) AS staged WHERE which IS NOT NULL "
                         "ORDER BY staged.row",
                         store_stage_names[table]);
    enum status status = store_run(session, buffer_text(&sql), NULL, 0, &rows.result, error);
    buffer_deinit(&sql);
    if (status != STATUS_OK)
        return status;
    status = tell(session, table, &rows, count, error);
    bool is_complete = rows_close(&rows);
    return status == STATUS_OK && !is_complete
               ? store_fail(session->store, STATUS_NO_MEMORY, "no memory for a result", error)
               : status;
}

enum status store_refuse_rows(struct store_session *session, enum table table, struct error *error)
{
    uint64_t count = 0;
    enum status status = find_refused(session, table, &count, error);
    if (status != STATUS_OK || count == 0)
        return status;
    struct buffer sql = {0};
    const char *stage = store_stage_names[table];
    buffer_append_format(&sql, "DELETE FROM temp.%s WHERE row IN (SELECT row FROM (SELECT row, ",
                         stage);
    append_which(session, table, &sql);
    buffer_append_format(&sql, " AS which FROM temp.%s AS staged) WHERE which IS NOT NULL)", stage);
    status = store_run(session, buffer_text(&sql), NULL, 0, NULL, error);
    buffer_deinit(&sql);
    return status;
}
