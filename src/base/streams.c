/* A process may be started with 0, 1 or 2 closed (`2>&-`, some supervisors). The next file it opens
 * then gets that number, and everything that is printed goes into it: a database whose descriptor
 * is 2 is destroyed by the first error message. So the numbers are taken before anything else is
 * opened. */
#include "base/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void streams_open_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
            continue;
        /* The lowest free number is this one, since those below are open. Nothing can be said if
         * it fails: the exit code has to do. */
        if (open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd)
            _exit(EXIT_FAILURE);
    }
}
