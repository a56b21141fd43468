/* Other processes that use a database. A record lock is all that one process knows of DuckDB in
 * another, so these take the lock alone. */
#ifndef HEATCAST_TESTS_OTHER_PROCESS_H
#define HEATCAST_TESTS_OTHER_PROCESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether another process could take this lock now. */
static inline bool is_free_for(const char *path, short type)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
        int fd = open(path, O_RDWR);
        _exit(fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    return WIFEXITED(result) && WEXITSTATUS(result) == 0;
}

/* Another process that holds the lock until it is killed; 0 if it could not have it. */
static inline pid_t try_hold_elsewhere(const char *path, short type)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
        int fd = open(path, O_RDWR);
        close(ready[0]);
        if (fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 && write(ready[1], "", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);
    bool is_held = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    if (!is_held)
        waitpid(child, NULL, 0);
    return is_held ? child : 0;
}

static inline pid_t hold_elsewhere(const char *path, short type)
{
    pid_t child;
    while ((child = try_hold_elsewhere(path, type)) == 0)
        usleep(2000);
    return child;
}

static inline void let_go_elsewhere(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

#endif
