#ifndef SSTOREFS_FS_DRAIN_H
#define SSTOREFS_FS_DRAIN_H

#include "fs_base.h"

/*
 * A drain that waits for uploads.
 */

/* Something ended: a drain that waits for it may be complete. */
void fs_check_drained(struct fs *fs);

#endif
