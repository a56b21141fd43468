/* Which files of an exchange's archive the rows came from. A file is known by its path there and
 * the SHA-256 that the archive publishes for it, so that it is fetched once, and again only when
 * the archive has replaced it. What is remembered stands beside the rows, in their transaction, and
 * is lost with them: a state of its own beside the database would outlive it.
 *
 * A database has the table from its first such file on, as with liquidations. */
#include "store/internal.h"

#include "base/clock.h"
#include "store/rows.h"

#include <string.h>

static const char *const create_sql[] = {
    "CREATE TABLE IF NOT EXISTS archive_files (path VARCHAR PRIMARY KEY, symbol VARCHAR, "
    "checksum VARCHAR, imported_at TIMESTAMP, first_time TIMESTAMP, last_time TIMESTAMP)",
    /* One that was made when times were not noted yet. */
    "ALTER TABLE archive_files ADD COLUMN IF NOT EXISTS first_time TIMESTAMP",
    "ALTER TABLE archive_files ADD COLUMN IF NOT EXISTS last_time TIMESTAMP",
};

enum { CHECKSUM = 2, FIRST_TIME = 4, LAST_TIME = 5, COLUMN_COUNT = 6, COLUMN_COUNT_MIN = 4 };

static bool is_missing_table(const struct error *error)
{
    return strstr(error->message, "does not exist") != NULL;
}

static void read_row(const struct rows *rows, struct store_archive_file *file)
{
    if (!rows_has(rows, CHECKSUM) ||
        !slice_copy(rows_text(rows, CHECKSUM), file->checksum, sizeof file->checksum))
        file->checksum[0] = '\0';
    if (rows->column_count == COLUMN_COUNT && rows_has(rows, FIRST_TIME) &&
        rows_has(rows, LAST_TIME)) {
        file->first_ms = rows_int64(rows, FIRST_TIME) / 1000;
        file->last_ms = rows_int64(rows, LAST_TIME) / 1000;
    }
}

enum status store_archive_file(struct store_session *session, const char *path,
                               struct store_archive_file *file, struct error *error)
{
    static const char sql[] = "SELECT * FROM archive_files WHERE path = $1";
    const struct parameter parameter = {.type = PARAMETER_TEXT, .text = path};
    struct error reason = {0};
    struct rows rows = {0};
    *file = (struct store_archive_file){.first_ms = STORE_NONE, .last_ms = STORE_NONE};
    enum status status = store_run(session, sql, &parameter, 1, &rows.result, &reason);
    if (status != STATUS_OK && is_missing_table(&reason))
        return STATUS_OK;
    if (status != STATUS_OK)
        return error_set(error, status, "%s", reason.message);
    rows.column_count =
        duckdb_column_count(&rows.result) < COLUMN_COUNT ? COLUMN_COUNT_MIN : COLUMN_COUNT;
    while (rows_next(&rows))
        read_row(&rows, file);
    return rows_close(&rows)
               ? STATUS_OK
               : store_fail(session->store, STATUS_NO_MEMORY, "no memory for a result", error);
}

enum status store_write_archive_file(struct store_session *session, const char *path,
                                     const char *symbol, const struct store_archive_file *file,
                                     struct error *error)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO archive_files VALUES ($1, $2, $3, $4, $5, $6)";
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = path},
        {.type = PARAMETER_TEXT, .text = symbol},
        {.type = PARAMETER_TEXT, .text = file->checksum},
        {.type = PARAMETER_TIME, .time_ms = clock_wall_ms()},
        {.type = PARAMETER_TIME, .time_ms = file->first_ms},
        {.type = PARAMETER_TIME, .time_ms = file->last_ms},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof create_sql / sizeof *create_sql && status == STATUS_OK; i++)
        status = store_run(session, create_sql[i], NULL, 0, NULL, error);
    return status == STATUS_OK ? store_run(session, sql, parameters, 6, NULL, error) : status;
}
