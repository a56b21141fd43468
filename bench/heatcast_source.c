/* heatcast with a generator of its own for the benchmark: everything from publisher_publish() to
 * the socket is the server's, and each byte on standard input is one publication, as a tick that
 * found news would make it. The snapshots come from the model over a random walk, cut to the number
 * of levels that is asked for, and are made in advance.
 *
 *     heatcast_source --levels N [--print] [any setting of heatcast, --workers 2]
 *
 * --print writes one message instead, for other servers to send. With --db FILE the server answers
 * questions from that database as well, with the code of `heatcast serve`, and has its metrics. */
#include "base/check.h"
#include "base/list.h"
#include "base/streams.h"
#include "config/config.h"
#include "engine/settings.h"
#include "fail.h"
#include "model/publication.h"
#include "model/snapshot_text.h"
#include "net/page.h"
#include "net/server.h"
#include "serve/backend.h"
#include "serve/metrics.h"
#include "serve/server_internal.h"
#include "stream/publisher.h"
#include "walk.h"

#include <string.h>
#include <unistd.h>

enum { SNAPSHOTS = 64, CANDLES = 2016 };

const struct page_asset page_assets[] = {{NULL}};
const size_t page_asset_count = 0;

/* A snapshot as the generator publishes it, but for its number. */
struct prepared {
    struct snapshot snapshot;
    struct buffer data;
    uint64_t hash;
};

struct program {
    struct config config;
    struct config_origin origin;
    struct publisher *publisher;
    struct metrics *metrics;
    struct net_server *net;
    struct server parts; /* what answers questions, where there is a database */
    struct backend past;
    uint64_t seq;
    struct buffer text;
    struct prepared prepared[SNAPSHOTS];
};

static const uint64_t epoch = UINT64_C(1766932200123);

/* -- snapshots --------------------------------------------------------------------------------- */

/* Leaves the `count` levels in the middle, which are those around the price. */
static void cut_levels(struct level_list *levels, size_t count)
{
    if (levels->count < count)
        fail("the walk has not that many levels", NULL);
    size_t first = (levels->count - count) / 2;
    memmove(levels->levels, levels->levels + first, count * sizeof *levels->levels);
    levels->count = count;
}

static void prepare(struct program *program, size_t levels)
{
    struct series series = {0};
    const struct model_settings settings = settings_of_model(&program->config);
    struct book *book = book_create(model_of(program->config.heatmap_model), &settings);
    walk_make(&series, WALK_RISING, CANDLES + SNAPSHOTS);
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        struct prepared *prepared = &program->prepared[i];
        const struct series window = {
            .count = CANDLES,
            .candles = series.candles + i,
            .deltas = series.deltas + i,
            .contracts = series.contracts + i,
        };
        check(snapshot_compute(&prepared->snapshot, book, program->config.symbols.names[0], &window,
                               0, NULL) == STATUS_OK);
        cut_levels(&prepared->snapshot.levels, levels);
        snapshot_text_append_data(&prepared->data, &prepared->snapshot);
        prepared->hash = publication_hash(prepared->snapshot.timestamp_ms, prepared->data.data,
                                          prepared->data.size);
    }
    book_destroy(book);
    series_deinit(&series);
}

static void publish(struct program *program)
{
    const struct prepared *prepared = &program->prepared[program->seq % SNAPSHOTS];
    struct frame *frame;
    buffer_clear(&program->text);
    snapshot_text_append_message(&program->text, &prepared->snapshot,
                                 &(struct snapshot_envelope){.epoch = epoch, .seq = ++program->seq},
                                 prepared->data.data, prepared->data.size);
    publisher_publish(program->publisher,
                      &(struct publication){.timestamp_ms = prepared->snapshot.timestamp_ms,
                                            .epoch = epoch,
                                            .seq = program->seq,
                                            .hash = prepared->hash,
                                            .text = program->text.data,
                                            .text_size = program->text.size},
                      1, &frame);
    frame_release(frame);
}

static void print_message(const struct program *program)
{
    const struct prepared *prepared = &program->prepared[0];
    struct buffer out = {0};
    snapshot_text_append_message(&out, &prepared->snapshot,
                                 &(struct snapshot_envelope){.epoch = epoch, .seq = 1},
                                 prepared->data.data, prepared->data.size);
    fwrite(out.data, 1, out.size, stdout);
    buffer_deinit(&out);
}

