/* Telling one meaning. The deviation, not the mean, is compared: an exchange may value with its
 * index or mark price, which is apart from the trades' by a little that hardly changes, while the
 * price of five minutes earlier or later is apart by what the market has moved, which changes all
 * the time. On real rows the right offset is some 1 bps off, and the others some 15.
 *
 * One candle or row that is 1 % off would make all three offsets alike, so the quarter of the rows
 * that is the farthest off does not count, for each offset by itself. Fewer rows agree by chance
 * more easily, so the next best has to be worse by more. All rows are compared as well, for a
 * price that hardly moves, where the few moves are all that tells. On real months with 3 % of odd
 * candles and rows, 12 rows do not tell in 0.5 % of the cases and tell what is wrong in 0.1 %; of
 * rows of another market 0.1 % tell something.
 *
 * Telling parts. Each row has a cost by each meaning: how far its price is off, in units of what is
 * usual. The meanings of all rows are those of the least sum of costs, where a change costs as much
 * as a row that is far off (Viterbi's path), so that a single odd row changes nothing, and a few
 * that agree do. By how much the sum would be larger if one row meant something else is how sure it
 * is. Each part has then to be told by itself, as above. */
#include "model/interest_label.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>

/* How much worse the next best must be, */
#define RATIO_OF_ALL 2.0   /* by all rows */
#define RATIO_OF_MOST 2.5  /* without those that are the farthest off */
#define RATIO_OF_FEW 1.0   /* and so much more if they are few */
#define FEW_ROWS 24        /* fewer than these are */
#define ODD_SHARE 4        /* one in so many may be far off without counting */
#define ERROR_MAX_BPS 50.0 /* above it, these are not the candles that the rows were valued by */

/* In squares of the usual error. */
#define COST_MAX 25.0    /* of a row, however far it is off */
#define COST_UNKNOWN 9.0 /* where there is no candle to compare with */
#define COST_OF_CHANGE 20.0
#define DOUBT 6.0       /* a row whose other meaning costs less than this more is doubtful */
#define ERROR_MIN 5e-5  /* the usual error is not taken for less: half a bps */
#define ERROR_SHARE 1.5 /* of the median of the errors, as a standard deviation is */

enum { OFFSET_COUNT = INTEREST_LABEL_OFFSETS };
static const int64_t offsets_ms[OFFSET_COUNT] = {-CANDLE_MS, 0, CANDLE_MS};

static int compare_doubles(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

/* NAN of none. */
static double median(double *numbers, size_t count)
{
    if (count == 0)
        return NAN;
    qsort(numbers, count, sizeof *numbers, compare_doubles);
    return numbers[count / 2];
}

/* -- one meaning ------------------------------------------------------------------------------- */

/* Logarithms of price / open, by the three meanings. */
struct differences {
    size_t count;
    double *of[OFFSET_COUNT];
};

/* Only rows that have a candle at each offset count, so that all are compared over the same. */
static void find_differences(const struct interest_label_row *rows, size_t count,
                             double (*open_at)(int64_t time_ms, void *context), void *context,
                             struct differences *differences)
{
    for (size_t i = 0; i < count; i++) {
        bool is_usable = rows[i].price > 0 && isfinite(rows[i].price);
        for (int k = 0; k < OFFSET_COUNT && is_usable; k++) {
            double open = open_at(rows[i].label_ms + offsets_ms[k], context);
            is_usable = open > 0;
            if (is_usable)
                differences->of[k][differences->count] = log(rows[i].price / open);
        }
        differences->count += is_usable;
    }
}

static double deviation_of_all_bps(const double *numbers, size_t count)
{
    double sum = 0, sum_of_squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += numbers[i];
        sum_of_squares += numbers[i] * numbers[i];
    }
    double mean = sum / (double)count, variance = sum_of_squares / (double)count - mean * mean;
    return variance > 0 ? sqrt(variance) * 1e4 : 0;
}

