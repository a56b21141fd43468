/* The content of a file, however it is packed: plain text, gzip, or the files in a zip archive, one
 * after the other. Everything is read forward, once, through buffers of fixed size, so that pipes
 * work and a file of any size costs no memory; nothing is ever written. One thread.
 *
 *     status = archive_input_open(path, &input, &error);
 *     while (status == STATUS_OK && (status = archive_input_next(input, &error)) == STATUS_OK)
 *         ... archive_input_read() until it returns no more ...
 *     archive_input_close(input); */
#ifndef HEATCAST_SOURCES_ARCHIVE_INPUT_H
#define HEATCAST_SOURCES_ARCHIVE_INPUT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive_input;

/* How it is packed is told by the first bytes, not by the name. STATUS_IO: the file cannot be read.
 * STATUS_INVALID: it is packed in a way that is not supported. Messages do not name the file. */
enum status archive_input_open(const char *path, struct archive_input **input, struct error *error);

/* Goes on to the next file in it: in an archive its next member (folders and what is no plain file
 * are left out), else the file itself, once. STATUS_NO_DATA: there is none any more. Others as
 * archive_input_read(). */
enum status archive_input_next(struct archive_input *input, struct error *error);

/* The member's name as the archive has it, without characters that are no text; valid until the
 * next one. NULL: the file is no archive. Only for messages and to tell what it holds. */
const char *archive_input_member(const struct archive_input *input);

/* Reads up to `size` bytes; `*count` is 0 at the member's end. STATUS_IO: the file cannot be read,
 * or is cut off or damaged. STATUS_INVALID: it is encrypted, or an archive in an archive.
 * STATUS_TOO_LARGE: it unpacks to more than any real file does (input.c has the limits). */
enum status archive_input_read(struct archive_input *input, char *to, size_t size, size_t *count,
                               struct error *error);

uint64_t archive_input_bytes_read(const struct archive_input *input); /* of the file, packed */

void archive_input_close(struct archive_input *input); /* NULL is harmless */

#endif
