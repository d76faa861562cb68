#pragma once

#include "fs_base.h"

/*
 * An OPEN or CREATE that waits for memory, a descriptor, or the token.
 */

/*
 * Opens the inode `number`, or creates `name` in the directory `number`, and replies. Returns 0, or
 * a positive errno without a reply.
 */
typedef int open_call(fuse_req_t request, fuse_ino_t number, const char *name,
		      struct fuse_file_info *info);

/* True if an open that failed with `error` (positive errno) may succeed later: locked memory or
 * descriptors were short. */
bool open_may_wait(const struct fs *fs, const char *name, int flags, int error);

/* True if the open must wait before it is tried. */
bool open_must_wait(struct fs *fs, fuse_ino_t number, const char *name);

/* Waits, then calls `open`, which replies. */
void open_wait_start(struct fs *fs, fuse_req_t request, fuse_ino_t number, const char *name,
		     const struct fuse_file_info *info, open_call *open);
