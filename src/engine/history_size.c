/* The size of a history is nearly all levels: so many in each snapshot, each a text of some sixty
 * bytes. Leading the book through the series costs a hundredth of writing it; what costs is each
 * snapshot. So the book is led through all candles, but few snapshots are taken, at equal
 * distances, and the levels of each stand for those of the snapshots before it.
 *
 * An estimate may be wrong by some per cent. A history that is found to fit and does not is ended
 * by the bound of its buffer; the refusal of one that does not fit names a bucket that does with
 * room to spare.
 *
 * That bucket is found in a second run: the levels of a fine bucket, joined, are those of a coarser
 * one, so each snapshot is counted in the next thirty buckets. Counting so often is what that run
 * costs, and so it takes fewer snapshots. */
#include "engine/history_size.h"

#include "base/decimal.h"
#include "model/bucket.h"

#include <stdio.h>

enum {
    SAMPLES = 32,        /* snapshots, of all that the history has */
    REFUSAL_SAMPLES = 8, /* where a fitting bucket is sought */
    CANDLES_PER_CHECK = 256,
    SNAPSHOT_BYTES = 120, /* without its levels */
    LEVEL_BYTES = 64,     /* usual */
    LEVEL_BYTES_MAX = 90,
    BUCKETS_TRIED = 30, /* ten decades */
};

/* Above any price. */
#define BUCKET_MAX_E8 (1000000000 * DECIMAL_ONE)

/* Levels of all snapshots together, in each of some buckets. The first bucket is the finest. */
struct level_counts {
    size_t count;
    int64_t buckets_e8[BUCKETS_TRIED];
    double levels[BUCKETS_TRIED];
};

/* How many levels there are after joining these to a coarser bucket. */
static size_t count_joined(const struct level_list *levels, int64_t bucket_e8)
{
    size_t count = 0;
    int64_t last = 0;
    for (size_t i = 0; i < levels->count; i++) {
        int64_t bucket = levels->levels[i].price_e8 / bucket_e8;
        count += i == 0 || bucket != last;
        last = bucket;
    }
    return count;
}

/* Counts the levels of one snapshot, which stands for `weight` of them. */
static void add_sample(struct level_counts *counts, const struct level_list *levels, double weight)
{
    counts->levels[0] += weight * (double)levels->count;
    for (size_t i = 1; i < counts->count; i++)
        counts->levels[i] += weight * (double)count_joined(levels, counts->buckets_e8[i]);
}

static enum status count_levels(const struct question *question, struct book *book,
                                size_t sample_count, struct level_counts *counts,
                                struct error *error)
{
    const size_t count = question_count_steps(question);
    const size_t stride = (count + sample_count - 1) / sample_count;
    struct question_walk walk = {.question = question, .book = book};
    struct level_list levels = {0};
    enum status status = STATUS_OK;
    book_reset(book);
    for (size_t i = 0; status == STATUS_OK && question_step(&walk); i++) {
        bool is_sample = (i + 1) % stride == 0 || i + 1 == count;
        if (is_sample) {
            book_snapshot(book, counts->buckets_e8[0], &levels);
            add_sample(counts, &levels, (double)(i % stride + 1));
        }
        if (is_sample || i % CANDLES_PER_CHECK == 0)
            status = question_check_progress(question, book, &levels, error);
    }
    level_list_deinit(&levels);
    return status;
}

static double bytes_of(const struct question *question, double levels, int bytes_per_level)
{
    return (double)question_count_steps(question) * SNAPSHOT_BYTES + levels * bytes_per_level;
}

/* Refuses a history of about so many bytes, and names the next bucket that fits. */
static enum status too_large(const struct question *question, struct book *book, int64_t bucket_e8,
                             double bytes, struct error *error)
{
    double bytes_max = (double)question->limits->answer_bytes_max;
    struct level_counts counts = {.count = 1, .buckets_e8 = {bucket_e8}};
    for (; counts.count < BUCKETS_TRIED && bucket_e8 < BUCKET_MAX_E8; counts.count++) {
        bucket_e8 = bucket_least(1.5 * (double)bucket_e8);
        counts.buckets_e8[counts.count] = bucket_e8;
    }
    enum status status = count_levels(question, book, REFUSAL_SAMPLES, &counts, error);
    if (status != STATUS_OK)
        return status;
    size_t fitting = 1;
    while (fitting < counts.count &&
           bytes_of(question, counts.levels[fitting], LEVEL_BYTES_MAX) > bytes_max)
        fitting++;
    char advice[64] = "ask for a shorter range", bucket[DECIMAL_SIZE_MAX + 1] = "";
    if (fitting < counts.count) {
        *decimal_write(bucket, counts.buckets_e8[fitting]) = '\0';
        snprintf(advice, sizeof advice, "bucket=%s fits", bucket);
    }
    error_set(error, STATUS_TOO_LARGE,
              "the answer would have about %.1f MB, of %.1f MB that it may have; %s", bytes / 1e6,
              bytes_max / 1e6, advice);
    if (fitting < counts.count)
        error_set_fit(error, "bucket", bucket);
    return STATUS_TOO_LARGE;
}

enum status history_size_check(const struct question *question, struct book *book,
                               int64_t bucket_e8, size_t *size, struct error *error)
{
    struct level_counts counts = {.count = 1, .buckets_e8 = {bucket_e8}};
    size_t size_max = question->limits->answer_bytes_max;
    enum status status = count_levels(question, book, SAMPLES, &counts, error);
    if (status != STATUS_OK)
        return status;
    double bytes = bytes_of(question, counts.levels[0], LEVEL_BYTES);
    if (size_max > 0 && bytes > (double)size_max)
        return too_large(question, book, bucket_e8, bytes, error);
    *size = (size_t)bytes;
    return STATUS_OK;
}
