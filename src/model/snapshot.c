/* The only place where the text of a snapshot is made. What a client sees of the market is the
 * timestamp and the data object, so the hash is taken over exactly these: an update is sent when,
 * and only when, somebody could tell the difference. Epoch and sequence number order snapshots and
 * are no part of the content. */
#include "model/snapshot.h"

#include "base/check.h"
#include "base/decimal.h"
#include "base/iso_time.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends a literal without counting its characters at run time. */
#define append_literal(out, text) buffer_append(out, text, sizeof(text) - 1)

void snapshot_deinit(struct snapshot *snapshot)
{
    level_list_deinit(&snapshot->levels);
    book_destroy(snapshot->book);
    *snapshot = (struct snapshot){0};
}

void snapshot_compute(struct snapshot *snapshot, const char *symbol, const struct series *series,
                      const struct leverage_weights *weights, int64_t bucket_e8)
{
    check(series->count > 0);
    const struct candle *last = &series->candles[series->count - 1];
    if (snapshot->book == NULL)
        snapshot->book = book_create(weights);
    else
        book_reset(snapshot->book, weights);
    struct book *book = snapshot->book;
    for (size_t i = 0; i < series->count; i++)
        snapshot->change = book_advance(book, &series->candles[i], series->deltas[i]);
    snprintf(snapshot->symbol, sizeof snapshot->symbol, "%s", symbol);
    snapshot->timestamp_ms = last->open_time_ms;
    snapshot->current_price_e8 = last->close_e8;
    snapshot->bucket_e8 =
        bucket_e8 != 0 ? bucket_e8 : heatmap_default_bucket(symbol, last->close_e8);
    book_snapshot(book, snapshot->bucket_e8, &snapshot->levels);
}

/* -- levels ------------------------------------------------------------------------------------ */

/* A literal without its terminator; returns the end. */
#define write_literal(to, text) ((char *)memcpy(to, text, sizeof(text) - 1) + sizeof(text) - 1)

enum { LEVEL_SIZE_MAX = 64 + DECIMAL_SIZE_MAX + 2 * DECIMAL_DOUBLE_SIZE_MAX };

/* Appends a level and the sign before it, which opens a list or goes on with it. */
static void append_level(struct buffer *out, char sign, const struct level *level)
{
    char *start = buffer_reserve(out, LEVEL_SIZE_MAX), *to = start;
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

void snapshot_append_levels_json(struct buffer *out, const struct level_list *levels)
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
    memcpy(to, out->data + last[0].start, size);
    *to = sign;
    buffer_commit(out, size);
    for (size_t i = 0; i < count; i++)
        next[i] = (struct written_level){last[i].level, last[i].start + moved};
}

void level_writer_append(struct level_writer *writer, struct buffer *out,
                         const struct level_list *levels)
{
    if (levels->count >= writer->capacity) {
        writer->capacity = 2 * levels->count + 1;
        writer->last = memory_resize(writer->last, writer->capacity, sizeof *writer->last);
        writer->next = memory_resize(writer->next, writer->capacity, sizeof *writer->next);
    }
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

void snapshot_append_data_json(struct buffer *out, const struct snapshot *snapshot)
{
    append_literal(out, "{\"levels\":");
    snapshot_append_levels_json(out, &snapshot->levels);
    append_literal(out, ",\"current_price\":");
    decimal_append(out, snapshot->current_price_e8);
    append_literal(out, ",\"positions_created\":");
    buffer_append_int(out, snapshot->change.created);
    append_literal(out, ",\"positions_consumed\":");
    buffer_append_int(out, snapshot->change.consumed);
    append_literal(out, ",\"bucket\":");
    decimal_append(out, snapshot->bucket_e8);
    buffer_append_char(out, '}');
}

void snapshot_append_message_json(struct buffer *out, const struct snapshot *snapshot,
                                  uint64_t epoch, uint64_t seq, const char *data, size_t data_size)
{
    char time[ISO_TIME_SIZE];
    append_literal(out, "{\"type\":\"snapshot\",\"symbol\":");
    buffer_append_json_string(out, snapshot->symbol, strlen(snapshot->symbol));
    append_literal(out, ",\"timestamp\":\"");
    buffer_append_text(out, iso_time_format(snapshot->timestamp_ms, time));
    append_literal(out, "\",\"epoch\":");
    buffer_append_int(out, (int64_t)epoch);
    append_literal(out, ",\"seq\":");
    buffer_append_int(out, (int64_t)seq);
    append_literal(out, ",\"data\":");
    buffer_append(out, data, data_size);
    buffer_append_char(out, '}');
}
