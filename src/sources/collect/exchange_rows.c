/* Every row of every exchange passes here, so what is believed is decided once. A row that cannot
 * be true is refused as a whole: a candle whose low was mended would look like any other, for good.
 * What is refused and what is merely unknown is told apart by use: models read prices, times and
 * open interest, while a volume that no column can hold, or a count of trades that is missing,
 * costs no row.
 *
 * Whether a candle is closed matters as much as its prices: the half candle that a list of candles
 * ends with must not be stored as a whole one. Where the exchange does not say, a candle is closed
 * if the same list has a later one, or if it ended some time ago by the earlier of two clocks, ours
 * and the exchange's. That some time is the caller's tolerance. */
#include "sources/collect/exchange_rows.h"

#include "base/decimal.h"
#include "base/iso_time.h"
#include "sources/collect/exchange_ask.h"
#include "sources/collect/exchange_json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WHY_SIZE = 256, ORDINAL_LOOK_BACK = 64 };

/* 2010-01-01: before that there is nothing to trade. */
#define EARLIEST_MS INT64_C(1262304000000)
#define VALUE_MAX 9e10 /* of a decimal */

/* -- refusing ---------------------------------------------------------------------------------- */

void exchange_refuse(struct exchange_reader *reader, const struct exchange_instrument *instrument,
                     enum exchange_row_kind kind, const char *format, ...)
{
    char why[WHY_SIZE];
    va_list arguments;
    reader->rows->refused++;
    if (reader->sink->on_refused == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    exchange_make_printable(why);
    reader->sink->on_refused(instrument, kind, why, reader->sink->context);
}

const struct exchange_instrument *exchange_find(struct exchange_reader *reader, const char *native)
{
    const struct exchange_instrument *found =
        native != NULL ? reader->sink->find_instrument(native, reader->sink->context) : NULL;
    if (found == NULL)
        reader->rows->outside++;
    return found;
}

bool exchange_is_asked(struct exchange_reader *reader, enum exchange_row_kind kind,
                       const char *native)
{
    const struct exchange_instrument *asked = reader->instrument;
    if (native != NULL && strcmp(native, asked->native) == 0)
        return true;
    exchange_refuse(reader, asked, kind, "it is of %.40s, and %s was asked for",
                    native != NULL ? native : "no symbol", asked->native);
    return false;
}

static bool is_name(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f || *at == '"' || *at == '\\')
            return false;
    return text[0] != '\0';
}

bool exchange_name_instrument(struct exchange_reader *reader, const char *native,
                              struct exchange_instrument *instrument)
{
    if (native != NULL && is_name(native) &&
        slice_copy(slice_of(native), instrument->native, EXCHANGE_NATIVE_SIZE))
        return true;
    exchange_refuse(reader, NULL, EXCHANGE_ROW_INSTRUMENT, "it has no usable name");
    return false;
}

void exchange_take_instrument(struct exchange_reader *reader,
                              const struct exchange_instrument *instrument)
{
    reader->rows->taken++;
    if (reader->sink->on_instrument != NULL)
        reader->sink->on_instrument(instrument, reader->sink->context);
}

/* -- times ------------------------------------------------------------------------------------- */

/* NULL, or what is wrong with the time of a row. */
static const char *fault_in_time(const struct exchange_reader *reader, int64_t time_ms,
                                 bool is_on_grid)
{
    if (time_ms < EARLIEST_MS)
        return "its time is before 2010";
    if (time_ms > reader->latest_clock_ms + reader->sink->tolerance_ms)
        return "its time is in the future";
    if (is_on_grid && time_ms % CANDLE_MS != 0)
        return "its time is no multiple of 5 minutes";
    return NULL;
}

/* Reads and judges the time; refuses the row, or counts it as passed over, where false. NULL is
 * now. */
static bool take_time(struct exchange_reader *reader, const struct exchange_instrument *instrument,
                      enum exchange_row_kind kind, const json_t *time, bool is_on_grid,
                      int64_t *time_ms)
{
    char shown[EXCHANGE_SHOWN_SIZE], iso[ISO_TIME_SIZE];
    if (time == NULL) {
        *time_ms = reader->sink->now_ms;
        return true;
    }
    if (!exchange_json_time(time, time_ms)) {
        exchange_refuse(reader, instrument, kind, "its time is %s",
                        exchange_json_show(time, shown));
        return false;
    }
    const char *fault = fault_in_time(reader, *time_ms, is_on_grid);
    if (fault != NULL) {
        exchange_refuse(reader, instrument, kind, "%s: %s", fault, iso_time_format(*time_ms, iso));
        return false;
    }
    if (reader->end_ms != 0 && (*time_ms < reader->start_ms || *time_ms >= reader->end_ms)) {
        reader->rows->outside++;
        return false;
    }
    return true;
}

