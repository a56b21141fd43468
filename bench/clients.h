/* The load generator's WebSocket clients: as many as a broadcast is to reach, on one epoll.
 *
 * They are as cheap as clients can be, so that what is measured is the server: payload is read into
 * one small buffer or dropped inside the kernel, and only frame headers are looked at, every one of
 * them. One thread. Whatever goes wrong with a client ends the program with a message: a figure
 * from a broken run is worth nothing. */
#ifndef HEATCAST_BENCH_CLIENTS_H
#define HEATCAST_BENCH_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clients_options {
    int port;            /* on 127.0.0.1 */
    const char *path;    /* with its query */
    bool offers_deflate; /* permessage-deflate, which the server must then accept */
    bool is_plain_http;  /* a GET that is kept alive instead of a handshake */
};

struct clients;

struct clients *clients_create(const struct clients_options *options, size_t count_max);

/* Closes all (with a reset, so that no port waits out its time). */
void clients_destroy(struct clients *clients);

/* Connects `count` more, with at most `window` handshakes under way; returns when all are answered.
 * Snapshots that come with it are counted. */
void clients_connect(struct clients *clients, size_t count, size_t window);

/* Connects `count` that never read again, with small socket buffers, so that the server's side
 * fills up soon. They are no part of any round. */
void clients_connect_stalled(struct clients *clients, size_t count);

/* Bytes that wait unread at the stalled ones, which stop growing when they have blocked. */
size_t clients_stalled_bytes(const struct clients *clients);

/* Reads until nothing has come for `quiet_ms`, and forgets what came: the next message is the first
 * of the rounds. */
void clients_settle(struct clients *clients, unsigned quiet_ms);

/* Waits until every client has had `count` more messages than were asked for so far. Where
 * `latencies_ns` is given, it gets the time from `since_ns` of each delivery (of the last message,
 * if count > 1). Ends the program if that takes more than `deadline_ms`, or if a client gets more
 * than was asked for. Returns the moment of the last delivery. */
uint64_t clients_await(struct clients *clients, unsigned count, uint64_t since_ns,
                       uint32_t *latencies_ns, unsigned deadline_ms);

size_t clients_count(const struct clients *clients); /* without the stalled */
uint64_t clients_bytes_received(const struct clients *clients);

#endif
