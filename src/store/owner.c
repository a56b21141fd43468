/* Owner mode: this process holds the file read-write, for as long as it is good.
 *
 *                    open                        close: CHECKPOINT
 *          (none) -----------> GOOD ------------------------------------> (none)
 *            ^                  |
 *            |                  |  a fault (is_faulty), or the name means another file, or none
 *            |                  v  any more (is_gone)
 *            |               UNUSABLE   sessions on it may read on; new ones wait for its end
 *            |                  |
 *            +------------------+  the last session ends: closes without a checkpoint; the next
 *                                  session opens the file again
 *
 * What makes an instance faulty, and why it must not be checkpointed, is in instance.c. That a name
 * means another file by now is found by stat() when a session begins; what was committed to the
 * old file stays in it. A file that a killed process has only begun holds nothing, and is made
 * again. Callers see one call that fails and need to know nothing of all this: the
 * generator and the simulator try again at their next tick. */
#include "store/internal.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 2000, /* readers hold the file for milliseconds: an owner waits that long */
    RETRY_MS = 20,
    MAKING_MS = 1000, /* far longer than it takes to make the beginning of a file */
};

static enum status make_parent_folders(const struct store *store, struct error *error)
{
    char *path = memory_copy_string(store->path);
    enum status status = STATUS_OK;
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            status = error_set(error, STATUS_IO, "cannot create the folder %s: %s", path,
                               strerror(errno));
            break;
        }
        *slash = '/';
    }
    free(path);
    return status;
}

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

/* Opens, and where there is none makes, the file that this process writes. */
static enum status open_file(struct store *store, struct instance **opened, struct error *error)
{
    set_mask(store);
    enum status status = make_parent_folders(store, error);
    if (status == STATUS_OK)
        status = remove_unfinished(store, error);
    if (status == STATUS_OK)
        status = store_instance_open(store, NULL, opened, error);
    if (status != STATUS_OK)
        return status;
    status = store_identify(store, &(*opened)->identity, error);
    if (status != STATUS_OK)
        store_instance_close(store, *opened);
    /* It may be another database. */
    atomic_fetch_add_explicit(&store->changes, 1, memory_order_release);
    return status;
}

/* Finds out whether the name still means the file that the instance has open. */
static void identify_again(const struct store *store, struct instance *instance)
{
    struct identity identity;
    enum status status = store_identify(store, &identity, NULL);
    if (status == STATUS_OK && store_is_same_file(&identity, &instance->identity))
        instance->identity = identity;
    else if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        instance->is_gone = true;
}

enum status store_owner_join(struct store *store, const struct stop_token *stop,
                             struct instance **joined, struct error *error)
{
    enum status status = STATUS_OK;
    while (!list_is_empty(&store->instances)) {
        struct instance *instance = list_entry(store->instances.next, struct instance, link);
        identify_again(store, instance);
        if (!store_instance_is_faulty(instance) && !instance->is_gone) {
            *joined = instance;
            return STATUS_OK;
        }
        if (instance->session_count == 0)
            store_instance_close(store, instance);
        else
            status = store_await_close(store, stop, error);
        if (status != STATUS_OK)
            return status;
    }
    return open_file(store, joined, error);
}

enum status store_owner_open(struct store *store, struct error *error)
{
    for (int waited_ms = 0;; waited_ms += RETRY_MS) {
        struct instance *instance;
        enum status status = open_file(store, &instance, error);
        if (status != STATUS_BUSY || waited_ms >= PATIENCE_MS)
            return status;
        nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL);
    }
}

void store_owner_checkpoint(struct store *store, struct instance *instance)
{
    struct store_session session = {.store = store, .instance = instance};
    if (!store_instance_is_faulty(instance) && !instance->is_gone &&
        store_connect(&session, NULL) == STATUS_OK)
        store_run(&session, "CHECKPOINT", NULL, 0, NULL, NULL);
    duckdb_disconnect(&session.connection);
}
