/* Archives come from elsewhere, and what an accepted row holds goes into the model unchecked. Each
 * line of the input is read as a candle and as an open interest: an accepted row must hold its own
 * rules, and a refused one must say why. */
#include "archive_checks.h"

#include "sources/archive/rows.h"

static void read_line(const uint8_t *data, size_t size)
{
    char *text = fuzz_copy(data, size);
    const struct slice line = {text, size};
    struct kline_row kline;
    struct interest_row interest;
    struct error error;
    enum status status = archive_row_read_kline(line, &kline, &error);
    if (status == STATUS_OK)
        check_kline(&kline);
    else
        fuzz_check_refusal(status, &error);
    bool is_row = status == STATUS_OK;
    status = archive_row_read_interest(line, &interest, &error);
    if (status == STATUS_OK)
        check_interest(&interest);
    else
        fuzz_check_refusal(status, &error);
    is_row = is_row || status == STATUS_OK;
    /* What is passed over must not be a row. */
    check(!is_row || (!archive_row_is_header(line) && !archive_row_is_blank(line)));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (const uint8_t *at = data, *end = data + size; at < end;) {
        const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        read_line(at, (size_t)(stop - at));
        at = stop + 1;
    }
    return 0;
}
