/* The end of a window moves by a candle: the book takes it. But the start moves as well, and of the
 * model `reference` a book that begins empty there is another book: one that knows less of what
 * came before, so that where open interest falls it shrinks by more. What saves the day is that
 * books become empty. From the first moment at which the old one and the new one are both empty,
 * they are the same, to the last bit (book_is_empty()); so it is enough to run the new one up to
 * there, beside the old one, which stands at the end already. The marks say for that after which
 * slots the book was empty.
 *
 *     old window   |=======o====o==o======o=======|        o: the book is empty there
 *     new window    |......o====o==o======o=======|+       ....: is run again, +: is new
 *
 * The same goes for a candle or a change of open interest in the past that is not what it was: the
 * new book begins at the last moment before it at which the old one was empty, and ends where both
 * are. Where they are not both empty again, the new one is run to the end and takes the old one's
 * place. Measured over a month of bitcoin, a candle that closes runs 36 others again on average;
 * open interest that only ever rises is the worst case, and costs as much as the whole window.
 *
 * The newest candle is never part of the book, since it changes while it forms.
 *
 * A model of moments (model.h) needs none of this: where its book began does not matter. Its book
 * stays some candles behind, since open interest comes late, and the copy takes these each time. A
 * row of the past that changes before that has the book computed anew, which takes some
 * milliseconds and is rare. */
#include "model/run.h"

#include "base/check.h"
#include "model/bucket.h"

bool run_init(struct run *run, const struct model *model, const struct model_settings *settings)
{
    *run = (struct run){.book = book_create(model, settings)};
    return run->book != NULL;
}

void run_deinit(struct run *run)
{
    book_destroy(run->book);
    *run = (struct run){0};
}

bool run_books_init(struct run_books *books, const struct model *model,
                    const struct model_settings *settings)
{
    *books = (struct run_books){
        .scratch = book_create(model, settings),
        .preview = book_create(model, settings),
    };
    return books->scratch != NULL && books->preview != NULL;
}

void run_books_deinit(struct run_books *books)
{
    book_destroy(books->scratch);
    book_destroy(books->preview);
    *books = (struct run_books){0};
}

/* -- a book and a window ----------------------------------------------------------------------- */

/* A book on its way over a window. */
struct walk {
    struct slots *slots;
    struct book *book;
    struct change_sums *sums; /* or NULL */
    int64_t slot;             /* that is next */
    double interest;          /* the last before it, in the window; 0: there is none */
};

static struct walk begin_walk(const struct run *run, struct slots *slots, struct book *book,
                              int64_t first, int64_t slot)
{
    return (struct walk){slots, book, run->sums, slot, slots_last_interest(slots, first, slot)};
}

static struct book_change step(struct walk *walk)
{
    const int64_t slot = walk->slot++;
    const struct candle *candle = slots_candle(walk->slots, slot);
    double interest = slots_interest(walk->slots, slot), delta = 0;
    struct book_change change = {0};
    if (interest != 0) {
        delta = walk->interest != 0 ? interest - walk->interest : 0;
        walk->interest = interest;
    }
    if (candle != NULL)
        change = book_advance(
            walk->book, candle,
            (struct interest_step){delta, slots_open_contracts(walk->slots, slot + 1)});
    if (walk->sums != NULL)
        change_sums_note(walk->sums, slot, change);
    return change;
}

static void walk_to(struct walk *walk, int64_t end)
{
    while (walk->slot < end) {
        int64_t slot = walk->slot;
        step(walk);
        slots_mark(walk->slots, slot, book_is_empty(walk->book));
    }
}

/* -- following --------------------------------------------------------------------------------- */

/* What is to be done: from the run as it is to one of [first, end). */
struct change {
    const struct run *run;
    const struct slots *slots;
    int64_t first, end;
    int64_t changed_end; /* behind the last slot that has changed, or follows one that has */
    /* Where the window begins, its first open interest has nothing to be compared with: the slots
     * of these, before and now. */
    int64_t old_interest, new_interest;
};

static struct change find_change(const struct run *run, const struct slots *slots, int64_t first,
                                 int64_t end)
{
    struct change change = {run, slots, first, end, slots->changed_end, end, end};
    /* Open interest is compared with the one before it, which may have changed. */
    if (slots->changed_first < slots->changed_end)
        change.changed_end = slots_first_interest(slots, slots->changed_end, end) + 1;
    if (first != run->first) {
        const int64_t old_first = run->first > slots->first ? run->first : slots->first;
        change.old_interest = slots_first_interest(slots, old_first, end);
        change.new_interest = slots_first_interest(slots, first, end);
    }
    return change;
}

/* Whether the slot's candle, or its change of open interest, is not what the old run took. */
static bool is_changed(const struct change *change, int64_t slot)
{
    return slot < change->run->first || slot >= change->run->end || slot == change->old_interest ||
           slot == change->new_interest ||
           (slot >= change->slots->changed_first && slot < change->changed_end);
}

