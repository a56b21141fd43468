/* Publishes snapshots of a few bytes. */
#ifndef HEATCAST_TESTS_PUBLISH_H
#define HEATCAST_TESTS_PUBLISH_H

#include "base/buffer.h"
#include "stream/publisher.h"

/* True if it was news. */
static inline bool publish_one(struct publisher *publisher, const struct publication *published)
{
    struct frame *frame;
    publisher_publish(publisher, published, 1, &frame);
    bool is_news = frame != NULL;
    frame_release(frame);
    return is_news;
}

/* A message of `symbol` with this text as its data, whose content is told apart by `hash`. */
static inline bool publish_totals(struct publisher *publisher, const struct symbol_list *symbols,
                                  size_t symbol, uint64_t epoch, uint64_t seq, uint64_t hash,
                                  const char *data, struct publication_totals totals)
{
    struct buffer text = {0};
    buffer_append_format(&text,
                         "{\"type\":\"snapshot\",\"symbol\":\"%s\","
                         "\"timestamp\":\"2025-12-28T14:30:00Z\",\"epoch\":%llu,\"seq\":%llu,"
                         "\"data\":%s}",
                         symbols->names[symbol], (unsigned long long)epoch, (unsigned long long)seq,
                         data);
    bool is_news = publish_one(publisher, &(struct publication){
                                              .symbol_index = symbol,
                                              .timestamp_ms = INT64_C(1766932200000),
                                              .epoch = epoch,
                                              .seq = seq,
                                              .hash = hash,
                                              .totals = totals,
                                              .text = text.data,
                                              .text_size = text.size,
                                          });
    buffer_deinit(&text);
    return is_news;
}

static inline bool publish_data(struct publisher *publisher, const struct symbol_list *symbols,
                                size_t symbol, uint64_t epoch, uint64_t seq, uint64_t hash,
                                const char *data)
{
    return publish_totals(publisher, symbols, symbol, epoch, seq, hash, data,
                          (struct publication_totals){0});
}

#endif
