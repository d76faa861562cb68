/* FLUSH, FSYNC and RELEASE: decides when a value is published (doc/semantics.md). */
#include <errno.h>
#include <stdlib.h>

#include "audit.h"
#include "control.h"
#include "deferred.h"
#include "fdinfo_scan.h"
#include "file.h"
#include "flush.h"
#include "fs_internal.h"
#include "opener.h"
#include "operations.h"
#include "sstorefs/log.h"
#include "staging.h"
#include "takeover.h"
#include "upload.h"
#include "value.h"
#include "written.h"

/* --- answering once an upload has ended
 * ------------------------------------------------------------------------------------------ */

/* A FLUSH or WRITE that waits for its upload. */
struct flush_request {
	struct deferred deferred;
	struct handle *handle; /* until the upload has begun */
	uint64_t owner;
	size_t written; /* what a WRITE is answered with; 0: it is a FLUSH */
	enum flush_origin flusher;
	struct close_search scan;
	struct upload *upload;
	struct wait wait;
};

static void flush_request_end(struct flush_request *flush, int error)
{
	fuse_req_t request = deferred_take(&flush->deferred);

	if (!error && flush->written)
		fuse_reply_write(request, flush->written);
	else
		fuse_reply_err(request, error);
	wait_end(&flush->wait);
	upload_release(flush->upload);
	free(flush);
}

static void upload_ended(struct wait *wait)
{
	struct flush_request *flush = container_of(wait, struct flush_request, wait);

	flush_request_end(flush, flush->upload->put.change.failure.errnum);
}

/* Nothing of what was written is published, and its writer is told `error` from now on. A staged
 * file of it is nothing to be renamed. */
static void discard_value(struct handle *handle, int error, const char *words)
{
	struct failure failure = {0};

	failure_set(&failure, error, "%s", words);
	error_log_report(handle->file->fs->options.error_log, "publish",
			 store_name(handle->file->store), handle->file->name, &failure);
	handle_wipe(handle);
	handle->failed = error;
	if (handle->file->staged)
		file_unlink(handle->file);
}

static void discard_of_dying(struct handle *handle)
{
	discard_value(
		handle, EINTR,
		"its writer was killed or failed before it had closed the file: nothing was stored");
}

static void flush_request_interrupted(struct deferred *deferred)
{
	struct flush_request *flush = container_of(deferred, struct flush_request, deferred);
	struct upload *upload = flush->upload;

	if (!upload) {
		close_search_cancel(&flush->scan);
		/* What it would have found out will not be asked again. */
		if (flush->flusher == FLUSH_BY_DYING_WRITER)
			discard_of_dying(flush->handle);
		flush_request_end(flush, EINTR);
		return;
	}
	wait_end(&flush->wait);
	if (LIST_EMPTY(&upload->waits))
		upload_cancel(upload);
	flush_request_end(flush, EINTR);
}

static void publish_and_wait(struct flush_request *flush)
{
	struct failure failure;

	flush->upload = upload_start(flush->handle, &failure);
	if (!flush->upload) {
		flush_request_end(flush, failure.errnum);
	} else if (flush->upload->done) {
		flush_request_end(flush, flush->upload->put.change.failure.errnum);
	} else {
		flush->wait.woken = upload_ended;
		wait_begin(&flush->upload->waits, &flush->wait);
	}
}

static struct flush_request *flush_request_new(struct fs *fs, fuse_req_t request,
					       struct handle *handle)
{
	struct flush_request *flush = calloc(1, sizeof *flush);

	if (!flush) {
		fuse_reply_err(request, ENOMEM);
		return NULL;
	}
	flush->handle = handle;
	deferred_begin(fs, &flush->deferred, request, flush_request_interrupted);
	return flush;
}

/* Whether something was written that should go to the service now. */
bool handle_is_publishable(const struct handle *handle)
{
	return handle->dirty && !handle->failed && !handle->file->unlinked && !handle->file->staged;
}

