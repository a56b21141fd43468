/* Whether a newcomer is taken on, who gives way to it, and what it is told if it is not. Private to
 * net/. On the worker's loop. */
#ifndef HEATCAST_NET_ADMISSION_H
#define HEATCAST_NET_ADMISSION_H

#include "net/worker.h"

#include <sys/socket.h>

/* Takes over an accepted, non-blocking socket. */
void admission_open(struct worker *worker, int fd, const struct sockaddr *peer);

#endif
