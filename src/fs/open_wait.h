#ifndef SSTOREFS_FS_OPEN_WAIT_H
#define SSTOREFS_FS_OPEN_WAIT_H

#include "fs_base.h"

/*
 * An OPEN or CREATE that waits.
 */

/*
 * Opens the inode `number`, or creates `name` in the directory `number`, and replies. Returns 0, or
 * a positive errno without a reply.
 */
typedef int open_call(fuse_req_t request, fuse_ino_t number, const char *name,
		      struct fuse_file_info *info);

/* Whether `error`, a positive errno, is what time may mend: want of locked memory or descriptors.
 */
bool open_may_wait(const struct fs *fs, const char *name, int flags, int error);

void open_waits_init(struct fs *fs);

/* Whether something must be waited for first, and waiting for it. */
bool open_must_wait(struct fs *fs, fuse_ino_t number, const char *name);

void open_wait_start(struct fs *fs, fuse_req_t request, fuse_ino_t number, const char *name,
		     const struct fuse_file_info *info, open_call *open);

#endif
