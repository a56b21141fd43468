/* Files are read once, forward, through a buffer of fixed size, so that pipes work and a file of
 * any size or kind costs no memory. A line that is longer than the buffer is read to its end all
 * the same, and only cut, so that the lines after it keep their numbers. */
#include "sources/archive/lines.h"

#include <errno.h>

bool archive_lines_open(struct archive_lines *lines, const char *path)
{
    lines->stream = fopen(path, "rb");
    return lines->stream != NULL;
}

/* Reads up to the end of the line; false if there is none any more. */
static bool read_line(struct archive_lines *lines, size_t *size)
{
    int c;
    *size = 0;
    lines->is_too_long = lines->has_nul = false;
    while ((c = getc_unlocked(lines->stream)) != EOF && c != '\n') {
        lines->bytes_read++;
        lines->has_nul = lines->has_nul || c == '\0';
        if (*size < ARCHIVE_LINE_SIZE_MAX)
            lines->text[(*size)++] = (char)c;
        else
            lines->is_too_long = true;
    }
    lines->bytes_read += c == '\n';
    if (c == EOF && ferror(lines->stream) != 0)
        lines->failure = errno;
    return c != EOF || *size > 0;
}

bool archive_lines_next(struct archive_lines *lines, struct slice *line)
{
    size_t size;
    if (!read_line(lines, &size))
        return false;
    *line = (struct slice){lines->text, size};
    if (size > 0 && line->data[size - 1] == '\r')
        line->size--;
    if (lines->number++ == 0)
        slice_try_take(line, "\xEF\xBB\xBF");
    return true;
}

void archive_lines_close(struct archive_lines *lines)
{
    if (lines->stream != NULL)
        fclose(lines->stream);
    lines->stream = NULL;
}
