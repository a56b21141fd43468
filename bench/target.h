/* The server under load: a process of its own, pinned to one core, that is told to publish and
 * looked at from outside.
 *
 * What a server has to do: print a line "listening PORT" on standard output when it is ready, and
 * make one publication for each byte that comes on standard input. One that cannot (nginx) is given
 * its port and takes publications as POST requests. */
#ifndef HEATCAST_BENCH_TARGET_H
#define HEATCAST_BENCH_TARGET_H

#include <stddef.h>
#include <stdint.h>

struct target_options {
    char **command;           /* NULL-terminated */
    int core;                 /* to pin it to; -1: none */
    size_t descriptors;       /* its open-file limit */
    int port;                 /* 0: it says so itself */
    const char *publish_path; /* where to POST; NULL: standard input */
    const char *body_path;    /* a file: what to POST */
};

struct target;

/* Starts it and waits until it listens. Ends the program with a message if it does not. */
struct target *target_start(const struct target_options *options);
void target_stop(struct target *target);

int target_port(const struct target *target);

/* One publication. */
void target_publish(struct target *target);

uint64_t target_cpu_ns(const struct target *target); /* user and system, all threads */
uint64_t target_memory(const struct target *target); /* resident bytes */

#endif
