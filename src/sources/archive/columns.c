/* Files that are no longer as the exchange has served them have been through a spreadsheet or a
 * script, which drops columns, adds an index or puts them in another order. A header that is obeyed
 * makes that harmless; one that is ignored exchanges prices without a word. So columns are taken by
 * name wherever there are names, and a name that is needed and not there ends the file. */
#include "sources/archive/columns.h"

#include "base/buffer.h"
#include "base/check.h"
#include "sources/archive/fields.h"

#include <ctype.h>

enum { NAME_SIZE = 40 };

/* The names of columns, in small letters, with '_' for all else. Of several columns of a file that
 * may be the same, the one that stands first here is taken. */
static const struct name {
    const char *text;
    enum archive_column column;
} names[] = {
    {"open_time", COLUMN_TIME},
    {"opentime", COLUMN_TIME},
    {"open_timestamp", COLUMN_TIME},
    {"open_date", COLUMN_TIME},
    {"time_open", COLUMN_TIME},
    {"create_time", COLUMN_TIME},
    {"createtime", COLUMN_TIME},
    {"start_time", COLUMN_TIME},
    {"starttime", COLUMN_TIME},
    {"start", COLUMN_TIME},
    {"unix", COLUMN_TIME},
    {"unix_time", COLUMN_TIME},
    {"unix_timestamp", COLUMN_TIME},
    {"timestamp_ms", COLUMN_TIME},
    {"timestamp", COLUMN_TIME},
    {"ts", COLUMN_TIME},
    {"datetime", COLUMN_TIME},
    {"date_time", COLUMN_TIME},
    {"datetime_utc", COLUMN_TIME},
    {"time", COLUMN_TIME},
    {"date", COLUMN_TIME},
    {"t", COLUMN_TIME},
    {"symbol", COLUMN_SYMBOL},
    {"ticker", COLUMN_SYMBOL},
    {"pair", COLUMN_SYMBOL},
    {"instrument", COLUMN_SYMBOL},
    {"open", COLUMN_OPEN},
    {"open_price", COLUMN_OPEN},
    {"o", COLUMN_OPEN},
    {"high", COLUMN_HIGH},
    {"high_price", COLUMN_HIGH},
    {"h", COLUMN_HIGH},
    {"low", COLUMN_LOW},
    {"low_price", COLUMN_LOW},
    {"l", COLUMN_LOW},
    {"close", COLUMN_CLOSE},
    {"close_price", COLUMN_CLOSE},
    {"c", COLUMN_CLOSE},
    {"volume", COLUMN_VOLUME},
    {"base_volume", COLUMN_VOLUME},
    {"base_asset_volume", COLUMN_VOLUME},
    {"vol", COLUMN_VOLUME},
    {"v", COLUMN_VOLUME},
    {"close_time", COLUMN_CLOSE_TIME},
    {"closetime", COLUMN_CLOSE_TIME},
    {"close_timestamp", COLUMN_CLOSE_TIME},
    {"time_close", COLUMN_CLOSE_TIME},
    {"quote_volume", COLUMN_QUOTE_VOLUME},
    {"quote_asset_volume", COLUMN_QUOTE_VOLUME},
    {"quote_av", COLUMN_QUOTE_VOLUME},
    {"turnover", COLUMN_QUOTE_VOLUME},
    {"count", COLUMN_TRADE_COUNT},
    {"trades", COLUMN_TRADE_COUNT},
    {"trade_count", COLUMN_TRADE_COUNT},
    {"tradecount", COLUMN_TRADE_COUNT},
    {"num_trades", COLUMN_TRADE_COUNT},
    {"number_of_trades", COLUMN_TRADE_COUNT},
    {"taker_buy_volume", COLUMN_TAKER_BUY_VOLUME},
    {"taker_buy_base", COLUMN_TAKER_BUY_VOLUME},
    {"taker_buy_base_volume", COLUMN_TAKER_BUY_VOLUME},
    {"taker_buy_base_asset_volume", COLUMN_TAKER_BUY_VOLUME},
    {"tb_base_av", COLUMN_TAKER_BUY_VOLUME},
    {"taker_buy_quote_volume", COLUMN_TAKER_BUY_QUOTE_VOLUME},
    {"taker_buy_quote", COLUMN_TAKER_BUY_QUOTE_VOLUME},
    {"taker_buy_quote_asset_volume", COLUMN_TAKER_BUY_QUOTE_VOLUME},
    {"tb_quote_av", COLUMN_TAKER_BUY_QUOTE_VOLUME},
    {"sum_open_interest", COLUMN_CONTRACTS},
    {"sumopeninterest", COLUMN_CONTRACTS},
    {"open_interest_contracts", COLUMN_CONTRACTS},
    {"open_interest", COLUMN_CONTRACTS},
    {"openinterest", COLUMN_CONTRACTS},
    {"oi", COLUMN_CONTRACTS},
    {"sum_open_interest_value", COLUMN_VALUE},
    {"sumopeninterestvalue", COLUMN_VALUE},
    {"open_interest_value", COLUMN_VALUE},
    {"openinterestvalue", COLUMN_VALUE},
    {"open_interest_usd", COLUMN_VALUE},
    {"oi_value", COLUMN_VALUE},
    {"oi_usd", COLUMN_VALUE},
    {"exchange", COLUMN_EXCHANGE},
    {"side", COLUMN_SIDE},
    {"price", COLUMN_PRICE},
    {"quantity", COLUMN_QUANTITY},
    {"value", COLUMN_QUOTE_VALUE},
    {"id", COLUMN_ID},
};
enum { NAME_COUNT = sizeof names / sizeof names[0] };

