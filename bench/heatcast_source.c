/* heatcast with a generator of its own for the benchmark: everything from publisher_publish() to
 * the socket is the server's, and each byte on standard input is one publication, as a tick that
 * found news would make it. The snapshots come from the model over a random walk, cut to the number
 * of levels that is asked for, and are made in advance.
 *
 *     heatcast_source --levels N [--print] [any setting of heatcast, --workers 2]
 *
 * --print writes one message instead, for other servers to send. */
#include "base/check.h"
#include "base/streams.h"
#include "config/config.h"
#include "fail.h"
#include "model/publication.h"
#include "model/snapshot_text.h"
#include "net/page.h"
#include "net/server.h"
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

struct source {
    struct config config;
    struct config_origin origin;
    struct publisher *publisher;
    struct metrics *metrics;
    struct net_server *net;
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

static void prepare(struct source *source, size_t levels)
{
    struct series series = {0};
    struct book *book = book_create(model_default(), &source->config.heatmap_weights);
    walk_make(&series, WALK_RISING, CANDLES + SNAPSHOTS);
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        struct prepared *prepared = &source->prepared[i];
        const struct series window = {
            .count = CANDLES, .candles = series.candles + i, .deltas = series.deltas + i};
        check(snapshot_compute(&prepared->snapshot, book, source->config.symbols.names[0], &window,
                               0, NULL) == STATUS_OK);
        cut_levels(&prepared->snapshot.levels, levels);
        snapshot_text_append_data(&prepared->data, &prepared->snapshot);
        prepared->hash = publication_hash(prepared->snapshot.timestamp_ms, prepared->data.data,
                                          prepared->data.size);
    }
    book_destroy(book);
    series_deinit(&series);
}

static void publish(struct source *source)
{
    const struct prepared *prepared = &source->prepared[source->seq % SNAPSHOTS];
    struct frame *frame;
    buffer_clear(&source->text);
    snapshot_text_append_message(&source->text, &prepared->snapshot, epoch, ++source->seq,
                                 prepared->data.data, prepared->data.size);
    publisher_publish(source->publisher,
                      &(struct publication){.timestamp_ms = prepared->snapshot.timestamp_ms,
                                            .epoch = epoch,
                                            .seq = source->seq,
                                            .hash = prepared->hash,
                                            .text = source->text.data,
                                            .text_size = source->text.size},
                      1, &frame);
    frame_release(frame);
}

static void print_message(const struct source *source)
{
    const struct prepared *prepared = &source->prepared[0];
    struct buffer out = {0};
    snapshot_text_append_message(&out, &prepared->snapshot, epoch, 1, prepared->data.data,
                                 prepared->data.size);
    fwrite(out.data, 1, out.size, stdout);
    buffer_deinit(&out);
}

/* -- the server -------------------------------------------------------------------------------- */

static void on_wanted(size_t symbol_index, void *context)
{
    const struct source *source = context;
    publisher_checked(source->publisher, symbol_index, STATUS_NO_DATA);
}

static enum status canonicalize(void *context, const struct backend_request *request,
                                struct buffer *canonical, struct error *error)
{
    (void)context, (void)request, (void)canonical;
    return error_set(error, STATUS_NO_DATA, "this server has no database");
}

static const struct backend backend = {.canonicalize = canonicalize};

static void start_server(struct source *source)
{
    struct error error;
    source->publisher = publisher_create(&source->config.symbols, on_wanted, source);
    source->metrics = metrics_create();
    if (net_server_create(&source->config, source->publisher, &backend, source->metrics,
                          &source->net, &error) != STATUS_OK)
        fail("the server cannot start", error.message);
    net_server_start(source->net);
    printf("listening %d\n", net_server_port(source->net));
    fflush(stdout);
}

static void stop_server(struct source *source)
{
    net_server_begin_stop(source->net);
    net_server_join(source->net);
    net_server_destroy(source->net);
    publisher_destroy(source->publisher);
    metrics_destroy(source->metrics);
}

static void set(struct source *source, const char *flag, const char *value)
{
    struct error error;
    if (config_set_flag(&source->config, &source->origin, flag, value, &error) != STATUS_OK)
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
    static struct source source;
    size_t levels = 0;
    bool prints = false;
    check(config_load(&source.config, &source.origin, no_environment, NULL) == STATUS_OK);
    set(&source, "listen", "127.0.0.1:0");
    set(&source, "workers", "1");
    set(&source, "log-level", "error");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--print") == 0)
            prints = true;
        else if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc)
            fail("usage", "heatcast_source --levels N [--print] [--SETTING VALUE]");
        else if (strcmp(argv[i], "--levels") == 0)
            levels = strtoul(argv[++i], NULL, 10);
        else {
            set(&source, argv[i] + 2, argv[i + 1]);
            i++;
        }
    }
    prepare(&source, levels);
    if (prints) {
        print_message(&source);
    } else {
        start_server(&source);
        char bytes[64];
        for (ssize_t count; (count = read(STDIN_FILENO, bytes, sizeof bytes)) > 0;)
            for (ssize_t i = 0; i < count; i++)
                publish(&source);
        stop_server(&source);
    }
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        snapshot_deinit(&source.prepared[i].snapshot);
        buffer_deinit(&source.prepared[i].data);
    }
    buffer_deinit(&source.text);
    config_origin_deinit(&source.origin);
    return 0;
}
