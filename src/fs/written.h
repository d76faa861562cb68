#pragma once

#include "fs_base.h"

/* Times that utimensat(2) has set since the last WRITE. */
struct set_times {
	bool accessed_is_set, modified_is_set;
	struct timespec accessed, modified;
};

/*
 * Secrets that this mount has written, or failed to: length and times of each, the version that the
 * service made of it, and until when it can be opened for fsync. At most WRITTEN_MAX of them, the
 * oldest is dropped first. Nothing here holds a byte of a value.
 */
struct written {
	struct ordered_set by_entry_id;
	TAILQ_HEAD(, written_entry) by_age; /* the oldest first */
	unsigned count;
};
void written_finish(struct written *written);

/* Notes that `entry_id` was written, or that a WRITE to it was refused. */
void written_note(struct fs *fs, uint32_t entry_id);

/* True if the secret `inode` was written within the last ten minutes: `sync NAME` may open it for
 * reading, for fsync alone. */
bool written_lately(const struct fs *fs, const struct inode *inode);

/*
 * Fills in size, blocks and times of the secret `inode`, after st_ctim and the other times were set
 * to that of the service's last change. A value that waits to be stored shows what was written so
 * far; one that was stored by this mount, and is still the service's version, its length; every
 * other secret, and every secret of a mount that hides sizes, one byte.
 */
void written_show(struct fs *fs, const struct inode *inode, struct stat *attributes);

/* Sets the times that utimensat(2) asks for; `what` is SETATTR's. Does nothing for a secret that
 * was not written by this mount. */
void written_set_times(struct fs *fs, const struct inode *inode, const struct stat *wanted,
		       int what);

/* Notes that the service has stored `length` written bytes of `file` as the secret `entry_id`,
 * whose version is `record`; NULL if the service did not describe it: then the version that is seen
 * next is that one, if it is from `stored_in`, by the service's clock. */
void written_keep(struct fs *fs, const struct file *file, uint32_t entry_id,
		  const struct record *record, const struct time_span *stored_in, size_t length);

/* True if `record` (NULL: there is none) is a version that was written by this mount. */
bool written_has(struct fs *fs, const struct record *record);

/* Notes that `record` has the value of `entry_id`: this mount has renamed, copied or edited it.
 * NULL: `entry_id` has the same value in another version, from `stored_in` as in written_keep. */
void written_follow(struct fs *fs, uint32_t entry_id, const struct record *record,
		    const struct time_span *stored_in);

/* Forgets length and times of `entry_id` (0: none): it is deleted, or may have another value. */
void written_forget(struct fs *fs, uint32_t entry_id);