/* The first slot from this one on that has changed; the old run's end if none has. */
static int64_t next_changed(const struct change *change, int64_t slot)
{
    const int64_t firsts[] = {change->old_interest, change->new_interest};
    int64_t next = change->run->end;
    if (is_changed(change, slot))
        return slot;
    for (size_t i = 0; i < 2; i++)
        if (firsts[i] > slot && firsts[i] < next)
            next = firsts[i];
    if (change->slots->changed_first > slot && change->slots->changed_first < next &&
        change->slots->changed_first < change->changed_end)
        next = change->slots->changed_first;
    return next;
}

/* Whether the old book was empty before this slot. */
static bool was_empty(const struct change *change, int64_t slot)
{
    const struct run *run = change->run;
    return slot == run->first ||
           (slot > run->first && slot <= run->end && slots_is_marked(change->slots, slot - 1));
}

/* The last slot in [slot, end) before which both books are empty; they are before `slot`. */
static int64_t last_empty(const struct change *change, int64_t slot, int64_t end)
{
    while (end > slot && !was_empty(change, end))
        end--;
    return end;
}

/* Runs the new book, in `scratch`, through what is not the same as in the old one. True: the old
 * book, where it stands, is the new one's too. False: the new one is in `scratch`, at the end. */
static bool try_join(const struct change *change, struct slots *slots, struct book *scratch)
{
    struct walk walk = begin_walk(change->run, slots, scratch, change->first, change->first);
    bool is_joined = was_empty(change, change->first); /* both are empty */
    book_reset(scratch);
    while (walk.slot < change->end || is_joined) {
        int64_t slot = walk.slot;
        if (is_joined) {
            int64_t next = next_changed(change, slot);
            if (next == change->run->end && next <= change->end)
                return true;
            if (next > change->end)
                next = change->end;
            book_reset(scratch);
            walk = begin_walk(change->run, slots, scratch, change->first,
                              last_empty(change, slot, next));
            walk_to(&walk, next);
            if (next == change->end)
                return false;
            slot = next;
        }
        bool was_same = was_empty(change, slot + 1);
        walk_to(&walk, slot + 1);
        is_joined = was_same && book_is_empty(scratch) && !is_changed(change, slot + 1);
    }
    return false;
}

/* Makes the run's book the one of [first, end). */
static void follow(struct run *run, struct slots *slots, int64_t first, int64_t end,
                   struct run_books *books)
{
    if (run->book->has_failed) {
        book_reset(run->book);
        run->first = run->end = first;
    }
    const struct change change = find_change(run, slots, first, end);
    if (try_join(&change, slots, books->scratch)) {
        struct walk walk = begin_walk(run, slots, run->book, first, run->end);
        walk_to(&walk, end);
    } else {
        struct book *book = run->book;
        run->book = books->scratch;
        books->scratch = book;
    }
    run->first = first;
    run->end = end;
    slots_settle(slots);
}

/* -- a model of moments ------------------------------------------------------------------------ */

/* Whether a slot that the book has taken has changed, or the one behind the last: that one's open
 * interest is what was open when the last ended. */
static bool has_taken_changes(const struct run *run, const struct slots *slots, int64_t first)
{
    const int64_t changed = slots->changed_first > first ? slots->changed_first : first;
    return changed < slots->changed_end && changed <= run->end;
}

/* Brings the book near to the newest candle. It may have begun earlier than it has to, and no
 * later; what it took before that is of no consequence. */
static void follow_moment(struct run *run, struct slots *slots, int64_t first, int64_t newest)
{
    const bool is_ahead = run->end > newest || run->end < first;
    if (run->book->has_failed || is_ahead || first < run->first ||
        has_taken_changes(run, slots, first)) {
        book_reset(run->book);
        run->first = run->end = first;
    }
    if (newest - run->end > RUN_LAG_MAX) {
        struct walk walk = begin_walk(run, slots, run->book, first, run->end);
        while (walk.slot < newest - RUN_LAG_MIN)
            step(&walk);
        run->end = walk.slot;
    }
    slots_settle(slots);
}

enum status run_snapshot(struct run *run, struct slots *slots, int64_t first, int64_t end,
                         struct run_books *books, const char *symbol, int64_t bucket_e8,
                         struct snapshot *snapshot, struct error *error)
{
    int64_t newest = slots_last_candle(slots, first, end), first_change_ms;
    const struct candle *candle = slots_candle(slots, newest);
    check(candle != NULL);
    const bool is_of_moment = model_is_of_moment(run->book->model);
    if (is_of_moment)
        follow_moment(run, slots, first, newest);
    else
        follow(run, slots, first, newest, books);
    if (bucket_e8 == 0)
        bucket_e8 = bucket_default(symbol, candle->close_e8);
    book_prepare(run->book, bucket_e8);
    book_copy(books->preview, run->book);
    struct walk walk = begin_walk(run, slots, books->preview, first, run->end);
    while (walk.slot <= newest)
        snapshot->change = step(&walk);
    if (!is_of_moment || !slots_first_change(slots, first, newest + 1, &first_change_ms))
        first_change_ms = SNAPSHOT_UNKNOWN;
    return snapshot_take(snapshot, books->preview, symbol, candle, first_change_ms, bucket_e8,
                         error);
}
