#pragma once

#include "fs_base.h"

/*
 * Searches for descriptors of a file in /proc/PID/fdinfo.
 */

/* The result of a search: whether a process holds a descriptor of the file. */
enum fd_holding {
	FD_HOLDING_NONE,
	FD_HOLDING_SOME,
	FD_HOLDING_UNKNOWN, /* /proc does not show it */
	FD_HOLDING_UNSEEN,  /* descriptors, memory or time ran out */
};

/*
 * Searches whether a process holds a descriptor of `inode`. `done` is called once, perhaps from
 * within the start. A process that has ended holds none.
 */
struct fdinfo_scan {
	struct fs *fs;
	struct process *process;
	pid_t thread; /* of the process, known to be alive; 0: none is */
	fuse_ino_t inode;
	void (*done)(struct fdinfo_scan *scan, enum fd_holding result);

	pid_t id; /* internal from here */
	long position;
	uint64_t time_used;	       /* microseconds of processor time */
	TAILQ_ENTRY(fdinfo_scan) link; /* tqe_prev is NULL while it is not queued */
};

void fdinfo_scan_start(struct fdinfo_scan *scan);

void fdinfo_scan_cancel(struct fdinfo_scan *scan);
