/* Runs a fuzz target over files, and over the files of folders, without libFuzzer: `make test`
 * replays seeds and regressions with any compiler. A target that fails aborts; the last line on
 * standard error then names the input. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096 };

static size_t input_count;

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (file == NULL || fstat(fileno(file), &status) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    size_t size = (size_t)status.st_size;
    uint8_t *bytes = memory_allocate(size);
    if (fread(bytes, 1, size, file) != size) {
        fprintf(stderr, "%s: cannot be read whole\n", path);
        exit(1);
    }
    fclose(file);
    fprintf(stderr, "%s (%zu bytes)\n", path, size);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    input_count++;
}

static void run_folder(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char name[PATH_SIZE];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            run_file(name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

int main(int count, char **paths)
{
    for (int i = 1; i < count; i++) {
        struct stat status;
        if (stat(paths[i], &status) == 0 && S_ISDIR(status.st_mode))
            run_folder(paths[i]);
        else
            run_file(paths[i]);
    }
    if (input_count == 0) {
        fprintf(stderr, "usage: %s FILE|FOLDER ... (with at least one input)\n", paths[0]);
        return 2;
    }
    printf("%zu inputs\n", input_count);
    return 0;
}
