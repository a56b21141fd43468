/* Which files of an exchange's archive the rows came from. A file is known by its path there and
 * the SHA-256 that the archive publishes for it, so that it is fetched once, and again only when
 * the archive has replaced it. What is remembered stands beside the rows, in their transaction, and
 * is lost with them: a state of its own beside the database would outlive it.
 *
 * A database has the table from its first such file on, as with liquidations. */
#include "store/internal.h"

#include "base/clock.h"

#include <string.h>

static const char create_sql[] =
    "CREATE TABLE IF NOT EXISTS archive_files (path VARCHAR PRIMARY KEY, symbol VARCHAR, "
    "checksum VARCHAR, imported_at TIMESTAMP)";

static bool is_missing_table(const struct error *error)
{
    return strstr(error->message, "does not exist") != NULL;
}

enum status store_archive_checksum(struct store_session *session, const char *path,
                                   char checksum[STORE_CHECKSUM_SIZE], struct error *error)
{
    static const char sql[] = "SELECT checksum FROM archive_files WHERE path = $1";
    const struct parameter parameter = {.type = PARAMETER_TEXT, .text = path};
    struct error reason = {0};
    duckdb_result result;
    checksum[0] = '\0';
    enum status status = store_run(session, sql, &parameter, 1, &result, &reason);
    if (status != STATUS_OK && is_missing_table(&reason))
        return STATUS_OK;
    if (status != STATUS_OK)
        return error_set(error, status, "%s", reason.message);
    duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    if (chunk != NULL && duckdb_data_chunk_get_size(chunk) > 0) {
        duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, 0);
        duckdb_string_t *text = duckdb_vector_get_data(vector);
        if (duckdb_validity_row_is_valid(duckdb_vector_get_validity(vector), 0) &&
            duckdb_string_t_length(*text) < STORE_CHECKSUM_SIZE)
            strncat(checksum, duckdb_string_t_data(text), duckdb_string_t_length(*text));
    }
    duckdb_destroy_data_chunk(&chunk);
    duckdb_destroy_result(&result);
    return STATUS_OK;
}

enum status store_write_archive_file(struct store_session *session, const char *path,
                                     const char *symbol, const char *checksum, struct error *error)
{
    static const char sql[] = "INSERT OR REPLACE INTO archive_files VALUES ($1, $2, $3, $4)";
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = path},
        {.type = PARAMETER_TEXT, .text = symbol},
        {.type = PARAMETER_TEXT, .text = checksum},
        {.type = PARAMETER_TIME, .time_ms = clock_wall_ms()},
    };
    enum status status = store_run(session, create_sql, NULL, 0, NULL, error);
    if (status != STATUS_OK)
        return status;
    return store_run(session, sql, parameters, 4, NULL, error);
}
