#ifndef SSTOREFS_FS_FUSE_IO_H
#define SSTOREFS_FS_FUSE_IO_H

#include "fs_base.h"

/*
 * Reading and writing the kernel's descriptor.
 */

/* Has libfuse read and write it through us. 0 or a negative errno. */
int fuse_io_install(struct fs *fs);

#endif
