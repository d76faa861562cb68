/*
 * When a value is published: FLUSH, FSYNC and RELEASE (DESIGN 3, rules 3 to 10). What publishing is, is upload.c; who is to close what, takeover.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "fs_internal.h"
#include "sstorefs/log.h"

/* --- answering once an upload has ended ------------------------------------------------------------------------------------------ */

/* A FLUSH or WRITE that waits for its upload. */
struct flushing {
	struct late late;
	struct handle *handle; /* until the upload has begun */
	uint64_t owner;
	size_t written; /* what a WRITE is answered with; 0: it is a FLUSH */
	enum flusher flusher;
	struct close_search search;
	struct upload *upload;
	struct wait wait;
};

static void flushing_end(struct flushing *flushing, int error)
{
	fuse_req_t request = late_take(&flushing->late);

	if (!error && flushing->written)
		fuse_reply_write(request, flushing->written);
	else
		fuse_reply_err(request, error);
	wait_end(&flushing->wait);
	upload_release(flushing->upload);
	free(flushing);
}

static void upload_ended(struct wait *wait)
{
	struct flushing *flushing = container_of(wait, struct flushing, wait);

	flushing_end(flushing, flushing->upload->publication.failure.error);
}

/* Nothing of what was written is published, and its writer is told `error` from now on. A staged file of it is nothing to be renamed. */
static void discard(struct handle *handle, int error, const char *words)
{
	struct failure failure = {0};

	failure_set(&failure, error, "%s", words);
	journal_record(handle->file->fs->options.journal, "publish", store_name(handle->file->store),
		       handle->file->name, &failure);
	handle_wipe(handle);
	handle->spent = error;
	if (handle->file->staged)
		file_unlink(handle->file);
}

static void discard_of_dying(struct handle *handle)
{
	discard(handle, EINTR,
		"its writer was killed or failed before it had closed the file: nothing was stored");
}

static void flushing_interrupted(struct late *late)
{
	struct flushing *flushing = container_of(late, struct flushing, late);
	struct upload *upload = flushing->upload;

	if (!upload) {
		close_search_cancel(&flushing->search);
		/* What it would have found out will not be asked again. */
		if (flushing->flusher == FLUSHER_WRITER_DYING)
			discard_of_dying(flushing->handle);
		flushing_end(flushing, EINTR);
		return;
	}
	wait_end(&flushing->wait);
	if (!upload->waits.first)
		upload_cancel(upload);
	flushing_end(flushing, EINTR);
}

static void publish_and_wait(struct flushing *flushing)
{
	struct failure failure;

	flushing->upload = upload_start(flushing->handle, &failure);
	if (!flushing->upload) {
		flushing_end(flushing, failure.error);
	} else if (flushing->upload->done) {
		flushing_end(flushing, flushing->upload->publication.failure.error);
	} else {
		flushing->wait.woken = upload_ended;
		wait_begin(&flushing->upload->waits, &flushing->wait);
	}
}

static struct flushing *flushing_new(struct fs *fs, fuse_req_t request, struct handle *handle)
{
	struct flushing *flushing = calloc(1, sizeof *flushing);

	if (!flushing) {
		fuse_reply_err(request, ENOMEM);
		return NULL;
	}
	flushing->handle = handle;
	late_begin(fs, &flushing->late, request, flushing_interrupted);
	return flushing;
}

/* Whether something was written that should go to the service now. */
bool handle_is_publishable(const struct handle *handle)
{
	return handle->due && !handle->spent && !handle->file->unlinked && !handle->file->staged;
}

