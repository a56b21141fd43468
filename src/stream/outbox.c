/* Replies must all arrive, and in order; of snapshots only the newest of each symbol matters. So
 * replies are a queue with a limit in bytes, and snapshots are slots. What has been begun must be
 * finished before anything else, because a WebSocket frame cannot be interrupted.
 *
 * A flush takes up to BATCH items off their places in sending order, writes them with one call,
 * and puts back what did not go: the first item that went in part becomes the begun one, the
 * others return to where they were. Nothing can change in between, since all of it is one turn of
 * the loop. The slots are a ring, and a socket that was full is continued with the slot behind the
 * last one that went, so that a slow client gets all symbols in turn.
 *
 * Most of what a server writes is a broadcast to clients that wait for nothing. For those
 * outbox_send() leaves out the slot, the batch, the clock and the counting, and falls back to what
 * a flush would have left when the socket does not take all of it. */
#include "stream/outbox.h"

#include "base/check.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 16 };

struct outbox_reply {
    struct outbox_reply *next;
    size_t size;
    char bytes[];
};

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

const uint64_t outbox_delivery_bounds_ns[OUTBOX_DELIVERY_BOUNDS] = {
    100 * US, 250 * US, 500 * US, 1 * MS,   2500 * US, 5 * MS,    10 * MS,   25 * MS,
    50 * MS,  100 * MS, 250 * MS, 500 * MS, 1000 * MS, 2500 * MS, 5000 * MS, 10000 * MS,
};

/* An item of a batch: exactly one of frame and reply is set. */
struct item {
    struct frame *frame;
    struct outbox_slot *slot; /* where the frame came from; NULL for the begun one */
    struct outbox_tape *tape; /* of a liquidation that is not begun */
    struct outbox_reply *reply;
    size_t offset;
    uint64_t waiting_since_ns; /* of a frame */
    uint64_t warned_of_missed; /* as the next, of liquidations */
    uint32_t warned_of;        /* of a warning that is not begun: the dropped snapshots it names */
    bool is_print, is_warning;
    bool is_deflated; /* the frame goes in its compressed form */
};

void outbox_meter_init(struct outbox_meter *meter, size_t symbol_count)
{
    memset(meter, 0, sizeof *meter);
    meter->frames_sent = memory_allocate_lines(symbol_count, sizeof *meter->frames_sent);
    meter->slow = memory_allocate_lines(symbol_count, sizeof *meter->slow);
}

void outbox_meter_deinit(struct outbox_meter *meter)
{
    free(meter->frames_sent);
    free(meter->slow);
}

void outbox_init(struct outbox *outbox)
{
    memset(outbox, 0, sizeof *outbox);
    list_init(&outbox->slots);
    list_init(&outbox->tapes);
    outbox->reply_bytes_max = OUTBOX_REPLY_BYTES_MAX;
}

void outbox_deinit(struct outbox *outbox)
{
    check(list_is_empty(&outbox->slots) && list_is_empty(&outbox->tapes));
    frame_release(outbox->begun_frame);
    free(outbox->begun_reply);
    while (outbox->replies != NULL) {
        struct outbox_reply *next = outbox->replies->next;
        free(outbox->replies);
        outbox->replies = next;
    }
}

void outbox_add_slot(struct outbox *outbox, struct outbox_slot *slot)
{
    *slot = (struct outbox_slot){0};
    list_push_back(&outbox->slots, &slot->in_outbox);
}

void outbox_remove_slot(struct outbox *outbox, struct outbox_slot *slot)
{
    (void)outbox;
    list_remove(&slot->in_outbox);
    frame_release(slot->pending);
    slot->pending = NULL;
}

void outbox_add_tape(struct outbox *outbox, struct outbox_tape *tape, const struct print_ring *ring)
{
    tape->ring = ring;
    tape->next = ring->end;
    list_push_back(&outbox->tapes, &tape->in_outbox);
}

void outbox_remove_tape(struct outbox_tape *tape)
{
    list_remove(&tape->in_outbox);
}

