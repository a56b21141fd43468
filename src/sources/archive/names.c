/* A row of klines does not say whose it is, nor of what market, so in the archive the path of the
 * file does:
 *
 *     futures/um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12-01.zip
 *     futures/um/daily/metrics/BTCUSDT/BTCUSDT-metrics-2025-12-01.zip
 *     futures/um/daily/markPriceKlines/BTCUSDT/5m/BTCUSDT-5m-2025-12-01.zip
 *     spot/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12-01.zip
 *
 * The name alone does not: the third and the fourth file have that of the first. Symbols may have
 * dashes of their own (BTC-USDT-SWAP), so each dash is tried as the one that ends the symbol. */
#include "sources/archive/names.h"

#include "base/slice.h"

#include <stdio.h>

static bool ends_with(struct slice slice, const char *ending)
{
    size_t size = strlen(ending);
    return slice.size >= size && memcmp(slice.data + slice.size - size, ending, size) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct slice base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slice_of(slash != NULL ? slash + 1 : path);
}

/* -- the name ---------------------------------------------------------------------------------- */

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

/* What the archive has besides. */
static bool is_other_data(struct slice word)
{
    static const char *const words[] = {"aggTrades",  "trades",      "bookDepth",
                                        "bookTicker", "fundingRate", "liquidationSnapshot",
                                        "BVOLIndex",  "EOHSummary"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_equals(word, words[i]))
            return true;
    return false;
}

