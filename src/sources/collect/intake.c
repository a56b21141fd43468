/* Rows come in from answers and from sockets, and are treated alike: a final row that is new goes
 * to the writer and is marked as there; a row of the present goes to the feed.
 *
 * Open interest has its troubles (docs/model.md):
 *
 * - Some exchanges label it with a period, and whether the label is the period's start or its end
 *   has changed without a word. So a labelled page is dated by its own figures (interest_label.h):
 *   value / contracts is a price, and the candle that opens at that price tells when it was. Where
 *   the meaning changes within a page, each part is dated by itself, and rows that could be of
 *   either are refused.
 * - Some tell coins and no value, some a value and no coins: the other is reckoned at the open of
 *   the candle that begins at that time.
 * - Some tell only the present: the reading nearest to each five minutes stands for them. */
#include "sources/collect/collect_internal.h"

#include "base/check.h"
#include "base/decimal.h"
#include "base/hash.h"
#include "base/iso_time.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_TOLERANCE_MS MINUTE_MS /* of a reading that stands for a full five minutes */
#define PRICE_STEPS 12                /* how far from its time open interest may be valued */

static struct venue_market *market_of(const struct exchange_instrument *instrument)
{
    return (struct venue_market *)(void *)instrument; /* its first member */
}

static bool is_recent(const struct venue_market *market, int64_t time_ms)
{
    return time_ms >= venue_now_ms(market->venue) - 2 * CANDLE_MS;
}

/* -- opens ------------------------------------------------------------------------------------- */

/* Where the open of a step is kept; NULL outside of the window, where its place is another's. */
static int64_t *open_at(const struct venue_market *market, int64_t step)
{
    const struct coverage *coverage = &market->tracks[TRACK_CANDLES].coverage;
    bool is_inside =
        step >= coverage->first_step && step < coverage->first_step + (int64_t)coverage->step_count;
    return is_inside ? &market->opens_e8[(size_t)step % coverage->step_count] : NULL;
}

void intake_note_open(struct venue_market *market, int64_t open_time_ms, int64_t open_e8)
{
    int64_t *kept_e8 = open_at(market, open_time_ms / CANDLE_MS);
    if (kept_e8 != NULL)
        *kept_e8 = open_e8;
}

static int64_t open_of(const struct venue_market *market, int64_t step)
{
    const int64_t *kept_e8 = open_at(market, step);
    return kept_e8 != NULL ? *kept_e8 : 0;
}

static double open_for_label(int64_t time_ms, void *context)
{
    const struct venue_market *market = market_priced_by(context);
    return time_ms % CANDLE_MS == 0 ? decimal_to_double(open_of(market, time_ms / CANDLE_MS)) : 0;
}

/* The price at a moment: the open of the candle that begins then, or of the nearest before; 0 if
 * none is near. */
static int64_t price_at(const struct venue_market *market, int64_t time_ms)
{
    market = market_priced_by(market);
    int64_t open_e8 = 0;
    for (int i = 0; i < PRICE_STEPS && open_e8 == 0; i++)
        open_e8 = open_of(market, time_ms / CANDLE_MS - i);
    return open_e8;
}

/* -- refusals ---------------------------------------------------------------------------------- */

static const char *const row_names[] = {
    [EXCHANGE_ROW_INSTRUMENT] = "instrument",
    [EXCHANGE_ROW_CANDLE] = "candle",
    [EXCHANGE_ROW_INTEREST] = "open interest",
    [EXCHANGE_ROW_LIQUIDATION] = "liquidation",
    [EXCHANGE_ROW_PRICE] = "price",
};

