/* Written by hand rather than with a client library: a Prometheus page is lines of text, the
 * numbers in it are kept by the modules that they describe, and a registry of a library's own
 * objects would only copy them. So a module registers a function, and the page calls all of them
 * in the order of registration; a family's samples follow each other, as the format wants, because
 * one function writes them. */
#include "ops/metrics.h"

#include "base/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
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

/* The shortest digits that are this number. */
static void append_number(struct buffer *out, double number)
{
    char text[40];
    if (isnan(number)) {
        buffer_append_text(out, "NaN");
        return;
    }
    check(isfinite(number));
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    buffer_append_text(out, text);
}

void metrics_sample(struct buffer *out, const char *name, double number)
{
    buffer_append_format(out, "%s ", name);
    append_number(out, number);
    buffer_append_char(out, '\n');
}

/* `name{label="value"`; the caller writes the rest. */
static void begin_labels(struct buffer *out, const char *name, const char *label, const char *value)
{
    buffer_append_format(out, "%s{%s=\"", name, label);
    append_label_value(out, value);
    buffer_append_char(out, '"');
}

void metrics_labelled(struct buffer *out, const char *name, const char *label, const char *value,
                      double number)
{
    begin_labels(out, name, label, value);
    buffer_append_text(out, "} ");
    append_number(out, number);
    buffer_append_char(out, '\n');
}

void metrics_histogram(struct buffer *out, const char *name,
                       const struct histogram_reading *reading)
{
    uint64_t count = 0;
    for (size_t i = 0; i < reading->bound_count; i++) {
        count += reading->counts[i];
        buffer_append_format(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
                             (double)reading->bounds_ns[i] / 1e9, count);
    }
    count += reading->counts[reading->bound_count];
    buffer_append_format(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", name, count, name);
    append_number(out, (double)reading->sum_ns / 1e9);
    buffer_append_format(out, "\n%s_count %" PRIu64 "\n", name, count);
}

void metrics_summary(struct buffer *out, const char *name, const char *label, const char *value,
                     const struct summary_reading *reading)
{
    for (size_t i = 0; i < SUMMARY_QUANTILES; i++) {
        begin_labels(out, name, label, value);
        buffer_append_format(out, ",quantile=\"%g\"} ", summary_quantiles[i]);
        append_number(out, reading->values[i]);
        buffer_append_char(out, '\n');
    }
    char part[80];
    snprintf(part, sizeof part, "%s_sum", name);
    metrics_labelled(out, part, label, value, (double)reading->sum_ns / 1e9);
    snprintf(part, sizeof part, "%s_count", name);
    metrics_labelled(out, part, label, value, (double)reading->count);
}
