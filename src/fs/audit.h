#pragma once

#include "fs_base.h"

/*
 * The audit: the process and outcome of each change, in the log and in the error log.
 */

/* Fills in the process that sent `request`. */
void actor_of_request(struct log_actor *actor, fuse_req_t request);

/* Writes one line about a change that was tried to the log, and one to the error log if it failed:
 * never with a value. `event->store` is "" for a change to a store, whose name is `event->name`. */
void audit(struct fs *fs, const struct log_event *event);

/* Records in both a failure that is not that of a change. `store` may be NULL. */
void fs_report(struct fs *fs, const char *operation, const struct store *store, const char *name,
	       const struct failure *failure);

/* Reads the cgroup of `process` from /proc; "" where it is not visible. */
void cgroup_of(pid_t process, char cgroup[static CGROUP_SIZE]);
