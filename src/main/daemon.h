#ifndef SSTOREFS_MAIN_DAEMON_H
#define SSTOREFS_MAIN_DAEMON_H

#include "sstorefs/config.h"

/* Exit statuses, as mount(8) has them. */
enum { STATUS_GOOD = 0, STATUS_USAGE = 1, STATUS_MOUNT_FAILED = 32 };

/*
 * Mounts, serves, and returns the exit status when the mount has ended. `ready` is called once the mount stands.
 */
int daemon_serve(struct config *config, void (*ready)(void *context), void *context);

/*
 * Goes on in a child process; the parent leaves with the status that the child tells, and never returns. Returns the descriptor to tell it through, or a
 * negative errno. Before the first secret is read: no copy of one stays behind in the parent.
 */
int background_enter(void);

/* The mount stands: the parent may leave with status 0, and the terminal is let go. */
void background_ready(int teller);

/* Nothing of this process may be dumped or traced, and no more privileges be had. */
void harden(void);

#endif
