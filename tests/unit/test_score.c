/* The score of a map: its numbers against small markets that can be worked out by hand and against
 * brute force, and what it is for, on a market whose hidden positions are known. */
#include "base/decimal.h"
#include "base/memory.h"
#include "score/blocks.h"
#include "score/roc.h"
#include "score/score.h"
#include "sources/simulate/crowd.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define E8 DECIMAL_ONE
#define T0 INT64_C(1764547200000) /* 2025-12-01T00:00:00Z */

enum { DAY_CANDLES = DAY_MS / CANDLE_MS, LOOKBACK_DAYS = 3, SCORED_DAYS = 14 };

static struct model_settings settings_of(const char *weights)
{
    struct model_settings settings = {.lookback_ms = LOOKBACK_DAYS * DAY_MS};
    assert_int_equal(value_parse_weights(weights, &settings.weights, NULL), STATUS_OK);
    return settings;
}

/* -- a market that can be worked out ----------------------------------------------------------- */

struct small {
    struct series series;
    struct score_print prints[16];
    struct model_settings settings;
    struct score_request request;
};

static void add_candle(struct small *small, int64_t open, int64_t high, int64_t low, int64_t close,
                       double contracts)
{
    const struct candle candle = {.open_time_ms = T0 + (int64_t)small->series.count * CANDLE_MS,
                                  .open_e8 = open * E8,
                                  .high_e8 = high * E8,
                                  .low_e8 = low * E8,
                                  .close_e8 = close * E8,
                                  .volume = 5};
    series_push(&small->series, &candle, 0);
    small->series.contracts[small->series.count - 1] = contracts;
}

static void add_print(struct small *small, size_t candle, double price, double value, bool is_long)
{
    small->prints[small->request.print_count++] =
        (struct score_print){.time_ms = small->series.candles[candle].open_time_ms + 1000,
                             .price_e8 = llround(price * 1e8),
                             .value = value,
                             .is_long = is_long};
    small->request.has_prints = true;
}

/* Of 100x, 100 longs are opened at 1,000 and one at 1,001, which are liquidated at 990.04 and at
 * 991.03; or so many shorts at 1,000 and at 999, at 1,009.96 and 1,008.95. */
static void begin_small(struct small *small, bool is_long)
{
    *small = (struct small){.settings = settings_of("100:1")};
    const int64_t turn = is_long ? 1000 : 1001, last = is_long ? 1001 : 999;
    add_candle(small, 1000, 1000, 1000, 1000, 1000);
    add_candle(small, turn, turn, 1000, 1000, 1100);
    add_candle(small, 1000, 1001, is_long ? 1000 : 999, last, 1101);
    small->request = (struct score_request){.series = &small->series,
                                            .model = model_of(MODEL_SURVIVAL),
                                            .settings = &small->settings,
                                            .bucket_e8 = E8,
                                            .prints = small->prints};
}

static struct score score_small(struct small *small)
{
    struct score score;
    struct error error;
    if (score_compute(&small->request, &score, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return score;
}

static void assert_close(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-9 * fmax(1, fabs(expected))))
        fail_msg("%.17g is not %.17g", found, expected);
}

static void what_price_reached_is_compared_with_what_was_liquidated(void **state)
{
    (void)state;
    struct small small;
    begin_small(&small, true);
    add_candle(&small, 1000, 1000, 985, 986, 1101); /* reaches 985 to 999: 15 buckets */
    add_print(&small, 3, 990.04, 25000, true);
    const struct score score = score_small(&small);
    assert_int_equal(score.candle_count, 3);
    assert_int_equal(score.pair_count, 15 + 2); /* and the one before it reached 1,000 and 1,001 */
    assert_int_equal(score.day_count, 1);
    assert_close(score.predicted, 101001);
    assert_close(score.liquidated, 25000);
    assert_close(score.in_reach, 25000);
    assert_close(score.factor.value, 25000 / 101001.0);
    assert_true(isnan(score.factor.low)); /* a day is no sample of days */
    /* Of the two buckets in which anything can be, it is in the denser one. */
    assert_close(score.maps[SCORE_MODEL].location.value, 0.75);
    assert_int_equal(score.tier_count, 1);
    assert_int_equal(score.tiers[0].leverage, 100);
    assert_close(score.tiers[0].predicted, 101001);
    assert_close(score.tiers[0].factor.value, 25000 / 101001.0);
    series_deinit(&small.series);
}

