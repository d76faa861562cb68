/* STATFS: the quota of secrets as inodes, where the service has one. */
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "deferred.h"
#include "fs_internal.h"
#include "operations.h"
#include "sstorefs/name.h"
#include "sstorefs/quota.h"

struct statfs_request {
	struct deferred deferred;
	struct quota_query query;
};

/* Without figures all are zero, which df shows as `-`. */
static void reply(fuse_req_t request, const struct quota_figures *quota)
{
	struct statvfs figures = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = NAME_LENGTH_MAX};

	if (quota->limit >= 0) {
		/* There may be more than the quota allows: it can shrink. */
		figures.f_files =
			(fsfilcnt_t)(quota->limit > quota->usage ? quota->limit : quota->usage);
		figures.f_ffree = figures.f_files - (fsfilcnt_t)quota->usage;
		figures.f_favail = figures.f_ffree;
	}
	fuse_reply_statfs(request, &figures);
}

static void on_quota(struct quota_query *query)
{
	struct statfs_request *statfs_request = container_of(query, struct statfs_request, query);

	reply(deferred_take(&statfs_request->deferred), &query->figures);
	free(statfs_request);
}

static void interrupted(struct deferred *deferred)
{
	struct statfs_request *statfs_request =
		container_of(deferred, struct statfs_request, deferred);

	quota_query_cancel(&statfs_request->query);
	deferred_reply_err(deferred, EINTR);
	free(statfs_request);
}

void fs_statfs(fuse_req_t request, fuse_ino_t number)
{
	struct fs *fs = fuse_req_userdata(request);
	struct statfs_request *statfs_request = calloc(1, sizeof *statfs_request);

	(void)number;
	if (!statfs_request) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	statfs_request->query = (struct quota_query){.deadline = fs_deadline(fs), .done = on_quota};
	deferred_begin(fs, &statfs_request->deferred, request, interrupted);
	quota_query_start(fs->catalog, &statfs_request->query);
}
