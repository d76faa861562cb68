/* STATFS: the quota of secrets as inodes, where the service has one. */
#include <sys/statvfs.h>

#include "fs_internal.h"
#include "operations.h"
#include "sstorefs/quota.h"

struct statfs_request {
	struct deferred deferred;
	struct quota_query query;
};

/* Answers with zeros where there are no figures, which df shows as `-`. */
static void on_quota(struct quota_query *query)
{
	struct statfs_request *pending = container_of(query, struct statfs_request, query);
	const struct quota_figures *quota = &query->figures;
	struct statvfs figures = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = NAME_LENGTH_MAX};

	if (quota->limit >= 0) {
		/* There may be more secrets than the quota allows: it can shrink. */
		figures.f_files =
			(fsfilcnt_t)(quota->limit > quota->usage ? quota->limit : quota->usage);
		figures.f_ffree = figures.f_files - (fsfilcnt_t)quota->usage;
		figures.f_favail = figures.f_ffree;
	}
	fuse_reply_statfs(deferred_take(&pending->deferred), &figures);
	deferred_end(&pending->deferred, 0);
}

static void cancel(struct deferred *deferred)
{
	quota_query_cancel(&container_of(deferred, struct statfs_request, deferred)->query);
}

static const struct deferred_kind statfs_kind = {"statfs", sizeof(struct statfs_request), cancel};

void fs_statfs(fuse_req_t request, fuse_ino_t number)
{
	struct fs *fs = fuse_req_userdata(request);
	struct statfs_request *pending;
	struct inode inode;

	inode_find(fs, number, &inode);
	pending = deferred_new(&statfs_kind, request, inode.store, "");
	if (!pending)
		return;
	pending->query = (struct quota_query){
		.store = inode.store, .deadline = fs_deadline(fs), .done = on_quota};
	quota_query_start(fs->catalog, &pending->query);
}
