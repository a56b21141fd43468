/* libcurl's multi interface on a libuv loop: what the clients of link/ share. One thread.
 *
 * A connection is an easy handle that is added here; when libcurl is done with it, its on_done is
 * called, never from inside libcurl, so that anything may be done there. */
#ifndef HEATCAST_LINK_MULTI_H
#define HEATCAST_LINK_MULTI_H

#include "base/error.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <uv.h>

struct multi;

/* Embedded in what owns the easy handle; its address is CURLOPT_PRIVATE. */
struct multi_entry {
    CURL *easy;
    bool is_added;
    void (*on_done)(struct multi_entry *entry, CURLcode code);
};

/* NULL: libcurl cannot be used. */
struct multi *multi_create(uv_loop_t *loop, struct error *error);

/* All entries have been removed. The memory is freed when the loop has closed the handles. Not from
 * inside libcurl's callbacks; from on_done it may be. */
void multi_destroy(struct multi *multi);

uv_loop_t *multi_loop(const struct multi *multi);

/* Starts it: from the next turn of the loop on things happen. */
void multi_add(struct multi *multi, struct multi_entry *entry);

/* Ends whatever libcurl does with it; on_done is not called any more. Closes the connection of a
 * handle with CURLOPT_CONNECT_ONLY. Harmless where it is not added. */
void multi_remove(struct multi *multi, struct multi_entry *entry);

#endif
