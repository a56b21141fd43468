/* The JSON of a snapshot, as docs/protocol.md has it: the data object, the message around it, and
 * lists of levels. Appended to buffers; one thread a buffer. */
#ifndef HEATCAST_MODEL_SNAPSHOT_TEXT_H
#define HEATCAST_MODEL_SNAPSHOT_TEXT_H

#include "base/buffer.h"
#include "model/publication.h"
#include "model/snapshot.h"

/* {"levels":[...],"current_price":...,"positions_created":...,"positions_consumed":...,
 * "bucket":...}, expected where the snapshot is calibrated, and known_from where the window's rows
 * lack something. */
void snapshot_text_append_data(struct buffer *out, const struct snapshot *snapshot);

/* What a message has around the data. */
struct snapshot_envelope {
    uint64_t epoch, seq;
    bool is_replay;
    struct publication_totals totals;
};

/* The whole message: type, symbol, timestamp, epoch, seq, data, and between them replay where the
 * past is replayed, and totals where they are known. `data` is the text that
 * snapshot_text_append_data() made. */
void snapshot_text_append_message(struct buffer *out, const struct snapshot *snapshot,
                                  const struct snapshot_envelope *envelope, const char *data,
                                  size_t data_size);

/* [{"price":...,"long_density":...,"short_density":...},...] */
void snapshot_text_append_levels(struct buffer *out, const struct level_list *levels);

/* Appends one list of levels after another to the same buffer, in the same form. What a level has
 * in common with the list before is copied from there. `struct level_writer w = {0};` has
 * written nothing yet; what it has written must stay where it is in `out` until the next list.
 * Where there is no memory for that, the buffer fails. */
struct level_writer {
    struct written_level *last, *next; /* of the last list; of the list being written */
    size_t last_count, capacity;
};

void level_writer_append(struct level_writer *writer, struct buffer *out,
                         const struct level_list *levels);
void level_writer_deinit(struct level_writer *writer);

#endif
