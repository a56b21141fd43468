/* The messages of store/ name the database's file, and what DuckDB says may hold paths of other
 * files, the text of a view, or data. They are written for whoever runs the server: the log has
 * them whole. A client gets what kind of fault it is, by the status alone, so that no message can
 * get through by being put together from others. The page looks for `heatcast import`. */
#include "net/fault.h"

#include <stddef.h>

static const char *text_of(enum status status)
{
    switch (status) {
    case STATUS_NOT_FOUND:
        return "there is no database, or a table of it is missing: import data with `heatcast "
               "import`; the server's log says more";
    case STATUS_BUSY:
        return "another process is writing to the database";
    case STATUS_IO:
        return "the database cannot be used; the server's log says why";
    case STATUS_NO_MEMORY:
        return "there is not enough memory just now";
    default:
        return NULL;
    }
}

bool fault_is_private(enum status status)
{
    return text_of(status) != NULL;
}

const char *fault_text(enum status status)
{
    const char *text = text_of(status);
    return text != NULL ? text : text_of(STATUS_IO);
}
