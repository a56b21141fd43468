/* The model `reference` against docs/model.md: its rules one by one, and then all of them at once
 * against an oracle that does what the text says, with plain arrays, in the simplest way. */
#include "base/decimal.h"
#include "model/reference.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define E8 DECIMAL_ONE

static struct leverage_weights parse_weights(const char *text)
{
    struct leverage_weights weights;
    struct error error;
    if (value_parse_weights(text, &weights, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return weights;
}

static struct book *create_book(const char *weights_text)
{
    const struct model_settings settings = {.weights = parse_weights(weights_text)};
    return book_create(&reference_model, &settings);
}

static struct candle candle_e8(int64_t open, int64_t high, int64_t low, int64_t close)
{
    return (struct candle){.open_e8 = open, .high_e8 = high, .low_e8 = low, .close_e8 = close};
}

/* A candle that stands still at a price, where nothing is touched that it did not create. */
static struct candle still(int64_t price_e8)
{
    return candle_e8(price_e8, price_e8, price_e8, price_e8);
}

/* A red candle that creates shorts at `close_e8`. */
static struct candle red(int64_t close_e8)
{
    return candle_e8(close_e8 + 1, close_e8 + 1, close_e8, close_e8);
}

static struct book_change advance(struct book *book, struct candle candle, double delta)
{
    return book_advance(book, &candle, (struct interest_step){.delta = delta});
}

static struct level_list take(struct book *book, int64_t bucket_e8)
{
    struct level_list levels = {0};
    book_snapshot(book, bucket_e8, &levels);
    return levels;
}

/* -- prices ------------------------------------------------------------------------------------ */

static const struct {
    const char *weights;
    int64_t long_e8, short_e8; /* liquidation prices of an entry at 1,000 */
} tiers[] = {
    {"5:1", 80080000000, 119920000000},   {"10:1", 90040000000, 109960000000},
    {"25:1", 96016000000, 103984000000},  {"50:1", 98008000000, 101992000000},
    {"100:1", 99004000000, 100996000000},
};

static void an_exact_touch_liquidates_a_long(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tiers / sizeof tiers[0]; i++) {
        struct book *book = create_book(tiers[i].weights);
        assert_int_equal(advance(book, still(1000 * E8), 100).created, 1);
        int64_t low = tiers[i].long_e8;
        assert_int_equal(
            advance(book, candle_e8(1000 * E8, 1000 * E8, low + 1, 1000 * E8), 0).consumed, 0);
        assert_int_equal(advance(book, candle_e8(1000 * E8, 1000 * E8, low, 1000 * E8), 0).consumed,
                         1);
        assert_int_equal(reference_position_count(book), 0);
        book_destroy(book);
    }
}

static void an_exact_touch_liquidates_a_short(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tiers / sizeof tiers[0]; i++) {
        struct book *book = create_book(tiers[i].weights);
        assert_int_equal(advance(book, red(1000 * E8), 100).created, 1);
        int64_t high = tiers[i].short_e8;
        assert_int_equal(
            advance(book, candle_e8(1000 * E8, high - 1, 1000 * E8, 1000 * E8), 0).consumed, 0);
        assert_int_equal(
            advance(book, candle_e8(1000 * E8, high, 1000 * E8, 1000 * E8), 0).consumed, 1);
        book_destroy(book);
    }
}

static void touches_between_two_integers_round_away_from_the_market(void **state)
{
    (void)state;
    /* Entry 0.00000007 at 7x: long 7 * 6004 / 7000 = 6.004, short 7 * 7996 / 7000 = 7.996. */
    struct book *book = create_book("7:1");
    advance(book, still(7), 100);
    assert_int_equal(advance(book, candle_e8(7, 7, 7, 7), 0).consumed, 0);
    assert_int_equal(advance(book, candle_e8(7, 7, 6, 7), 0).consumed, 1);
    advance(book, candle_e8(8, 8, 7, 7), 100);
    struct level_list levels = take(book, 1);
    assert_int_equal(levels.count, 1);
    assert_int_equal(levels.levels[0].price_e8, 7); /* the bucket comes from 7.996 rounded down */
    assert_int_equal(advance(book, candle_e8(7, 7, 7, 7), 0).consumed, 0);
    assert_int_equal(advance(book, candle_e8(7, 8, 7, 7), 0).consumed, 1);
    level_list_deinit(&levels);
    book_destroy(book);
}

