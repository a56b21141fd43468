/* What must hold, in release builds too, and allocation that cannot fail.
 *
 * check() is for bugs of this program: an impossible state ends the process with a message, rather
 * than sending wrong numbers to people who trade on them. Input, disks and peers are never checked
 * with it; they return a status (base/error.h). */
#ifndef HEATCAST_BASE_CHECK_H
#define HEATCAST_BASE_CHECK_H

#include <stddef.h>

#define check(condition)                                                                           \
    ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__, __func__))

_Noreturn void check_failed(const char *condition, const char *file, int line,
                            const char *function);

/* malloc, calloc, realloc and strdup that abort when there is no memory. Released with free(). */
void *memory_allocate(size_t size) __attribute__((malloc));
void *memory_allocate_zeroed(size_t count, size_t size) __attribute__((malloc));
void *memory_resize(void *memory, size_t count, size_t size);
/* Zeroed, and on cache lines that nothing else is on: for what one loop alone writes, often. */
void *memory_allocate_lines(size_t count, size_t size) __attribute__((malloc));
char *memory_copy_string(const char *text) __attribute__((malloc));

#endif
