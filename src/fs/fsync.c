/* FSYNC: publishes what is dirty, and reports what became of the name (doc/semantics.md, rule 9).
 */
#include <errno.h>

#include "deferred.h"
#include "file.h"
#include "fs_internal.h"
#include "fsync.h"
#include "operations.h"
#include "takeover.h"
#include "upload.h"

struct fsync_request {
	struct deferred deferred;
	struct handle *handle;
	unsigned pass;		    /* number of this FSYNC */
	struct close_search search; /* of another handle of the file */
	struct upload *upload;	    /* of its own handle, when it has started one */
	struct wait wait;
};

static void fsync_finish(struct deferred *deferred)
{
	struct fsync_request *fsync = container_of(deferred, struct fsync_request, deferred);

	wait_end(&fsync->wait);
	upload_release(fsync->upload);
}

/* Cancels the upload it started, as FLUSH does, if nothing else waits for it: otherwise the value
 * of a killed writer would be stored after all. */
static void fsync_cancel(struct deferred *deferred)
{
	struct fsync_request *fsync = container_of(deferred, struct fsync_request, deferred);
	struct upload *upload = fsync->upload;

	close_search_cancel(&fsync->search);
	wait_end(&fsync->wait);
	if (upload && !upload->done && LIST_EMPTY(&upload->file->waits))
		upload_cancel(upload);
}

static const struct deferred_kind fsync_kind = {sizeof(struct fsync_request), fsync_cancel,
						fsync_finish};

/* Replies with the last failure of the name that was not reported yet, once. No upload of it is
 * left. */
static void report(struct fsync_request *fsync)
{
	struct file *file = fsync->handle->file;
	int error = fsync->handle->failed;

	if (!error && file->failure.errnum && !file->reported) {
		error = file->failure.errnum;
		file->reported = true;
	}
	deferred_end(&fsync->deferred, error);
}

static void wait_for_uploads(struct wait *wait)
{
	struct fsync_request *fsync = container_of(wait, struct fsync_request, wait);

	if (fsync->handle->file->uploads)
		wait_begin(&fsync->handle->file->waits, &fsync->wait);
	else
		report(fsync);
}

static void publish_others(struct fsync_request *fsync);

static void on_search(struct close_search *search, enum fd_holding result)
{
	struct fsync_request *fsync = container_of(search, struct fsync_request, search);

	if (search->handle && result == FD_HOLDING_NONE && handle_is_publishable(search->handle))
		handle_publish(search->handle);
	publish_others(fsync);
}

static struct handle *next_other(struct fsync_request *fsync)
{
	struct handle *handle;

	LIST_FOREACH (handle, &fsync->handle->file->handles, link)
		if (handle != fsync->handle && handle_is_publishable(handle) &&
		    handle->opener.process && handle->scan_pass != fsync->pass)
			return handle;
	return NULL;
}

/* Publishes what other handles of the file hold, if their openers have closed them; never the half
 * of a value that is still being written. */
static void publish_others(struct fsync_request *fsync)
{
	struct handle *other = next_other(fsync);

	if (!other || fsync->handle->file->unlinked) {
		wait_for_uploads(&fsync->wait);
		return;
	}
	other->scan_pass = fsync->pass;
	fsync->search.done = on_search;
	close_search_start(&fsync->search, fsync->deferred.fs, other);
}

void fs_fsync(fuse_req_t request, fuse_ino_t number, int datasync, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct handle *handle = handle_of(info);
	struct fsync_request *fsync;
	struct failure failure;

	(void)datasync;
	if (number < fs->inode_base) {
		fuse_reply_err(request, 0);
		return;
	}
	fsync = deferred_new(&fsync_kind, request, NULL, "");
	if (!fsync)
		return;
	fsync->handle = handle;
	fsync->pass = ++fs->scan_pass;
	fsync->wait.woken = wait_for_uploads;
	if (handle_is_publishable(handle))
		fsync->upload = upload_start(handle, &failure);
	publish_others(fsync);
}

void fsyncs_abandon(struct fs *fs)
{
	struct deferred *deferred, *next;

	for (deferred = LIST_FIRST(&fs->deferred); deferred; deferred = next) {
		next = LIST_NEXT(deferred, link);
		if (deferred->kind != &fsync_kind)
			continue;
		close_search_cancel(
			&container_of(deferred, struct fsync_request, deferred)->search);
		deferred_end(deferred, ENOTCONN);
	}
}
