#pragma once

#include "fs_base.h"

/*
 * Reading and writing the kernel's descriptor.
 */

/* Has libfuse read and write it through us. 0 or a negative errno. */
int fuse_io_install(struct fs *fs);
