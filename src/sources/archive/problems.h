/* What is wrong with files, told to the user one message at a time and counted. Messages are of any
 * length, since they name paths. One thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_PROBLEMS_H
#define HEATCAST_SOURCES_ARCHIVE_PROBLEMS_H

#include <stddef.h>

struct archive_problems {
    void (*on_problem)(const char *message, void *context);
    void *context;
    size_t unusable_count; /* files and folders that gave nothing */
};

void archive_problem(struct archive_problems *problems, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for a file or folder that gave nothing at all. */
void archive_unusable(struct archive_problems *problems, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
