/* The model `survival` against docs/model.md: its rules one by one, and then all of them at once
 * against an oracle that does what the text says, in the simplest way; and that a moment has one
 * number, to the last bit, wherever a book began. */
#include "base/decimal.h"
#include "model/snapshot.h"
#include "model/survival.h"
#include "survival_oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define E8 DECIMAL_ONE
#define T0 INT64_C(1764547200000) /* 2025-12-01T00:00:00Z */
#define LOOKBACK_MS DAY_MS

enum { DAY_CANDLES = DAY_MS / CANDLE_MS };

static struct model_settings settings_of(const char *weights, int64_t lookback_ms, double turnover)
{
    struct model_settings settings = {.lookback_ms = lookback_ms, .turnover = turnover};
    struct error error;
    if (value_parse_weights(weights, &settings.weights, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return settings;
}

static void assert_near(double found, long double expected)
{
    if (fabsl((long double)found - expected) > 1e-11L * expected)
        fail_msg("%.17g is not %.17Lg", found, expected);
}

/* -- one rule at a time ------------------------------------------------------------------------ */

/* A book with one tier, of 10x, and a candle a step. */
struct bench {
    struct book *book;
    int64_t time_ms;
    struct level_list levels;
};

static struct bench open_bench(const char *weights, double turnover)
{
    const struct model_settings settings = settings_of(weights, LOOKBACK_MS, turnover);
    return (struct bench){.book = book_create(&survival_model, &settings), .time_ms = T0};
}

static void close_bench(struct bench *bench)
{
    book_destroy(bench->book);
    level_list_deinit(&bench->levels);
}

/* A green candle at a price, which others may be touched by. */
static struct book_change step(struct bench *bench, int64_t low, int64_t high, int64_t close,
                               double contracts)
{
    const struct candle candle = {.open_time_ms = bench->time_ms,
                                  .open_e8 = close * E8,
                                  .high_e8 = high * E8,
                                  .low_e8 = low * E8,
                                  .close_e8 = close * E8,
                                  .volume = 10};
    bench->time_ms += CANDLE_MS;
    return book_advance(bench->book, &candle, (struct interest_step){.contracts = contracts});
}

static struct book_change still(struct bench *bench, double contracts)
{
    return step(bench, 1000, 1000, 1000, contracts);
}

static double longs(struct bench *bench)
{
    double sum = 0;
    book_snapshot(bench->book, E8, &bench->levels);
    for (size_t i = 0; i < bench->levels.count; i++)
        sum += bench->levels.levels[i].long_density;
    return sum;
}

static void a_rise_of_contracts_opens_what_they_are_worth_at_the_close(void **state)
{
    (void)state;
    struct bench bench = open_bench("10:1,20:3", 0);
    assert_int_equal(still(&bench, 100).created, 0); /* nothing to compare with */
    assert_int_equal(step(&bench, 1000, 1100, 1100, 102).created, 2);
    assert_near(longs(&bench), 2200);
    assert_int_equal(bench.levels.count, 2);
    assert_int_equal(bench.levels.levels[0].price_e8, 990 * E8); /* 1100 * 0.9004 = 990.44 */
    assert_near(bench.levels.levels[0].long_density, 550);
    assert_int_equal(bench.levels.levels[1].price_e8, 1045 * E8); /* 1045.22 */
    close_bench(&bench);
}

static void a_fall_leaves_the_same_share_of_everything(void **state)
{
    (void)state;
    struct bench bench = open_bench("10:1", 0);
    still(&bench, 100), still(&bench, 200), still(&bench, 300);
    assert_near(longs(&bench), 200000);
    still(&bench, 75); /* a quarter is left, of what was open before as well */
    assert_near(longs(&bench), 50000);
    still(&bench, 75);
    assert_near(longs(&bench), 50000);
    close_bench(&bench);
}

static void price_takes_what_earlier_candles_have_opened(void **state)
{
    (void)state;
    struct bench bench = open_bench("10:1", 0);
    still(&bench, 100);
    struct book_change own = step(&bench, 800, 1000, 1000, 110); /* not its own */
    assert_int_equal(own.created, 1);
    assert_int_equal(own.consumed, 0);
    assert_int_equal(step(&bench, 901, 1000, 1000, 110).consumed, 0); /* 900.4 */
    assert_true(longs(&bench) > 0);
    assert_int_equal(step(&bench, 900, 1000, 1000, 110).consumed, 1);
    assert_true(longs(&bench) == 0);
    close_bench(&bench);
}

static void what_is_not_known_changes_nothing_and_the_next_carries_the_whole_change(void **state)
{
    (void)state;
    static const double unknown[] = {0, -5, NAN, INFINITY, 1e19};
    struct bench bench = open_bench("10:1", 0);
    still(&bench, 100), still(&bench, 110);
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_int_equal(still(&bench, unknown[i]).created, 0);
        assert_near(longs(&bench), 10000);
    }
    still(&bench, 115);
    assert_near(longs(&bench), 15000);
    close_bench(&bench);
}

static void over_a_hole_of_more_than_three_days_nothing_is_compared(void **state)
{
    (void)state;
    for (int is_longer = 0; is_longer < 2; is_longer++) {
        struct bench bench = open_bench("10:1", 0);
        still(&bench, 100);
        bench.time_ms += 3 * DAY_MS + (is_longer ? 0 : -CANDLE_MS);
        assert_int_equal(still(&bench, 110).created, is_longer ? 0 : 1);
        assert_int_equal(still(&bench, 111).created, 1);
        close_bench(&bench);
    }
}

static void a_position_is_followed_for_a_lookback(void **state)
{
    (void)state;
    struct bench bench = open_bench("10:1", 0);
    still(&bench, 100), still(&bench, 110);
    for (int i = 1; i < DAY_CANDLES; i++)
        still(&bench, 110);
    assert_near(longs(&bench), 10000);
    assert_int_equal(step(&bench, 900, 1000, 1000, 110).consumed, 0); /* it is gone by then */
    assert_true(longs(&bench) == 0);
    close_bench(&bench);
}

static void less_than_a_cent_is_nothing(void **state)
{
    (void)state;
    struct bench bench = open_bench("10:999999,20:1", 0);
    still(&bench, 100);
    assert_int_equal(still(&bench, 109).created, 1); /* 9,000 and 0.009 */
    assert_int_equal(still(&bench, 120).created, 2);
    book_snapshot(bench.book, E8, &bench.levels);
    assert_int_equal(bench.levels.count, 2);
    still(&bench, 80); /* a part of 0.011 */
    book_snapshot(bench.book, E8, &bench.levels);
    assert_int_equal(bench.levels.count, 1);
    assert_int_equal(step(&bench, 940, 1000, 1000, 80).consumed, 0); /* through the 20x */
    close_bench(&bench);
}

static void turnover_replaces_positions_by_new_ones(void **state)
{
    (void)state;
    struct bench bench = open_bench("10:1", 0.5); /* of a volume of 10: 5 contracts a candle */
    still(&bench, 100);
    assert_int_equal(still(&bench, 100).created, 1);
    assert_near(longs(&bench), 5000);
    still(&bench, 110);
    assert_near(longs(&bench), 5000 * 0.95 + 15000);
    still(&bench, 4);
    double before = longs(&bench);
    still(&bench, 4); /* half of the open interest at most */
    assert_near(longs(&bench), before / 2 + 2000);
    close_bench(&bench);
}

/* -- all of them ------------------------------------------------------------------------------- */

/* xorshift: the same walk on every machine and in every run. */
static uint64_t seed;

static double random_unit(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)(seed >> 11) / 9007199254740992.0;
}

