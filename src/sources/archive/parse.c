/* Parsing takes a third of an import, and storing the rest; DuckDB stores with one thread. So the
 * files that come next are parsed meanwhile:
 *
 *     walk.files[ 0 1 2 3 4 5 6 7 ... ]
 *                   |   `-- threads, each with the next file that none has begun
 *                   `------ the taker: the first file of which not all was taken
 *
 * Each file that was begun has a queue. A thread waits when its file's queue is full, and before it
 * begins a file that is too far ahead of the taker; the taker waits when the queue of its file is
 * empty. The file that the taker waits for has always been begun, by a thread that waits for
 * nothing but the taker, so they never wait for each other.
 *
 * One mutex guards the queues: it is taken a few times for each thousand of rows. */
#include "sources/archive/parse.h"

#include "base/buffer.h"
#include "base/check.h"
#include "sources/archive/reader.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    AHEAD_MAX = 16, /* files that are begun and not taken yet */
    QUEUE_MAX = 16, /* items of one of them */
    THREADS_MAX = 16,
};

struct queue {
    struct list items;
    size_t count;
};

struct archive_parse {
    struct archive_parse_options options;
    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t changed;
    struct queue queues[AHEAD_MAX]; /* of the file i: i % AHEAD_MAX */
    size_t begun_count;             /* files that a thread has begun */
    size_t taken_count;             /* files of which all was taken */
    bool is_stopping;
    size_t thread_count;
    pthread_t threads[THREADS_MAX];
};

/* A file in a thread's hands. */
struct job {
    struct archive_parse *parse;
    size_t index;
    const struct archive_file *file;
    struct archive_problems problems;
    struct archive_input *input;
    struct archive_reader reader; /* of the table that is being read */
    struct archive_item *block;   /* rows that are not in the queue yet; or NULL */
    size_t table_count, unusable_count;
    bool is_broken;
};

/* -- items ------------------------------------------------------------------------------------- */

void archive_item_free(struct archive_item *item)
{
    if (item->kind == ARCHIVE_TABLE_BEGIN)
        free(item->table.path);
    if (item->kind == ARCHIVE_REPORT) {
        free(item->report.text);
        free(item->report.reason);
    }
    if (item->kind == ARCHIVE_ROWS) {
        free(item->rows.klines);
        free(item->rows.interest);
        free(item->rows.liquidations);
    }
    free(item);
}

static struct archive_item *make_item(const struct job *job, enum archive_item_kind kind)
{
    struct archive_item *item = memory_allocate_zeroed(1, sizeof *item);
    list_init(&item->link);
    item->kind = kind;
    item->bytes_read = job->input != NULL ? archive_input_bytes_read(job->input) : 0;
    return item;
}

/* Puts an item into the file's queue. False, and it is freed: the threads are to end. */
static bool push(const struct job *job, struct archive_item *item)
{
    struct archive_parse *parse = job->parse;
    struct queue *queue = &parse->queues[job->index % AHEAD_MAX];
    pthread_mutex_lock(&parse->mutex);
    while (queue->count >= QUEUE_MAX && !parse->is_stopping)
        pthread_cond_wait(&parse->changed, &parse->mutex);
    bool is_stopping = parse->is_stopping;
    if (!is_stopping) {
        list_push_back(&queue->items, &item->link);
        queue->count++;
        pthread_cond_broadcast(&parse->changed);
    }
    pthread_mutex_unlock(&parse->mutex);
    if (is_stopping)
        archive_item_free(item);
    return !is_stopping;
}

/* -- rows and reports -------------------------------------------------------------------------- */

static enum status flush(struct job *job, struct error *error)
{
    struct archive_item *block = job->block;
    job->block = NULL;
    if (block == NULL || push(job, block))
        return STATUS_OK;
    return error_set(error, STATUS_CANCELLED, "the import has ended");
}

static void on_report(enum archive_report report, const char *text, const char *reason,
                      void *context)
{
    struct job *job = context;
    struct archive_item *item = make_item(job, ARCHIVE_REPORT);
    item->report.report = report;
    item->report.text = memory_copy_string(text);
    item->report.reason = reason != NULL ? memory_copy_string(reason) : NULL;
    job->unusable_count += report == ARCHIVE_UNUSABLE;
    push(job, item);
}

/* The block that takes the next row. */
static struct archive_item *block_of(struct job *job, enum import_kind kind)
{
    if (job->block == NULL) {
        job->block = make_item(job, ARCHIVE_ROWS);
        job->block->rows.kind = kind;
        if (kind == IMPORT_KLINES)
            job->block->rows.klines =
                memory_allocate(ARCHIVE_BLOCK_ROWS * sizeof *job->block->rows.klines);
        else if (kind == IMPORT_LIQUIDATIONS)
            job->block->rows.liquidations =
                memory_allocate(ARCHIVE_BLOCK_ROWS * sizeof *job->block->rows.liquidations);
        else
            job->block->rows.interest =
                memory_allocate(ARCHIVE_BLOCK_ROWS * sizeof *job->block->rows.interest);
    }
    return job->block;
}

