#ifndef SSTOREFS_FS_PRECHECK_H
#define SSTOREFS_FS_PRECHECK_H

#define FUSE_USE_VERSION 314
#include "fs_base.h"
#include <fuse_lowlevel.h>
#include <stdbool.h>

/*
 * Refusals: what is refused here, without a call.
 */

struct inode;
struct pending_attrs;
struct audit_event;
struct fs;
struct store;

/* Why an operation is refused here, without a call. The table in precheck.c has the errno and the
 * remedy of each. */
enum refusal {
	REFUSAL_NONE,
	/* Ordinary outcomes, which programs expect and handle: never recorded. */
	REFUSAL_ABSENT,
	REFUSAL_EXISTS,
	REFUSAL_READS,
	REFUSAL_FOREIGN_ATTRIBUTE,
	/* Everything else is one line in `errors`. */
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

/* Records the refusal of `deed`, once, with its remedy. Returns its errno, positive; 0 for
 * REFUSAL_NONE. */
int refusal_record(struct fs *fs, const struct audit_event *event, enum refusal refusal);

/* The same, and answers the request with it. */
void refusal_reply(fuse_req_t request, const struct audit_event *event, enum refusal refusal);

/* Why nothing can be changed now. */
enum refusal precheck_modify(const struct fs *fs);
/* The same for what `nocreate` rules out: all but replacing a value. */
enum refusal precheck_create(const struct fs *fs);
/* Why `name` can't be opened with `flags`, or created where it does not exist. */
enum refusal precheck_open(struct fs *fs, const struct store *store, const char *name, int flags,
			   bool exists);

/* Why a SETATTR of `what` is refused: the caller could not do it on an ordinary file that looks
 * like this one. */
enum refusal precheck_setattr(fuse_req_t request, const struct inode *inode,
			      const struct stat *wanted, int what);

/* Why they can't be carried out: an expiry goes up with a value alone. */
enum refusal precheck_attrs(const struct inode *inode, const struct pending_attrs *attrs);

#endif