static void a_short_beyond_the_range_of_prices_is_kept(void **state)
{
    (void)state;
    struct book *book = create_book("1:1");
    advance(book, candle_e8(INT64_MAX, INT64_MAX, INT64_MAX - 1, INT64_MAX - 1), 100);
    struct level_list levels = take(book, 100 * E8);
    assert_int_equal(levels.count, 1);
    assert_true(levels.levels[0].price_e8 > 0);
    level_list_deinit(&levels);
    book_destroy(book);
}

static void a_doji_is_a_long(void **state)
{
    (void)state;
    struct book *book = create_book(LEVERAGE_WEIGHTS_DEFAULT);
    advance(book, candle_e8(100 * E8, 110 * E8, 90 * E8, 100 * E8), 100);
    struct level_list levels = take(book, E8);
    for (size_t i = 0; i < levels.count; i++) {
        assert_true(levels.levels[i].long_density > 0);
        assert_true(levels.levels[i].short_density == 0);
    }
    level_list_deinit(&levels);
    book_destroy(book);
}

static void a_candle_never_liquidates_the_positions_it_creates(void **state)
{
    (void)state;
    struct book *book = create_book(LEVERAGE_WEIGHTS_DEFAULT);
    struct candle wide = candle_e8(100 * E8, 1000 * E8, 1 * E8, 100 * E8);
    struct book_change change = advance(book, wide, 100);
    assert_int_equal(change.created, 5);
    assert_int_equal(change.consumed, 0);
    change = advance(book, wide, 100);
    assert_int_equal(change.created, 5);
    assert_int_equal(change.consumed, 5);
    assert_int_equal(reference_position_count(book), 5);
    book_destroy(book);
}

static void one_candle_liquidates_on_both_sides(void **state)
{
    (void)state;
    struct book *book = create_book(LEVERAGE_WEIGHTS_DEFAULT);
    advance(book, still(100 * E8), 100);
    advance(book, red(100 * E8), 100);
    struct candle wide = candle_e8(100 * E8, 102 * E8, 98 * E8, 100 * E8);
    assert_int_equal(advance(book, wide, 0).consumed, 4); /* 50x and 100x of each side */
    book_destroy(book);
}

/* -- volumes ----------------------------------------------------------------------------------- */

static void weights_are_normalised(void **state)
{
    (void)state;
    struct book *book = create_book("5:3,10:1");
    advance(book, still(1000 * E8), 100);
    struct level_list levels = take(book, 10 * E8);
    assert_int_equal(levels.count, 2);
    assert_int_equal(levels.levels[0].price_e8, 800 * E8);
    assert_true(levels.levels[0].long_density == 75);
    assert_int_equal(levels.levels[1].price_e8, 900 * E8);
    assert_true(levels.levels[1].long_density == 25);
    level_list_deinit(&levels);
    book_destroy(book);
}

static void a_tier_without_weight_creates_nothing_and_counts_nothing(void **state)
{
    (void)state;
    struct book *book = create_book("5:1,10:0,25:1");
    assert_int_equal(advance(book, still(1000 * E8), 100).created, 2);
    book_destroy(book);
}

static void the_default_weights_spread_a_delta_over_five_prices(void **state)
{
    (void)state;
    struct book *book = create_book(LEVERAGE_WEIGHTS_DEFAULT);
    advance(book, still(1000 * E8), 1000);
    struct level_list levels = take(book, E8 / 100);
    static const struct {
        int64_t price_e8;
        double volume;
    } expected[] = {{80080000000, 150},
                    {90040000000, 300},
                    {96016000000, 250},
                    {98008000000, 200},
                    {99004000000, 100}};
    assert_int_equal(levels.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(levels.levels[i].price_e8, expected[i].price_e8);
        assert_true(fabs(levels.levels[i].long_density - expected[i].volume) < 1e-10);
    }
    level_list_deinit(&levels);
    book_destroy(book);
}