void write_through(struct fs *fs, fuse_req_t request, struct handle *handle, size_t size)
{
	struct flush_request *flush = flush_request_new(fs, request, handle);

	if (!flush)
		return;
	flush->written = size;
	if (!handle_is_publishable(handle))
		flush_request_end(flush, 0);
	else
		publish_and_wait(flush);
}

/* For -d: what becomes of a close. */
static void log_flush(const struct handle *handle, fuse_req_t request, const char *what)
{
	const struct fuse_ctx *context = fuse_req_ctx(request);
	const struct log_actor who = {context->uid, context->gid, context->pid, "", ""};
	struct failure words = {0};

	failure_set(&words, 0, "%s", what);
	log_event(LOG_DEBUG, &(const struct log_event){.operation = "close",
						       .actor = &who,
						       .store = store_name(handle->file->store),
						       .name = handle->file->name,
						       .failure = &words});
}

/* --- FLUSH: is it the last of who writes?
 * --------------------------------------------------------------------------------------------- */

static void say_weaker(struct fs *fs)
{
	if (!fs->owner_tracking_degraded)
		log_line(
			LOG_NOTICE,
			"a writer's process can't be seen in /proc: a writer that is killed half-way can't be told from one that is done (see CAVEATS in sstorefs(1))");
	fs->owner_tracking_degraded = true;
}

/* Where processes can't be told: the FLUSH of the one who opened, as far as that is known,
 * publishes. */
static void flush_by_lock_owner(struct flush_request *flush)
{
	const struct opener *opener = &flush->handle->opener;

	say_weaker(flush->deferred.fs);
	if (opener->owner_known && !opener->owner_ambiguous && opener->owner == flush->owner) {
		log_flush(flush->handle, flush->deferred.request,
			  "the opener's, as far as can be told: published");
		publish_and_wait(flush);
	} else {
		log_flush(flush->handle, flush->deferred.request,
			  "perhaps not the opener's: nothing is published yet");
		flush_request_end(flush, 0);
	}
}

static void discard_unseen(struct handle *handle)
{
	discard_value(
		handle, ENOBUFS,
		"there were not the descriptors, the memory or the time to see whether its writer had closed the file: nothing was stored; raise "
		"the daemon's limit of open files (LimitNOFILE=), or write from a program that has fewer files open");
}

/* Whether a FLUSH may publish: with `commit=fsync` it is left to FSYNC, and what is staged to the
 * rename. */
static bool flush_publishes(const struct handle *handle)
{
	return !handle->file->staged && handle->file->fs->config->commit != COMMIT_FSYNC;
}

static void searched(struct close_search *search, enum fd_holding result)
{
	struct flush_request *flush = container_of(search, struct flush_request, scan);
	fuse_req_t request = flush->deferred.request;
	struct handle *handle = search->handle;

	if (!handle) {
		flush_request_end(flush, ENOTCONN);
	} else if (result == FD_HOLDING_UNSEEN) {
		discard_unseen(handle);
		flush_request_end(flush, ENOBUFS);
	} else if (result == FD_HOLDING_UNKNOWN && flush->flusher == FLUSH_BY_OPENER) {
		flush_by_lock_owner(flush);
	} else if (result == FD_HOLDING_NONE && flush->flusher != FLUSH_BY_DYING_WRITER &&
		   flush_publishes(handle)) {
		log_flush(handle, request, "the opener's last: published");
		publish_and_wait(flush);
	} else {
		if (result == FD_HOLDING_UNKNOWN)
			say_weaker(flush->deferred.fs);
		if (result == FD_HOLDING_NONE && flush->flusher == FLUSH_BY_DYING_WRITER)
			discard_of_dying(handle);
		log_flush(handle, request,
			  handle->failed ? "its writer is dying: the value is wiped"
					 : "it is still held, or not to be published yet");
		flush_request_end(flush, 0);
	}
}

