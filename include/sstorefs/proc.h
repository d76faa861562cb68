#pragma once

#include <sys/types.h>

/* Files of proc(5). */

/* Reads a small file, up to `size` - 1 bytes, and appends a NUL. Returns its length, -ESRCH where
 * it is not visible, or -ENOBUFS when descriptors or memory ran out. */
ssize_t proc_read(int directory, const char *path, char *text, size_t size);

/* The same for the file `name` of a process. */
ssize_t proc_read_of(pid_t process, const char *name, char *text, size_t size);

/* Maps an errno of reading /proc, or of pidfd_open(2), to -ESRCH or -ENOBUFS, as above. */
int proc_error(int error);
