/* What may be in a table only once. Ours have a row a symbol and time; another program may have
 * made a key of the time alone, or an index that allows a price once, and such a rule is met when
 * rows are committed: by then a whole transaction would fail for one of them. So the rules are read
 * before rows are written, and refused.c looks for the rows that they would refuse.
 *
 * A rule that holds symbol and time refuses nothing, since no two rows that are written have both
 * in common. One of an expression, or of columns that are not written here, is not understood: then
 * files share no transaction, so that the one that fails is named. */
#include "store/internal.h"

#include "base/buffer.h"
#include "store/rows.h"

#include <stdio.h>

/* Numbers are given here or by a sequence of the table, and are new. */
static bool is_number(enum table table, size_t column)
{
    return table == TABLE_INTEREST && column == 0;
}

static bool find_column(enum table table, struct slice name, size_t *column)
{
    const struct table_shape *shape = &store_tables[table];
    for (*column = 0; *column < shape->column_count; ++*column)
        if (slice_equals_ignoring_case(name, shape->columns[*column].name))
            return true;
    return false;
}

/* Reads "[open_time, symbol]". False: not all of them are columns that are written. */
static bool read_rule(const struct store_session *session, enum table table, struct slice columns,
                      struct unique_rule *rule)
{
    struct slice_list list = {.rest = columns};
    struct slice item;
    slice_try_take(&list.rest, "[");
    if (list.rest.size > 0 && list.rest.data[list.rest.size - 1] == ']')
        list.rest.size--;
    while (slice_list_next(&list, ',', &item)) {
        size_t column;
        if (!find_column(table, slice_trim(item), &column))
            return false;
        if (!store_is_written(session, table, column) && !is_number(table, column))
            return false;
        rule->has[column] = true;
    }
    return true;
}

/* Whether rows that differ in symbol or time may have the same. */
static bool may_refuse(enum table table, const struct unique_rule *rule)
{
    bool has_both = true, has_number = false;
    for (size_t i = 0; i < store_tables[table].column_count; i++) {
        if (is_number(table, i))
            has_number = has_number || rule->has[i];
        else if (store_is_key(table, i))
            has_both = has_both && rule->has[i];
    }
    return !has_both && !has_number;
}

static void note_rule(struct store_session *session, enum table table, struct rows *rows)
{
    struct uniques *uniques = &session->instance->uniques[table];
    struct unique_rule rule = {.has = {false}};
    bool is_understood = read_rule(session, table, rows_text(rows, 1), &rule);
    if (is_understood && !may_refuse(table, &rule))
        return;
    session->instance->schema.is_foreign[table] = true;
    if (!is_understood || uniques->count == UNIQUES_MAX)
        return;
    snprintf(rule.name, sizeof rule.name, "%.*s", slice_arguments(rows_text(rows, 0)));
    uniques->rules[uniques->count++] = rule;
}

enum status store_read_uniques(struct store_session *session, enum table table, struct error *error)
{
    static const char sql[] =
        "SELECT 'index ' || index_name, expressions FROM duckdb_indexes() WHERE is_unique "
        "AND table_name = $1 AND database_name = current_database() UNION ALL "
        "SELECT constraint_text, CAST(constraint_column_names AS VARCHAR) FROM "
        "duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE') "
        "AND table_name = $1 AND database_name = current_database()";
    struct uniques *uniques = &session->instance->uniques[table];
    const struct parameter name = {.type = PARAMETER_TEXT, .text = store_tables[table].name};
    struct rows rows = {.column_count = 2};
    if (uniques->is_known)
        return STATUS_OK;
    enum status status = store_run(session, sql, &name, 1, &rows.result, error);
    if (status != STATUS_OK)
        return status;
    while (rows_next(&rows))
        note_rule(session, table, &rows);
    uniques->is_known = true;
    return rows_close(&rows)
               ? STATUS_OK
               : store_fail(session->store, STATUS_NO_MEMORY, "no memory for a result", error);
}

static void append_value(const struct store_session *session, enum table table, size_t column,
                         struct buffer *sql)
{
    buffer_append_format(sql, "TRY_CAST(%s AS %s)", store_tables[table].columns[column].staged,
                         session->instance->schema.types[table][column]);
}

/* Whether another row of the table has the same as the staged one. */
static void append_is_stored(const struct store_session *session, enum table table,
                             const struct unique_rule *rule, struct buffer *sql)
{
    const struct table_shape *shape = &store_tables[table];
    buffer_append_format(sql, "EXISTS (SELECT 1 FROM %s AS target WHERE ", shape->name);
    for (size_t i = 0; i < shape->column_count; i++) {
        if (!rule->has[i])
            continue;
        append_value(session, table, i, sql);
        buffer_append_format(sql, " = target.%s AND ", shape->columns[i].name);
    }
    buffer_append_format(sql,
                         "(target.symbol = staged.symbol AND TRY_CAST(target.%s AS TIMESTAMP) = "
                         "make_timestamp(staged.time_us)) IS NOT TRUE)",
                         shape->time_column);
}

/* Whether an earlier row that is staged has. What is unknown is not the same as anything. */
static void append_is_staged(const struct store_session *session, enum table table,
                             const struct unique_rule *rule, struct buffer *sql)
{
    struct buffer values = {0};
    buffer_append_text(sql, "(");
    for (size_t i = 0; i < store_tables[table].column_count; i++) {
        if (!rule->has[i])
            continue;
        if (values.size > 0)
            buffer_append_text(&values, ", ");
        append_value(session, table, i, &values);
        append_value(session, table, i, sql);
        buffer_append_text(sql, " IS NOT NULL AND ");
    }
    buffer_append_format(sql,
                         "first_value((staged.symbol, staged.time_us)) OVER (PARTITION BY %s "
                         "ORDER BY staged.row) <> (staged.symbol, staged.time_us))",
                         buffer_text(&values));
    buffer_deinit(&values);
}

void store_append_uniques(const struct store_session *session, enum table table, size_t first,
                          struct buffer *sql)
{
    const struct uniques *uniques = &session->instance->uniques[table];
    for (size_t i = 0; i < uniques->count; i++) {
        buffer_append_text(sql, " WHEN ");
        append_is_stored(session, table, &uniques->rules[i], sql);
        buffer_append_text(sql, " OR ");
        append_is_staged(session, table, &uniques->rules[i], sql);
        buffer_append_format(sql, " THEN %zu", first + i);
    }
}
