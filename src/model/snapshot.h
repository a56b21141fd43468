/* A snapshot: what the heatmap of one symbol looks like after its newest candle. A plain value that
 * knows its JSON form (PROTOCOL.md §1) and its content hash. */
#ifndef HEATCAST_MODEL_SNAPSHOT_H
#define HEATCAST_MODEL_SNAPSHOT_H

#include "base/buffer.h"
#include "model/book.h"

struct snapshot {
    char symbol[SYMBOL_SIZE];
    int64_t timestamp_ms; /* open time of the newest candle */
    int64_t bucket_e8;
    int64_t current_price_e8; /* its close */
    struct book_change change;
    struct level_list levels;
    /* What computed it, or NULL. Kept because half of what a week costs in new memory is to get
     * that memory. */
    struct book *book;
};

void snapshot_deinit(struct snapshot *snapshot);

/* Runs the model over a series (at least one candle) and takes the snapshot after its last candle.
 * `bucket_e8` 0 means the symbol's default. `snapshot` must be zeroed or an earlier result. */
void snapshot_compute(struct snapshot *snapshot, const char *symbol, const struct series *series,
                      const struct leverage_weights *weights, int64_t bucket_e8);

/* Appends {"levels":[...],"current_price":...,"positions_created":...,"positions_consumed":...,
 * "bucket":...}. */
void snapshot_append_data_json(struct buffer *out, const struct snapshot *snapshot);

/* Appends the whole message: type, symbol, timestamp, epoch, seq, data. `data` is the text that
 * snapshot_append_data_json() made. */
void snapshot_append_message_json(struct buffer *out, const struct snapshot *snapshot,
                                  uint64_t epoch, uint64_t seq, const char *data, size_t data_size);

/* Appends [{"price":...,"long_density":...,"short_density":...},...]. */
void snapshot_append_levels_json(struct buffer *out, const struct level_list *levels);

/* Appends one list of levels after another to the same buffer, in the same form. What a level has
 * in common with the list before is copied from there. `struct level_writer w = {0};` has written
 * nothing yet; what it has written must stay where it is in `out` until the next list. */
struct level_writer {
    struct written_level *last, *next; /* of the last list; of the list being written */
    size_t last_count, capacity;
};

void level_writer_append(struct level_writer *writer, struct buffer *out,
                         const struct level_list *levels);
void level_writer_deinit(struct level_writer *writer);

#endif
