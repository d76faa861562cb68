#pragma once

#include "fs_base.h"

/*
 * Publication: when a value is uploaded.
 */

/* Answers a WRITE of `size` bytes under `commit=write`, once the value is published. */
void write_through(fuse_req_t request, struct handle *handle, size_t size);

/* Publishes or wipes what every handle holds: the end of the mount counts as RELEASE of all. */
void fs_release_all(struct fs *fs);