static enum status take_kline(const struct kline_row *row, void *context, struct error *error)
{
    struct job *job = context;
    struct archive_item *block = block_of(job, IMPORT_KLINES);
    struct kline_row *to = &block->rows.klines[block->rows.count++];
    *to = *row;
    to->origin = job->reader.lines.number;
    return block->rows.count == ARCHIVE_BLOCK_ROWS ? flush(job, error) : STATUS_OK;
}

static enum status take_interest(const struct interest_row *row, void *context, struct error *error)
{
    struct job *job = context;
    struct archive_item *block = block_of(job, IMPORT_INTEREST);
    struct interest_row *to = &block->rows.interest[block->rows.count++];
    *to = *row;
    to->origin = job->reader.lines.number;
    return block->rows.count == ARCHIVE_BLOCK_ROWS ? flush(job, error) : STATUS_OK;
}

static enum status take_liquidation(const struct liquidation_row *row, void *context,
                                    struct error *error)
{
    struct job *job = context;
    struct archive_item *block = block_of(job, IMPORT_LIQUIDATIONS);
    block->rows.liquidations[block->rows.count++] = *row;
    return block->rows.count == ARCHIVE_BLOCK_ROWS ? flush(job, error) : STATUS_OK;
}

/* -- tables ------------------------------------------------------------------------------------ */

/* What the reader's end means for the table and its file. */
static void end_table(struct job *job, enum status status)
{
    const struct archive_reader *reader = &job->reader;
    struct archive_item *item = make_item(job, ARCHIVE_TABLE_END);
    bool has_only_bad_rows = reader->rows_bad > 0 && reader->rows_bad == reader->rows_read;
    item->table_end.kind = reader->kind;
    item->table_end.rows_read = reader->rows_read;
    item->table_end.rows_bad = reader->rows_bad;
    if (status == STATUS_INVALID) {
        archive_unusable(&job->problems, "%s: nothing of it was imported (--strict)",
                         job->file->path);
        job->is_broken = true;
    } else if (status == STATUS_OK && reader->rows_read == 0) {
        archive_unusable(&job->problems, "%s: holds no row", reader->path);
    } else if (status == STATUS_OK && has_only_bad_rows) {
        job->unusable_count++; /* each row has been named */
    } else {
        item->table_end.is_usable = status == STATUS_OK;
    }
    job->is_broken = job->is_broken || reader->is_broken;
    push(job, item);
}

/* Reads the file, or its member that the input is at. */
static void read_table(struct job *job, const char *path, const char *archive)
{
    const struct archive_sink sink = {take_kline, take_interest, take_liquidation, job};
    const struct archive_parse_options *options = &job->parse->options;
    struct archive_item *begin = make_item(job, ARCHIVE_TABLE_BEGIN);
    struct error error;
    job->reader = (struct archive_reader){
        .path = path,
        .archive = archive,
        .symbol = options->walk->symbol,
        .time_max_ms = options->time_max_ms,
        .is_strict = options->is_strict,
        .problems = &job->problems,
        .sink = &sink,
        .lines.input = job->input,
    };
    begin->table.path = memory_copy_string(path);
    begin->table.market = archive_walk_name(options->walk, path).market;
    job->table_count++;
    if (!push(job, begin))
        return;
    enum status status = archive_reader_run(&job->reader, &error);
    if (status != STATUS_CANCELLED && flush(job, &error) == STATUS_OK)
        end_table(job, status);
}

/* In an archive, as in a folder, what is not wanted is passed over. */
static bool is_wanted_member(struct job *job, const char *path, const char *member)
{
    char reason[ARCHIVE_REASON_SIZE] = ARCHIVE_NO_NAME;
    struct archive_name name = archive_walk_name(job->parse->options.walk, path);
    if (archive_name_is_companion(member))
        return false;
    if (archive_name_may_be_table(member) &&
        archive_name_is_wanted(&name, job->parse->options.walk->market, reason))
        return true;
    archive_pass_over(&job->problems, path, reason);
    return false;
}

static void read_member(struct job *job)
{
    const char *member = archive_input_member(job->input);
    if (member == NULL) {
        read_table(job, job->file->path, NULL);
        return;
    }
    struct buffer path = {0};
    buffer_append_format(&path, "%s/%s", job->file->path, member);
    if (is_wanted_member(job, buffer_text(&path), member))
        read_table(job, buffer_text(&path), job->file->path);
    buffer_deinit(&path);
}

/* -- files ------------------------------------------------------------------------------------- */

