#pragma once

/*
 * What a daemon may still ask of the kernel once it is mounted, before it looks at another answer
 * of the service: the system calls that it makes.
 */

/*
 * Installs the filter of system calls, for all threads of the process. Returns 0, or a negative
 * errno; -ENOSYS where the kernel or this build has none, with the reason in `why`, or NULL where
 * none has to be told.
 */
int syscall_filter_install(const char **why);

/* The same, with a line in the log where there is none. 0, or a negative errno: the process is then
 * not to go on. */
int confine(void);