/* What the word after the symbol says. */
static void classify(struct archive_name *name, struct slice word)
{
    if (slice_equals(word, "metrics"))
        name->kind = ARCHIVE_NAME_INTEREST;
    else if (slice_equals(word, "5m"))
        name->kind = ARCHIVE_NAME_KLINES;
    else if (is_interval(word))
        name->kind = ARCHIVE_NAME_OTHER_INTERVAL;
    else if (is_other_data(word))
        name->kind = ARCHIVE_NAME_OTHER_DATA;
    if (name->kind != ARCHIVE_NAME_OTHER)
        slice_copy(word, name->word, sizeof name->word);
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

bool archive_symbol_is_coin_margined(const char *symbol)
{
    struct slice rest = slice_of(symbol), pair;
    if (!slice_split(&rest, '_', &pair) || !ends_with(pair, "USD"))
        return false;
    bool is_delivery = rest.size == 6 && slice_take_while(&rest, is_digit).size == 6;
    return is_delivery || slice_equals(rest, "PERP");
}

/* -- the folders ------------------------------------------------------------------------------- */

const char *archive_market_word(enum archive_market market)
{
    static const char *const words[] = {
        [ARCHIVE_MARKET_UNKNOWN] = "",      [ARCHIVE_MARKET_USD_M] = "um",
        [ARCHIVE_MARKET_SPOT] = "spot",     [ARCHIVE_MARKET_COIN_M] = "cm",
        [ARCHIVE_MARKET_OPTION] = "option",
    };
    return words[market];
}

bool archive_market_parse(const char *word, enum archive_market *market)
{
    for (*market = ARCHIVE_MARKET_USD_M; *market <= ARCHIVE_MARKET_OPTION; (*market)++)
        if (strcmp(word, archive_market_word(*market)) == 0)
            return true;
    return false;
}

/* The last folder that says something counts: it is the nearest. */
static void classify_folder(struct archive_name *name, struct slice folder)
{
    static const char *const prices[] = {"indexPriceKlines", "markPriceKlines",
                                         "premiumIndexKlines"};
    char word[ARCHIVE_WORD_SIZE];
    enum archive_market market;
    if (slice_copy(folder, word, sizeof word) && archive_market_parse(word, &market))
        name->market = market;
    bool is_klines = name->kind == ARCHIVE_NAME_KLINES || name->kind == ARCHIVE_NAME_OTHER_INTERVAL;
    for (size_t i = 0; i < sizeof prices / sizeof prices[0] && is_klines; i++)
        if (slice_equals_ignoring_case(folder, prices[i])) {
            name->kind = ARCHIVE_NAME_OTHER_PRICE;
            slice_copy(slice_of(prices[i]), name->word, sizeof name->word);
        }
}

struct archive_name archive_name_read(const char *path)
{
    struct archive_name name = {.kind = ARCHIVE_NAME_OTHER};
    struct slice base = base_of(path), folders = {path, strlen(path) - base.size}, folder;
    bool has_ending = take_ending(&base);
    for (size_t dash = 0; has_ending && dash < base.size && name.kind == ARCHIVE_NAME_OTHER;
         dash++) {
        struct slice rest = base, word;
        struct slice symbol = slice_take(&rest, dash);
        if (!slice_try_take(&rest, "-") || !slice_split(&rest, '-', &word) ||
            !value_is_symbol(symbol.data, symbol.size))
            continue;
        classify(&name, word);
        if (name.kind != ARCHIVE_NAME_OTHER)
            slice_copy(symbol, name.symbol, sizeof name.symbol);
    }
    if (archive_symbol_is_coin_margined(name.symbol))
        name.market = ARCHIVE_MARKET_COIN_M;
    while (slice_split(&folders, '/', &folder))
        classify_folder(&name, folder);
    return name;
}

bool archive_name_guess_symbol(const char *path, char symbol[SYMBOL_SIZE])
{
    struct slice base = base_of(path);
    bool has_ending = take_ending(&base);
    for (size_t dash = 0; has_ending && dash < base.size; dash++) {
        struct archive_name name = {.kind = ARCHIVE_NAME_OTHER};
        struct slice rest = base, word, text = slice_take(&rest, dash);
        if (!slice_try_take(&rest, "-") || !slice_split(&rest, '-', &word))
            continue;
        classify(&name, word);
        if (name.kind != ARCHIVE_NAME_OTHER && value_guess_symbol(text, symbol))
            return true;
    }
    return false;
}

bool archive_name_folder_symbol(const char *path, char symbol[SYMBOL_SIZE])
{
    struct slice rest = slice_of(path), folder, parent = {0};
    bool is_found = false;
    for (; slice_split(&rest, '/', &folder); parent = folder) {
        if (slice_equals(parent, "klines") && value_is_symbol(folder.data, folder.size))
            is_found = slice_copy(folder, symbol, SYMBOL_SIZE);
        else if (slice_equals(folder, "klines") && value_is_symbol(parent.data, parent.size))
            is_found = slice_copy(parent, symbol, SYMBOL_SIZE);
    }
    return is_found;
}

/* -- what is wanted ---------------------------------------------------------------------------- */

bool archive_name_is_wanted(const struct archive_name *name, enum archive_market wanted,
                            char reason[ARCHIVE_REASON_SIZE])
{
    const char *what = NULL;
    bool may_be_klines = name->kind == ARCHIVE_NAME_KLINES || name->kind == ARCHIVE_NAME_OTHER;
    if (name->kind == ARCHIVE_NAME_OTHER_INTERVAL)
        what = " klines; only 5m klines are imported";
    else if (name->kind == ARCHIVE_NAME_OTHER_PRICE)
        what = "; only klines of trades are imported";
    else if (name->kind == ARCHIVE_NAME_OTHER_DATA)
        what = "; only klines and metrics are imported";
    else if (name->market == ARCHIVE_MARKET_COIN_M)
        what = " of the coin-margined market, which counts in contracts and coins";
    else if (name->market == ARCHIVE_MARKET_OPTION)
        what = " of options";
    else if (may_be_klines && name->market == ARCHIVE_MARKET_SPOT && wanted != ARCHIVE_MARKET_SPOT)
        what = " klines of the spot market; --market spot imports these";
    else if (may_be_klines && name->market == ARCHIVE_MARKET_USD_M && wanted == ARCHIVE_MARKET_SPOT)
        what = " klines of the futures market, not of the spot market";
    if (what != NULL)
        snprintf(reason, ARCHIVE_REASON_SIZE, "%s%s", name->word, what + (name->word[0] == '\0'));
    return what == NULL;
}

bool archive_name_may_be_table(const char *path)
{
    struct slice base = base_of(path);
    return !slice_starts_with(base, ".") && (ends_with(base, ".txt") || take_ending(&base));
}

bool archive_name_is_companion(const char *path)
{
    struct slice base = base_of(path);
    return slice_starts_with(base, ".") || ends_with(base, ".CHECKSUM");
}
