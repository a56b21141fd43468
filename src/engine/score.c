/* How good the map of a range was: which candles can be scored, and what was recorded in them. The
 * score itself is score/score.h's.
 *
 *     start ... known_from ... recorded_from ======= scored ======= end
 *
 * A map that lacks positions because the database does not reach back far enough is not one that
 * was wrong, and a time in which nobody recorded liquidations is not one without them: neither is
 * scored. Where none is recorded in the range, falls of open interest stand in for them, and the
 * answer says so. */
#include "engine/question.h"

#include "base/check.h"
#include "base/iso_time.h"
#include "model/rows.h"
#include "score/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCORE_WINDOW_MS (30 * DAY_MS) /* where the range says no start */
#define PRINTS_MAX 2000000            /* liquidations that one score may read */

/* What a score is made from, besides the series. */
struct evidence {
    struct score_print *prints;
    size_t count, capacity;
    bool has_failed;
    int64_t recorded_from_ms; /* STORE_NONE: there are no liquidations in the range */
};

/* -- liquidations ------------------------------------------------------------------------------ */

static void take_print(const struct store_liquidation *row, void *context)
{
    struct evidence *evidence = context;
    if (evidence->has_failed || evidence->count == evidence->capacity) {
        evidence->has_failed = true; /* more than were counted */
        return;
    }
    evidence->prints[evidence->count++] = (struct score_print){
        .time_ms = row->time_ms,
        .price_e8 = row->price_e8,
        .value = (double)row->value_e8 / 1e8,
        .is_long = row->is_long,
    };
}

static enum status read_prints(struct question *question, struct evidence *evidence,
                               struct error *error)
{
    const struct window *window = &question->window;
    const char *symbol = question->range->symbol;
    const int64_t end_ms = window->end_ms + CANDLE_MS - 1;
    struct store_extent extent;
    enum status status = store_liquidations_extent(question->session, symbol, window->start_ms,
                                                   end_ms, &extent, error);
    evidence->recorded_from_ms = STORE_NONE;
    if (status != STATUS_OK || extent.count == 0)
        return status;
    if (extent.count > PRINTS_MAX)
        return error_set(error, STATUS_TOO_LARGE,
                         "the range holds %lld liquidations, a score may read %d; "
                         "ask for a shorter one",
                         (long long)extent.count, PRINTS_MAX);
    evidence->recorded_from_ms = extent.oldest_ms;
    evidence->capacity = (size_t)extent.count;
    evidence->prints = memory_try_allocate_zeroed(evidence->capacity, sizeof *evidence->prints);
    if (evidence->prints == NULL)
        return question_no_memory(question, error);
    status = store_read_liquidations(question->session, symbol, window->start_ms, end_ms,
                                     take_print, evidence, error);
    return status == STATUS_OK && evidence->has_failed ? question_no_memory(question, error)
                                                       : status;
}

/* -- candles ----------------------------------------------------------------------------------- */

/* The first moment that is scored; STATUS_NO_DATA if there is none. */
static enum status find_start(const struct question *question, const struct evidence *evidence,
                              int64_t *start_ms, struct error *error)
{
    char known[ISO_TIME_SIZE], end[ISO_TIME_SIZE];
    int64_t known_from_ms;
    const char *symbol = question->range->symbol;
    *start_ms = question->window.start_ms;
    if (model_is_of_moment(question->model)) {
        if (!question_known_from(question, &known_from_ms))
            return error_set(
                error, STATUS_NO_DATA,
                "the map of %s cannot be scored: nothing is known of its open interest", symbol);
        *start_ms = known_from_ms;
    }
    if (*start_ms > question->window.end_ms)
        return error_set(error, STATUS_NO_DATA,
                         "the map of %s is known from %s on, and the range ends at %s; a score "
                         "needs more of the past, or a shorter HEATMAP_LOOKBACK",
                         symbol, iso_time_format(*start_ms, known),
                         iso_time_format(question->window.end_ms, end));
    if (evidence->recorded_from_ms != STORE_NONE && evidence->recorded_from_ms > *start_ms)
        *start_ms = candle_floor_time(evidence->recorded_from_ms, CANDLE_MS) + CANDLE_MS;
    return STATUS_OK;
}

static size_t find_first(const struct series *series, int64_t start_ms)
{
    size_t first = 0;
    while (first < series->count && series->candles[first].open_time_ms < start_ms)
        first++;
    return first;
}

