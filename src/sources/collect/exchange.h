/* What heatcast knows of an exchange: its addresses, its limits, and the shapes of what it is asked
 * and answers. The contract between an exchange's file (exchange_binance.c, ...) and the collector.
 *
 * Pure: no I/O, no clock, and nothing is kept between two calls. The caller has the sockets, the
 * time and the memory; it says what it wants (struct exchange_query), sends what is written for it
 * (struct exchange_request), and hands over what came back, out of which rows go to its sink:
 *
 *     exchange_request_build() -> the caller's HTTP client -> exchange_answer_read()  -> the sink
 *     exchange_subscribe()     -> the caller's WebSocket   -> exchange_message_read() -> the sink
 *
 * What reaches the sink is normalised: times are milliseconds of UTC, prices exact, quantities in
 * coins (contracts are multiplied out), open interest that of one side, the side of a liquidation
 * that of the position. A row that is doubtful reaches on_refused() only, with the reason.
 *
 * A further exchange is a file with its `struct exchange_api`, and a line in EXCHANGES
 * (config/exchange_list.h). Any thread; a struct belongs to its caller. */
#ifndef HEATCAST_SOURCES_COLLECT_EXCHANGE_H
#define HEATCAST_SOURCES_COLLECT_EXCHANGE_H

#include "base/buffer.h"
#include "base/error.h"
#include "config/exchange_list.h"
#include "config/value.h"
#include "store/row.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t; /* of jansson */
struct exchange_api;
struct exchange_reader; /* exchange_rows.h */

/* What a server may send at most: a message of a WebSocket, an answer of HTTP (that of instruments
 * lists all of them, with all their rules). */
enum {
    EXCHANGE_MESSAGE_BYTES_MAX = 4 * 1024 * 1024,
    EXCHANGE_PAGE_BYTES_MAX = 4 * 1024 * 1024,
    EXCHANGE_INSTRUMENTS_BYTES_MAX = 64 * 1024 * 1024,
};

/* -- instruments ------------------------------------------------------------------------------- */

#define EXCHANGE_NATIVE_SIZE 48 /* BTC-USDT-SWAP, with the terminator */

/* Something that is traded. The exchange's list gives those that there are (without a symbol); the
 * caller keeps those that it collects, gives each a symbol, and finds them again for the parsers
 * (find_instrument() of the sink). It may embed the struct in a larger one. */
struct exchange_instrument {
    char native[EXCHANGE_NATIVE_SIZE]; /* as the exchange writes it */
    char symbol[SYMBOL_SIZE];          /* as heatcast does, for the rows; "" in the list */
    /* Coins of one contract; DECIMAL_ONE where the exchange counts coins. Below 1: not known, and
     * rows that need it are refused (needs_contract_size). */
    int64_t contract_e8;
    /* Of the caller's name, not of the list: 3 if one coin of ours is a thousand of the exchange's,
     * as in 1000PEPEUSDT from PEPE-USDT-SWAP. Prices, quantities and contracts follow it. */
    int bundle_digits;
    int64_t listed_ms; /* there is nothing before; 0: not told */
    bool is_trading;
};

/* A name under which an exchange may know a symbol. */
struct exchange_listing {
    char native[EXCHANGE_NATIVE_SIZE];
    int bundle_digits;
};

enum { EXCHANGE_LISTINGS_MAX = 6 };

/* -- the sink: where rows go ------------------------------------------------------------------- */

enum exchange_row_kind {
    EXCHANGE_ROW_INSTRUMENT,
    EXCHANGE_ROW_CANDLE,
    EXCHANGE_ROW_INTEREST,
    EXCHANGE_ROW_LIQUIDATION,
    EXCHANGE_ROW_PRICE,
};

/* Open interest, of one side. At least one of the two figures is known. */
struct exchange_interest {
    int64_t time_ms;
    /* `time_ms` is how the exchange labels a period, whose start or end it may be, and exchanges
     * have changed it without a word: the time of the state has to be detected from value /
     * contracts. Otherwise it is when the state held. */
    bool is_label;
    bool has_contracts, has_value;
    int64_t contracts_e8; /* coins */
    int64_t value_e8;     /* quote currency */
};

struct exchange_liquidation {
    int64_t time_ms;
    bool is_long;        /* the position that was liquidated was long */
    int64_t price_e8;    /* of the fills where the exchange tells it, else the bankruptcy price */
    bool has_quantity;   /* false where it is over what a table can hold */
    int64_t quantity_e8; /* coins */
    int64_t value_e8;    /* quote currency */
    int ordinal;         /* rows before it in its message that are equal to it */
    char id[48];         /* "" where the exchange gives none */
};

