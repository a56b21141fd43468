#include "target.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "fail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_DEADLINE_MS = 30000, STOP_DEADLINE_MS = 5000 };

struct target {
    pid_t pid;
    clockid_t cpu_clock;
    int port;
    int input;   /* its standard input */
    int publish; /* a connection for POST requests, or -1 */
    struct buffer request;
};

/* -- start ------------------------------------------------------------------------------------- */

static _Noreturn void become_server(const struct target_options *options, int input, int output)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* no server outlives its load */
    if (options->core >= 0) {
        cpu_set_t cores;
        CPU_ZERO(&cores);
        CPU_SET((size_t)options->core, &cores);
        sched_setaffinity(0, sizeof cores, &cores);
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = options->descriptors < limit.rlim_max ? options->descriptors : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    execvp(options->command[0], options->command);
    fail(options->command[0], strerror(errno));
}

static bool has_ended(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) != 0;
}

/* Reads lines until one says where it listens. */
static int read_port(pid_t pid, int output)
{
    char text[4096];
    size_t size = 0;
    uint64_t deadline_ns = clock_monotonic_ns() + START_DEADLINE_MS * UINT64_C(1000000);
    while (size < sizeof text - 1 && clock_monotonic_ns() < deadline_ns && !has_ended(pid)) {
        struct pollfd readable = {.fd = output, .events = POLLIN};
        if (poll(&readable, 1, 100) <= 0)
            continue;
        ssize_t count = read(output, text + size, sizeof text - 1 - size);
        if (count <= 0)
            break;
        size += (size_t)count;
        text[size] = '\0';
        const char *at = strstr(text, "listening ");
        if (at != NULL && strchr(at, '\n') != NULL)
            return atoi(at + strlen("listening "));
    }
    kill(pid, SIGKILL);
    fail("the server did not start", "it printed no \"listening PORT\"");
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    check(fd >= 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static int wait_for_port(pid_t pid, int port)
{
    for (int waited_ms = 0; waited_ms < START_DEADLINE_MS && !has_ended(pid); waited_ms += 20) {
        int fd = connect_to(port);
        if (fd >= 0)
            return fd;
        usleep(20000);
    }
    kill(pid, SIGKILL);
    fail("the server did not start", "nothing listens on its port");
}

static void prepare_request(struct target *target, const struct target_options *options)
{
    FILE *file = fopen(options->body_path, "rb");
    if (file == NULL)
        fail(options->body_path, strerror(errno));
    struct buffer body = {0};
    char piece[4096];
    size_t size;
    while ((size = fread(piece, 1, sizeof piece, file)) > 0)
        buffer_append(&body, piece, size);
    fclose(file);
    buffer_append_format(&target->request,
                         "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n"
                         "Content-Length: %zu\r\n\r\n",
                         options->publish_path, body.size);
    buffer_append(&target->request, body.data, body.size);
    buffer_deinit(&body);
}

struct target *target_start(const struct target_options *options)
{
    struct target *target = memory_allocate_zeroed(1, sizeof *target);
    int input[2], output[2];
    check(pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0);
    target->pid = fork();
    check(target->pid >= 0);
    if (target->pid == 0)
        become_server(options, input[0], output[1]);
    close(input[0]);
    close(output[1]);
    target->input = input[1];
    target->publish = -1;
    target->port = options->port;
    if (options->port == 0)
        target->port = read_port(target->pid, output[0]);
    else
        target->publish = wait_for_port(target->pid, options->port);
    /* The other end stays open, so that what it prints later does not end it. */
    if (options->publish_path != NULL)
        prepare_request(target, options);
    check(clock_getcpuclockid(target->pid, &target->cpu_clock) == 0);
    return target;
}

void target_stop(struct target *target)
{
    kill(target->pid, SIGTERM);
    close(target->input);
    if (target->publish >= 0)
        close(target->publish);
    for (int waited_ms = 0; !has_ended(target->pid); waited_ms += 10) {
        if (waited_ms == STOP_DEADLINE_MS)
            kill(target->pid, SIGKILL);
        usleep(10000);
    }
    buffer_deinit(&target->request);
    free(target);
}

int target_port(const struct target *target)
{
    return target->port;
}

/* -- publishing -------------------------------------------------------------------------------- */

/* Answers of publications before this one are read and dropped. */
static void drop_answers(int fd)
{
    char scratch[4096];
    while (recv(fd, scratch, sizeof scratch, MSG_DONTWAIT) > 0)
        continue;
}

static void post(struct target *target)
{
    drop_answers(target->publish);
    for (size_t sent = 0; sent < target->request.size;) {
        ssize_t count = send(target->publish, target->request.data + sent,
                             target->request.size - sent, MSG_NOSIGNAL);
        if (count <= 0)
            fail("a publication could not be sent", strerror(errno));
        sent += (size_t)count;
    }
}

void target_publish(struct target *target)
{
    if (target->request.size > 0)
        post(target);
    else if (write(target->input, "p", 1) != 1)
        fail("a publication could not be asked for", strerror(errno));
}

/* -- looking at it ----------------------------------------------------------------------------- */

/* The same count as utime and stime in /proc/PID/stat, but in nanoseconds instead of 10 ms. */
uint64_t target_cpu_ns(const struct target *target)
{
    struct timespec time;
    check(clock_gettime(target->cpu_clock, &time) == 0);
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

/* Not from /proc/PID/statm, whose count lags behind by some pages for each core. */
uint64_t target_memory(const struct target *target)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)target->pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path, strerror(errno));
    unsigned long long kilobytes = 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Rss: %llu kB", &kilobytes) == 1)
            break;
    fclose(file);
    return kilobytes * 1024;
}
