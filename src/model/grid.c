/* A page that draws a week needs 2,017 snapshots of some 400 levels: 30 MB as JSON, 1 MB as bytes,
 * most of them 0, which compress to less than a tenth.
 *
 * Rows and the scale are known only after the last candle, so the levels of all columns are
 * gathered first (in one array, a column being a slice of it) and painted then. */
#include "model/grid.h"

#include "base/base64.h"
#include "base/decimal.h"
#include "base/iso_time.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/bucket.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BYTE_MAX = 255, BYTES_PER_DECADE = 51 };

/* The scale ends 2^7, two decades, above all cells but one in 500. */
enum { CELLS_PER_OUTLIER = 500, HEADROOM_EXPONENT = 7 };

/* Densities are counted by powers of two, from 2^-64 to 2^191. */
enum { EXPONENT_COUNT = 256, EXPONENT_MIN = -64 };

/* That only feed the book: so many take less than a millisecond. */
enum { CANDLES_PER_CHECK = 256 };

struct grid_column {
    int64_t time_ms, close_e8;
    size_t first_level, level_count;
};

struct grid {
    const struct grid_options *options;
    int64_t step_ms;
    size_t column_count;
    struct grid_column columns[GRID_COLUMNS_MAX];
    struct level_list levels; /* of all columns, one after the other */
    int64_t price_min_e8, price_max_e8;
    double greatest_density;
    double max_density; /* what BYTE_MAX stands for */
    size_t rows;
    unsigned char *sides[2]; /* long, short */
};

/* -- columns ----------------------------------------------------------------------------------- */

/* Whether the interval that ends with this candle is one; `time_ms` is when it began. */
static bool is_column(const struct grid_options *options, int64_t step_ms, size_t index,
                      int64_t *time_ms)
{
    if (!series_ends_interval(options->series, index, options->interval_ms, time_ms) ||
        *time_ms < options->shown_from_ms || *time_ms > options->shown_to_ms)
        return false;
    return index + 1 == options->series->count || *time_ms % step_ms == 0;
}

static size_t count_columns(const struct grid_options *options, int64_t step_ms)
{
    size_t count = 0;
    int64_t time_ms;
    for (size_t i = 0; i < options->series->count; i++)
        count += is_column(options, step_ms, i, &time_ms);
    return count;
}

/* The least step that keeps to the limit of columns: an interval that the columns' own divides, or
 * days. */
static int64_t choose_step(const struct grid_options *options)
{
    int64_t step_ms = options->interval_ms;
    while (count_columns(options, step_ms) > GRID_COLUMNS_MAX)
        do {
            int64_t next_ms = value_next_interval(step_ms);
            step_ms = next_ms != 0 ? next_ms : 2 * step_ms;
        } while (step_ms % options->interval_ms != 0);
    return step_ms;
}

/* fmax() of what is never NaN, without a call. */
static double greater(double a, double b)
{
    return a > b ? a : b;
}

static void widen(struct grid *grid, const struct level_list *levels)
{
    if (levels->count == 0)
        return;
    int64_t first_e8 = levels->levels[0].price_e8;
    int64_t last_e8 = levels->levels[levels->count - 1].price_e8;
    bool is_first = grid->rows == 0;
    if (is_first || first_e8 < grid->price_min_e8)
        grid->price_min_e8 = first_e8;
    if (is_first || last_e8 > grid->price_max_e8)
        grid->price_max_e8 = last_e8;
    grid->rows = (size_t)((grid->price_max_e8 - grid->price_min_e8) / grid->options->bucket_e8) + 1;
    for (size_t i = 0; i < levels->count; i++) {
        grid->greatest_density = greater(grid->greatest_density, levels->levels[i].long_density);
        grid->greatest_density = greater(grid->greatest_density, levels->levels[i].short_density);
    }
}

/* The farthest apart that two levels of any column can be: the closes and the lowest leverage tell,
 * before the model does. */
