/* How many processors this process may use, which is often fewer than the machine has. Any thread.
 */
#ifndef HEATCAST_BASE_CORES_H
#define HEATCAST_BASE_CORES_H

/* Those that its affinity allows (taskset, cpusets), and no more than its quota of time comes to.
 * At least 1. */
int cores_available(void);

/* What the quotas of its control groups come to, rounded up; INT_MAX if there is none. `root` is
 * where /proc and /sys are looked for: "" but in tests. */
int cores_quota(const char *root);

#endif