static void a_collapse_of_open_interest_empties_the_book(void **state)
{
    (void)state;
    static const double falls[] = {1000, 1001, 1e18};
    for (size_t i = 0; i < 3; i++) {
        struct book *book = create_book(LEVERAGE_WEIGHTS_DEFAULT);
        advance(book, still(1000 * E8), 1000);
        advance(book, still(1000 * E8), -falls[i]);
        assert_int_equal(reference_position_count(book), 0);
        assert_true(reference_volume(book) == 0);
        struct level_list levels = take(book, E8);
        assert_int_equal(levels.count, 0);
        /* And it starts over as a new book would. */
        assert_int_equal(advance(book, still(1000 * E8), 1000).created, 5);
        assert_true(reference_volume(book) == 1000);
        level_list_deinit(&levels);
        book_destroy(book);
    }
}

static void shrinking_takes_the_same_share_of_every_position(void **state)
{
    (void)state;
    struct book *book = create_book("5:3,10:1");
    advance(book, still(1000 * E8), 1000);
    advance(book, still(1000 * E8), -250);
    struct level_list levels = take(book, 10 * E8);
    assert_true(levels.levels[0].long_density == 562.5);
    assert_true(levels.levels[1].long_density == 187.5);
    assert_true(reference_volume(book) == 750);
    level_list_deinit(&levels);
    book_destroy(book);
}

static void a_huge_position_that_is_gone_leaves_no_rounding_behind(void **state)
{
    (void)state;
    struct book *book = create_book("100:1");
    advance(book, still(900 * E8), 0.3);
    advance(book, still(1000 * E8), 9e17);
    advance(book, still(1000 * E8), 9e17 / 7);
    assert_int_equal(advance(book, still(950 * E8), 0).consumed, 2);
    assert_true(reference_volume(book) == 0.3);
    advance(book, still(950 * E8), -0.15);
    assert_true(fabs(reference_volume(book) - 0.15) < 1e-16);
    book_destroy(book);
}

static void shrinking_an_empty_book_changes_nothing(void **state)
{
    (void)state;
    struct book *book = create_book(LEVERAGE_WEIGHTS_DEFAULT);
    struct book_change change = advance(book, still(1000 * E8), -1000);
    assert_int_equal(change.created + change.consumed, 0);
    advance(book, still(1000 * E8), 1000);
    assert_true(reference_volume(book) == 1000);
    book_destroy(book);
}

static void exactly_a_hundredth_stays_and_less_is_dust(void **state)
{
    (void)state;
    /* 5x has 0.04 and 10x 0.0396; halved twice they are 0.01 and 0.0099. */
    struct book *book = create_book("5:400,10:396");
    advance(book, still(1000 * E8), 0.0796);
    advance(book, still(1000 * E8), -0.0398);
    assert_int_equal(reference_position_count(book), 2);
    advance(book, still(1000 * E8), -0.0199);
    assert_int_equal(reference_position_count(book), 1);
    struct level_list levels = take(book, 10 * E8);
    assert_int_equal(levels.levels[0].price_e8, 800 * E8);
    assert_true(fabs(levels.levels[0].long_density - 0.01) < 1e-12);
    level_list_deinit(&levels);
    book_destroy(book);
}

static void a_hundredth_survives_the_scale_of_many_shrinks(void **state)
{
    (void)state;
    struct book *book = create_book("5:1");
    advance(book, still(1000 * E8), 0.01 * 1024);
    for (int i = 0; i < 10; i++)
        advance(book, still(1000 * E8), -reference_volume(book) / 2);
    assert_int_equal(reference_position_count(book), 1);
    advance(book, still(1000 * E8), -1e-6);
    assert_int_equal(reference_position_count(book), 0);
    book_destroy(book);
}

