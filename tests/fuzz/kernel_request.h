#ifndef TESTS_FUZZ_KERNEL_REQUEST_H
#define TESTS_FUZZ_KERNEL_REQUEST_H

#include "kernel.h"

/* Begins a request about the inode `number`, or on some open file or directory. NULL: too many are
 * waiting, as a kernel has such a limit too, or none is open. */
struct kernel_pending *request_begin(struct kernel *kernel, uint32_t opcode, uint64_t number);
struct kernel_pending *request_begin_on(struct kernel *kernel, uint32_t opcode, bool directory);
void request_add(struct kernel *kernel, const void *bytes, size_t length);
void request_add_text(struct kernel *kernel, const char *text);
/* From now on it is there to be read. */
void request_finish(struct kernel *kernel);

/* An inode, mostly one that the kernel knows. */
uint64_t some_node(struct kernel *kernel);
/* Anything but `.`, `..`, nothing, and what has a slash: the kernel keeps those to itself. */
void some_name(struct kernel *kernel, char name[static 1024]);
/* An open file or directory; NULL: there is none. */
struct kernel_handle *some_handle(struct kernel *kernel, bool directory);

#endif