/* Functions that get rows. All but find_instrument() may be NULL. They are called before the
 * function that was given the sink returns, in the order of the exchange's list, which may be
 * newest first, in disorder, and with the same row twice. */
struct exchange_sink {
    void *context;
    /* The exchange's time, as well as it is known, and how far it may be off: what closed less than
     * `tolerance_ms` ago by this clock alone counts as open, and what is further ahead is
     * refused. */
    int64_t now_ms, tolerance_ms;
    /* Messages: when the connection subscribed; 0: not told. Liquidations from before then are
     * passed over, because some exchanges begin with a few old ones. */
    int64_t subscribed_ms;
    /* The caller's instrument of that name, or NULL if it does not collect it. It stays valid until
     * the function that was given the sink returns. */
    const struct exchange_instrument *(*find_instrument)(const char *native, void *context);

    void (*on_instrument)(const struct exchange_instrument *instrument, void *context);
    /* A 5-minute candle. `is_closed`: it is final. */
    void (*on_candle)(const struct exchange_instrument *instrument, const struct kline_row *row,
                      bool is_closed, void *context);
    void (*on_interest)(const struct exchange_instrument *instrument,
                        const struct exchange_interest *interest, void *context);
    void (*on_liquidation)(const struct exchange_instrument *instrument,
                           const struct exchange_liquidation *liquidation, void *context);
    /* The mark price, by which positions are liquidated. */
    void (*on_price)(const struct exchange_instrument *instrument, int64_t time_ms,
                     int64_t price_e8, void *context);
    /* A row that is not taken, and why. `instrument` is NULL where the row does not tell. */
    void (*on_refused)(const struct exchange_instrument *instrument, enum exchange_row_kind kind,
                       const char *why, void *context);
    /* What the exchange itself says of a budget of its (an index of `budgets`). */
    void (*on_budget)(size_t budget, int64_t window_ms, int64_t limit, void *context);
};

/* A clock that is further off than this from the machine's is not one to go by: by it, candles that
 * form would be closed, or rows of the future true. */
#define EXCHANGE_CLOCK_OFF_MAX_MS (24 * 60 * MINUTE_MS)

static inline bool exchange_clock_is_believable(int64_t server_ms, int64_t now_ms)
{
    return server_ms > now_ms - EXCHANGE_CLOCK_OFF_MAX_MS &&
           server_ms < now_ms + EXCHANGE_CLOCK_OFF_MAX_MS;
}

/* What became of the rows of an answer or a message. */
struct exchange_counts {
    size_t taken, refused;
    /* Passed over: not of the request's times (an exchange that does not understand the times sends
     * its newest rows), from before the subscription, or of what the caller does not collect. */
    size_t outside;
    int64_t oldest_ms, newest_ms; /* of the candles or states that were taken; 0, 0: of none */
};

/* -- how an exchange answers ------------------------------------------------------------------- */

enum exchange_verdict_kind {
    EXCHANGE_OK,
    EXCHANGE_RATE_LIMITED, /* ask nothing of the budget before `until_ms` */
    EXCHANGE_BANNED,       /* ask nothing at all before `until_ms` */
    EXCHANGE_BLOCKED,      /* not from this place or network: say it once, ask again seldom */
    EXCHANGE_NO_SYMBOL,    /* it does not know the symbol: its list has to be asked again */
    EXCHANGE_OUT_OF_RANGE, /* it has nothing for these times, and will not: go on elsewhere */
    EXCHANGE_REFUSED,      /* it does not accept the request: asking again will not help */
    EXCHANGE_BROKEN,       /* not what it documents: HTML, cut off, of another shape */
    EXCHANGE_UNAVAILABLE,  /* its servers fail: try again, ever more seldom */
};

struct exchange_verdict {
    enum exchange_verdict_kind kind;
    int64_t until_ms; /* of the first two and the last; 0: not told, so the caller chooses */
    char message[ERROR_MESSAGE_MAX]; /* one line for a person, what to do included; "" if OK */
};

/* -- REST -------------------------------------------------------------------------------------- */

enum exchange_request_kind {
    EXCHANGE_INSTRUMENTS,      /* what there is */
    EXCHANGE_CANDLES,          /* 5-minute candles, a page */
    EXCHANGE_INTEREST_HISTORY, /* open interest every 5 minutes, a page */
    EXCHANGE_INTEREST_NOW,     /* open interest and, where it comes along, the mark price */
    EXCHANGE_REQUEST_KIND_COUNT
};

/* What an exchange offers of a kind. */
struct exchange_offer {
    bool is_offered;
    bool is_for_all;  /* one request is for all instruments, and needs none */
    int64_t reach_ms; /* how far back it answers; 0: to the listing */
};

