/* How far the peer of a TCP socket is. Private to net/. */
#ifndef HEATCAST_NET_TCP_PROGRESS_H
#define HEATCAST_NET_TCP_PROGRESS_H

#include "stream/subscriber.h"

/* Asks the kernel, which is a system call. */
void tcp_progress_read(int fd, struct transport_progress *progress);

#endif
