/* From snapshot to frame to every loop's mailbox; and back, which symbols anybody needs.
 *
 * The generator thread publishes, worker loops say what they want, HTTP handlers read the newest
 * frame. Every function is safe on any thread unless it says otherwise. */
#ifndef HEATCAST_STREAM_PUBLISHER_H
#define HEATCAST_STREAM_PUBLISHER_H

#include "config/value.h"
#include "market/snapshot.h"
#include "stream/mailbox.h"

struct publisher;

/* How long one HTTP request keeps a symbol followed. */
#define PUBLISHER_HTTP_INTEREST_MS 30000

/* `on_wanted` is called (on the asking thread) when a symbol that nobody followed is wanted, so
 * that the generator can look at it at once. */
struct publisher *publisher_create(const struct symbol_list *symbols,
                                   void (*on_wanted)(size_t symbol_index, void *context),
                                   void *context);
void publisher_destroy(struct publisher *publisher); /* after all threads that use it are gone */

/* At start, before anything is published. The mailbox must outlive the publisher. */
void publisher_add_mailbox(struct publisher *publisher, struct mailbox *mailbox);

/* Encodes the message once and hands the frame to every loop. `data` is the text that
 * snapshot_append_data_json() made. A snapshot that is not newer than the last one is dropped. One
 * thread at a time. */
void publisher_publish(struct publisher *publisher, size_t symbol_index,
                       const struct snapshot *snapshot, uint64_t epoch, uint64_t seq, uint64_t hash,
                       const char *data, size_t data_size);

/* The generator has looked at the symbol; tells the loops that wait for it. */
void publisher_checked(struct publisher *publisher, size_t symbol_index, enum status status);

/* One subscriber more or less. The first one of a symbol wakes the generator. */
void publisher_add_subscriber(struct publisher *publisher, size_t symbol_index);
void publisher_remove_subscriber(struct publisher *publisher, size_t symbol_index);
size_t publisher_subscriber_count(const struct publisher *publisher, size_t symbol_index);

/* An HTTP request needs the symbol. True if the newest frame is being kept current already; false
 * if the generator had to be woken: an answer should wait for the next publisher_checked(). */
bool publisher_request(struct publisher *publisher, size_t symbol_index);

/* Whether the generator should follow this symbol now. */
bool publisher_is_wanted(const struct publisher *publisher, size_t symbol_index);

/* The newest frame with a reference for the caller, or NULL. */
struct frame *publisher_newest(struct publisher *publisher, size_t symbol_index);

#endif