struct exchange_query {
    enum exchange_request_kind kind;
    const struct exchange_instrument *instrument; /* NULL if the offer is for all */
    int64_t now_ms;
    /* The wanted candles by open time, or states of open interest by their label: from start to
     * before end, both multiples of CANDLE_MS. Only kinds that come in pages look at them. */
    int64_t start_ms, end_ms;
    bool is_newest_first; /* of what one page cannot hold, the newest part; else the oldest */
    const char *cursor;   /* of instruments: where the page before ended; NULL at first */
};

#define EXCHANGE_PATH_SIZE 512
#define EXCHANGE_BODY_SIZE 256
#define EXCHANGE_CURSOR_SIZE 256

struct exchange_request {
    enum exchange_request_kind kind;
    char path[EXCHANGE_PATH_SIZE]; /* path and query, behind the base address */
    char body[EXCHANGE_BODY_SIZE]; /* JSON for a POST; "": a GET */
    size_t budget;                 /* that it is charged to: an index of `budgets` */
    int weight;                    /* how much */
    size_t answer_bytes_max;
    /* The part of the query's times that this request is for; the rest takes further ones. */
    int64_t start_ms, end_ms;
};

struct exchange_response {
    int status; /* HTTP */
    const char *body;
    size_t body_size;
    int64_t retry_after_seconds; /* negative: not told */
    /* The value of a header, or NULL. The function may be NULL: none is known. */
    const char *(*find_header)(const char *name, void *context);
    void *context;
};

/* What an answer was. */
struct exchange_answer {
    struct exchange_verdict verdict;
    struct exchange_counts rows;
    int64_t server_ms;   /* the exchange's clock by its body or the header Date; 0: unknown */
    int64_t used_weight; /* of the request's budget by a header; -1: not told */
    char cursor[EXCHANGE_CURSOR_SIZE]; /* instruments: where the next page begins; "": the last */
};

/* -- WebSocket --------------------------------------------------------------------------------- */

enum exchange_stream_kind {
    EXCHANGE_STREAM_CANDLES,
    EXCHANGE_STREAM_LIQUIDATIONS,
    EXCHANGE_STREAM_TICKER, /* the mark price and, where `gives_interest`, open interest */
    EXCHANGE_STREAM_KIND_COUNT
};

/* How an exchange sends a kind of rows by itself. */
struct exchange_stream {
    const char *path; /* behind the base address; NULL: it does not. Equal ones share connections */
    bool is_for_all;  /* one subscription is for all instruments, and needs none */
    bool tells_closed; /* candles: their last message says so; else only REST has the final form */
    bool gives_interest;
    /* A subscription from which nothing came for so long is dead, whatever its connection says; 0:
     * silence means nothing. */
    int64_t silence_ms;
};

/* So many in so long a time; limit 0: there is no such rule. */
struct exchange_rule {
    int limit;
    int64_t window_ms;
};

/* Rules for connections. 0 is no limit. */
struct exchange_socket_rules {
    size_t subscriptions_max;      /* of a connection */
    size_t all_subscriptions_max;  /* of all connections of one address together */
    size_t connections_max;        /* of one address, at a time */
    struct exchange_rule connects; /* new connections of one address */
    struct exchange_rule requests; /* to subscribe or to end that, on one connection */
    struct exchange_rule messages; /* to the server on all connections of one address, pings too */
    int64_t send_interval_ms;      /* between two messages to the server on one connection */
    int64_t lifetime_ms;           /* the server closes it then; connect anew before */
    int64_t acknowledge_ms;        /* a subscription that was not answered by then is dead */
    const char *ping;              /* text that keeps it alive, NULL: the protocol's own pings do */
    int64_t ping_interval_ms;
    int64_t silence_ms; /* a connection on which nothing came, not even a pong, is dead */
};

struct exchange_subscription {
    enum exchange_stream_kind kind;
    const struct exchange_instrument *instrument; /* NULL if the stream is for all */
};

enum exchange_message_kind {
    EXCHANGE_MESSAGE_ROWS,         /* some went to the sink, or were refused, or are not wanted */
    EXCHANGE_MESSAGE_ACKNOWLEDGED, /* a subscription, or several */
    EXCHANGE_MESSAGE_PONG,
    EXCHANGE_MESSAGE_GREETING, /* a sentence with which some begin */
    EXCHANGE_MESSAGE_FAULT,    /* see the verdict */
    EXCHANGE_MESSAGE_CLOSING,  /* the server is about to close: connect anew */
    EXCHANGE_MESSAGE_OTHER,
};

struct exchange_message {
    enum exchange_message_kind kind;
    struct exchange_verdict verdict; /* OK unless it is a fault */
    struct exchange_counts rows;
    int64_t server_ms; /* when the exchange sent it; 0: not told */
    uint64_t number;   /* acknowledgements and faults: of exchange_subscribe(); 0: not told */
};

