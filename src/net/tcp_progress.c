/* What a peer has acknowledged is known to the kernel alone. It tells that in a struct of which the
 * C library knows an old form, and the kernel's own header cannot stand beside the C library's in
 * one file: hence this one. */
#include "net/tcp_progress.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

void tcp_progress_read(int fd, struct transport_progress *progress)
{
    struct tcp_info info = {0}; /* zeros where it fails, or the kernel knows less */
    socklen_t size = sizeof info;
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    progress->taken_bytes = info.tcpi_bytes_acked;
    progress->unsent_bytes = info.tcpi_notsent_bytes;
}
