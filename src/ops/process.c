/* Read from /proc when the page is asked for, since the kernel keeps these figures already. Names
 * and meanings are those that Prometheus' client libraries agree on, so that common dashboards
 * show them. */
#include "ops/process.h"

#include "ops/metrics.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What /proc/self/stat says, proc(5). */
struct process_state {
    unsigned long long start_ticks; /* since boot */
    unsigned long long virtual_bytes;
    long long resident_pages;
};

static bool read_state(struct process_state *state)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == NULL)
        return false;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *fields = strrchr(text, ')'); /* the name before it may hold anything */
    if (fields == NULL)
        return false;
    return sscanf(fields + 1,
                  " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
                  "%llu %llu %lld",
                  &state->start_ticks, &state->virtual_bytes, &state->resident_pages) == 3;
}

/* Seconds since 1970, 0 if it cannot be read. */
static double boot_time(void)
{
    char line[256];
    unsigned long long seconds = 0;
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "btime %llu", &seconds) == 1)
            break;
    fclose(file);
    return (double)seconds;
}

static double open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return 0;
    int count = -3; /* ".", ".." and the folder itself */
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void gauge(struct buffer *out, const char *name, const char *help, double value)
{
    metrics_family(out, name, "gauge", help);
    metrics_sample(out, name, value);
}

void process_collect(struct buffer *out, void *context)
{
    (void)context;
    struct rusage usage;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        metrics_family(out, "process_cpu_seconds_total", "counter", "User and system CPU time.");
        metrics_sample(out, "process_cpu_seconds_total",
                       (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    }
    struct process_state state;
    if (read_state(&state)) {
        gauge(out, "process_resident_memory_bytes", "Resident memory.",
              (double)state.resident_pages * (double)sysconf(_SC_PAGESIZE));
        gauge(out, "process_virtual_memory_bytes", "Virtual memory.", (double)state.virtual_bytes);
        gauge(out, "process_start_time_seconds", "When the process started, since 1970.",
              boot_time() + (double)state.start_ticks / (double)sysconf(_SC_CLK_TCK));
    }
    gauge(out, "process_open_fds", "Open file descriptors.", open_descriptors());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        gauge(out, "process_max_fds", "Limit of open file descriptors.", (double)limit.rlim_cur);
}