/* An exchange that sends nonsense sends much of it: all is counted, some is logged. */
static void refuse(struct venue *venue, struct venue_market *market, enum exchange_row_kind kind,
                   const char *why)
{
    int64_t now_ms = collector_now_ms(venue->collector);
    venue->refused++;
    if (market != NULL && kind <= EXCHANGE_ROW_INTEREST && kind >= EXCHANGE_ROW_CANDLE) {
        struct track *track =
            &market->tracks[kind == EXCHANGE_ROW_CANDLE ? TRACK_CANDLES : TRACK_INTEREST];
        track->refused++;
        snprintf(track->fault, sizeof track->fault, "%s", why);
    }
    if (!pace_allows(&venue->refusal_pace, now_ms))
        return;
    log_warn("a row of the exchange is not taken", log_text("exchange", venue_name(venue)),
             log_text("symbol", market != NULL ? market->instrument.symbol : ""),
             log_text("row", row_names[kind]), log_text("reason", why),
             log_int("refused_so_far", (int64_t)venue->refused));
}

static void on_refused(const struct exchange_instrument *instrument, enum exchange_row_kind kind,
                       const char *why, void *context)
{
    struct intake *intake = context;
    refuse(intake->venue, instrument != NULL ? market_of(instrument) : intake->market, kind, why);
}

/* -- candles ----------------------------------------------------------------------------------- */

static void take_candle(struct venue_market *market, const struct kline_row *row, bool is_closed,
                        bool is_pushed)
{
    struct collector *collector = market->venue->collector;
    struct track *track = &market->tracks[TRACK_CANDLES];
    int64_t time_ms = row->candle.open_time_ms;
    bool is_new = !coverage_has(&track->coverage, time_ms);
    if (is_pushed) /* also where a twin alone wants them: the subscription is this one's */
        track->pushed_ms = collector_now_ms(collector);
    if (!market_has_candles(market))
        return;
    intake_note_open(market, time_ms, row->candle.open_e8);
    if (is_closed && is_new) {
        struct kline_row own = *row;
        strcpy(own.symbol, market->instrument.symbol);
        writer_put_kline(collector->writer, &own);
        coverage_mark(&track->coverage, time_ms);
        track->taken++;
        track->fault[0] = '\0';
        if (time_ms > track->newest_ms)
            track->newest_ms = time_ms;
    }
    if (is_new && is_recent(market, time_ms) && collector->feed.on_candle != NULL)
        collector->feed.on_candle(market->symbol_index, &row->candle, is_closed,
                                  collector->feed.context);
}

static void on_candle(const struct exchange_instrument *instrument, const struct kline_row *row,
                      bool is_closed, void *context)
{
    const struct intake *intake = context;
    for (struct venue_market *market = market_of(instrument); market != NULL; market = market->twin)
        take_candle(market, row, is_closed, intake->is_pushed);
}

/* -- open interest ----------------------------------------------------------------------------- */

/* a * b / c of scaled numbers; 0 if it is out of range. */
static int64_t scale(int64_t a_e8, int64_t b_e8, int64_t c_e8)
{
    __int128 value = (__int128)a_e8 * b_e8 / c_e8;
    return value > 0 && value <= INT64_MAX ? (int64_t)value : 0;
}

/* Fills in the figure that the exchange has not told. False: it cannot be reckoned. */
static bool complete(const struct venue_market *market, struct exchange_interest *interest)
{
    int64_t price_e8 = price_at(market, interest->time_ms);
    if (interest->has_contracts && interest->has_value)
        return true;
    if (price_e8 <= 0)
        return false;
    if (!interest->has_value)
        interest->value_e8 = scale(interest->contracts_e8, price_e8, DECIMAL_ONE);
    else
        interest->contracts_e8 = scale(interest->value_e8, DECIMAL_ONE, price_e8);
    interest->has_contracts = interest->has_value = true;
    return interest->contracts_e8 > 0 && interest->value_e8 > 0;
}

static void feed_interest(const struct venue_market *market,
                          const struct exchange_interest *interest)
{
    const struct collector_feed *feed = &market->venue->collector->feed;
    const struct interest fed = {.time_ms = interest->time_ms,
                                 .value_e8 = interest->value_e8,
                                 .contracts_e8 = interest->contracts_e8};
    if (feed->on_interest != NULL && is_recent(market, interest->time_ms))
        feed->on_interest(market->symbol_index, &fed, feed->context);
}