static void the_candle_itself_is_not_known_to_the_map(void **state)
{
    (void)state;
    struct small small;
    begin_small(&small, true);
    /* Twice as much is opened in the candle that falls: it is not in the map of before. */
    add_candle(&small, 1000, 1000, 985, 1000, 1300);
    add_print(&small, 3, 990.04, 25000, true);
    assert_close(score_small(&small).predicted, 101001);
    /* Nor is a fall of open interest in that candle. */
    small.series.contracts[3] = 500;
    assert_close(score_small(&small).predicted, 101001);
    series_deinit(&small.series);
}

static void a_liquidation_of_the_other_side_is_none_of_the_map(void **state)
{
    (void)state;
    struct small small;
    begin_small(&small, true);
    add_candle(&small, 1000, 1000, 985, 986, 1101);
    add_print(&small, 3, 990.04, 25000, false);
    const struct score score = score_small(&small);
    assert_close(score.liquidated, 25000);
    assert_close(score.in_reach, 0);
    assert_true(isnan(score.maps[SCORE_MODEL].location.value));
    series_deinit(&small.series);
}

static void shorts_are_looked_for_above(void **state)
{
    (void)state;
    struct small small;
    begin_small(&small, false);
    add_candle(&small, 1000, 1012, 1000, 1012, 1101); /* 1,001 to 1,012 */
    add_print(&small, 3, 1009.96, 50000, false);
    const struct score score = score_small(&small);
    assert_int_equal(score.pair_count, 12 + 1 + 2); /* 999 before that, 1,000 and 1,001 at first */
    assert_close(score.predicted, 100999);
    assert_close(score.maps[SCORE_MODEL].location.value, 0.75);
    assert_close(score.maps[SCORE_WRONG_SIDE].location.value, 0.5);
    series_deinit(&small.series);
}

static void falls_of_open_interest_stand_in_for_liquidations(void **state)
{
    (void)state;
    struct small small;
    begin_small(&small, true);
    add_candle(&small, 1000, 1000, 985, 986, 1051);
    add_candle(&small, 986, 986, 986, 986, 0); /* not known: no candle to score, nor the next */
    add_candle(&small, 986, 986, 980, 986, 900);
    const struct score score = score_small(&small);
    assert_int_equal(score.candle_count, 3);
    assert_close(score.liquidated, 50 * 986);
    assert_close(score.predicted, 101001);
    assert_true(isnan(score.maps[SCORE_MODEL].location.value));
    assert_close(score.maps[SCORE_MODEL].rank.value, 1);
    series_deinit(&small.series);
}

static void a_candle_behind_a_hole_is_not_scored(void **state)
{
    (void)state;
    struct small small;
    begin_small(&small, true);
    add_candle(&small, 1000, 1000, 985, 986, 1101);
    small.series.candles[3].open_time_ms += CANDLE_MS;
    add_print(&small, 3, 990.04, 25000, true);
    const struct score score = score_small(&small);
    assert_int_equal(score.candle_count, 2);
    assert_close(score.liquidated, 0);
    series_deinit(&small.series);
}

/* -- limits ------------------------------------------------------------------------------------ */

static void assert_refused(const struct score_request *request, enum status expected,
                           const char *told)
{
    struct score score;
    struct error error;
    assert_int_equal(score_compute(request, &score, &error), expected);
    if (strstr(error.message, told) == NULL)
        fail_msg("'%s' is not in '%s'", told, error.message);
}

static void what_is_too_much_is_refused_with_what_is_allowed(void **state)
{
    (void)state;
    struct small small;
    begin_small(&small, true);
    small.request.first = 3;
    assert_refused(&small.request, STATUS_NO_DATA, "open interest is not known");
    add_candle(&small, 1000, 1000, 985, 986, 1101);
    small.request.bucket_e8 = 1;
    assert_refused(&small.request, STATUS_TOO_LARGE, "1000000 buckets");
    assert_refused(&small.request, STATUS_TOO_LARGE, "a greater bucket");
    small.request.bucket_e8 = E8;
    for (int day = 1; day <= SCORE_DAYS_MAX; day++) {
        for (int i = 0; i < 2; i++)
            add_candle(&small, 986, 986, 986, 986, 1100);
        const size_t last = small.series.count - 1;
        small.series.candles[last].open_time_ms = T0 + day * DAY_MS + CANDLE_MS;
        small.series.candles[last - 1].open_time_ms = T0 + day * DAY_MS;
    }
    assert_refused(&small.request, STATUS_TOO_LARGE, "400 days");
    series_deinit(&small.series);
}

/* -- a market whose positions are known -------------------------------------------------------- */

struct market_of_test {
    struct series series;
    struct score_print *prints;
    size_t print_count, capacity;
    struct model_settings settings;
};

