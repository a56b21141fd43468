/* One reader for what people have: files as the archive serves them (zip), as others pack them
 * (gzip), and unpacked.
 *
 *     file -> block -> plain            -> read
 *                   -> inflate (zlib)   -> read
 *                   -> zip (libarchive) -> read
 *
 * gzip is zlib's rather than libarchive's, which does not compare a gzip file's checksum with its
 * content. A zip is read in the order in which it was written, without the directory at its end, so
 * that its size and the number of its members cost no memory.
 *
 * What is unpacked may be made to harm: a small file that unpacks to terabytes, millions of
 * members, archives in archives. Each has a limit here, far above what real files need. */
#include "sources/archive/input.h"

#include "base/check.h"
#include "base/slice.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum {
    BLOCK_SIZE = 1 << 16,
    SIGNATURE_SIZE_MAX = 8,
    MEMBER_NAME_SIZE = 512,
    MEMBERS_MAX =
        100000,      /* a day in a member: forty symbols for three years of klines and metrics */
    RATIO_MAX = 200, /* rows of numbers unpack to ten times their size, at most to fifty */
    INFLATE_AUTO = 32 + MAX_WBITS, /* gzip, with a window of any size */
};
#define RATIO_FREE_BYTES (UINT64_C(16) << 20)   /* up to which any ratio is harmless */
#define UNPACKED_BYTES_MAX (UINT64_C(16) << 30) /* a century of one symbol's klines */

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZIP, PACKING_UNKNOWN };

struct archive_input {
    int fd;
    enum packing packing;
    uint64_t bytes_read, bytes_unpacked;
    size_t member_count;
    bool is_member_begun; /* no byte of it was given yet */
    bool is_at_end;       /* of the file */

    z_stream inflater;
    bool has_inflater,
        is_inflated; /* at the end of a gzip stream, after which another may follow */

    struct archive *zip;
    locale_t locale; /* in which libarchive converts names */
    char member[MEMBER_NAME_SIZE];

    size_t block_begin, block_end; /* what is not used yet */
    char block[BLOCK_SIZE];
};

/* -- the file ---------------------------------------------------------------------------------- */

/* Reads more of the file behind what the block holds. False: it cannot be read; errno says why. */
static bool read_block(struct archive_input *input)
{
    if (input->block_begin == input->block_end)
        input->block_begin = input->block_end = 0;
    ssize_t count;
    do
        count = read(input->fd, input->block + input->block_end, BLOCK_SIZE - input->block_end);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return false;
    input->is_at_end = count == 0;
    input->block_end += (size_t)count;
    input->bytes_read += (uint64_t)count;
    return true;
}

static enum status cannot_read(struct error *error)
{
    return error_set(error, STATUS_IO, "cannot be read: %s", strerror(errno));
}

/* -- how it is packed -------------------------------------------------------------------------- */

static const struct signature {
    const char *bytes;
    enum packing packing;
    const char *name;
} signatures[] = {
    {"\x1F\x8B", PACKING_GZIP, "gzip"},
    {"PK\3\4", PACKING_ZIP, "zip"},
    {"PK\5\6", PACKING_ZIP, "zip"}, /* an empty one */
    {"\xFD"
     "7zXZ",
     PACKING_UNKNOWN, "xz"},
    {"\x28\xB5\x2F\xFD", PACKING_UNKNOWN, "zstd"},
    {"BZh", PACKING_UNKNOWN, "bzip2"},
    {"7z\xBC\xAF", PACKING_UNKNOWN, "7z"},
    {"Rar!", PACKING_UNKNOWN, "rar"},
    {"PAR1", PACKING_UNKNOWN, "Parquet"},
};

static const struct signature *find_signature(struct slice start)
{
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++)
        if (slice_starts_with(start, signatures[i].bytes))
            return &signatures[i];
    return NULL;
}

static enum status tell_packing(struct archive_input *input, struct error *error)
{
    while (!input->is_at_end && input->block_end < SIGNATURE_SIZE_MAX)
        if (!read_block(input))
            return cannot_read(error);
    const struct signature *signature =
        find_signature((struct slice){input->block, input->block_end});
    input->packing = signature != NULL ? signature->packing : PACKING_NONE;
    if (input->packing == PACKING_UNKNOWN)
        return error_set(error, STATUS_INVALID,
                         "is packed as %s; what can be read is CSV, plain or as .gz or .zip",
                         signature->name);
    return STATUS_OK;
}

