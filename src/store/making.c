/* What comes before a file is opened for writing: its folders, who may read what is made, and a
 * file that a killed process has only begun, which holds nothing and is made again.
 *
 * With the store's mutex held, and while this process has no lock on the file: a descriptor is
 * opened and closed here, which would drop it. */
#include "store/internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAKING_MS = 1000 }; /* far longer than it takes to make the beginning of a file */

/* What DuckDB makes gets what the process's mask leaves: nothing for other users, or what they may
 * do with the file already; its .wal comes and goes. */
static void set_mask(const struct store *store)
{
    struct stat file;
    mode_t mode = stat(store->path, &file) == 0 ? file.st_mode & 0777 : 0600;
    umask(~(mode | 0700 | (mode & 0044) >> 2) & 0777); /* folders are to be searched as well */
}

/* Whether no process is at work on an unfinished file. One that makes it takes DuckDB's lock, but a
 * moment later, so the file must have some age as well. */
static bool is_abandoned(int fd)
{
    struct stat file;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fstat(fd, &file) != 0 || fcntl(fd, F_SETLK, &lock) != 0)
        return false;
    int64_t changed_ms = (int64_t)file.st_ctim.tv_sec * 1000 + file.st_ctim.tv_nsec / 1000000;
    return llabs(clock_wall_ms() - changed_ms) > MAKING_MS;
}

/* Removes a file whose maker was killed before anything could be stored in it. STATUS_BUSY: it may
 * be at work just now. */
static enum status remove_unfinished(const struct store *store, struct error *error)
{
    if (!store_is_unfinished(store))
        return STATUS_OK;
    int fd = open(store->path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return store_fail(store, STATUS_IO, strerror(errno), error);
    enum status status = STATUS_OK;
    char *target = realpath(store->path, NULL); /* a link to the file stays */
    if (!is_abandoned(fd) || !store_is_unfinished(store))
        status = store_fail(store, STATUS_BUSY, "another process is making it", error);
    else if (target == NULL || unlink(target) != 0)
        status = store_fail(store, STATUS_IO, strerror(errno), error);
    free(target);
    close(fd);
    return status;
}

enum status store_make_ready(const struct store *store, struct error *error)
{
    set_mask(store);
    enum status status = folders_make(store->path, error);
    return status == STATUS_OK ? remove_unfinished(store, error) : status;
}
