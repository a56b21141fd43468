/* How many processors may be used: quotas as control groups of both versions show them. */
#include "base/cores.h"

#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>

#include <cmocka.h>

static char root[] = "/tmp/heatcast-cores-XXXXXX";

/* Makes the file, and the folders above it. */
static void write_file(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
}

static int make_root(void **state)
{
    (void)state;
    strcpy(root + strlen(root) - 6, "XXXXXX");
    return mkdtemp(root) == NULL;
}

static int remove_root(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void without_control_groups_there_is_no_quota(void **state)
{
    (void)state;
    assert_int_equal(cores_quota(root), INT_MAX);
    write_file("/proc/self/cgroup", "0::/\n");
    assert_int_equal(cores_quota(root), INT_MAX);
    write_file("/proc/self/cgroup", "nonsense\n0\n\n:\n::\n0::\n");
    assert_int_equal(cores_quota(root), INT_MAX);
}

static void a_quota_is_rounded_up(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int cores;
    } quotas[] = {
        {"max 100000\n", INT_MAX}, {"200000 100000\n", 2}, {"150000 100000\n", 2},
        {"100001 100000\n", 2},    {"100000 100000", 1},   {"1000 100000\n", 1},
        {"50000 10000\n", 5},      {"", INT_MAX},          {"100000\n", INT_MAX},
        {"0 100000\n", INT_MAX},   {"5 0\n", INT_MAX},     {"9223372036854775807 1\n", INT_MAX},
    };
    write_file("/proc/self/cgroup", "0::/\n");
    for (size_t i = 0; i < sizeof quotas / sizeof quotas[0]; i++) {
        write_file("/sys/fs/cgroup/cpu.max", quotas[i].text);
        if (cores_quota(root) != quotas[i].cores)
            fail_msg("'%s' is %d", quotas[i].text, cores_quota(root));
    }
}

static void the_least_quota_of_the_groups_above_counts(void **state)
{
    (void)state;
    write_file("/proc/self/cgroup", "0::/system.slice/heatcast.service\n");
    write_file("/sys/fs/cgroup/system.slice/heatcast.service/cpu.max", "400000 100000\n");
    assert_int_equal(cores_quota(root), 4);
    write_file("/sys/fs/cgroup/system.slice/other.service/cpu.max", "100000 100000\n");
    assert_int_equal(cores_quota(root), 4);
    write_file("/sys/fs/cgroup/system.slice/cpu.max", "300000 100000\n");
    assert_int_equal(cores_quota(root), 3);
    write_file("/sys/fs/cgroup/cpu.max", "800000 100000\n");
    assert_int_equal(cores_quota(root), 3);
    write_file("/sys/fs/cgroup/system.slice/heatcast.service/cpu.max", "max 100000\n");
    assert_int_equal(cores_quota(root), 3);
}

static void a_container_sees_its_own_group_as_the_root(void **state)
{
    (void)state;
    write_file("/proc/self/cgroup", "0::/../../outside\n");
    write_file("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    assert_int_equal(cores_quota(root), 2);
}

static void version_1_has_two_files(void **state)
{
    (void)state;
    write_file("/proc/self/cgroup", "11:cpuset:/a\n4:cpu,cpuacct:/docker/1f\n1:name=systemd:/x\n");
    write_file("/sys/fs/cgroup/cpu/docker/1f/cpu.cfs_quota_us", "-1\n");
    write_file("/sys/fs/cgroup/cpu/docker/1f/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cores_quota(root), INT_MAX);
    write_file("/sys/fs/cgroup/cpu/docker/1f/cpu.cfs_quota_us", "250000\n");
    assert_int_equal(cores_quota(root), 3);
    write_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
    write_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cores_quota(root), 1);
}

static void the_affinity_limits_what_is_available(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_in_range(cores_available(), 1, CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(cores_available(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

#define fact(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(without_control_groups_there_is_no_quota),
        fact(a_quota_is_rounded_up),
        fact(the_least_quota_of_the_groups_above_counts),
        fact(a_container_sees_its_own_group_as_the_root),
        fact(version_1_has_two_files),
        fact(the_affinity_limits_what_is_available),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
