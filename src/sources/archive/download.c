/*         +------------------- (again, the file was not what was published) --+
 *         v                                                                   |
 *     ASKING (checksum) ----> LOADING (file) ----> compared ------------------+
 *         |    ^   |              |    ^              |
 *         |    +---|-- WAITING ---|----+              |
 *         v        v              v                   v
 *       UNCHANGED, MISSING, FAILED, IMPOSSIBLE      READY, MISMATCH
 *
 * Where there is no checksum there is no file, most often; whether there is one all the same is
 * asked before a day is said to be missing. A file without a checksum is refused, as one that does
 * not fit it is, unless its user accepts it; one that is known already stays as it is.
 *
 * A part bears the checksum in its name. So a file that is replaced in the archive while half of it
 * is here begins anew, and a part that stands for something else is never continued: whether the
 * pieces belong together is what the comparison at the end tells, and it alone decides. */
#include "sources/archive/download.h"

#include "base/backoff.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHECKSUM_BYTES_MAX = 4096, /* of the file that publishes it */
    PART_DIGITS = 16,          /* of the checksum in a part's name */
    MISMATCHES_MAX = 2,
};

enum {
    STATUS_OK_HTTP = 200,
    STATUS_PARTIAL = 206,
    STATUS_FORBIDDEN = 403,
    STATUS_NOT_FOUND_HTTP = 404,
    STATUS_BAD_RANGE = 416,
    STATUS_LEGAL = 451,
};

struct download {
    struct download_options options; /* its texts are the four below */
    char *url, *checksum_url, *path;
    char known_checksum[STORE_CHECKSUM_SIZE];
    char checksum[STORE_CHECKSUM_SIZE]; /* that is published; "": it is not, or not known yet */
    struct http_transfer *transfer;     /* NULL: none is under way */
    uv_timer_t timer;
    struct backoff backoff;
    int tries, mismatches;
    char *part; /* while it is loaded */
    int part_file;
    uint64_t part_size;
    bool was_continued; /* the part began before this request */
    int failure;        /* errno of what could not be written */
};

/* -- its end ----------------------------------------------------------------------------------- */

static void free_download(uv_handle_t *handle)
{
    struct download *download = handle->data;
    free(download->url);
    free(download->checksum_url);
    free(download->path);
    free(download->part);
    free(download);
}

static void close_part(struct download *download)
{
    if (download->part_file >= 0)
        close(download->part_file);
    download->part_file = -1;
}

void download_cancel(struct download *download)
{
    if (download->transfer != NULL)
        http_transfer_cancel(download->transfer);
    close_part(download);
    uv_close((uv_handle_t *)&download->timer, free_download);
}

static const char *name_of(const struct download *download)
{
    const char *slash = strrchr(download->path, '/');
    return slash != NULL ? slash + 1 : download->path;
}

static void settle(struct download *download, enum download_outcome outcome, const char *message)
{
    struct buffer text = {0};
    if (message[0] != '\0')
        buffer_append_format(&text, "%s: %s", name_of(download), message);
    download->options.on_settled(&(struct download_result){.outcome = outcome,
                                                           .checksum = download->checksum,
                                                           .message = buffer_text(&text)},
                                 download->options.context);
    buffer_deinit(&text);
    download_cancel(download);
}

static void settle_disk_error(struct download *download, const char *path, int failure)
{
    struct buffer message = {0};
    buffer_append_format(&message, "%s cannot be written: %s", path, strerror(failure));
    settle(download, DOWNLOAD_IMPOSSIBLE, buffer_text(&message));
    buffer_deinit(&message);
}

/* -- another try ------------------------------------------------------------------------------- */

static void ask(struct download *download);
static void load(struct download *download);

static void try_again(uv_timer_t *timer)
{
    struct download *download = timer->data;
    if (download->checksum[0] == '\0')
        ask(download);
    else
        load(download);
}

/* Tries again after a while; `retry_after_ms` is what the server asks for, or -1. */
static void retry(struct download *download, const char *message, int64_t retry_after_ms)
{
    if (++download->tries >= download->options.tries_max ||
        retry_after_ms > DOWNLOAD_RETRY_AFTER_MAX_MS) {
        settle(download, DOWNLOAD_FAILED, message);
        return;
    }
    uint64_t wait_ms = backoff_next_ms(&download->backoff);
    if (retry_after_ms > (int64_t)wait_ms)
        wait_ms = (uint64_t)retry_after_ms;
    uv_timer_start(&download->timer, try_again, wait_ms, 0);
}

/* What is wrong with an answer, or with its lack. */
static void append_reason(struct buffer *out, const struct http_result *result)
{
    if (result->outcome != HTTP_ANSWERED)
        buffer_append_text(out, result->message);
    else
        buffer_append_format(out, "the archive answers with status %d", result->status);
    if (result->status == STATUS_FORBIDDEN || result->status == STATUS_LEGAL)
        buffer_append_text(out, ": it refuses requests from here. HTTPS_PROXY=http://host:port "
                                "sends them through a proxy, BINANCE_ARCHIVE_URL names a mirror");
    if (result->retry_after_ms > DOWNLOAD_RETRY_AFTER_MAX_MS)
        buffer_append_format(out, ", and asks to wait for %lld minutes",
                             (long long)result->retry_after_ms / 60000);
}

