#ifndef SSTOREFS_FS_DEFERRED_H
#define SSTOREFS_FS_DEFERRED_H

#include "fs_base.h"

/*
 * Requests that are answered later.
 */

/*
 * A request that is answered later. Embedded in what waits. `interrupted` is called from the loop
 * when the kernel wants the request ended: it lets go of what is waited for and answers EINTR.
 */
struct deferred {
	struct fs *fs;
	fuse_req_t request; /* NULL once it is answered */
	void (*interrupted)(struct deferred *deferred);
	struct task task;
	struct deferred *next, **link;
};

void deferred_begin(struct fs *fs, struct deferred *deferred, fuse_req_t request,
		    void (*interrupted)(struct deferred *deferred));

/* Takes the request out, to be answered now; NULL if it was answered already. */
fuse_req_t deferred_take(struct deferred *deferred);

void deferred_reply_err(struct deferred *deferred, int error);

/* A process's descriptor was given back: those who wait for one try again, in a later turn. */
void open_waits_continue(struct fs *fs);

#endif
