/* A folder may hold thousands of files that are not for the import. Each of them is counted, and
 * the first few of each reason are named: enough to see what was meant. */
#include "sources/archive/tally.h"

#include "base/buffer.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* The entry of a reason; the last one is for all that find no place. */
static struct archive_passed *find_passed(struct archive_tally *tally, const char *reason)
{
    struct archive_passed *passed = tally->passed;
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

static void count_passed(struct archive_tally *tally, const char *path, const char *reason)
{
    struct archive_passed *passed = find_passed(tally, reason);
    if (passed->count < ARCHIVE_EXAMPLES_MAX)
        passed->examples[passed->count] = memory_copy_string(path);
    passed->count++;
}

void archive_tally_report(enum archive_report report, const char *text, const char *reason,
                          void *context)
{
    struct archive_tally *tally = context;
    if (report == ARCHIVE_PASSED_OVER) {
        count_passed(tally, text, reason);
        return;
    }
    tally->on_problem(text, tally->context);
    tally->unusable_count += report == ARCHIVE_UNUSABLE;
}

void archive_tally_tell_passed(const struct archive_tally *tally,
                               void (*on_note)(const char *message, void *context), void *context)
{
    for (size_t i = 0; i < ARCHIVE_REASONS_MAX && tally->passed[i].count > 0; i++) {
        const struct archive_passed *passed = &tally->passed[i];
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

void archive_tally_deinit(struct archive_tally *tally)
{
    for (size_t i = 0; i < ARCHIVE_REASONS_MAX; i++) {
        free(tally->passed[i].reason);
        for (size_t k = 0; k < ARCHIVE_EXAMPLES_MAX; k++)
            free(tally->passed[i].examples[k]);
    }
    memset(tally->passed, 0, sizeof tally->passed);
}