/* -- an exchange ------------------------------------------------------------------------------- */

/* So many requests, weighed, in so long a time, by all that one address asks. */
struct exchange_budget {
    const char *name; /* for logs and metrics */
    int64_t window_ms;
    int limit;
};

enum { EXCHANGE_BUDGETS_MAX = 8 };

struct exchange_api {
    enum exchange_id id;
    const char *title;        /* Binance USD-M */
    bool needs_contract_size; /* instruments have to be asked for before there can be rows */
    /* Open interest is told only as it is now: what is not asked for every 5 minutes is lost. */
    bool needs_interest_samples;
    struct exchange_offer offers[EXCHANGE_REQUEST_KIND_COUNT];
    struct exchange_budget budgets[EXCHANGE_BUDGETS_MAX]; /* up to the first without a name */
    struct exchange_stream streams[EXCHANGE_STREAM_KIND_COUNT];
    struct exchange_socket_rules socket;

    /* What exchange.c and exchange_rows.c call; the collector does not. */
    size_t (*listings)(const char *name, struct exchange_listing *listings);
    /* Writes path, body, budget, weight, and the part of the times that fits a page. */
    void (*build)(const struct exchange_query *query, struct exchange_request *request);
    /* Whether it is an error in the exchange's own words, which fills the verdict. `root` is NULL
     * if the body is not JSON. */
    bool (*judge)(const struct exchange_response *response, const struct json_t *root,
                  int64_t now_ms, struct exchange_verdict *verdict);
    /* Rows of an answer that is none. False: it is of another shape. */
    bool (*read_answer)(const struct exchange_request *request, const struct json_t *root,
                        struct exchange_reader *reader, struct exchange_answer *answer);
    /* What a header says is used of the request's budget, or -1. */
    int64_t (*used_weight)(const struct exchange_request *request,
                           const struct exchange_response *response);
    size_t (*subscribe)(const struct exchange_subscription *subscriptions, size_t count,
                        bool is_end, uint64_t number, struct buffer *out);
    /* `root` is NULL if the text is not JSON. */
    void (*read_message)(const struct json_t *root, const char *text, size_t size,
                         struct exchange_reader *reader, struct exchange_message *message);
};

#define EXCHANGE_DECLARATION(id, name, rest, websocket)                                            \
    extern const struct exchange_api exchange_api_##name;
EXCHANGES(EXCHANGE_DECLARATION)
#undef EXCHANGE_DECLARATION

/* -- what the collector calls ------------------------------------------------------------------ */

/* Pure, which makes them as good for tests, with texts written by hand, as for sockets. */
const struct exchange_api *exchange_api_of(enum exchange_id id);
const char *exchange_verdict_name(enum exchange_verdict_kind kind); /* "rate limited" */
/* The names to look for in the exchange's list, best first, for a symbol without its prefix
 * (exchange_list.h): BTCUSDT is BTC-USDT-SWAP or, on another exchange, BTC; 1000PEPEUSDT may be a
 * thousand of PEPE-USDT-SWAP; and a name of the exchange's own stands for itself. Returns their
 * number, 0 if the exchange can have no such symbol. */
size_t exchange_listings(const struct exchange_api *api, const char *name,
                         struct exchange_listing listings[static EXCHANGE_LISTINGS_MAX]);
/* Writes the request for as much of the query as one answer can hold. False if there is nothing to
 * ask: the exchange does not offer the kind, or answers for none of these times any more. */
bool exchange_request_build(const struct exchange_api *api, const struct exchange_query *query,
                            struct exchange_request *request);
/* Judges an answer, and gives its rows to the sink. `query` and `request` are those that it
 * answers; answer->verdict is EXCHANGE_OK if the answer is of the right shape, however many rows of
 * it were refused. */
void exchange_answer_read(const struct exchange_api *api, const struct exchange_query *query,
                          const struct exchange_request *request,
                          const struct exchange_response *response,
                          const struct exchange_sink *sink, struct exchange_answer *answer);
/* Appends the next message that subscribes (`is_end`: ends the subscription) and returns for how
 * many of the `count` subscriptions it is: 1 at least. `number`, from 1, comes back in its
 * acknowledgement where the exchange can. All of them must have the same path. */
size_t exchange_subscribe(const struct exchange_api *api,
                          const struct exchange_subscription *subscriptions, size_t count,
                          bool is_end, uint64_t number, struct buffer *out);
/* Takes a text message apart, and gives its rows to the sink. */
void exchange_message_read(const struct exchange_api *api, const char *text, size_t size,
                           const struct exchange_sink *sink, struct exchange_message *message);

#endif
