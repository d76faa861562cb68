#pragma once

#include "fs_base.h"

/*
 * Refusals: operations that fail here, without a call, and why.
 */

/* REFUSAL_NAME and so on: the rows of refusals.h. */
enum refusal {
#define REFUSAL(name, error, message) REFUSAL_##name,
#include "refusals.h"
#undef REFUSAL
};

/* Records the refusal of `operation`, with its remedy. `store` may be NULL. Returns its errno,
 * positive; 0 for REFUSAL_NONE. */
int refusal_record(struct fs *fs, const char *operation, const struct store *store,
		   const char *name, enum refusal refusal);

/* Does the same, and answers the request with the errno. Returns false without a reply for
 * REFUSAL_NONE. */
bool refusal_reply(fuse_req_t request, const char *operation, const struct store *store,
		   const char *name, enum refusal refusal);

/* True if the service takes the displayed `name` for a secret. */
bool name_is_storable(const struct fs *fs, const char *name);

/* Returns why nothing can be changed now. */
enum refusal precheck_modify(const struct fs *fs);

/* Returns why nothing but the replacement of a value is possible (`nocreate`, or as above). */
enum refusal precheck_create(const struct fs *fs);

/* Returns why `name` cannot be opened with `flags`, or created if it does not exist. */
enum refusal precheck_open(struct fs *fs, const struct store *store, const char *name, int flags,
			   bool exists);

/* Returns why a SETATTR of `what` is refused: the caller could not make that change on an ordinary
 * file with the same owner and mode. */
enum refusal precheck_setattr(fuse_req_t request, const struct inode *inode,
			      const struct stat *wanted, int what);

/* Returns why `attrs` cannot be applied: an expiry is sent only together with a value. */
enum refusal precheck_attrs(const struct inode *inode, const struct pending_attrs *attrs);
