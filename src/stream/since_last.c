/* A snapshot tells what its newest candle did, and who does not get every snapshot misses the
 * candles between. Publications carry running totals, so what happened since any other one is a
 * subtraction, and nothing is kept of a client but the totals of the one that it got last.
 *
 * The text is that of the snapshot with one member more, at its end. Clients that keep up with the
 * same rate got the same one last, so there are a few texts of a snapshot at most; each is made
 * when the first client is due, and kept while the snapshot is the newest that goes out. Clients
 * that do not ask for it are on another list of the hub and do not come here. */
#include "stream/since_last.h"

#include "base/buffer.h"
#include "base/json.h"

#include <string.h>

void since_last_deinit(struct since_last *last)
{
    for (size_t i = 0; i < last->count; i++)
        frame_release(last->made[i].frame);
    frame_release(last->of);
    *last = (struct since_last){0};
}

/* A correction of the past may have taken back more than was added. */
static int64_t rise(int64_t from, int64_t to)
{
    return to > from ? to - from : 0;
}

static struct frame *make(const struct frame *frame, const struct since_last_base *base)
{
    struct buffer text = {0};
    size_t size = frame_json_size(frame);
    while (size > 0 && frame_json(frame)[size - 1] != '}') /* another program's may end in blanks */
        size--;
    buffer_append(&text, frame_json(frame), size - 1);
    struct json json = {.out = &text, .needs_comma = true};
    json_key(&json, "since_last");
    json_open_object(&json);
    json_member_integer(&json, "seq", (int64_t)base->seq);
    json_member_integer(&json, "positions_created",
                        rise(base->totals.created, frame->totals.created));
    json_member_integer(&json, "positions_consumed",
                        rise(base->totals.consumed, frame->totals.consumed));
    json_close_object(&json);
    json_close_object(&json);
    struct frame *made = frame_create(frame->symbol_index, frame->epoch, frame->seq, frame->hash,
                                      text.data, text.size);
    made->published_ns = frame->published_ns;
    made->totals = frame->totals;
    buffer_deinit(&text);
    return made;
}

static struct frame *find(const struct since_last *last, uint64_t seq)
{
    for (size_t i = 0; i < last->count; i++)
        if (last->made[i].seq == seq)
            return frame_acquire(last->made[i].frame);
    return NULL;
}

struct frame *since_last_frame(struct since_last *last, struct frame *frame,
                               const struct since_last_base *base, struct ws_deflater *deflater)
{
    if (base->epoch != frame->epoch || !base->totals.are_known || !frame->totals.are_known)
        return frame_acquire(frame);
    if (last->of != frame) {
        since_last_deinit(last);
        last->of = frame_acquire(frame);
    }
    struct frame *made = find(last, base->seq);
    if (made == NULL) {
        made = make(frame, base);
        if (last->count < SINCE_LAST_KEPT_MAX)
            last->made[last->count++] = (struct since_last_made){base->seq, frame_acquire(made)};
    }
    if (deflater != NULL && frame_deflated(made) == NULL &&
        last->deflated_count < SINCE_LAST_DEFLATED_MAX) {
        frame_deflate(made, deflater);
        last->deflated_count++;
    }
    return made;
}
