/* The map of a range as a picture. model/grid.c paints it; here is which candles the book is led
 * through, and which of them are shown.
 *
 *     start - lookback ... start ....... shown_start ...... shown_end ... end
 *     |-- the book only --|-------------|===== columns =====|
 *
 * The book begins a lookback before the end in any case, so that a short range, a part of a long
 * one and the live stream show the same numbers at the same moment. */
#include "engine/question.h"

#include "model/grid.h"

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
}

static enum status answer(struct question *question, struct buffer *out, struct error *error)
{
    struct window *window = &question->window;
    int64_t shown_from_ms, shown_to_ms;
    find_shown(question, &shown_from_ms, &shown_to_ms);
    if (window->start_ms > window->end_ms - question->history->lookback_ms)
        window->start_ms = window->end_ms - question->history->lookback_ms;
    enum status status = question_load(question, error);
    if (status != STATUS_OK)
        return status;
    const struct grid_options options = {
        .symbol = question->range->symbol,
        .model = question->history->model,
        .weights = question_weights(question),
        .series = &question->series,
        .shown_from_ms = shown_from_ms,
        .shown_to_ms = shown_to_ms,
        .interval_ms = window->interval_ms,
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
