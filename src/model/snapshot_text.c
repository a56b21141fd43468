/* Levels are nearly all of the text of a snapshot: some hundred of them, each three numbers. They
 * are written by hand, into room that is reserved once a level, while everything around them goes
 * through base/json.h.
 *
 * In a history, most levels of a snapshot are the same numbers as in the one before. A level_writer
 * remembers where in the buffer each level of the last list stands, and copies runs of equal ones
 * from there; to write a number costs many times what it costs to copy it. */
#include "model/snapshot_text.h"

#include "base/decimal.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* -- levels ------------------------------------------------------------------------------------ */

/* A literal without its terminator; returns the end. */
#define write_literal(to, text) ((char *)memcpy(to, text, sizeof(text) - 1) + sizeof(text) - 1)

enum { LEVEL_SIZE_MAX = 64 + DECIMAL_SIZE_MAX + 2 * DECIMAL_DOUBLE_SIZE_MAX };

/* Appends a level and the sign before it, which opens a list or continues it. */
static void append_level(struct buffer *out, char sign, const struct level *level)
{
    char *start = buffer_reserve(out, LEVEL_SIZE_MAX), *to = start;
    if (start == NULL)
        return;
    *to++ = sign;
    to = write_literal(to, "{\"price\":");
    to = decimal_write(to, level->price_e8);
    to = write_literal(to, ",\"long_density\":");
    to = decimal_write_double(to, level->long_density);
    to = write_literal(to, ",\"short_density\":");
    to = decimal_write_double(to, level->short_density);
    *to++ = '}';
    buffer_commit(out, (size_t)(to - start));
}

static void append_levels_end(struct buffer *out, size_t count)
{
    buffer_append_text(out, count > 0 ? "]" : "[]");
}

void snapshot_text_append_levels(struct buffer *out, const struct level_list *levels)
{
    for (size_t i = 0; i < levels->count; i++)
        append_level(out, i > 0 ? ',' : '[', &levels->levels[i]);
    append_levels_end(out, levels->count);
}

/* A level and where its text is in the buffer, from the sign before it on. Behind the last level
 * of a list stands one without a level, which tells where the text ends. */
struct written_level {
    struct level level;
    size_t start;
};

static bool is_same_level(const struct level *a, const struct level *b)
{
    return a->price_e8 == b->price_e8 && a->long_density == b->long_density &&
           a->short_density == b->short_density;
}

/* How many levels from `levels` on are the same as those from `last` on. */
static size_t count_same(const struct level *levels, size_t count, const struct written_level *last,
                         size_t last_count)
{
    size_t same = 0;
    while (same < count && same < last_count && is_same_level(&levels[same], &last[same].level))
        same++;
    return same;
}

/* Appends `count` levels that have been written already, from `last` on. */
static void append_again(struct buffer *out, char sign, const struct written_level *last,
                         size_t count, struct written_level *next)
{
    size_t size = last[count].start - last[0].start, moved = out->size - last[0].start;
    char *to = buffer_reserve(out, size);
    if (to == NULL)
        return;
    memcpy(to, out->data + last[0].start, size);
    *to = sign;
    buffer_commit(out, size);
    for (size_t i = 0; i < count; i++)
        next[i] = (struct written_level){last[i].level, last[i].start + moved};
}

/* Makes room for `count` levels and the end behind them. */
static bool grow_writer(struct level_writer *writer, size_t count)
{
    size_t capacity = 2 * count + 1;
    struct written_level *last = memory_try_resize(writer->last, capacity, sizeof *last);
    if (last == NULL)
        return false;
    writer->last = last;
    struct written_level *next = memory_try_resize(writer->next, capacity, sizeof *next);
    if (next == NULL)
        return false;
    writer->next = next;
    writer->capacity = capacity;
    return true;
}

