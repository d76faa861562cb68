#pragma once

#include <sys/queue.h>

#include "fs_base.h"

/*
 * Requests of the kernel that are answered later: the base of the struct of each operation that
 * waits for something.
 */

struct deferred;

/* The operations that all requests of one kind share. */
struct deferred_kind {
	size_t size; /* of the operation's struct, whose first member is the struct deferred */
	/* Stops what is under way, without a reply: the caller was interrupted, or the mount ends.
	 * NULL: `finish` does that. */
	void (*cancel)(struct deferred *deferred);
	/* Frees what the struct holds beside its base. NULL: nothing. */
	void (*finish)(struct deferred *deferred);
};

struct deferred {
	const struct deferred_kind *kind;
	struct fs *fs;
	fuse_req_t request;		/* NULL once it is answered */
	struct store *store;		/* referenced; NULL: the operation is not on one */
	char name[NAME_LENGTH_MAX + 1]; /* "" where the operation has none */
	struct task interrupt;
	LIST_ENTRY(deferred) link; /* of fs->deferred */
};

LIST_HEAD(deferred_list, deferred);

/*
 * Allocates the struct of an operation, zeroed behind its base. `store` may be NULL. Returns NULL
 * after a reply of ENOMEM when memory ran out. deferred_end frees it.
 */
void *deferred_new(const struct deferred_kind *kind, fuse_req_t request, struct store *store,
		   const char *name);

/* Takes the request out, to be answered now. Returns NULL if it was answered already. */
fuse_req_t deferred_take(struct deferred *deferred);

/* Replies with `error`, a positive errno or 0, unless the request was answered already. Frees
 * `deferred`. */
void deferred_end(struct deferred *deferred, int error);

/* Cancels the operation and replies EINTR. Frees `deferred`. */
void deferred_interrupt(struct deferred *deferred);

/* Queues another try for opens that wait for a process descriptor: one was closed. */
void open_waits_continue(struct fs *fs);
