/* One walk a map: its book is led through the candles, and before each one that is scored its
 * density is read in the buckets that the candle then reached. What is kept of a map is one number
 * a pair while its ROC curve is measured, and one a candle, so memory does not grow with the number
 * of maps. Tiers are books of one tier each, since what a level has of which tier is the model's
 * own affair; in a model of moments tiers do not influence each other, so the parts are those of
 * the whole.
 *
 * Densities of a pair belong to the side whose positions price reaches there: longs below the
 * candle before, shorts above it. */
#include "score/score.h"

#include "base/check.h"
#include "base/memory.h"
#include "score/altered.h"
#include "score/blocks.h"
#include "score/ranks.h"
#include "score/reach.h"
#include "score/roc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Variables of the rank correlations: the maps, and what happened. */
enum { OUTCOME = SCORE_MAP_COUNT };
_Static_assert(SCORE_MAP_COUNT + 1 == RANKS_VARIABLES, "each map has a rank, and the outcome");

struct measuring {
    const struct score_request *request;
    struct score *score;
    struct reach reach;
    struct blocks blocks;
    struct roc roc;
    struct ranked *ranked;
    double *densities;               /* of each pair */
    double *of[SCORE_MAP_COUNT + 1]; /* of each candle: amounts, and later ranks */
    double *tiers[TIERS_MAX];        /* of each candle: what the model has of a tier */
    double *areas[SCORE_MAP_COUNT];  /* of each draw */
    double drawn[SCORE_DRAWS];
    struct series told;
};

const char *score_map_name(enum score_map map)
{
    static const char *const names[SCORE_MAP_COUNT] = {
        [SCORE_MODEL] = "model",       [SCORE_CONSTANT] = "constant",
        [SCORE_RECENT] = "recent",     [SCORE_VOLUME] = "volume",
        [SCORE_SHUFFLED] = "shuffled", [SCORE_WRONG_SIDE] = "wrong_side",
        [SCORE_SHIFTED] = "shifted",
    };
    return names[map];
}

double score_least_lead(const struct score *score, enum score_measure measure)
{
    double least = INFINITY;
    for (size_t map = SCORE_MODEL + 1; map < SCORE_MAP_COUNT; map++) {
        const struct score_of_map *found = &score->maps[map];
        const double low =
            measure == SCORE_LOCATION ? found->location_lead.low : found->rank_lead.low;
        if (isnan(low))
            return low;
        least = fmin(least, low);
    }
    return least;
}

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "not enough memory for a score just now");
}

/* -- maps -------------------------------------------------------------------------------------- */