static enum status on_liquidated(const struct liquidation_row *row, void *context,
                                 struct error *error)
{
    (void)error;
    struct market_of_test *market = context;
    if (market->print_count == market->capacity) {
        market->capacity = market->capacity > 0 ? 2 * market->capacity : 256;
        market->prints =
            memory_try_resize(market->prints, market->capacity, sizeof *market->prints);
    }
    market->prints[market->print_count++] =
        (struct score_print){.time_ms = row->time_ms,
                             .price_e8 = row->price_e8,
                             .value = (double)row->value_e8 / 1e8,
                             .is_long = row->is_long};
    return STATUS_OK;
}

static struct market_of_test draw_market(const char *symbol)
{
    struct market_of_test drawn = {.settings = settings_of(LEVERAGE_WEIGHTS_DEFAULT)};
    struct market market;
    struct crowd crowd;
    market_init(&market, symbol);
    crowd_init(&crowd, &market);
    for (int64_t i = 0; i < (LOOKBACK_DAYS + SCORED_DAYS) * DAY_CANDLES; i++) {
        market_begin_candle(&market, T0 + i * CANDLE_MS);
        for (int step = 1; step <= 10; step++) {
            market_step(&market, 30);
            crowd_step(&crowd, &market, T0 + i * CANDLE_MS + step * 30000 - 1, on_liquidated,
                       &drawn, NULL);
        }
        series_push(&drawn.series, &market.candle.candle, 0);
        drawn.series.contracts[drawn.series.count - 1] = market.interest;
    }
    crowd_deinit(&crowd);
    return drawn;
}

static void discard_market(struct market_of_test *market)
{
    series_deinit(&market->series);
    free(market->prints);
}

