/* Rows on their way from an exchange to the sink.
 *
 * An exchange's file takes JSON apart and says which member is what; here it is decided whether the
 * row can be true, and it is counted, and told or refused. Pure; any thread. */
#ifndef HEATCAST_SOURCES_COLLECT_EXCHANGE_ROWS_H
#define HEATCAST_SOURCES_COLLECT_EXCHANGE_ROWS_H

#include "sources/collect/exchange.h"

#include <jansson.h>

/* One answer or message while it is read. */
struct exchange_reader {
    const struct exchange_sink *sink;
    const struct exchange_instrument *instrument; /* that was asked for; NULL: see the rows */
    int64_t start_ms, end_ms;                     /* that were asked for; 0, 0: any */
    /* The caller's clock and the exchange's, as far as it is known. Nothing is later than the one,
     * and a candle is closed that ended before the other. */
    int64_t latest_clock_ms, earliest_clock_ms;
    int64_t newest_open_ms; /* of a list's candles: those before it are closed; 0: not known */
    struct exchange_counts *rows;
};

/* Counts a row as refused, and tells the sink why. `instrument` may be NULL. */
void exchange_refuse(struct exchange_reader *reader, const struct exchange_instrument *instrument,
                     enum exchange_row_kind kind, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The caller's instrument, or NULL: then the row is counted as passed over. */
const struct exchange_instrument *exchange_find(struct exchange_reader *reader, const char *native);

/* Of a row in the answer about one instrument: whether it is of that one. It is refused if not. */
bool exchange_is_asked(struct exchange_reader *reader, enum exchange_row_kind kind,
                       const char *native);

/* Gives an instrument the name that its row has; refuses the row where false. A name is text
 * without blanks, quotes and control characters: it goes into requests. */
bool exchange_name_instrument(struct exchange_reader *reader, const char *native,
                              struct exchange_instrument *instrument);
void exchange_take_instrument(struct exchange_reader *reader,
                              const struct exchange_instrument *instrument);

/* -- candles ----------------------------------------------------------------------------------- */

enum exchange_closed {
    EXCHANGE_CLOSED_NO,
    EXCHANGE_CLOSED_YES,
    EXCHANGE_CLOSED_BY_CLOCK, /* the exchange does not say */
};

/* NULL is what the exchange does not tell; only the last four may be. */
struct exchange_candle {
    const json_t *time, *open, *high, *low, *close;
    const json_t *volume; /* coins */
    const json_t *quote_volume, *count, *taker_volume, *taker_quote_volume;
};

/* Looks for the newest candle of a list, before the first is taken, if the exchange does not say
 * which are closed. `key` is the member of a row that is its time; NULL: its first item. */
void exchange_note_candles(struct exchange_reader *reader, const json_t *list, const char *key);

/* Whether the two times are those of the first and last millisecond of 5 minutes. One that is no
 * time is left for exchange_take_candle() to refuse. */
bool exchange_lasts_candle(const json_t *first, const json_t *last);

void exchange_take_candle(struct exchange_reader *reader,
                          const struct exchange_instrument *instrument,
                          const struct exchange_candle *candle, enum exchange_closed closed);

/* -- open interest, prices, liquidations ------------------------------------------------------- */

/* How a row of open interest is to be read. */
enum exchange_interest_kind {
    EXCHANGE_INTEREST_STATE, /* at any moment */
    EXCHANGE_INTEREST_STEP,  /* every 5 minutes, with the state's own time */
    EXCHANGE_INTEREST_LABEL, /* every 5 minutes, with the label of a period */
};

/* `contracts` in coins and `value` in quote currency; either may be NULL. `divisor` is 2 where the
 * exchange counts both sides. `time` NULL: now. */
void exchange_take_interest(struct exchange_reader *reader,
                            const struct exchange_instrument *instrument,
                            enum exchange_interest_kind kind, const json_t *time,
                            const json_t *contracts, const json_t *value, int divisor);

/* `time` NULL: now. */
void exchange_take_price(struct exchange_reader *reader,
                         const struct exchange_instrument *instrument, const json_t *time,
                         const json_t *price);

enum exchange_side { EXCHANGE_SIDE_UNKNOWN, EXCHANGE_SIDE_LONG, EXCHANGE_SIDE_SHORT };

/* `quantity` in contracts of the instrument; `ordinal` as in struct exchange_liquidation. */
void exchange_take_liquidation(struct exchange_reader *reader,
                               const struct exchange_instrument *instrument, const json_t *time,
                               enum exchange_side side, const json_t *price, const json_t *quantity,
                               int ordinal);

/* How many of the rows before list[index] (of the 64 last ones) are equal to it. */
int exchange_ordinal(const json_t *list, size_t index);

#endif
