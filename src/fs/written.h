#ifndef SSTOREFS_FS_WRITTEN_H
#define SSTOREFS_FS_WRITTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "sstorefs/ordered_set.h"

struct file;
struct fs;
struct inode;
struct record;

/* Times that utimensat(2) has set since the last WRITE. */
struct set_times {
	bool accessed_is_set, modified_is_set;
	struct timespec accessed, modified;
};

/*
 * The values that this mount has stored: length, times, and the version that the service made of
 * each. At most WRITTEN_MAX of them (written.c), the oldest goes first. Nothing here holds a byte
 * of a value.
 */
struct written_entry;
struct written {
	struct ordered_set by_entry_id;
	struct written_entry *oldest, **newest; /* in the order of their writing */
	unsigned count;
};
void written_init(struct written *written);
void written_finish(struct written *written);

/*
 * Fills in size, blocks and times of the secret `inode`, after st_ctim and the other times were set
 * to that of the service's last change. A value that waits to be stored shows what was written so
 * far; one that was stored by this mount, and is still the service's version, its length; every
 * other secret, and every secret of a mount that hides sizes, one byte.
 */
void written_show(struct fs *fs, const struct inode *inode, struct stat *attributes);

/* utimensat(2): `what` is SETATTR's. Without effect on a secret that was not written by this mount.
 */
void written_set_times(struct fs *fs, const struct inode *inode, const struct stat *wanted,
		       int what);

/* The service has stored `length` written bytes of `file` as `record`. */
void written_keep(struct fs *fs, const struct file *file, const struct record *record,
		  size_t length);

/* Whether `record` (NULL: there is none) is a version that was written by this mount. */
bool written_has(struct fs *fs, const struct record *record);

/* `record` has the value of what is known here as `serial`: this mount has renamed, copied or
 * edited it. */
void written_follow(struct fs *fs, uint32_t entry_id, const struct record *record);

/* What the service has as `serial` (0: nothing) is gone, or may be another value: nothing is known
 * of it from now on. */
void written_forget(struct fs *fs, uint32_t entry_id);

#endif
