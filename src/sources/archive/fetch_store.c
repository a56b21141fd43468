/* A server or a query has the database for moments, and it is asked for again until they are over.
 * What was stored before the wait is not stored again. */
#include "sources/archive/fetch_store.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"

#include <string.h>
#include <unistd.h>

enum { LOCK_POLL_US = 50000 };

/* Whether it makes sense to try again, after a moment's wait. */
static bool has_patience(enum status status, uint64_t start_ns, const struct stop_token *stop)
{
    if (status != STATUS_BUSY || stop_token_check(stop, NULL) != STATUS_OK ||
        clock_monotonic_ns() - start_ns > FETCH_LOCK_WAIT_MS * UINT64_C(1000000))
        return false;
    usleep(LOCK_POLL_US);
    return true;
}

static enum status look_up(struct store *store, struct fetch_file *const *files, size_t count,
                           struct error *error)
{
    struct store_session *session = NULL;
    enum status status = store_begin(store, &session, error);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = store_archive_file(session, files[i]->archive_path, &files[i]->known, error);
    store_end(session);
    return status;
}

enum status fetch_store_look_up(struct store *store, struct fetch_file *const *files, size_t count,
                                const struct stop_token *stop, struct error *error)
{
    uint64_t start_ns = clock_monotonic_ns();
    enum status status;
    do
        status = look_up(store, files, count, error);
    while (has_patience(status, start_ns, stop));
    return status;
}

static bool is_known(const struct fetch_file *file)
{
    return file->known.checksum[0] != '\0';
}

static enum status note_file(struct store_session *session, const struct import_stored *stored,
                             void *context, struct error *error)
{
    struct fetch_batch *batch = context;
    size_t i = 0;
    while (i < batch->count && strcmp(batch->files[i]->path, stored->path) != 0)
        i++;
    check(i < batch->count);
    struct fetch_file *file = batch->files[i];
    struct store_archive_file now = {.first_ms = stored->first_ms, .last_ms = stored->last_ms};
    strcpy(now.checksum, file->published);
    if (is_known(file) && file->known.first_ms != STORE_NONE)
        store_write_replaced(session, batch->kind, batch->symbol, file->known.first_ms,
                             file->known.last_ms);
    enum status status =
        store_write_archive_file(session, file->archive_path, batch->symbol, &now, error);
    file->is_stored = status == STATUS_OK;
    return status;
}

static void keep_message(const char *message, void *context)
{
    struct fetch_batch *batch = context;
    buffer_append(&batch->messages, message, strlen(message) + 1);
}

/* Those that were there before (`replaces`), or the others. That a file cannot be used is no
 * failure here: it is not stored then. */
static enum status import_some(struct fetch_batch *batch, bool replaces)
{
    struct import_summary summaries[IMPORT_KIND_COUNT] = {0};
    const char *paths[FETCH_FILES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct fetch_file *file = batch->files[i];
        if (!file->is_stored && is_known(file) == replaces)
            paths[count++] = file->path;
    }
    if (count == 0)
        return STATUS_OK;
    enum status status = import_run(&(struct import_options){.store = batch->store,
                                                             .stop = batch->stop,
                                                             .symbol = batch->symbol,
                                                             .replaces = replaces,
                                                             .on_commit = note_file,
                                                             .on_problem = keep_message,
                                                             .on_assumed = keep_message,
                                                             .context = batch},
                                    paths, count, summaries, &batch->error);
    for (size_t i = 0; i < IMPORT_KIND_COUNT; i++)
        import_summary_add(&batch->summaries[i], &summaries[i]);
    if (status == STATUS_OK || status == STATUS_INVALID)
        return STATUS_OK;
    if (status == STATUS_CANCELLED)
        return status;
    /* Of the last transaction, which files may share, nothing is stored. */
    for (size_t i = 0; i < batch->count; i++)
        if (is_known(batch->files[i]) == replaces)
            batch->files[i]->is_stored = false;
    return status;
}

void fetch_store_import(struct fetch_batch *batch)
{
    uint64_t start_ns = clock_monotonic_ns();
    do {
        batch->status = import_some(batch, false);
        if (batch->status == STATUS_OK)
            batch->status = import_some(batch, true);
    } while (has_patience(batch->status, start_ns, batch->stop));
}
