/* A whole file of the archive, from its name to its last row. The input's first line is the name,
 * as a path; `--strict` or a symbol with a blank behind it may stand before it. The rest is the
 * content. What reaches the database must hold the rules of rows, and all that was read must be
 * told. */
#include "archive_checks.h"

#include "sources/archive/reader.h"

#include <stdio.h>

enum { PATH_SIZE = 256 };

/* What a reader has told of one file. */
struct outcome {
    const struct archive_reader *reader;
    uint64_t row_count, problem_count;
};

static enum status take_kline(const struct kline_row *row, void *context, struct error *error)
{
    struct outcome *outcome = context;
    (void)error;
    check(outcome->reader->kind == IMPORT_KLINES);
    check(value_is_symbol(row->symbol, strnlen(row->symbol, sizeof row->symbol)));
    check_kline(row);
    outcome->row_count++;
    return STATUS_OK;
}

static enum status take_interest(const struct interest_row *row, void *context, struct error *error)
{
    struct outcome *outcome = context;
    (void)error;
    check(outcome->reader->kind == IMPORT_INTEREST);
    check(outcome->reader->symbol == NULL || strcmp(outcome->reader->symbol, row->symbol) == 0);
    check_interest(row);
    outcome->row_count++;
    return STATUS_OK;
}

static void note_progress(void *context)
{
    (void)context;
}

static void note_problem(const char *message, void *context)
{
    struct outcome *outcome = context;
    check(message[0] != '\0');
    outcome->problem_count++;
}

static void check_outcome(const struct archive_reader *reader, const struct outcome *outcome,
                          enum status status, size_t size)
{
    check(outcome->row_count + reader->rows_bad == reader->rows_read);
    check(outcome->problem_count >= (reader->rows_bad > 0));
    check(reader->lines.failure == 0 && reader->lines.bytes_read <= size);
    if (status == STATUS_OK)
        check(reader->lines.bytes_read == size);
    else if (status == STATUS_INVALID)
        check(reader->is_strict && reader->rows_bad == 1);
    else
        check(status == STATUS_NO_DATA && outcome->problem_count == 1);
}

static void read_file(const char *path, const char *symbol, bool is_strict, const char *content,
                      size_t size)
{
    static struct archive_reader reader; /* large */
    struct outcome outcome = {.reader = &reader};
    struct archive_problems problems = {.on_problem = note_problem, .context = &outcome};
    const struct archive_sink sink = {take_kline, take_interest, note_progress, &outcome};
    struct error error = {0};
    reader = (struct archive_reader){.path = path,
                                     .symbol = symbol,
                                     .is_strict = is_strict,
                                     .problems = &problems,
                                     .sink = &sink};
    if (!archive_reader_settle_name(&reader)) {
        check(outcome.problem_count == 1 && problems.unusable_count == 1);
        return;
    }
    /* An empty file cannot be opened in memory. */
    reader.lines.stream = size > 0 ? fmemopen((void *)content, size, "r") : fopen("/dev/null", "r");
    check(reader.lines.stream != NULL);
    enum status status = archive_reader_run(&reader, &error);
    check_outcome(&reader, &outcome, status, size);
    archive_lines_close(&reader.lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[PATH_SIZE], symbol[SYMBOL_SIZE];
    struct slice content = {(const char *)data, size}, name, word;
    if (size == 0)
        return 0;
    slice_split(&content, '\n', &name);
    bool is_strict = slice_try_take(&name, "--strict ");
    struct slice rest = name;
    bool has_symbol =
        slice_split(&rest, ' ', &word) && value_parse_symbol(word, symbol, NULL) == STATUS_OK;
    if (!slice_copy(has_symbol ? rest : name, path, sizeof path))
        return 0;
    char *text = fuzz_copy(content.data, content.size);
    read_file(path, has_symbol ? symbol : NULL, is_strict, text, content.size);
    free(text);
    return 0;
}
