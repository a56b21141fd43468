/* A file that cannot be used is no reason to stop an import that has hundreds more, and no `struct
 * error` to return: it is reported at once, and what it means for the whole is decided at the end,
 * by the counts (import.c). */
#include "sources/archive/problems.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void report(const struct archive_problems *problems, const char *format, va_list arguments)
{
    char *message = NULL;
    check(vasprintf(&message, format, arguments) >= 0);
    problems->on_problem(message, problems->context);
    free(message);
}

void archive_problem(struct archive_problems *problems, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(problems, format, arguments);
    va_end(arguments);
}

void archive_unusable(struct archive_problems *problems, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(problems, format, arguments);
    va_end(arguments);
    problems->unusable_count++;
}
