/* One row (docs/model.md, "Files"). Only what the model needs makes a row bad: times, prices, open
 * interest, and volume, which is shown. In the other columns what is no number at all is wrong too,
 * since then the columns are not what they are taken for; what is blank is unknown. */
#include "sources/archive/rows.h"

#include "base/decimal.h"
#include "sources/archive/fields.h"

#include <string.h>

/* A line, split. */
struct row {
    const struct archive_columns *columns;
    struct slice fields[ARCHIVE_FIELDS_MAX];
};

/* Fields without a name at the end of the line, as a comma too many makes them, may be there or
 * not, but say nothing. */
static enum status split(const struct archive_columns *columns, struct slice line, struct row *row,
                         struct error *error)
{
    row->columns = columns;
    size_t count = archive_fields_split(line, columns->separator, row->fields);
    bool is_right = count >= columns->named_count;
    for (size_t i = columns->field_count; i < count && is_right; i++)
        is_right = i < ARCHIVE_FIELDS_MAX && row->fields[i].size == 0;
    if (!is_right)
        return error_set(error, STATUS_INVALID, "column count is %zu instead of %zu", count,
                         columns->field_count);
    return STATUS_OK;
}

/* An empty field where there is no such column. */
static struct slice field(const struct row *row, enum archive_column column)
{
    int at = row->columns->at[column];
    return at >= 0 ? row->fields[at] : (struct slice){"", 0};
}

static enum status read_symbol(const struct row *row, char symbol[SYMBOL_SIZE], struct error *error)
{
    if (row->columns->at[COLUMN_SYMBOL] < 0)
        return STATUS_OK;
    struct slice text = field(row, COLUMN_SYMBOL);
    if (text.size == 0)
        return archive_field_wrong("symbol", text, "", error);
    enum status status = value_parse_symbol(text, symbol, error);
    if (status != STATUS_OK)
        error_prefix(error, "symbol");
    return status;
}

/* A figure that may be unknown, as archive_field_amount() reads it. */
static enum status read_amount(const struct row *row, const char *name, enum archive_column column,
                               int64_t max_e8, bool *is_known, int64_t *value_e8,
                               struct archive_unheld *unheld, struct error *error)
{
    struct slice text = field(row, column);
    enum status status = archive_field_amount(name, text, max_e8, is_known, value_e8, error);
    bool is_unheld = status == STATUS_OK && !*is_known && !archive_field_is_unknown(text);
    if (is_unheld && unheld->name[0] == '\0')
        *unheld = (struct archive_unheld){name, text};
    return status;
}

/* -- candles ----------------------------------------------------------------------------------- */

static enum status read_times(const struct row *row, struct kline_row *kline, struct error *error)
{
    struct slice open = field(row, COLUMN_TIME), close = field(row, COLUMN_CLOSE_TIME);
    int64_t *open_ms = &kline->candle.open_time_ms;
    enum status status = archive_field_time("open_time", open, open_ms, error);
    if (status != STATUS_OK)
        return status;
    if (*open_ms % CANDLE_MS != 0)
        return archive_field_wrong("open_time", open, "is not a multiple of 5 minutes", error);
    if (archive_field_is_unknown(close))
        return STATUS_OK;
    status = archive_field_time("close_time", close, &kline->close_time_ms, error);
    if (status != STATUS_OK)
        return status;
    if (kline->close_time_ms < *open_ms + CANDLE_MS - 1000 ||
        kline->close_time_ms > *open_ms + CANDLE_MS)
        return archive_field_wrong("close_time", close, "is not 5 minutes after open_time", error);
    return STATUS_OK;
}

