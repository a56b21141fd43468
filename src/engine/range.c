/* Questions come as text, and the same one in many ways. Where they are answered at some cost and
 * the answers are kept, "the same" must be decided before, by what a question means and not by how
 * it is written: a page that asks for 48h and one that asks for 2d should share one computation.
 * So values are parsed first, and the canonical text is made of the result.
 *
 * Weights are brought to one form when they are set, so that equal questions also get equal
 * answers, to the last bit: sums of floating-point numbers depend on their order. */
#include "engine/range.h"

#include "base/iso_time.h"
#include "base/slice.h"

#include <string.h>

#define TIME_MAX_MS INT64_C(1000000000000000)

int64_t range_clamp_time(int64_t time_ms)
{
    if (time_ms > TIME_MAX_MS)
        return TIME_MAX_MS;
    return time_ms < -TIME_MAX_MS ? -TIME_MAX_MS : time_ms;
}

/* -- parameters -------------------------------------------------------------------------------- */

enum { TIME_SIZE_MAX = 64 };

/* A '+' in a query is a blank when it comes here, and people forget to write %2B: "T14:30:00 02:00"
 * can only be an offset. A blank between date and time is none. */
static bool read_time(struct slice value, int64_t *time_ms)
{
    char text[TIME_SIZE_MAX];
    if (iso_time_parse(value.data, value.size, time_ms))
        return true;
    char *blank = slice_copy(value, text, sizeof text) ? strrchr(text, ' ') : NULL;
    if (blank == NULL)
        return false;
    *blank = '+';
    return iso_time_parse(text, value.size, time_ms);
}

static enum status parse_time(const char *value, bool *has_time, int64_t *time_ms,
                              struct error *error)
{
    if (!read_time(slice_of(value), time_ms))
        return error_set(error, STATUS_INVALID,
                         "'%.60s' is not a time (ISO 8601: 2025-12-28T14:30:00Z, or with an "
                         "offset, 2025-12-28T15:30:00+01:00)",
                         value);
    *has_time = true;
    return STATUS_OK;
}

static enum status set_start(struct range *range, const char *value, struct error *error)
{
    return parse_time(value, &range->has_start, &range->start_ms, error);
}

static enum status set_end(struct range *range, const char *value, struct error *error)
{
    return parse_time(value, &range->has_end, &range->end_ms, error);
}

static enum status set_window(struct range *range, const char *value, struct error *error)
{
    return value_parse_duration(value, &range->window_ms, error);
}

static enum status set_interval(struct range *range, const char *value, struct error *error)
{
    return value_parse_interval(value, &range->interval_ms, error);
}

static enum status set_bucket(struct range *range, const char *value, struct error *error)
{
    return value_parse_bucket(value, &range->bucket_e8, error);
}

/* Brings weights to one form: ascending by leverage, without the tiers that have no weight, which
 * create nothing. */
static void sort_weights(struct leverage_weights *weights)
{
    size_t kept = 0;
    for (size_t i = 0; i < weights->count; i++) {
        int leverage = weights->tiers[i].leverage;
        double weight = weights->tiers[i].weight;
        if (weight == 0)
            continue;
        size_t at = kept++;
        for (; at > 0 && weights->tiers[at - 1].leverage > leverage; at--)
            weights->tiers[at] = weights->tiers[at - 1];
        weights->tiers[at].leverage = leverage;
        weights->tiers[at].weight = weight;
    }
    weights->count = kept;
}

static enum status set_weights(struct range *range, const char *value, struct error *error)
{
    enum status status = value_parse_weights(value, &range->weights, error);
    range->has_weights = status == STATUS_OK;
    if (status == STATUS_OK)
        sort_weights(&range->weights);
    return status;
}

static enum status set_model(struct range *range, const char *value, struct error *error)
{
    return model_find(value, &range->model, error);
}

static enum status set_tiers(struct range *range, const char *value, struct error *error)
{
    return value_parse_tier_groups(value, &range->tier_groups, error);
}

static enum status set_shown_start(struct range *range, const char *value, struct error *error)
{
    return parse_time(value, &range->has_shown_start, &range->shown_start_ms, error);
}

static enum status set_shown_end(struct range *range, const char *value, struct error *error)
{
    return parse_time(value, &range->has_shown_end, &range->shown_end_ms, error);
}

static const struct {
    const char *name;
    enum status (*set)(struct range *range, const char *value, struct error *error);
} parameters[] = {
    {"start", set_start},         {"end", set_end},       {"window", set_window},
    {"interval", set_interval},   {"bucket", set_bucket}, {"weights", set_weights},
    {"model", set_model},         {"tiers", set_tiers},   {"shown_start", set_shown_start},
    {"shown_end", set_shown_end},
};

enum status range_set(struct range *range, const char *name, const char *value, struct error *error)
{
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        if (strcmp(name, parameters[i].name) != 0)
            continue;
        enum status status = parameters[i].set(range, value, error);
        if (status != STATUS_OK)
            error_prefix(error, "%s", name);
        return status;
    }
    return error_set(error, STATUS_NOT_FOUND, "no parameter '%.60s' (" RANGE_PARAMETERS ")", name);
}

