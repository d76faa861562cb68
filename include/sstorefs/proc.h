#pragma once

#include <sys/types.h>

/* Files of proc(5). */

/* Reads a small file, up to `size` - 1 bytes, and appends a NUL. Returns its length, -ESRCH where
 * it is not visible, or -ENOBUFS when descriptors or memory ran out. */
ssize_t proc_read(int directory, const char *path, char *text, size_t size);

/* The same for the file `name` of a process. */
ssize_t proc_read_of(pid_t process, const char *name, char *text, size_t size);

/* Reads `status` of a thread, or again by its open descriptor, and lets `text` point to all of it.
 * The text lasts until the next call of either. Return 0, -ESRCH or -ENOBUFS, as above. */
int proc_read_status(pid_t thread, const char **text);
int proc_reread_status(int fd, const char **text);

/* Maps an errno of reading /proc, or of pidfd_open(2), to -ESRCH or -ENOBUFS, as above. */
int proc_error(int error);
