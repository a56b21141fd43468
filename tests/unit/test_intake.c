/* Rows on their way in: how open interest is valued and sampled around the full five minutes. */
#include "foreign_database.h"
#include "market_fixture.h"
#include "sources/collect/collect_internal.h"

#include "base/check.h"

#define DAYS 1
#define OLD_PRICE 50 /* of the candles of a day before */
#define PRICE 100

struct fed {
    size_t count;
    struct interest last;
};

struct fixture {
    struct config config;
    struct collector collector;
    struct venue venue;
    struct fed fed;
    int64_t now_ms;
};

static int64_t now_of(void *context)
{
    const struct fixture *fixture = context;
    return fixture->now_ms;
}

static void keep_interest(size_t symbol_index, const struct interest *interest, void *context)
{
    struct fed *fed = context;
    (void)symbol_index;
    fed->count++;
    fed->last = *interest;
}

static struct exchange_sink sink_of(struct fixture *fixture, struct intake *intake)
{
    *intake = (struct intake){.venue = &fixture->venue, .is_pushed = true};
    return intake_sink(intake);
}

/* The candle that forms, from a socket. */
static void feed_candle_e8(struct fixture *fixture, int64_t open_ms, int64_t price_e8)
{
    struct intake intake;
    struct exchange_sink sink = sink_of(fixture, &intake);
    struct kline_row row = {.candle = {.open_time_ms = open_ms}, .close_time_ms = open_ms + 299999};
    row.candle.open_e8 = row.candle.high_e8 = price_e8;
    row.candle.low_e8 = row.candle.close_e8 = price_e8;
    sink.on_candle(&fixture->venue.found[0]->instrument, &row, false, &intake);
}

static void feed_candle(struct fixture *fixture, int64_t open_ms, int price)
{
    feed_candle_e8(fixture, open_ms, price * DECIMAL_ONE);
}

static void feed_coins(struct fixture *fixture, int64_t time_ms, int coins)
{
    struct intake intake;
    struct exchange_sink sink = sink_of(fixture, &intake);
    const struct exchange_interest interest = {
        .time_ms = time_ms, .has_contracts = true, .contracts_e8 = coins * DECIMAL_ONE};
    sink.on_interest(&fixture->venue.found[0]->instrument, &interest, &intake);
}

/* Markets of the same instrument on an exchange that tells the present open interest alone, and in
 * coins. The first is part of `sum`, which may be NULL. */
static struct fixture *start(void **state, size_t count, struct sum *sum)
{
    struct fixture *fixture = memory_allocate_zeroed(1, sizeof *fixture);
    struct collector *collector = &fixture->collector;
    fixture->now_ms = T0;
    fixture->config.symbols.count = count;
    *collector = (struct collector){
        .config = &fixture->config,
        .store = open_store(database(state), STORE_SHARED),
        .feed = {.on_interest = keep_interest, .context = &fixture->fed},
        .clock = {.now_ms = now_of, .rate = 1, .context = fixture},
        .depth_ms = DAYS * DAY_MS,
        .venue_count = 1,
        .venues = &fixture->venue,
    };
    collector->writer = writer_start(&(struct writer_options){
        .store = collector->store, .write_seconds = 1, .waiting_bytes_max = 1000000});
    venue_init(&fixture->venue, collector, EXCHANGE_HYPERLIQUID);
    for (size_t i = 0; i < count; i++) {
        strcpy(fixture->config.symbols.names[i], i == 0 ? "BTCUSDT" : "HYPERLIQUID:BTCUSDT");
        venue_add_market(&fixture->venue, i, i == 0 ? sum : NULL);
    }
    venue_assume_markets(&fixture->venue);
    return fixture;
}

static void stop(struct fixture *fixture)
{
    venue_deinit(&fixture->venue);
    writer_stop(fixture->collector.writer, 20000, NULL);
    store_close(fixture->collector.store);
    free(fixture);
}

/* At a full five minutes, before the second hand has come, by an exchange whose clock is ahead. */
static void a_reading_is_never_valued_by_the_price_of_a_window_ago(void **state)
{
    struct fixture *fixture = start(state, 1, NULL);
    for (int i = 0; i < DAYS * DAY_MS / CANDLE_MS; i++)
        feed_candle(fixture, T0 - (i + 1) * CANDLE_MS, OLD_PRICE);
    fixture->now_ms = T0 + CANDLE_MS - 2 * SECOND_MS;
    market_advance(&fixture->venue.markets[0]);
    feed_candle(fixture, T0, PRICE);
    for (int64_t after_ms = 0; after_ms < 60 * SECOND_MS; after_ms += 20 * SECOND_MS) {
        feed_coins(fixture, T0 + CANDLE_MS + after_ms, 7);
        assert_true(fixture->fed.count > 0);
        assert_int_equal(fixture->fed.last.value_e8, 7 * PRICE * DECIMAL_ONE);
    }
    assert_true(
        coverage_has(&fixture->venue.markets[0].tracks[TRACK_INTEREST].coverage, T0 + CANDLE_MS));
    stop(fixture);
}

static void a_reading_of_a_clock_that_was_ahead_does_not_hold_up_later_ones(void **state)
{
    struct fixture *fixture = start(state, 1, NULL);
    feed_candle(fixture, T0, PRICE);
    feed_coins(fixture, T0 + 4000000, 7);
    feed_coins(fixture, T0 + 1000, 8);
    assert_int_equal(fixture->fed.last.contracts_e8, 8 * DECIMAL_ONE);
    feed_coins(fixture, T0, 9); /* late, and older than the last */
    assert_int_equal(fixture->fed.last.contracts_e8, 8 * DECIMAL_ONE);
    stop(fixture);
}