static void dust_is_dropped_by_a_shrink_alone(void **state)
{
    (void)state;
    struct book *book = create_book(LEVERAGE_WEIGHTS_DEFAULT);
    assert_int_equal(advance(book, still(1000 * E8), 0.02).created, 5);
    advance(book, still(1000 * E8), 0);
    advance(book, still(1000 * E8), 1000);
    assert_int_equal(reference_position_count(book), 10);
    advance(book, still(1000 * E8), -0.001);
    assert_int_equal(reference_position_count(book), 5);
    book_destroy(book);
}

static void a_delta_that_is_no_number_is_missing_data(void **state)
{
    (void)state;
    static const double none[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, 0};
    struct book *book = create_book(LEVERAGE_WEIGHTS_DEFAULT);
    advance(book, still(1000 * E8), 1000);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(advance(book, still(1000 * E8), none[i]).created, 0);
    assert_true(reference_volume(book) == 1000);
    book_destroy(book);
}

static void a_candle_without_a_price_creates_nothing(void **state)
{
    (void)state;
    struct book *book = create_book(LEVERAGE_WEIGHTS_DEFAULT);
    assert_int_equal(advance(book, still(0), 1000).created, 0);
    assert_int_equal(advance(book, still(INT64_MIN), 1000).created, 0);
    book_destroy(book);
}

/* -- buckets ----------------------------------------------------------------------------------- */

static void a_price_on_a_bucket_edge_belongs_to_the_bucket_above(void **state)
{
    (void)state;
    struct book *book = create_book("50:1"); /* 1,000 -> 980.08 */
    advance(book, still(1000 * E8), 100);
    static const struct {
        int64_t bucket_e8, price_e8;
    } expected[] = {{98008000000, 98008000000}, {1000000, 98008000000}, {98008000001, 0},
                    {49004000000, 98008000000}, {E8, 980 * E8},         {100 * E8, 900 * E8},
                    {1, 98008000000},           {INT64_MAX, 0}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct level_list levels = take(book, expected[i].bucket_e8);
        assert_int_equal(levels.count, 1);
        assert_int_equal(levels.levels[0].price_e8, expected[i].price_e8);
        level_list_deinit(&levels);
    }
    book_destroy(book);
}

static void a_bucket_holds_both_sides(void **state)
{
    (void)state;
    struct book *book = create_book("50:1");
    advance(book, still(1000 * E8), 100); /* long at 980.08 */
    advance(book, red(961 * E8), 50);     /* liquidates it; short at 980.14312 */
    assert_int_equal(reference_position_count(book), 1);
    advance(book, still(970 * E8), 0);
    struct candle up = candle_e8(970 * E8, 980 * E8, 970 * E8, 980 * E8);
    advance(book, up, 25); /* long at 960.4784 */
    struct level_list levels = take(book, 100 * E8);
    assert_int_equal(levels.count, 1);
    assert_int_equal(levels.levels[0].price_e8, 900 * E8);
    assert_true(levels.levels[0].long_density == 25);
    assert_true(levels.levels[0].short_density == 50);
    level_list_deinit(&levels);
    book_destroy(book);
}

static void a_snapshot_overwrites_the_one_before(void **state)
{
    (void)state;
    struct book *book = create_book(LEVERAGE_WEIGHTS_DEFAULT);
    struct level_list levels = {0};
    advance(book, still(1000 * E8), 1000);
    book_snapshot(book, E8, &levels);
    assert_int_equal(levels.count, 5);
    book_snapshot(book, 1000 * E8, &levels);
    assert_int_equal(levels.count, 1);
    assert_true(fabs(levels.levels[0].long_density - 1000) < 1e-9);
    level_list_deinit(&levels);
    book_destroy(book);
}

/* -- everything at once ------------------------------------------------------------------------ */

