/* A folder may hold anything, so names that are not of the archive are passed over there, and told
 * at the end; a file that the user has named is taken under any name. A symbol selects in folders
 * only, where the files of other symbols are not this symbol's under a wrong name.
 *
 * Links are followed, since archives are often put together from them, but not one that leads back
 * up to a folder on the way down. */
#include "sources/archive/walk.h"

#include "base/buffer.h"
#include "base/check.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILES_MIN = 64 };

static void add_file(struct archive_walk *walk, const char *path, uint64_t size_bytes,
                     bool is_named)
{
    if (walk->file_count == walk->file_capacity) {
        walk->file_capacity = walk->file_capacity > 0 ? walk->file_capacity * 2 : FILES_MIN;
        walk->files = memory_resize(walk->files, walk->file_capacity, sizeof *walk->files);
    }
    walk->files[walk->file_count++] =
        (struct archive_file){memory_copy_string(path), size_bytes, is_named};
    walk->bytes_total += size_bytes;
}

struct archive_name archive_walk_name(const struct archive_walk *walk, const char *path)
{
    struct archive_name name = archive_name_read(path);
    bool is_below_here = path[0] != '/' && strncmp(path, "..", 2) != 0;
    if (name.market == ARCHIVE_MARKET_UNKNOWN && is_below_here)
        name.market = walk->market_here;
    return name;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* False, and noted, if the file is to be passed over. */
static bool is_wanted_in_folder(struct archive_walk *walk, const char *path)
{
    struct archive_name name = archive_walk_name(walk, path);
    char reason[ARCHIVE_REASON_SIZE], meant[SYMBOL_SIZE];
    if (archive_name_is_companion(path))
        return false;
    bool has_name = name.kind != ARCHIVE_NAME_OTHER;
    bool is_other_symbol =
        has_name && walk->symbol != NULL && strcmp(walk->symbol, name.symbol) != 0;
    if (!has_name && archive_name_guess_symbol(path, meant))
        snprintf(
            reason, sizeof reason,
            "their symbols are not written as symbols are, in capitals; --symbol takes them where "
            "they are given as files");
    else if (!has_name)
        snprintf(reason, sizeof reason, ARCHIVE_NO_NAME);
    else if (is_other_symbol)
        snprintf(reason, sizeof reason, "of another symbol than %s", walk->symbol);
    else if (archive_name_is_wanted(&name, walk->market, reason))
        return true;
    archive_pass_over(walk->problems, path, reason);
    return false;
}

/* A folder on the way down. */
struct folder {
    const struct folder *parent;
    dev_t device;
    ino_t inode;
};

static bool is_on_the_way(const struct folder *folder, const struct stat *stat)
{
    for (; folder != NULL; folder = folder->parent)
        if (folder->device == stat->st_dev && folder->inode == stat->st_ino)
            return true;
    return false;
}

/* Adds what is below a folder, in name order. */
static void walk_folder(struct archive_walk *walk, const char *path, const struct stat *folder_stat,
                        const struct folder *parent)
{
    const struct folder folder = {parent, folder_stat->st_dev, folder_stat->st_ino};
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_visible, compare_names);
    if (count < 0) {
        archive_unusable(walk->problems, "%s: %s", path, strerror(errno));
        return;
    }
    bool has_slash = path[0] != '\0' && path[strlen(path) - 1] == '/';
    for (int i = 0; i < count; i++) {
        struct buffer below = {0};
        struct stat stat_of = {0};
        buffer_append_format(&below, "%s%s%s", path, has_slash ? "" : "/", entries[i]->d_name);
        const char *text = buffer_text(&below);
        bool is_folder = stat(text, &stat_of) == 0 && S_ISDIR(stat_of.st_mode);
        if (is_folder && !is_on_the_way(&folder, &stat_of))
            walk_folder(walk, text, &stat_of, &folder);
        else if (!is_folder && is_wanted_in_folder(walk, text))
            add_file(walk, text, (uint64_t)stat_of.st_size, false);
        buffer_deinit(&below);
        free(entries[i]);
    }
    free(entries);
}

bool archive_walk_add(struct archive_walk *walk, const char *path)
{
    struct stat stat_of;
    if (stat(path, &stat_of) != 0) {
        archive_unusable(walk->problems, "%s: %s", path, strerror(errno));
        return false;
    }
    if (!S_ISDIR(stat_of.st_mode)) {
        add_file(walk, path, S_ISREG(stat_of.st_mode) ? (uint64_t)stat_of.st_size : 0, true);
        return true;
    }
    size_t before = walk->file_count;
    walk_folder(walk, path, &stat_of, NULL);
    if (walk->file_count > before)
        return true;
    archive_unusable(walk->problems,
                     "%s: no file of the archive in this folder (names like "
                     "BTCUSDT-5m-2025-12.csv and BTCUSDT-metrics-2025-12-01.csv)",
                     path);
    return false;
}

void archive_walk_sort(struct archive_walk *walk)
{
    struct archive_file *later = memory_allocate_zeroed(walk->file_count + 1, sizeof *later);
    size_t count = 0, later_count = 0;
    for (size_t i = 0; i < walk->file_count; i++) {
        bool is_interest = archive_name_read(walk->files[i].path).kind == ARCHIVE_NAME_INTEREST;
        if (is_interest)
            later[later_count++] = walk->files[i];
        else
            walk->files[count++] = walk->files[i];
    }
    for (size_t i = 0; i < later_count; i++)
        walk->files[count++] = later[i];
    free(later);
}

void archive_walk_deinit(struct archive_walk *walk)
{
    for (size_t i = 0; i < walk->file_count; i++)
        free(walk->files[i].path);
    free(walk->files);
    walk->files = NULL;
    walk->file_count = walk->file_capacity = 0;
}
