/*
 * Searches the process that must close a handle before its value is complete: its opener; once that
 * holds no descriptor of the file any more, the process that wrote every byte, which takes the
 * handle over. So a program that is started with the file as its output (Ruby's `system(cmd, out:
 * f)`, fish's `cmd > f`) is waited for like an opener.
 *
 * The program may be a shell whose children write: then the outermost ancestor of the writer that
 * has the file open counts as the writer.
 */
#include "takeover.h"
#include "fs_internal.h"

static void search_parent(struct close_search *search);
static void search_opener(struct close_search *search);

static void finish(struct close_search *search, enum fd_holding holding)
{
	close_search_cancel(search);
	search->done(search, holding);
}

void close_search_cancel(struct close_search *search)
{
	struct process *parent = search->parent, *flusher = search->flusher;

	if (!search->fs)
		return;
	wait_end(&search->freed);
	fdinfo_scan_cancel(&search->scan);
	search->parent = search->flusher = NULL;
	process_release(search->fs, parent);
	process_release(search->fs, flusher);
}

/* The handle is being freed while it is searched for. */
static void handle_freed(struct wait *freed)
{
	struct close_search *search = container_of(freed, struct close_search, freed);

	search->handle = NULL;
	finish(search, FD_HOLDING_UNKNOWN);
}

static void scan_process(struct close_search *search, struct process *process,
			 void (*done)(struct fdinfo_scan *scan, enum fd_holding holding))
{
	search->owners = search->handle->owners;
	search->scan = (struct fdinfo_scan){
		.fs = search->fs,
		.process = process,
		.thread = process == search->flusher ? search->thread : 0,
		.inode = search->handle->ino,
		.done = done,
	};
	fdinfo_scan_start(&search->scan);
}

static void begin(struct close_search *search)
{
	if (search->handle->writer.kind == WRITER_ONE)
		search_parent(search);
	else
		search_opener(search);
}

/* Begins again if another process has written meanwhile, or has taken the handle over: what was
 * found is of a process that may not count any more. Returns true if it has. */
static bool begins_again(struct close_search *search)
{
	if (search->owners == search->handle->owners)
		return false;
	begin(search);
	return true;
}

/* --- 1: has an ancestor of the writer the file open? */

static void on_parent(struct fdinfo_scan *scan, enum fd_holding holding)
{
	struct close_search *search = container_of(scan, struct close_search, scan);
	struct process *parent = search->parent;

	/* Init adopts orphans, and has none of their files open. */
	if (holding == FD_HOLDING_UNKNOWN && parent->id == 1)
		holding = FD_HOLDING_NONE;
	search->parent = NULL;
	if (holding == FD_HOLDING_SOME && search->owners == search->handle->owners) {
		writer_is_parent(search->fs, search->handle, parent);
		search_parent(search);
		return;
	}
	process_release(search->fs, parent);
	if (begins_again(search))
		return;
	if (holding == FD_HOLDING_NONE)
		search_opener(search);
	else
		finish(search, holding);
}

static void search_parent(struct close_search *search)
{
	const struct handle *handle = search->handle;
	struct process *parent;
	int failed;

	if (process_has_ended(handle->writer.process)) {
		search_opener(search);
		return;
	}
	failed = process_of_parent(search->fs, handle->writer.process, &parent);
	if (failed == -ENOBUFS) {
		finish(search, FD_HOLDING_UNSEEN);
	} else if (!parent || parent == handle->opener.process) {
		process_release(search->fs, parent);
		search_opener(search);
	} else {
		search->parent = parent;
		scan_process(search, parent, on_parent);
	}
}

/* --- 2: has the opener the file open? 3: has the writer? */

static void on_writer(struct fdinfo_scan *scan, enum fd_holding holding)
{
	struct close_search *search = container_of(scan, struct close_search, scan);
	struct handle *handle = search->handle;

	if (begins_again(search))
		return;
	if (holding == FD_HOLDING_SOME ||
	    (holding == FD_HOLDING_NONE && handle->writer.process == search->flusher))
		handle_take_over(search->fs, handle);
	finish(search, holding);
}

static void search_writer(struct close_search *search)
{
	const struct handle *handle = search->handle;

	if (handle->writer.kind == WRITER_ONE)
		scan_process(search, handle->writer.process, on_writer);
	else if (!search->flusher || search->flusher == handle->opener.process)
		finish(search, FD_HOLDING_NONE);
	else /* another process has written since this one closed, and has the file open */
		finish(search, FD_HOLDING_SOME);
}

static void on_opener(struct fdinfo_scan *scan, enum fd_holding holding)
{
	struct close_search *search = container_of(scan, struct close_search, scan);

	if (begins_again(search))
		return;
	if (holding == FD_HOLDING_NONE)
		search_writer(search);
	else
		finish(search, holding);
}

/* True if the opener has the file open on more than one handle: fdinfo does not show which one a
 * descriptor belongs to, so each FLUSH by the opener publishes. */
static bool opener_has_another(const struct handle *handle)
{
	const struct handle *other;

	LIST_FOREACH (other, &handle->file->handles, link)
		if (other != handle && other->opener.process == handle->opener.process)
			return true;
	return false;
}

static void search_opener(struct close_search *search)
{
	const struct handle *handle = search->handle;

	if (search->flusher == handle->opener.process && opener_has_another(handle))
		search_writer(search);
	else
		scan_process(search, handle->opener.process, on_opener);
}

void close_search_start(struct close_search *search, struct fs *fs, struct handle *handle)
{
	search->fs = fs;
	search->handle = handle;
	search->parent = NULL;
	search->scan = (struct fdinfo_scan){0};
	search->freed.woken = handle_freed;
	if (search->flusher)
		search->flusher->references++;
	wait_begin(&handle->freed, &search->freed);
	begin(search);
}