static struct outbox_reply *make_reply(enum ws_opcode opcode, const char *payload,
                                       size_t payload_size)
{
    char header[WS_FRAME_HEADER_MAX];
    size_t header_size = ws_encode_header(header, opcode, payload_size);
    struct outbox_reply *reply = memory_allocate(sizeof *reply + header_size + payload_size);
    reply->next = NULL;
    reply->size = header_size + payload_size;
    memcpy(reply->bytes, header, header_size);
    if (payload_size > 0)
        memcpy(reply->bytes + header_size, payload, payload_size);
    return reply;
}

/* What it takes in memory: a client could cause many empty ones. */
static uint32_t weight(const struct outbox_reply *reply)
{
    return (uint32_t)(sizeof *reply + reply->size);
}

static void push_back(struct outbox *outbox, struct outbox_reply *reply)
{
    if (outbox->replies == NULL)
        outbox->replies = reply;
    else
        outbox->replies_last->next = reply;
    outbox->replies_last = reply;
    outbox->reply_bytes += weight(reply);
}

static void push_front(struct outbox *outbox, struct outbox_reply *reply)
{
    reply->next = outbox->replies;
    outbox->replies = reply;
    if (reply->next == NULL)
        outbox->replies_last = reply;
    outbox->reply_bytes += weight(reply);
}

static struct outbox_reply *pop_front(struct outbox *outbox)
{
    struct outbox_reply *reply = outbox->replies;
    outbox->replies = reply->next;
    outbox->reply_bytes -= weight(reply);
    return reply;
}

bool outbox_push_reply(struct outbox *outbox, enum ws_opcode opcode, bool is_deflated,
                       const char *payload, size_t payload_size)
{
    size_t weight_max = sizeof(struct outbox_reply) + WS_FRAME_HEADER_MAX + payload_size;
    if (outbox->reply_bytes + weight_max > outbox->reply_bytes_max)
        return false;
    struct outbox_reply *reply = make_reply(opcode, payload, payload_size);
    if (is_deflated)
        ws_mark_compressed(reply->bytes);
    push_back(outbox, reply);
    return true;
}

static void count_late(struct outbox *outbox, uint32_t symbol_index, struct outbox_meter *meter)
{
    meter_add(&meter->slow[symbol_index], 1);
    outbox->is_slow = true;
    outbox->owes_warning = true;
}

static void replace_pending(struct outbox *outbox, struct outbox_slot *slot,
                            struct outbox_meter *meter)
{
    /* One that is held is skipped because the client asked for it, not because it is slow. */
    if (outbox_is_blocked(outbox) && !slot->is_held) {
        outbox->dropped++;
        meter_add(&meter->dropped, 1);
        if (outbox->is_slow && !slot->is_late)
            count_late(outbox, slot->pending->symbol_index, meter);
    }
    frame_release(slot->pending);
}

bool outbox_offer(struct outbox *outbox, struct outbox_slot *slot, struct frame *frame,
                  uint64_t since_ns, struct outbox_meter *meter)
{
    if (!frame_is_after(frame, slot->epoch, slot->seq))
        return false;
    if (slot->pending != NULL)
        replace_pending(outbox, slot, meter);
    else
        slot->waiting_since_ns = since_ns;
    slot->pending = frame_acquire(frame);
    slot->epoch = frame->epoch;
    slot->seq = frame->seq;
    slot->is_late = false;
    return true;
}

static struct item take_warning(struct outbox *outbox)
{
    struct buffer text = {0};
    struct json json = json_start(&text);
    json_open_object(&json);
    json_member_text(&json, "type", "warning");
    json_member_text(&json, "code", "SLOW_CONSUMER");
    json_member_text(&json, "message", "Connection slow - may miss updates");
    json_member_integer(&json, "dropped_messages", outbox->dropped);
    if (outbox->missed > 0)
        json_member_integer(&json, "dropped_liquidations", (int64_t)outbox->missed);
    json_close_object(&json);
    struct item item = {.reply = make_reply(WS_TEXT, text.data, text.size),
                        .warned_of = outbox->dropped,
                        .warned_of_missed = outbox->missed,
                        .is_warning = true};
    buffer_deinit(&text);
    outbox->owes_warning = false;
    outbox->dropped = 0;
    outbox->missed = 0;
    return item;
}

