/* The collector's parts. Private to collect/; all of it belongs to the collector's thread, but for
 * what `mutex` guards.
 *
 *     collector.c   life, the second hand, and what it tells of itself
 *     pull.c        what is missing is fetched, as fast as the exchange's budgets allow
 *     rests.c       when an exchange is not asked, and why
 *     push.c        the sockets: subscribing, pinging, silence, another try
 *     intake.c      rows from either: to the writer, to the feed, and marked as there
 *     venue.c       which symbols the exchange has, and what time it is there
 *     stored.c      what is there at the start
 *     readings.c    how each stream stands, for whoever asks
 *
 *     collector --< venue (an exchange) --< market (a symbol on it) --< track (candles, ...)
 *                         |--< push_connection
 *                         +--< pull_transfer
 *
 * Times are milliseconds of the collector's clock (collector_now_ms()), which goes forward evenly
 * whatever happens to the machine's, so that waits are as long as they should be. What time it is
 * at an exchange is kept as a difference to it (venue_now_ms()): as the exchange says, or, as long
 * as it has not, by the machine's clock, which may be set right while this runs. */
#ifndef HEATCAST_SOURCES_COLLECT_COLLECT_INTERNAL_H
#define HEATCAST_SOURCES_COLLECT_COLLECT_INTERNAL_H

#include "base/backoff.h"
#include "base/list.h"
#include "link/http_client.h"
#include "link/websocket_client.h"
#include "model/interest_label.h"
#include "sources/collect/collector.h"
#include "sources/collect/coverage.h"
#include "sources/collect/exchange.h"
#include "sources/collect/rate.h"
#include "sources/collect/subscriptions.h"
#include "sources/collect/sum.h"
#include "sources/collect/writer.h"
#include "sources/source.h"

#include <pthread.h>
#include <uv.h>

#define SECOND_MS INT64_C(1000)
#define CLOCK_TOLERANCE_MS                                                                         \
    (5 * SECOND_MS) /* how far the exchange's clock may be off as we know it */

struct collector;
struct venue;
struct venue_market;

/* How often the log hears of what goes on and on: after TELL_MIN_MS, then ever more seldom. */
struct pace {
    int64_t due_ms, wait_ms;
};

#define TELL_MIN_MS (10 * SECOND_MS)
#define TELL_MAX_MS (10 * MINUTE_MS)

static inline bool pace_allows(struct pace *pace, int64_t now_ms)
{
    if (now_ms < pace->due_ms)
        return false;
    bool goes_on = pace->wait_ms > 0 && now_ms - pace->due_ms < TELL_MAX_MS;
    pace->wait_ms = goes_on ? pace->wait_ms * 2 : TELL_MIN_MS;
    if (pace->wait_ms > TELL_MAX_MS)
        pace->wait_ms = TELL_MAX_MS;
    pace->due_ms = now_ms + pace->wait_ms;
    return true;
}

/* The series of a market that have a row every five minutes. */
enum track_kind { TRACK_CANDLES, TRACK_INTEREST, TRACK_COUNT };

/* One series of a market. */
struct track {
    struct coverage coverage;
    bool is_asking; /* a request is under way */
    int64_t due_ms; /* not looked at before */
    size_t budget;  /* of its exchange, that its last request was charged to */
    uint64_t taken, refused;
    int64_t newest_ms;               /* of the newest final row; 0: none */
    int64_t pushed_ms;               /* when a socket brought something last; 0: never */
    char fault[160];                 /* why a row was refused last; "": others were taken since */
    char failure[SOURCE_FAULT_SIZE]; /* of its last request; "": that was answered */
};

enum market_state {
    MARKET_SOUGHT,  /* not looked for in the exchange's list yet */
    MARKET_TRADING, /* is collected */
    MARKET_MISSING, /* the exchange does not have it; the list is asked again now and then */
    MARKET_FOREIGN, /* the database has candles of another market (spot) as this symbol's */
};

/* What exchanges are asked for: futures, as the database names their market. */
#define COLLECTED_MARKET "um"
#define FOREIGN_FAULT                                                                              \
    "the database has candles of another market than futures under this name: collect it into a "  \
    "database of its own, or delete them"

/* A symbol on an exchange. */
struct venue_market {
    struct exchange_instrument instrument; /* first, so that one leads to the other */
    struct venue *venue;
    size_t symbol_index;
    enum market_state state;
    struct track tracks[TRACK_COUNT];
    int64_t *opens_e8; /* of the candles of the window, at their step modulo its length; 0: none */
    char name[SYMBOL_SIZE];    /* the symbol without its exchange */
    bool is_twin;              /* another symbol is the same instrument, and leads here by `twin` */
    struct venue_market *twin; /* the next symbol of the same instrument */
    struct sum *sum;           /* that it is part of; NULL: it stands for itself */
    struct exchange_instrument offered; /* the best of the exchange's list so far */
    size_t offered_rank;                /* among the names that it may have there */
    struct stream streams[EXCHANGE_STREAM_KIND_COUNT];
    bool is_labelled; /* its open interest comes with labels (intake.c) */
    bool was_polled;  /* the candle that forms was asked for: now it is the turn of the past */
    int64_t lost_ms;  /* when the exchange last did not know it; 0: never */
    uint64_t liquidations;
    int64_t liquidation_ms;           /* the newest one's time; 0: none yet */
    int64_t candle_polled_ms;         /* when the open candle was asked for last */
    int64_t interest_polled_ms;       /* when the present open interest was */
    struct exchange_interest reading; /* the last of the present; time 0: none */
};

