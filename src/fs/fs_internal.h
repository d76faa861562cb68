#ifndef SSTOREFS_FS_FS_INTERNAL_H
#define SSTOREFS_FS_FS_INTERNAL_H

#include "fs_base.h"

#include "fdinfo_scan.h"
#include "precheck.h"
#include "sstorefs/change.h"
#include "sstorefs/fs.h"
#include "sstorefs/name.h"
#include "sstorefs/ordered_set.h"
#include "written.h"

struct fs {
	struct fs_options options;
	struct loop *loop;
	struct catalog *catalog;
	const struct config *config;
	const struct provider *provider;
	struct fuse_session *session;
	struct watch watch;
	struct fuse_buf receive; /* ours, locked (DESIGN 7) */
	size_t receive_size, max_write;
	struct task resize; /* after INIT the receive buffer may be smaller */
	bool mounted, unmounted, stopping;
	bool initialized;	     /* INIT was answered */
	char *reply_page;	     /* where small answers are put together */
	struct buffer xattr_scratch; /* the attribute that was asked for last: its memory serves the
					next one */

	uint64_t inode_base; /* inode number of serial 0 */
	wall_time_ns mounted_at;
	struct ordered_set files_by_entry_id, files_by_name;
	struct ordered_set processes;		/* those that have something open, by id */
	unsigned process_count, processes_most; /* each has a descriptor of ours */
	struct search_queue searches;
	struct recent_slot *recent;
	struct open_wait *first_open_wait,
		**last_open_wait; /* those that wait for a process's descriptor */
	struct task open_waits_task;
	struct file *first_file,
		**last_file;  /* all of them, in the order in which they were made */
	unsigned kept_errors; /* files that are kept only for the failure they remember */
	struct directory *first_directory; /* that is open */
	struct deferred *first_deferred;
	struct control_file *first_control_file;
	struct upload *first_upload;
	unsigned uploads;
	unsigned scan_pass;
	unsigned staged;
	struct timer staging_timer;
	struct retained *first_retained, **last_retained; /* the oldest first */
	unsigned retained;
	size_t retained_bytes; /* of locked memory */
	struct timer retained_timer;
	struct written written;	      /* what this mount has stored */
	bool owner_tracking_degraded; /* openers can't always be told (DESIGN 3, rule 7): said once
					 in the log, always in status */

	void (*drained)(void *context, unsigned lost);
	void *drained_context;
	struct timer drain_timer;
	struct task drain_task;
	unsigned lost_values;
};

/* --- the operations, a file each or so
 * ------------------------------------------------------------------------------------------ */

/* The end of one operation's budget that begins now. */
uint64_t fs_deadline(const struct fs *fs);
#endif
