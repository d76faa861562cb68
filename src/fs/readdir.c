/* READDIR: lists what a view of the directory has, and what is open here and not stored yet. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "deferred.h"
#include "directory.h"
#include "file.h"
#include "fs_internal.h"
#include "inode.h"
#include "operations.h"
#include "staging.h"

/* A READDIR, which may wait for the next page. */
struct readdir_request {
	struct deferred deferred;
	struct directory *directory;
	struct wait wait;
	struct timer timer;
	size_t size;
	off_t offset;
	bool plus;
};

/* The reply, as large as the kernel's buffer. */
struct dirent_buffer {
	struct fs *fs;
	fuse_req_t request;
	char *data;
	size_t size, used;
	off_t view; /* the bits of the view in its offsets */
	off_t last; /* the offset behind the last entry */
	bool plus, full;
};

static void read_on(fuse_req_t request, struct directory *directory, size_t size, off_t offset,
		    bool plus);

/* --- entries */

/* Adds one entry. Returns false if the buffer is full. READDIRPLUS shows an inode of INODE_NONE by
 * name and number alone. */
static bool add(struct dirent_buffer *buffer, const char *name, const struct inode *inode,
		off_t next)
{
	struct fuse_entry_param entry = {.attr = {.st_ino = inode->number, .st_mode = S_IFDIR}};
	char *at = buffer->data + buffer->used;
	size_t left = buffer->size - buffer->used, needed;

	if (buffer->plus && inode->kind != INODE_NONE)
		inode_entry(buffer->fs, inode, &entry);
	else
		entry.attr.st_mode =
			inode->kind == INODE_STAGED_LINK ? S_IFLNK
			: inode->kind == INODE_SECRET || inode->kind == INODE_CONTROL_FILE
				? S_IFREG
				: S_IFDIR;
	next += buffer->view;
	needed = buffer->plus
			 ? fuse_add_direntry_plus(buffer->request, at, left, name, &entry, next)
			 : fuse_add_direntry(buffer->request, at, left, name, &entry.attr, next);
	buffer->full = needed > left;
	if (buffer->full)
		return false;
	buffer->used += needed;
	buffer->last = next;
	return true;
}

static off_t add_dots(struct dirent_buffer *buffer, const struct directory *directory, off_t offset)
{
	static const char *const names[] = {".", ".."};

	/* INODE_NONE: the kernel must not count these as looked up. */
	for (; offset < FIRST_POSITION; offset++) {
		struct inode inode = {.kind = INODE_NONE,
				      .number = offset ? INODE_NUMBER_ROOT : directory->number};

		if (!add(buffer, names[offset], &inode, offset + 1))
			break;
	}
	return offset;
}

/* Returns the record as it is now; NULL if it was deleted or renamed since. */
static const struct record *present_record(const struct fs *fs, const struct record *record)
{
	const struct record *present = catalog_record(fs->catalog, record->entry_id);

	return present == record || (present && !strcmp(present->name, record->name)) ? present
										      : NULL;
}

/* Adds the records of a view that still exist, in its order. */
static off_t add_records(struct dirent_buffer *buffer, const struct directory *directory,
			 const struct snapshot *view, off_t offset)
{
	uint64_t position = (uint64_t)(offset - FIRST_POSITION) * POSITION_UNIT;
	struct inode inode = {.kind = directory->store ? INODE_SECRET : INODE_STORE,
			      .store = directory->store};
	const struct record *record;

	if (offset + buffer->view != directory->next)
		position = snapshot_align_position(view, position);
	while ((record = snapshot_next(view, &position))) {
		inode.record = present_record(buffer->fs, record);
		if (!inode.record)
			continue;
		inode.number = inode_number(buffer->fs, record->entry_id);
		inode.file = directory->store
				     ? file_find(buffer->fs, directory->store, record->name)
				     : NULL;
		offset = FIRST_POSITION + (off_t)(position / POSITION_UNIT);
		if (!add(buffer, record->name, &inode, offset))
			break;
	}
	return offset;
}

/* Adds files that were created here and are not stored yet, in the order of their creation. */
static void add_files(struct dirent_buffer *buffer, const struct directory *directory, off_t offset)
{
	uint32_t seen = offset > FILES_OFFSET ? (uint32_t)(offset - FILES_OFFSET) : 0;
	const struct file *in =
		directory->staged ? file_of_entry_id(buffer->fs, directory->staged) : NULL;
	struct file *file;

	if (directory->staged && !in)
		return;
	TAILQ_FOREACH (file, &buffer->fs->files, link) {
		const char *name = staging_name_in(file, in);
		struct inode inode;

		if (file->store != directory->store || !file_is_visible(file) ||
		    file->entry_id <= seen || file_is_stored(file) || !name)
			continue;
		inode_of_file(buffer->fs, file, &inode);
		if (!add(buffer, name, &inode, FILES_OFFSET + file->entry_id))
			return;
	}
}

static void add_control(struct dirent_buffer *buffer, off_t offset)
{
	for (; (unsigned)(offset - FIRST_POSITION) < control_count(); offset++) {
		unsigned control = (unsigned)(offset - FIRST_POSITION);
		struct inode inode;

		inode_find(buffer->fs, INODE_NUMBER_CONTROL_FIRST + control, &inode);
		if (!add(buffer, control_name(control), &inode, offset + 1))
			return;
	}
}

