#ifndef SSTOREFS_FS_FDINFO_SCAN_H
#define SSTOREFS_FS_FDINFO_SCAN_H

#include "fs_base.h"

/*
 * Whether a process holds a descriptor of a file, as /proc/PID/fdinfo shows it.
 */

struct process;

/* The searches for descriptors that are under way, in the order in which they get their slices of
 * time (fdinfo_scan.c). */
struct search_queue {
	struct loop *loop;
	struct fdinfo_scan *first, **last;
	struct task task;
};

enum fd_holding {
	FD_HOLDING_NONE,
	FD_HOLDING_SOME,
	FD_HOLDING_UNKNOWN, /* /proc does not show it */
	FD_HOLDING_UNSEEN,  /* we have not the descriptors, the memory or the time to see it */
};

/*
 * Whether a process holds a descriptor of `inode`. `done` is called once, perhaps from within the
 * start. A process that is gone holds none.
 */
struct fdinfo_scan {
	struct fs *fs;
	struct process *process;
	pid_t thread; /* one that is known to live, as its descriptors are the process's; 0: none is
		       */
	fuse_ino_t inode;
	void (*done)(struct fdinfo_scan *scan, enum fd_holding result);
	/* fdinfo_scan.c's */
	pid_t id;
	long position;
	uint64_t time_used; /* microseconds of processor time */
	struct fdinfo_scan *next, **link;
};

void fdinfo_scan_start(struct fdinfo_scan *scan);

void fdinfo_scan_cancel(struct fdinfo_scan *scan);

void search_queue_init(struct search_queue *queue, struct loop *loop);

#endif
