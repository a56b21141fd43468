/* What a client may still ask: a token bucket, which a protocol
 * keeps for each session. A message takes a token, and more if it causes much work. All zero is a
 * full one. One thread at a time. */
#ifndef HEATCAST_STREAM_ALLOWANCE_H
#define HEATCAST_STREAM_ALLOWANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALLOWANCE_PER_SECOND 10
#define ALLOWANCE_BURST 20
#define ALLOWANCE_WORK_SIZE 1024 /* bytes that a token pays for */
#define ALLOWANCE_DEBT_MAX 60    /* tokens: a client that pauses for 7 s is as good as new */

struct allowance {
    uint64_t updated_ns; /* 0: no message has come yet */
    float tokens;        /* below zero: what the last messages caused is not paid for */
    uint16_t refusals;   /* since the bucket was last half full */
};

/* Takes the token of a message. False, and counted as a refusal, if there is none. */
bool allowance_try_take(struct allowance *allowance, uint64_t now_ns);

/* Whether no message has been refused since the bucket was last half full, or it is again. */
bool allowance_is_kept(const struct allowance *allowance, uint64_t now_ns);

/* What an accepted message caused: its bytes, inflated, and those of its replies. Its token has
 * paid for ALLOWANCE_WORK_SIZE of them; each further such size costs another one. */
void allowance_charge(struct allowance *allowance, size_t bytes);

/* The same for a message that was refused, and has taken no token: all bytes are charged. */
void allowance_charge_refused(struct allowance *allowance, size_t bytes);

#endif