/* How a course behaves. */
struct course {
    uint64_t seed;
    double move; /* of the price in a candle, at most */
    double rise; /* of open interest in a candle, on average, as a share; it moves by `swing` */
    double swing;
    double hole;     /* share of candles whose open interest is not known */
    double crash;    /* share of candles in which nearly all open interest is closed */
    double missing;  /* share of candles that are not there */
    int64_t step_e8; /* prices are multiples of it */
};

static struct oracle_candle *make_course(const struct course *course, int count)
{
    struct oracle_candle *candles = calloc((size_t)count, sizeof *candles);
    double price = 90000, contracts = 80000;
    int64_t time_ms = T0 + 7 * 12 * CANDLE_MS;
    seed = course->seed;
    for (int i = 0; i < count; i++) {
        double open = price, wick = course->move / 2;
        price *= 1 + (random_unit() - 0.5) * course->move + (90000 / price - 1) * 0.002;
        double high = fmax(open, price) * (1 + random_unit() * wick);
        double low = fmin(open, price) * (1 - random_unit() * wick);
        contracts *= 1 + course->rise + (random_unit() - 0.5) * course->swing;
        if (random_unit() < course->crash)
            contracts *= 1e-3 * random_unit();
        contracts = fmax(contracts, 0.5);
        bool is_known = random_unit() >= course->hole;
        while (random_unit() < course->missing)
            time_ms += CANDLE_MS;
        candles[i] = (struct oracle_candle){
            .time_ms = time_ms,
            .open_e8 = (int64_t)(open * E8) / course->step_e8 * course->step_e8,
            .high_e8 = (int64_t)(high * E8) / course->step_e8 * course->step_e8,
            .low_e8 = (int64_t)(low * E8) / course->step_e8 * course->step_e8,
            .close_e8 = (int64_t)(price * E8) / course->step_e8 * course->step_e8,
            .volume = floor(500 * random_unit()),
            .contracts = is_known ? floor(contracts * 1000) / 1000 : 0,
        };
        time_ms += CANDLE_MS;
    }
    return candles;
}