/* A bucket of the map is for the eye, and a candle reaches one or two of them. */
static int64_t score_bucket(const struct question *question)
{
    if (question->range->bucket_e8 != 0)
        return question->range->bucket_e8;
    const int64_t bucket_e8 = question_bucket(question) / SCORE_BUCKET_PARTS;
    return bucket_e8 > 0 ? bucket_e8 : 1;
}

/* -- text -------------------------------------------------------------------------------------- */

static void write_estimate(struct json *json, const char *key,
                           const struct score_estimate *estimate)
{
    json_key(json, key);
    json_open_object(json);
    json_member_number(json, "value", estimate->value);
    json_member_number(json, "low", estimate->low);
    json_member_number(json, "high", estimate->high);
    json_close_object(json);
}

static void write_amount(struct json *json, const struct score *score, bool has_prints)
{
    json_key(json, "amount");
    json_open_object(json);
    json_member_number(json, "liquidated", score->liquidated);
    if (has_prints)
        json_member_number(json, "in_reach", score->in_reach);
    json_member_number(json, "predicted", score->predicted);
    write_estimate(json, "factor", &score->factor);
    json_key(json, "tiers");
    json_open_array(json);
    for (size_t i = 0; i < score->tier_count; i++) {
        json_open_object(json);
        json_member_integer(json, "leverage", score->tiers[i].leverage);
        json_member_number(json, "predicted", score->tiers[i].predicted);
        write_estimate(json, "factor", &score->tiers[i].factor);
        json_close_object(json);
    }
    json_close_array(json);
    json_close_object(json);
}

static void write_map(struct json *json, const struct score *score, enum score_map map)
{
    const struct score_of_map *found = &score->maps[map];
    json_open_object(json);
    json_member_text(json, "name", score_map_name(map));
    write_estimate(json, "location", &found->location);
    write_estimate(json, "rank", &found->rank);
    if (map != SCORE_MODEL) {
        write_estimate(json, "location_lead", &found->location_lead);
        write_estimate(json, "rank_lead", &found->rank_lead);
        write_estimate(json, "partial", &found->partial);
    }
    json_close_object(json);
}

/* Whether the model leads all other maps beyond doubt. */
static void write_verdict(struct json *json, const char *key, const struct score *score,
                          enum score_measure measure)
{
    const double lead = score_least_lead(score, measure);
    if (isnan(lead))
        json_member_null(json, key);
    else
        json_member_bool(json, key, lead > 0);
}

static void write_score(const struct question *question, const struct evidence *evidence,
                        const struct score_request *request, const struct score *score,
                        struct buffer *out)
{
    struct json json = json_start(out);
    const struct series *series = &question->series;
    json_open_object(&json);
    json_member_text(&json, "symbol", question->range->symbol);
    json_member_text(&json, "model", question->model->name);
    json_member_time(&json, "start_time", series->candles[request->first].open_time_ms);
    json_member_time(&json, "end_time", series_last(series)->open_time_ms);
    json_member_text(&json, "measured_by",
                     request->has_prints ? "liquidations" : "open_interest_falls");
    if (evidence->recorded_from_ms != STORE_NONE)
        json_member_time(&json, "recorded_from", evidence->recorded_from_ms);
    else
        json_member_null(&json, "recorded_from");
    json_member_decimal(&json, "bucket", request->bucket_e8);
    json_member_integer(&json, "candles", (int64_t)score->candle_count);
    json_member_integer(&json, "buckets", (int64_t)score->pair_count);
    json_member_integer(&json, "days", (int64_t)score->day_count);
    write_amount(&json, score, request->has_prints);
    json_key(&json, "maps");
    json_open_array(&json);
    for (size_t map = 0; map < SCORE_MAP_COUNT; map++)
        write_map(&json, score, (enum score_map)map);
    json_close_array(&json);
    json_key(&json, "better_than_all");
    json_open_object(&json);
    write_verdict(&json, "location", score, SCORE_LOCATION);
    write_verdict(&json, "rank", score, SCORE_RANK);
    json_close_object(&json);
    json_close_object(&json);
}

/* -- the answer -------------------------------------------------------------------------------- */

