/* Liquidations from the source of this process to the clients, here and at other servers. Any
 * thread, while the server runs. */
#ifndef HEATCAST_SERVE_PRINTS_H
#define HEATCAST_SERVE_PRINTS_H

#include "serve/server_internal.h"
#include "store/row.h"

void prints_publish(struct server *server, size_t symbol_index, const struct liquidation_row *row);

#endif