static enum status read_prices(const struct row *row, struct candle *candle, struct error *error)
{
    const struct {
        const char *name;
        enum archive_column column;
        int64_t *price_e8;
    } prices[] = {{"open", COLUMN_OPEN, &candle->open_e8},
                  {"high", COLUMN_HIGH, &candle->high_e8},
                  {"low", COLUMN_LOW, &candle->low_e8},
                  {"close", COLUMN_CLOSE, &candle->close_e8}};
    for (size_t i = 0; i < 4; i++) {
        struct slice text = field(row, prices[i].column);
        enum status status = archive_field_price(prices[i].name, text, prices[i].price_e8, error);
        if (status != STATUS_OK)
            return status;
    }
    if (candle->high_e8 < candle->open_e8 || candle->high_e8 < candle->close_e8)
        return archive_field_wrong("high", field(row, COLUMN_HIGH), "is below open or close",
                                   error);
    if (candle->low_e8 > candle->open_e8 || candle->low_e8 > candle->close_e8)
        return archive_field_wrong("low", field(row, COLUMN_LOW), "is above open or close", error);
    return STATUS_OK;
}

static enum status read_volume(const struct row *row, struct kline_row *kline,
                               struct archive_unheld *unheld, struct error *error)
{
    bool is_known;
    struct slice text = field(row, COLUMN_VOLUME);
    kline->volume_e8 = -1;
    if (archive_field_is_unknown(text))
        return archive_field_wrong("volume", text, "is not a number", error);
    enum status status = read_amount(row, "volume", COLUMN_VOLUME, ROW_DECIMAL_MAX_E8, &is_known,
                                     &kline->volume_e8, unheld, error);
    kline->candle.volume = is_known ? decimal_to_double(kline->volume_e8) : 0;
    if (!is_known)
        kline->volume_e8 = -1;
    return status;
}

static enum status read_rest(const struct row *row, struct kline_row *kline,
                             struct archive_unheld *unheld, struct error *error)
{
    enum status status =
        read_amount(row, "quote_volume", COLUMN_QUOTE_VOLUME, INT64_MAX, &kline->has_quote_volume,
                    &kline->quote_volume_e8, unheld, error);
    if (status == STATUS_OK)
        status = archive_field_count("count", field(row, COLUMN_TRADE_COUNT), &kline->has_count,
                                     &kline->count, error);
    if (status == STATUS_OK)
        status =
            read_amount(row, "taker_buy_volume", COLUMN_TAKER_BUY_VOLUME, ROW_DECIMAL_MAX_E8,
                        &kline->has_taker_buy_volume, &kline->taker_buy_volume_e8, unheld, error);
    if (status == STATUS_OK)
        status = read_amount(row, "taker_buy_quote_volume", COLUMN_TAKER_BUY_QUOTE_VOLUME,
                             INT64_MAX, &kline->has_taker_buy_quote_volume,
                             &kline->taker_buy_quote_volume_e8, unheld, error);
    return status;
}

enum status archive_row_read_kline(const struct archive_columns *columns, struct slice line,
                                   struct kline_row *kline, struct archive_unheld *unheld,
                                   struct error *error)
{
    struct row row;
    *unheld = (struct archive_unheld){.name = ""};
    *kline = (struct kline_row){.volume_e8 = -1};
    enum status status = split(columns, line, &row, error);
    if (status == STATUS_OK)
        status = read_times(&row, kline, error);
    if (status == STATUS_OK)
        status = read_volume(&row, kline, unheld, error);
    if (status == STATUS_OK)
        status = read_prices(&row, &kline->candle, error);
    if (status == STATUS_OK)
        status = read_rest(&row, kline, unheld, error);
    if (status == STATUS_OK)
        status = read_symbol(&row, kline->symbol, error);
    return status;
}

/* -- open interest ----------------------------------------------------------------------------- */

