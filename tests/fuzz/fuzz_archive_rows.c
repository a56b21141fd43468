/* Archives come from elsewhere, and what an accepted row holds goes into the model unchecked. Each
 * line of the input is read as a candle and as an open interest, under the header that stands in
 * its first line or else as the archive has it: an accepted row must hold its own rules, and a
 * refused one must say why. */
#include "archive_checks.h"

#include "sources/archive/rows.h"

static void check_columns(const struct archive_columns *columns)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        check(columns->at[i] >= -1 && columns->at[i] < (int)columns->field_count);
    check(columns->named_count <= columns->field_count && columns->at[COLUMN_TIME] >= 0);
}

static void read_line(const uint8_t *data, size_t size, const struct archive_columns *header)
{
    char *text = fuzz_copy(data, size);
    const struct slice line = {text, size};
    struct archive_columns columns;
    struct kline_row kline;
    struct interest_row interest;
    struct archive_unheld unheld;
    struct error error;
    archive_columns_guess(IMPORT_KLINES, line, &columns);
    check_columns(&columns);
    if (header->field_count > 0 && header->kind == IMPORT_KLINES)
        columns = *header;
    enum status status = archive_row_read_kline(&columns, line, &kline, &unheld, &error);
    if (status != STATUS_OK)
        fuzz_check_refusal(status, &error);
    else
        check_kline(&kline);
    bool is_row = status == STATUS_OK;
    archive_columns_guess(IMPORT_INTEREST, line, &columns);
    check_columns(&columns);
    if (header->field_count > 0 && header->kind == IMPORT_INTEREST)
        columns = *header;
    status = archive_row_read_interest(&columns, line, &interest, &unheld, &error);
    if (status == STATUS_OK)
        check_interest(&interest);
    else
        fuzz_check_refusal(status, &error);
    is_row = is_row || status == STATUS_OK;
    check(!is_row || !archive_line_is_header(line)); /* what is passed over must not be a row */
    free(text);
}

static struct archive_columns read_header(const uint8_t *data, size_t size)
{
    char *text = fuzz_copy(data, size);
    struct archive_columns columns;
    struct error error;
    enum status status = archive_columns_read((struct slice){text, size}, &columns, &error);
    if (status == STATUS_OK)
        check_columns(&columns);
    else
        check(error.message[0] != '\0');
    free(text);
    return status == STATUS_OK ? columns : (struct archive_columns){0};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct archive_columns header = {0};
    for (const uint8_t *at = data, *end = data + size; at < end;) {
        const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        if (at == data)
            header = read_header(at, (size_t)(stop - at));
        read_line(at, (size_t)(stop - at), &header);
        at = stop + 1;
    }
    return 0;
}
