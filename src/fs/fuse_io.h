#pragma once

#include "fs_base.h"

/*
 * Reading and writing the kernel's descriptor.
 */

/* Makes libfuse read and write the descriptor of fs->session through this file. Returns 0, -ENOMEM
 * or another -errno of libfuse. */
int fuse_io_install(struct fs *fs);

/* Answers GETXATTR or LISTXATTR with a value or list, or with its size where `size` is 0. */
void reply_sized(fuse_req_t request, const char *data, size_t length, size_t size);
