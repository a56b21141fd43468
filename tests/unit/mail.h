/* Mail by symbol, for tests that ask what there is of one. */
#ifndef HEATCAST_TESTS_MAIL_H
#define HEATCAST_TESTS_MAIL_H

#include "base/check.h"
#include "stream/mailbox.h"

#include <string.h>

enum { MAIL_SYMBOLS = 64 };

/* Moves everything out; mail[i] becomes that of symbol i, or all zero. False if there was none;
 * then `mail` is left as it was. */
static inline bool spread_mail(struct mailbox *mailbox, struct mail mail[MAIL_SYMBOLS])
{
    struct mail taken[MAIL_SYMBOLS];
    check(mailbox->symbol_count <= MAIL_SYMBOLS);
    size_t count = mailbox_take(mailbox, taken);
    if (count == 0)
        return false;
    memset(mail, 0, MAIL_SYMBOLS * sizeof *mail);
    for (size_t i = 0; i < count; i++)
        mail[taken[i].symbol_index] = taken[i];
    return true;
}

#endif
