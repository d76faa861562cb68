/*
 * The end of a mount: uploads what is complete, discards and names what is not (doc/semantics.md).
 */
#include "flush.h"
#include "fs_internal.h"
#include "retained.h"
#include "staging.h"
#include "takeover.h"
#include "upload.h"

static void finish(struct fs *fs)
{
	void (*drained)(void *context, unsigned lost) = fs->drained;

	fs->drained = NULL;
	timer_stop(fs->loop, &fs->drain_timer);
	drained(fs->drained_context, fs->lost_values);
}

static void finish_later(struct task *task)
{
	struct fs *fs = container_of(task, struct fs, drain_task);

	if (fs->drained && !fs->uploads)
		finish(fs);
}

static void out_of_time(struct timer *timer)
{
	struct fs *fs = container_of(timer, struct fs, drain_timer);

	fs->lost_values += fs->uploads;
	log_line(LOG_ERR, "%u uploads were not finished in time", fs->uploads);
	finish(fs);
}

/* Logs and counts a value that is not stored. */
static void record_lost(struct file *file, const char *why)
{
	struct failure failure = {0};

	failure_set(&failure, ESHUTDOWN, "%s", why);
	log_event(LOG_ERR, &(const struct log_event){.operation = "publish",
						     .store = store_name(file->store),
						     .name = file->name,
						     .failure = &failure,
						     .is_change = true});
	file->fs->lost_values++;
	file->fs->writes.discarded[DISCARD_UNMOUNTED]++;
}

static void discard_handle(struct handle *handle)
{
	struct file *file = handle->file;

	record_lost(file, "its writer had not closed it: nothing was stored");
	handle_wipe(handle);
	handle->failed = ESHUTDOWN;
}

/* A last search for one handle: its opener may have closed the file, while a child of the opener
 * holds it still. */
struct final_scan {
	struct fs *fs;
	struct file *file;
	struct close_search search;
};

static void on_search(struct close_search *search, enum fd_holding result)
{
	struct final_scan *final = container_of(search, struct final_scan, search);
	struct handle *handle = search->handle;
	struct fs *fs = final->fs;

	if (handle && handle_is_publishable(handle)) {
		if (result == FD_HOLDING_NONE)
			handle_publish(handle);
		else
			discard_handle(handle);
	}
	final->file->uploads--;
	fs->uploads--;
	file_put_if_unused(final->file);
	free(final);
	fs_check_drained(fs);
}

static void scan_handle(struct fs *fs, struct handle *handle)
{
	struct final_scan *final = handle->opener.process ? calloc(1, sizeof *final) : NULL;

	if (!final) {
		discard_handle(handle);
		return;
	}
	*final = (struct final_scan){.fs = fs, .file = handle->file, .search.done = on_search};
	/*
	 * Counts as an upload for the duration of the search, so that neither the file is freed nor
	 * the drain completes.
	 */
	handle->file->uploads++;
	fs->uploads++;
	close_search_start(&final->search, fs, handle);
}

/* Names the staged values, which will not be renamed any more. */
static void give_up_staged(struct fs *fs)
{
	struct file *file;

	TAILQ_FOREACH (file, &fs->files, link)
		if (staging_has_value(file) && !file->unlinked)
			record_lost(
				file,
				"this temporary file was not renamed to a secret: nothing was stored");
}

static struct handle *next_unfinished(struct fs *fs, unsigned pass)
{
	struct handle *handle;
	struct file *file;

	TAILQ_FOREACH (file, &fs->files, link)
		LIST_FOREACH (handle, &file->handles, link)
			if (handle->scan_pass != pass && handle_is_publishable(handle))
				return handle;
	return NULL;
}

/* Publishes what every process has closed, and discards the rest: it is not complete. */
static void give_up_unfinished(struct fs *fs)
{
	unsigned pass = ++fs->scan_pass;
	struct handle *handle;

	/* A scan may end at once and free files: begin again after each. */
	while ((handle = next_unfinished(fs, pass))) {
		handle->scan_pass = pass;
		scan_handle(fs, handle);
	}
}

void fs_drain(struct fs *fs, uint64_t deadline, void (*drained)(void *context, unsigned lost),
	      void *context)
{
	fs->stopping = true;
	fs->drained = drained;
	fs->drained_context = context;
	fs->drain_timer.expired = out_of_time;
	fs->drain_task.run = finish_later;
	timer_start(fs->loop, &fs->drain_timer, deadline);
	give_up_staged(fs);
	retained_free_all(fs);
	if (fs->unmounted)
		fs_release_all(fs); /* no descriptor is left */
	else
		give_up_unfinished(fs);
	fs_check_drained(fs);
}