enum status range_check(const struct range *range, struct error *error)
{
    char start[ISO_TIME_SIZE], end[ISO_TIME_SIZE];
    if (!range->has_start || !range->has_end)
        return STATUS_OK;
    if (range->window_ms != 0)
        return error_set(error, STATUS_INVALID,
                         "start, end and window contradict each other; give two of them");
    if (range->start_ms > range->end_ms)
        return error_set(error, STATUS_INVALID, "start %s is after end %s",
                         iso_time_format(range->start_ms, start),
                         iso_time_format(range->end_ms, end));
    return STATUS_OK;
}

enum status range_check_no_part(const struct range *range, struct error *error)
{
    if (range->has_shown_start || range->has_shown_end)
        return error_set(error, STATUS_INVALID, "shown_start and shown_end are for a grid alone");
    return STATUS_OK;
}

enum status range_check_five_minutes(const struct range *range, struct error *error)
{
    if (range->tier_groups != 0)
        return error_set(error, STATUS_INVALID, "tiers are not scored alone");
    if (range->interval_ms != 0)
        return error_set(error, STATUS_INVALID,
                         "a score has no interval: it is of candles of five minutes "
                         "(start, end, window, bucket, weights, model)");
    return range_check_no_part(range, error);
}

enum status range_check_times_only(const struct range *range, struct error *error)
{
    if (range->interval_ms != 0 || range->bucket_e8 != 0 || range->has_weights ||
        range->tier_groups != 0)
        return error_set(
            error, STATUS_INVALID,
            "liquidations have no interval, bucket, weights or tiers (start, end, window)");
    return range_check_no_part(range, error);
}

/* -- canonical text ---------------------------------------------------------------------------- */

/* Start and end, where one of them and a window are given. */
static struct range with_both_ends(const struct range *range)
{
    struct range both = *range;
    if (range->window_ms == 0 || range->has_start == range->has_end)
        return both;
    if (range->has_start)
        both.end_ms = range->start_ms + range->window_ms;
    else
        both.start_ms = range->end_ms - range->window_ms;
    both.has_start = both.has_end = true;
    both.window_ms = 0;
    return both;
}

static void append_number(struct buffer *out, const char *name, bool is_given, int64_t value)
{
    if (!is_given)
        return;
    buffer_append_format(out, " %s=", name);
    buffer_append_int(out, value);
}

static void append_weights(struct buffer *out, const struct range *range)
{
    if (!range->has_weights)
        return;
    buffer_append_text(out, " weights=");
    for (size_t i = 0; i < range->weights.count; i++)
        buffer_append_format(out, "%s%d:%.12g", i > 0 ? "," : "", range->weights.tiers[i].leverage,
                             range->weights.tiers[i].weight);
}

void range_append_canonical(struct buffer *out, const struct range *range)
{
    const struct range both = with_both_ends(range);
    buffer_append_text(out, range->symbol);
    append_number(out, "start", both.has_start, both.start_ms);
    append_number(out, "end", both.has_end, both.end_ms);
    append_number(out, "window", both.window_ms != 0, both.window_ms);
    append_number(out, "interval", both.interval_ms != 0 && both.interval_ms != CANDLE_MS,
                  both.interval_ms);
    append_number(out, "bucket", both.bucket_e8 != 0, both.bucket_e8);
    append_weights(out, range);
    if (range->model != NULL)
        buffer_append_format(out, " model=%s", range->model->name);
    append_number(out, "tiers", range->tier_groups != 0 && range->tier_groups != TIERS_ALL,
                  range->tier_groups);
    append_number(out, "shown_start", both.has_shown_start, both.shown_start_ms);
    append_number(out, "shown_end", both.has_shown_end, both.shown_end_ms);
}

/* -- the window -------------------------------------------------------------------------------- */

enum status range_resolve(const struct range *range, int64_t newest_ms, int64_t lookback_ms,
                          struct window *window, struct error *error)
{
    int64_t window_ms = range->window_ms != 0 ? range->window_ms : lookback_ms;
    int64_t start_ms = range_clamp_time(range->start_ms), end_ms = newest_ms;
    if (range->has_end)
        end_ms = range_clamp_time(range->end_ms);
    else if (range->has_start && range->window_ms != 0)
        end_ms = start_ms + window_ms;
    if (!range->has_start)
        start_ms = end_ms - window_ms;
    if (start_ms > newest_ms) {
        char start[ISO_TIME_SIZE], newest[ISO_TIME_SIZE];
        return error_set(error, STATUS_NO_DATA, "no candle of %s from %s on; its newest is of %s",
                         range->symbol, iso_time_format(start_ms, start),
                         iso_time_format(newest_ms, newest));
    }
    *window = (struct window){
        .start_ms = start_ms,
        .end_ms = end_ms < newest_ms ? end_ms : newest_ms,
        .interval_ms = range->interval_ms != 0 ? range->interval_ms : CANDLE_MS,
    };
    return STATUS_OK;
}
