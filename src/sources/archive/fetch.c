/* For each symbol first the candles, then the open interest, which is understood with the candles
 * of its days. A month of candles that is not there as one file (the last one appears some days
 * after its end) is asked for by days; days of a month that came as one file are not, but whether
 * that file is still the same.
 *
 * The folder holds what is under way, and what a run that was broken off had left. A lock on a file
 * in it keeps a second run away, which would write to the same files. */
#include "sources/archive/fetch.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/folders.h"
#include "sources/archive/fetch_window.h"
#include "sources/archive/missing_days.h"
#include "sources/archive/one_shot.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDERS_OPEN_MAX = 8 };

struct fetch {
    struct one_shot base;
    int lock; /* a descriptor */
    const struct fetch_options *options;
    struct fetch_summary *summary;
    struct fetch_window *window;
    const char *symbol;
    struct missing_days missing[FETCH_KIND_COUNT];
    int64_t found; /* files of the symbol that the archive has */
};

/* -- what is missing --------------------------------------------------------------------------- */

/* Of the days that are over for less than a day there may be no file yet. */
static bool is_recent(int64_t day)
{
    return day >= clock_wall_ms() / DAY_MS - 1;
}

static void tell_missing(struct fetch *fetch, enum fetch_kind kind)
{
    const struct missing_days *missing = &fetch->missing[kind];
    struct buffer text = {0};
    if (missing->count == 0)
        return;
    fetch->summary->missing_days += missing_days_count(missing);
    buffer_append_format(&text, "%s: the archive has no %s of ", fetch->symbol,
                         kind == FETCH_KLINES ? "candles" : "open interest");
    missing_days_append(&text, missing);
    if (is_recent(missing->ranges[missing->count - 1].last))
        buffer_append_text(&text, "; a day's files come in the course of the next");
    fetch->options->on_message(buffer_text(&text), fetch->options->context);
    buffer_deinit(&text);
}

static enum status tell_all_missing(struct fetch *fetch, struct error *error)
{
    for (enum fetch_kind kind = 0; kind < FETCH_KIND_COUNT; kind++) {
        if (fetch->found > 0)
            tell_missing(fetch, kind);
        missing_days_deinit(&fetch->missing[kind]);
    }
    if (fetch->found > 0)
        return STATUS_OK;
    return error_set(error, STATUS_NOT_FOUND,
                     "the archive has nothing of %s in these days; it has symbols of Binance's "
                     "USD-M futures, such as BTCUSDT",
                     fetch->symbol);
}

/* -- a symbol ---------------------------------------------------------------------------------- */

/* Days, which are asked for last. */
static enum status run_days(struct fetch *fetch, enum fetch_kind kind,
                            const struct fetch_period *periods, size_t count, struct error *error)
{
    bool is_missing[FETCH_FILES_MAX] = {false};
    enum status status =
        fetch_window_run(fetch->window, fetch->symbol, kind, periods, count, is_missing, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        fetch->found += !is_missing[i];
        if (is_missing[i])
            missing_days_add(&fetch->missing[kind], periods[i].first_day);
    }
    return status;
}

static enum status run_month_by_days(struct fetch *fetch, enum fetch_kind kind,
                                     struct fetch_period month, struct error *error)
{
    struct fetch_period days[FETCH_FILES_MAX] = {0};
    check(month.day_count <= FETCH_FILES_MAX);
    for (int64_t i = 0; i < month.day_count; i++)
        days[i] = (struct fetch_period){month.first_day + i, 1};
    fetch_window_expect(fetch->window, month.day_count - 1);
    return run_days(fetch, kind, days, (size_t)month.day_count, error);
}

/* Months that are there as such, others by days. */
static enum status run_periods(struct fetch *fetch, enum fetch_kind kind,
                               const struct fetch_period *periods, size_t count,
                               struct error *error)
{
    bool is_missing[FETCH_FILES_MAX] = {false};
    enum status status =
        fetch_window_run(fetch->window, fetch->symbol, kind, periods, count, is_missing, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        fetch->found += !is_missing[i];
        if (is_missing[i] && periods[i].day_count > 1)
            status = run_month_by_days(fetch, kind, periods[i], error);
        else if (is_missing[i])
            missing_days_add(&fetch->missing[kind], periods[i].first_day);
    }
    return status;
}

/* The period that begins with the day, or the month that the day came with, of which no other day
 * is asked for. A month is looked up with the first of its days. */
static enum status next_period(struct fetch *fetch, enum fetch_kind kind, int64_t day,
                               struct fetch_period *period, struct error *error)
{
    const struct fetch_options *options = fetch->options;
    struct fetch_period month = fetch_plan_month(day);
    bool is_known = false;
    *period = fetch_plan_next(kind, day, options->last_day);
    bool is_first = day == options->first_day || day == month.first_day;
    if (kind != FETCH_KLINES || period->day_count > 1 || !is_first)
        return STATUS_OK;
    enum status status =
        fetch_window_knows(fetch->window, fetch->symbol, kind, month, &is_known, error);
    if (status != STATUS_OK || !is_known)
        return status;
    *period = month;
    int64_t end = month.first_day + month.day_count;
    if (end > options->last_day + 1)
        end = options->last_day + 1;
    fetch_window_expect(fetch->window, 1 - (end - day));
    return STATUS_OK;
}

