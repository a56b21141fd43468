/* A candle that is told again adds what has changed of it, so that the sums are those of the
 * candles as they were told last. How it was told is remembered in a ring, in which a candle has
 * one place. One whose place a newer candle has is older than all that can still change: the whole
 * window is computed again now and then, and must not count twice. */
#include "model/change_sums.h"

void change_sums_note(struct change_sums *sums, int64_t slot, struct book_change change)
{
    const size_t place = (size_t)((uint64_t)slot % CHANGE_SUMS_RECENT);
    if (slot < sums->recent[place].slot)
        return;
    if (slot == sums->recent[place].slot) {
        sums->created -= sums->recent[place].change.created;
        sums->consumed -= sums->recent[place].change.consumed;
    }
    sums->created += change.created;
    sums->consumed += change.consumed;
    sums->recent[place].slot = slot;
    sums->recent[place].change = change;
}