/* `source` is whose figures they are. Contracts that the table cannot hold cost no row: a model
 * reckons them from the value. */
static void put_interest(const struct venue_market *market,
                         const struct exchange_interest *interest, const char *source)
{
    struct interest_row row = {
        .timestamp_ms = interest->time_ms,
        .value_e8 = interest->value_e8,
        .has_contracts = interest->contracts_e8 <= ROW_DECIMAL_MAX_E8,
        .contracts_e8 = interest->contracts_e8,
    };
    strcpy(row.symbol, market->instrument.symbol);
    writer_put_interest(market->venue->collector->writer, &row, source);
    feed_interest(market, interest);
}

void intake_settle_sum(struct venue_market *market)
{
    struct exchange_interest interest;
    while (market->sum != NULL && sum_settle(market->sum, &interest))
        put_interest(market, &interest, SOURCE_SUM);
}

/* The state at a full five minutes, which is stored. */
static void take_interest(struct venue_market *market, const struct exchange_interest *told)
{
    struct exchange_interest interest = *told;
    struct track *track = &market->tracks[TRACK_INTEREST];
    if (coverage_has(&track->coverage, interest.time_ms))
        return;
    if (!complete(market, &interest)) {
        refuse(market->venue, market, EXCHANGE_ROW_INTEREST,
               "no candle is known near its time, at whose price it could be valued");
        return;
    }
    coverage_mark(&track->coverage, interest.time_ms);
    track->taken++;
    track->fault[0] = '\0';
    if (interest.time_ms > track->newest_ms)
        track->newest_ms = interest.time_ms;
    if (market->sum == NULL)
        put_interest(market, &interest, venue_name(market->venue));
    else if (sum_take(market->sum, market, &interest))
        put_interest(market, &interest, SOURCE_SUM);
}

/* The reading nearest to the full five minutes is its state: the last one before, or this. */
static void sample(struct venue_market *market, const struct exchange_interest *reading)
{
    int64_t full_ms = reading->time_ms - reading->time_ms % CANDLE_MS;
    int64_t after_ms = reading->time_ms - full_ms, before_ms = full_ms - market->reading.time_ms;
    struct exchange_interest state = *reading;
    if (market->reading.time_ms > 0 && before_ms >= 0 && before_ms < after_ms)
        state = market->reading, after_ms = before_ms;
    state.time_ms = full_ms;
    if (after_ms <= SAMPLE_TOLERANCE_MS)
        take_interest(market, &state);
}

static void take_reading(struct venue_market *market, const struct exchange_interest *reading,
                         bool is_pushed)
{
    struct exchange_interest completed = *reading;
    if (is_pushed)
        market->tracks[TRACK_INTEREST].pushed_ms = collector_now_ms(market->venue->collector);
    int64_t latest_ms = venue_now_ms(market->venue) + CLOCK_TOLERANCE_MS;
    if (reading->time_ms < market->reading.time_ms && market->reading.time_ms <= latest_ms)
        return; /* one that came before an exchange's clock was set back does not count */
    if (market->venue->api->needs_interest_samples)
        sample(market, reading);
    market->reading = *reading;
    if (!complete(market, &completed))
        return;
    market->reading = completed;
    if (market->sum == NULL || sum_present(market->sum, &completed))
        feed_interest(market, &completed);
}

static void keep_for_dating(struct intake *intake, const struct exchange_interest *interest)
{
    if (intake->interest_count == intake->interest_capacity) {
        intake->interest_capacity = intake->interest_capacity * 2 + 64;
        intake->interest =
            memory_resize(intake->interest, intake->interest_capacity, sizeof *intake->interest);
    }
    intake->interest[intake->interest_count++] = *interest;
}

static void on_interest(const struct exchange_instrument *instrument,
                        const struct exchange_interest *interest, void *context)
{
    struct intake *intake = context;
    if (interest->is_label) {
        for (struct venue_market *market = market_of(instrument); market != NULL;
             market = market->twin)
            market->is_labelled = true;
        keep_for_dating(intake, interest);
        return;
    }
    for (struct venue_market *market = market_of(instrument); market != NULL;
         market = market->twin) {
        if (intake->is_history)
            take_interest(market, interest);
        else
            take_reading(market, interest, intake->is_pushed);
    }
}

