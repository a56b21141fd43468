/* Lua scripts that Redis runs for the cluster; cluster/reply.h reads what they return. Private to
 * cluster/. */
#ifndef HEATCAST_CLUSTER_SCRIPTS_H
#define HEATCAST_CLUSTER_SCRIPTS_H

/* KEYS lease, epoch, claim; ARGV id, role (generator, auto, none), LEASE_MS, the greatest epoch
 * seen, the epoch it leads with or 0, lease_stored_epoch_max(). Takes, renews or gives up the
 * lease. Returns {holder or "", epoch, milliseconds that the lease has left, what went wrong or "",
 * which keys were replaced and what they were or ""}. */
extern const char script_heartbeat[];

/* KEYS lease, claim; ARGV id. Gives back what is the caller's. */
extern const char script_release[];

/* KEYS lease, newest; ARGV id, channel, epoch, seq, JSON, lease_stored_epoch_max(). Publishes and
 * keeps a snapshot, if the lease is the caller's. Returns {receivers, or -1: it is not, why it
 * could not be kept or "", the epoch of what is kept then}. */
extern const char script_publish[];

/* KEYS newest; ARGV epoch, seq, JSON, lease_stored_epoch_max(). Keeps a snapshot unless a newer one
 * is kept. Returns the {epoch, seq} that are kept then. */
extern const char script_keep[];

#endif