/* A question for the text of a score, or for its numbers alone. */
struct score_question {
    struct question_type type; /* first: a pointer to it is one to the whole */
    struct score *numbers;     /* NULL: the text is asked for */
    bool needs_prints;         /* falls of open interest do not do */
};

static enum status score_series(const struct question *question, const struct evidence *evidence,
                                struct buffer *out, struct error *error)
{
    const struct score_question *asked = (const void *)question->type;
    struct score score;
    int64_t start_ms;
    enum status status = find_start(question, evidence, &start_ms, error);
    if (status != STATUS_OK)
        return status;
    const struct score_request request = {
        .series = &question->series,
        .first = find_first(&question->series, start_ms),
        .model = question->model,
        .settings = &question->settings,
        .bucket_e8 = score_bucket(question),
        .prints = evidence->prints,
        .print_count = evidence->count,
        .has_prints = evidence->recorded_from_ms != STORE_NONE,
        .stop = question->limits->stop,
    };
    status = score_compute(&request, &score, error);
    if (status == STATUS_OK && asked->numbers != NULL)
        *asked->numbers = score;
    else if (status == STATUS_OK)
        write_score(question, evidence, &request, &score, out);
    return status;
}

static enum status answer(struct question *question, struct buffer *out, struct error *error)
{
    struct evidence evidence = {0};
    int64_t from_ms = question->window.start_ms;
    if (!model_is_of_moment(question->model)) /* its book is to hold what one of now would */
        from_ms -= question->settings.lookback_ms;
    const struct score_question *asked = (const void *)question->type;
    enum status status = read_prints(question, &evidence, error);
    if (status == STATUS_OK && asked->needs_prints && evidence.count == 0)
        status = error_set(error, STATUS_NO_DATA, "no liquidation of %s in the range",
                           question->range->symbol);
    if (status == STATUS_OK)
        status = question_load(question, from_ms, error);
    if (status == STATUS_OK)
        status = score_series(question, &evidence, out, error);
    free(evidence.prints);
    return status;
}

static enum status ask(struct history *history, const struct score_question *asked,
                       const struct range *range, const struct question_limits *limits,
                       struct buffer *out, struct error *error)
{
    struct range scored = *range;
    enum status status = range_check_five_minutes(range, error);
    if (status != STATUS_OK)
        return status;
    if (scored.window_ms == 0 && !scored.has_start)
        scored.window_ms = SCORE_WINDOW_MS;
    return question_ask(history, &asked->type, &scored, limits, out, error);
}

enum status history_score(struct history *history, const struct range *range,
                          const struct question_limits *limits, struct buffer *out,
                          struct error *error)
{
    const struct score_question asked = {.type = {.name = "score", .answer = answer}};
    return ask(history, &asked, range, limits, out, error);
}

static struct range range_of(const char *symbol)
{
    struct range range = {0};
    check(strlen(symbol) < sizeof range.symbol);
    strcpy(range.symbol, symbol);
    return range;
}

enum status history_score_numbers(struct history *history, const char *symbol,
                                  const struct question_limits *limits, struct score *score,
                                  struct error *error)
{
    const struct score_question asked = {.type = {.name = "score", .answer = answer},
                                         .numbers = score};
    const struct range range = range_of(symbol);
    struct buffer none = {0};
    return ask(history, &asked, &range, limits, &none, error);
}

enum status history_calibrate(struct history *history, const char *symbol, int64_t moment_ms,
                              const struct model *model, const struct question_limits *limits,
                              struct calibration *calibration, struct error *error)
{
    struct score score = {0};
    const struct score_question asked = {
        .type = {.name = "calibration", .answer = answer}, .numbers = &score, .needs_prints = true};
    struct range range = range_of(symbol);
    struct buffer none = {0};
    const int64_t day_ms = candle_floor_time(range_clamp_time(moment_ms), DAY_MS);
    range.model = model;
    range.has_end = true;
    range.end_ms = day_ms - CANDLE_MS;
    *calibration = (struct calibration){0};
    enum status status = ask(history, &asked, &range, limits, &none, error);
    if (status == STATUS_NO_DATA || status == STATUS_TOO_LARGE)
        return STATUS_OK;
    if (status == STATUS_OK && score.liquidated_days >= CALIBRATION_DAYS_MIN &&
        score.factor.low > 0)
        *calibration =
            (struct calibration){score.factor.value, score.factor.low, score.factor.high, day_ms};
    return status;
}
