/*     periods -> items -> downloads, some at a time -> ready -+
 *                                                             |
 *                            database <- one batch at a time <-+
 *
 * A run ends when all of its items are done, so that memory and disk are the same for a day and for
 * ten years. Importing blocks, so a batch of what is ready is imported on a thread of libuv's pool;
 * until that is done, the loop does not touch the batch and what its files point to. */
#include "sources/archive/fetch_window.h"

#include "base/buffer.h"
#include "base/check.h"
#include "sources/archive/download.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum item_state { ITEM_WAITING, ITEM_LOADING, ITEM_READY, ITEM_IMPORTING, ITEM_DONE };

struct window_item {
    struct fetch_window *window;
    enum item_state state;
    char *archive_path, *path, *url;
    struct fetch_file file;
    struct download *download; /* while it is ITEM_LOADING */
    bool is_missing;
};

struct fetch_window {
    const struct fetch_options *options;
    const struct stop_token *stop;
    struct fetch_summary *summary;
    struct fetch_progress progress;
    uv_loop_t loop;
    uv_async_t wake;
    struct http_client *client;
    struct window_item items[FETCH_FILES_MAX];
    size_t item_count;
    int failures_in_a_row;
    uv_work_t work;
    struct fetch_batch batch;
    bool is_importing;
    struct error ended; /* why no other file is tried; STATUS_OK: they are */
};

/* -- telling ----------------------------------------------------------------------------------- */

static void report_progress(struct fetch_window *window)
{
    window->progress.bytes = window->summary->bytes;
    window->options->on_progress(&window->progress, window->options->context);
}

void fetch_window_expect(struct fetch_window *window, int64_t count)
{
    window->progress.files_total += count;
    report_progress(window);
}

static void tell(struct fetch_window *window, const char *message)
{
    if (message[0] != '\0')
        window->options->on_message(message, window->options->context);
}

/* The first reason counts. */
static void end(struct fetch_window *window, enum status status, const char *message)
{
    if (window->ended.status == STATUS_OK)
        error_set(&window->ended, status, "%s", message);
}

static bool has_ended(const struct fetch_window *window)
{
    return window->ended.status != STATUS_OK;
}

static void check_stop(struct fetch_window *window)
{
    enum status status = stop_token_check(window->stop, NULL);
    if (status != STATUS_OK)
        end(window, status, "interrupted; the same command continues where this one stopped");
}

static void on_wake(uv_async_t *wake)
{
    check_stop(wake->data);
}

void fetch_window_wake(struct fetch_window *window)
{
    uv_async_send(&window->wake);
}

static void finish(struct window_item *item)
{
    item->state = ITEM_DONE;
    item->window->progress.files_done++;
}

static void advance(struct fetch_window *window);

/* -- importing --------------------------------------------------------------------------------- */

static void import_batch(uv_work_t *work)
{
    struct fetch_window *window = work->data;
    fetch_store_import(&window->batch);
}

static void finish_import(struct window_item *item)
{
    struct fetch_window *window = item->window;
    if (item->file.is_stored) {
        window->summary->imported++;
        window->summary->replaced += item->file.known.checksum[0] != '\0';
        if (!window->options->keeps_files)
            unlink(item->path);
    } else if (window->batch.status == STATUS_OK) {
        window->summary->failed++; /* why is in the messages */
    }
    finish(item);
}

static void batch_done(uv_work_t *work, int status)
{
    struct fetch_window *window = work->data;
    struct fetch_batch *batch = &window->batch;
    check(status == 0);
    window->is_importing = false;
    for (size_t i = 0; i < IMPORT_KIND_COUNT; i++)
        import_summary_add(&window->summary->imports[i], &batch->summaries[i]);
    for (size_t at = 0; at < batch->messages.size; at += strlen(batch->messages.data + at) + 1)
        tell(window, batch->messages.data + at);
    check_stop(window);
    if (batch->status != STATUS_OK)
        end(window, batch->status, batch->error.message);
    for (size_t i = 0; i < window->item_count; i++)
        if (window->items[i].state == ITEM_IMPORTING)
            finish_import(&window->items[i]);
    buffer_deinit(&batch->messages);
    report_progress(window);
    advance(window);
}