/* What a column is called in a message: by its name in the archive. */
static const char *column_name(enum import_kind kind, enum archive_column column)
{
    if (kind != IMPORT_KLINES && column == COLUMN_TIME)
        return kind == IMPORT_INTEREST ? "create_time" : "time";
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (names[i].column == column)
            return names[i].text;
    return "";
}

/* -- lines ------------------------------------------------------------------------------------- */

/* What separates the fields of a line: what there is most of. */
static char find_separator(struct slice line)
{
    static const char separators[] = {',', ';', '\t'};
    size_t counts[sizeof separators] = {0}, best = 0;
    for (size_t at = 0; at < line.size; at++)
        for (size_t i = 0; i < sizeof separators; i++)
            counts[i] += line.data[at] == separators[i];
    for (size_t i = 1; i < sizeof separators; i++)
        if (counts[i] > counts[best])
            best = i;
    return separators[best];
}

bool archive_line_is_header(struct slice line)
{
    struct slice fields[ARCHIVE_FIELDS_MAX], rest = slice_trim(line);
    if (archive_field_is_numeric(rest)) /* most lines */
        return false;
    size_t count = archive_fields_split(line, find_separator(line), fields);
    for (size_t i = 0; i < count && i < ARCHIVE_FIELDS_MAX; i++)
        if (archive_field_is_numeric(fields[i]))
            return false;
    return count > 1;
}

bool archive_line_is_preamble(struct slice line)
{
    line = slice_trim(line);
    return slice_starts_with(line, "#") || slice_starts_with(line, "http://") ||
           slice_starts_with(line, "https://");
}

/* -- headers ----------------------------------------------------------------------------------- */

/* The name in small letters, with one '_' for all that is neither letter nor digit. */
static void normalise(struct slice field, char name[NAME_SIZE])
{
    size_t size = 0;
    for (size_t i = 0; i < field.size && size < NAME_SIZE - 1; i++) {
        unsigned char c = (unsigned char)field.data[i];
        if (isalnum(c))
            name[size++] = (char)tolower(c);
        else if (size > 0 && name[size - 1] != '_')
            name[size++] = '_';
    }
    while (size > 0 && name[size - 1] == '_')
        size--;
    name[size] = '\0';
}

/* "Volume BTC" and "Volume USDT" stand side by side in some files. */
static void name_volume(char name[NAME_SIZE])
{
    static const char *const quotes[] = {"volume_usdt", "volume_usdc",  "volume_usd",
                                         "volume_busd", "volume_fdusd", "volume_quote"};
    for (size_t i = 0; i < sizeof quotes / sizeof quotes[0]; i++)
        if (strcmp(name, quotes[i]) == 0)
            strcpy(name, "quote_volume");
    if (strncmp(name, "volume_", strlen("volume_")) == 0)
        strcpy(name, "volume");
}

/* Which of the names a field bears, or NAME_COUNT. */
static size_t find_name(struct slice field)
{
    char name[NAME_SIZE];
    size_t i = 0;
    normalise(field, name);
    name_volume(name);
    while (i < NAME_COUNT && strcmp(names[i].text, name) != 0)
        i++;
    return i;
}

static bool has(const struct archive_columns *columns, enum archive_column column)
{
    return columns->at[column] >= 0;
}

/* The needed column that is not there, or COLUMN_COUNT. */
static enum archive_column find_missing(const struct archive_columns *columns)
{
    static const enum archive_column klines[] = {COLUMN_TIME, COLUMN_OPEN,  COLUMN_HIGH,
                                                 COLUMN_LOW,  COLUMN_CLOSE, COLUMN_VOLUME};
    static const enum archive_column interest[] = {COLUMN_TIME, COLUMN_VALUE};
    static const enum archive_column liquidations[] = {
        COLUMN_EXCHANGE, COLUMN_SYMBOL,   COLUMN_TIME,        COLUMN_SIDE,
        COLUMN_PRICE,    COLUMN_QUANTITY, COLUMN_QUOTE_VALUE, COLUMN_ID};
    static const struct {
        const enum archive_column *columns;
        size_t count;
    } needed[IMPORT_KIND_COUNT] = {
        [IMPORT_KLINES] = {klines, sizeof klines / sizeof klines[0]},
        [IMPORT_INTEREST] = {interest, sizeof interest / sizeof interest[0]},
        [IMPORT_LIQUIDATIONS] = {liquidations, sizeof liquidations / sizeof liquidations[0]},
    };
    for (size_t i = 0; i < needed[columns->kind].count; i++)
        if (!has(columns, needed[columns->kind].columns[i]))
            return needed[columns->kind].columns[i];
    return COLUMN_COUNT;
}