/* A row of a series went to the sink. */
static void count_taken(struct exchange_reader *reader, int64_t time_ms)
{
    struct exchange_counts *rows = reader->rows;
    if (rows->oldest_ms == 0 || time_ms < rows->oldest_ms)
        rows->oldest_ms = time_ms;
    if (time_ms > rows->newest_ms)
        rows->newest_ms = time_ms;
    rows->taken++;
}

/* -- figures ----------------------------------------------------------------------------------- */

/* Reads a price; refuses the row where false. `name` is what the message calls it. */
static bool take_price(struct exchange_reader *reader, const struct exchange_instrument *instrument,
                       enum exchange_row_kind kind, const char *name, const json_t *value,
                       int64_t *price_e8)
{
    char shown[EXCHANGE_SHOWN_SIZE];
    enum exchange_figure figure =
        exchange_json_decimal(value, instrument->bundle_digits, price_e8, NULL);
    const char *fault = figure == EXCHANGE_FIGURE_NONE        ? "which is no price"
                        : figure == EXCHANGE_FIGURE_TOO_LARGE ? "which is too large"
                        : figure == EXCHANGE_FIGURE_ROUNDED
                            ? "which has more than 8 decimals: collect a thousand of it as one "
                              "(1000PEPEUSDT)"
                        : *price_e8 <= 0                 ? "which is not above 0"
                        : *price_e8 > ROW_DECIMAL_MAX_E8 ? "which is too large"
                                                         : NULL;
    if (fault != NULL)
        exchange_refuse(reader, instrument, kind, "its %s is %s, %s", name,
                        exchange_json_show(value, shown), fault);
    return fault == NULL;
}

/* A figure that may be missing: false if it is, or is none that can be stored. */
static bool read_optional(const json_t *value, int shift, int64_t max, int64_t *figure_e8)
{
    enum exchange_figure figure = exchange_json_decimal(value, shift, figure_e8, NULL);
    return (figure == EXCHANGE_FIGURE_EXACT || figure == EXCHANGE_FIGURE_ROUNDED) &&
           *figure_e8 >= 0 && *figure_e8 <= max;
}

/* -- candles ----------------------------------------------------------------------------------- */

void exchange_note_candles(struct exchange_reader *reader, const json_t *list, const char *key)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        const json_t *time = key != NULL ? json_object_get(row, key) : json_array_get(row, 0);
        int64_t time_ms;
        if (exchange_json_time(time, &time_ms) && fault_in_time(reader, time_ms, true) == NULL &&
            time_ms > reader->newest_open_ms)
            reader->newest_open_ms = time_ms;
    }
}

bool exchange_lasts_candle(const json_t *first, const json_t *last)
{
    int64_t first_ms, last_ms;
    return !exchange_json_time(first, &first_ms) ||
           (exchange_json_time(last, &last_ms) && last_ms == first_ms + CANDLE_MS - 1);
}

static bool is_closed(const struct exchange_reader *reader, int64_t open_ms,
                      enum exchange_closed closed)
{
    if (closed != EXCHANGE_CLOSED_BY_CLOCK)
        return closed == EXCHANGE_CLOSED_YES;
    return open_ms < reader->newest_open_ms ||
           open_ms + CANDLE_MS + reader->sink->tolerance_ms <= reader->earliest_clock_ms;
}

static bool take_prices(struct exchange_reader *reader,
                        const struct exchange_instrument *instrument,
                        const struct exchange_candle *source, struct candle *candle)
{
    enum exchange_row_kind kind = EXCHANGE_ROW_CANDLE;
    if (!take_price(reader, instrument, kind, "open", source->open, &candle->open_e8) ||
        !take_price(reader, instrument, kind, "high", source->high, &candle->high_e8) ||
        !take_price(reader, instrument, kind, "low", source->low, &candle->low_e8) ||
        !take_price(reader, instrument, kind, "close", source->close, &candle->close_e8))
        return false;
    const char *fault = candle->high_e8 < candle->low_e8 ? "its high is below its low"
                        : candle->open_e8 > candle->high_e8 || candle->open_e8 < candle->low_e8
                            ? "its open is not between its low and its high"
                        : candle->close_e8 > candle->high_e8 || candle->close_e8 < candle->low_e8
                            ? "its close is not between its low and its high"
                            : NULL;
    char iso[ISO_TIME_SIZE];
    if (fault != NULL)
        exchange_refuse(reader, instrument, kind, "%s: %s", fault,
                        iso_time_format(candle->open_time_ms, iso));
    return fault == NULL;
}