/* Without the numbers that are the farthest off. Overwrites them all. */
static double deviation_of_most_bps(double *numbers, size_t count)
{
    const size_t used = count - count / ODD_SHARE;
    double middle = median(numbers, count), sum_of_squares = 0;
    for (size_t i = 0; i < count; i++)
        numbers[i] = fabs(numbers[i] - middle);
    qsort(numbers, count, sizeof *numbers, compare_doubles);
    for (size_t i = 0; i < used; i++)
        sum_of_squares += numbers[i] * numbers[i];
    return sqrt(sum_of_squares / (double)used) * 1e4;
}

/* Whether one of the three is much better than the others. */
static bool compare_meanings(const double bps[OFFSET_COUNT], size_t row_count, double ratio_min,
                             struct interest_label *label)
{
    *label = (struct interest_label){
        .error_bps = INFINITY, .next_error_bps = INFINITY, .row_count = row_count};
    for (int k = 0; k < OFFSET_COUNT; k++) {
        if (bps[k] < label->error_bps) {
            label->next_error_bps = label->error_bps;
            label->error_bps = bps[k];
            label->offset_ms = offsets_ms[k];
        } else if (bps[k] < label->next_error_bps) {
            label->next_error_bps = bps[k];
        }
    }
    double ratio = ratio_min + (row_count < FEW_ROWS ? RATIO_OF_FEW : 0);
    return label->error_bps <= ERROR_MAX_BPS && label->next_error_bps > 0 &&
           label->error_bps * ratio <= label->next_error_bps;
}

/* By most of the rows, or by all where these agree on what is best. */
static bool tell_meaning(struct differences *differences, struct interest_label *label)
{
    struct interest_label by_all;
    double of_all[OFFSET_COUNT], of_most[OFFSET_COUNT];
    for (int k = 0; k < OFFSET_COUNT; k++) {
        of_all[k] = deviation_of_all_bps(differences->of[k], differences->count);
        of_most[k] = deviation_of_most_bps(differences->of[k], differences->count);
    }
    if (compare_meanings(of_most, differences->count, RATIO_OF_MOST, label))
        return true;
    bool is_told = compare_meanings(of_all, differences->count, RATIO_OF_ALL, &by_all) &&
                   by_all.offset_ms == label->offset_ms;
    if (is_told)
        *label = by_all;
    return is_told;
}

bool interest_label_detect(const struct interest_label_row *rows, size_t count,
                           double (*open_at)(int64_t time_ms, void *context), void *context,
                           struct interest_label *label)
{
    struct differences differences = {0};
    *label = (struct interest_label){.error_bps = INFINITY, .next_error_bps = INFINITY};
    if (count < INTEREST_LABEL_ROWS_MIN)
        return false;
    double *numbers = memory_allocate_zeroed(count * OFFSET_COUNT, sizeof *numbers);
    for (size_t k = 0; k < OFFSET_COUNT; k++)
        differences.of[k] = numbers + k * count;
    find_differences(rows, count, open_at, context, &differences);
    bool is_told =
        differences.count >= INTEREST_LABEL_ROWS_MIN && tell_meaning(&differences, label);
    free(numbers);
    return is_told;
}

/* -- parts ------------------------------------------------------------------------------------- */

/* Rows by the three meanings. */
struct costs {
    size_t count;
    double (*off)[OFFSET_COUNT]; /* logarithm of price / open; NAN: not known */
    double (*cost)[OFFSET_COUNT];
    double (*before)[OFFSET_COUNT]; /* the least cost of all rows up to this one */
    double (*after)[OFFSET_COUNT];  /* of all from this one on */
    double *sorted;                 /* room for a median */
};

/* How far the rows are off in the middle, by one meaning, from `centre`. */
static double middle_of(struct costs *costs, int meaning, double centre, bool is_distance)
{
    size_t count = 0;
    for (size_t i = 0; i < costs->count; i++) {
        double off = costs->off[i][meaning] - centre;
        if (!isnan(off))
            costs->sorted[count++] = is_distance ? fabs(off) : off;
    }
    return median(costs->sorted, count);
}