/* --- replies */

static void finish(struct deferred *deferred)
{
	struct readdir_request *pending = container_of(deferred, struct readdir_request, deferred);

	wait_end(&pending->wait);
	timer_stop(deferred->fs->loop, &pending->timer);
}

static const struct deferred_kind readdir_kind = {sizeof(struct readdir_request), NULL, finish};

static void on_page(struct wait *wait)
{
	struct readdir_request *pending = container_of(wait, struct readdir_request, wait);

	read_on(deferred_take(&pending->deferred), pending->directory, pending->size,
		pending->offset, pending->plus);
	deferred_end(&pending->deferred, 0);
}

static void on_deadline(struct timer *timer)
{
	deferred_end(&container_of(timer, struct readdir_request, timer)->deferred, ETIMEDOUT);
}

static void wait_for_page(fuse_req_t request, struct directory *directory, size_t size,
			  off_t offset, bool plus)
{
	struct readdir_request *pending = deferred_new(&readdir_kind, request, NULL, "");
	struct fs *fs = directory->fs;

	if (!pending)
		return;
	pending->directory = directory;
	pending->size = size;
	pending->offset = offset;
	pending->plus = plus;
	pending->wait.woken = on_page;
	pending->timer.expired = on_deadline;
	wait_begin(snapshot_waits(directory->views[0]), &pending->wait);
	/* A little later than the walk's own calls, which have the same deadline. */
	timer_start(fs->loop, &pending->timer, fs_deadline(fs) + 100);
}

static void reply_failure(fuse_req_t request, const struct directory *directory,
			  const struct failure *failure)
{
	error_log_report(directory->fs->options.error_log, "list",
			 directory->store ? store_name(directory->store) : NULL, "", failure);
	fuse_reply_err(request, failure->errnum);
}

/* Returns memory for a reply, which is kept from one READDIR to the next; NULL when it ran out. */
static char *grow_buffer(struct directory *directory, size_t size)
{
	char *data;

	if (size > directory->size) {
		data = realloc(directory->data, size);
		if (!data)
			return NULL;
		directory->data = data;
		directory->size = size;
	}
	return directory->data;
}

static void fill(struct dirent_buffer *buffer, struct directory *directory,
		 const struct snapshot *view, off_t offset)
{
	size_t used;

	if (offset < FIRST_POSITION)
		offset = add_dots(buffer, directory, offset);
	if (!buffer->full && directory->staged)
		add_files(buffer, directory, offset);
	else if (!buffer->full && !directory->has_listing)
		add_control(buffer, offset);
	if (!directory->has_listing)
		return;
	used = buffer->used;
	if (!buffer->full && offset < FILES_OFFSET)
		add_records(buffer, directory, view, offset);
	directory->has_shown = directory->has_shown || buffer->used > used;
	if (!buffer->full && directory->store && !snapshot_is_filling(view) &&
	    !snapshot_failure(view))
		add_files(buffer, directory, offset);
}

/* Replies with entries of `view`, or waits for its next page. */
static void read_view(fuse_req_t request, struct directory *directory, const struct snapshot *view,
		      struct dirent_buffer *buffer, off_t offset)
{
	bool grows = view && snapshot_is_filling(view);
	const struct failure *failure = view && !grows ? snapshot_failure(view) : NULL;

	fill(buffer, directory, view, offset % VIEW_OFFSET);
	if (buffer->used || buffer->full || (!grows && !failure)) {
		directory->next = buffer->last;
		fuse_reply_buf(request, buffer->data, buffer->used);
		return;
	}
	if ((failure || listing_last_refresh_failed(directory_listing(directory))) &&
	    view == directory->views[0] && directory_open_last_view(directory)) {
		read_on(request, directory, buffer->size, offset, buffer->plus);
		return;
	}
	if (grows)
		wait_for_page(request, directory, buffer->size, offset, buffer->plus);
	else
		reply_failure(request, directory, failure);
}

static void read_on(fuse_req_t request, struct directory *directory, size_t size, off_t offset,
		    bool plus)
{
	struct dirent_buffer buffer = {
		.fs = directory->fs, .request = request, .size = size, .plus = plus};
	const struct snapshot *view;

	buffer.data = grow_buffer(directory, size);
	if (!buffer.data) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	if (!directory_is_ready(directory)) {
		wait_for_page(request, directory, size, offset, plus);
		return;
	}
	view = directory_view(directory, offset);
	buffer.view = offset - offset % VIEW_OFFSET;
	if (view || !directory->has_listing)
		read_view(request, directory, view, &buffer, offset);
	else
		fuse_reply_buf(request, NULL, 0);
}

static void read_directory(fuse_req_t request, size_t size, off_t offset,
			   struct fuse_file_info *info, bool plus)
{
	struct directory *directory = directory_of(info);

	if (offset <= 0)
		offset = directory_rewind(directory);
	read_on(request, directory, size, offset, plus);
}

void fs_readdir(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
		struct fuse_file_info *info)
{
	(void)number;
	read_directory(request, size, offset, info, false);
}

void fs_readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	(void)number;
	read_directory(request, size, offset, info, true);
}