/* Begins to import what is ready, unless an import is under way. */
static void import_ready(struct fetch_window *window)
{
    struct fetch_batch *batch = &window->batch;
    if (window->is_importing || has_ended(window))
        return;
    *batch = (struct fetch_batch){.store = window->options->store,
                                  .stop = window->stop,
                                  .symbol = batch->symbol,
                                  .kind = batch->kind};
    for (size_t i = 0; i < window->item_count; i++)
        if (window->items[i].state == ITEM_READY) {
            window->items[i].state = ITEM_IMPORTING;
            batch->files[batch->count++] = &window->items[i].file;
        }
    if (batch->count == 0)
        return;
    window->is_importing = true;
    window->work.data = window;
    check(uv_queue_work(&window->loop, &window->work, import_batch, batch_done) == 0);
}

/* -- downloading ------------------------------------------------------------------------------- */

static void take_bytes(size_t size, void *context)
{
    struct window_item *item = context;
    item->window->summary->bytes += size;
    report_progress(item->window);
}

static void note_failure(struct fetch_window *window, enum download_outcome outcome)
{
    window->summary->failed++;
    if (outcome != DOWNLOAD_FAILED || ++window->failures_in_a_row < FETCH_FAILURES_IN_A_ROW)
        return;
    end(window, STATUS_UNREACHABLE,
        "file after file cannot be had; the same command continues where this one stops");
}

static void take_settled(const struct download_result *result, void *context)
{
    struct window_item *item = context;
    struct fetch_window *window = item->window;
    item->download = NULL;
    window->progress.name = strrchr(item->path, '/') + 1;
    if (result->outcome != DOWNLOAD_FAILED)
        window->failures_in_a_row = 0;
    if (result->outcome == DOWNLOAD_IMPOSSIBLE)
        end(window, STATUS_UNREACHABLE, result->message);
    else
        tell(window, result->message);
    if (result->outcome == DOWNLOAD_READY) {
        memcpy(item->file.published, result->checksum, strlen(result->checksum) + 1);
        item->state = ITEM_READY;
    } else {
        finish(item);
    }
    item->is_missing = result->outcome == DOWNLOAD_MISSING;
    window->summary->unchanged += result->outcome == DOWNLOAD_UNCHANGED;
    if (result->outcome == DOWNLOAD_MISMATCH || result->outcome == DOWNLOAD_FAILED)
        note_failure(window, result->outcome);
    report_progress(window);
    advance(window);
}

static void start_download(struct window_item *item)
{
    struct fetch_window *window = item->window;
    item->state = ITEM_LOADING;
    item->download = download_start(&(struct download_options){
        .loop = &window->loop,
        .client = window->client,
        .url = item->url,
        .path = item->path,
        .known_checksum = item->file.known.checksum,
        .accepts_mismatch = window->options->accepts_mismatch,
        .tries_max = window->options->tries_max,
        .silence_timeout_ms = window->options->silence_timeout_ms,
        .on_bytes = take_bytes,
        .on_settled = take_settled,
        .context = item,
    });
}

/* Does what can be done next. */
static void advance(struct fetch_window *window)
{
    int loading = 0;
    for (size_t i = 0; i < window->item_count; i++)
        loading += window->items[i].state == ITEM_LOADING;
    for (size_t i = 0; i < window->item_count && !has_ended(window); i++)
        if (window->items[i].state == ITEM_WAITING && loading < window->options->files_at_a_time) {
            start_download(&window->items[i]);
            loading++;
        }
    import_ready(window);
}

/* -- a run ------------------------------------------------------------------------------------- */

static char *path_of(const char *before, enum fetch_kind kind, const char *symbol,
                     struct fetch_period period, bool is_encoded)
{
    struct buffer path = {0};
    buffer_append_text(&path, before);
    fetch_plan_append_path(&path, kind, symbol, period, is_encoded);
    buffer_append_char(&path, '\0');
    return buffer_detach(&path);
}

