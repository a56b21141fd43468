/* Running SQL: values are bound, never pasted into the text; an error is one line that names the
 * file.
 *
 * A query that may be ended runs task by task: DuckDB gives control back every 100,000 rows or so,
 * and the thread that waits for the query asks its stop token. So no second thread has to know
 * which query is running just then; store_interrupt() is for one that does (the generator's).
 *
 * An error after which DuckDB refuses everything else marks the instance as faulty, so that the
 * next session opens the file again instead of meeting the same refusal (owner.c). */
#include "store/internal.h"

#include "base/check.h"

#include <string.h>

static bool is_fatal(duckdb_error_type type)
{
    return type == DUCKDB_ERROR_FATAL || type == DUCKDB_ERROR_INTERNAL;
}

/* DuckDB tells the type of an error of a result only, not of a statement that was not prepared. */
static bool is_invalidated(struct store_session *session)
{
    duckdb_result result;
    bool is_invalidated = duckdb_query(session->connection, "SELECT 1", &result) != DuckDBSuccess &&
                          is_fatal(duckdb_result_error_type(&result));
    duckdb_destroy_result(&result);
    return is_invalidated;
}

enum status store_fail(const struct store *store, enum status status, const char *message,
                       struct error *error)
{
    if (message == NULL)
        message = "unknown error";
    return error_set(error, status, "%s: %.*s", store->path, (int)strcspn(message, "\n"), message);
}

static duckdb_state bind(duckdb_prepared_statement statement, idx_t index,
                         const struct parameter *parameter)
{
    if (parameter->type == PARAMETER_TEXT)
        return duckdb_bind_varchar(statement, index, parameter->text);
    if (parameter->type == PARAMETER_INTEGER)
        return duckdb_bind_int64(statement, index, parameter->integer);
    return duckdb_bind_timestamp(statement, index,
                                 (duckdb_timestamp){.micros = parameter->time_ms * 1000});
}

/* By the first words of a message, since not all that can fail tells its type. */
static enum status status_of(const char *message)
{
    if (message != NULL && strncmp(message, "Out of Memory", 13) == 0)
        return STATUS_NO_MEMORY;
    if (message != NULL && strncmp(message, "INTERRUPT", 9) == 0)
        return STATUS_CANCELLED;
    if (message != NULL && (strncmp(message, "Conversion Error", 16) == 0 ||
                            strncmp(message, "Out of Range Error", 18) == 0 ||
                            strncmp(message, "Constraint Error", 16) == 0))
        return STATUS_TOO_LARGE;
    return STATUS_IO;
}

static enum status execute_at_once(struct store_session *session,
                                   duckdb_prepared_statement statement, duckdb_result *result,
                                   struct error *error)
{
    if (duckdb_execute_prepared(statement, result) == DuckDBSuccess)
        return STATUS_OK;
    const char *message = duckdb_result_error(result);
    enum status status = store_fail(session->store, status_of(message), message, error);
    if (is_fatal(duckdb_result_error_type(result)))
        store_mark_faulty(session);
    duckdb_destroy_result(result);
    return status;
}

static enum status pending_failed(struct store_session *session, duckdb_pending_result pending,
                                  struct error *error)
{
    const char *message = duckdb_pending_error(pending);
    enum status status = store_fail(session->store, status_of(message), message, error);
    if (is_invalidated(session))
        store_mark_faulty(session);
    return status;
}

/* In tasks of some milliseconds, between which the session's token may end it: by an interrupt that
 * the next task meets, after which DuckDB holds nothing of the query. */
static enum status execute_in_tasks(struct store_session *session,
                                    duckdb_prepared_statement statement, duckdb_result *result,
                                    struct error *error)
{
    duckdb_pending_result pending = NULL;
    duckdb_pending_state state = DUCKDB_PENDING_RESULT_NOT_READY;
    enum status status = STATUS_OK;
    *result = (duckdb_result){0};
    if (duckdb_pending_prepared(statement, &pending) != DuckDBSuccess)
        state = DUCKDB_PENDING_ERROR;
    while (!duckdb_pending_execution_is_finished(state)) {
        if (status == STATUS_OK)
            status = stop_token_check(session->stop, error);
        if (status != STATUS_OK)
            duckdb_interrupt(session->connection);
        state = duckdb_pending_execute_task(pending);
    }
    bool has_result =
        state != DUCKDB_PENDING_ERROR && duckdb_execute_pending(pending, result) == DuckDBSuccess;
    if (!has_result || status != STATUS_OK)
        duckdb_destroy_result(result);
    if (!has_result && status == STATUS_OK)
        status = pending_failed(session, pending, error);
    duckdb_destroy_pending(&pending);
    return status;
}

enum status store_run(struct store_session *session, const char *sql,
                      const struct parameter *parameters, size_t parameter_count,
                      duckdb_result *result, struct error *error)
{
    enum status status = STATUS_OK;
    duckdb_prepared_statement statement = NULL;
    duckdb_result unused;
    if (duckdb_prepare(session->connection, sql, &statement) != DuckDBSuccess) {
        status = store_fail(session->store, STATUS_IO, duckdb_prepare_error(statement), error);
        if (is_invalidated(session))
            store_mark_faulty(session);
        goto cleanup;
    }
    for (size_t i = 0; i < parameter_count; i++)
        check(bind(statement, i + 1, &parameters[i]) == DuckDBSuccess);

    if (result == NULL)
        result = &unused;
    status = session->stop != NULL ? execute_in_tasks(session, statement, result, error)
                                   : execute_at_once(session, statement, result, error);
    if (status == STATUS_OK && result == &unused)
        duckdb_destroy_result(result);
cleanup:
    duckdb_destroy_prepare(&statement);
    return status;
}

enum status store_run_row(struct store_session *session, const char *sql,
                          const struct parameter *parameters, size_t parameter_count,
                          int64_t *values, bool *is_null, size_t value_count, struct error *error)
{
    duckdb_result result = {0};
    enum status status = store_run(session, sql, parameters, parameter_count, &result, error);
    if (status != STATUS_OK)
        return status;
    duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    if (chunk == NULL) {
        duckdb_destroy_result(&result);
        return store_fail(session->store, STATUS_NO_MEMORY, "no memory for a result", error);
    }
    check(duckdb_data_chunk_get_size(chunk) == 1);
    for (size_t i = 0; i < value_count; i++) {
        duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, i);
        bool is_valid = duckdb_validity_row_is_valid(duckdb_vector_get_validity(vector), 0);
        const void *data = duckdb_vector_get_data(vector);
        bool is_flag = duckdb_column_type(&result, i) == DUCKDB_TYPE_BOOLEAN;
        values[i] = !is_valid ? 0 : is_flag ? *(const bool *)data : *(const int64_t *)data;
        if (is_null != NULL)
            is_null[i] = !is_valid;
    }
    duckdb_destroy_data_chunk(&chunk);
    duckdb_destroy_result(&result);
    return STATUS_OK;
}
