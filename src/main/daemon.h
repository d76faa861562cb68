#ifndef SSTOREFS_MAIN_DAEMON_H
#define SSTOREFS_MAIN_DAEMON_H

#include "mounting.h"
#include "sstorefs/config.h"

/* Exit statuses, as mount(8) has them. */
enum { STATUS_GOOD = 0, STATUS_USAGE = 1, STATUS_MOUNT_FAILED = 32 };

/*
 * Mounts, serves, and returns the exit status when the mount has ended. `ready` is called once the mount stands.
 */
int daemon_serve(struct config *config, const struct mounting *mounting, void (*ready)(void *context),
		 void *context);

/*
 * Goes on in a child process; the parent leaves with the status that the child tells, and never returns. Returns the descriptor to tell it through, or a
 * negative errno. Before the first secret is read: no copy of one stays behind in the parent, nor in its environment.
 */
int background_enter(const struct config *config);

/* The mount stands: the parent may leave with status 0, and the terminal is let go. */
void background_ready(int teller);

/* Above this size memory comes from the system and goes back to it: listings come and go, and must not leave holes behind. */
#define MMAP_THRESHOLD (128 << 10)

/* Raises the soft limit of open files to the hard one: each process that writes costs a descriptor. */
void descriptors_raise(void);

/* No more privileges can be had, where none is ever needed. Before the first secret. */
void privileges_freeze(const struct config *config);

/* Whether `user=` can work: who it names must be able to read the CA file, at every new connection. 0, or -EACCES and the like after one line on stderr. */
int privileges_check(const struct config *config);

/*
 * Gives up all that root has and becomes who `user=` names; nothing where nobody is named. What `pool` may hold can be locked afterwards, too. Returns 0
 * or a negative errno: the process is then not to go on.
 */
int privileges_drop(const struct config *config, struct locked_pool *pool);

#endif
