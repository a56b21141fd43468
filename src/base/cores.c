/* A container or a service is often given two processors' time on a machine of 64. Threads by the
 * number of the machine's processors would take turns in a quota that they have used up together
 * in the first milliseconds of each period, and then all stand still until the next.
 *
 * The limits are those of Linux: the affinity, which cpusets are part of, and the quotas of control
 * groups, in both versions. A quota holds for a group and for all groups below, so the tree is
 * walked from this process's own group up to the root; inside a container the root may be that of
 * the container. What cannot be read limits nothing. */
#include "base/cores.h"

#include "base/buffer.h"
#include "base/slice.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

enum { CPUS_MAX = 1 << 16, LINE_SIZE = 8192 };

/* -- the affinity ------------------------------------------------------------------------------ */

/* The kernel refuses a set that is smaller than its own, whose size it does not tell. */
static int count_affinity(void)
{
    for (size_t cpus = CPU_SETSIZE; cpus <= CPUS_MAX; cpus *= 2) {
        size_t size = CPU_ALLOC_SIZE(cpus);
        cpu_set_t *set = CPU_ALLOC(cpus);
        int count =
            set != NULL && sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return count;
    }
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 && count <= CPUS_MAX ? (int)count : 1;
}

/* -- the quotas -------------------------------------------------------------------------------- */

static FILE *open_file(const char *folder, const char *name)
{
    struct buffer path = {0};
    buffer_append_format(&path, "%s%s", folder, name);
    FILE *file = fopen(buffer_text(&path), "re");
    buffer_deinit(&path);
    return file;
}

/* The first line of a file in a folder, without its end. */
static bool read_line(const char *folder, const char *name, char line[LINE_SIZE],
                      struct slice *text)
{
    FILE *file = open_file(folder, name);
    if (file == NULL)
        return false;
    bool is_read = fgets(line, LINE_SIZE, file) != NULL;
    fclose(file);
    if (is_read)
        *text = (struct slice){line, strcspn(line, "\n")};
    return is_read;
}

/* "max" and -1 are no quota. */
static void note_quota(struct slice quota, struct slice period, int *least)
{
    uint64_t quota_us, period_us;
    if (!slice_parse_unsigned(quota, INT64_MAX, &quota_us) ||
        !slice_parse_unsigned(period, INT64_MAX, &period_us) || quota_us == 0 || period_us == 0)
        return;
    uint64_t cores = (quota_us - 1) / period_us + 1;
    if (cores < (uint64_t)*least)
        *least = (int)cores;
}

static void note_group_v2(const char *folder, int *least)
{
    char line[LINE_SIZE];
    struct slice period, quota;
    if (read_line(folder, "/cpu.max", line, &period) && slice_split(&period, ' ', &quota))
        note_quota(quota, period, least);
}

static void note_group_v1(const char *folder, int *least)
{
    char quota_line[LINE_SIZE], period_line[LINE_SIZE];
    struct slice quota, period;
    if (read_line(folder, "/cpu.cfs_quota_us", quota_line, &quota) &&
        read_line(folder, "/cpu.cfs_period_us", period_line, &period))
        note_quota(quota, period, least);
}

/* A group, and those above it. */
static void note_groups(const char *root, const char *mount, struct slice group,
                        void (*note)(const char *folder, int *least), int *least)
{
    struct buffer folder = {0};
    struct slice last;
    for (bool is_root = false; !is_root; slice_split_last(&group, '/', &last)) {
        is_root = group.size == 0;
        buffer_clear(&folder);
        buffer_append_format(&folder, "%s%s%.*s", root, mount, (int)group.size, group.data);
        note(buffer_text(&folder), least);
    }
    buffer_deinit(&folder);
}

/* "0::/user.slice" of version 2, "4:cpu,cpuacct:/docker/1f" of version 1. */
static void note_membership(const char *root, struct slice line, int *least)
{
    struct slice id, controllers, controller;
    slice_split(&line, ':', &id);
    if (!slice_split(&line, ':', &controllers))
        return;
    if (slice_equals(id, "0") && controllers.size == 0)
        note_groups(root, "/sys/fs/cgroup", line, note_group_v2, least);
    struct slice_list list = {.rest = controllers};
    while (slice_list_next(&list, ',', &controller))
        if (slice_equals(controller, "cpu"))
            note_groups(root, "/sys/fs/cgroup/cpu", line, note_group_v1, least);
}

int cores_quota(const char *root)
{
    int least = INT_MAX;
    char line[LINE_SIZE];
    FILE *file = open_file(root, "/proc/self/cgroup");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        note_membership(root, (struct slice){line, strcspn(line, "\n")}, &least);
    if (file != NULL)
        fclose(file);
    return least;
}

int cores_available(void)
{
    int allowed = count_affinity(), quota = cores_quota("");
    return quota < allowed ? quota : allowed;
}
