#ifndef SSTOREFS_FS_AUDIT_H
#define SSTOREFS_FS_AUDIT_H

#include "fs_base.h"

/*
 * The audit: who did what, in the log and among the errors.
 */

/* Who does something, for the audit. */
struct actor {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	char program[32];
	char cgroup[CGROUP_SIZE];
};

void actor_of_request(struct actor *actor, fuse_req_t request);

/* What was done, or tried. */
struct audit_event {
	const char *operation;
	const struct store *store; /* NULL: it was done to a store, `name` */
	const char *name;
	const char *to;	    /* the other name, of rename and link; else NULL */
	const char *digest; /* of what is there now; NULL: there is none */
};

/* One line in the log, and one in the journal if it failed. Never a value. */
void audit(struct fs *fs, const struct actor *actor, const struct audit_event *event,
	   const struct failure *failure);

#endif