#define MARKET_NOT_OFFERED SIZE_MAX

/* One kind of request to an exchange: it may work while another does not. */
struct endpoint {
    struct backoff backoff;
    int64_t due_ms;  /* not asked before */
    bool is_blocked; /* "not from here"; said once */
    bool is_served;  /* has been answered, and not blocked since */
    size_t budget;   /* that the last one was charged to */
    uint64_t asked, failed;
    int failures_in_a_row;
    char fault[ERROR_MESSAGE_MAX]; /* "": the last one succeeded */
};

/* That the exchange wants fewer requests of a budget. */
struct rest {
    int64_t until_ms;
    bool is_ban;
    char why[ERROR_MESSAGE_MAX]; /* "": one has succeeded since */
};

/* A name that a market may have in the exchange's list. */
struct sought_name {
    struct exchange_listing listing;
    size_t rank; /* 0: the best name of the market */
    struct venue_market *market;
};

/* An exchange that is used. */
struct venue {
    struct collector *collector;
    const struct exchange_api *api;
    const char *rest_url, *ws_url;
    size_t market_count;
    struct venue_market *markets;
    size_t cursor; /* the market whose turn it is */
    size_t sought_count;
    struct sought_name *sought; /* in order of the exchange's names; NULL: not made yet */
    size_t found_count;
    struct venue_market **found; /* those that trade, by the exchange's names; twins are left out */
    struct rate rates[EXCHANGE_BUDGETS_MAX];
    struct rest rests[EXCHANGE_BUDGETS_MAX];
    int64_t difference_ms;              /* its clock minus ours */
    bool is_clock_known;                /* by what it says; else it is the machine's */
    bool is_clock_told;                 /* in the log, that they differ */
    struct interest_label_known labels; /* what its labels mean (intake.c) */
    struct pace clock_pace;
    uint64_t refused; /* rows */
    struct pace refusal_pace;

    struct endpoint endpoints[EXCHANGE_REQUEST_KIND_COUNT];
    struct list transfers;
    size_t transfer_count;
    bool is_blocked; /* from this network; said once */
    int64_t untold_until_ms,
        untold_wait_ms;   /* it wants fewer requests, and has not said for how long */
    bool has_instruments; /* its list was read, or is not needed and cannot be had */
    int64_t instruments_due_ms;
    size_t listed_count, list_pages;               /* of the list, while it is read */
    char instruments_cursor[EXCHANGE_CURSOR_SIZE]; /* "": from the beginning */

    struct list connections;
    size_t connection_count;
    struct rate connects, messages; /* by the exchange's rules, where it has them */
    struct pace socket_pace, message_pace;
    struct stream streams[EXCHANGE_STREAM_KIND_COUNT]; /* those that are for all markets */
};

struct collector {
    struct source base;
    const struct config *config;
    struct store *store;
    struct collector_feed feed;
    struct collector_clock clock;
    int64_t wall_ahead_ms; /* the machine's clock, which may have been set, minus ours */
    int64_t depth_ms;      /* how far back the database is to be complete */
    uint64_t stop_timeout_ms;

    pthread_t thread;
    uv_loop_t loop;
    uv_timer_t beat;
    uv_async_t stop_asked;
    struct http_client *http;
    struct writer *writer;
    const char **symbols; /* the writer's */
    struct random random;
    size_t venue_count;
    struct venue *venues;
    size_t sum_count;
    struct sum **sums;

    bool is_filling; /* rows are missing that are not of the last minutes */
    int64_t reading_due_ms, progress_due_ms, forget_due_ms;

    struct source_reading *readings_made;
    pthread_mutex_t mutex; /* guards the next two, of which other threads take copies */
    struct source_reading *readings;
    size_t reading_count;
};

/* -- collector.c ------------------------------------------------------------------------------- */

int64_t collector_now_ms(const struct collector *collector);

static inline int64_t venue_now_ms(const struct venue *venue)
{
    return collector_now_ms(venue->collector) + venue->difference_ms;
}

/* -- venue.c ----------------------------------------------------------------------------------- */

void venue_init(struct venue *venue, struct collector *collector, enum exchange_id id);
void venue_add_market(struct venue *venue, size_t symbol_index, struct sum *sum);
void venue_deinit(struct venue *venue);

const char *venue_name(const struct venue *venue); /* "binance" */

/* The exchange has said what time it is; 0: it has not. */
void venue_note_clock(struct venue *venue, int64_t server_ms);

/* The machine's clock was set. */
void venue_follow_wall(struct venue *venue);