void level_writer_append(struct level_writer *writer, struct buffer *out,
                         const struct level_list *levels)
{
    if (levels->count >= writer->capacity && !grow_writer(writer, levels->count))
        buffer_fail(out);
    if (buffer_has_failed(out))
        return; /* the text to copy from is not there */
    struct written_level *last = writer->last, *next = writer->next;
    size_t at = 0, count = levels->count, same;
    for (size_t i = 0; i < count; i += same) {
        const struct level *level = &levels->levels[i];
        while (at < writer->last_count && last[at].level.price_e8 < level->price_e8)
            at++;
        same = count_same(level, count - i, last + at, writer->last_count - at);
        char sign = i > 0 ? ',' : '[';
        if (same > 0) {
            append_again(out, sign, last + at, same, next + i);
        } else {
            next[i] = (struct written_level){*level, out->size};
            append_level(out, sign, level);
            same = 1;
        }
    }
    next[count].start = out->size;
    append_levels_end(out, count);
    writer->last = next;
    writer->next = last;
    writer->last_count = count;
}

void level_writer_deinit(struct level_writer *writer)
{
    free(writer->last);
    free(writer->next);
    *writer = (struct level_writer){0};
}

/* -- messages ---------------------------------------------------------------------------------- */

static void append_known_from(struct json *json, int64_t known_from_ms)
{
    if (known_from_ms == SNAPSHOT_UNKNOWN)
        json_member_null(json, "known_from");
    else if (known_from_ms != SNAPSHOT_KNOWN)
        json_member_time(json, "known_from", known_from_ms);
}

/* What price would liquidate on its way through all levels of a side. */
static void append_expected(struct json *json, const struct snapshot *snapshot)
{
    const struct calibration *calibration = &snapshot->calibration;
    double longs = 0, shorts = 0;
    if (!(calibration->factor > 0))
        return;
    for (size_t i = 0; i < snapshot->levels.count; i++) {
        longs += snapshot->levels.levels[i].long_density;
        shorts += snapshot->levels.levels[i].short_density;
    }
    json_key(json, "expected");
    json_open_object(json);
    json_member_number(json, "long", longs * calibration->factor);
    json_member_number(json, "short", shorts * calibration->factor);
    json_member_number(json, "factor", calibration->factor);
    json_member_number(json, "low", calibration->low);
    json_member_number(json, "high", calibration->high);
    json_member_time(json, "until", calibration->until_ms);
    json_close_object(json);
}

void snapshot_text_append_data(struct buffer *out, const struct snapshot *snapshot)
{
    struct json json = json_start(out);
    json_open_object(&json);
    json_key(&json, "levels");
    json_begin_raw(&json);
    snapshot_text_append_levels(out, &snapshot->levels);
    json_member_decimal(&json, "current_price", snapshot->current_price_e8);
    json_member_integer(&json, "positions_created", snapshot->change.created);
    json_member_integer(&json, "positions_consumed", snapshot->change.consumed);
    json_member_decimal(&json, "bucket", snapshot->bucket_e8);
    append_expected(&json, snapshot);
    append_known_from(&json, snapshot->known_from_ms);
    json_close_object(&json);
}

static void append_totals(struct json *json, const struct publication_totals *totals)
{
    json_key(json, "totals");
    json_open_object(json);
    json_member_integer(json, "positions_created", totals->created);
    json_member_integer(json, "positions_consumed", totals->consumed);
    json_close_object(json);
}

void snapshot_text_append_message(struct buffer *out, const struct snapshot *snapshot,
                                  const struct snapshot_envelope *envelope, const char *data,
                                  size_t data_size)
{
    struct json json = json_start(out);
    json_open_object(&json);
    json_member_text(&json, "type", "snapshot");
    json_member_text(&json, "symbol", snapshot->symbol);
    json_member_time(&json, "timestamp", snapshot->timestamp_ms);
    json_member_integer(&json, "epoch", (int64_t)envelope->epoch);
    json_member_integer(&json, "seq", (int64_t)envelope->seq);
    if (envelope->is_replay)
        json_member_bool(&json, "replay", true);
    if (envelope->totals.are_known)
        append_totals(&json, &envelope->totals);
    json_key(&json, "data");
    json_raw(&json, data, data_size);
    json_close_object(&json);
}
