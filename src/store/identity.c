/* Which file a name means, and whether its content may have changed, by stat() alone: it takes
 * microseconds and no lock, so a file that has not changed is never opened for nothing.
 *
 * A .wal that a writer left behind is replayed in memory by read-only opens too; it is part of the
 * file's identity. */
#include "store/internal.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* DuckDB's file begins with three headers, of which the first has a checksum and these letters. */
enum { HEADERS_SIZE = 3 * 4096, MAGIC_OFFSET = 8 };
/* For how long a file is the same when it is taken for whole: copying writes all the time. */
#define SETTLED_NS UINT64_C(100000000)

#define MAGIC "DUCK"

enum status store_missing(const struct store *store, struct error *error)
{
    return error_set(error, STATUS_NOT_FOUND,
                     "no database at %s; import data with `heatcast import`, or try "
                     "`heatcast serve --demo`",
                     store->path);
}

bool store_is_unfinished(const struct store *store)
{
    struct stat file;
    char start[MAGIC_OFFSET + sizeof MAGIC - 1];
    if (stat(store->path, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size >= HEADERS_SIZE)
        return false;
    if (file.st_size == 0)
        return true;
    int fd = open(store->path, O_RDONLY | O_CLOEXEC);
    bool is_duckdb = fd >= 0 && read(fd, start, sizeof start) == (ssize_t)sizeof start &&
                     memcmp(start + MAGIC_OFFSET, MAGIC, sizeof MAGIC - 1) == 0;
    if (fd >= 0)
        close(fd);
    return is_duckdb;
}

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

enum status store_stat(const struct store *store, struct identity *identity, struct error *error)
{
    struct stat file, wal;
    *identity = (struct identity){0};
    if (stat(store->path, &file) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return store_missing(store, error);
        return store_fail(store, STATUS_IO, strerror(errno), error);
    }
    identity->file.device = file.st_dev;
    identity->file.inode = file.st_ino;
    identity->file.size_bytes = (uint64_t)file.st_size;
    identity->file.modified_ns = nanoseconds(&file.st_mtim);
    identity->file.changed_ns = nanoseconds(&file.st_ctim);
    if (stat(store->wal_path, &wal) == 0) {
        identity->wal.device = wal.st_dev;
        identity->wal.inode = wal.st_ino;
        identity->wal.size_bytes = (uint64_t)wal.st_size;
        identity->wal.modified_ns = nanoseconds(&wal.st_mtim);
        identity->wal.changed_ns = nanoseconds(&wal.st_ctim);
    }
    return STATUS_OK;
}

enum status store_identify(const struct store *store, struct identity *identity,
                           struct error *error)
{
    enum status status = store_stat(store, identity, error);
    if (status == STATUS_OK && store_is_unfinished(store))
        return error_set(error, STATUS_NOT_FOUND,
                         "%s holds no data yet; import some with `heatcast import`", store->path);
    return status;
}

bool store_is_same_identity(const struct identity *a, const struct identity *b)
{
    return memcmp(a, b, sizeof *a) == 0; /* it has no padding */
}

bool store_is_same_file(const struct identity *a, const struct identity *b)
{
    return a->file.device == b->file.device && a->file.inode == b->file.inode;
}

static bool is_same_content(const struct identity *a, const struct identity *b)
{
    return memcmp(&a->file, &b->file, sizeof a->file) == 0;
}

bool store_has_settled(struct store *store, const struct identity *identity)
{
    const uint64_t now_ns = clock_monotonic_ns();
    const bool is_first = store->found.file.inode == 0;
    if (!is_same_content(&store->found, identity)) {
        store->found = *identity;
        store->found_ns = is_first ? 0 : now_ns;
    }
    return store->found_ns == 0 || now_ns - store->found_ns >= SETTLED_NS;
}

void store_note_own_file(struct store *store)
{
    store->found_ns = 0;
    if (store_stat(store, &store->found, NULL) != STATUS_OK)
        store->found = (struct identity){0};
}

bool store_is_same_log(const struct identity *a, const struct identity *b)
{
    return memcmp(&a->wal, &b->wal, sizeof a->wal) == 0;
}
