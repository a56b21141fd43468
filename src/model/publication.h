/* A snapshot on its way to the clients: made by a generator, or published by another server. What
 * the engine, the stream and the cluster pass to each other.
 *
 * It owns nothing: the text belongs to the caller and is valid for the length of the call. */
#ifndef HEATCAST_MODEL_PUBLICATION_H
#define HEATCAST_MODEL_PUBLICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sums over the candles of a symbol from where its generator began: the difference of two, of one
 * epoch, is what happened between them. */
struct publication_totals {
    bool are_known;
    int64_t created, consumed;
};

struct publication {
    size_t symbol_index;  /* in SYMBOLS */
    int64_t timestamp_ms; /* open time of the newest candle, UTC */
    uint64_t epoch, seq;  /* together they order a symbol's snapshots */
    uint64_t hash;        /* publication_hash() of what a client sees */
    struct publication_totals totals;
    const char *text; /* the whole message, JSON, as every client gets it */
    size_t text_size;
};

/* The hash of what a client sees of the market: the timestamp and the JSON text of the member
 * `data`. Two publications with the same hash differ at most in their numbers, so the second need
 * not be sent. */
uint64_t publication_hash(int64_t timestamp_ms, const char *data, size_t data_size);

/* What tells a liquidation from others of its symbol: the same for the same one, whoever tells it.
 */
uint64_t publication_print_key(const char *exchange, int64_t time_ms, const char *id);

#endif
