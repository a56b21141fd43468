/* Folders that a file is to be put in. Any thread. */
#ifndef HEATCAST_BASE_FOLDERS_H
#define HEATCAST_BASE_FOLDERS_H

#include "base/error.h"

/* Makes the folders of a path that are missing, but for its last part: "a" and "a/b" of "a/b/c".
 * STATUS_IO: the message names the folder. */
enum status folders_make(const char *path, struct error *error);

#endif
