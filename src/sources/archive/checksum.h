/* SHA-256 of files, and what the archive publishes of it: hexadecimal digits, lower case. Any
 * thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_CHECKSUM_H
#define HEATCAST_SOURCES_ARCHIVE_CHECKSUM_H

#include "base/error.h"
#include "base/slice.h"
#include "store/store.h"

/* Reads "<64 digits>  <name>", one line as sha256sum writes it. False if it is none, or of another
 * file. */
bool archive_checksum_read(struct slice text, const char *name, char checksum[STORE_CHECKSUM_SIZE]);

/* Of the file's content. Reads it, so it may block. STATUS_NOT_FOUND, STATUS_IO; the message does
 * not name the file. */
enum status archive_checksum_of_file(const char *path, char checksum[STORE_CHECKSUM_SIZE],
                                     struct error *error);

#endif
