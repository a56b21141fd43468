/* Rows of the tables, as sources write them. Plain values. */
#ifndef HEATCAST_STORE_ROW_H
#define HEATCAST_STORE_ROW_H

#include "config/value.h"
#include "model/candle.h"

#include <stdbool.h>
#include <stdint.h>

/* What DECIMAL(18,8) holds, the type of the tables' prices and quantities. */
#define ROW_DECIMAL_MAX_E8 INT64_C(999999999999999999)

/* A row of klines_5m_history. Columns that no model uses may be unknown. */
struct kline_row {
    char symbol[SYMBOL_SIZE];
    struct candle candle;
    int64_t volume_e8; /* what is stored as volume, not candle.volume; negative: unknown */
    int64_t close_time_ms;
    bool has_quote_volume, has_count, has_taker_buy_volume, has_taker_buy_quote_volume;
    int64_t quote_volume_e8, count, taker_buy_volume_e8, taker_buy_quote_volume_e8;
    uint64_t origin; /* where it came from, as its writer numbers that, for messages */
};

/* A row of open_interest_history; the table numbers it itself. */
struct interest_row {
    char symbol[SYMBOL_SIZE];
    int64_t timestamp_ms;
    int64_t value_e8; /* quote currency */
    bool has_contracts;
    int64_t contracts_e8;
    uint64_t origin; /* as above */
};

#define EXCHANGE_SIZE 33       /* 32 characters and the terminator */
#define LIQUIDATION_ID_SIZE 65 /* a hash in hexadecimal digits fits */

/* A row of liquidations: one print of an exchange, known by (exchange, symbol, time, id). */
struct liquidation_row {
    char exchange[EXCHANGE_SIZE];
    char symbol[SYMBOL_SIZE];
    char id[LIQUIDATION_ID_SIZE]; /* of the exchange, or a hash of the print where it gives none */
    int64_t time_ms;
    bool is_long; /* whose position was liquidated */
    int64_t price_e8;
    int64_t quantity_e8; /* base coin */
    int64_t value_e8;    /* quote currency */
};

#endif
