/* A file that cannot be used is no reason to stop an import that has hundreds more, and no `struct
 * error` to return: it is reported at once, and what it means for the whole is decided at the end,
 * by the counts (tally.h). */
#include "sources/archive/problems.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void report(const struct archive_problems *problems, enum archive_report report,
                   const char *format, va_list arguments)
{
    char *message = NULL;
    check(vasprintf(&message, format, arguments) >= 0);
    problems->on_report(report, message, NULL, problems->context);
    free(message);
}

void archive_problem(const struct archive_problems *problems, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(problems, ARCHIVE_PROBLEM, format, arguments);
    va_end(arguments);
}

void archive_unusable(const struct archive_problems *problems, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(problems, ARCHIVE_UNUSABLE, format, arguments);
    va_end(arguments);
}

void archive_pass_over(const struct archive_problems *problems, const char *path,
                       const char *reason)
{
    problems->on_report(ARCHIVE_PASSED_OVER, path, reason, problems->context);
}