enum status archive_row_read_interest(const struct archive_columns *columns, struct slice line,
                                      struct interest_row *interest, struct archive_unheld *unheld,
                                      struct error *error)
{
    struct row row;
    *unheld = (struct archive_unheld){.name = ""};
    *interest = (struct interest_row){0};
    enum status status = split(columns, line, &row, error);
    if (status == STATUS_OK)
        status = archive_field_time("create_time", field(&row, COLUMN_TIME),
                                    &interest->timestamp_ms, error);
    if (status == STATUS_OK)
        status = read_symbol(&row, interest->symbol, error);
    if (status == STATUS_OK)
        status = read_amount(&row, "sum_open_interest", COLUMN_CONTRACTS, ROW_DECIMAL_MAX_E8,
                             &interest->has_contracts, &interest->contracts_e8, unheld, error);
    if (status != STATUS_OK)
        return status;
    struct slice value = field(&row, COLUMN_VALUE);
    bool is_known;
    if (archive_field_is_unknown(value))
        return archive_field_wrong("sum_open_interest_value", value, "is not a number", error);
    status = archive_field_amount("sum_open_interest_value", value, INT64_MAX, &is_known,
                                  &interest->value_e8, error);
    if (status == STATUS_OK && !is_known)
        return archive_field_wrong("sum_open_interest_value", value, "is above 92 billion", error);
    return status;
}

/* -- liquidations ------------------------------------------------------------------------------ */

static bool is_visible(char c)
{
    return c > ' ' && c < 127 && c != '"';
}

/* Copies a name of at most `size` - 1 characters. */
static enum status read_name(const struct row *row, const char *name, enum archive_column column,
                             char *to, size_t size, struct error *error)
{
    struct slice text = field(row, column), rest = text;
    slice_take_while(&rest, is_visible);
    if (text.size == 0 || rest.size > 0)
        return archive_field_wrong(name, text, "is not a name without blanks", error);
    if (!slice_copy(text, to, size))
        return archive_field_wrong(name, text, "is too long", error);
    return STATUS_OK;
}

static enum status read_side(const struct row *row, bool *is_long, struct error *error)
{
    struct slice text = field(row, COLUMN_SIDE);
    *is_long = slice_equals(text, "long");
    return *is_long || slice_equals(text, "short")
               ? STATUS_OK
               : archive_field_wrong("side", text, "is neither long nor short", error);
}

/* An amount that has to be known. */
static enum status read_known(const struct row *row, const char *name, enum archive_column column,
                              int64_t max_e8, int64_t *value_e8, struct error *error)
{
    bool is_known;
    struct slice text = field(row, column);
    enum status status = archive_field_amount(name, text, max_e8, &is_known, value_e8, error);
    return status != STATUS_OK || is_known
               ? status
               : archive_field_wrong(name, text, "is not a number that the column can hold", error);
}

enum status archive_row_read_liquidation(const struct archive_columns *columns, struct slice line,
                                         struct liquidation_row *liquidation, struct error *error)
{
    struct row row;
    *liquidation = (struct liquidation_row){0};
    enum status status = split(columns, line, &row, error);
    if (status == STATUS_OK)
        status = archive_field_time("time", field(&row, COLUMN_TIME), &liquidation->time_ms, error);
    if (status == STATUS_OK)
        status = read_name(&row, "exchange", COLUMN_EXCHANGE, liquidation->exchange,
                           sizeof liquidation->exchange, error);
    if (status == STATUS_OK)
        status = read_symbol(&row, liquidation->symbol, error);
    if (status == STATUS_OK)
        status = read_side(&row, &liquidation->is_long, error);
    if (status == STATUS_OK)
        status = read_known(&row, "price", COLUMN_PRICE, ROW_DECIMAL_MAX_E8, &liquidation->price_e8,
                            error);
    if (status == STATUS_OK)
        status = read_known(&row, "quantity", COLUMN_QUANTITY, ROW_DECIMAL_MAX_E8,
                            &liquidation->quantity_e8, error);
    if (status == STATUS_OK)
        status =
            read_known(&row, "value", COLUMN_QUOTE_VALUE, INT64_MAX, &liquidation->value_e8, error);
    if (status == STATUS_OK)
        status = read_name(&row, "id", COLUMN_ID, liquidation->id, sizeof liquidation->id, error);
    return status;
}
