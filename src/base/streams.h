/* Standard input, output and error. */
#ifndef HEATCAST_BASE_STREAMS_H
#define HEATCAST_BASE_STREAMS_H

/* Opens /dev/null in place of each standard stream that the process was started without. First
 * thing in main(): afterwards no file that is opened can get the descriptor of one. */
void streams_open_standard(void);

#endif
