#pragma once

#include "sstorefs/buffer.h"
#include "sstorefs/config.h"

/*
 * The mount, made by this process, and taken away at the end by another one, so that this one may
 * give away all that unmounting takes: CAP_SYS_ADMIN, and without root execve(2) for fusermount3.
 */
struct mounting {
	const struct config *config;
	int helper; /* the socket to it; -1: there is none */
};

/* Forks the helper, before the first secret is read: it holds none. It ends with this process,
 * whose argv, `argc` and `argv`, it overwrites with a name of its own. There is none on /dev/fd/N,
 * whose opener unmounts, nor with user=, whose mount is left to refuse everything. Returns 0 or a
 * negative errno. */
int mounting_begin(struct mounting *mounting, const struct config *config, int argc, char **argv);

/* Takes a dead mount of ours away, and mounts. Returns the descriptor, or a negative errno with a
 * phrase in `why`. */
int mounting_mount(const struct mounting *mounting, struct mount_place *place, struct buffer *why);

/* Unmounts, and logs if that can't be done. */
void mounting_unmount(struct mounting *mounting);

void mounting_finish(struct mounting *mounting);
