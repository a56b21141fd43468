/* What all fuzz targets share: the entry that libFuzzer and replay.c call, and input copied to
 * where AddressSanitizer sees a single byte read beyond it. */
#ifndef HEATCAST_TESTS_FUZZ_H
#define HEATCAST_TESTS_FUZZ_H

#include "base/check.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Always returns 0; what must hold is checked with check(), which aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Exactly `size` bytes, to free(). */
static inline char *fuzz_copy(const void *bytes, size_t size)
{
    char *copy = memory_allocate(size);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

/* A refusal tells a person why, in one line (base/error.h). */
static inline void fuzz_check_refusal(enum status status, const struct error *error)
{
    check(status == STATUS_INVALID && error->status == status);
    check(memchr(error->message, '\0', sizeof error->message) != NULL);
    check(error->message[0] != '\0');
    for (const char *at = error->message; *at != '\0'; at++)
        check((unsigned char)*at >= ' ');
}

#endif