static enum status run_kind(struct fetch *fetch, enum fetch_kind kind, struct error *error)
{
    int64_t day = fetch->options->first_day, last_day = fetch->options->last_day;
    enum status status = STATUS_OK;
    while (day <= last_day && status == STATUS_OK) {
        struct fetch_period periods[FETCH_FILES_MAX];
        size_t count = 0;
        while (count < FETCH_FILES_MAX && day <= last_day && status == STATUS_OK) {
            status = next_period(fetch, kind, day, &periods[count], error);
            day = periods[count].first_day + periods[count].day_count;
            count++;
        }
        if (status == STATUS_OK)
            status = run_periods(fetch, kind, periods, count, error);
    }
    return status;
}

static enum status run_symbol(struct fetch *fetch, struct error *error)
{
    enum status status = STATUS_OK;
    fetch->found = 0;
    for (enum fetch_kind kind = 0; kind < FETCH_KIND_COUNT && status == STATUS_OK; kind++)
        status = run_kind(fetch, kind, error);
    if (status == STATUS_OK)
        return tell_all_missing(fetch, error);
    for (enum fetch_kind kind = 0; kind < FETCH_KIND_COUNT; kind++)
        missing_days_deinit(&fetch->missing[kind]);
    return status;
}

static enum status run_symbols(struct fetch *fetch, struct error *error)
{
    const struct fetch_options *options = fetch->options;
    enum status status = STATUS_OK, unknown = STATUS_OK;
    struct error reason;
    for (size_t i = 0; i < options->symbols->count; i++)
        for (enum fetch_kind kind = 0; kind < FETCH_KIND_COUNT; kind++)
            fetch_window_expect(fetch->window,
                                fetch_plan_count(kind, options->first_day, options->last_day));
    for (size_t i = 0; i < options->symbols->count && status == STATUS_OK; i++) {
        fetch->symbol = options->symbols->names[i];
        status = run_symbol(fetch, &reason);
        if (status == STATUS_NOT_FOUND && unknown == STATUS_OK) { /* the others may be known */
            unknown = error_set(error, status, "%s", reason.message);
            status = STATUS_OK;
        }
    }
    if (status != STATUS_OK)
        return error_set(error, status, "%s", reason.message);
    if (unknown != STATUS_OK)
        return unknown;
    if (fetch->summary->failed > 0)
        return error_set(error, STATUS_IO, "%lld of the files could not be fetched",
                         (long long)fetch->summary->failed);
    return STATUS_OK;
}

/* -- the folder -------------------------------------------------------------------------------- */

static int remove_any(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    remove(path);
    return 0;
}

/* A folder that is not empty stays. */
static int remove_folder(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    return type == FTW_DP ? remove_any(path, stat, type, ftw) : 0;
}

/* What could not be had may lie there in part, for the next time. */
static void clear_folder(const char *folder, bool is_all_done)
{
    struct buffer lock = {0};
    buffer_append_format(&lock, "%s/.lock", folder);
    unlink(buffer_text(&lock));
    nftw(folder, is_all_done ? remove_any : remove_folder, FOLDERS_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
    buffer_deinit(&lock);
}

/* The descriptor that holds the lock, or -1. */
static int lock_folder(const char *folder, struct error *error)
{
    struct buffer path = {0};
    buffer_append_format(&path, "%s/.lock", folder);
    folders_make(buffer_text(&path), NULL); /* what fails shows at the next step */
    int lock = open(buffer_text(&path), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (lock < 0) {
        error_set(error, STATUS_IO, "%s cannot be written: %m", folder);
    } else if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        error_set(error, STATUS_BUSY, "another fetch uses %s", folder);
        close(lock);
        lock = -1;
    }
    buffer_deinit(&path);
    return lock;
}

/* -- its life ---------------------------------------------------------------------------------- */

static enum status work(struct one_shot *one_shot, struct error *error)
{
    struct fetch *fetch = (struct fetch *)(void *)one_shot;
    enum status status = run_symbols(fetch, error);
    clear_folder(fetch->options->folder, !fetch->options->keeps_files && status == STATUS_OK);
    return status;
}

static void wake(struct one_shot *one_shot)
{
    fetch_window_wake(((struct fetch *)(void *)one_shot)->window);
}

static void destroy(struct one_shot *one_shot)
{
    struct fetch *fetch = (struct fetch *)(void *)one_shot;
    fetch_window_destroy(fetch->window);
    close(fetch->lock);
    free(fetch);
}

enum status fetch_start(const struct fetch_options *options, struct fetch_summary *summary,
                        struct source **source, struct error *error)
{
    int lock = lock_folder(options->folder, error);
    *source = NULL;
    *summary = (struct fetch_summary){0};
    if (lock < 0)
        return error->status;
    struct fetch *fetch = memory_allocate_zeroed(1, sizeof *fetch);
    *fetch = (struct fetch){.base = {.work = work, .wake = wake, .destroy = destroy},
                            .lock = lock,
                            .options = options,
                            .summary = summary};
    fetch->window = fetch_window_create(options, &fetch->base.stop, summary, error);
    if (fetch->window == NULL) {
        clear_folder(options->folder, false);
        destroy(&fetch->base);
        return error->status;
    }
    *source = one_shot_start(&fetch->base);
    return STATUS_OK;
}