/* docs/model.md word for word: every position is examined for every candle. */
struct oracle_position {
    int64_t entry_e8;
    int leverage;
    bool is_long, is_gone;
    long double volume;
};

struct oracle {
    struct leverage_weights weights;
    struct oracle_position *positions;
    size_t count, capacity;
    struct book_change change;
    long double created, consumed, shrunk; /* volume over all candles */
};

static void oracle_drop_gone(struct oracle *oracle)
{
    size_t kept = 0;
    for (size_t i = 0; i < oracle->count; i++)
        if (!oracle->positions[i].is_gone)
            oracle->positions[kept++] = oracle->positions[i];
    oracle->count = kept;
}

static bool oracle_is_touched(const struct oracle_position *position, struct candle candle)
{
    __int128 unit = 1000 * (__int128)position->leverage, entry = position->entry_e8;
    return position->is_long ? candle.low_e8 * unit <= entry * (unit - 996)
                             : candle.high_e8 * unit >= entry * (unit + 996);
}

static void oracle_consume(struct oracle *oracle, struct candle candle)
{
    for (size_t i = 0; i < oracle->count; i++) {
        struct oracle_position *position = &oracle->positions[i];
        position->is_gone = oracle_is_touched(position, candle);
        oracle->change.consumed += position->is_gone;
        oracle->consumed += position->is_gone ? position->volume : 0;
    }
    oracle_drop_gone(oracle);
}

static void oracle_create(struct oracle *oracle, struct candle candle, double delta)
{
    for (size_t i = 0; i < oracle->weights.count; i++) {
        double volume = delta * oracle->weights.tiers[i].weight;
        if (volume <= 0)
            continue;
        if (oracle->count == oracle->capacity) {
            oracle->capacity = oracle->capacity * 2 + 64;
            oracle->positions =
                realloc(oracle->positions, oracle->capacity * sizeof *oracle->positions);
        }
        oracle->positions[oracle->count++] = (struct oracle_position){
            .entry_e8 = candle.close_e8,
            .leverage = oracle->weights.tiers[i].leverage,
            .is_long = candle.close_e8 >= candle.open_e8,
            .volume = volume,
        };
        oracle->change.created++;
        oracle->created += volume;
    }
}

static long double oracle_volume(const struct oracle *oracle)
{
    long double total = 0;
    for (size_t i = 0; i < oracle->count; i++)
        total += oracle->positions[i].volume;
    return total;
}

static void oracle_shrink(struct oracle *oracle, double delta)
{
    long double total = oracle_volume(oracle);
    if (total == 0)
        return;
    long double share = fminl(fabsl((long double)delta) / total, 1);
    for (size_t i = 0; i < oracle->count; i++) {
        struct oracle_position *position = &oracle->positions[i];
        long double volume = position->volume * (1 - share);
        position->is_gone = volume < 0.01L * (1 - 1e-12L);
        oracle->shrunk += position->is_gone ? position->volume : position->volume - volume;
        position->volume = volume;
    }
    oracle_drop_gone(oracle);
}

static void oracle_advance(struct oracle *oracle, struct candle candle, double delta)
{
    oracle->change = (struct book_change){0};
    oracle_consume(oracle, candle);
    if (delta > 0)
        oracle_create(oracle, candle, delta);
    else if (delta < 0)
        oracle_shrink(oracle, delta);
}

static int64_t oracle_bucket(const struct oracle_position *position, int64_t bucket_e8)
{
    __int128 unit = 1000 * (__int128)position->leverage;
    __int128 product = position->entry_e8 * (position->is_long ? unit - 996 : unit + 996);
    return (int64_t)(product / (unit * bucket_e8)) * bucket_e8;
}

static int compare_levels(const void *a, const void *b)
{
    int64_t first = ((const struct level *)a)->price_e8,
            second = ((const struct level *)b)->price_e8;
    return (first > second) - (first < second);
}

