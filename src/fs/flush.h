#ifndef SSTOREFS_FS_FLUSH_H
#define SSTOREFS_FS_FLUSH_H

#include "fs_base.h"

/*
 * Publication: when a value goes up.
 */

struct handle;

/* Whether something was written that should go to the service now. */
bool handle_is_publishable(const struct handle *handle);

/* Publishes without waiting: whoever wants to know waits for the file. */
void handle_publish(struct handle *handle);

/* WRITE under `commit=write`: answers once the value is published. */
void write_through(struct fs *fs, fuse_req_t request, struct handle *handle, size_t size);

/* Publishes or gives up what is left of every handle: the end of the mount counts as RELEASE of
 * them all. */
void fs_release_all(struct fs *fs);

#endif