/* -- dating a page of open interest ------------------------------------------------------------ */

/* 0: not known. */
static double price_of(const struct exchange_interest *interest)
{
    bool is_known = interest->has_contracts && interest->has_value && interest->contracts_e8 > 0;
    return is_known ? (double)interest->value_e8 / (double)interest->contracts_e8 : 0;
}

static int compare_labels(const void *a, const void *b)
{
    const struct exchange_interest *first = a, *second = b;
    return (first->time_ms > second->time_ms) - (first->time_ms < second->time_ms);
}

static void note_label(struct venue_market *market, const struct interest_label_row *row)
{
    if (interest_label_note(&market->venue->labels, row))
        log_info("open interest is dated by its own prices",
                 log_text("exchange", venue_name(market->venue)),
                 log_text("symbol", market->instrument.symbol),
                 log_int("state_minus_label_seconds", row->offset_ms / 1000));
}

static bool is_told(const struct interest_label_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].verdict == INTEREST_LABEL_TOLD)
            return true;
    return false;
}

/* Finds out what the labels mean, each part of the page by itself. */
static void date_rows(struct venue_market *market, struct interest_label_row *rows, size_t count)
{
    int64_t offset_ms = 0;
    size_t parts = interest_label_date(rows, count, open_for_label, market);
    if (parts > 1 || is_told(rows, count) ||
        !interest_label_recall(&market->venue->labels, rows[0].label_ms, rows[count - 1].label_ms,
                               &offset_ms)) {
        for (size_t i = 0; i < count; i++)
            if (rows[i].verdict == INTEREST_LABEL_TOLD)
                note_label(market, &rows[i]);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        rows[i].verdict = INTEREST_LABEL_TOLD;
        rows[i].offset_ms = offset_ms;
    }
}

static void refuse_undated(struct venue_market *market, const struct interest_label_row *row)
{
    char why[160], time[ISO_TIME_SIZE];
    iso_time_format(row->label_ms, time);
    if (row->verdict == INTEREST_LABEL_DOUBTFUL)
        snprintf(why, sizeof why,
                 "what labels mean changes near %s, and this row could be of either side", time);
    else
        snprintf(why, sizeof why, "too few rows around %s tell what its label means", time);
    refuse(market->venue, market, EXCHANGE_ROW_INTEREST, why);
}

static void take_dated(struct intake *intake, const struct interest_label_row *rows)
{
    for (size_t i = 0; i < intake->interest_count; i++) {
        struct exchange_interest interest = intake->interest[i];
        if (rows[i].verdict != INTEREST_LABEL_TOLD) {
            intake->has_undated |= rows[i].verdict == INTEREST_LABEL_UNTOLD;
            refuse_undated(intake->market, &rows[i]);
            continue;
        }
        interest.time_ms += rows[i].offset_ms;
        for (struct venue_market *market = intake->market; market != NULL; market = market->twin)
            take_interest(market, &interest);
    }
}

void intake_end(struct intake *intake)
{
    const size_t count = intake->interest_count;
    if (count > 0) {
        struct interest_label_row *rows = memory_allocate_zeroed(count, sizeof *rows);
        qsort(intake->interest, count, sizeof *intake->interest, compare_labels);
        for (size_t i = 0; i < count; i++)
            rows[i] = (struct interest_label_row){.label_ms = intake->interest[i].time_ms,
                                                  .price = price_of(&intake->interest[i])};
        date_rows(intake->market, rows, count);
        take_dated(intake, rows);
        free(rows);
    }
    free(intake->interest);
    intake->interest = NULL;
    intake->interest_count = intake->interest_capacity = 0;
}

/* -- liquidations ------------------------------------------------------------------------------ */

