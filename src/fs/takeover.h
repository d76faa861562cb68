#ifndef SSTOREFS_FS_TAKEOVER_H
#define SSTOREFS_FS_TAKEOVER_H

#include "fdinfo_scan.h"
#include "fs_base.h"

/*
 * * Who still has to close a handle before its value is whole: the process that opened it; once
 * that has let go of it, the one that wrote every byte, which takes its place. A program that is
 * started with the file as its output (Ruby's `system(cmd, out: f)`, fish's `cmd > f`) waits and
 * fails like an opener. * What is started so may be a shell, whose children write: the outermost
 * ancestor of the writer that holds the file answers for it.
 */

struct handle;
struct process;

/*
 * Whether somebody still has to close a handle before its value is whole: its opener, or the writer
 * that takes its place. `handle->opener.process` is known. `done` is called once, perhaps from
 * within the start; `handle` is NULL then if it was freed meanwhile.
 */
struct close_search {
	struct fs *fs;
	struct handle *handle;
	const struct process
		*flusher; /* the handle's opener or writer, if it is that one's FLUSH which asks; */
	pid_t thread;	  /* its thread, which closes */
	void (*done)(struct close_search *scan, enum fd_holding result);
	/* takeover.c's */
	struct process *parent;
	struct fdinfo_scan scan;
	struct wait freed;
};

void close_search_start(struct close_search *search, struct fs *fs, struct handle *handle);

void close_search_cancel(struct close_search *search);

#endif