static double price_span_e8(const struct grid_options *options)
{
    double lowest_e8 = INFINITY, highest_e8 = 0, distance = 0;
    for (size_t i = 0; i < options->series->count; i++) {
        double close_e8 = (double)options->series->candles[i].close_e8;
        lowest_e8 = fmin(lowest_e8, close_e8);
        highest_e8 = fmax(highest_e8, close_e8);
    }
    const struct leverage_weights *weights = &options->settings->weights;
    for (size_t i = 0; i < weights->count; i++)
        distance = fmax(distance, 1.0 / weights->tiers[i].leverage);
    return highest_e8 * (1 + distance) - lowest_e8 * (1 - distance);
}

static size_t find_rows_max(size_t column_count)
{
    size_t rows_max = GRID_CELLS_MAX / column_count;
    return rows_max < GRID_ROWS_MAX ? rows_max : GRID_ROWS_MAX;
}

/* The least bucket with which any map of that many columns is small enough. */
static int64_t fitting_bucket(const struct grid_options *options, size_t column_count)
{
    size_t rows_max = find_rows_max(column_count);
    return bucket_least(price_span_e8(options) / ((double)rows_max - 2));
}

static enum status too_large(const struct grid *grid, size_t column_count, struct error *error)
{
    char bucket[DECIMAL_SIZE_MAX + 1];
    *decimal_write(bucket, fitting_bucket(grid->options, column_count)) = '\0';
    bool has_many_cells = grid->rows > GRID_CELLS_MAX / column_count;
    error_set(error, STATUS_TOO_LARGE,
              "a map of %zu columns and %zu rows or more has too many %s; bucket=%s fits",
              column_count, grid->rows, has_many_cells ? "cells" : "rows", bucket);
    error_set_fit(error, "bucket", bucket);
    return STATUS_TOO_LARGE;
}

static enum status no_column(const struct grid_options *options, struct error *error)
{
    char from[ISO_TIME_SIZE], to[ISO_TIME_SIZE];
    return error_set(error, STATUS_NO_DATA, "no candle of %s from %s to %s", options->symbol,
                     iso_time_format(options->shown_from_ms, from),
                     iso_time_format(options->shown_to_ms, to));
}

static enum status no_memory(const struct grid *grid, struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "no memory for the map of %zu candles",
                     grid->options->series->count);
}

/* The snapshot after a candle becomes the column of the interval that began at `time_ms`. */
static void add_column(struct grid *grid, int64_t time_ms, const struct candle *candle,
                       const struct level_list *levels)
{
    grid->columns[grid->column_count++] =
        (struct grid_column){time_ms, candle->close_e8, grid->levels.count, levels->count};
    level_list_append(&grid->levels, levels);
    widen(grid, levels);
}

/* Whether to continue. */
static enum status check_progress(const struct grid *grid, const struct book *book,
                                  size_t column_count, struct error *error)
{
    if (book->has_failed || grid->levels.has_failed)
        return no_memory(grid, error);
    if (grid->rows > find_rows_max(column_count))
        return too_large(grid, column_count, error);
    return stop_token_check(grid->options->stop, error);
}

/* Runs the model and gathers the levels of every column. */
static enum status gather(struct grid *grid, struct book *book, struct error *error)
{
    const struct grid_options *options = grid->options;
    const struct series *series = options->series;
    size_t column_count = count_columns(options, grid->step_ms);
    if (column_count == 0)
        return no_column(options, error);
    struct level_list levels = {0};
    enum status status = STATUS_OK;
    int64_t time_ms;
    for (size_t i = 0; i < series->count && status == STATUS_OK; i++) {
        book_advance(book, &series->candles[i], series_interest(series, i));
        bool is_shown = is_column(options, grid->step_ms, i, &time_ms);
        if (is_shown) {
            book_snapshot(book, options->bucket_e8, &levels);
            add_column(grid, time_ms, &series->candles[i], &levels);
        }
        if (is_shown || i % CANDLES_PER_CHECK == 0)
            status = check_progress(grid, book, column_count, error);
    }
    level_list_deinit(&levels);
    return status;
}

