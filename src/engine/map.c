/* The map of a range as a picture. model/grid.c paints it; here is which candles the book is led
 * through, and which of them are shown.
 *
 *     start - lookback ... start ....... shown_start ...... shown_end ... end
 *     |-- the book only --|-------------|===== columns =====|
 *
 * A book of a model of moments begins as far before what is shown as it has to. Another one begins
 * a lookback before the end in any case, so that a short range and the live stream show the same
 * numbers at the end, and a part of a range those of the whole. */
#include "engine/question.h"

#include "model/grid.h"
#include "model/rows.h"

/* The part of the window that becomes columns, as grid_options has it. */
static void find_shown(const struct question *question, int64_t *from_ms, int64_t *to_ms)
{
    const struct range *range = question->range;
    *from_ms = question->window.start_ms;
    *to_ms = question->window.end_ms;
    if (range->has_shown_start && range->shown_start_ms > *from_ms)
        *from_ms = range_clamp_time(range->shown_start_ms);
    if (range->has_shown_end && range->shown_end_ms < *to_ms)
        *to_ms = range_clamp_time(range->shown_end_ms);
    if (model_is_of_moment(question->model)) /* the first may be a part of its interval */
        *from_ms = candle_floor_time(*from_ms, question->window.interval_ms);
}

/* The first moment for which the book must be right. */
static int64_t find_from(const struct question *question, int64_t shown_from_ms)
{
    const struct window *window = &question->window;
    const int64_t lookback_from_ms = window->end_ms - question->settings.lookback_ms;
    if (model_is_of_moment(question->model))
        return shown_from_ms;
    return window->start_ms < lookback_from_ms ? window->start_ms : lookback_from_ms;
}

static enum status answer(struct question *question, struct buffer *out, struct error *error)
{
    int64_t shown_from_ms, shown_to_ms, known_from_ms;
    find_shown(question, &shown_from_ms, &shown_to_ms);
    enum status status = question_load(question, find_from(question, shown_from_ms), error);
    if (status != STATUS_OK)
        return status;
    if (!question_known_from(question, &known_from_ms))
        known_from_ms = INT64_MAX;
    const struct grid_options options = {
        .symbol = question->range->symbol,
        .model = question->model,
        .settings = &question->settings,
        .series = &question->series,
        .shown_from_ms = shown_from_ms,
        .shown_to_ms = shown_to_ms,
        .interval_ms = question->window.interval_ms,
        .known_from_ms = known_from_ms,
        .bucket_e8 = question_bucket(question),
        .stop = &question->limits->stop,
    };
    return grid_append_json(&options, out, error);
}

static const struct question_type type = {.name = "grid", .answer = answer};

enum status history_grid(struct history *history, const struct range *range,
                         const struct question_limits *limits, struct buffer *out,
                         struct error *error)
{
    return question_ask(history, &type, range, limits, out, error);
}
