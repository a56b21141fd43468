/* What is to be told of files while they are read, one message at a time. Messages are of any
 * length, since they name paths. One thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_PROBLEMS_H
#define HEATCAST_SOURCES_ARCHIVE_PROBLEMS_H

enum archive_report {
    ARCHIVE_PROBLEM,     /* a row that is bad */
    ARCHIVE_UNUSABLE,    /* a file or folder that gave nothing */
    ARCHIVE_PASSED_OVER, /* a file that is not for this import, without being wrong */
};

#define ARCHIVE_NO_NAME "their names are none of the archive"

/* Where it goes. `text` names the file and says what is wrong; of a file that was passed over it is
 * the path alone, and `reason` says why, in the same words for files that have the same reason. */
struct archive_problems {
    void (*on_report)(enum archive_report report, const char *text, const char *reason,
                      void *context);
    void *context;
};

void archive_problem(const struct archive_problems *problems, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void archive_unusable(const struct archive_problems *problems, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void archive_pass_over(const struct archive_problems *problems, const char *path,
                       const char *reason);

#endif
