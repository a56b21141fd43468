/* How a server is asked to stop, and the time it has for it. One server a process. */
#ifndef HEATCAST_SERVE_STOPPING_H
#define HEATCAST_SERVE_STOPPING_H

#include <uv.h>

#define STOPPING_SAME_SIGNAL_MS 1000 /* a signal so soon after the first means the same */
#define STOPPING_TIMEOUT_MS 5000     /* for all that stopping takes */

/* From here on the first SIGTERM or SIGINT sends `asked`, on whose loop the server then stops. A
 * further one within STOPPING_SAME_SIGNAL_MS changes nothing; a later one ends the process as if it
 * had never been caught. SIGUSR1 and SIGUSR2 have no meaning, and are ignored. Main thread. */
void stopping_catch_signals(uv_async_t *asked);

/* "SIGTERM" or "SIGINT", whichever came first; NULL if none has. */
const char *stopping_signal(void);

/* `asked` may be closed from here on: signals end the process. */
void stopping_release_signals(void);

/* The server has begun to stop. If it has not said stopping_end() in STOPPING_TIMEOUT_MS, the
 * process is ended with exit code 1. */
void stopping_begin(void);
void stopping_end(void);

#endif