/* By how much prices differ from opens where nothing is wrong: an exchange may value with another
 * price. */
static double usual_difference(struct costs *costs)
{
    double best = INFINITY, usual = 0;
    for (int k = 0; k < OFFSET_COUNT; k++) {
        double middle = middle_of(costs, k, 0, false);
        double distance = middle_of(costs, k, middle, true);
        if (distance < best) {
            best = distance;
            usual = middle;
        }
    }
    return usual;
}

static double usual_error(struct costs *costs, double usual)
{
    size_t count = 0;
    for (size_t i = 0; i < costs->count; i++) {
        double least = INFINITY;
        for (int k = 0; k < OFFSET_COUNT; k++)
            least = fmin(least, fabs(costs->off[i][k] - usual)); /* a NAN is passed over */
        if (least < INFINITY)
            costs->sorted[count++] = least;
    }
    double error = median(costs->sorted, count) * ERROR_SHARE;
    return error > ERROR_MIN ? error : ERROR_MIN; /* also of none */
}

static void find_costs(struct costs *costs, const struct interest_label_row *rows,
                       double (*open_at)(int64_t time_ms, void *context), void *context)
{
    for (size_t i = 0; i < costs->count; i++)
        for (int k = 0; k < OFFSET_COUNT; k++) {
            double open = open_at(rows[i].label_ms + offsets_ms[k], context);
            bool is_known = open > 0 && rows[i].price > 0 && isfinite(rows[i].price);
            costs->off[i][k] = is_known ? log(rows[i].price / open) : NAN;
        }
    double usual = usual_difference(costs), error = usual_error(costs, usual);
    for (size_t i = 0; i < costs->count; i++)
        for (int k = 0; k < OFFSET_COUNT; k++) {
            double off = (costs->off[i][k] - usual) / error;
            costs->cost[i][k] = isnan(off) ? COST_UNKNOWN : fmin(off * off, COST_MAX);
        }
}

/* The least cost of a row's neighbours on one side, if the row means `meaning`. */
static double reach(const double neighbour[OFFSET_COUNT], int meaning)
{
    double least = INFINITY;
    for (int k = 0; k < OFFSET_COUNT; k++)
        least = fmin(least, neighbour[k] + (k == meaning ? 0 : COST_OF_CHANGE));
    return least;
}

static void add_up(struct costs *costs)
{
    const size_t count = costs->count;
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < OFFSET_COUNT; k++)
            costs->before[i][k] = costs->cost[i][k] + (i > 0 ? reach(costs->before[i - 1], k) : 0);
    for (size_t i = count; i-- > 0;)
        for (int k = 0; k < OFFSET_COUNT; k++)
            costs->after[i][k] =
                costs->cost[i][k] + (i + 1 < count ? reach(costs->after[i + 1], k) : 0);
}

/* The meaning of a row on the cheapest way, and by how much that is cheaper than another. */
static int meaning_of(const struct costs *costs, size_t row, double *margin)
{
    double best = INFINITY, next = INFINITY;
    int meaning = 0;
    for (int k = 0; k < OFFSET_COUNT; k++) {
        double all = costs->before[row][k] + costs->after[row][k] - costs->cost[row][k];
        if (all < best) {
            next = best;
            best = all;
            meaning = k;
        } else if (all < next) {
            next = all;
        }
    }
    *margin = next - best;
    return meaning;
}

/* Whether the rows of a part that are not doubtful tell its meaning. */
static void judge_part(struct interest_label_row *rows, size_t count, int64_t offset_ms,
                       double (*open_at)(int64_t time_ms, void *context), void *context)
{
    struct interest_label label;
    struct interest_label_row *sure = memory_allocate_zeroed(count, sizeof *sure);
    size_t sure_count = 0;
    for (size_t i = 0; i < count; i++)
        if (rows[i].verdict != INTEREST_LABEL_DOUBTFUL)
            sure[sure_count++] = rows[i];
    bool is_told = interest_label_detect(sure, sure_count, open_at, context, &label) &&
                   label.offset_ms == offset_ms;
    free(sure);
    for (size_t i = 0; i < count && is_told; i++) {
        rows[i].offset_ms = offset_ms;
        if (rows[i].verdict != INTEREST_LABEL_DOUBTFUL)
            rows[i].verdict = INTEREST_LABEL_TOLD;
    }
}

