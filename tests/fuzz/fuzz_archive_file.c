/* A whole file of the archive, from its name to its last row. The input's first line is the name,
 * as a path; `--strict` or a symbol with a blank behind it may stand before it. The rest is the
 * content, packed or not. What reaches the database must hold the rules of rows, and all that was
 * read must be told. */
#include "archive_checks.h"

#include "sources/archive/names.h"
#include "sources/archive/reader.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

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
    check(row->close_time_ms != 0);
    outcome->row_count++;
    return STATUS_OK;
}

static enum status take_liquidation(const struct liquidation_row *row, void *context,
                                    struct error *error)
{
    struct outcome *outcome = context;
    (void)error;
    check(outcome->reader->kind == IMPORT_LIQUIDATIONS);
    check(value_is_symbol(row->symbol, strnlen(row->symbol, sizeof row->symbol)));
    check(row->exchange[0] != '\0' && row->id[0] != '\0');
    check(row->price_e8 >= 0 && row->quantity_e8 >= 0 && row->value_e8 >= 0);
    outcome->row_count++;
    return STATUS_OK;
}

static enum status take_interest(const struct interest_row *row, void *context, struct error *error)
{
    struct outcome *outcome = context;
    (void)error;
    check(outcome->reader->kind == IMPORT_INTEREST);
    check(outcome->reader->symbol == NULL || strcmp(outcome->reader->symbol, row->symbol) == 0);
    check(value_is_symbol(row->symbol, strnlen(row->symbol, sizeof row->symbol)));
    check_interest(row);
    outcome->row_count++;
    return STATUS_OK;
}

static void note_problem(enum archive_report report, const char *message, const char *reason,
                         void *context)
{
    struct outcome *outcome = context;
    check(report != ARCHIVE_PASSED_OVER && message[0] != '\0' && reason == NULL);
    outcome->problem_count++;
}

static void check_outcome(const struct archive_reader *reader, const struct outcome *outcome,
                          enum status status)
{
    bool is_refused = status == STATUS_NO_DATA; /* perhaps at a row, which counts as neither */
    check(outcome->row_count + reader->rows_bad + is_refused >= reader->rows_read);
    check(outcome->row_count + reader->rows_bad <= reader->rows_read);
    check(outcome->problem_count >= (reader->rows_bad > 0));
    if (status == STATUS_INVALID)
        check(reader->is_strict && reader->rows_bad == 1);
    else if (status == STATUS_NO_DATA)
        check(outcome->problem_count >= 1);
    else
        check(status == STATUS_OK && !reader->is_broken);
}

/* One CSV file: the whole input, or a member of it. */
static void read_table(const char *path, const char *archive, const char *symbol, bool is_strict,
                       struct archive_input *input)
{
    static struct archive_reader reader; /* large */
    struct outcome outcome = {.reader = &reader};
    struct archive_problems problems = {.on_report = note_problem, .context = &outcome};
    const struct archive_sink sink = {take_kline, take_interest, take_liquidation, &outcome};
    struct error error = {0};
    reader = (struct archive_reader){.path = path,
                                     .archive = archive,
                                     .symbol = symbol,
                                     .is_strict = is_strict,
                                     .problems = &problems,
                                     .sink = &sink,
                                     .lines.input = input};
    enum status status = archive_reader_run(&reader, &error);
    check_outcome(&reader, &outcome, status);
}

static void read_file(const char *path, const char *symbol, bool is_strict,
                      struct archive_input *input)
{
    struct error error = {0};
    enum status status;
    while ((status = archive_input_next(input, &error)) == STATUS_OK) {
        const char *member = archive_input_member(input);
        if (member == NULL || archive_name_may_be_table(member))
            read_table(member != NULL ? member : path, member != NULL ? path : NULL, symbol,
                       is_strict, input);
    }
    check(status == STATUS_NO_DATA || error.message[0] != '\0');
}

/* A file in memory that has a path. */
static const char *put(const char *content, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0)
        fd = memfd_create("input", MFD_CLOEXEC);
    check(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, content, size, 0) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
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
    struct archive_input *input;
    struct error error = {0};
    enum status status = archive_input_open(put(content.data, content.size), &input, &error);
    if (status == STATUS_OK)
        read_file(path, has_symbol ? symbol : NULL, is_strict, input);
    else
        check(error.message[0] != '\0');
    archive_input_close(input);
    return 0;
}
