/* A wrong number on a chart costs its reader money, and a program that continues from an impossible
 * state sends wrong numbers. So a check that fails ends the process with a line that says which and
 * where, abort() leaves a core file, and systemd or the container starts the program again.
 *
 * The allocations here are treated alike: they are small, and few, and where even they find no
 * memory no caller could do better than to stop. What clients can make large is in base/memory.c.
 */
#include "base/check.h"

#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LAST_WORDS_MS = 1000 };

/* Says why, unless standard error is a pipe that is full and not read: the end does not wait for
 * that. */
static _Noreturn __attribute__((format(printf, 1, 2))) void end(const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (size > 0 && poll(&ready, 1, LAST_WORDS_MS) > 0) {
        ssize_t written = write(STDERR_FILENO, line, strlen(line));
        (void)written;
    }
    abort();
}

_Noreturn void check_failed(const char *condition, const char *file, int line, const char *function)
{
    end("heatcast: bug: %s does not hold in %s (%s:%d)\n", condition, function, file, line);
}

enum { LINE_SIZE = 64 }; /* of the cache */

static _Noreturn void out_of_memory(size_t size)
{
    end("heatcast: out of memory (%zu bytes asked for)\n", size);
}

void *memory_allocate(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    if (memory == NULL)
        out_of_memory(size);
    return memory;
}

void *memory_allocate_zeroed(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (memory == NULL)
        out_of_memory(count * size);
    return memory;
}

void *memory_resize(void *memory, size_t count, size_t size)
{
    check(size > 0 && count <= SIZE_MAX / size);
    void *resized = realloc(memory, count > 0 ? count * size : 1);
    if (resized == NULL)
        out_of_memory(count * size);
    return resized;
}

void *memory_allocate_lines(size_t count, size_t size)
{
    void *memory = NULL;
    check(size > 0 && count <= (SIZE_MAX - LINE_SIZE) / size);
    size_t lines = count * size / LINE_SIZE + 1;
    if (posix_memalign(&memory, LINE_SIZE, lines * LINE_SIZE) != 0)
        out_of_memory(count * size);
    return memset(memory, 0, lines * LINE_SIZE);
}

char *memory_copy_string(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(memory_allocate(size), text, size);
}
