/*
 * Who still has to close a handle before its value is whole: the process that opened it; once that
 * has let go of it, the one that wrote every byte, which takes its place. A program that is started
 * with the file as its output (Ruby's `system(cmd, out: f)`, fish's `cmd > f`) waits and fails like
 * an opener.
 *
 * What is started so may be a shell, whose children write: the outermost ancestor of the writer
 * that holds the file answers for it.
 */
#include <errno.h>

#include "fdinfo_scan.h"
#include "file.h"
#include "fs_internal.h"
#include "inode.h"
#include "opener.h"
#include "takeover.h"

static void look_at_parent(struct close_search *search);
static void look_at_opener(struct close_search *search);

static void finish(struct close_search *search, enum fd_holding holding)
{
	close_search_cancel(search);
	search->done(search, holding);
}

void close_search_cancel(struct close_search *search)
{
	struct process *parent = search->parent;

	wait_end(&search->freed);
	fdinfo_scan_cancel(&search->scan);
	search->parent = NULL;
	if (search->fs)
		process_release(search->fs, parent);
}

/* The handle is being freed: nothing is left to be known of it. */
static void handle_freed(struct wait *freed)
{
	struct close_search *search = container_of(freed, struct close_search, freed);

	search->handle = NULL;
	finish(search, FD_HOLDING_UNKNOWN);
}

static void look(struct close_search *search, struct process *process,
		 void (*looked)(struct fdinfo_scan *look, enum fd_holding holding))
{
	search->scan = (struct fdinfo_scan){
		.fs = search->fs,
		.process = process,
		.thread = process == search->flusher ? search->thread : 0,
		.inode = search->handle->ino,
		.done = looked,
	};
	fdinfo_scan_start(&search->scan);
}

/* --- 1: does one of the writer's ancestors hold it?
 * ------------------------------------------------------------------------------ */

static void parent_looked(struct fdinfo_scan *look, enum fd_holding holding)
{
	struct close_search *search = container_of(look, struct close_search, scan);
	struct writer *writer = &search->handle->writer;
	struct process *parent = search->parent, *child = writer->process;

	/* The first process of all takes in orphans, and holds nothing of theirs. */
	if (holding == FD_HOLDING_UNKNOWN && parent->id == 1)
		holding = FD_HOLDING_NONE;
	search->parent = NULL;
	if (holding == FD_HOLDING_SOME) {
		writer->process = parent;
		writer->parent = 0;
		if (child == search->flusher)
			search->flusher = NULL;
		process_release(search->fs, child);
		look_at_parent(search);
		return;
	}
	process_release(search->fs, parent);
	if (holding == FD_HOLDING_NONE)
		look_at_opener(search);
	else
		finish(search, holding);
}

static void look_at_parent(struct close_search *search)
{
	const struct handle *handle = search->handle;
	struct process *parent;
	int failed;

	if (process_has_ended(handle->writer.process)) {
		look_at_opener(search);
		return;
	}
	failed = process_of_parent(search->fs, handle->writer.process, &parent);
	if (failed == -ENOBUFS) {
		finish(search, FD_HOLDING_UNSEEN);
	} else if (!parent || parent == handle->opener.process) {
		process_release(search->fs, parent);
		look_at_opener(search);
	} else {
		search->parent = parent;
		look(search, parent, parent_looked);
	}
}

/* --- 2: does the opener hold it? 3: does the writer?
 * ----------------------------------------------------------------------------- */

static void writer_looked(struct fdinfo_scan *look, enum fd_holding holding)
{
	struct close_search *search = container_of(look, struct close_search, scan);
	struct handle *handle = search->handle;

	if (holding == FD_HOLDING_SOME ||
	    (holding == FD_HOLDING_NONE && handle->writer.process == search->flusher))
		handle_take_over(search->fs, handle);
	finish(search, holding);
}

static void look_at_writer(struct close_search *search)
{
	if (search->handle->writer.kind == WRITER_ONE)
		look(search, search->handle->writer.process, writer_looked);
	else
		finish(search, FD_HOLDING_NONE);
}

static void opener_looked(struct fdinfo_scan *looked, enum fd_holding holding)
{
	struct close_search *search = container_of(looked, struct close_search, scan);

	if (holding == FD_HOLDING_NONE)
		look_at_writer(search);
	else
		finish(search, holding);
}

/* With the name open on more than one handle of a process, what is left in its table can't be told
 * apart: each FLUSH of it counts. */
static bool opener_has_another(const struct handle *handle)
{
	for (const struct handle *other = handle->file->handles; other; other = other->next)
		if (other != handle && other->opener.process == handle->opener.process)
			return true;
	return false;
}

static void look_at_opener(struct close_search *search)
{
	const struct handle *handle = search->handle;

	if (search->flusher == handle->opener.process && opener_has_another(handle))
		look_at_writer(search);
	else
		look(search, handle->opener.process, opener_looked);
}

void close_search_start(struct close_search *search, struct fs *fs, struct handle *handle)
{
	search->fs = fs;
	search->handle = handle;
	search->parent = NULL;
	search->scan = (struct fdinfo_scan){0};
	search->freed.woken = handle_freed;
	wait_begin(&handle->freed, &search->freed);
	if (handle->writer.kind == WRITER_ONE)
		look_at_parent(search);
	else
		look_at_opener(search);
}
