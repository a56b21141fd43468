/* Rows that came to nothing because the table has other values for their symbol and time, or an
 * earlier row of the transaction had. What is stored stays, unless it is to be replaced; but that
 * two sources say different things should not go unsaid. It is looked for after rows were moved
 * into the table: then that has what counts, whichever of the two it was. */
#include "store/internal.h"

#include "base/buffer.h"
#include "store/rows.h"

#include <stdio.h>

/* Only what models read is compared, in the form in which the table has it. */
static bool is_compared(const struct store_session *session, enum table table, size_t i)
{
    return store_tables[table].columns[i].is_read && !store_is_key(table, i) &&
           store_is_written(session, table, i);
}

/* Which column differs, as a number; NULL if none does. */
static void append_which(const struct store_session *session, enum table table, struct buffer *sql)
{
    const struct schema *schema = &session->instance->schema;
    buffer_append_text(sql, "CASE");
    for (size_t i = 0; i < store_tables[table].column_count; i++) {
        const struct column *column = &store_tables[table].columns[i];
        if (is_compared(session, table, i))
            buffer_append_format(sql, " WHEN target.%s <> TRY_CAST(%s AS %s) THEN %zu",
                                 column->name, column->staged, schema->types[table][i], i);
    }
    buffer_append_text(sql, " END");
}

/* The values of that column as text: those of the row and of the table. */
static void append_values(const struct store_session *session, enum table table, struct buffer *sql)
{
    for (int is_stored = 0; is_stored < 2; is_stored++) {
        buffer_append_text(sql, ", CASE which");
        for (size_t i = 0; i < store_tables[table].column_count; i++) {
            const struct column *column = &store_tables[table].columns[i];
            if (is_compared(session, table, i))
                buffer_append_format(sql, " WHEN %zu THEN CAST(%s%s AS VARCHAR)", i,
                                     is_stored ? "target." : "",
                                     is_stored ? column->name : column->staged);
        }
        buffer_append_text(sql, " END");
    }
}

static void tell(struct store_session *session, enum table table, struct rows *rows)
{
    char what[256];
    while (rows_next(rows)) {
        snprintf(what, sizeof what, "%s %.*s, stored is %.*s",
                 store_tables[table].columns[rows_int64(rows, 1)].name,
                 slice_arguments(rows_text(rows, 2)), slice_arguments(rows_text(rows, 3)));
        session->write.telling.on_conflict((uint64_t)rows_int64(rows, 0), what,
                                           session->write.telling.context);
    }
}

enum status store_tell_conflicts(struct store_session *session, enum table table,
                                 struct error *error)
{
    const struct stage *stage = &session->write.stages[table];
    const struct parameter range[] = {
        {.type = PARAMETER_TIME, .time_ms = stage->time_min_ms},
        {.type = PARAMETER_TIME, .time_ms = stage->time_max_ms},
    };
    struct buffer sql = {0};
    struct rows rows = {.column_count = 4};
    buffer_append_text(&sql, "SELECT staged.origin, CAST(");
    append_which(session, table, &sql);
    buffer_append_text(&sql, " AS BIGINT) AS which");
    append_values(session, table, &sql);
    buffer_append_format(&sql, " FROM temp.%s AS staged JOIN %s AS target ON ",
                         store_stage_names[table], store_tables[table].name);
    store_append_match(table, &sql);
    buffer_append_text(&sql, " WHERE which IS NOT NULL ORDER BY staged.row");
    enum status status = store_run(session, buffer_text(&sql), range, 2, &rows.result, error);
    buffer_deinit(&sql);
    if (status != STATUS_OK)
        return status;
    tell(session, table, &rows);
    return rows_close(&rows)
               ? STATUS_OK
               : store_fail(session->store, STATUS_NO_MEMORY, "no memory for a result", error);
}