/* Reads all that the file holds. */
static void read_content(struct job *job)
{
    struct error error;
    enum status status = STATUS_OK;
    while (!job->is_broken && (status = archive_input_next(job->input, &error)) == STATUS_OK)
        read_member(job);
    if (job->is_broken)
        return;
    if (status != STATUS_NO_DATA) {
        archive_unusable(&job->problems, "%s: %s", job->file->path, error.message);
        job->is_broken = true;
    } else if (job->table_count == 0) {
        archive_unusable(&job->problems, "%s: nothing in this archive can be imported",
                         job->file->path);
    }
    if (job->unusable_count > 0 && job->parse->options.is_strict)
        job->is_broken = true;
}

static void read_file(struct job *job)
{
    char reason[ARCHIVE_REASON_SIZE];
    struct error error;
    const char *path = job->file->path;
    const struct archive_name name = archive_walk_name(job->parse->options.walk, path);
    if (!archive_name_is_wanted(&name, job->parse->options.walk->market, reason))
        archive_unusable(&job->problems, "%s: these are %s", path, reason);
    else if (archive_input_open(path, &job->input, &error) != STATUS_OK)
        archive_unusable(&job->problems, "%s: %s", path, error.message);
    else
        read_content(job);
    struct archive_item *end = make_item(job, ARCHIVE_FILE_END);
    end->bytes_read = job->file->size_bytes;
    end->is_broken = job->is_broken;
    push(job, end);
    archive_input_close(job->input);
    if (job->block != NULL)
        archive_item_free(job->block);
}

/* The next file that is not begun. False: there is none any more. */
static bool begin_file(struct archive_parse *parse, size_t *index)
{
    pthread_mutex_lock(&parse->mutex);
    size_t count = parse->options.walk->file_count;
    while (parse->begun_count < count && parse->begun_count >= parse->taken_count + AHEAD_MAX &&
           !parse->is_stopping)
        pthread_cond_wait(&parse->changed, &parse->mutex);
    bool has_next = parse->begun_count < count && !parse->is_stopping;
    if (has_next)
        *index = parse->begun_count++;
    pthread_mutex_unlock(&parse->mutex);
    return has_next;
}

static void *run_thread(void *context)
{
    struct archive_parse *parse = context;
    struct job *job = memory_allocate_zeroed(1, sizeof *job); /* large */
    size_t index;
    while (begin_file(parse, &index)) {
        *job = (struct job){
            .parse = parse,
            .index = index,
            .file = &parse->options.walk->files[index],
            .problems = {.on_report = on_report, .context = job},
        };
        read_file(job);
    }
    free(job);
    return NULL;
}

/* -- from outside ------------------------------------------------------------------------------ */

struct archive_parse *archive_parse_start(const struct archive_parse_options *options)
{
    struct archive_parse *parse = memory_allocate_zeroed(1, sizeof *parse);
    parse->options = *options;
    check(pthread_mutex_init(&parse->mutex, NULL) == 0);
    check(pthread_cond_init(&parse->changed, NULL) == 0);
    for (size_t i = 0; i < AHEAD_MAX; i++)
        list_init(&parse->queues[i].items);
    size_t count = options->thread_count < THREADS_MAX ? options->thread_count : THREADS_MAX;
    if (count > options->walk->file_count)
        count = options->walk->file_count;
    for (; parse->thread_count < count; parse->thread_count++)
        check(pthread_create(&parse->threads[parse->thread_count], NULL, run_thread, parse) == 0);
    return parse;
}

struct archive_item *archive_parse_next(struct archive_parse *parse)
{
    pthread_mutex_lock(&parse->mutex);
    check(parse->taken_count < parse->options.walk->file_count);
    struct queue *queue = &parse->queues[parse->taken_count % AHEAD_MAX];
    while (queue->count == 0)
        pthread_cond_wait(&parse->changed, &parse->mutex);
    struct archive_item *item = list_entry(queue->items.next, struct archive_item, link);
    list_remove(&item->link);
    queue->count--;
    parse->taken_count += item->kind == ARCHIVE_FILE_END;
    pthread_cond_broadcast(&parse->changed);
    pthread_mutex_unlock(&parse->mutex);
    return item;
}

void archive_parse_stop(struct archive_parse *parse)
{
    pthread_mutex_lock(&parse->mutex);
    parse->is_stopping = true;
    pthread_cond_broadcast(&parse->changed);
    pthread_mutex_unlock(&parse->mutex);
    for (size_t i = 0; i < parse->thread_count; i++)
        pthread_join(parse->threads[i], NULL);
    for (size_t i = 0; i < AHEAD_MAX; i++)
        list_for_each_safe(link, following, &parse->queues[i].items)
            archive_item_free(list_entry(link, struct archive_item, link));
    pthread_cond_destroy(&parse->changed);
    pthread_mutex_destroy(&parse->mutex);
    free(parse);
}
