/* Everything that a snapshot costs once is paid here, on the thread that publishes it: the frame
 * is built, compressed and put into the loops' mailboxes, and a worker loop only writes it. Two
 * threads may publish at a time, the generator's and the main loop's (snapshots of other servers),
 * and in a failover both may have one of the same symbol. So publishing is serialised by
 * `publishing`: the frame that won as the newest is in all mailboxes before the next one is
 * compared, and no loop gets an older frame after a newer one.
 *
 * That mutex is held while zlib runs. Worker loops must not wait for zlib, and read the newest
 * frame (a new subscriber's first snapshot, an HTTP answer) under `lock`, which is held for some
 * instructions. Order: `publishing`, then `lock` or a mailbox's.
 *
 * In the other direction go counters: how many subscribers a symbol has, and until when an HTTP
 * request keeps it wanted. The generator reads them at its ticks. A symbol without either is not
 * computed; the next client that asks for it causes on_wanted(), and until the generator has
 * checked the symbol, its newest frame counts as stale. */
#include "stream/publisher.h"

#include "base/check.h"
#include "base/clock.h"
#include "wire/deflate.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { MAILBOXES_MAX = 256 };

enum { PRINTS_KNOWN = 512 }; /* the newest of a symbol, by which repeated ones are found */

/* The liquidations of a symbol. */
struct prints {
    uint64_t count; /* numbered so far */
    size_t known_next;
    uint64_t known[PRINTS_KNOWN]; /* keys */
};

struct symbol_state {
    /* Relaxed order is enough for all of these: each is read by itself, and what a reader may
     * do next depends on no memory that their writer has written before. See also
     * is_kept_current(). */
    atomic_size_t subscribers;
    atomic_int_least64_t requested_until_ms; /* monotonic */
    atomic_bool is_followed;           /* the last check went well, and there was interest since */
    atomic_int_least64_t data_time_ms; /* of the newest candle known; 0: none is */
    atomic_int_least64_t interest_time_ms; /* publisher_interest_time_ms() */
    struct frame *newest;  /* guarded by publisher.lock, written under both mutexes */
    struct prints *prints; /* guarded by publisher.printing; NULL: there were none */
};

struct publisher {
    size_t symbol_count;
    size_t mailbox_count;
    struct mailbox *mailboxes[MAILBOXES_MAX];
    void (*on_wanted)(size_t symbol_index, void *context);
    void *context;
    void (*on_broadcast)(size_t symbol_index, uint64_t duration_ns, void *context);
    void *broadcast_context;
    pthread_mutex_t publishing; /* held while frames are made, compressed and put into mailboxes */
    pthread_mutex_t lock;       /* guards symbol_state.newest */
    struct ws_deflater *deflater; /* guarded by `publishing` */
    pthread_mutex_t printing;     /* held while a liquidation is numbered and put into mailboxes */
    atomic_size_t print_followers;
    /* As the counters of symbol_state, of compressed frames. */
    atomic_size_t deflaters;
    atomic_int_least64_t deflated_requested_until_ms;
    struct symbol_state *symbols;
    struct frame **changed, **replaced; /* scratch, guarded by `publishing`; room for all symbols */
};

static int64_t now_ms(void)
{
    return (int64_t)(clock_monotonic_ns() / 1000000);
}

struct publisher *publisher_create(const struct symbol_list *symbols,
                                   void (*on_wanted)(size_t symbol_index, void *context),
                                   void *context)
{
    struct publisher *publisher = memory_allocate_zeroed(1, sizeof *publisher);
    publisher->symbol_count = symbols->count;
    publisher->symbols = memory_allocate_lines(symbols->count, sizeof *publisher->symbols);
    publisher->changed = memory_allocate_zeroed(symbols->count, sizeof *publisher->changed);
    publisher->replaced = memory_allocate_zeroed(symbols->count, sizeof *publisher->replaced);
    publisher->on_wanted = on_wanted;
    publisher->context = context;
    publisher->deflater = ws_deflater_create();
    check(pthread_mutex_init(&publisher->lock, NULL) == 0);
    check(pthread_mutex_init(&publisher->publishing, NULL) == 0);
    check(pthread_mutex_init(&publisher->printing, NULL) == 0);
    return publisher;
}