/* Whether what cannot be tried again would be the same for any other file. */
static bool is_like_all(const struct http_result *result)
{
    if (result->outcome == HTTP_ANSWERED)
        return result->status == STATUS_FORBIDDEN || result->status == STATUS_LEGAL;
    return result->outcome != HTTP_TOO_LARGE;
}

/* An answer that is not what was asked for: nothing, a refusal, an error. */
static void take_failure(struct download *download, const struct http_result *result)
{
    struct buffer reason = {0};
    append_reason(&reason, result);
    if (result->outcome == HTTP_ANSWERED && result->status == STATUS_NOT_FOUND_HTTP)
        settle(download, DOWNLOAD_MISSING, "");
    else if (http_result_is_transient(result))
        retry(download, buffer_text(&reason), result->retry_after_ms);
    else
        settle(download, is_like_all(result) ? DOWNLOAD_IMPOSSIBLE : DOWNLOAD_FAILED,
               buffer_text(&reason));
    buffer_deinit(&reason);
}

/* -- the checksum ------------------------------------------------------------------------------ */

/* Whether the file is there already, as it is published. */
static bool is_complete(const struct download *download)
{
    char checksum[STORE_CHECKSUM_SIZE];
    return archive_checksum_of_file(download->path, checksum, NULL) == STATUS_OK &&
           strcmp(checksum, download->checksum) == 0;
}

static bool is_answer(const struct http_result *result, int status)
{
    return result->outcome == HTTP_ANSWERED && result->status == status;
}

static void take_head(const struct http_result *result, void *context)
{
    struct download *download = context;
    download->transfer = NULL;
    if (is_answer(result, STATUS_OK_HTTP))
        settle(download, DOWNLOAD_MISMATCH,
               "the archive has it, but publishes no checksum of it (--accept-checksum-mismatch "
               "takes it)");
    else
        take_failure(download, result);
}

/* There is no checksum: is there a file? */
static void look_for_file(struct download *download)
{
    download->transfer = http_client_start(
        download->options.client,
        &(struct http_request){.method = "HEAD",
                               .url = download->url,
                               .silence_timeout_ms = download->options.silence_timeout_ms,
                               .answer_bytes_max = DOWNLOAD_BYTES_MAX,
                               .on_done = take_head,
                               .context = download});
}

static void do_without_checksum(struct download *download)
{
    if (download->known_checksum[0] != '\0')
        settle(download, DOWNLOAD_UNCHANGED, "");
    else if (download->options.accepts_mismatch)
        load(download);
    else
        look_for_file(download);
}

static void take_checksum(const struct http_result *result, void *context)
{
    struct download *download = context;
    download->transfer = NULL;
    if (is_answer(result, STATUS_NOT_FOUND_HTTP)) {
        do_without_checksum(download);
        return;
    }
    if (!is_answer(result, STATUS_OK_HTTP)) {
        take_failure(download, result);
        return;
    }
    struct slice text = {result->body, result->body_size};
    if (!archive_checksum_read(text, name_of(download), download->checksum)) {
        download->checksum[0] = '\0';
        retry(download, "what the archive gives for its checksum is none", -1);
    } else if (strcmp(download->checksum, download->known_checksum) == 0) {
        settle(download, DOWNLOAD_UNCHANGED, "");
    } else if (is_complete(download)) {
        settle(download, DOWNLOAD_READY, "");
    } else {
        load(download);
    }
}

static void ask(struct download *download)
{
    download->checksum[0] = '\0';
    download->transfer = http_client_start(
        download->options.client,
        &(struct http_request){.method = "GET",
                               .url = download->checksum_url,
                               .silence_timeout_ms = download->options.silence_timeout_ms,
                               .answer_bytes_max = CHECKSUM_BYTES_MAX,
                               .on_done = take_checksum,
                               .context = download});
}

/* -- the file ---------------------------------------------------------------------------------- */

static void settle_mismatch(struct download *download, const char *found)
{
    struct buffer message = {0};
    bool is_accepted = download->options.accepts_mismatch;
    buffer_append_format(
        &message, "its SHA-256 is %s, and the archive publishes %s%s", found, download->checksum,
        is_accepted ? ": taken all the same" : " (--accept-checksum-mismatch takes it)");
    if (is_accepted && rename(download->part, download->path) != 0) {
        settle_disk_error(download, download->path, errno);
    } else {
        unlink(download->part);
        settle(download, is_accepted ? DOWNLOAD_READY : DOWNLOAD_MISMATCH, buffer_text(&message));
    }
    buffer_deinit(&message);
}

