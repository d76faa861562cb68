/* STATFS: the quota of secrets as inodes, where the service has one. */
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "fs_internal.h"
#include "sstorefs/name.h"
#include "sstorefs/quota.h"

struct counting {
	struct late late;
	struct quota_question question;
};

/* Without figures all are zero, which df shows as `-`. */
static void reply(fuse_req_t request, const struct quota_figures *quota)
{
	struct statvfs figures = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = NAME_LENGTH_MAX};

	if (quota->limit >= 0) {
		/* There may be more than the quota allows: it can shrink. */
		figures.f_files = (fsfilcnt_t)(quota->limit > quota->usage ? quota->limit : quota->usage);
		figures.f_ffree = figures.f_files - (fsfilcnt_t)quota->usage;
		figures.f_favail = figures.f_ffree;
	}
	fuse_reply_statfs(request, &figures);
}

static void counted(struct quota_question *question)
{
	struct counting *counting = container_of(question, struct counting, question);

	reply(late_take(&counting->late), &question->figures);
	free(counting);
}

static void interrupted(struct late *late)
{
	struct counting *counting = container_of(late, struct counting, late);

	quota_cancel(&counting->question);
	late_error(late, EINTR);
	free(counting);
}

void fs_statfs(fuse_req_t request, fuse_ino_t number)
{
	struct fs *fs = fuse_req_userdata(request);
	struct counting *counting = calloc(1, sizeof *counting);

	(void)number;
	if (!counting) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	counting->question = (struct quota_question){.deadline = fs_deadline(fs), .done = counted};
	late_begin(fs, &counting->late, request, interrupted);
	quota_ask(fs->catalog, &counting->question);
}