void publisher_destroy(struct publisher *publisher)
{
    if (publisher == NULL)
        return;
    for (size_t i = 0; i < publisher->symbol_count; i++)
        frame_release(publisher->symbols[i].newest);
    for (size_t i = 0; i < publisher->symbol_count; i++)
        free(publisher->symbols[i].prints);
    free(publisher->symbols);
    free(publisher->changed);
    free(publisher->replaced);
    ws_deflater_destroy(publisher->deflater);
    pthread_mutex_destroy(&publisher->publishing);
    pthread_mutex_destroy(&publisher->printing);
    pthread_mutex_destroy(&publisher->lock);
    free(publisher);
}

void publisher_add_mailbox(struct publisher *publisher, struct mailbox *mailbox)
{
    check(publisher->mailbox_count < MAILBOXES_MAX);
    publisher->mailboxes[publisher->mailbox_count++] = mailbox;
}

void publisher_observe(struct publisher *publisher,
                       void (*on_broadcast)(size_t symbol_index, uint64_t duration_ns,
                                            void *context),
                       void *context)
{
    publisher->on_broadcast = on_broadcast;
    publisher->broadcast_context = context;
}

/* The duration is that of the loop that was done last, which need not be the one that counts down
 * last: so each raises delivered_ns first. Relaxed, because the countdown orders it: each
 * decrement releases the raise before it, and the last one acquires those of all others (the
 * decrements are one release sequence), so it reads the latest time of all. */
