#pragma once

#include "fdinfo_scan.h"
#include "fs_base.h"

/*
 * The search for the process that must close a handle before its value is complete: the opener, or
 * the writer that takes the handle over.
 */

/*
 * Searches whether a process must still close a handle before its value is complete.
 * `handle->opener.process` must not be NULL. `done` is called once, perhaps from within the start;
 * `handle` is NULL then if it was freed meanwhile.
 */
struct close_search {
	struct fs *fs;
	struct handle *handle;
	struct process *flusher; /* whose FLUSH this is, the opener or writer; NULL: none */
	pid_t thread;		 /* of `flusher`, which closes */
	void (*done)(struct close_search *search, enum fd_holding result);

	struct process *parent; /* internal from here */
	unsigned owners;	/* handle->owners when the scan began */
	struct fdinfo_scan scan;
	struct wait freed;
};

void close_search_start(struct close_search *search, struct fs *fs, struct handle *handle);

/* Ends the search without a call of `done`. Does nothing for a zeroed or ended one. */
void close_search_cancel(struct close_search *search);
