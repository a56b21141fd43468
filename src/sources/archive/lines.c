/* A line is a part of the buffer, and never copied but where the buffer ends within it. One that is
 * too long is read to its end all the same, and only cut, so that the lines after it keep their
 * numbers. */
#include "sources/archive/lines.h"

/* Reads more behind what is there, which moves to the buffer's front first. */
static enum status fill(struct archive_lines *lines, struct error *error)
{
    size_t count;
    memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
    lines->end -= lines->begin;
    lines->begin = 0;
    enum status status = archive_input_read(lines->input, lines->buffer + lines->end,
                                            ARCHIVE_LINES_BUFFER - lines->end, &count, error);
    lines->end += count;
    lines->is_at_end = status == STATUS_OK && count == 0;
    return status;
}

/* Finds the end of the line that begins the buffer's rest; the line ends with the file if no other
 * end comes. STATUS_NO_DATA: there is no line any more. */
static enum status read_line(struct archive_lines *lines, struct slice *line, struct error *error)
{
    size_t searched = 0;
    for (;;) {
        const char *start = lines->buffer + lines->begin;
        size_t size = lines->end - lines->begin;
        const char *newline =
            size > searched ? memchr(start + searched, '\n', size - searched) : NULL;
        *line = (struct slice){start, newline != NULL ? (size_t)(newline - start) : size};
        if (newline != NULL || lines->is_at_end) {
            lines->begin += line->size + (newline != NULL);
            return newline != NULL || size > 0 ? STATUS_OK : STATUS_NO_DATA;
        }
        if (size > ARCHIVE_LINE_SIZE_MAX) { /* enough of it is known */
            lines->is_too_long = true;
            lines->end = lines->begin + ARCHIVE_LINE_SIZE_MAX;
        }
        searched = lines->end - lines->begin;
        enum status status = fill(lines, error);
        if (status != STATUS_OK)
            return status;
    }
}

enum status archive_lines_next(struct archive_lines *lines, struct slice *line, struct error *error)
{
    lines->is_too_long = false;
    enum status status = read_line(lines, line, error);
    if (status != STATUS_OK)
        return status;
    if (line->size > ARCHIVE_LINE_SIZE_MAX) {
        lines->is_too_long = true;
        line->size = ARCHIVE_LINE_SIZE_MAX;
    }
    lines->has_nul = memchr(line->data, '\0', line->size) != NULL;
    if (line->size > 0 && line->data[line->size - 1] == '\r')
        line->size--;
    if (lines->number++ == 0)
        slice_try_take(line, "\xEF\xBB\xBF");
    return STATUS_OK;
}
