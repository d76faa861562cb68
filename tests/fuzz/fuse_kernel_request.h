#pragma once

#include "fuse_kernel.h"

/* Begins a request about the inode `number`, or on some open file or directory. Returns NULL if too
 * many requests wait, a limit that kernels have too, or if no file or directory is open. */
struct kernel_pending *request_begin(struct kernel *kernel, uint32_t opcode, uint64_t number);
struct kernel_pending *request_begin_on(struct kernel *kernel, uint32_t opcode, bool directory);
void request_add(struct kernel *kernel, const void *bytes, size_t length);
void request_add_text(struct kernel *kernel, const char *text);
/* Completes the request, so that the file system can read it. */
void request_finish(struct kernel *kernel);

/* Returns the number of an inode, mostly of one that the kernel knows. */
uint64_t some_node(struct kernel *kernel);
/* Makes a name: any text but `.`, `..`, none, and one with a slash, which no kernel sends. */
void some_name(struct kernel *kernel, char name[static 1024]);
/* Returns an open file or directory, or NULL if there is none. */
struct kernel_handle *some_handle(struct kernel *kernel, bool directory);

/* Requests GETXATTR or LISTXATTR, and SETXATTR or REMOVEXATTR, of some inode. */
void request_getxattr(struct kernel *kernel);
void request_setxattr(struct kernel *kernel);