/* -- zip --------------------------------------------------------------------------------------- */

static la_ssize_t give_block(struct archive *zip, void *context, const void **data)
{
    struct archive_input *input = context;
    if (input->block_begin == input->block_end && !read_block(input)) {
        archive_set_error(zip, errno, "cannot be read: %s", strerror(errno));
        return -1;
    }
    size_t count = input->block_end - input->block_begin;
    *data = input->block + input->block_begin;
    input->block_begin = input->block_end;
    return (la_ssize_t)count;
}

static enum status zip_failed(const struct archive_input *input, struct error *error)
{
    const char *reason = archive_error_string(input->zip);
    return error_set(error, STATUS_IO, "is cut off or damaged (%s)",
                     reason != NULL ? reason : "no zip archive");
}

static enum status open_zip(struct archive_input *input, struct error *error)
{
    input->zip = archive_read_new();
    check(input->zip != NULL);
    check(archive_read_support_format_zip_streamable(input->zip) == ARCHIVE_OK);
    if (archive_read_open(input->zip, input, NULL, give_block, NULL) != ARCHIVE_OK)
        return zip_failed(input, error);
    return STATUS_OK;
}

/* Names come from outside and go to terminals. */
static void note_member(struct archive_input *input, struct archive_entry *entry)
{
    const char *name = archive_entry_pathname_utf8(entry);
    if (name == NULL)
        name = archive_entry_pathname(entry);
    size_t size = 0;
    for (; name != NULL && name[size] != '\0' && size < MEMBER_NAME_SIZE - 1; size++) {
        unsigned char c = (unsigned char)name[size];
        input->member[size] = (char)(c < 0x20 || c == 0x7F ? '?' : c);
    }
    input->member[size] = '\0';
}

static enum status next_in_zip(struct archive_input *input, struct error *error)
{
    struct archive_entry *entry;
    for (;;) {
        int result = archive_read_next_header(input->zip, &entry);
        if (result == ARCHIVE_EOF)
            return STATUS_NO_DATA;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN) /* a name in an unknown encoding */
            return zip_failed(input, error);
        if (input->member_count++ == MEMBERS_MAX)
            return error_set(error, STATUS_TOO_LARGE, "has more than %d members", MEMBERS_MAX);
        if (archive_entry_filetype(entry) != AE_IFREG)
            continue;
        note_member(input, entry);
        if (archive_entry_is_encrypted(entry) != 0)
            return error_set(error, STATUS_INVALID, "is encrypted");
        return STATUS_OK;
    }
}

static enum status read_zip(struct archive_input *input, char *to, size_t size, size_t *count,
                            struct error *error)
{
    la_ssize_t result = archive_read_data(input->zip, to, size);
    if (result < 0) /* a warning is a checksum or a size that is wrong */
        return zip_failed(input, error);
    *count = (size_t)result;
    return STATUS_OK;
}

/* -- gzip -------------------------------------------------------------------------------------- */

static enum status open_gzip(struct archive_input *input, struct error *error)
{
    if (inflateInit2(&input->inflater, INFLATE_AUTO) != Z_OK)
        return error_set(error, STATUS_NO_MEMORY, "no memory to unpack it");
    input->has_inflater = true;
    return STATUS_OK;
}

/* A gzip file is one stream or several (RFC 1952 §2.2); gzip itself ignores what else follows. */
static bool begin_stream(struct archive_input *input)
{
    struct slice rest = {input->block + input->block_begin, input->block_end - input->block_begin};
    if (!slice_starts_with(rest, "\x1F"))
        return false;
    input->is_inflated = false;
    return inflateReset(&input->inflater) == Z_OK;
}

/* One step of inflate(), with what the block holds. */
static enum status inflate_block(struct archive_input *input, struct error *error)
{
    uInt available = (uInt)(input->block_end - input->block_begin);
    input->inflater.next_in = (Bytef *)input->block + input->block_begin;
    input->inflater.avail_in = available;
    int result = inflate(&input->inflater, Z_NO_FLUSH);
    input->block_begin += available - input->inflater.avail_in;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return error_set(error, STATUS_IO, "is damaged (%s)",
                         input->inflater.msg != NULL ? input->inflater.msg : "gzip");
    input->is_inflated = result == Z_STREAM_END;
    return STATUS_OK;
}