static bool take_volume(struct exchange_reader *reader,
                        const struct exchange_instrument *instrument, const json_t *value,
                        struct kline_row *row)
{
    char shown[EXCHANGE_SHOWN_SIZE];
    double volume = NAN;
    enum exchange_figure figure =
        exchange_json_decimal(value, -instrument->bundle_digits, &row->volume_e8, &volume);
    if (!(volume >= 0)) {
        exchange_refuse(reader, instrument, EXCHANGE_ROW_CANDLE, "its volume is %s, not from 0",
                        exchange_json_show(value, shown));
        return false;
    }
    if (figure == EXCHANGE_FIGURE_TOO_LARGE || row->volume_e8 > ROW_DECIMAL_MAX_E8)
        row->volume_e8 = -1;
    row->candle.volume = volume;
    return true;
}

void exchange_take_candle(struct exchange_reader *reader,
                          const struct exchange_instrument *instrument,
                          const struct exchange_candle *candle, enum exchange_closed closed)
{
    struct kline_row row = {0};
    int coins = -instrument->bundle_digits;
    if (!take_time(reader, instrument, EXCHANGE_ROW_CANDLE, candle->time, true,
                   &row.candle.open_time_ms) ||
        !take_prices(reader, instrument, candle, &row.candle) ||
        !take_volume(reader, instrument, candle->volume, &row))
        return;
    memcpy(row.symbol, instrument->symbol, sizeof row.symbol);
    row.close_time_ms = row.candle.open_time_ms + CANDLE_MS - 1;
    row.has_quote_volume = read_optional(candle->quote_volume, 0, INT64_MAX, &row.quote_volume_e8);
    row.has_count = exchange_json_whole(candle->count, &row.count) && row.count <= INT32_MAX;
    row.has_taker_buy_volume =
        read_optional(candle->taker_volume, coins, ROW_DECIMAL_MAX_E8, &row.taker_buy_volume_e8);
    row.has_taker_buy_quote_volume =
        read_optional(candle->taker_quote_volume, 0, INT64_MAX, &row.taker_buy_quote_volume_e8);
    if (closed == EXCHANGE_CLOSED_YES &&
        row.close_time_ms > reader->latest_clock_ms + reader->sink->tolerance_ms) {
        exchange_refuse(reader, instrument, EXCHANGE_ROW_CANDLE, "it is closed before its end");
        return;
    }
    count_taken(reader, row.candle.open_time_ms);
    if (reader->sink->on_candle != NULL)
        reader->sink->on_candle(instrument, &row,
                                is_closed(reader, row.candle.open_time_ms, closed),
                                reader->sink->context);
}

/* -- open interest ----------------------------------------------------------------------------- */

/* A figure of open interest. False, and refused, if it is no figure above 0: 0 is what exchanges
 * write where they know none, and to a model it would be the end of all positions. One that is too
 * large for a table is not known. */
static bool take_amount(struct exchange_reader *reader,
                        const struct exchange_instrument *instrument, const char *name,
                        const json_t *value, int shift, int divisor, bool *is_known,
                        int64_t *amount_e8)
{
    char shown[EXCHANGE_SHOWN_SIZE];
    double amount;
    *is_known = false;
    if (value == NULL)
        return true;
    enum exchange_figure figure = exchange_json_decimal(value, shift, amount_e8, &amount);
    if (figure == EXCHANGE_FIGURE_NONE || !(amount > 0)) {
        exchange_refuse(reader, instrument, EXCHANGE_ROW_INTEREST, "its %s is %s, not above 0",
                        name, exchange_json_show(value, shown));
        return false;
    }
    if (figure != EXCHANGE_FIGURE_TOO_LARGE) {
        *amount_e8 /= divisor;
        *is_known = *amount_e8 > 0 && *amount_e8 <= ROW_DECIMAL_MAX_E8;
    }
    return true;
}

void exchange_take_interest(struct exchange_reader *reader,
                            const struct exchange_instrument *instrument,
                            enum exchange_interest_kind kind, const json_t *time,
                            const json_t *contracts, const json_t *value, int divisor)
{
    struct exchange_interest row = {.is_label = kind == EXCHANGE_INTEREST_LABEL};
    if (!take_time(reader, instrument, EXCHANGE_ROW_INTEREST, time, kind != EXCHANGE_INTEREST_STATE,
                   &row.time_ms) ||
        !take_amount(reader, instrument, "open interest", contracts, -instrument->bundle_digits,
                     divisor, &row.has_contracts, &row.contracts_e8) ||
        !take_amount(reader, instrument, "value", value, 0, divisor, &row.has_value, &row.value_e8))
        return;
    if (!row.has_contracts && !row.has_value) {
        exchange_refuse(reader, instrument, EXCHANGE_ROW_INTEREST,
                        "it has no figure that can be stored");
        return;
    }
    count_taken(reader, row.time_ms);
    if (reader->sink->on_interest != NULL)
        reader->sink->on_interest(instrument, &row, reader->sink->context);
}

