#pragma once

#include "audit.h"
#include "deferred.h"
#include "fdinfo_scan.h"
#include "file.h"
#include "inode.h"
#include "precheck.h"
#include "write_counts.h"
#include "written.h"

/*
 * The state of a mount, and the headers that nearly all files of this folder need: a file includes
 * only what is not here.
 */
struct fs {
	struct fs_options options;
	struct loop *loop;
	struct catalog *catalog;
	const struct config *config;
	const struct provider *provider;
	struct fuse_session *session;
	struct watch watch;
	struct fuse_buf receive; /* ours, in locked memory: values arrive in it */
	size_t receive_size, max_write;
	struct task resize; /* after INIT the receive buffer may be smaller */
	bool mounted, unmounted, stopping;
	bool initialized;	      /* INIT was answered */
	bool has_awaited_description; /* a request is answered that await_description.c has held */
	char *reply_page;	      /* small replies are joined in it */

	uint64_t inode_base; /* inode number of entry id 0 */
	wall_time_ns mounted_at;
	struct ordered_set files_by_entry_id, files_by_name;
	struct ordered_set processes; /* that have a file open, by id; each costs a descriptor */
	unsigned process_count, processes_most;
	TAILQ_HEAD(, fdinfo_scan) scans; /* in the order in which they get slices of time */
	struct task scan_task;
	TAILQ_HEAD(, open_wait) open_waits; /* opens that wait for a process descriptor */
	struct task open_waits_task;	    /* queued when a descriptor is closed */
	TAILQ_HEAD(, file) files;	    /* the oldest first */
	unsigned kept_errors;		    /* files that are kept only for their failure */
	LIST_HEAD(, directory) directories; /* that are open */
	struct deferred_list deferred;
	LIST_HEAD(, control_file) control_files; /* that are open */
	LIST_HEAD(, upload) upload_list;
	unsigned uploads; /* in flight; searches that delay the end of the mount count too */
	unsigned scan_pass;
	unsigned staged; /* files */
	struct timer staging_timer;
	TAILQ_HEAD(, retained) retained; /* the oldest first */
	unsigned retained_count;
	size_t retained_bytes; /* of locked memory */
	struct timer retained_timer;
	struct written written; /* secrets that this mount has written */
	struct write_counts writes;
	bool owner_tracking_degraded; /* a writer's process was not visible in /proc */

	void (*drained)(void *context, unsigned lost);
	void *drained_context;
	struct timer drain_timer;
	struct task drain_task;
	unsigned lost_values;
};

/* Returns the deadline of an operation that starts now, in CLOCK_BOOTTIME milliseconds. */
static inline uint64_t fs_deadline(const struct fs *fs)
{
	return loop_now(fs->loop) + fs->config->timeout;
}
