/* What is wrong with files, told to the user one message at a time and counted; and what was passed
 * over, told at the end. Messages are of any length, since they name paths. One thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_PROBLEMS_H
#define HEATCAST_SOURCES_ARCHIVE_PROBLEMS_H

#include <stddef.h>

#define ARCHIVE_NO_NAME "their names are none of the archive"

enum { ARCHIVE_REASONS_MAX = 16, ARCHIVE_EXAMPLES_MAX = 3 };

/* Files that were passed over for the same reason. */
struct archive_passed {
    char *reason;
    size_t count;
    char *examples[ARCHIVE_EXAMPLES_MAX]; /* the first ones */
};

struct archive_problems {
    void (*on_problem)(const char *message, void *context);
    void *context;
    size_t unusable_count; /* files and folders that gave nothing */

    size_t passed_count; /* of all reasons */
    struct archive_passed passed[ARCHIVE_REASONS_MAX];
};

void archive_problem(struct archive_problems *problems, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for a file or folder that gave nothing at all. */
void archive_unusable(struct archive_problems *problems, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A file that is not for this import, without being wrong: counted, and named with others of the
 * same reason. */
void archive_pass_over(struct archive_problems *problems, const char *path, const char *reason);

/* What was passed over, one line a reason, through `on_note`. */
void archive_problems_tell_passed(const struct archive_problems *problems,
                                  void (*on_note)(const char *message, void *context),
                                  void *context);

void archive_problems_deinit(struct archive_problems *problems);

#endif