static bool takes_deflated(const struct outbox *outbox, const struct frame *frame)
{
    return outbox->deflates && frame_deflated(frame) != NULL;
}

/* The next liquidation of any symbol. Where some were missed, the warning that says so goes first.
 */
static bool take_print(struct outbox *outbox, struct item *item, struct outbox_meter *meter)
{
    for (struct list *link = outbox->tapes.next; link != &outbox->tapes; link = link->next) {
        struct outbox_tape *tape = list_entry(link, struct outbox_tape, in_outbox);
        uint64_t missed = 0;
        struct frame *frame = print_ring_find(tape->ring, &tape->next, &missed);
        if (missed > 0) {
            outbox->missed += missed;
            meter_add(&meter->prints_missed, missed);
            *item = take_warning(outbox);
            return true;
        }
        if (frame == NULL)
            continue;
        frame_acquire(frame);
        *item = (struct item){.frame = frame, .tape = tape, .is_print = true};
        tape->next++;
        return true;
    }
    return false;
}

/* The next thing to send, taken off its place; false if there is none. */
static bool take_next(struct outbox *outbox, struct list **slot_cursor, struct item *item,
                      struct outbox_meter *meter)
{
    if (outbox->begun_frame != NULL || outbox->begun_reply != NULL) {
        *item = (struct item){.frame = outbox->begun_frame,
                              .reply = outbox->begun_reply,
                              .offset = outbox->begun_offset,
                              .waiting_since_ns = outbox->begun_waiting_since_ns,
                              .is_deflated = outbox->is_begun_deflated,
                              .is_print = outbox->is_begun_print};
        outbox->begun_frame = NULL;
        outbox->begun_reply = NULL;
        return true;
    }
    if (outbox->replies != NULL) {
        *item = (struct item){.reply = pop_front(outbox)};
        return true;
    }
    if (outbox->owes_warning) {
        *item = take_warning(outbox);
        return true;
    }
    if (take_print(outbox, item, meter))
        return true;
    for (; *slot_cursor != &outbox->slots; *slot_cursor = (*slot_cursor)->next) {
        struct outbox_slot *slot = list_entry(*slot_cursor, struct outbox_slot, in_outbox);
        if (slot->pending == NULL || slot->is_held)
            continue;
        *item = (struct item){.frame = slot->pending,
                              .slot = slot,
                              .waiting_since_ns = slot->waiting_since_ns,
                              .is_deflated = takes_deflated(outbox, slot->pending)};
        slot->pending = NULL;
        return true;
    }
    return false;
}

static struct iovec frame_piece(const struct frame *frame, bool is_deflated)
{
    if (!is_deflated)
        return (struct iovec){(char *)frame->bytes, frame->size};
    const struct frame_deflated *deflated = frame_deflated(frame);
    return (struct iovec){(char *)deflated->bytes, deflated->size};
}

static struct iovec item_piece(const struct item *item)
{
    struct iovec whole = item->frame != NULL
                             ? frame_piece(item->frame, item->is_deflated)
                             : (struct iovec){item->reply->bytes, item->reply->size};
    return (struct iovec){(char *)whole.iov_base + item->offset, whole.iov_len - item->offset};
}

/* `count` snapshots of one symbol that had waited since then. */
static void count_deliveries(struct outbox_meter *meter, uint32_t symbol_index, uint64_t count,
                             uint64_t since_ns, uint64_t now_ns)
{
    uint64_t duration_ns = now_ns > since_ns ? now_ns - since_ns : 0;
    size_t bucket = 0;
    while (bucket < OUTBOX_DELIVERY_BOUNDS && duration_ns > outbox_delivery_bounds_ns[bucket])
        bucket++;
    meter_add(&meter->frames_sent[symbol_index], count);
    meter_add(&meter->delivered[bucket], count);
    meter_add(&meter->delivery_ns_sum, count * duration_ns);
}

