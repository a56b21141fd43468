/* What the path of a file says that is named as in the Binance public archive. Pure; any thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_NAMES_H
#define HEATCAST_SOURCES_ARCHIVE_NAMES_H

#include "config/value.h"

#include <stdbool.h>

enum archive_name_kind {
    ARCHIVE_NAME_OTHER, /* no name of the archive */
    ARCHIVE_NAME_KLINES,
    ARCHIVE_NAME_INTEREST,
    ARCHIVE_NAME_OTHER_INTERVAL, /* klines, but not of 5 minutes */
    ARCHIVE_NAME_OTHER_PRICE,    /* klines of a price that nobody trades at */
    ARCHIVE_NAME_OTHER_DATA,     /* trades, order books, funding rates */
};

/* Where it was traded. The same symbol has other prices in each. */
enum archive_market {
    ARCHIVE_MARKET_UNKNOWN,
    ARCHIVE_MARKET_USD_M,
    ARCHIVE_MARKET_SPOT,
    ARCHIVE_MARKET_COIN_M,
    ARCHIVE_MARKET_OPTION,
};

#define ARCHIVE_WORD_SIZE 24

struct archive_name {
    enum archive_name_kind kind;
    enum archive_market market;
    char symbol[SYMBOL_SIZE];     /* "" if the kind is ARCHIVE_NAME_OTHER, as is the word */
    char word[ARCHIVE_WORD_SIZE]; /* that says the kind: "5m", "metrics", "indexPriceKlines" */
};

/* Reads <SYMBOL>-<interval, "metrics" or another word>-<date>.<csv, zip, csv.gz or gz>, and the
 * folders before it, which say the market also of a file of another name. */
struct archive_name archive_name_read(const char *path);

/* The symbol that is meant by a name like the above but for its symbol, as in
 * btcusdt-5m-2025-12.csv; false if there is none. */
bool archive_name_guess_symbol(const char *path, char symbol[SYMBOL_SIZE]);

#define ARCHIVE_REASON_SIZE 160

/* Whether a file of this name is imported into a database of `wanted`, which is a market of candles
 * that are imported. If not, `reason` says why: "1m klines; only 5m klines are imported". */
bool archive_name_is_wanted(const struct archive_name *name, enum archive_market wanted,
                            char reason[ARCHIVE_REASON_SIZE]);

/* Contracts that are margined and settled in the coin: BTCUSD_PERP, BTCUSD_260626. */
bool archive_symbol_is_coin_margined(const char *symbol);

/* "um", "cm", "spot", "option", as the archive calls them; UNKNOWN is "". */
const char *archive_market_word(enum archive_market market);

/* The market of that word; false if there is none. */
bool archive_market_parse(const char *word, enum archive_market *market);

/* Whether a member of an archive may be a file of rows, by its name: others, such as a README, are
 * passed over. An archive may be one, so that it is refused and not passed over. */
bool archive_name_may_be_table(const char *path);

/* Whether a file only accompanies others: checksums, and what systems put into folders. */
bool archive_name_is_companion(const char *path);

/* The symbol in ".../<SYMBOL>/klines/..." and ".../klines/<SYMBOL>/..."; false if there is none. */
bool archive_name_folder_symbol(const char *path, char symbol[SYMBOL_SIZE]);

#endif
