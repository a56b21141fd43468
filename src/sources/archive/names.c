/* A row of klines does not say whose it is, so in the archive the name of the file does:
 *
 *     BTCUSDT/klines/5m/BTCUSDT-5m-2025-12.csv BTCUSDT/metrics/BTCUSDT-metrics-2025-12-01.csv
 *
 * Symbols may have dashes of their own (BTC-USD_PERP), so each dash is tried as the one that ends
 * the symbol. */
#include "sources/archive/names.h"

#include "base/slice.h"

static bool ends_with(struct slice slice, const char *ending)
{
    size_t size = strlen(ending);
    return slice.size >= size && memcmp(slice.data + slice.size - size, ending, size) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "1m", "15m", "4h", "1d", "1w", "1mo", "1M", "1s" */
static bool is_interval(struct slice word)
{
    static const char *const units[] = {"s", "m", "h", "d", "w", "M", "mo"};
    size_t digits = slice_take_while(&word, is_digit).size;
    if (digits == 0 || digits > 2)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (slice_equals(word, units[i]))
            return true;
    return false;
}

/* What the word after the symbol says. */
static void classify(struct archive_name *name, struct slice word)
{
    if (slice_equals(word, "metrics")) {
        name->kind = ARCHIVE_NAME_INTEREST;
    } else if (is_interval(word)) {
        slice_copy(word, name->interval, sizeof name->interval);
        name->kind = slice_equals(word, "5m") ? ARCHIVE_NAME_KLINES : ARCHIVE_NAME_OTHER_INTERVAL;
    }
}

/* Removes the ending that says what the file is packed in, if it is one that can be read. */
static bool take_ending(struct slice *base)
{
    static const char *const endings[] = {".csv.gz", ".csv.zip", ".csv", ".zip", ".gz"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (ends_with(*base, endings[i])) {
            base->size -= strlen(endings[i]);
            return true;
        }
    return false;
}

static struct slice base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slice_of(slash != NULL ? slash + 1 : path);
}

bool archive_name_may_be_table(const char *path)
{
    struct slice base = base_of(path);
    return !slice_starts_with(base, ".") && (ends_with(base, ".txt") || take_ending(&base));
}

struct archive_name archive_name_read(const char *path)
{
    struct archive_name name = {.kind = ARCHIVE_NAME_OTHER};
    struct slice base = base_of(path);
    if (!take_ending(&base))
        return name;
    for (size_t dash = 0; dash < base.size && name.kind == ARCHIVE_NAME_OTHER; dash++) {
        struct slice rest = base, word;
        struct slice symbol = slice_take(&rest, dash);
        if (!slice_try_take(&rest, "-") || !slice_split(&rest, '-', &word) ||
            !value_is_symbol(symbol.data, symbol.size))
            continue;
        classify(&name, word);
        if (name.kind != ARCHIVE_NAME_OTHER)
            slice_copy(symbol, name.symbol, sizeof name.symbol);
    }
    return name;
}

bool archive_name_folder_symbol(const char *path, char symbol[SYMBOL_SIZE])
{
    struct slice rest = slice_of(path), folder, parent = {0};
    for (; slice_split(&rest, '/', &folder); parent = folder)
        if (slice_equals(folder, "klines") && value_is_symbol(parent.data, parent.size))
            return slice_copy(parent, symbol, SYMBOL_SIZE);
    return false;
}