/* -- the server -------------------------------------------------------------------------------- */

static void on_wanted(size_t symbol_index, void *context)
{
    const struct program *program = context;
    publisher_checked(program->publisher, symbol_index, STATUS_NO_DATA);
}

static enum status refuse(void *context, const struct backend_request *request,
                          struct buffer *canonical, struct error *error)
{
    (void)context, (void)request, (void)canonical;
    return error_set(error, STATUS_NO_DATA, "this server has no database");
}

static const struct backend no_backend = {.canonicalize = refuse};

/* Readiness is that of the database: there is no generator that could have failed. */
static enum status answer(void *context, const struct backend_request *request,
                          const struct question_control *control, struct buffer *out,
                          struct error *error)
{
    struct program *program = list_entry(context, struct program, parts);
    if (request->kind != QUESTION_READY)
        return program->past.answer(context, request, control, out, error);
    struct store_session *session = NULL;
    enum status status = store_begin(program->parts.store, &session, error);
    store_end(session);
    buffer_append_text(out, status == STATUS_OK ? "{\"status\":\"ready\"}" : "{}");
    return status;
}

static void open_database(struct program *program)
{
    struct error error;
    const struct config *config = &program->config;
    struct server *parts = &program->parts;
    parts->config = config;
    parts->publisher = program->publisher;
    parts->metrics = program->metrics;
    if (store_open(config->duckdb_path, STORE_SHARED, &parts->store, &error) != STATUS_OK)
        fail("the database cannot be opened", error.message);
    const struct model_settings settings = settings_of_model(config);
    parts->history = history_create(&(struct history_options){
        .store = parts->store,
        .model = model_of(config->heatmap_model),
        .buckets = &config->heatmap_buckets,
        .settings = &settings,
    });
    serve_metrics_init(parts);
    program->past = backend_of(parts);
    parts->backend = program->past;
    parts->backend.answer = answer;
}

static void start_server(struct program *program)
{
    struct error error;
    program->publisher = publisher_create(&program->config.symbols, on_wanted, program);
    program->metrics = metrics_create();
    bool has_database = config_is_given(&program->origin, "DUCKDB_PATH");
    if (has_database)
        open_database(program);
    const struct backend *backend = has_database ? &program->parts.backend : &no_backend;
    if (net_server_create(&program->config, program->publisher, backend, program->metrics,
                          &program->net, &error) != STATUS_OK)
        fail("the server cannot start", error.message);
    net_server_start(program->net);
    printf("listening %d\n", net_server_port(program->net));
    fflush(stdout);
}

static void stop_server(struct program *program)
{
    net_server_begin_stop(program->net);
    net_server_join(program->net);
    net_server_destroy(program->net);
    publisher_destroy(program->publisher);
    metrics_destroy(program->metrics);
    history_destroy(program->parts.history);
    store_close(program->parts.store);
}

static void set(struct program *program, const char *flag, const char *value)
{
    struct error error;
    if (config_set_flag(&program->config, &program->origin, flag, value, &error) != STATUS_OK)
        fail("usage", error.message);
}

static const char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

int main(int argc, char **argv)
{
    streams_open_standard();
    static struct program program;
    size_t levels = 0;
    bool prints = false;
    check(config_load(&program.config, &program.origin, no_environment, NULL) == STATUS_OK);
    set(&program, "listen", "127.0.0.1:0");
    set(&program, "workers", "1");
    set(&program, "log-level", "error");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--print") == 0)
            prints = true;
        else if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc)
            fail("usage", "heatcast_source --levels N [--print] [--SETTING VALUE]");
        else if (strcmp(argv[i], "--levels") == 0)
            levels = strtoul(argv[++i], NULL, 10);
        else {
            set(&program, argv[i] + 2, argv[i + 1]);
            i++;
        }
    }
    prepare(&program, levels);
    if (prints) {
        print_message(&program);
    } else {
        start_server(&program);
        char bytes[64];
        for (ssize_t count; (count = read(STDIN_FILENO, bytes, sizeof bytes)) > 0;)
            for (ssize_t i = 0; i < count; i++)
                publish(&program);
        stop_server(&program);
    }
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        snapshot_deinit(&program.prepared[i].snapshot);
        buffer_deinit(&program.prepared[i].data);
    }
    buffer_deinit(&program.text);
    config_origin_deinit(&program.origin);
    return 0;
}