void publication_of_write(struct fs *fs, fuse_req_t request, struct handle *handle, size_t size)
{
	struct flushing *flushing = flushing_new(fs, request, handle);

	if (!flushing)
		return;
	flushing->written = size;
	if (!handle_is_publishable(handle))
		flushing_end(flushing, 0);
	else
		publish_and_wait(flushing);
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

/* --- FLUSH: is it the last of who writes? --------------------------------------------------------------------------------------------- */

static void say_weaker(struct fs *fs)
{
	if (!fs->weaker)
		log_line(
			LOG_NOTICE,
			"a writer's process can't be seen in /proc: a writer that is killed half-way can't be told from one that is done (see CAVEATS in sstorefs(1))");
	fs->weaker = true;
}

/* Where processes can't be told: the FLUSH of the one who opened, as far as that is known, publishes. */
static void flush_by_owner(struct flushing *flushing)
{
	const struct opener *opener = &flushing->handle->opener;

	say_weaker(flushing->late.fs);
	if (opener->owner_known && !opener->owner_ambiguous && opener->owner == flushing->owner) {
		log_flush(flushing->handle, flushing->late.request,
			  "the opener's, as far as can be told: published");
		publish_and_wait(flushing);
	} else {
		log_flush(flushing->handle, flushing->late.request,
			  "perhaps not the opener's: nothing is published yet");
		flushing_end(flushing, 0);
	}
}

static void discard_unseen(struct handle *handle)
{
	discard(handle, ENOBUFS,
		"there were not the descriptors, the memory or the time to see whether its writer had closed the file: nothing was stored; raise "
		"the daemon's limit of open files (LimitNOFILE=), or write from a program that has fewer files open");
}

/* Whether a FLUSH may publish: with `commit=fsync` it is left to FSYNC, and what is staged to the rename. */
static bool flush_publishes(const struct handle *handle)
{
	return !handle->file->staged && handle->file->fs->config->commit != COMMIT_FSYNC;
}

static void searched(struct close_search *search, enum holding holding)
{
	struct flushing *flushing = container_of(search, struct flushing, search);
	fuse_req_t request = flushing->late.request;
	struct handle *handle = search->handle;

	if (!handle) {
		flushing_end(flushing, ENOTCONN);
	} else if (holding == HOLDING_UNSEEN) {
		discard_unseen(handle);
		flushing_end(flushing, ENOBUFS);
	} else if (holding == HOLDING_UNKNOWN && flushing->flusher == FLUSHER_OPENER) {
		flush_by_owner(flushing);
	} else if (holding == HOLDING_NONE && flushing->flusher != FLUSHER_WRITER_DYING &&
		   flush_publishes(handle)) {
		log_flush(handle, request, "the opener's last: published");
		publish_and_wait(flushing);
	} else {
		if (holding == HOLDING_UNKNOWN)
			say_weaker(flushing->late.fs);
		if (holding == HOLDING_NONE && flushing->flusher == FLUSHER_WRITER_DYING)
			discard_of_dying(handle);
		log_flush(handle, request,
			  handle->spent ? "its writer is dying: the value is wiped"
					: "it is still held, or not to be published yet");
		flushing_end(flushing, 0);
	}
}

static void flush_by_writer(struct flushing *flushing)
{
	struct handle *handle = flushing->handle;

	flushing->search.flusher =
		flushing->flusher == FLUSHER_OPENER ? handle->opener.process : handle->writer.process;
	flushing->search.thread = fuse_req_ctx(flushing->late.request)->pid;
	flushing->search.done = searched;
	close_search_start(&flushing->search, flushing->late.fs, handle);
}

/* What a FLUSH comes to that needs no search: an errno with which it is answered; -1: it needs one. */
static int flush_at_once(struct handle *handle, enum flusher flusher, fuse_req_t request)
{
	switch (flusher) {
	case FLUSHER_DYING:
		log_flush(handle, request, "its writer is dying: the value is wiped");
		discard_of_dying(handle);
		return 0;
	case FLUSHER_UNSEEN:
		discard_unseen(handle);
		return ENOBUFS;
	case FLUSHER_OTHER:
		log_flush(handle, request, "another process's: nothing is published yet");
		return 0;
	case FLUSHER_WRITER: /* it may be another's child, who answers for it from now on */
	case FLUSHER_WRITER_DYING:
		return -1;
	case FLUSHER_UNKNOWN:
	case FLUSHER_OPENER:
		break;
	}
	if (flush_publishes(handle))
		return -1;
	log_flush(handle, request, "nothing is published yet");
	return 0;
}

static void flush_due(struct fs *fs, fuse_req_t request, struct handle *handle, uint64_t owner)
{
	enum flusher flusher = handle_flusher(handle, fuse_req_ctx(request)->pid);
	int error = flush_at_once(handle, flusher, request);
	struct flushing *flushing;

	if (error >= 0) {
		fuse_reply_err(request, error);
		return;
	}
	flushing = flushing_new(fs, request, handle);
	if (!flushing)
		return;
	flushing->owner = owner;
	flushing->flusher = flusher;
	if (flusher == FLUSHER_UNKNOWN)
		flush_by_owner(flushing);
	else
		flush_by_writer(flushing);
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
	if (handle->spent || !handle->due || handle->file->unlinked)
		fuse_reply_err(request, handle->spent);
	else
		flush_due(fs, request, handle, info->lock_owner);
}

/* --- FSYNC: what is due, and what has become of the name ------------------------------------------------------------------------- */

struct syncing {
	struct late late;
	struct handle *handle;
	unsigned pass;
	struct close_search search; /* of another handle */
	struct upload *upload;	    /* of its own handle, when it has begun one */
	struct wait wait;
};

static void sync_others(struct syncing *syncing);

static void syncing_end(struct syncing *syncing, int error)
{
	wait_end(&syncing->wait);
	late_error(&syncing->late, error);
	upload_release(syncing->upload);
	free(syncing);
}

static void syncing_interrupted(struct late *late)
{
	struct syncing *syncing = container_of(late, struct syncing, late);
	struct upload *upload = syncing->upload;

	close_search_cancel(&syncing->search);
	wait_end(&syncing->wait);
	/* As with FLUSH: what nobody waits for any more is given up, or a killed writer would be stored after all. */
	if (upload && !upload->done && !upload->file->waits.first)
		upload_cancel(upload);
	syncing_end(syncing, EINTR);
}

/* Everything of the name has ended: the last failure that nobody was told of is told now, once. */
static void report(struct syncing *syncing)
{
	struct file *file = syncing->handle->file;
	int error = 0;

	if (syncing->handle->spent) {
		error = syncing->handle->spent;
	} else if (file->failure.error && !file->reported) {
		error = file->failure.error;
		file->reported = true;
	}
	syncing_end(syncing, error);
}

static void an_upload_ended(struct wait *wait)
{
	struct syncing *syncing = container_of(wait, struct syncing, wait);

	if (syncing->handle->file->uploads)
		wait_begin(&syncing->handle->file->waits, &syncing->wait);
	else
		report(syncing);
}

/* Publishes in the background: whoever wants to know waits for the file. */
void handle_publish(struct handle *handle)
{
	struct failure failure;

	upload_release(upload_start(handle, &failure));
}

static void sync_searched(struct close_search *search, enum holding holding)
{
	struct syncing *syncing = container_of(search, struct syncing, search);

	if (search->handle && holding == HOLDING_NONE && handle_is_publishable(search->handle))
		handle_publish(search->handle);
	sync_others(syncing);
}

static struct handle *next_other(struct syncing *syncing)
{
	for (struct handle *handle = syncing->handle->file->handles; handle; handle = handle->next)
		if (handle != syncing->handle && handle_is_publishable(handle) && handle->opener.process &&
		    handle->sync_pass != syncing->pass)
			return handle;
	return NULL;
}

/* Others' values are published only when their openers have closed them; never the half that somebody is still writing. */
static void sync_others(struct syncing *syncing)
{
	struct handle *other = next_other(syncing);

	if (!other || syncing->handle->file->unlinked) {
		an_upload_ended(&syncing->wait);
		return;
	}
	other->sync_pass = syncing->pass;
	syncing->search.done = sync_searched;
	close_search_start(&syncing->search, syncing->late.fs, other);
}

void fs_fsync(fuse_req_t request, fuse_ino_t number, int datasync, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct handle *handle = (struct handle *)(uintptr_t)info->fh;
	struct syncing *syncing;
	struct failure failure;

	(void)datasync;
	if (number < fs->inode_base) {
		fuse_reply_err(request, 0);
		return;
	}
	syncing = calloc(1, sizeof *syncing);
	if (!syncing) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	syncing->handle = handle;
	syncing->pass = ++fs->sync_pass;
	syncing->wait.woken = an_upload_ended;
	late_begin(fs, &syncing->late, request, syncing_interrupted);
	if (handle_is_publishable(handle))
		syncing->upload = upload_start(handle, &failure);
	sync_others(syncing);
}

/* --- RELEASE: nobody holds it any more ------------------------------------------------------------------------------------------- */

static void close_handle(struct handle *handle)
{
	if (handle_is_publishable(handle))
		handle_publish(handle);
	if (handle->file->staged)
		staging_touch(handle->file);
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

/* Whoever waits with a handle in his hand lets go of it: the mount is gone, and nobody reads the answer. What is on its way goes on. */
static void end_waiting_for_handles(struct fs *fs)
{
	struct late *late, *next;

	for (late = fs->first_late; late; late = next) {
		next = late->next;
		if (late->interrupted == flushing_interrupted) {
			if (!container_of(late, struct flushing, late)->upload)
				late->interrupted(late);
		} else if (late->interrupted == syncing_interrupted) {
			struct syncing *syncing = container_of(late, struct syncing, late);

			close_search_cancel(&syncing->search);
			syncing_end(syncing, ENOTCONN);
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
