#pragma once

#include "fs_base.h"

/*
 * Reading and writing the kernel's descriptor.
 */

/* Makes libfuse read and write the descriptor of fs->session through this file. Returns 0, -ENOMEM
 * or another -errno of libfuse. */
int fuse_io_install(struct fs *fs);
