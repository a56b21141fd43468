/* What Redis answers, taken apart. Only forms that are expected pass, because a proxy, another
 * program's script or another version may answer as well. Nothing is copied: texts are valid as
 * long as the reply. Private to cluster/; any thread. */
#ifndef HEATCAST_CLUSTER_REPLY_H
#define HEATCAST_CLUSTER_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

/* Of script_heartbeat. */
struct heartbeat_reply {
    const char *holder;   /* "": no server has the lease */
    uint64_t epoch;       /* from 1 */
    uint64_t left_ms;     /* of the lease */
    const char *fault;    /* what could not be stored, and why; "" */
    const char *replaced; /* which keys held what no heatcast writes; "" */
};

/* Of script_publish. */
struct publish_reply {
    bool has_lease; /* false: nothing was published, and what follows is 0 or "" */
    int64_t receivers;
    const char *fault;   /* why it could not be kept; "" */
    uint64_t kept_epoch; /* of what is kept now; 0: nothing */
};

/* A message over a channel. */
struct publication_reply {
    const redisReply *channel, *text; /* strings */
};

/* False if the reply has another form. */
bool reply_read_heartbeat(const redisReply *reply, struct heartbeat_reply *heartbeat);
bool reply_read_publish(const redisReply *reply, struct publish_reply *publish);
bool reply_read_kept(const redisReply *reply, uint64_t *epoch, uint64_t *seq); /* script_keep's */
bool reply_read_publication(const redisReply *reply, struct publication_reply *publication);

/* PSUBSCRIBE has succeeded. */
bool reply_is_subscribed(const redisReply *reply);

/* What is wrong with a reply of an unexpected form: Redis' own words, if it is an error. */
const char *reply_fault(const redisReply *reply);

#endif
