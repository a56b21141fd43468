/* What a signal means to a command that works for a while: that it ends in order, and a second one
 * at once. Main thread. */
#ifndef HEATCAST_CLI_SIGNALS_H
#define HEATCAST_CLI_SIGNALS_H

#include "base/error.h"

#include <signal.h>

struct source;

/* Before any other thread starts: SIGTERM, SIGINT and SIGHUP are awaited from here on, but for
 * those that whoever started the program has it ignore (nohup). */
void signals_block(sigset_t *awaited);

/* One that has come, which is taken; 0: none has. */
int signals_take(const sigset_t *awaited);

/* From here on they end the program. */
void signals_unblock(const sigset_t *awaited);

/* Waits for a source that ends by itself, or for a signal, which becomes `number`, and then stops
 * it. The status is source_stop()'s. A source that does not stop within some seconds is left to end
 * with the program, by the signal. */
enum status signals_run(struct source *source, const sigset_t *awaited, int *number,
                        struct error *error);

/* Ends the program as the signal would have: whoever started it sees why, and a shell's loop ends
 * too. */
_Noreturn void signals_end_by(int number);

#endif