/* -- cells ------------------------------------------------------------------------------------- */

/* Which of the powers of two a density is below, counted from the least. */
static size_t exponent_of(double density)
{
    int exponent;
    frexp(density, &exponent);
    exponent -= EXPONENT_MIN;
    if (exponent < 0)
        return 0;
    return exponent < EXPONENT_COUNT ? (size_t)exponent : EXPONENT_COUNT - 1;
}

/* The greatest density, or less where few cells are so much greater than all others: one wrong row
 * of open interest can make some of ten million times the usual, and the others would be alike. */
static double find_max_density(const struct grid *grid)
{
    size_t counts[EXPONENT_COUNT] = {0}, total = 0, above = 0, exponent = EXPONENT_COUNT - 1;
    for (size_t i = 0; i < grid->levels.count; i++) {
        const double densities[] = {grid->levels.levels[i].long_density,
                                    grid->levels.levels[i].short_density};
        for (size_t side = 0; side < 2; side++)
            if (densities[side] > 0) {
                counts[exponent_of(densities[side])]++;
                total++;
            }
    }
    for (; exponent > 0; exponent--) {
        above += counts[exponent];
        if (above > total / CELLS_PER_OUTLIER)
            break;
    }
    return fmin(grid->greatest_density, ldexp(1, (int)exponent + EXPONENT_MIN + HEADROOM_EXPONENT));
}

static unsigned char quantise(double density, double max_density)
{
    if (!(density > 0))
        return 0;
    double byte = BYTE_MAX + BYTES_PER_DECADE * log10(density / max_density);
    if (byte < 1)
        return 1;
    return byte < BYTE_MAX ? (unsigned char)lrint(byte) : BYTE_MAX;
}

static enum status paint(struct grid *grid, struct error *error)
{
    size_t cell_count = grid->rows * grid->column_count;
    grid->sides[0] = memory_try_allocate_zeroed(cell_count, 1);
    grid->sides[1] = memory_try_allocate_zeroed(cell_count, 1);
    if (grid->sides[0] == NULL || grid->sides[1] == NULL)
        return no_memory(grid, error);
    grid->max_density = find_max_density(grid);
    for (size_t c = 0; c < grid->column_count; c++) {
        for (size_t i = 0; i < grid->columns[c].level_count; i++) {
            const struct level *level = &grid->levels.levels[grid->columns[c].first_level + i];
            int64_t above_e8 = level->price_e8 - grid->price_min_e8;
            size_t row = (size_t)(above_e8 / grid->options->bucket_e8);
            size_t cell = row * grid->column_count + c;
            grid->sides[0][cell] = quantise(level->long_density, grid->max_density);
            grid->sides[1][cell] = quantise(level->short_density, grid->max_density);
        }
    }
    return STATUS_OK;
}

/* -- text -------------------------------------------------------------------------------------- */

static void write_duration(struct json *json, const char *key, int64_t duration_ms)
{
    char text[24];
    json_member_text(json, key, value_format_duration(duration_ms, text));
}

/* As the model takes them: of contracts, or of what they are worth. */
static int64_t count_interest_changes(const struct grid_options *options)
{
    const struct series *series = options->series;
    const bool is_in_contracts = model_is_of_moment(options->model);
    int64_t count = 0;
    double last = 0;
    for (size_t i = 0; i < series->count; i++) {
        const struct interest_step interest = series_interest(series, i);
        bool has_changed = interest.delta != 0;
        if (is_in_contracts)
            has_changed = interest.contracts > 0 && last > 0 && interest.contracts != last;
        if (interest.contracts > 0)
            last = interest.contracts;
        count += has_changed;
    }
    return count;
}

static int64_t count_known_interest(const struct series *series)
{
    int64_t count = 0;
    for (size_t i = 0; i < series->count; i++)
        count += series_interest(series, i).contracts > 0;
    return count;
}

