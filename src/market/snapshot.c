/* The only place where the text of a snapshot is made. What a client sees of the market is the
 * timestamp and the data object, so the hash is taken over exactly these: an update is sent when,
 * and only when, somebody could tell the difference. Epoch and sequence number order snapshots and
 * are no part of the content. */
#include "market/snapshot.h"

#include "base/check.h"
#include "base/decimal.h"
#include "base/hash.h"
#include "base/iso_time.h"

#include <stdio.h>
#include <string.h>

/* Appends a literal without counting its characters at run time. */
#define append_literal(out, text) buffer_append(out, text, sizeof(text) - 1)

void snapshot_deinit(struct snapshot *snapshot)
{
    level_list_deinit(&snapshot->levels);
    *snapshot = (struct snapshot){0};
}

void snapshot_compute(struct snapshot *snapshot, const char *symbol, const struct series *series,
                      const struct leverage_weights *weights, int64_t bucket_e8)
{
    check(series->count > 0);
    const struct candle *last = &series->candles[series->count - 1];
    struct book *book = book_create(weights);
    for (size_t i = 0; i < series->count; i++)
        snapshot->change = book_advance(book, &series->candles[i], series->deltas[i]);
    snprintf(snapshot->symbol, sizeof snapshot->symbol, "%s", symbol);
    snapshot->timestamp_ms = last->open_time_ms;
    snapshot->current_price_e8 = last->close_e8;
    snapshot->bucket_e8 =
        bucket_e8 != 0 ? bucket_e8 : heatmap_default_bucket(symbol, last->close_e8);
    book_snapshot(book, snapshot->bucket_e8, &snapshot->levels);
    book_destroy(book);
}

void snapshot_append_levels_json(struct buffer *out, const struct level_list *levels)
{
    buffer_append_char(out, '[');
    for (size_t i = 0; i < levels->count; i++) {
        const struct level *level = &levels->levels[i];
        if (i > 0)
            buffer_append_char(out, ',');
        append_literal(out, "{\"price\":");
        decimal_append(out, level->price_e8);
        append_literal(out, ",\"long_density\":");
        decimal_append_double(out, level->long_density);
        append_literal(out, ",\"short_density\":");
        decimal_append_double(out, level->short_density);
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ']');
}

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

uint64_t snapshot_hash(int64_t timestamp_ms, const char *data, size_t data_size)
{
    /* The bytes of the number in a fixed order, so that every machine finds the same hash. */
    unsigned char stamp[8];
    for (size_t i = 0; i < sizeof stamp; i++)
        stamp[i] = (unsigned char)((uint64_t)timestamp_ms >> (8 * i));
    return hash_bytes(hash_bytes(HASH_START, stamp, sizeof stamp), data, data_size);
}
