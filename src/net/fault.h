/* What a client may know of a database that cannot be used. Any thread. */
#ifndef HEATCAST_NET_FAULT_H
#define HEATCAST_NET_FAULT_H

#include "base/error.h"

#include <stdbool.h>

/* Whether an error with this status may be about the database rather than about the question, so
 * that its message is not for clients. */
bool fault_is_private(enum status status);

/* A sentence in the place of that message. */
const char *fault_text(enum status status);

#endif
