/* FLUSH and RELEASE: decide when a value is published (doc/semantics.md, rules 3 to 7). */
#include "flush.h"
#include "control.h"
#include "fs_internal.h"
#include "operations.h"
#include "staging.h"
#include "takeover.h"
#include "upload.h"

/* --- a FLUSH, or a WRITE under `commit=write`, that waits for its upload */

struct flush_request {
	struct deferred deferred;
	struct handle *handle; /* until the upload has begun */
	uint64_t owner;
	size_t written; /* bytes, the reply to a WRITE; 0: it is a FLUSH */
	enum flush_origin origin;
	struct close_search search;
};

static void flush_end(struct flush_request *flush, int error)
{
	if (!error && flush->written)
		fuse_reply_write(deferred_take(&flush->deferred), flush->written);
	deferred_end(&flush->deferred, error);
}

static void on_uploaded(struct wait *wait)
{
	struct flush_request *flush = container_of(wait, struct flush_request, deferred.wait);

	flush_end(flush, flush->deferred.upload->put.change.failure.errnum);
}

/* Wipes the value unpublished and fails the handle with `error`. Unlinks a staged file, so that
 * half a value cannot be renamed into place. */
static void discard_value(struct handle *handle, enum discard_reason reason, int error,
			  const char *message)
{
	struct file *file = handle->file;
	struct failure failure = {0};

	handle->file->fs->writes.discarded[reason]++;
	failure_set(&failure, error, "%s", message);
	fs_report(file->fs, "publish", file->store, file->name, &failure);
	handle_wipe(handle);
	handle->failed = error;
	if (file->staged)
		file_unlink(file);
}

static void discard_killed(struct handle *handle)
{
	discard_value(
		handle, DISCARD_KILLED, EINTR,
		"its writer was killed or failed before it had closed the file: nothing was stored");
}

static void flush_cancel(struct deferred *deferred)
{
	struct flush_request *flush = container_of(deferred, struct flush_request, deferred);
	struct upload *upload = deferred->upload;

	if (!upload) {
		close_search_cancel(&flush->search);
		/* No other FLUSH will come that could see that the writer was killed. */
		if (flush->origin == FLUSH_BY_DYING_WRITER)
			discard_killed(flush->handle);
		return;
	}
	wait_end(&deferred->wait);
	upload_interrupted(upload, deferred->cancels_upload);
}

static const struct deferred_kind flush_kind = {"flush", sizeof(struct flush_request), flush_cancel,
						NULL, true};

static void wait_for_upload(struct flush_request *flush)
{
	struct deferred *deferred = &flush->deferred;

	if (deferred->upload->done) {
		flush_end(flush, deferred->upload->put.change.failure.errnum);
	} else {
		deferred->wait.woken = on_uploaded;
		wait_begin(&deferred->upload->waits, &deferred->wait);
	}
}

static void publish_and_wait(struct flush_request *flush)
{
	struct failure failure;

	flush->deferred.upload = upload_start(flush->handle, &failure);
	if (flush->deferred.upload)
		wait_for_upload(flush);
	else
		flush_end(flush, failure.errnum);
}

static struct flush_request *flush_request_new(fuse_req_t request, struct handle *handle)
{
	struct flush_request *flush = deferred_new(&flush_kind, request, NULL, "");

	if (flush)
		flush->handle = handle;
	return flush;
}

void write_through(fuse_req_t request, struct handle *handle, size_t size)
{
	struct flush_request *flush = flush_request_new(request, handle);

	if (!flush)
		return;
	flush->written = size;
	if (!handle_is_publishable(handle))
		flush_end(flush, 0);
	else
		publish_and_wait(flush);
}

/* Logs the decision about a close, for -d. */
static void log_flush(const struct handle *handle, fuse_req_t request, const char *what)
{
	const struct fuse_ctx *context = fuse_req_ctx(request);
	const struct log_actor actor = {context->uid, context->gid, context->pid, "", ""};
	struct failure outcome = {0};

	failure_set(&outcome, 0, "%s", what);
	log_event(LOG_DEBUG, &(const struct log_event){.operation = "close",
						       .actor = &actor,
						       .store = store_name(handle->file->store),
						       .name = handle->file->name,
						       .failure = &outcome});
}

/* --- FLUSH: publishes if no process that writes the value has the file open any more */

static void note_degraded(struct fs *fs)
{
	if (!fs->owner_tracking_degraded)
		log_line(
			LOG_NOTICE,
			"a writer's process can't be seen in /proc: a writer that is killed half-way can't be told from one that is done (see CAVEATS in sstorefs(1))");
	fs->owner_tracking_degraded = true;
}

/* Publishes where /proc does not show the process: at the FLUSH of the lock owner that opened the
 * file, as far as that is known. */
static void flush_by_lock_owner(struct flush_request *flush)
{
	const struct opener *opener = &flush->handle->opener;

	note_degraded(flush->deferred.fs);
	if (opener->owner_known && !opener->owner_ambiguous && opener->owner == flush->owner) {
		log_flush(flush->handle, flush->deferred.request,
			  "by the opener, as far as is known: published");
		publish_and_wait(flush);
	} else {
		log_flush(flush->handle, flush->deferred.request,
			  "perhaps not by the opener: nothing is published yet");
		flush_end(flush, 0);
	}
}

static void discard_unobserved(struct handle *handle)
{
	discard_value(
		handle, DISCARD_UNOBSERVED, ENOBUFS,
		"there were not the descriptors, the memory or the time to see whether its writer had closed the file: nothing was stored; raise "
		"the daemon's limit of open files (LimitNOFILE=), or write from a program that has fewer files open");
}

