#pragma once

#include "sstorefs/buffer.h"
#include "sstorefs/config.h"

/*
 * The mount. This process makes it, and a helper process takes it away at the end, so that this one
 * may give away all that unmounting takes: CAP_SYS_ADMIN, and without root execve(2) for
 * fusermount3.
 */
struct mounting {
	const struct config *config;
	int helper; /* the socket to it; -1: there is none */
};

/* Forks the helper, before the first secret is read: it holds none. It ends with this process, and
 * replaces the command line in its copy of `argv` by a name of its own. There is no helper on
 * /dev/fd/N, where the process that opened it unmounts, nor with user=, where the mount is left and
 * refuses everything. Returns 0 or -errno. */
int mounting_begin(struct mounting *mounting, const struct config *config, int argc, char **argv);

/* Unmounts a mount of sstorefs whose daemon has died, and mounts. Returns the descriptor, or -errno
 * with a phrase in `why`. */
int mounting_mount(const struct mounting *mounting, struct mount_place *place, struct buffer *why);

/* Unmounts; logs why if that fails. */
void mounting_unmount(struct mounting *mounting);

/* Closes the socket to the helper, which then ends. */
void mounting_finish(struct mounting *mounting);