static void settle_ready(struct download *download, const char *message)
{
    if (rename(download->part, download->path) == 0)
        settle(download, DOWNLOAD_READY, message);
    else
        settle_disk_error(download, download->path, errno);
}

/* All of the part has come. */
static void compare(struct download *download)
{
    char found[STORE_CHECKSUM_SIZE];
    struct error error;
    if (archive_checksum_of_file(download->part, found, &error) != STATUS_OK) {
        settle(download, DOWNLOAD_IMPOSSIBLE, error.message);
    } else if (download->checksum[0] == '\0') {
        strcpy(download->checksum, found);
        settle_ready(download, "the archive publishes no checksum of it: taken all the same");
    } else if (strcmp(found, download->checksum) == 0) {
        settle_ready(download, "");
    } else if (!download->was_continued && ++download->mismatches == MISMATCHES_MAX) {
        settle_mismatch(download, found);
    } else { /* it may have been replaced just now, or its pieces are of two versions */
        unlink(download->part);
        ask(download);
    }
}

static void take_file(const struct http_result *result, void *context)
{
    struct download *download = context;
    download->transfer = NULL;
    close_part(download);
    bool is_whole = result->outcome == HTTP_ANSWERED &&
                    (result->status == STATUS_OK_HTTP || result->status == STATUS_PARTIAL);
    if (result->outcome == HTTP_STOPPED) {
        settle_disk_error(download, download->part, download->failure);
    } else if (is_whole) {
        compare(download);
    } else if (result->status == STATUS_BAD_RANGE) { /* the part is not shorter than the file */
        unlink(download->part);
        retry(download, "the archive does not continue it", -1);
    } else {
        take_failure(download, result);
    }
}

static bool take_bytes(int status, const char *bytes, size_t size, void *context)
{
    struct download *download = context;
    if (status != STATUS_PARTIAL && download->was_continued) { /* the server sends all of it */
        download->was_continued = false;
        if (ftruncate(download->part_file, 0) != 0) {
            download->failure = errno;
            return false;
        }
    }
    download->options.on_bytes(size, download->options.context);
    while (size > 0) {
        ssize_t count = write(download->part_file, bytes, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            download->failure = errno;
            return false;
        }
        bytes += count;
        size -= (size_t)count;
    }
    return true;
}

/* Opens what came before, or an empty part; without a checksum nothing would tell whether pieces
 * belong together. False, and settled, if that cannot be. */
static bool open_part(struct download *download)
{
    struct buffer path = {0};
    struct stat stat;
    bool is_published = download->checksum[0] != '\0';
    buffer_append_format(&path, "%s.%.*s.part", download->path, PART_DIGITS,
                         is_published ? download->checksum : "unpublished");
    free(download->part);
    download->part = memory_copy_string(buffer_text(&path));
    buffer_deinit(&path);
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (is_published ? 0 : O_TRUNC);
    download->part_file = open(download->part, flags, S_IRUSR | S_IWUSR);
    if (download->part_file < 0 || fstat(download->part_file, &stat) != 0) {
        int failure = errno;
        close_part(download);
        settle_disk_error(download, download->part, failure);
        return false;
    }
    download->part_size = (uint64_t)stat.st_size;
    download->was_continued = stat.st_size > 0;
    return true;
}

static void load(struct download *download)
{
    struct buffer range = {0};
    if (!open_part(download))
        return;
    buffer_append_format(&range, "Range: bytes=%llu-", (unsigned long long)download->part_size);
    const char *lines[] = {download->was_continued ? buffer_text(&range) : NULL, NULL};
    download->transfer = http_client_start(
        download->options.client,
        &(struct http_request){.method = "GET",
                               .url = download->url,
                               .header_lines = lines,
                               .silence_timeout_ms = download->options.silence_timeout_ms,
                               .answer_bytes_max = DOWNLOAD_BYTES_MAX,
                               .on_bytes = take_bytes,
                               .on_done = take_file,
                               .context = download});
    buffer_deinit(&range);
}

/* -- its start --------------------------------------------------------------------------------- */

struct download *download_start(const struct download_options *options)
{
    struct download *download = memory_allocate_zeroed(1, sizeof *download);
    struct buffer checksum_url = {0};
    buffer_append_format(&checksum_url, "%s.CHECKSUM", options->url);
    buffer_append_char(&checksum_url, '\0');
    download->options = *options;
    download->url = memory_copy_string(options->url);
    download->checksum_url = buffer_detach(&checksum_url);
    download->path = memory_copy_string(options->path);
    download->part_file = -1;
    check(slice_copy(slice_of(options->known_checksum), download->known_checksum,
                     sizeof download->known_checksum));
    backoff_init(&download->backoff, DOWNLOAD_WAIT_MIN_MS, DOWNLOAD_WAIT_MAX_MS,
                 random_seeded_by_system());
    check(uv_timer_init(options->loop, &download->timer) == 0);
    download->timer.data = download;
    folders_make(options->path, NULL); /* what fails shows when the file is opened */
    ask(download);
    return download;
}