/* A print is known by what it says where the exchange gives it no name. */
static void make_id(const struct exchange_liquidation *liquidation, char id[LIQUIDATION_ID_SIZE])
{
    char parts[160];
    int size = snprintf(parts, sizeof parts, "%" PRId64 " %d %" PRId64 " %" PRId64 " %d",
                        liquidation->time_ms, liquidation->is_long, liquidation->price_e8,
                        liquidation->quantity_e8, liquidation->ordinal);
    if (liquidation->id[0] != '\0')
        snprintf(id, LIQUIDATION_ID_SIZE, "%s", liquidation->id);
    else
        snprintf(id, LIQUIDATION_ID_SIZE, "%016" PRIx64,
                 hash_bytes(HASH_START, parts, (size_t)size));
}

static void on_liquidation(const struct exchange_instrument *instrument,
                           const struct exchange_liquidation *liquidation, void *context)
{
    const struct intake *intake = context;
    const struct collector *collector = intake->venue->collector;
    for (struct venue_market *market = market_of(instrument); market != NULL;
         market = market->twin) {
        struct liquidation_row row = {
            .time_ms = liquidation->time_ms,
            .is_long = liquidation->is_long,
            .price_e8 = liquidation->price_e8,
            .quantity_e8 = liquidation->quantity_e8,
            .value_e8 = liquidation->value_e8,
        };
        strcpy(row.exchange, venue_name(intake->venue));
        strcpy(row.symbol, market->instrument.symbol);
        make_id(liquidation, row.id);
        writer_put_liquidation(collector->writer, &row);
        if (collector->feed.on_liquidation != NULL)
            collector->feed.on_liquidation(market->symbol_index, &row, collector->feed.context);
        market->liquidations++;
        if (liquidation->time_ms > market->liquidation_ms)
            market->liquidation_ms = liquidation->time_ms;
    }
}

/* -- rows that there was no room for ----------------------------------------------------------- */

static void drop_step(struct venue_market *market, enum track_kind kind, int64_t time_ms)
{
    struct track *track = &market->tracks[kind];
    coverage_unmark(&track->coverage, (struct coverage_range){time_ms, time_ms});
    track->due_ms = 0;
}

/* The row's step is a hole, which is fetched again when there is room. A sum's row was made of
 * those of its members. */
void intake_drop(const struct writer_dropped *dropped, void *context)
{
    struct collector *collector = context;
    enum track_kind kind = dropped->is_candle ? TRACK_CANDLES : TRACK_INTEREST;
    for (size_t v = 0; v < collector->venue_count; v++)
        for (size_t i = 0; i < collector->venues[v].market_count; i++) {
            struct venue_market *market = &collector->venues[v].markets[i];
            if (strcmp(market->instrument.symbol, dropped->symbol) != 0)
                continue;
            drop_step(market, kind, dropped->time_ms);
            if (market->sum != NULL && kind == TRACK_INTEREST)
                sum_forget(market->sum, dropped->time_ms);
        }
}

/* -- the sink ---------------------------------------------------------------------------------- */

static const struct exchange_instrument *find_instrument(const char *native, void *context)
{
    const struct intake *intake = context;
    struct venue_market *market = venue_find(intake->venue, native);
    return market != NULL ? &market->instrument : NULL;
}

static void on_instrument(const struct exchange_instrument *instrument, void *context)
{
    struct intake *intake = context;
    if (intake->on_instrument != NULL)
        intake->on_instrument(instrument, intake);
}

static void on_budget(size_t budget, int64_t window_ms, int64_t limit, void *context)
{
    const struct intake *intake = context;
    rate_set_rule(&intake->venue->rates[budget], limit, window_ms);
}

struct exchange_sink intake_sink(struct intake *intake)
{
    return (struct exchange_sink){
        .context = intake,
        .now_ms = venue_now_ms(intake->venue),
        .tolerance_ms = CLOCK_TOLERANCE_MS,
        .find_instrument = find_instrument,
        .on_instrument = on_instrument,
        .on_candle = on_candle,
        .on_interest = on_interest,
        .on_liquidation = on_liquidation,
        .on_refused = on_refused,
        .on_budget = on_budget,
    };
}
