#pragma once

#include "fs_base.h"

/*
 * The audit: the process and outcome of each change, in the log and in the error log.
 */

/* Fills in the process that sent `request`. */
void actor_of_request(struct log_actor *actor, fuse_req_t request);

/* A change that was tried. */
struct audit_event {
	const char *operation;
	const struct store *store; /* NULL: the change is to a store, `name` */
	const char *name;
	const char *to;	    /* the other name of a rename or link; else NULL */
	const char *digest; /* of what is stored now; NULL: nothing is */
	const char *effect; /* "created" or "replaced", where the service tells it; else NULL */
};

/* Writes one line to the log, and one to the error log if `failure` is one: never with a value. */
void audit(struct fs *fs, const struct log_actor *actor, const struct audit_event *event,
	   const struct failure *failure);

/* Records in both a failure that is not that of a change. `store` may be NULL. */
void fs_report(struct fs *fs, const char *operation, const struct store *store, const char *name,
	       const struct failure *failure);

/* Reads the cgroup of `process` from /proc; "" where it is not visible. */
void cgroup_of(pid_t process, char cgroup[static CGROUP_SIZE]);
