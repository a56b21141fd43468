/* A file that cannot be used is no reason to stop an import that has hundreds more, and no `struct
 * error` to return: it is reported at once, and what it means for the whole is decided at the end,
 * by the counts (import.c). */
#include "sources/archive/problems.h"

#include "base/buffer.h"
#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* -- passed over ------------------------------------------------------------------------------- */

/* The entry of a reason; the last one is for all that find no place. */
static struct archive_passed *find_passed(struct archive_problems *problems, const char *reason)
{
    struct archive_passed *passed = problems->passed;
    for (size_t i = 0; i < ARCHIVE_REASONS_MAX - 1; i++, passed++) {
        if (passed->reason == NULL)
            passed->reason = memory_copy_string(reason);
        if (strcmp(passed->reason, reason) == 0)
            return passed;
    }
    if (passed->reason == NULL)
        passed->reason = memory_copy_string("for other reasons");
    return passed;
}

void archive_pass_over(struct archive_problems *problems, const char *path, const char *reason)
{
    struct archive_passed *passed = find_passed(problems, reason);
    if (passed->count < ARCHIVE_EXAMPLES_MAX)
        passed->examples[passed->count] = memory_copy_string(path);
    passed->count++;
    problems->passed_count++;
}

void archive_problems_tell_passed(const struct archive_problems *problems,
                                  void (*on_note)(const char *message, void *context),
                                  void *context)
{
    for (size_t i = 0; i < ARCHIVE_REASONS_MAX && problems->passed[i].count > 0; i++) {
        const struct archive_passed *passed = &problems->passed[i];
        struct buffer message = {0};
        buffer_append_format(&message, "passed over %zu file%s (%s): ", passed->count,
                             passed->count > 1 ? "s" : "", passed->reason);
        for (size_t k = 0; k < passed->count && k < ARCHIVE_EXAMPLES_MAX; k++)
            buffer_append_format(&message, "%s%s", k > 0 ? ", " : "", passed->examples[k]);
        if (passed->count > ARCHIVE_EXAMPLES_MAX)
            buffer_append_text(&message, ", ...");
        on_note(buffer_text(&message), context);
        buffer_deinit(&message);
    }
}

void archive_problems_deinit(struct archive_problems *problems)
{
    for (size_t i = 0; i < ARCHIVE_REASONS_MAX; i++) {
        free(problems->passed[i].reason);
        for (size_t k = 0; k < ARCHIVE_EXAMPLES_MAX; k++)
            free(problems->passed[i].examples[k]);
    }
    memset(problems->passed, 0, sizeof problems->passed);
}