static void note_sent(const struct item *item)
{
    if (item->slot != NULL)
        item->slot->sent =
            (struct since_last_base){item->frame->epoch, item->frame->seq, item->frame->totals};
}

static void finish_item(struct item *item, uint64_t now_ns, struct outbox_meter *meter)
{
    if (item->is_print) {
        meter_add(&meter->prints_sent, 1);
        frame_release(item->frame);
    } else if (item->frame != NULL) {
        note_sent(item);
        count_deliveries(meter, item->frame->symbol_index, 1, item->waiting_since_ns, now_ns);
        frame_release(item->frame);
    } else {
        free(item->reply);
    }
}

static void begin_item(struct outbox *outbox, const struct item *item, size_t taken)
{
    outbox->begun_frame = item->frame;
    outbox->begun_reply = item->reply;
    outbox->begun_offset = item->offset + taken;
    outbox->is_begun_deflated = item->is_deflated;
    outbox->is_begun_print = item->is_print;
    if (item->is_print)
        outbox->is_begun_late = true; /* snapshots alone have a deadline */
    if (item->slot != NULL) {
        note_sent(item);
        outbox->begun_waiting_since_ns = item->slot->waiting_since_ns;
        outbox->is_begun_late = item->slot->is_late;
    }
}

/* A warning goes back as owed, not as a text: its number is to be that of the moment when it
 * goes out. */
static void put_back(struct outbox *outbox, const struct item *item)
{
    if (item->is_print) {
        check(item->tape != NULL); /* as below */
        item->tape->next = item->frame->seq;
        frame_release(item->frame);
    } else if (item->frame != NULL) {
        check(item->slot != NULL); /* the begun one is begun again instead */
        item->slot->pending = item->frame;
    } else if (item->is_warning) {
        outbox->owes_warning = true;
        outbox->dropped += item->warned_of;
        outbox->missed += item->warned_of_missed;
        free(item->reply);
    } else {
        push_front(outbox, item->reply);
    }
}

static void count_bytes(struct outbox_meter *meter, const struct item *item, size_t taken)
{
    meter_add(item->is_deflated ? &meter->compressed_bytes_sent : &meter->plain_bytes_sent, taken);
}

/* Accounts for `taken` bytes of the batch. True if all of it went. `*last` becomes the slot of the
 * last snapshot of which anything went, if there is one. */
static bool settle_batch(struct outbox *outbox, struct item *items, int count, size_t taken,
                         uint64_t now_ns, struct outbox_meter *meter, struct outbox_slot **last)
{
    int i = 0;
    for (; i < count; i++) {
        size_t size = item_piece(&items[i]).iov_len;
        if (taken < size)
            break;
        taken -= size;
        if (items[i].slot != NULL)
            *last = items[i].slot;
        count_bytes(meter, &items[i], size);
        finish_item(&items[i], now_ns, meter);
    }
    if (i == count)
        return true;
    count_bytes(meter, &items[i], taken);
    int first_back = i;
    if (taken > 0 || items[i].offset > 0) {
        begin_item(outbox, &items[i], taken);
        if (items[i].slot != NULL)
            *last = items[i].slot;
        first_back++;
    }
    for (int j = count - 1; j >= first_back; j--)
        put_back(outbox, &items[j]);
    return false;
}

/* The socket is full behind a snapshot of this slot (NULL: of none): the next flush begins with the
 * slots that follow it. Otherwise a slow client would get the first symbols' newest snapshots
 * again and again, and never those of the last. */
static void block(struct outbox *outbox, struct outbox_slot *last, uint64_t now_ns)
{
    if (!outbox_is_blocked(outbox))
        outbox->blocked_since_ns = now_ns;
    if (last == NULL)
        return;
    list_remove(&outbox->slots); /* the ring has its beginning elsewhere */
    list_push_back(last->in_outbox.next, &outbox->slots);
}

