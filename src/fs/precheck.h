#pragma once

#include "fs_base.h"

/*
 * Refusals: operations that fail here, without a call, and why.
 */

struct inode;
struct pending_attrs;
struct fs;
struct store;

/* Why an operation is refused here, without a call. The table in precheck.c has the errno and the
 * remedy of each. */
enum refusal {
	REFUSAL_NONE,
	/* Ordinary outcomes, which programs expect: never recorded. */
	REFUSAL_ABSENT,
	REFUSAL_EXISTS,
	REFUSAL_READS,
	REFUSAL_FOREIGN_ATTRIBUTE,
	/* The others are recorded, one line each in `errors`. */
	REFUSAL_STOPPING,
	REFUSAL_READ_ONLY,
	REFUSAL_REPLACES_ONLY,
	REFUSAL_CONTROL,
	REFUSAL_HOLDS_STORES,
	REFUSAL_HOLDS_SECRETS,
	REFUSAL_NAME,
	REFUSAL_STORE_NAME,
	REFUSAL_USER_ID,
	REFUSAL_LONG_NAME,
	REFUSAL_APPENDS,
	REFUSAL_SERVICE,
	REFUSAL_QUOTA,
	REFUSAL_NO_LOCKED_MEMORY,
	REFUSAL_NO_MEMORY,
	REFUSAL_TOO_LARGE,
	REFUSAL_NOT_TEXT,
	REFUSAL_GROWS,
	REFUSAL_OTHER_OWNER,
	REFUSAL_STAYS,
	REFUSAL_IS_STORE,
	REFUSAL_NOT_EMPTY,
	REFUSAL_RENAMES_STORE,
	REFUSAL_LEAVES_STORE,
	REFUSAL_RENAMES_STAGED,
	REFUSAL_EXCHANGES,
	REFUSAL_FAILED,
	REFUSAL_LINKS,
	REFUSAL_LINKS_UNSTORED,
	REFUSAL_SYMLINKS,
	REFUSAL_ODD_FILE,
	REFUSAL_ATTRIBUTE,
	REFUSAL_ATTRIBUTE_VALUE,
	REFUSAL_ATTRIBUTE_TEXT,
	REFUSAL_LATE_EXPIRY,
};

/* Records the refusal of `operation`, with its remedy. `store` may be NULL. Returns its errno,
 * positive; 0 for REFUSAL_NONE. */
int refusal_record(struct fs *fs, const char *operation, const struct store *store,
		   const char *name, enum refusal refusal);

/* Does the same, and answers the request with the errno. */
void refusal_reply(fuse_req_t request, const char *operation, const struct store *store,
		   const char *name, enum refusal refusal);

/* Return why nothing can be changed now; */
enum refusal precheck_modify(const struct fs *fs);
/* why nothing but a replacement of a value is possible (`nocreate`); */
enum refusal precheck_create(const struct fs *fs);
/* why `name` cannot be opened with `flags`, or created if it does not exist. */
enum refusal precheck_open(struct fs *fs, const struct store *store, const char *name, int flags,
			   bool exists);

/* Returns why a SETATTR of `what` is refused: the caller could not make that change on an ordinary
 * file with the same owner and mode. */
enum refusal precheck_setattr(fuse_req_t request, const struct inode *inode,
			      const struct stat *wanted, int what);

/* Returns why `attrs` cannot be applied: an expiry is sent only together with a value. */
enum refusal precheck_attrs(const struct inode *inode, const struct pending_attrs *attrs);