static void flush_by_writer(struct flush_request *flush)
{
	struct handle *handle = flush->handle;

	flush->scan.flusher =
		flush->flusher == FLUSH_BY_OPENER ? handle->opener.process : handle->writer.process;
	flush->scan.thread = fuse_req_ctx(flush->deferred.request)->pid;
	flush->scan.done = searched;
	close_search_start(&flush->scan, flush->deferred.fs, handle);
}

/* What a FLUSH comes to that needs no search: an errno with which it is answered; -1: it needs one.
 */
static int flush_at_once(struct handle *handle, enum flush_origin origin, fuse_req_t request)
{
	switch (origin) {
	case FLUSH_BY_DYING_OPENER:
		log_flush(handle, request, "its writer is dying: the value is wiped");
		discard_of_dying(handle);
		return 0;
	case FLUSH_UNSEEN:
		discard_unseen(handle);
		return ENOBUFS;
	case FLUSH_BY_OTHER:
		log_flush(handle, request, "another process's: nothing is published yet");
		return 0;
	case FLUSH_BY_WRITER: /* it may be another's child, who answers for it from now on */
	case FLUSH_BY_DYING_WRITER:
		return -1;
	case FLUSH_UNKNOWN:
	case FLUSH_BY_OPENER:
		break;
	}
	if (flush_publishes(handle))
		return -1;
	log_flush(handle, request, "nothing is published yet");
	return 0;
}

static void flush_dirty(struct fs *fs, fuse_req_t request, struct handle *handle, uint64_t owner)
{
	enum flush_origin origin = handle_flush_origin(handle, fuse_req_ctx(request)->pid);
	int error = flush_at_once(handle, origin, request);
	struct flush_request *flush;

	if (error >= 0) {
		fuse_reply_err(request, error);
		return;
	}
	flush = flush_request_new(fs, request, handle);
	if (!flush)
		return;
	flush->owner = owner;
	flush->flusher = origin;
	if (origin == FLUSH_UNKNOWN)
		flush_by_lock_owner(flush);
	else
		flush_by_writer(flush);
}

void fs_flush(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct handle *handle = (struct handle *)(uintptr_t)info->fh;

	if (number < fs->inode_base) {
		fuse_reply_err(request, 0);
		return;
	}
	if (!handle->opener.owner_known) { /* nothing was written yet */
		handle->opener.owner = info->lock_owner;
		handle->opener.owner_known = true;
		handle->opener.owner_opened = true;
	}
	if (handle->failed || !handle->dirty || handle->file->unlinked)
		fuse_reply_err(request, handle->failed);
	else
		flush_dirty(fs, request, handle, info->lock_owner);
}

/* --- FSYNC: what is due, and what has become of the name
 * ------------------------------------------------------------------------- */

struct fsync_request {
	struct deferred deferred;
	struct handle *handle;
	unsigned pass;
	struct close_search scan; /* of another handle */
	struct upload *upload;	  /* of its own handle, when it has begun one */
	struct wait wait;
};

static void sync_others(struct fsync_request *fsync);

static void fsync_request_end(struct fsync_request *fsync, int error)
{
	wait_end(&fsync->wait);
	deferred_reply_err(&fsync->deferred, error);
	upload_release(fsync->upload);
	free(fsync);
}

static void fsync_request_interrupted(struct deferred *deferred)
{
	struct fsync_request *fsync = container_of(deferred, struct fsync_request, deferred);
	struct upload *upload = fsync->upload;

	close_search_cancel(&fsync->scan);
	wait_end(&fsync->wait);
	/* As with FLUSH: what nobody waits for any more is given up, or a killed writer would be
	 * stored after all. */
	if (upload && !upload->done && LIST_EMPTY(&upload->file->waits))
		upload_cancel(upload);
	fsync_request_end(fsync, EINTR);
}

/* Everything of the name has ended: the last failure that nobody was told of is told now, once. */
static void report(struct fsync_request *fsync)
{
	struct file *file = fsync->handle->file;
	int error = 0;

	if (fsync->handle->failed) {
		error = fsync->handle->failed;
	} else if (file->failure.errnum && !file->reported) {
		error = file->failure.errnum;
		file->reported = true;
	}
	fsync_request_end(fsync, error);
}

