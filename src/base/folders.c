/* One mkdir() a folder, from the top down. That one is there already is no failure, since another
 * process may make the same folders at the same time. */
#include "base/folders.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum status folders_make(const char *path, struct error *error)
{
    char *folder = memory_copy_string(path);
    enum status status = STATUS_OK;
    for (char *slash = strchr(folder + 1, '/'); slash != NULL && status == STATUS_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            status = error_set(error, STATUS_IO, "cannot create the folder %s: %s", folder,
                               strerror(errno));
        *slash = '/';
    }
    free(folder);
    return status;
}