static struct book_change take(struct book *book, const struct oracle_candle *candle)
{
    const struct candle taken = {candle->time_ms, candle->open_e8,  candle->high_e8,
                                 candle->low_e8,  candle->close_e8, candle->volume};
    return book_advance(book, &taken, (struct interest_step){.contracts = candle->contracts});
}

static void assert_as_oracle(struct book *book, const struct oracle_map *map, int64_t bucket_e8)
{
    struct level_list levels = {0};
    book_snapshot(book, bucket_e8, &levels);
    assert_int_equal(levels.count, map->count);
    for (size_t i = 0; i < levels.count; i++) {
        assert_int_equal(levels.levels[i].price_e8, map->levels[i].price_e8);
        assert_near(levels.levels[i].long_density, map->levels[i].longs);
        assert_near(levels.levels[i].short_density, map->levels[i].shorts);
    }
    level_list_deinit(&levels);
}

/* Courses: quiet with exact touches, like a real market, wild, with holes, crashing, rising. */
static const struct course courses[] = {
    {1, 0.002, 0, 0.01, 0, 0, 0, 100 * E8},
    {2, 0.003, 0.0001, 0.004, 0, 0, 0, E8 / 10},
    {3, 0.05, 0, 0.2, 0, 0, 0, 1},
    {4, 0.004, 0, 0.01, 0.3, 0, 0.1, E8},
    {5, 0.004, 0.02, 0.02, 0.02, 0.02, 0.01, E8},
    {6, 0.001, 0.0005, 0, 0, 0, 0, E8 / 100},
};

static void it_is_what_the_formula_says(void **state)
{
    (void)state;
    enum { COUNT = 5 * DAY_CANDLES };
    struct oracle_map *map = malloc(sizeof *map);
    for (size_t c = 0; c < sizeof courses / sizeof courses[0]; c++) {
        const double turnover = c % 2 == 0 ? 0 : 0.02;
        const struct model_settings settings =
            settings_of(LEVERAGE_WEIGHTS_DEFAULT, 30 * CANDLE_MS * (int64_t)(c + 3), turnover);
        struct oracle_candle *candles = make_course(&courses[c], COUNT);
        struct book *book = book_create(&survival_model, &settings);
        for (int t = 0; t < COUNT; t++) {
            const int64_t bucket_e8 = t % 97 == 0 ? 100 : 100 * E8; /* sorted; in arrays */
            take(book, &candles[t]);
            if (t % 41 != 0 && t % 97 != 0)
                continue;
            oracle_make(map, candles, t, settings.lookback_ms, &settings.weights, turnover,
                        bucket_e8);
            assert_as_oracle(book, map, bucket_e8);
        }
        book_destroy(book);
        free(candles);
    }
    free(map);
}

/* Of each candle what is reached is what was there before and is not any more, though nothing has
 * aged or faded: counted by buckets as fine as prices are. */
static void what_is_consumed_is_what_was_reached(void **state)
{
    (void)state;
    enum { COUNT = 2 * DAY_CANDLES };
    const struct model_settings settings = settings_of("5:1,50:1,100:1", 30 * DAY_MS, 0);
    struct oracle_candle *candles = make_course(&courses[1], COUNT);
    struct book *book = book_create(&survival_model, &settings);
    long open = 0;
    for (int t = 0; t < COUNT; t++) {
        struct book_change change = take(book, &candles[t]);
        long reached = 0;
        for (int j = 0; j < t; j++)
            for (size_t k = 0; k < settings.weights.count; k++) {
                bool is_long = candles[j].close_e8 >= candles[j].open_e8;
                int leverage = settings.weights.tiers[k].leverage;
                reached += oracle_opened(candles, j, 0) > 0 &&
                           oracle_is_reached(candles, j, t, is_long, leverage) &&
                           !oracle_is_reached(candles, j, t - 1, is_long, leverage);
            }
        assert_int_equal(change.consumed, reached);
        assert_int_equal(change.created, oracle_opened(candles, t, 0) > 0 ? 3 : 0);
        open += change.created - reached;
    }
    assert_true(open > 100);
    book_destroy(book);
    free(candles);
}

