#pragma once

#include "mounting.h"
#include "sstorefs/config.h"

/* Exit statuses, as mount(8) has them. */
enum { STATUS_GOOD = 0, STATUS_USAGE = 1, STATUS_MOUNT_FAILED = 32 };

/* Installs the filter of system calls for all threads of the process, before it reads another
 * response of the service; where the kernel or this build has none, the log says so. Returns 0, or
 * -errno after a line in the log: the process must then end. */
int syscall_filter_install(void);

/* Waits for a child process that exits with an errno; `child` is the result of fork. Returns that
 * errno negated, -ETIMEDOUT where SIGALRM ended the child, -ECANCELED where another signal did, or
 * -errno of fork. */
int child_wait(pid_t child);

struct background {
	int status_fd; /* pipe on which the parent waits for the exit status */
	int null; /* /dev/null, which takes the place of the terminal: nothing can be opened for
		     writing any more by then */
};

/*
 * Goes on in a child process; in the parent it never returns, but exits with the status that the
 * child sends. Call it before the first secret is read: no copy of one stays behind in the parent,
 * nor in its environment. Returns 0 or -errno.
 */
int daemonize_fork(struct background *background, const struct config *config);

/* Lets the parent leave with status 0, once the mount is made, and closes the terminal. */
void daemonize_detach(const struct background *background);

/* Mounts and serves until the mount has ended. Returns the exit status. Detaches from `background`
 * once the mount is made; NULL: it stays in the foreground. */
int daemon_serve(struct config *config, const struct mounting *mounting,
		 const struct background *background);

/* Bytes from which on memory is mapped from the system and unmapped when it is freed: listings must
 * not leave holes behind in the heap. */
#define MMAP_THRESHOLD (128 << 10)

/* Raises the soft limit of open files to the hard one: each writing process costs a descriptor. */
void descriptors_raise(void);

/* Rules out that privileges are gained, where none is ever needed. Call it before the first secret
 * is read. */
void privileges_freeze(const struct config *config);

/* Checks that `user=` can work: that user must be able to read the CA file, at every new
 * connection. Returns 0, or -errno (such as -EACCES) after one line on stderr. */
int privileges_check(const struct config *config);

/* Gives up all capabilities but CAP_SYS_ADMIN, in the process that unmounts. Returns 0 or -errno.
 */
int privileges_keep_unmounting(void);

/* Gives up, after the mount, all capabilities but those that looking at writers takes, or, with
 * `user=`, becomes that user and keeps none. No privilege can be gained any more. All that `pool`
 * may hold can be locked afterwards, too. Returns 0, or -errno: the process must then end. */
int switch_user(const struct config *config, struct locked_pool *pool);