/* True if FLUSH publishes: `commit=fsync` leaves that to FSYNC, and a staged value is published by
 * its rename. */
static bool flush_publishes(const struct handle *handle)
{
	return !handle->file->staged && handle->file->fs->config->commit != COMMIT_FSYNC;
}

static void on_search(struct close_search *search, enum fd_holding result)
{
	struct flush_request *flush = container_of(search, struct flush_request, search);
	fuse_req_t request = flush->deferred.request;
	struct handle *handle = search->handle;

	flush->deferred.is_deciding = false;
	if (!handle) {
		flush_end(flush, ENOTCONN);
	} else if (handle->failed || handle->file->unlinked) {
		/* A WRITE was refused or the name removed while the search ran. */
		flush_end(flush, handle->failed);
	} else if (result == FD_HOLDING_UNSEEN) {
		discard_unobserved(handle);
		flush_end(flush, ENOBUFS);
	} else if (result == FD_HOLDING_UNKNOWN && flush->origin == FLUSH_BY_OPENER) {
		flush_by_lock_owner(flush);
	} else if (result == FD_HOLDING_NONE && flush->origin != FLUSH_BY_DYING_WRITER &&
		   flush_publishes(handle)) {
		log_flush(handle, request, "the last by the opener: published");
		publish_and_wait(flush);
	} else {
		if (result == FD_HOLDING_UNKNOWN)
			note_degraded(flush->deferred.fs);
		if (result == FD_HOLDING_NONE && flush->origin == FLUSH_BY_DYING_WRITER)
			discard_killed(handle);
		log_flush(handle, request,
			  handle->failed ? "its writer was killed or failed: the value is wiped"
					 : "the file is still open, or not to be published yet");
		flush_end(flush, 0);
	}
}

static void flush_by_writer(struct flush_request *flush)
{
	struct handle *handle = flush->handle;

	flush->search.flusher =
		flush->origin == FLUSH_BY_OPENER ? handle->opener.process : handle->writer.process;
	flush->search.thread = fuse_req_ctx(flush->deferred.request)->pid;
	flush->search.done = on_search;
	flush->deferred.is_deciding = true;
	close_search_start(&flush->search, flush->deferred.fs, handle);
}

/* Decides about a FLUSH where no search for descriptors is needed. Returns the errno of the reply,
 * 0 or positive; -1 if a search is needed. */
static int flush_at_once(struct handle *handle, enum flush_origin origin, fuse_req_t request)
{
	switch (origin) {
	case FLUSH_BY_DYING_OPENER:
		log_flush(handle, request, "its writer was killed or failed: the value is wiped");
		discard_killed(handle);
		return 0;
	case FLUSH_UNSEEN:
		discard_unobserved(handle);
		return ENOBUFS;
	case FLUSH_BY_OTHER:
		log_flush(handle, request, "by another process: nothing is published yet");
		return 0;
	case FLUSH_BY_WRITER: /* the search finds the ancestor that answers for it */
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

static void flush_dirty(fuse_req_t request, struct handle *handle, uint64_t owner)
{
	enum flush_origin origin = handle_flush_origin(handle, fuse_req_ctx(request)->pid);
	int error = flush_at_once(handle, origin, request);
	struct flush_request *flush;

	if (error >= 0) {
		fuse_reply_err(request, error);
		return;
	}
	flush = flush_request_new(request, handle);
	if (!flush)
		return;
	flush->owner = owner;
	flush->origin = origin;
	if (origin == FLUSH_UNKNOWN)
		flush_by_lock_owner(flush);
	else
		flush_by_writer(flush);
}

/* What another descriptor, or another process's fsync, has published may still be in flight: the
 * writer's close waits for its outcome, or it would end with 0 for what is refused later. */
static void flush_clean(fuse_req_t request, struct handle *handle)
{
	struct upload *upload = upload_in_flight(handle);
	enum flush_origin origin =
		upload ? handle_flush_origin(handle, fuse_req_ctx(request)->pid) : FLUSH_BY_OTHER;
	struct flush_request *flush = NULL;

	if (origin == FLUSH_BY_OTHER || origin == FLUSH_BY_DYING_OPENER ||
	    origin == FLUSH_BY_DYING_WRITER)
		fuse_reply_err(request, 0);
	else
		flush = flush_request_new(request, handle);
	if (!flush) {
		upload_release(upload);
		return;
	}
	flush->deferred.upload = upload;
	wait_for_upload(flush);
}

void fs_flush(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct handle *handle = handle_of(info);

	if (number < fs->inode_base) {
		fuse_reply_err(request, 0);
		return;
	}
	if (!handle->opener.owner_known) { /* nothing was written yet */
		handle->opener.owner = info->lock_owner;
		handle->opener.owner_known = true;
		handle->opener.owner_opened = true;
	}
	if (handle->failed || handle->file->unlinked)
		fuse_reply_err(request, handle->failed);
	else if (!handle->dirty)
		flush_clean(request, handle);
	else
		flush_dirty(request, handle, info->lock_owner);
}

/* --- RELEASE: the last descriptor of a handle is closed */

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
	close_handle(handle_of(info));
	fuse_reply_err(request, 0);
}

void fs_release_all(struct fs *fs)
{
	struct file *file;

	deferred_abandon_handles(fs);
	/* Closing a handle may free its file, and others with it: begin again after each. */
	do {
		file = TAILQ_FIRST(&fs->files);
		while (file && LIST_EMPTY(&file->handles))
			file = TAILQ_NEXT(file, link);
		if (file)
			close_handle(LIST_FIRST(&file->handles));
	} while (file);
}