/* -- one number for one moment ----------------------------------------------------------------- */

static void assert_same(struct book *a, struct book *b, int64_t bucket_e8)
{
    struct level_list first = {0}, second = {0};
    book_snapshot(a, bucket_e8, &first);
    book_snapshot(b, bucket_e8, &second);
    assert_int_equal(first.count, second.count);
    if (first.count > 0)
        assert_memory_equal(first.levels, second.levels, first.count * sizeof *first.levels);
    level_list_deinit(&first);
    level_list_deinit(&second);
}

/* The book after candle t, begun as late as it may. */
static void begin_late(struct book *book, const struct oracle_candle *candles, int t,
                       int64_t lookback_ms)
{
    const int64_t begin_ms = model_begin(&survival_model, candles[t].time_ms, lookback_ms);
    int first = 0;
    while (candles[first].time_ms < begin_ms)
        first++;
    assert_true(first > 0 || candles[0].time_ms > begin_ms);
    book_reset(book);
    for (int i = first; i <= t; i++)
        take(book, &candles[i]);
}

static void a_moment_has_one_number_wherever_the_book_began(void **state)
{
    (void)state;
    enum { COUNT = 20 * DAY_CANDLES };
    for (size_t c = 0; c < sizeof courses / sizeof courses[0]; c++) {
        const struct model_settings settings =
            settings_of(LEVERAGE_WEIGHTS_DEFAULT, 2 * DAY_MS + 7 * CANDLE_MS, c % 2 ? 0.01 : 0);
        struct oracle_candle *candles = make_course(&courses[c], COUNT);
        struct book *book = book_create(&survival_model, &settings);
        struct book *late = book_create(&survival_model, &settings);
        struct book *copied = book_create(&survival_model, &settings);
        for (int t = 0; t < COUNT; t++) {
            take(book, &candles[t]);
            if (t % 577 == 0 || t + 1 == COUNT) {
                begin_late(late, candles, t, settings.lookback_ms);
                assert_same(book, late, 100 * E8);
                assert_same(book, late, E8 / 1000);
                book_copy(copied, late);
                assert_same(book, copied, 100 * E8);
            }
        }
        book_destroy(book);
        book_destroy(late);
        book_destroy(copied);
        free(candles);
    }
}

static void after_a_year_nothing_has_drifted(void **state)
{
    (void)state;
    enum { COUNT = 365 * DAY_CANDLES };
    const struct model_settings settings =
        settings_of(LEVERAGE_WEIGHTS_DEFAULT, 7 * DAY_MS, 0.0005);
    struct oracle_candle *candles = make_course(&courses[1], COUNT);
    struct book *book = book_create(&survival_model, &settings);
    struct book *late = book_create(&survival_model, &settings);
    struct oracle_map *map = malloc(sizeof *map);
    struct level_list levels = {0};
    for (int t = 0; t < COUNT; t++) {
        take(book, &candles[t]);
        if (t % 288 == 17) /* snapshots on the way change nothing */
            book_snapshot(book, 100 * E8, &levels);
    }
    begin_late(late, candles, COUNT - 1, settings.lookback_ms);
    assert_same(book, late, 100 * E8);
    oracle_make(map, candles, COUNT - 1, settings.lookback_ms, &settings.weights, settings.turnover,
                100 * E8);
    assert_true(map->count > 50);
    assert_as_oracle(book, map, 100 * E8);
    level_list_deinit(&levels);
    book_destroy(book);
    book_destroy(late);
    free(candles);
    free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rise_of_contracts_opens_what_they_are_worth_at_the_close),
        cmocka_unit_test(a_fall_leaves_the_same_share_of_everything),
        cmocka_unit_test(price_takes_what_earlier_candles_have_opened),
        cmocka_unit_test(what_is_not_known_changes_nothing_and_the_next_carries_the_whole_change),
        cmocka_unit_test(over_a_hole_of_more_than_three_days_nothing_is_compared),
        cmocka_unit_test(a_position_is_followed_for_a_lookback),
        cmocka_unit_test(less_than_a_cent_is_nothing),
        cmocka_unit_test(turnover_replaces_positions_by_new_ones),
        cmocka_unit_test(it_is_what_the_formula_says),
        cmocka_unit_test(what_is_consumed_is_what_was_reached),
        cmocka_unit_test(a_moment_has_one_number_wherever_the_book_began),
        cmocka_unit_test(after_a_year_nothing_has_drifted),
    };
    return cmocka_run_group_tests_name("survival", tests, NULL, NULL);
}