/* Of a coin that is worth a thousandth of a cent. */
static void more_contracts_than_a_column_holds_cost_no_open_interest(void **state)
{
    struct fixture *fixture = start(state, 1, NULL);
    struct intake intake;
    struct exchange_sink sink = sink_of(fixture, &intake);
    const struct exchange_interest interest = {
        .time_ms = T0, .has_value = true, .value_e8 = 5000000 * DECIMAL_ONE};
    feed_candle_e8(fixture, T0, 10000);
    sink.on_interest(&fixture->venue.found[0]->instrument, &interest, &intake);
    assert_int_equal(fixture->fed.last.contracts_e8, INT64_C(50000000000) * DECIMAL_ONE);
    stop(fixture);
    assert_int_equal(
        ask_foreign(database(state),
                    "SELECT count(*) FROM open_interest_history WHERE "
                    "open_interest_value = 5000000 AND open_interest_contracts IS NULL"),
        1);
}

/* The subscription is the first one's, and by it the socket is taken for silent or not. */
static void a_symbol_that_wants_no_candles_hears_those_of_its_twin(void **state)
{
    struct venue_market other = {0};
    struct sum *sum = sum_create(1);
    sum_add(sum, &other); /* whose candles are those of the sum */
    struct fixture *fixture = start(state, 2, sum);
    struct venue_market *markets = fixture->venue.markets;
    assert_ptr_equal(fixture->venue.found[0], &markets[0]);
    assert_ptr_equal(markets[0].twin, &markets[1]);
    feed_candle(fixture, T0, PRICE);
    assert_int_equal(markets[0].tracks[TRACK_CANDLES].pushed_ms, T0);
    assert_int_equal(markets[1].tracks[TRACK_CANDLES].pushed_ms, T0);
    stop(fixture);
    sum_destroy(sum);
}

static size_t holes_of(const struct venue_market *market, enum track_kind kind)
{
    return coverage_missing(&market->tracks[kind].coverage, T0 - DAYS * DAY_MS, T0 - CANDLE_MS);
}

static void what_is_dropped_for_want_of_room_is_a_hole_that_is_fetched_again(void **state)
{
    struct fixture *fixture = start(state, 1, NULL);
    struct venue_market *market = &fixture->venue.markets[0];
    struct intake intake;
    struct exchange_sink sink = sink_of(fixture, &intake);
    struct kline_row row = kline("BTCUSDT", 0, PRICE, PRICE, PRICE, PRICE);
    const struct writer_dropped dropped[] = {{true, "BTCUSDT", T0 - 3 * CANDLE_MS},
                                             {false, "BTCUSDT", T0 - 2 * CANDLE_MS},
                                             {true, "ETHUSDT", T0 - CANDLE_MS}};
    for (int step = 1; step <= DAYS * DAY_MS / CANDLE_MS; step++) {
        row.candle.open_time_ms = T0 - step * CANDLE_MS;
        sink.on_candle(&market->instrument, &row, true, &intake);
        coverage_mark(&market->tracks[TRACK_INTEREST].coverage, row.candle.open_time_ms);
    }
    assert_int_equal(holes_of(market, TRACK_CANDLES) + holes_of(market, TRACK_INTEREST), 0);
    market->tracks[TRACK_CANDLES].due_ms = INT64_MAX;
    for (int i = 0; i < 3; i++)
        intake_drop(&dropped[i], &fixture->collector);
    assert_false(coverage_has(&market->tracks[TRACK_CANDLES].coverage, T0 - 3 * CANDLE_MS));
    assert_false(coverage_has(&market->tracks[TRACK_INTEREST].coverage, T0 - 2 * CANDLE_MS));
    assert_int_equal(holes_of(market, TRACK_CANDLES) + holes_of(market, TRACK_INTEREST), 2);
    assert_int_equal(market->tracks[TRACK_CANDLES].due_ms, 0);
    stop(fixture);
}

static void the_log_hears_ever_more_seldom_of_what_goes_on(void **state)
{
    (void)state;
    struct pace pace = {0};
    size_t told = 0;
    int64_t now_ms = T0;
    for (; now_ms < T0 + DAY_MS; now_ms += SECOND_MS)
        told += pace_allows(&pace, now_ms);
    assert_true(told > 100 && told < 200);
    now_ms += 2 * TELL_MAX_MS;
    assert_true(pace_allows(&pace, now_ms));
    assert_false(pace_allows(&pace, now_ms + TELL_MIN_MS - 1));
    assert_true(pace_allows(&pace, now_ms + TELL_MIN_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_reading_is_never_valued_by_the_price_of_a_window_ago),
        in_folder(a_reading_of_a_clock_that_was_ahead_does_not_hold_up_later_ones),
        in_folder(more_contracts_than_a_column_holds_cost_no_open_interest),
        in_folder(a_symbol_that_wants_no_candles_hears_those_of_its_twin),
        in_folder(what_is_dropped_for_want_of_room_is_a_hole_that_is_fetched_again),
        cmocka_unit_test(the_log_hears_ever_more_seldom_of_what_goes_on),
    };
    return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
