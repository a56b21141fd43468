/* From snapshot to frame to every loop's mailbox; and, in the other direction, which symbols have
 * subscribers or are asked for.
 *
 * Two threads publish: the generator's what this server computes, the main loop's what other
 * servers do. Worker loops count their subscribers here, and HTTP handlers read the newest frame.
 * Every function may be called on any thread unless it says otherwise. */
#ifndef HEATCAST_STREAM_PUBLISHER_H
#define HEATCAST_STREAM_PUBLISHER_H

#include "config/value.h"
#include "model/publication.h"
#include "stream/mailbox.h"

struct publisher;

/* How long one HTTP request counts as interest in a symbol. */
#define PUBLISHER_HTTP_INTEREST_MS 30000

/* `on_wanted` is called (on the thread that asks) when a symbol is wanted that is not kept
 * current, so that the generator can check it at once. `symbols` is read here only. */
struct publisher *publisher_create(const struct symbol_list *symbols,
                                   void (*on_wanted)(size_t symbol_index, void *context),
                                   void *context);
void publisher_destroy(struct publisher *publisher); /* after all threads that use it are gone */

/* At start, before anything is published. The mailbox must outlive the publisher. The loop that
 * takes frames out of it calls publisher_delivered() for each. */
void publisher_add_mailbox(struct publisher *publisher, struct mailbox *mailbox);

/* Makes one frame of each publication, compresses it if any client wants that, and puts all of
 * them into every loop's mailbox at once, so that they leave in one write to each client. The
 * publications are of different symbols, and their texts are copied. Waits
 * for a call on another thread to end, which may be compressing; not for a worker loop's thread.
 *
 * `frames[i]` becomes the frame of published[i], with a reference for the caller, or NULL if the
 * symbol's last one is as new or newer: then the publication is dropped. One with the hash of the
 * last one replaces it as the newest but is not broadcast: clients would see no difference. */
void publisher_publish(struct publisher *publisher, const struct publication *published,
                       size_t count, struct frame *frames[]);

/* At start. `on_broadcast` is called when all loops are done with a frame that any subscriber
 * took: the time from its publication until the last loop's last subscriber that could take it had
 * it. It is called on the thread that was last, which may be within publisher_publish(): it must
 * not block for long, nor call the publisher. */
void publisher_observe(struct publisher *publisher,
                       void (*on_broadcast)(size_t symbol_index, uint64_t duration_ns,
                                            void *context),
                       void *context);

/* A liquidation, as the message that clients get (JSON, copied): puts it into every loop's mailbox,
 * if any client follows liquidations. `key` tells prints apart: one that came lately, as from two
 * servers, is dropped, and false is returned. */
bool publisher_publish_print(struct publisher *publisher, size_t symbol_index, uint64_t key,
                             const char *text, size_t text_size);

/* The number that the symbol's next print will have at least. */
uint64_t publisher_next_print(struct publisher *publisher, size_t symbol_index);

/* One client more or less that follows the liquidations of a symbol. */
void publisher_add_print_follower(struct publisher *publisher);
void publisher_remove_print_follower(struct publisher *publisher);

/* A loop is done with a frame that it took from its mailbox: its subscribers had it at `now_ns`; 0
 * if none took it in that turn. Once a loop and frame. */
void publisher_delivered(struct publisher *publisher, struct frame *frame, uint64_t now_ns);

/* The symbol was checked, and `status` says what that found; the loops get it in their mail.
 * Compresses the newest frame if a client has come to want that since it was published, which
 * takes a moment: not for a worker loop's thread. */
void publisher_checked(struct publisher *publisher, size_t symbol_index, enum status status);

/* One subscriber more or less. A new one causes on_wanted() unless the symbol is kept current. */
void publisher_add_subscriber(struct publisher *publisher, size_t symbol_index);
void publisher_remove_subscriber(struct publisher *publisher, size_t symbol_index);
size_t publisher_subscriber_count(const struct publisher *publisher, size_t symbol_index);

/* One client more or less that takes compressed frames. */
void publisher_add_deflater(struct publisher *publisher);
void publisher_remove_deflater(struct publisher *publisher);

/* An HTTP request needs the symbol, compressed if `wants_deflated`. True if publisher_newest() is
 * current, and compressed if it should be; false if `on_wanted` had to be called: an answer should
 * wait for the next publisher_checked(). */
bool publisher_request(struct publisher *publisher, size_t symbol_index, bool wants_deflated);

/* Whether the symbol has a subscriber, or had a request lately. */
bool publisher_is_wanted(const struct publisher *publisher, size_t symbol_index);

/* The open time of the newest candle that is known of the symbol, Unix milliseconds; 0: none is. It
 * is that of the newest frame, or what was noted since: of a symbol that nobody wants there are no
 * frames, but it has an age. */
void publisher_note_data_time(struct publisher *publisher, size_t symbol_index,
                              int64_t open_time_ms);
int64_t publisher_data_time_ms(const struct publisher *publisher, size_t symbol_index);

/* The time of the newest open interest that was found of the symbol, by the one who reads the
 * database: 0: not known here; below 0: there is none. */
void publisher_note_interest_time(struct publisher *publisher, size_t symbol_index,
                                  int64_t time_ms);
int64_t publisher_interest_time_ms(const struct publisher *publisher, size_t symbol_index);

/* The newest frame with a reference for the caller, or NULL. */
struct frame *publisher_newest(struct publisher *publisher, size_t symbol_index);

#endif
