/* Runs SQL over a database and prints the last statement's rows, columns between tabs, NULL as \N.
 *
 *     query DATABASE SQL
 *     query --write DATABASE SQL
 *
 * Opens the file as any other program would, and not through the store: read-only, or to change it.
 * Exit code 3: the file is held by another process. */
#include <duckdb.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { FAILED = 1, HELD = 3 };

static int print_rows(duckdb_result *result)
{
    idx_t columns = duckdb_column_count(result);
    for (idx_t row = 0; row < duckdb_row_count(result); row++) {
        for (idx_t column = 0; column < columns; column++) {
            char *text = duckdb_value_varchar(result, column, row);
            printf("%s%s", column > 0 ? "\t" : "", text != NULL ? text : "\\N");
            duckdb_free(text);
        }
        printf("\n");
    }
    return 0;
}

static int run(duckdb_connection connection, const char *sql)
{
    duckdb_result result;
    int code = FAILED;
    if (duckdb_query(connection, sql, &result) == DuckDBSuccess)
        code = print_rows(&result);
    else
        fprintf(stderr, "%s\n", duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return code;
}

int main(int argc, char **argv)
{
    duckdb_config config = NULL;
    duckdb_database database = NULL;
    duckdb_connection connection = NULL;
    char *error = NULL;
    bool is_writing = argc == 4 && strcmp(argv[1], "--write") == 0;
    if (argc != 3 && !is_writing) {
        fprintf(stderr, "usage: query [--write] DATABASE SQL\n");
        return 2;
    }
    duckdb_create_config(&config);
    duckdb_set_config(config, "access_mode", is_writing ? "READ_WRITE" : "READ_ONLY");
    duckdb_state opened = duckdb_open_ext(argv[argc - 2], &database, config, &error);
    duckdb_destroy_config(&config);
    if (opened != DuckDBSuccess) {
        int code = strstr(error, "lock") != NULL ? HELD : FAILED;
        fprintf(stderr, "%s\n", error);
        duckdb_free(error);
        return code;
    }
    duckdb_connect(database, &connection);
    int code = run(connection, argv[argc - 1]);
    duckdb_disconnect(&connection);
    duckdb_close(&database);
    return code;
}