void publisher_delivered(struct publisher *publisher, struct frame *frame, uint64_t now_ns)
{
    uint64_t latest_ns = atomic_load_explicit(&frame->delivered_ns, memory_order_relaxed);
    while (latest_ns < now_ns &&
           !atomic_compare_exchange_weak_explicit(&frame->delivered_ns, &latest_ns, now_ns,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    if (atomic_fetch_sub_explicit(&frame->loops_left, 1, memory_order_acq_rel) != 1)
        return;
    latest_ns = atomic_load_explicit(&frame->delivered_ns, memory_order_relaxed);
    if (latest_ns > 0 && publisher->on_broadcast != NULL)
        publisher->on_broadcast(frame->symbol_index, latest_ns - frame->published_ns,
                                publisher->broadcast_context);
}

/* A frame that is replaced before a loop took it is never delivered there: that loop is done. */
static void hand_to_loops(struct publisher *publisher, struct frame *const frames[], size_t count)
{
    struct frame **replaced = publisher->replaced;
    for (size_t i = 0; i < count; i++)
        atomic_store_explicit(&frames[i]->loops_left, (unsigned)publisher->mailbox_count,
                              memory_order_relaxed); /* a mailbox's mutex orders it for its loop */
    for (size_t i = 0; i < publisher->mailbox_count; i++) {
        mailbox_put_frames(publisher->mailboxes[i], frames, count, replaced);
        for (size_t j = 0; j < count; j++) {
            if (replaced[j] != NULL)
                publisher_delivered(publisher, replaced[j], 0);
            frame_release(replaced[j]);
        }
    }
}

static bool is_deflated_wanted(const struct publisher *publisher)
{
    return atomic_load_explicit(&publisher->deflaters, memory_order_relaxed) > 0 ||
           now_ms() <
               atomic_load_explicit(&publisher->deflated_requested_until_ms, memory_order_relaxed);
}

/* Makes the frame the newest of its symbol, unless there is a newer one. `is_same`: clients see no
 * difference to the one before. */
static bool replace_newest(struct publisher *publisher, struct frame *frame, bool *is_same)
{
    struct symbol_state *symbol = &publisher->symbols[frame->symbol_index];
    pthread_mutex_lock(&publisher->lock);
    struct frame *previous = symbol->newest;
    bool is_news = previous == NULL || frame_is_after(frame, previous->epoch, previous->seq);
    if (is_news)
        symbol->newest = frame_acquire(frame);
    pthread_mutex_unlock(&publisher->lock);
    *is_same = previous != NULL && previous->hash == frame->hash;
    if (is_news)
        frame_release(previous);
    return is_news;
}

/* Makes the frame, and makes it the newest of its symbol. NULL: there is one as new or newer. */
static struct frame *make_newest(struct publisher *publisher, const struct publication *published,
                                 bool *is_same)
{
    struct frame *frame =
        frame_create((uint32_t)published->symbol_index, published->epoch, published->seq,
                     published->hash, published->text, published->text_size);
    frame->totals = published->totals;
    if (is_deflated_wanted(publisher))
        frame_deflate(frame, publisher->deflater);
    if (!replace_newest(publisher, frame, is_same)) {
        frame_release(frame);
        return NULL;
    }
    atomic_store_explicit(&publisher->symbols[published->symbol_index].data_time_ms,
                          published->timestamp_ms, memory_order_relaxed);
    return frame;
}

void publisher_publish(struct publisher *publisher, const struct publication *published,
                       size_t count, struct frame *frames[])
{
    struct frame **changed = publisher->changed;
    size_t changed_count = 0;
    check(count <= publisher->symbol_count);
    pthread_mutex_lock(&publisher->publishing);
    for (size_t i = 0; i < count; i++) {
        bool is_same;
        check(published[i].symbol_index < publisher->symbol_count);
        frames[i] = make_newest(publisher, &published[i], &is_same);
        if (frames[i] != NULL && !is_same)
            changed[changed_count++] = frames[i];
    }
    hand_to_loops(publisher, changed, changed_count);
    pthread_mutex_unlock(&publisher->publishing);
}

void publisher_checked(struct publisher *publisher, size_t symbol_index, enum status status)
{
    check(symbol_index < publisher->symbol_count);
    pthread_mutex_lock(&publisher->publishing);
    struct frame *newest = publisher_newest(publisher, symbol_index);
    if (newest != NULL && is_deflated_wanted(publisher))
        frame_deflate(newest, publisher->deflater);
    frame_release(newest);
    pthread_mutex_unlock(&publisher->publishing);
    atomic_store_explicit(&publisher->symbols[symbol_index].is_followed, status == STATUS_OK,
                          memory_order_relaxed);
    for (size_t i = 0; i < publisher->mailbox_count; i++)
        mailbox_put_checked(publisher->mailboxes[i], symbol_index, status);
}

/* Whether the generator keeps the symbol current. No event marks the end of the last interest (a
 * subscriber leaves, a request's time runs out), so it is found here, when the next one asks.
 *
 * A true is_followed also means that publisher_newest() gives a frame of that check or a later
 * one: the frame was stored under `lock`, before the flag was, so a thread that has seen the flag
 * takes the mutex after it. Where this races with a check that ends, the flag may be lost, and the
 * symbol is checked once more than needed. */
static bool is_kept_current(struct publisher *publisher, size_t symbol_index)
{
    struct symbol_state *symbol = &publisher->symbols[symbol_index];
    if (!publisher_is_wanted(publisher, symbol_index))
        atomic_store_explicit(&symbol->is_followed, false, memory_order_relaxed);
    return atomic_load_explicit(&symbol->is_followed, memory_order_relaxed);
}

void publisher_add_subscriber(struct publisher *publisher, size_t symbol_index)
{
    bool is_current = is_kept_current(publisher, symbol_index);
    atomic_fetch_add_explicit(&publisher->symbols[symbol_index].subscribers, 1,
                              memory_order_relaxed);
    if (!is_current)
        publisher->on_wanted(symbol_index, publisher->context);
}

void publisher_remove_subscriber(struct publisher *publisher, size_t symbol_index)
{
    size_t before = atomic_fetch_sub_explicit(&publisher->symbols[symbol_index].subscribers, 1,
                                              memory_order_relaxed);
    check(before > 0);
}

size_t publisher_subscriber_count(const struct publisher *publisher, size_t symbol_index)
{
    return atomic_load_explicit(&publisher->symbols[symbol_index].subscribers,
                                memory_order_relaxed);
}

bool publisher_is_wanted(const struct publisher *publisher, size_t symbol_index)
{
    const struct symbol_state *symbol = &publisher->symbols[symbol_index];
    return atomic_load_explicit(&symbol->subscribers, memory_order_relaxed) > 0 ||
           now_ms() < atomic_load_explicit(&symbol->requested_until_ms, memory_order_relaxed);
}

void publisher_add_deflater(struct publisher *publisher)
{
    atomic_fetch_add_explicit(&publisher->deflaters, 1, memory_order_relaxed);
}

void publisher_remove_deflater(struct publisher *publisher)
{
    size_t before = atomic_fetch_sub_explicit(&publisher->deflaters, 1, memory_order_relaxed);
    check(before > 0);
}

static bool is_newest_deflated(struct publisher *publisher, size_t symbol_index)
{
    struct frame *newest = publisher_newest(publisher, symbol_index);
    bool is_deflated = newest != NULL && frame_deflated(newest) != NULL;
    frame_release(newest);
    return is_deflated;
}

bool publisher_request(struct publisher *publisher, size_t symbol_index, bool wants_deflated)
{
    bool is_current = is_kept_current(publisher, symbol_index) &&
                      (!wants_deflated || is_newest_deflated(publisher, symbol_index));
    int64_t until_ms = now_ms() + PUBLISHER_HTTP_INTEREST_MS;
    atomic_store_explicit(&publisher->symbols[symbol_index].requested_until_ms, until_ms,
                          memory_order_relaxed);
    if (wants_deflated)
        atomic_store_explicit(&publisher->deflated_requested_until_ms, until_ms,
                              memory_order_relaxed);
    if (!is_current)
        publisher->on_wanted(symbol_index, publisher->context);
    return is_current;
}

void publisher_note_data_time(struct publisher *publisher, size_t symbol_index,
                              int64_t open_time_ms)
{
    check(symbol_index < publisher->symbol_count);
    atomic_store_explicit(&publisher->symbols[symbol_index].data_time_ms, open_time_ms,
                          memory_order_relaxed);
}

int64_t publisher_data_time_ms(const struct publisher *publisher, size_t symbol_index)
{
    return atomic_load_explicit(&publisher->symbols[symbol_index].data_time_ms,
                                memory_order_relaxed);
}

void publisher_note_interest_time(struct publisher *publisher, size_t symbol_index, int64_t time_ms)
{
    check(symbol_index < publisher->symbol_count);
    atomic_store_explicit(&publisher->symbols[symbol_index].interest_time_ms, time_ms,
                          memory_order_relaxed);
}

int64_t publisher_interest_time_ms(const struct publisher *publisher, size_t symbol_index)
{
    return atomic_load_explicit(&publisher->symbols[symbol_index].interest_time_ms,
                                memory_order_relaxed);
}

struct frame *publisher_newest(struct publisher *publisher, size_t symbol_index)
{
    pthread_mutex_lock(&publisher->lock);
    struct frame *frame = frame_acquire(publisher->symbols[symbol_index].newest);
    pthread_mutex_unlock(&publisher->lock);
    return frame;
}

/* -- liquidations ------------------------------------------------------------------------------ */

/* Whether this key is new, which is noted. 0 stands for none. */
static bool note_key(struct prints *prints, uint64_t key)
{
    key += key == 0;
    for (size_t i = 0; i < PRINTS_KNOWN; i++)
        if (prints->known[i] == key)
            return false;
    prints->known[prints->known_next++ % PRINTS_KNOWN] = key;
    return true;
}

bool publisher_publish_print(struct publisher *publisher, size_t symbol_index, uint64_t key,
                             const char *text, size_t text_size)
{
    struct symbol_state *symbol = &publisher->symbols[symbol_index];
    check(symbol_index < publisher->symbol_count);
    pthread_mutex_lock(&publisher->printing);
    if (symbol->prints == NULL)
        symbol->prints = memory_allocate_zeroed(1, sizeof *symbol->prints);
    const bool is_new = note_key(symbol->prints, key);
    /* Relaxed: one who follows from this moment on gets the next one. */
    if (is_new && atomic_load_explicit(&publisher->print_followers, memory_order_relaxed) > 0) {
        struct frame *frame =
            frame_create((uint32_t)symbol_index, 0, ++symbol->prints->count, key, text, text_size);
        for (size_t i = 0; i < publisher->mailbox_count; i++)
            mailbox_put_print(publisher->mailboxes[i], frame);
        frame_release(frame);
    }
    pthread_mutex_unlock(&publisher->printing);
    return is_new;
}

uint64_t publisher_next_print(struct publisher *publisher, size_t symbol_index)
{
    pthread_mutex_lock(&publisher->printing);
    const struct prints *prints = publisher->symbols[symbol_index].prints;
    const uint64_t next = prints != NULL ? prints->count + 1 : 1;
    pthread_mutex_unlock(&publisher->printing);
    return next;
}

void publisher_add_print_follower(struct publisher *publisher)
{
    atomic_fetch_add_explicit(&publisher->print_followers, 1, memory_order_relaxed);
}

void publisher_remove_print_follower(struct publisher *publisher)
{
    size_t before = atomic_fetch_sub_explicit(&publisher->print_followers, 1, memory_order_relaxed);
    check(before > 0);
}
