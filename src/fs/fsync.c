/* FSYNC: publishes dirty values and reports what became of the name (doc/semantics.md, rule 9). */
#include "fs_internal.h"
#include "operations.h"
#include "takeover.h"
#include "upload.h"

struct fsync_request {
	struct deferred deferred;
	struct handle *handle;
	unsigned pass;		    /* number of this FSYNC */
	struct close_search search; /* of another handle of the file */
};

static void fsync_cancel(struct deferred *deferred)
{
	struct fsync_request *fsync = container_of(deferred, struct fsync_request, deferred);
	struct upload *upload = deferred->upload;

	close_search_cancel(&fsync->search);
	wait_end(&deferred->wait);
	if (upload)
		upload_interrupted(upload, deferred->cancels_upload);
}

static const struct deferred_kind fsync_kind = {"fsync", sizeof(struct fsync_request), fsync_cancel,
						NULL, true};

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
	struct fsync_request *fsync = container_of(wait, struct fsync_request, deferred.wait);

	if (fsync->handle->file->uploads)
		wait_begin(&fsync->handle->file->waits, wait);
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
		wait_for_uploads(&fsync->deferred.wait);
		return;
	}
	other->scan_pass = fsync->pass;
	fsync->search.done = on_search;
	close_search_start(&fsync->search, fsync->deferred.fs, other);
}

void fs_fsync(fuse_req_t request, fuse_ino_t number, int datasync, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
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
	fsync->handle = handle_of(info);
	fsync->pass = ++fs->scan_pass;
	fsync->deferred.wait.woken = wait_for_uploads;
	if (handle_is_publishable(fsync->handle))
		fsync->deferred.upload = upload_start(fsync->handle, &failure);
	publish_others(fsync);
}
