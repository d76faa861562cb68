#pragma once

#include "fs_base.h"

/*
 * Requests of the kernel that are answered later: the base of the struct of each operation that
 * waits for something.
 */

struct deferred;

/* The operations that all requests of one kind share. */
struct deferred_kind {
	const char *operation; /* as the log has it */
	size_t size; /* of the operation's struct, whose first member is the struct deferred */
	/* Stops what is under way, without a reply: the caller was interrupted, or the mount ends.
	 * NULL: there is nothing but what this base knows. */
	void (*cancel)(struct deferred *deferred);
	/* Frees what the struct holds beside its base. NULL: nothing. */
	void (*finish)(struct deferred *deferred);
	bool needs_handle; /* interrupted when the mount is gone: handles are freed then */
};

struct deferred {
	const struct deferred_kind *kind;
	struct fs *fs;
	fuse_req_t request;		/* NULL once it is answered */
	struct store *store;		/* referenced; NULL: the operation is not on one */
	char name[NAME_LENGTH_MAX + 1]; /* "" where the operation has none */
	struct task interrupt;
	struct timer signals_again; /* looks at the caller's signals once more */
	bool is_deciding;    /* about a value that a signal must not lose: only a cancel ends it */
	bool cancels_upload; /* the interruption is to stop it, not only the wait for it */
	LIST_ENTRY(deferred) link; /* of fs->deferred */
	/* The things an operation may wait for; deferred_end stops those that it uses. */
	struct lookup lookup;
	struct change_op *change;
	struct upload *upload; /* referenced */
	struct wait wait;
	struct timer timer;
};

LIST_HEAD(deferred_list, deferred);

/*
 * Allocates the struct of an operation, zeroed behind its base. `store` may be NULL. Returns NULL
 * after a reply of ENOMEM when memory ran out. deferred_end frees it.
 */
void *deferred_new(const struct deferred_kind *kind, fuse_req_t request, struct store *store,
		   const char *name);

/* Looks up `deferred->name` in `listing`, past the cache if `bypass_cache`. `done` is called once,
 * perhaps from within. */
void deferred_lookup(struct deferred *deferred, struct listing *listing, bool bypass_cache,
		     void (*done)(struct lookup *lookup));

/* Fills in the base of a change to `deferred->name` in its store, which an interruption cancels. */
void deferred_change(struct deferred *deferred, struct change_op *change,
		     void (*done)(struct change_op *change));

/* Logs the outcome of a change, before the request is answered. `to` is the other name of a rename
 * or link, `digest` that of the secret as it is stored now; both may be NULL. */
void deferred_audit(const struct deferred *deferred, const char *to, const char *digest,
		    const struct failure *failure);

/* Takes the request out, to be answered now. Returns NULL if it was answered already. */
fuse_req_t deferred_take(struct deferred *deferred);

/* Replies with `error`, a positive errno or 0, unless the request was answered already. Frees
 * `deferred`. */
void deferred_end(struct deferred *deferred, int error);

/* Cancels the operation and replies EINTR; an upload that it waits for goes on unless
 * `cancels_upload`. Frees `deferred`. */
void deferred_interrupt(struct deferred *deferred, bool cancels_upload);

/* Interrupts the operations that need a handle. */
void deferred_abandon_handles(struct fs *fs);