static enum status check_columns(struct slice header, struct archive_columns *columns,
                                 struct error *error)
{
    bool is_klines = has(columns, COLUMN_OPEN) || has(columns, COLUMN_HIGH) ||
                     has(columns, COLUMN_LOW) || has(columns, COLUMN_CLOSE);
    bool is_interest = has(columns, COLUMN_VALUE) || has(columns, COLUMN_CONTRACTS);
    bool is_liquidations =
        has(columns, COLUMN_EXCHANGE) && has(columns, COLUMN_SIDE) && has(columns, COLUMN_QUANTITY);
    if (!is_klines && !is_interest && !is_liquidations)
        return error_set(error, STATUS_NOT_FOUND,
                         "the header '%.*s' is not known; klines have open_time, open, high, low, "
                         "close and volume, open interest has create_time, symbol and "
                         "sum_open_interest_value",
                         slice_arguments(header));
    columns->kind = is_klines ? IMPORT_KLINES : is_interest ? IMPORT_INTEREST : IMPORT_LIQUIDATIONS;
    enum archive_column missing = find_missing(columns);
    if (missing != COLUMN_COUNT)
        return error_set(error, STATUS_INVALID, "the header '%.*s' has no column %s",
                         slice_arguments(header), column_name(columns->kind, missing));
    return STATUS_OK;
}

static void clear(struct archive_columns *columns)
{
    *columns = (struct archive_columns){.separator = ','};
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        columns->at[i] = -1;
}

enum status archive_columns_read(struct slice header, struct archive_columns *columns,
                                 struct error *error)
{
    struct slice fields[ARCHIVE_FIELDS_MAX];
    size_t best[COLUMN_COUNT]; /* the place in `names` of the column's name */
    clear(columns);
    columns->separator = find_separator(header);
    columns->field_count = archive_fields_split(header, columns->separator, fields);
    if (columns->field_count > ARCHIVE_FIELDS_MAX)
        return error_set(error, STATUS_INVALID, "the header has more than %d columns",
                         ARCHIVE_FIELDS_MAX);
    for (size_t i = 0; i < columns->field_count; i++) {
        size_t name = find_name(fields[i]);
        if (fields[i].size > 0)
            columns->named_count = i + 1;
        if (name == NAME_COUNT)
            continue;
        enum archive_column column = names[name].column;
        if (has(columns, column) && best[column] == name)
            return error_set(error, STATUS_INVALID, "the header has two columns '%.*s'",
                             slice_arguments(fields[i]));
        if (!has(columns, column) || name < best[column]) {
            columns->at[column] = (int)i;
            best[column] = name;
        }
    }
    return check_columns(header, columns, error);
}

/* -- no headers -------------------------------------------------------------------------------- */

static const enum archive_column klines_order[] = {
    COLUMN_TIME,
    COLUMN_OPEN,
    COLUMN_HIGH,
    COLUMN_LOW,
    COLUMN_CLOSE,
    COLUMN_VOLUME,
    COLUMN_CLOSE_TIME,
    COLUMN_QUOTE_VOLUME,
    COLUMN_TRADE_COUNT,
    COLUMN_TAKER_BUY_VOLUME,
    COLUMN_TAKER_BUY_QUOTE_VOLUME,
};
static const enum archive_column interest_order[] = {COLUMN_TIME, COLUMN_SYMBOL, COLUMN_CONTRACTS,
                                                     COLUMN_VALUE};
enum {
    KLINES_KNOWN = sizeof klines_order / sizeof klines_order[0], /* and one without a meaning */
    KLINES_NEEDED = 6,
    INTEREST_KNOWN = sizeof interest_order / sizeof interest_order[0],
    INTEREST_FIELDS = 8, /* four ratios follow */
};

void archive_columns_guess(enum import_kind kind, struct slice line,
                           struct archive_columns *columns)
{
    struct slice fields[ARCHIVE_FIELDS_MAX];
    bool is_klines = kind == IMPORT_KLINES;
    clear(columns);
    columns->kind = kind;
    columns->separator = find_separator(line);
    size_t count = archive_fields_split(line, columns->separator, fields);
    size_t known = is_klines ? KLINES_KNOWN : INTEREST_KNOWN;
    columns->field_count = is_klines ? KLINES_KNOWN + 1 : INTEREST_FIELDS;
    if (is_klines && (count == KLINES_KNOWN || count == KLINES_NEEDED))
        columns->field_count = known = count;
    columns->named_count = columns->field_count;
    for (size_t i = 0; i < known; i++)
        columns->at[is_klines ? klines_order[i] : interest_order[i]] = (int)i;
}
