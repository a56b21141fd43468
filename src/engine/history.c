/* The history of a range: the model led through its candles, and the snapshot after each.
 *
 * A week is 2,016 snapshots and some 20 MB. Most levels of a snapshot are the same as in the one
 * before, so a level_writer copies their text; and room for the whole, whose size is estimated
 * first (history_size.c), is set aside at once, so that the answer does not move in memory as it
 * grows. */
#include "engine/question.h"

#include "base/check.h"
#include "engine/history_size.h"
#include "model/snapshot_text.h"

#include <stdlib.h>

struct history *history_create(const struct history_options *options)
{
    struct history *history = memory_allocate_zeroed(1, sizeof *history);
    history->store = options->store;
    history->model = options->model;
    history->buckets = options->buckets;
    history->settings = *options->settings;
    return history;
}

void history_destroy(struct history *history)
{
    free(history);
}

/* What the meta object says about all snapshots. */
struct totals {
    size_t snapshots;
    bool has_levels;
    int64_t price_min_e8, price_max_e8;
    double long_volume, short_volume; /* of the last */
    uint64_t consumed;
};

static void add_to_totals(struct totals *totals, struct book_change change,
                          const struct level_list *levels)
{
    totals->snapshots++;
    totals->consumed += change.consumed;
    if (levels->count == 0)
        return;
    int64_t first_e8 = levels->levels[0].price_e8;
    int64_t last_e8 = levels->levels[levels->count - 1].price_e8;
    if (!totals->has_levels || first_e8 < totals->price_min_e8)
        totals->price_min_e8 = first_e8;
    if (!totals->has_levels || last_e8 > totals->price_max_e8)
        totals->price_max_e8 = last_e8;
    totals->has_levels = true;
}

static void sum_volumes(struct totals *totals, const struct level_list *levels)
{
    for (size_t i = 0; i < levels->count; i++) {
        totals->long_volume += levels->levels[i].long_density;
        totals->short_volume += levels->levels[i].short_density;
    }
}

/* -- text -------------------------------------------------------------------------------------- */

static void write_snapshot(struct json *json, const struct question_walk *walk,
                           const struct level_list *levels, struct level_writer *writer)
{
    json_open_object(json);
    json_member_time(json, "timestamp", walk->time_ms);
    json_key(json, "levels");
    json_begin_raw(json);
    level_writer_append(writer, json->out, levels);
    json_member_integer(json, "positions_created", walk->change.created);
    json_member_integer(json, "positions_consumed", walk->change.consumed);
    json_close_object(json);
}

static void write_price_range(struct json *json, const struct totals *totals)
{
    json_key(json, "price_range");
    json_open_object(json);
    if (totals->has_levels) {
        json_member_decimal(json, "min", totals->price_min_e8);
        json_member_decimal(json, "max", totals->price_max_e8);
    } else {
        json_member_null(json, "min");
        json_member_null(json, "max");
    }
    json_close_object(json);
}

static void write_known_from(const struct question *question, struct json *json)
{
    int64_t time_ms;
    if (!model_is_of_moment(question->model))
        return;
    if (question_known_from(question, &time_ms))
        json_member_time(json, "known_from", time_ms);
    else
        json_member_null(json, "known_from");
}

static void write_meta(const struct question *question, int64_t bucket_e8,
                       const struct totals *totals, struct json *json)
{
    char tiers[TIER_GROUPS_SIZE];
    question_open_meta(question, json);
    write_known_from(question, json);
    if (question->settings.tier_groups != 0)
        json_member_text(json, "tiers",
                         value_format_tier_groups(question->settings.tier_groups, tiers));
    json_member_decimal(json, "bucket", bucket_e8);
    json_member_integer(json, "total_snapshots", (int64_t)totals->snapshots);
    write_price_range(json, totals);
    json_member_number(json, "total_long_volume", totals->long_volume);
    json_member_number(json, "total_short_volume", totals->short_volume);
    json_member_integer(json, "total_consumed", (int64_t)totals->consumed);
    json_close_object(json);
}

/* -- the answer -------------------------------------------------------------------------------- */

/* Writes the snapshot after each interval. */
static enum status write_snapshots(const struct question *question, struct book *book,
                                   int64_t bucket_e8, struct totals *totals, struct json *json,
                                   struct error *error)
{
    struct question_walk walk = {.question = question, .book = book};
    struct level_list levels = {0};
    struct level_writer writer = {0};
    enum status status = STATUS_OK;
    while (status == STATUS_OK && question_step(&walk)) {
        book_snapshot(book, bucket_e8, &levels);
        add_to_totals(totals, walk.change, &levels);
        write_snapshot(json, &walk, &levels, &writer);
        status = question_check_progress(question, book, &levels, error);
    }
    sum_volumes(totals, &levels);
    level_list_deinit(&levels);
    level_writer_deinit(&writer);
    return status;
}

static enum status write_history(const struct question *question, struct book *book,
                                 struct buffer *out, struct error *error)
{
    struct totals totals = {0};
    int64_t bucket_e8 = question_bucket(question);
    size_t size = 0;
    enum status status = history_size_check(question, book, bucket_e8, &size, error);
    if (status != STATUS_OK)
        return status;
    buffer_reserve(out, size);
    book_reset(book);
    struct json json = json_start(out);
    json_open_object(&json);
    json_key(&json, "data");
    json_open_array(&json);
    status = write_snapshots(question, book, bucket_e8, &totals, &json, error);
    json_close_array(&json);
    write_meta(question, bucket_e8, &totals, &json);
    json_close_object(&json);
    return status;
}

static enum status answer(struct question *question, struct buffer *out, struct error *error)
{
    enum status status = question_check_count(question, true, error);
    if (status == STATUS_OK)
        status = question_load(question, question->window.start_ms, error);
    if (status != STATUS_OK)
        return status;
    struct book *book = book_create(question->model, &question->settings);
    status = book != NULL ? write_history(question, book, out, error)
                          : question_no_memory(question, error);
    book_destroy(book);
    return status;
}

static const struct question_type type = {.name = "history", .answer = answer};

enum status history_run(struct history *history, const struct range *range,
                        const struct question_limits *limits, struct buffer *out,
                        struct error *error)
{
    enum status status = range_check_no_part(range, error);
    if (status != STATUS_OK)
        return status;
    return question_ask(history, &type, range, limits, out, error);
}
