/* What an HTTP client has, for the WebSocket clients that share its loop and its libcurl. Included
 * by the files of link/ alone. */
#ifndef HEATCAST_LINK_CLIENT_INTERNAL_H
#define HEATCAST_LINK_CLIENT_INTERNAL_H

#include "base/list.h"
#include "link/multi.h"

struct http_client {
    struct multi *multi;
    char *ca_file; /* "": the system's certificates */
    char *user_agent;
    struct list transfers;
    size_t websocket_count; /* not destroyed yet */
};

#endif
