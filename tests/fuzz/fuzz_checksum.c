/* What the archive publishes as a file's checksum comes over the network. Whatever it is, it is
 * taken only if it is exactly the line that would be written for the checksum that was read. */
#include "fuzz.h"

#include "base/buffer.h"
#include "sources/archive/checksum.h"

#include <strings.h>

static bool is_line_end(char c)
{
    return c == '\r' || c == '\n';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char name[] = "BTCUSDT-5m-2025-12.zip";
    char checksum[STORE_CHECKSUM_SIZE];
    char *bytes = fuzz_copy(data, size);
    if (archive_checksum_read((struct slice){bytes, size}, name, checksum)) {
        struct buffer line = {0};
        check(strspn(checksum, "0123456789abcdef") == STORE_CHECKSUM_SIZE - 1);
        buffer_append_format(&line, "%s %c%s", checksum, bytes[STORE_CHECKSUM_SIZE], name);
        check(size >= line.size && strncasecmp(bytes, line.data, line.size) == 0);
        for (size_t i = line.size; i < size; i++)
            check(is_line_end(bytes[i]));
        buffer_deinit(&line);
    }
    free(bytes);
    return 0;
}