enum outbox_result outbox_flush(struct outbox *outbox, uint64_t now_ns, outbox_writer *write,
                                void *context, struct outbox_meter *meter)
{
    struct list *cursor = outbox->slots.next;
    struct outbox_slot *last = NULL;
    for (;;) {
        struct item items[BATCH];
        struct iovec pieces[BATCH];
        int count = 0;
        size_t total = 0;
        while (count < BATCH && take_next(outbox, &cursor, &items[count], meter)) {
            pieces[count] = item_piece(&items[count]);
            total += pieces[count++].iov_len;
        }
        if (count == 0) {
            outbox->blocked_since_ns = 0;
            outbox->is_slow = false;
            return OUTBOX_EMPTY;
        }
        ssize_t taken = write(context, pieces, count);
        if (taken > 0)
            outbox->blocked_since_ns = 0;
        bool is_whole =
            settle_batch(outbox, items, count, taken > 0 ? (size_t)taken : 0, now_ns, meter, &last);
        if (taken < 0)
            return OUTBOX_BROKEN;
        if (!is_whole) {
            block(outbox, last, now_ns);
            return OUTBOX_BLOCKED;
        }
        check((size_t)taken == total);
    }
}

enum outbox_result outbox_send(struct outbox *outbox, struct outbox_slot *slot,
                               struct outbox_broadcast *broadcast, outbox_writer *write,
                               void *context, struct outbox_meter *meter)
{
    struct frame *frame = broadcast->frame;
    bool is_deflated = takes_deflated(outbox, frame);
    struct iovec piece = frame_piece(frame, is_deflated);
    ssize_t taken = write(context, &piece, 1);
    if (taken < 0)
        return OUTBOX_BROKEN;
    if ((size_t)taken == piece.iov_len) {
        slot->epoch = frame->epoch;
        slot->seq = frame->seq;
        broadcast->plain_count += !is_deflated;
        broadcast->deflated_count += is_deflated;
        return OUTBOX_EMPTY;
    }
    /* The socket is full: the same state as a flush would have left. */
    check(outbox_offer(outbox, slot, frame, frame->published_ns, meter));
    struct item item = {.frame = frame, .slot = slot, .is_deflated = is_deflated};
    slot->pending = NULL;
    struct outbox_slot *last = NULL;
    settle_batch(outbox, &item, 1, (size_t)taken, broadcast->now_ns, meter, &last);
    block(outbox, last, broadcast->now_ns);
    return OUTBOX_BLOCKED;
}

void outbox_count_sent(struct outbox_broadcast *broadcast, uint64_t now_ns,
                       struct outbox_meter *meter)
{
    struct frame *frame = broadcast->frame;
    uint64_t plain_count = broadcast->plain_count, deflated_count = broadcast->deflated_count;
    broadcast->now_ns = now_ns;
    broadcast->plain_count = broadcast->deflated_count = 0;
    count_deliveries(meter, frame->symbol_index, plain_count + deflated_count, frame->published_ns,
                     now_ns);
    meter_add(&meter->plain_bytes_sent, plain_count * frame_piece(frame, false).iov_len);
    if (deflated_count > 0)
        meter_add(&meter->compressed_bytes_sent, deflated_count * frame_piece(frame, true).iov_len);
}

void outbox_check_deadlines(struct outbox *outbox, uint64_t now_ns, uint64_t timeout_ns,
                            struct outbox_meter *meter)
{
    if (!outbox_is_blocked(outbox))
        return;
    if (outbox->begun_frame != NULL && !outbox->is_begun_late &&
        now_ns > outbox->begun_waiting_since_ns + timeout_ns) {
        outbox->is_begun_late = true;
        count_late(outbox, outbox->begun_frame->symbol_index, meter);
    }
    for (struct list *link = outbox->slots.next; link != &outbox->slots; link = link->next) {
        struct outbox_slot *slot = list_entry(link, struct outbox_slot, in_outbox);
        if (slot->pending == NULL || slot->is_held || slot->is_late ||
            now_ns <= slot->waiting_since_ns + timeout_ns)
            continue;
        slot->is_late = true;
        count_late(outbox, slot->pending->symbol_index, meter);
    }
}