/* A few rows that do not fit, with the same meaning on both sides, are odd and no change. */
static void join_odd(struct interest_label_row *rows, size_t count)
{
    size_t told = count; /* the last; count: none yet */
    for (size_t i = 0; i < count; i++) {
        if (rows[i].verdict != INTEREST_LABEL_TOLD)
            continue;
        bool is_short = told < i && i - told <= INTEREST_LABEL_ROWS_MIN;
        bool is_same = is_short && rows[told].offset_ms == rows[i].offset_ms;
        for (size_t odd = told + 1; is_same && odd < i; odd++) {
            rows[odd].verdict = INTEREST_LABEL_TOLD;
            rows[odd].offset_ms = rows[i].offset_ms;
        }
        told = i;
    }
}

static size_t judge_parts(const struct costs *costs, struct interest_label_row *rows,
                          double (*open_at)(int64_t time_ms, void *context), void *context)
{
    size_t parts = 0;
    for (size_t first = 0, end; first < costs->count; first = end, parts++) {
        double margin;
        int meaning = meaning_of(costs, first, &margin);
        for (end = first; end < costs->count; end++) {
            if (meaning_of(costs, end, &margin) != meaning)
                break;
            rows[end].verdict = margin < DOUBT ? INTEREST_LABEL_DOUBTFUL : INTEREST_LABEL_UNTOLD;
        }
        judge_part(rows + first, end - first, offsets_ms[meaning], open_at, context);
    }
    return parts;
}

size_t interest_label_date(struct interest_label_row *rows, size_t count,
                           double (*open_at)(int64_t time_ms, void *context), void *context)
{
    if (count == 0)
        return 0;
    struct costs costs = {.count = count};
    double(*numbers)[OFFSET_COUNT] = memory_allocate_zeroed(count * 4, sizeof *numbers);
    costs.off = numbers;
    costs.cost = numbers + count;
    costs.before = numbers + count * 2;
    costs.after = numbers + count * 3;
    costs.sorted = memory_allocate_zeroed(count, sizeof *costs.sorted);
    find_costs(&costs, rows, open_at, context);
    add_up(&costs);
    size_t parts = judge_parts(&costs, rows, open_at, context);
    join_odd(rows, count);
    free(costs.sorted);
    free(numbers);
    return parts;
}

/* -- what is known ----------------------------------------------------------------------------- */

bool interest_label_note(struct interest_label_known *known, const struct interest_label_row *row)
{
    int64_t *first_ms = &known->spans[interest_label_index(row->offset_ms)].first_ms;
    int64_t *last_ms = &known->spans[interest_label_index(row->offset_ms)].last_ms;
    bool is_first = *last_ms == 0;
    if (is_first || row->label_ms < *first_ms)
        *first_ms = row->label_ms;
    if (is_first || row->label_ms > *last_ms)
        *last_ms = row->label_ms;
    return is_first;
}

bool interest_label_recall(const struct interest_label_known *known, int64_t first_ms,
                           int64_t last_ms, int64_t *offset_ms)
{
    size_t told = 0, near = 0;
    int64_t nearby_ms = 0;
    for (size_t k = 0; k < OFFSET_COUNT; k++) {
        if (known->spans[k].last_ms == 0)
            continue;
        told++;
        *offset_ms = offsets_ms[k];
        if (known->spans[k].first_ms > last_ms || known->spans[k].last_ms < first_ms)
            continue;
        near++;
        nearby_ms = offsets_ms[k];
    }
    if (near == 1)
        *offset_ms = nearby_ms;
    return told == 1 || near == 1;
}
