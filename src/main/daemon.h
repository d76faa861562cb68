#pragma once

#include "mounting.h"
#include "sstorefs/config.h"

/* Exit statuses, as mount(8) has them. */
enum { STATUS_GOOD = 0, STATUS_USAGE = 1, STATUS_MOUNT_FAILED = 32 };

/* Installs the filter of system calls for all threads of the process, before it reads another
 * response of the service; where the kernel or this build has none, the log says so. Returns 0, or
 * a negative errno after a line in the log: the process must then end. */
int syscall_filter_install(void);

/* Waits for a child that leaves with an errno; `child` is what fork returned. Returns that errno
 * negated, -ETIMEDOUT where SIGALRM ended the child, -ECANCELED where something else did, or what
 * fork failed with. */
int child_wait(pid_t child);

struct background {
	int status_fd; /* pipe on which the parent waits for the exit status */
	int null; /* what takes the place of the terminal: nothing can be opened for writing any
		     more by then */
};

/*
 * Goes on in a child process; the parent leaves with the status that the child tells, and never
 * returns. Returns 0, or a negative errno. Before the first secret is read: no copy of one stays
 * behind in the parent, nor in its environment.
 */
int daemonize_fork(struct background *background, const struct config *config);

/* Lets the parent leave with status 0, once the mount is made, and closes the terminal. */
void daemonize_detach(const struct background *background);

/* Mounts, serves, and returns the exit status when the mount has ended. Detaches from `background`
 * once the mount is made; NULL: it stays in the foreground. */
int daemon_serve(struct config *config, const struct mounting *mounting,
		 const struct background *background);

/* Above this size memory comes from the system and goes back to it: listings come and go, and must
 * not leave holes behind. */
#define MMAP_THRESHOLD (128 << 10)

/* Raises the soft limit of open files to the hard one: each writing process costs a descriptor. */
void descriptors_raise(void);

/* No more privileges can be had, where none is ever needed. Before the first secret. */
void privileges_freeze(const struct config *config);

/* Checks that `user=` can work: that user must be able to read the CA file, at every new
 * connection. Returns 0, or -EACCES and the like after one line on stderr. */
int privileges_check(const struct config *config);

/* In the process that unmounts: gives up all capabilities but CAP_SYS_ADMIN. 0, or a negative
 * errno. */
int privileges_keep_unmounting(void);

/* Gives up, after the mount, all capabilities but those that looking at writers takes, or, with
 * `user=`, becomes that user and keeps none. No privilege can be gained any more. All that `pool`
 * may hold can be locked afterwards, too. Returns 0, or a negative errno: the process must then
 * end. */
int switch_user(const struct config *config, struct locked_pool *pool);