static enum status read_gzip(struct archive_input *input, char *to, size_t size, size_t *count,
                             struct error *error)
{
    input->inflater.next_out = (Bytef *)to;
    input->inflater.avail_out = (uInt)size;
    while (input->inflater.avail_out == size) {
        if (input->block_begin == input->block_end && !input->is_at_end && !read_block(input))
            return cannot_read(error);
        if (input->is_inflated && !begin_stream(input))
            break;
        if (input->block_begin == input->block_end && input->is_at_end)
            return error_set(error, STATUS_IO, "is cut off");
        enum status status = inflate_block(input, error);
        if (status != STATUS_OK)
            return status;
    }
    *count = size - input->inflater.avail_out;
    return STATUS_OK;
}

/* -- plain ------------------------------------------------------------------------------------- */

static enum status read_plain(struct archive_input *input, char *to, size_t size, size_t *count,
                              struct error *error)
{
    if (input->block_begin == input->block_end && !input->is_at_end && !read_block(input))
        return cannot_read(error);
    *count = input->block_end - input->block_begin;
    if (*count > size)
        *count = size;
    memcpy(to, input->block + input->block_begin, *count);
    input->block_begin += *count;
    return STATUS_OK;
}

/* -- all of them ------------------------------------------------------------------------------- */

/* libarchive converts the names of members to the locale's encoding, which is ASCII unless somebody
 * says otherwise. */
static locale_t enter_locale(struct archive_input *input)
{
    if (input->locale == (locale_t)0)
        input->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return uselocale(input->locale); /* where there is none, that changes nothing */
}

enum status archive_input_open(const char *path, struct archive_input **opened, struct error *error)
{
    *opened = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(error, STATUS_IO, "%s", strerror(errno));
    struct archive_input *input = memory_allocate_zeroed(1, sizeof *input);
    input->fd = fd;
    enum status status = tell_packing(input, error);
    if (status == STATUS_OK && input->packing == PACKING_ZIP)
        status = open_zip(input, error);
    else if (status == STATUS_OK && input->packing == PACKING_GZIP)
        status = open_gzip(input, error);
    if (status == STATUS_OK)
        *opened = input;
    else
        archive_input_close(input);
    return status;
}

enum status archive_input_next(struct archive_input *input, struct error *error)
{
    input->is_member_begun = false;
    if (input->packing != PACKING_ZIP)
        return input->member_count++ == 0 ? STATUS_OK : STATUS_NO_DATA;
    locale_t locale = enter_locale(input);
    enum status status = next_in_zip(input, error);
    uselocale(locale);
    return status;
}

const char *archive_input_member(const struct archive_input *input)
{
    return input->packing == PACKING_ZIP ? input->member : NULL;
}

/* What was unpacked just now is no archive itself, and not too much. */
static enum status check_unpacked(struct archive_input *input, struct slice unpacked,
                                  struct error *error)
{
    const struct signature *signature = input->is_member_begun ? NULL : find_signature(unpacked);
    input->is_member_begun = true;
    input->bytes_unpacked += unpacked.size;
    if (signature != NULL)
        return error_set(error, STATUS_INVALID, "holds a file that is packed again (%s)",
                         signature->name);
    if (input->bytes_unpacked > UNPACKED_BYTES_MAX)
        return error_set(error, STATUS_TOO_LARGE, "unpacks to more than %d GiB",
                         (int)(UNPACKED_BYTES_MAX >> 30));
    if (input->bytes_unpacked > RATIO_FREE_BYTES &&
        input->bytes_unpacked / RATIO_MAX > input->bytes_read)
        return error_set(error, STATUS_TOO_LARGE, "unpacks to more than %d times its size",
                         RATIO_MAX);
    return STATUS_OK;
}

enum status archive_input_read(struct archive_input *input, char *to, size_t size, size_t *count,
                               struct error *error)
{
    enum status status;
    *count = 0;
    if (input->packing == PACKING_NONE)
        return read_plain(input, to, size, count, error);
    if (input->packing == PACKING_GZIP)
        status = read_gzip(input, to, size, count, error);
    else
        status = read_zip(input, to, size, count, error);
    return status == STATUS_OK ? check_unpacked(input, (struct slice){to, *count}, error) : status;
}

uint64_t archive_input_bytes_read(const struct archive_input *input)
{
    return input->bytes_read;
}

void archive_input_close(struct archive_input *input)
{
    if (input == NULL)
        return;
    archive_read_free(input->zip);
    if (input->has_inflater)
        inflateEnd(&input->inflater);
    if (input->locale != (locale_t)0)
        freelocale(input->locale);
    close(input->fd);
    free(input);
}