static struct score score_market(const struct market_of_test *market)
{
    struct score score;
    struct error error;
    const struct score_request request = {
        .series = &market->series,
        .first = LOOKBACK_DAYS * DAY_CANDLES,
        .model = model_of(MODEL_SURVIVAL),
        .settings = &market->settings,
        .bucket_e8 = 10 * E8,
        .prints = market->prints,
        .print_count = market->print_count,
        .has_prints = true,
    };
    if (score_compute(&request, &score, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return score;
}

static const struct score_of_map *model_in(const struct score *score)
{
    return &score->maps[SCORE_MODEL];
}

static void the_right_map_is_far_above_all_others(void **state)
{
    (void)state;
    struct market_of_test market = draw_market("BTCUSDT");
    const struct score score = score_market(&market);
    assert_int_equal(score.day_count, SCORED_DAYS);
    assert_true(model_in(&score)->location.value > 0.7);
    assert_true(model_in(&score)->location.low > 0.65);
    for (size_t map = SCORE_MODEL + 1; map < SCORE_MAP_COUNT; map++) {
        assert_true(score.maps[map].location_lead.low > 0.02);
        assert_true(score.maps[map].partial.low > 0.1);
    }
    /* What happened is what was predicted, but for what nobody can know. */
    assert_true(score.factor.low > 0.5 && score.factor.high < 2.5);
    assert_true(score.in_reach > 0.99 * score.liquidated);
    assert_int_equal(score.tier_count, 5);
    discard_market(&market);
}

static void a_map_of_the_wrong_side_scores_as_chance_does(void **state)
{
    (void)state;
    struct market_of_test market = draw_market("BTCUSDT");
    for (size_t i = 0; i < market.series.count; i++) {
        struct candle *candle = &market.series.candles[i];
        candle->open_e8 = 2 * candle->close_e8 - candle->open_e8;
    }
    const struct score score = score_market(&market);
    assert_true(model_in(&score)->location.high < 0.62);
    /* The right one is among the others now. */
    assert_true(score.maps[SCORE_WRONG_SIDE].location_lead.high < -0.1);
    assert_true(score.maps[SCORE_CONSTANT].location_lead.high < 0);
    discard_market(&market);
}

static void a_clock_that_is_five_minutes_late_shows(void **state)
{
    (void)state;
    struct market_of_test market = draw_market("BTCUSDT");
    const struct score right = score_market(&market);
    double *contracts = market.series.contracts;
    memmove(contracts + 1, contracts, (market.series.count - 1) * sizeof *contracts);
    const struct score late = score_market(&market);
    assert_true(model_in(&late)->location.high < model_in(&right)->location.low);
    assert_true(late.maps[SCORE_CONSTANT].location_lead.high < 0);
    assert_true(right.maps[SCORE_CONSTANT].location_lead.low > 0);
    discard_market(&market);
}

static void a_unit_that_is_swapped_shows(void **state)
{
    (void)state;
    struct market_of_test market = draw_market("BTCUSDT");
    const struct score right = score_market(&market);
    for (size_t i = 0; i < market.series.count; i++)
        market.series.contracts[i] *= (double)market.series.candles[i].close_e8 / 1e8;
    const struct score swapped = score_market(&market);
    assert_true(swapped.factor.high < right.factor.low / 10000);
    assert_true(model_in(&swapped)->location.value < model_in(&right)->location.low);
    discard_market(&market);
}

static void a_shuffled_map_is_not_above_the_constant_one(void **state)
{
    (void)state;
    struct market_of_test market = draw_market("BTCUSDT");
    struct random random = {.state = 7};
    for (size_t i = market.series.count; i > 1; i--) {
        const size_t other = (size_t)random_between(&random, 0, i - 1);
        const double moved = market.series.contracts[i - 1];
        market.series.contracts[i - 1] = market.series.contracts[other];
        market.series.contracts[other] = moved;
    }
    const struct score score = score_market(&market);
    assert_true(score.maps[SCORE_CONSTANT].location_lead.high < 0);
    assert_true(score.maps[SCORE_SHUFFLED].location_lead.low < 0.02);
    discard_market(&market);
}

static void the_same_request_gives_the_same_score(void **state)
{
    (void)state;
    struct market_of_test market = draw_market("ETHUSDT");
    const struct score first = score_market(&market), second = score_market(&market);
    assert_memory_equal(first.maps, second.maps, sizeof first.maps);
    assert_memory_equal(&first.factor, &second.factor, sizeof first.factor);
    discard_market(&market);
}

static void another_market_has_the_same_verdict(void **state)
{
    (void)state;
    struct market_of_test market = draw_market("XYZUSDT");
    struct score score;
    const struct score_request request = {
        .series = &market.series,
        .first = LOOKBACK_DAYS * DAY_CANDLES,
        .model = model_of(MODEL_SURVIVAL),
        .settings = &market.settings,
        .bucket_e8 = market.series.candles[0].close_e8 / 10000,
        .prints = market.prints,
        .print_count = market.print_count,
        .has_prints = true,
    };
    assert_int_equal(score_compute(&request, &score, NULL), STATUS_OK);
    for (size_t map = SCORE_MODEL + 1; map < SCORE_MAP_COUNT; map++)
        assert_true(score.maps[map].location_lead.low > 0);
    discard_market(&market);
}

/* -- what may end it --------------------------------------------------------------------------- */

static void a_score_that_nobody_waits_for_ends(void **state)
{
    (void)state;
    struct market_of_test market = draw_market("BTCUSDT");
    const atomic_bool is_cancelled = true;
    const struct score_request request = {.series = &market.series,
                                          .first = LOOKBACK_DAYS * DAY_CANDLES,
                                          .model = model_of(MODEL_SURVIVAL),
                                          .settings = &market.settings,
                                          .bucket_e8 = 100 * E8,
                                          .stop = {.is_cancelled = &is_cancelled}};
    struct score score;
    assert_int_equal(score_compute(&request, &score, NULL), STATUS_CANCELLED);
    discard_market(&market);
}

static void without_memory_a_score_fails_and_nothing_else(void **state)
{
    (void)state;
    struct small small;
    begin_small(&small, true);
    add_candle(&small, 1000, 1000, 985, 986, 1101);
    add_print(&small, 3, 990.04, 25000, true);
    uint64_t number = 1, left;
    do {
        struct score score;
        memory_fail_call(number++);
        const enum status status = score_compute(&small.request, &score, NULL);
        left = memory_fail_call(0);
        assert_int_equal(status, left == 0 ? STATUS_NO_MEMORY : STATUS_OK);
    } while (left == 0);
    assert_true(number > 30);
    series_deinit(&small.series);
}

/* -- the parts --------------------------------------------------------------------------------- */

static void the_area_is_that_of_brute_force(void **state)
{
    (void)state;
    enum { PAIRS = 300, DAYS = 6 };
    double values[PAIRS], densities[PAIRS], wins = 0, dollars = 0, buckets = 0;
    uint32_t days[PAIRS];
    const uint16_t times[DAYS] = {2, 0, 1, 1, 3, 0};
    struct ranked ranked[PAIRS];
    struct random random = {.state = 1};
    struct roc roc;
    for (int i = 0; i < PAIRS; i++) {
        values[i] = random_unit(&random) < 0.3 ? 100 * random_unit(&random) : 0;
        densities[i] = (double)random_between(&random, 0, 20); /* many are equal */
        days[i] = i % 17 == 0 ? REACH_NO_DAY : (uint32_t)random_between(&random, 0, DAYS - 1);
    }
    for (int i = 0; i < PAIRS; i++) {
        if (days[i] == REACH_NO_DAY)
            continue;
        dollars += times[days[i]] * values[i];
        buckets += times[days[i]];
        for (int k = 0; k < PAIRS; k++)
            if (days[k] != REACH_NO_DAY)
                wins += times[days[i]] * values[i] * times[days[k]] *
                        (densities[i] > densities[k]    ? 1
                         : densities[i] == densities[k] ? 0.5
                                                        : 0);
    }
    const struct reach reach = {.pair_count = PAIRS, .values = values, .days = days};
    assert_true(roc_init(&roc, DAYS));
    roc_measure(&roc, &reach, densities, ranked);
    assert_close(roc_area(&roc, times), wins / (dollars * buckets));
    roc_deinit(&roc);
}

static void equal_amounts_share_a_rank(void **state)
{
    (void)state;
    double values[] = {5, 1, 5, 0, 0, 0};
    const double expected[] = {5.5, 4, 5.5, 2, 2, 2};
    struct ranked ranked[6];
    ranks_of(values, 6, ranked);
    for (int i = 0; i < 6; i++)
        assert_close(values[i], expected[i]);
}

static void a_partial_correlation_takes_out_what_is_known(void **state)
{
    (void)state;
    struct ranks_day day = {0};
    struct random random = {.state = 3};
    for (int i = 0; i < 20000; i++) { /* 0 and 1 have nothing in common but 2 */
        double values[RANKS_VARIABLES] = {0};
        values[2] = random_unit(&random);
        values[0] = values[2] + random_unit(&random);
        values[1] = values[2] + random_unit(&random);
        ranks_add(&day, values);
    }
    assert_true(fabs(ranks_correlation(&day, 0, 1) - 0.5) < 0.03);
    assert_true(fabs(ranks_partial(&day, 0, 1, 2)) < 0.03);
    assert_true(isnan(ranks_correlation(&day, 0, 3))); /* which is always the same */
}

static void an_interval_holds_what_it_should(void **state)
{
    (void)state;
    struct blocks blocks;
    double drawn[SCORE_DRAWS];
    enum { DAYS = 40 };
    assert_true(blocks_init(&blocks, DAYS));
    for (size_t draw = 0; draw < SCORE_DRAWS; draw++) { /* of the mean of 0 to 39 */
        double sum = 0, count = 0;
        for (int day = 0; day < DAYS; day++) {
            sum += day * blocks_draw(&blocks, draw)[day];
            count += blocks_draw(&blocks, draw)[day];
        }
        assert_close(count, DAYS);
        drawn[draw] = sum / count;
    }
    const struct score_estimate mean = blocks_estimate(&blocks, 19.5, drawn);
    const double error = 1.96 * sqrt((DAYS * DAYS - 1) / 12.0 / DAYS);
    assert_true(fabs(mean.low - (19.5 - error)) < 0.6 && fabs(mean.high - (19.5 + error)) < 0.6);
    blocks_deinit(&blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_price_reached_is_compared_with_what_was_liquidated),
        cmocka_unit_test(the_candle_itself_is_not_known_to_the_map),
        cmocka_unit_test(a_liquidation_of_the_other_side_is_none_of_the_map),
        cmocka_unit_test(shorts_are_looked_for_above),
        cmocka_unit_test(falls_of_open_interest_stand_in_for_liquidations),
        cmocka_unit_test(a_candle_behind_a_hole_is_not_scored),
        cmocka_unit_test(what_is_too_much_is_refused_with_what_is_allowed),
        cmocka_unit_test(the_right_map_is_far_above_all_others),
        cmocka_unit_test(a_map_of_the_wrong_side_scores_as_chance_does),
        cmocka_unit_test(a_clock_that_is_five_minutes_late_shows),
        cmocka_unit_test(a_unit_that_is_swapped_shows),
        cmocka_unit_test(a_shuffled_map_is_not_above_the_constant_one),
        cmocka_unit_test(the_same_request_gives_the_same_score),
        cmocka_unit_test(another_market_has_the_same_verdict),
        cmocka_unit_test(a_score_that_nobody_waits_for_ends),
        cmocka_unit_test(without_memory_a_score_fails_and_nothing_else),
        cmocka_unit_test(the_area_is_that_of_brute_force),
        cmocka_unit_test(equal_amounts_share_a_rank),
        cmocka_unit_test(a_partial_correlation_takes_out_what_is_known),
        cmocka_unit_test(an_interval_holds_what_it_should),
    };
    return cmocka_run_group_tests_name("score", tests, NULL, NULL);
}
