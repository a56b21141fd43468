#include "ops/metrics.h"

#include "base/check.h"

#include <stdlib.h>

enum { COLLECTORS_MAX = 32 };

struct metrics {
    size_t count;
    struct {
        void (*collect)(struct buffer *out, void *context);
        void *context;
    } collectors[COLLECTORS_MAX];
};

struct metrics *metrics_create(void)
{
    return memory_allocate_zeroed(1, sizeof(struct metrics));
}

void metrics_destroy(struct metrics *metrics)
{
    free(metrics);
}

void metrics_register(struct metrics *metrics, void (*collect)(struct buffer *out, void *context),
                      void *context)
{
    check(metrics->count < COLLECTORS_MAX);
    metrics->collectors[metrics->count].collect = collect;
    metrics->collectors[metrics->count++].context = context;
}

void metrics_render(struct metrics *metrics, struct buffer *out)
{
    for (size_t i = 0; i < metrics->count; i++)
        metrics->collectors[i].collect(out, metrics->collectors[i].context);
}

void metrics_family(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void append_label_value(struct buffer *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            buffer_append_char(out, '\\');
        if (*value == '\n')
            buffer_append_text(out, "\\n");
        else
            buffer_append_char(out, *value);
    }
}

void metrics_sample(struct buffer *out, const char *name, double number)
{
    buffer_append_format(out, "%s %.17g\n", name, number);
}

void metrics_labelled(struct buffer *out, const char *name, const char *label, const char *value,
                      double number)
{
    buffer_append_format(out, "%s{%s=\"", name, label);
    append_label_value(out, value);
    buffer_append_format(out, "\"} %.17g\n", number);
}