static void an_upload_ended(struct wait *wait)
{
	struct fsync_request *fsync = container_of(wait, struct fsync_request, wait);

	if (fsync->handle->file->uploads)
		wait_begin(&fsync->handle->file->waits, &fsync->wait);
	else
		report(fsync);
}

/* Publishes in the background: whoever wants to know waits for the file. */
void handle_publish(struct handle *handle)
{
	struct failure failure;

	upload_release(upload_start(handle, &failure));
}

static void sync_searched(struct close_search *search, enum fd_holding result)
{
	struct fsync_request *fsync = container_of(search, struct fsync_request, scan);

	if (search->handle && result == FD_HOLDING_NONE && handle_is_publishable(search->handle))
		handle_publish(search->handle);
	sync_others(fsync);
}

static struct handle *next_other(struct fsync_request *fsync)
{
	for (struct handle *handle = fsync->handle->file->handles; handle; handle = handle->next)
		if (handle != fsync->handle && handle_is_publishable(handle) &&
		    handle->opener.process && handle->scan_pass != fsync->pass)
			return handle;
	return NULL;
}

/* Others' values are published only when their openers have closed them; never the half that
 * somebody is still writing. */
static void sync_others(struct fsync_request *fsync)
{
	struct handle *other = next_other(fsync);

	if (!other || fsync->handle->file->unlinked) {
		an_upload_ended(&fsync->wait);
		return;
	}
	other->scan_pass = fsync->pass;
	fsync->scan.done = sync_searched;
	close_search_start(&fsync->scan, fsync->deferred.fs, other);
}

void fs_fsync(fuse_req_t request, fuse_ino_t number, int datasync, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct handle *handle = (struct handle *)(uintptr_t)info->fh;
	struct fsync_request *fsync;
	struct failure failure;

	(void)datasync;
	if (number < fs->inode_base) {
		fuse_reply_err(request, 0);
		return;
	}
	fsync = calloc(1, sizeof *fsync);
	if (!fsync) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	fsync->handle = handle;
	fsync->pass = ++fs->scan_pass;
	fsync->wait.woken = an_upload_ended;
	deferred_begin(fs, &fsync->deferred, request, fsync_request_interrupted);
	if (handle_is_publishable(handle))
		fsync->upload = upload_start(handle, &failure);
	sync_others(fsync);
}

/* --- RELEASE: nobody holds it any more
 * ------------------------------------------------------------------------------------------- */

static void close_handle(struct handle *handle)
{
	if (handle_is_publishable(handle))
		handle_publish(handle);
	if (handle->file->staged)
		staging_refresh_age(handle->file);
	handle_free(handle);
}

void fs_release(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);

	if (number < fs->inode_base) {
		control_release(request, info);
		return;
	}
	close_handle((struct handle *)(uintptr_t)info->fh);
	fuse_reply_err(request, 0);
}

/*
 * The mount is gone: completes waiting FLUSH and FSYNC requests, whose replies go nowhere. Uploads
 * in flight continue.
 */
static void end_waiting_for_handles(struct fs *fs)
{
	struct deferred *deferred, *next;

	for (deferred = fs->first_deferred; deferred; deferred = next) {
		next = deferred->next;
		if (deferred->interrupted == flush_request_interrupted) {
			if (!container_of(deferred, struct flush_request, deferred)->upload)
				deferred->interrupted(deferred);
		} else if (deferred->interrupted == fsync_request_interrupted) {
			struct fsync_request *fsync =
				container_of(deferred, struct fsync_request, deferred);

			close_search_cancel(&fsync->scan);
			fsync_request_end(fsync, ENOTCONN);
		}
	}
}

void fs_release_all(struct fs *fs)
{
	struct file *file;

	end_waiting_for_handles(fs);
	/* Closing a handle may free its file, and others with it: begin again after each. */
	do {
		file = fs->first_file;
		while (file && !file->handles)
			file = file->next;
		if (file)
			close_handle(file->handles);
	} while (file);
}