static struct level_list oracle_snapshot(const struct oracle *oracle, int64_t bucket_e8)
{
    struct level_list list = {.levels = calloc(oracle->count + 1, sizeof(struct level))};
    for (size_t i = 0; i < oracle->count; i++) {
        const struct oracle_position *position = &oracle->positions[i];
        int64_t price_e8 = oracle_bucket(position, bucket_e8);
        size_t at = 0;
        while (at < list.count && list.levels[at].price_e8 != price_e8)
            at++;
        list.count += at == list.count;
        list.levels[at].price_e8 = price_e8;
        *(position->is_long ? &list.levels[at].long_density : &list.levels[at].short_density) +=
            (double)position->volume;
    }
    qsort(list.levels, list.count, sizeof *list.levels, compare_levels);
    return list;
}

/* A shrink takes an amount and not a share, so what is left of a book keeps the rounding of the
 * whole: a volume of 10 that was 1e9 once is uncertain by 1e9 * 2^-53. `peak` is the whole. */
static bool is_near(double a, double b, double peak)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b)) + 1e-15 * peak;
}

static void assert_levels_near(const struct level_list *actual, const struct level_list *expected,
                               double peak)
{
    assert_int_equal(actual->count, expected->count);
    for (size_t i = 0; i < actual->count; i++) {
        assert_int_equal(actual->levels[i].price_e8, expected->levels[i].price_e8);
        assert_true(
            is_near(actual->levels[i].long_density, expected->levels[i].long_density, peak));
        assert_true(
            is_near(actual->levels[i].short_density, expected->levels[i].short_density, peak));
    }
}

/* xorshift: the same walk on every machine and in every run. */
static double random_unit(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (double)(*seed >> 11) / 9007199254740992.0;
}

enum interest { FLAT, RISING, FALLING, SAWTOOTH, GEOMETRIC, EBBING, DAILY, BURSTS, INTEREST_COUNT };

static double random_delta(enum interest interest, size_t index, double volume, uint64_t *seed)
{
    double u = random_unit(seed);
    switch (interest) {
    case FLAT:
        return 2e6 * (u - 0.5);
    case RISING:
        return 1e6 * u;
    case FALLING: /* fed now and then, so that there is something to fall */
        return index % 40 == 0 ? 1e6 * u : -1e5 * u;
    case SAWTOOTH:
        return index / 12 % 2 == 0 ? 1e6 * u : -1e6 * u;
    case GEOMETRIC: /* down to dust and far beyond, through any scale */
        return index % 3 == 0 ? pow(10, 12 * u - 3) : -volume * 0.9 * u;
    case EBBING: /* positions become dust one at a time */
        return index % 10 == 0 ? 1e3 * u : -volume * 0.05 * u;
    case DAILY: /* and many at once */
        return index % 60 == 59 ? -volume * 0.95 : 1e6 * u;
    default: /* long silence, then a burst or a collapse */
        return index % 50 == 0 ? 1e9 * u : index % 501 == 0 ? -1e10 : 0;
    }
}

static struct candle random_candle(int64_t price_e8, double volatility, uint64_t *seed)
{
    double open = (double)price_e8, close = open * (1 + volatility * (random_unit(seed) - 0.5));
    double high = fmax(open, close) * (1 + volatility * random_unit(seed) / 4);
    double low = fmin(open, close) * (1 - volatility * random_unit(seed) / 4);
    /* Whole cents, so that exact touches happen. */
    const int64_t cent = E8 / 100;
    return candle_e8((int64_t)open / cent * cent, (int64_t)high / cent * cent,
                     (int64_t)low / cent * cent, (int64_t)close / cent * cent);
}