/* -- prices, liquidations ---------------------------------------------------------------------- */

void exchange_take_price(struct exchange_reader *reader,
                         const struct exchange_instrument *instrument, const json_t *time,
                         const json_t *price)
{
    int64_t time_ms, price_e8;
    if (!take_time(reader, instrument, EXCHANGE_ROW_PRICE, time, false, &time_ms) ||
        !take_price(reader, instrument, EXCHANGE_ROW_PRICE, "mark price", price, &price_e8))
        return;
    reader->rows->taken++;
    if (reader->sink->on_price != NULL)
        reader->sink->on_price(instrument, time_ms, price_e8, reader->sink->context);
}

/* Contracts into coins and value; refuses the row where false. */
static bool take_quantity(struct exchange_reader *reader,
                          const struct exchange_instrument *instrument, const json_t *quantity,
                          struct exchange_liquidation *row)
{
    char shown[EXCHANGE_SHOWN_SIZE];
    int64_t contracts_e8;
    double contracts;
    enum exchange_row_kind kind = EXCHANGE_ROW_LIQUIDATION;
    if (instrument->contract_e8 <= 0) {
        exchange_refuse(reader, instrument, kind, "the size of a contract is not known");
        return false;
    }
    enum exchange_figure figure =
        exchange_json_decimal(quantity, -instrument->bundle_digits, &contracts_e8, &contracts);
    if (figure == EXCHANGE_FIGURE_NONE || !(contracts > 0)) {
        exchange_refuse(reader, instrument, kind, "its quantity is %s, not above 0",
                        exchange_json_show(quantity, shown));
        return false;
    }
    __int128 one = DECIMAL_ONE, coins_e8 = 0, value_e8;
    double value =
        contracts * decimal_to_double(instrument->contract_e8) * decimal_to_double(row->price_e8);
    if (figure != EXCHANGE_FIGURE_TOO_LARGE)
        coins_e8 = ((__int128)contracts_e8 * instrument->contract_e8 + one / 2) / one;
    row->has_quantity = coins_e8 > 0 && coins_e8 <= ROW_DECIMAL_MAX_E8;
    row->quantity_e8 = row->has_quantity ? (int64_t)coins_e8 : 0;
    if (row->has_quantity)
        value_e8 = (coins_e8 * row->price_e8 + one / 2) / one;
    else
        value_e8 = value < VALUE_MAX ? (__int128)(value * 1e8) : 0;
    if (value_e8 <= 0 || value_e8 > INT64_MAX) {
        exchange_refuse(reader, instrument, kind, "its value cannot be stored");
        return false;
    }
    row->value_e8 = (int64_t)value_e8;
    return true;
}

void exchange_take_liquidation(struct exchange_reader *reader,
                               const struct exchange_instrument *instrument, const json_t *time,
                               enum exchange_side side, const json_t *price, const json_t *quantity,
                               int ordinal)
{
    struct exchange_liquidation row = {.is_long = side == EXCHANGE_SIDE_LONG, .ordinal = ordinal};
    const struct exchange_sink *sink = reader->sink;
    enum exchange_row_kind kind = EXCHANGE_ROW_LIQUIDATION;
    if (!take_time(reader, instrument, kind, time, false, &row.time_ms))
        return;
    if (sink->subscribed_ms != 0 && row.time_ms < sink->subscribed_ms - sink->tolerance_ms) {
        reader->rows->outside++;
        return;
    }
    if (side == EXCHANGE_SIDE_UNKNOWN) {
        exchange_refuse(reader, instrument, kind, "it does not say which side was liquidated");
        return;
    }
    if (!take_price(reader, instrument, kind, "price", price, &row.price_e8) ||
        !take_quantity(reader, instrument, quantity, &row))
        return;
    reader->rows->taken++;
    if (sink->on_liquidation != NULL)
        sink->on_liquidation(instrument, &row, sink->context);
}

int exchange_ordinal(const json_t *list, size_t index)
{
    const json_t *row = json_array_get(list, index);
    size_t first = index > ORDINAL_LOOK_BACK ? index - ORDINAL_LOOK_BACK : 0;
    int equal = 0;
    for (size_t i = first; i < index; i++)
        equal += json_equal(json_array_get(list, i), row);
    return equal;
}