/* A market that trades, by the exchange's name for it; NULL if it is not collected. */
struct venue_market *venue_find(struct venue *venue, const char *native);
struct venue_market *market_of_instrument(const struct exchange_instrument *instrument);

/* An instrument of the exchange's list may be one of the markets, or several. */
void venue_offer(struct venue *venue, const struct exchange_instrument *instrument);

/* The list is complete: whether it has all of the markets. */
bool venue_settle_markets(struct venue *venue);

/* The list cannot be had: markets get the names that they should have. */
void venue_assume_markets(struct venue *venue);

/* The exchange says that there is no such symbol. */
void market_lose(struct venue_market *market, const char *why);

/* Time has passed. */
void market_advance(struct venue_market *market);

/* -- stored.c ---------------------------------------------------------------------------------- */

/* Marks what the database has. Before the thread starts. */
void stored_read(struct collector *collector);

/* -- pull.c ------------------------------------------------------------------------------------ */

void pull_init(struct venue *venue);
void pull_deinit(struct venue *venue); /* cancels what is under way */

/* Starts requests for what is due. */
void pull_beat(struct venue *venue);

/* -- rests.c ----------------------------------------------------------------------------------- */

/* What became of a request of this kind. `told_ms`: how long the exchange asks to wait; 0: it does
 * not say. */
void venue_note_success(struct venue *venue, enum exchange_request_kind kind, size_t budget);
/* Of requests that were under way together the first that fails counts. */
void venue_note_failure(struct venue *venue, enum exchange_request_kind kind, const char *why,
                        int64_t told_ms);
void venue_note_blocked(struct venue *venue, enum exchange_request_kind kind, const char *why,
                        int64_t told_ms);
void venue_note_limited(struct venue *venue, size_t budget, bool is_ban, const char *why,
                        int64_t told_ms);

/* Why requests of this kind and budget are not answered, and when the next may be made; "": they
 * are. */
const char *venue_rest(const struct venue *venue, enum exchange_request_kind kind, size_t budget,
                       int64_t *due_ms);

/* -- push.c ------------------------------------------------------------------------------------ */

void push_init(struct venue *venue);
void push_deinit(struct venue *venue); /* ends the connections */

/* Connects, subscribes, pings, and ends what is silent. */
void push_beat(struct venue *venue);

/* Subscriptions for markets that have none yet are dealt out. */
void push_plan(struct venue *venue);

/* Whether a socket brings the candles of this market at present. */
bool market_is_pushed(const struct venue_market *market);

/* The subscription that brings a market what is of this kind. */
const struct stream *market_stream(const struct venue_market *market,
                                   enum exchange_stream_kind kind);

/* Whether its connection stands, and the exchange has acknowledged it. */
bool push_is_live(const struct stream *stream);

/* Why it does not come, and when that is tried again; "": nothing has failed. A connection whose
 * last one failed has to bring something before it counts as well. */
const char *push_fault(const struct stream *stream, int64_t *due_ms);

/* -- readings.c -------------------------------------------------------------------------------- */

void readings_init(struct collector *collector);
void readings_deinit(struct collector *collector);
void readings_make(struct collector *collector);

/* Any thread; `readings` may be NULL. Returns how many there are. */
size_t readings_copy(struct collector *collector, struct source_reading *readings,
                     size_t count_max);

/* Rows that should be there and are not, but for those of the last minutes. */
size_t market_missing(const struct venue_market *market, enum track_kind kind);

/* -- intake.c ---------------------------------------------------------------------------------- */

/* What an answer or a message brings, as it is read. */
struct intake {
    struct venue *venue;
    bool is_pushed;              /* by a socket */
    bool is_history;             /* open interest of full five minutes, not of the present */
    struct venue_market *market; /* of the request; NULL: whichever the row names */
    bool has_undated;            /* some of the page's open interest could not be dated yet */
    size_t interest_count, interest_capacity;
    struct exchange_interest *interest; /* a page of labelled open interest */
    void (*on_instrument)(const struct exchange_instrument *instrument, struct intake *intake);
};

/* A sink for the exchange's parsers. `intake` must outlive it. */
struct exchange_sink intake_sink(struct intake *intake);

/* The page is complete: what it told of open interest is dated and taken. */
void intake_end(struct intake *intake);

/* The market whose candles date and value the open interest of this one, and whether this one's
 * are collected at all: in a sum those of the first exchange are. */
static inline struct venue_market *market_priced_by(const struct venue_market *market)
{
    return market->sum != NULL ? sum_first(market->sum) : (struct venue_market *)market;
}

static inline bool market_has_candles(const struct venue_market *market)
{
    return market_priced_by(market) == market;
}

/* Which exchanges have the symbol of a sum may have changed: writes what is complete by that. */
void intake_settle_sum(struct venue_market *market);

/* A row of the collector, `context`, was dropped before it was stored (writer.h). */
void intake_drop(const struct writer_dropped *dropped, void *context);

/* Opens of candles, by which open interest is dated and valued. */
void intake_note_open(struct venue_market *market, int64_t open_time_ms, int64_t open_e8);

#endif