static void write_known_from(const struct grid_options *options, struct json *json)
{
    if (!model_is_of_moment(options->model))
        return;
    if (options->known_from_ms != INT64_MAX)
        json_member_time(json, "known_from", options->known_from_ms);
    else
        json_member_null(json, "known_from");
}

static void write_meta(const struct grid *grid, struct json *json)
{
    const struct grid_column *first = &grid->columns[0];
    const struct grid_column *last = &grid->columns[grid->column_count - 1];
    char tiers[TIER_GROUPS_SIZE];
    json_key(json, "meta");
    json_open_object(json);
    json_member_text(json, "symbol", grid->options->symbol);
    json_member_time(json, "start_time", first->time_ms);
    json_member_time(json, "end_time", last->time_ms);
    write_duration(json, "interval", grid->options->interval_ms);
    write_duration(json, "step", grid->step_ms);
    write_known_from(grid->options, json);
    if (grid->options->settings->tier_groups != 0)
        json_member_text(json, "tiers",
                         value_format_tier_groups(grid->options->settings->tier_groups, tiers));
    json_member_decimal(json, "bucket", grid->options->bucket_e8);
    json_member_decimal(json, "price_min", grid->price_min_e8);
    json_member_integer(json, "rows", (int64_t)grid->rows);
    json_member_integer(json, "columns", (int64_t)grid->column_count);
    json_member_number(json, "max_density", grid->max_density);
    json_member_number(json, "greatest_density", grid->greatest_density);
    json_member_integer(json, "interest_known", count_known_interest(grid->options->series));
    json_member_integer(json, "interest_changes", count_interest_changes(grid->options));
    json_close_object(json);
}

static void write_columns(const struct grid *grid, struct json *json)
{
    json_key(json, "times");
    json_open_array(json);
    for (size_t c = 0; c < grid->column_count; c++)
        json_int(json, grid->columns[c].time_ms / 1000);
    json_close_array(json);
    json_key(json, "closes");
    json_open_array(json);
    for (size_t c = 0; c < grid->column_count; c++)
        json_decimal(json, grid->columns[c].close_e8);
    json_close_array(json);
}

static void write_cells(const struct grid *grid, const char *key, size_t side, struct json *json)
{
    json_key(json, key);
    json_begin_raw(json);
    buffer_append_char(json->out, '"');
    base64_append(json->out, grid->sides[side], grid->rows * grid->column_count);
    buffer_append_char(json->out, '"');
}

static void write_grid(const struct grid *grid, struct buffer *out)
{
    struct json json = json_start(out);
    json_open_object(&json);
    write_meta(grid, &json);
    write_columns(grid, &json);
    write_cells(grid, "long", 0, &json);
    write_cells(grid, "short", 1, &json);
    json_close_object(&json);
}

/* Runs a new book, paints, and writes. */
static enum status append_json(struct grid *grid, struct buffer *out, struct error *error)
{
    struct book *book = book_create(grid->options->model, grid->options->settings);
    enum status status = book != NULL ? gather(grid, book, error) : no_memory(grid, error);
    book_destroy(book);
    if (status == STATUS_OK)
        status = paint(grid, error);
    if (status == STATUS_OK)
        write_grid(grid, out);
    return status;
}

enum status grid_append_json(const struct grid_options *options, struct buffer *out,
                             struct error *error)
{
    struct grid *grid = memory_try_allocate_zeroed(1, sizeof *grid);
    if (grid == NULL)
        return error_set(error, STATUS_NO_MEMORY, "no memory for a map");
    grid->options = options;
    grid->step_ms = choose_step(options);
    /* Where a map without levels would have its first row. */
    grid->price_min_e8 =
        series_last(options->series)->close_e8 / options->bucket_e8 * options->bucket_e8;
    enum status status = append_json(grid, out, error);
    free(grid->sides[0]);
    free(grid->sides[1]);
    level_list_deinit(&grid->levels);
    free(grid);
    return status;
}