/* The first level at or above a price. */
static size_t find_level(const struct level_list *levels, int64_t price_e8)
{
    size_t low = 0, high = levels->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (levels->levels[middle].price_e8 < price_e8)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The densities of one side in `count` buckets from the bucket `first` on; returns their sum. */
static double read_side(const struct level_list *levels, int64_t bucket_e8, int64_t first,
                        uint32_t count, bool is_long, double *densities)
{
    double sum = 0;
    memset(densities, 0, count * sizeof *densities);
    if (count == 0)
        return 0;
    for (size_t i = find_level(levels, first * bucket_e8); i < levels->count; i++) {
        const struct level *level = &levels->levels[i];
        const int64_t place = level->price_e8 / bucket_e8 - first;
        if (place >= count)
            break;
        densities[place] = is_long ? level->long_density : level->short_density;
        sum += densities[place];
    }
    return sum;
}

/* What the map has where the candle is going to be, `levels` being that of before it. */
static double read_candle(struct measuring *work, const struct reach_candle *candle,
                          const struct level_list *levels)
{
    const int64_t bucket_e8 = work->request->bucket_e8;
    double *densities = &work->densities[candle->first_pair];
    return read_side(levels, bucket_e8, candle->below, candle->below_count, true, densities) +
           read_side(levels, bucket_e8, candle->above, candle->above_count, false,
                     densities + candle->below_count);
}

/* Leads a book through `series` and reads it before each candle that is scored. */
static enum status lead(struct measuring *work, struct book *book, const struct series *series,
                        double *sums, struct error *error)
{
    struct level_list levels = {0};
    enum status status = STATUS_OK;
    size_t next = 0;
    for (size_t at = 0; at < series->count && next < work->reach.count && status == STATUS_OK;
         at++) {
        const struct reach_candle *candle = &work->reach.candles[next];
        if (candle->at == at) {
            sums[next] = 0;
            if (candle->below_count + candle->above_count > 0) {
                book_snapshot(book, work->request->bucket_e8, &levels);
                sums[next] = read_candle(work, candle, &levels);
            }
            next++;
        }
        book_advance(book, &series->candles[at], series_interest(series, at));
        if (book->has_failed || levels.has_failed)
            status = no_memory(error);
        else
            status = stop_token_check(&work->request->stop, error);
    }
    level_list_deinit(&levels);
    return status;
}

static enum status lead_map(struct measuring *work, enum score_map map, struct error *error)
{
    const struct score_request *request = work->request;
    const struct model_settings settings = altered_settings(map, request->settings);
    altered_fill(map, request->series, &work->told);
    if (work->told.has_failed)
        return no_memory(error);
    struct book *book = book_create(altered_model(map, request->model), &settings);
    if (book == NULL)
        return no_memory(error);
    enum status status = lead(work, book, &work->told, work->of[map], error);
    book_destroy(book);
    return status;
}

/* A book with the tier alone, of which it has all. */
static enum status lead_tier(struct measuring *work, size_t tier, struct error *error)
{
    const struct score_request *request = work->request;
    struct model_settings settings = *request->settings;
    settings.weights.count = 1;
    settings.weights.tiers[0].leverage = request->settings->weights.tiers[tier].leverage;
    settings.weights.tiers[0].weight = 1;
    struct book *book = book_create(request->model, &settings);
    if (book == NULL)
        return no_memory(error);
    enum status status = lead(work, book, request->series, work->tiers[tier], error);
    book_destroy(book);
    for (size_t i = 0; i < work->reach.count; i++)
        work->tiers[tier][i] *= request->settings->weights.tiers[tier].weight;
    return status;
}

/* -- location ---------------------------------------------------------------------------------- */

/* After the densities of the constant map have been read: buckets in which it has nothing are those
 * where no position can be, by all that price has done. Every map is right about them, and there
 * are so many that they would hide in what maps differ. */
static void leave_out_unreachable(struct measuring *work)
{
    for (size_t pair = 0; pair < work->reach.pair_count; pair++)
        if (!(work->densities[pair] > 0))
            work->reach.days[pair] = REACH_NO_DAY;
}

/* After the map's densities have been read. */
static void measure_area(struct measuring *work, enum score_map map)
{
    struct score_of_map *found = &work->score->maps[map];
    found->location = blocks_unknown();
    if (!work->request->has_prints)
        return;
    roc_measure(&work->roc, &work->reach, work->densities, work->ranked);
    for (size_t draw = 0; draw < SCORE_DRAWS; draw++)
        work->areas[map][draw] = roc_area(&work->roc, blocks_draw(&work->blocks, draw));
    memcpy(work->drawn, work->areas[map], sizeof work->drawn);
    found->location = blocks_estimate(&work->blocks, roc_area(&work->roc, NULL), work->drawn);
}

static void measure_area_lead(struct measuring *work, enum score_map map)
{
    const double value =
        work->score->maps[SCORE_MODEL].location.value - work->score->maps[map].location.value;
    work->score->maps[map].location_lead = blocks_unknown();
    if (map == SCORE_MODEL || !work->request->has_prints)
        return;
    for (size_t draw = 0; draw < SCORE_DRAWS; draw++)
        work->drawn[draw] = work->areas[SCORE_MODEL][draw] - work->areas[map][draw];
    work->score->maps[map].location_lead = blocks_estimate(&work->blocks, value, work->drawn);
}

/* -- amounts ----------------------------------------------------------------------------------- */

/* The sum of one number a candle over the sum of another. */
static enum status measure_factor(struct measuring *work, const double *above, const double *below,
                                  struct score_estimate *factor, struct error *error)
{
    const size_t days = work->reach.day_count;
    double *sums = memory_try_allocate_zeroed(2 * days, sizeof *sums);
    double total_above = 0, total_below = 0;
    if (sums == NULL)
        return no_memory(error);
    for (size_t i = 0; i < work->reach.count; i++) {
        const size_t day = work->reach.candles[i].day;
        sums[2 * day] += above[i];
        sums[2 * day + 1] += below[i];
        total_above += above[i];
        total_below += below[i];
    }
    for (size_t draw = 0; draw < SCORE_DRAWS; draw++) {
        const uint16_t *times = blocks_draw(&work->blocks, draw);
        double drawn_above = 0, drawn_below = 0;
        for (size_t day = 0; day < days; day++) {
            drawn_above += times[day] * sums[2 * day];
            drawn_below += times[day] * sums[2 * day + 1];
        }
        work->drawn[draw] = drawn_below > 0 ? drawn_above / drawn_below : (double)NAN;
    }
    free(sums);
    *factor = blocks_estimate(
        &work->blocks, total_below > 0 ? total_above / total_below : (double)NAN, work->drawn);
    return STATUS_OK;
}

/* `shares` is written over: what happened, times the tier's part of what was predicted. */
static enum status measure_tier(struct measuring *work, size_t tier, double *shares,
                                struct error *error)
{
    struct score_tier *found = &work->score->tiers[work->score->tier_count++];
    const double *of_tier = work->tiers[tier], *of_all = work->of[SCORE_MODEL];
    *found = (struct score_tier){.leverage = work->request->settings->weights.tiers[tier].leverage};
    for (size_t i = 0; i < work->reach.count; i++) {
        found->predicted += of_tier[i];
        shares[i] = of_all[i] > 0 ? work->of[OUTCOME][i] * (of_tier[i] / of_all[i]) : 0;
    }
    return measure_factor(work, shares, of_tier, &found->factor, error);
}

static enum status measure_tiers(struct measuring *work, struct error *error)
{
    const struct leverage_weights *weights = &work->request->settings->weights;
    enum status status = STATUS_OK;
    work->score->tier_count = 0;
    if (!model_is_of_moment(work->request->model))
        return STATUS_OK;
    double *shares = memory_try_allocate_zeroed(work->reach.count, sizeof *shares);
    if (shares == NULL)
        return no_memory(error);
    for (size_t tier = 0; tier < weights->count && status == STATUS_OK; tier++) {
        if (!(weights->tiers[tier].weight > 0))
            continue;
        work->tiers[tier] = memory_try_allocate_zeroed(work->reach.count, sizeof(double));
        if (work->tiers[tier] == NULL) {
            status = no_memory(error);
            break;
        }
        status = lead_tier(work, tier, error);
        if (status == STATUS_OK)
            status = measure_tier(work, tier, shares, error);
    }
    free(shares);
    return status;
}

static enum status measure_amounts(struct measuring *work, struct error *error)
{
    struct score *score = work->score;
    for (size_t i = 0; i < work->reach.count; i++) {
        work->of[OUTCOME][i] = work->reach.candles[i].outcome;
        score->predicted += work->of[SCORE_MODEL][i];
    }
    enum status status =
        measure_factor(work, work->of[OUTCOME], work->of[SCORE_MODEL], &score->factor, error);
    return status == STATUS_OK ? measure_tiers(work, error) : status;
}

/* -- ranks ------------------------------------------------------------------------------------- */

/* What is told of one map by the sums of some days. */
struct rank_numbers {
    double rank, lead, partial;
};

static struct rank_numbers numbers_of(const struct ranks_day *sum, enum score_map map)
{
    const double rank = ranks_correlation(sum, map, OUTCOME);
    return (struct rank_numbers){
        .rank = rank,
        .lead = ranks_correlation(sum, SCORE_MODEL, OUTCOME) - rank,
        .partial = ranks_partial(sum, SCORE_MODEL, OUTCOME, map),
    };
}

static struct ranks_day sum_days(const struct measuring *work, const struct ranks_day *days,
                                 const uint16_t *times)
{
    struct ranks_day sum = {0};
    for (size_t day = 0; day < work->reach.day_count; day++)
        if (times == NULL || times[day] > 0)
            ranks_add_day(&sum, &days[day], times != NULL ? times[day] : 1);
    return sum;
}

/* `sums` has the sum of each draw's days. */
static void measure_rank(struct measuring *work, enum score_map map, const struct ranks_day *all,
                         const struct ranks_day *sums)
{
    struct score_of_map *found = &work->score->maps[map];
    const struct rank_numbers numbers = numbers_of(all, map);
    double drawn_lead[SCORE_DRAWS], drawn_partial[SCORE_DRAWS];
    for (size_t draw = 0; draw < SCORE_DRAWS; draw++) {
        const struct rank_numbers of_draw = numbers_of(&sums[draw], map);
        work->drawn[draw] = of_draw.rank;
        drawn_lead[draw] = of_draw.lead;
        drawn_partial[draw] = of_draw.partial;
    }
    found->rank = blocks_estimate(&work->blocks, numbers.rank, work->drawn);
    found->rank_lead = found->partial = blocks_unknown();
    if (map == SCORE_MODEL)
        return;
    found->rank_lead = blocks_estimate(&work->blocks, numbers.lead, drawn_lead);
    found->partial = blocks_estimate(&work->blocks, numbers.partial, drawn_partial);
}

/* The amounts become their ranks. */
static enum status measure_ranks(struct measuring *work, struct error *error)
{
    const size_t count = work->reach.count;
    struct ranked *ranked = memory_try_allocate_zeroed(count, sizeof *ranked);
    struct ranks_day *days = memory_try_allocate_zeroed(work->reach.day_count, sizeof *days);
    struct ranks_day *sums = memory_try_allocate_zeroed(SCORE_DRAWS, sizeof *sums);
    enum status status = STATUS_OK;
    if (ranked == NULL || days == NULL || sums == NULL) {
        status = no_memory(error);
        goto cleanup;
    }
    for (size_t variable = 0; variable < RANKS_VARIABLES; variable++)
        ranks_of(work->of[variable], count, ranked);
    for (size_t i = 0; i < count; i++) {
        double values[RANKS_VARIABLES];
        for (size_t variable = 0; variable < RANKS_VARIABLES; variable++)
            values[variable] = work->of[variable][i] - (double)count / 2; /* keeps products small */
        ranks_add(&days[work->reach.candles[i].day], values);
    }
    const struct ranks_day all = sum_days(work, days, NULL);
    for (size_t draw = 0; draw < SCORE_DRAWS; draw++)
        sums[draw] = sum_days(work, days, blocks_draw(&work->blocks, draw));
    for (size_t map = 0; map < SCORE_MAP_COUNT; map++)
        measure_rank(work, (enum score_map)map, &all, sums);
cleanup:
    free(ranked);
    free(days);
    free(sums);
    return status;
}

/* -- the whole --------------------------------------------------------------------------------- */

static enum status make_room(struct measuring *work, struct error *error)
{
    const struct reach *reach = &work->reach;
    bool has_room = blocks_init(&work->blocks, reach->day_count);
    if (work->request->has_prints) {
        has_room = roc_init(&work->roc, reach->day_count) && has_room;
        work->ranked = memory_try_allocate_zeroed(reach->pair_count + 1, sizeof *work->ranked);
        has_room = has_room && work->ranked != NULL;
    }
    work->densities = memory_try_allocate_zeroed(reach->pair_count + 1, sizeof *work->densities);
    has_room = has_room && work->densities != NULL;
    for (size_t i = 0; i <= SCORE_MAP_COUNT && has_room; i++) {
        work->of[i] = memory_try_allocate_zeroed(reach->count, sizeof *work->of[i]);
        has_room = work->of[i] != NULL;
    }
    for (size_t i = 0; i < SCORE_MAP_COUNT && has_room; i++) {
        work->areas[i] = memory_try_allocate_zeroed(SCORE_DRAWS, sizeof *work->areas[i]);
        has_room = work->areas[i] != NULL;
    }
    return has_room ? STATUS_OK : no_memory(error);
}

static void clean_up(struct measuring *work)
{
    reach_deinit(&work->reach);
    blocks_deinit(&work->blocks);
    roc_deinit(&work->roc);
    series_deinit(&work->told);
    free(work->ranked);
    free(work->densities);
    for (size_t i = 0; i <= SCORE_MAP_COUNT; i++)
        free(work->of[i]);
    for (size_t i = 0; i < SCORE_MAP_COUNT; i++)
        free(work->areas[i]);
    for (size_t i = 0; i < TIERS_MAX; i++)
        free(work->tiers[i]);
}

enum status score_compute(const struct score_request *request, struct score *score,
                          struct error *error)
{
    struct measuring work = {.request = request, .score = score};
    check(request->bucket_e8 > 0);
    *score = (struct score){0};
    enum status status = reach_find(&work.reach, request, error);
    if (status == STATUS_OK)
        status = make_room(&work, error);
    if (status == STATUS_OK)
        status = lead_map(&work, SCORE_CONSTANT, error);
    if (status == STATUS_OK)
        leave_out_unreachable(&work);
    for (size_t map = 0; map < SCORE_MAP_COUNT && status == STATUS_OK; map++) {
        status = lead_map(&work, (enum score_map)map, error);
        if (status == STATUS_OK)
            measure_area(&work, (enum score_map)map);
    }
    for (size_t map = 0; map < SCORE_MAP_COUNT && status == STATUS_OK; map++)
        measure_area_lead(&work, (enum score_map)map);
    score->candle_count = work.reach.count;
    score->pair_count = work.reach.pair_count;
    score->day_count = work.reach.day_count;
    score->liquidated_days = work.reach.liquidated_days;
    score->has_prints = request->has_prints;
    score->liquidated = work.reach.liquidated;
    score->in_reach = work.reach.in_reach;
    if (status == STATUS_OK)
        status = measure_amounts(&work, error);
    if (status == STATUS_OK)
        status = measure_ranks(&work, error);
    clean_up(&work);
    return status;
}