static void walk(enum interest interest, double volatility, size_t count, uint64_t seed)
{
    static const int64_t buckets[] = {100 * E8, 100 * E8, 100 * E8, E8, E8 / 100, 33333333333};
    struct oracle oracle = {.weights = parse_weights(LEVERAGE_WEIGHTS_DEFAULT)};
    const struct model_settings settings = {.weights = oracle.weights};
    struct book *book = book_create(&reference_model, &settings);
    int64_t price_e8 = 98000 * E8;
    double peak = 0; /* greatest volume since the book was empty */
    for (size_t i = 0; i < count; i++) {
        struct candle candle = random_candle(price_e8, volatility, &seed);
        double delta = random_delta(interest, i, reference_volume(book), &seed);
        price_e8 = candle.close_e8 > 1000 * E8 ? candle.close_e8 : 98000 * E8;
        oracle_advance(&oracle, candle, delta);
        struct book_change change =
            book_advance(book, &candle, (struct interest_step){.delta = delta});
        assert_int_equal(change.created, oracle.change.created);
        assert_int_equal(change.consumed, oracle.change.consumed);
        assert_int_equal(reference_position_count(book), oracle.count);
        double volume = (double)oracle_volume(&oracle);
        peak = oracle.count > 0 ? fmax(peak, volume) : 0;
        assert_true(is_near(reference_volume(book), volume, peak));
        if (i % 7 != 0)
            continue;
        int64_t bucket_e8 = buckets[i / 7 % (sizeof buckets / sizeof buckets[0])];
        struct level_list expected = oracle_snapshot(&oracle, bucket_e8);
        struct level_list actual = take(book, bucket_e8);
        assert_levels_near(&actual, &expected, peak);
        level_list_deinit(&expected);
        level_list_deinit(&actual);
    }
    /* Volume is conserved: what was created is active, was consumed, or was shrunk away. */
    long double accounted = reference_volume(book) + oracle.consumed + oracle.shrunk;
    assert_true(is_near((double)oracle.created, (double)accounted, 0));
    free(oracle.positions);
    book_destroy(book);
}

static void the_book_does_what_the_text_says_for_any_course_of_open_interest(void **state)
{
    (void)state;
    static const double volatilities[] = {0, 0.002, 0.02, 0.2};
    for (enum interest interest = FLAT; interest < INTEREST_COUNT; interest++)
        for (size_t v = 0; v < sizeof volatilities / sizeof volatilities[0]; v++)
            walk(interest, volatilities[v], 1500, 88172645463325252u + interest * 7 + v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exact_touch_liquidates_a_long),
        cmocka_unit_test(an_exact_touch_liquidates_a_short),
        cmocka_unit_test(touches_between_two_integers_round_away_from_the_market),
        cmocka_unit_test(a_short_beyond_the_range_of_prices_is_kept),
        cmocka_unit_test(a_doji_is_a_long),
        cmocka_unit_test(a_candle_never_liquidates_the_positions_it_creates),
        cmocka_unit_test(one_candle_liquidates_on_both_sides),
        cmocka_unit_test(weights_are_normalised),
        cmocka_unit_test(a_tier_without_weight_creates_nothing_and_counts_nothing),
        cmocka_unit_test(the_default_weights_spread_a_delta_over_five_prices),
        cmocka_unit_test(a_collapse_of_open_interest_empties_the_book),
        cmocka_unit_test(shrinking_takes_the_same_share_of_every_position),
        cmocka_unit_test(a_huge_position_that_is_gone_leaves_no_rounding_behind),
        cmocka_unit_test(shrinking_an_empty_book_changes_nothing),
        cmocka_unit_test(exactly_a_hundredth_stays_and_less_is_dust),
        cmocka_unit_test(a_hundredth_survives_the_scale_of_many_shrinks),
        cmocka_unit_test(dust_is_dropped_by_a_shrink_alone),
        cmocka_unit_test(a_delta_that_is_no_number_is_missing_data),
        cmocka_unit_test(a_candle_without_a_price_creates_nothing),
        cmocka_unit_test(a_price_on_a_bucket_edge_belongs_to_the_bucket_above),
        cmocka_unit_test(a_bucket_holds_both_sides),
        cmocka_unit_test(a_snapshot_overwrites_the_one_before),
        cmocka_unit_test(the_book_does_what_the_text_says_for_any_course_of_open_interest),
    };
    return cmocka_run_group_tests_name("reference", tests, NULL, NULL);
}