static void add_item(struct fetch_window *window, const char *symbol, enum fetch_kind kind,
                     struct fetch_period period)
{
    const struct fetch_options *options = window->options;
    struct buffer folder = {0}, base = {0};
    buffer_append_format(&folder, "%s/", options->folder);
    buffer_append_format(&base, "%s/", options->base_url);
    struct window_item *item = &window->items[window->item_count++];
    *item = (struct window_item){.window = window,
                                 .archive_path = path_of("", kind, symbol, period, false),
                                 .path = path_of(buffer_text(&folder), kind, symbol, period, false),
                                 .url = path_of(buffer_text(&base), kind, symbol, period, true)};
    item->file.archive_path = item->archive_path;
    item->file.path = item->path;
    buffer_deinit(&folder);
    buffer_deinit(&base);
}

static enum status look_up(struct fetch_window *window, struct error *error)
{
    struct fetch_file *files[FETCH_FILES_MAX];
    for (size_t i = 0; i < window->item_count; i++)
        files[i] = &window->items[i].file;
    return fetch_store_look_up(window->options->store, files, window->item_count, window->stop,
                               error);
}

static bool is_done(const struct fetch_window *window)
{
    for (size_t i = 0; i < window->item_count; i++)
        if (window->items[i].state != ITEM_DONE)
            return false;
    return true;
}

/* An import that has begun ends before the rest is given up. */
static void give_up(struct fetch_window *window)
{
    for (size_t i = 0; i < window->item_count; i++)
        if (window->items[i].download != NULL)
            download_cancel(window->items[i].download);
    while (window->is_importing)
        uv_run(&window->loop, UV_RUN_ONCE);
}

static void clear(struct fetch_window *window, bool *is_missing)
{
    for (size_t i = 0; i < window->item_count; i++) {
        struct window_item *item = &window->items[i];
        is_missing[i] = item->is_missing;
        free(item->archive_path);
        free(item->path);
        free(item->url);
    }
    window->item_count = 0;
    window->progress.name = "";
}

enum status fetch_window_knows(struct fetch_window *window, const char *symbol,
                               enum fetch_kind kind, struct fetch_period period, bool *knows,
                               struct error *error)
{
    check(window->item_count == 0);
    add_item(window, symbol, kind, period);
    enum status status = look_up(window, error);
    *knows = window->items[0].file.known.checksum[0] != '\0';
    clear(window, &(bool){false});
    return status;
}

enum status fetch_window_run(struct fetch_window *window, const char *symbol, enum fetch_kind kind,
                             const struct fetch_period *periods, size_t count, bool *is_missing,
                             struct error *error)
{
    check(count <= FETCH_FILES_MAX && window->item_count == 0);
    window->batch.symbol = symbol;
    window->batch.kind = kind == FETCH_KLINES ? STORE_CANDLES : STORE_INTEREST;
    for (size_t i = 0; i < count; i++)
        add_item(window, symbol, kind, periods[i]);
    enum status status = look_up(window, error);
    check_stop(window);
    if (status == STATUS_OK || has_ended(window)) {
        advance(window);
        while (!is_done(window) && !has_ended(window))
            uv_run(&window->loop, UV_RUN_ONCE);
        if (has_ended(window)) {
            give_up(window);
            status = error_set(error, window->ended.status, "%s", window->ended.message);
        }
    }
    clear(window, is_missing);
    return status;
}

/* -- its life ---------------------------------------------------------------------------------- */

struct fetch_window *fetch_window_create(const struct fetch_options *options,
                                         const struct stop_token *stop,
                                         struct fetch_summary *summary, struct error *error)
{
    struct fetch_window *window = memory_allocate_zeroed(1, sizeof *window);
    window->options = options;
    window->stop = stop;
    window->summary = summary;
    window->progress.name = "";
    check(uv_loop_init(&window->loop) == 0);
    check(uv_async_init(&window->loop, &window->wake, on_wake) == 0);
    window->wake.data = window;
    window->client =
        http_client_create(&window->loop,
                           &(struct http_client_options){.ca_file = options->ca_file,
                                                         .user_agent = options->user_agent},
                           error);
    if (window->client != NULL)
        return window;
    fetch_window_destroy(window);
    return NULL;
}

void fetch_window_destroy(struct fetch_window *window)
{
    if (window == NULL)
        return;
    http_client_destroy(window->client);
    uv_close((uv_handle_t *)&window->wake, NULL);
    uv_run(&window->loop, UV_RUN_DEFAULT); /* closes what was cancelled */
    check(uv_loop_close(&window->loop) == 0);
    free(window);
}
