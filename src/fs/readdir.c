/*
 * Reads directories. Each open directory keeps the snapshot it was opened on, so that offsets stay
 * valid however the listing changes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "deferred.h"
#include "file.h"
#include "fs_internal.h"
#include "inode.h"
#include "operations.h"
#include "staging.h"

/*
 * Offsets: 0 the beginning, 1 behind ".", 2 behind "..", then the snapshot's positions (in units of
 * 4, behind FIRST_POSITION); behind them, from FILES_OFFSET on, serial numbers of files that are
 * open and not stored yet. Above all that the view's number: rewinding takes a new view, and
 * offsets in the one before it stay good.
 */
#define POSITION_UNIT  4
#define FIRST_POSITION 2
#define FILES_OFFSET   (INT64_C(1) << 48)
#define VIEW_OFFSET    (INT64_C(1) << 49)
#define VIEWS_MAX      (1u << 13) /* then they are numbered from 0 again */

struct directory {
	struct fs *fs;
	fuse_ino_t number;
	struct store
		*store;	  /* referenced; NULL: the root of all stores, or the control directory */
	bool has_listing; /* not that of the control directory, nor a staged one */
	uint32_t staged;  /* serial number of a staged directory; 0: it is none */
	struct snapshot *views[2]; /* the present one, and the one before */
	unsigned view;		   /* number of the present one */
	bool has_shown;	    /* the present view was read from: it can't be exchanged any more */
	bool awaiting_view; /* the present view is too old: another one is taken when it has stopped
			       growing */
	off_t next;	    /* where the last answer ended: that needs no check */
	char *data;	    /* the last answer */
	size_t size;
	struct directory *following, **link; /* the fs's list */
};

/* A READDIR that waits for the next page. */
struct readdir_request {
	struct deferred deferred;
	struct directory *directory;
	struct wait wait;
	struct timer timer;
	size_t size;
	off_t offset;
	bool plus;
};

/* What fits the kernel's buffer. */
struct dirent_buffer {
	struct fs *fs;
	fuse_req_t request;
	char *data;
	size_t size, used;
	off_t view; /* what its offsets have on top */
	off_t last; /* the offset behind the last entry */
	bool plus, full;
};

static void read_on(struct fs *fs, fuse_req_t request, struct directory *directory, size_t size,
		    off_t offset, bool plus);

static struct listing *listing_of(const struct directory *directory)
{
	return directory->store ? store_secrets(directory->store)
				: catalog_stores(directory->fs->catalog);
}

/* --- views
 * -------------------------------------------------------------------------------------------------------------------
 */

static void set_view(struct directory *directory, struct snapshot *view)
{
	snapshot_release(directory->views[0]);
	directory->views[0] = view;
	directory->awaiting_view = snapshot_is_stale(view);
}

/* Takes what the directory shows now. If it can't be told, what was shown before stays. */
static void open_view(struct directory *directory, struct failure *failure)
{
	struct snapshot *view = listing_open_view(listing_of(directory), failure);

	if (!view || view == directory->views[0]) {
		snapshot_release(view);
		return;
	}
	if (directory->has_shown) {
		snapshot_release(directory->views[1]);
		directory->views[1] = snapshot_reference(directory->views[0]);
		directory->view = (directory->view + 1) % VIEWS_MAX;
		directory->has_shown = false;
	}
	set_view(directory, view);
}

/* The service can't be asked: what is known from before will do, if nothing of another view was
 * shown yet. */
static bool open_last_view(struct directory *directory)
{
	struct snapshot *known =
		directory->has_shown ? NULL : listing_last_complete(listing_of(directory));

	if (known == directory->views[0] || !known) {
		snapshot_release(known);
		return false;
	}
	set_view(directory, known);
	return true;
}

/* The snapshot that an offset is in; NULL for one that was given up. */
static struct snapshot *view_of(const struct directory *directory, off_t offset)
{
	unsigned view = (unsigned)(offset / VIEW_OFFSET) % VIEWS_MAX;

	if (view == directory->view)
		return directory->views[0];
	return (view + 1) % VIEWS_MAX == directory->view ? directory->views[1] : NULL;
}

/* --- opening and closing
 * -----------------------------------------------------------------------------------------------------
 */

static struct directory *directory_new(struct fs *fs, const struct inode *inode)
{
	struct directory *directory = calloc(1, sizeof *directory);

	if (!directory)
		return NULL;
	directory->fs = fs;
	directory->number = inode->number;
	directory->has_listing = inode->kind == INODE_ROOT || inode->kind == INODE_STORE;
	directory->staged = inode->kind == INODE_STAGED_DIRECTORY ? inode->file->entry_id : 0;
	directory->store = inode->store ? store_reference(inode->store) : NULL;
	directory->following = fs->first_directory;
	directory->link = &fs->first_directory;
	if (directory->following)
		directory->following->link = &directory->following;
	fs->first_directory = directory;
	return directory;
}

static void directory_free(struct directory *directory)
{
	*directory->link = directory->following;
	if (directory->following)
		directory->following->link = directory->link;
	snapshot_release(directory->views[0]);
	snapshot_release(directory->views[1]);
	store_release(directory->store);
	free(directory->data);
	free(directory);
}

void directories_forget(struct fs *fs)
{
	while (fs->first_directory)
		directory_free(fs->first_directory);
}

void fs_opendir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct directory *directory;
	struct failure failure = {0};
	struct inode inode;

	inode_find(fs, number, &inode);
	if (!inode_listing(fs, &inode) && inode.kind != INODE_CONTROL_DIRECTORY &&
	    inode.kind != INODE_STAGED_DIRECTORY) {
		fuse_reply_err(request, inode.kind == INODE_NONE ? ENOENT : ENOTDIR);
		return;
	}
	directory = directory_new(fs, &inode);
	if (!directory) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	if (directory->has_listing)
		open_view(directory, &failure);
	if (failure.errnum) {
		error_log_report(fs->options.error_log, "list",
				 inode.store ? store_name(inode.store) : NULL, "", &failure);
		directory_free(directory);
		fuse_reply_err(request, failure.errnum);
		return;
	}
	info->fh = (uint64_t)(uintptr_t)directory;
	/* An interrupted opendir: there will be no RELEASEDIR. */
	if (fuse_reply_open(request, info) == -ENOENT)
		directory_free(directory);
}

void fs_releasedir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	(void)number;
	directory_free((struct directory *)(uintptr_t)info->fh);
	fuse_reply_err(request, 0);
}

void fs_fsyncdir(fuse_req_t request, fuse_ino_t number, int datasync, struct fuse_file_info *info)
{
	(void)number;
	(void)datasync;
	(void)info;
	fuse_reply_err(request, 0);
}

/* --- what is in it
 * -----------------------------------------------------------------------------------------------------------
 */

/* Adds one entry; `inode` with number 0 is shown by name alone, so that the kernel asks about it
 * when somebody wants to know. */
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

	/* The kernel knows what these are: an inode that is not looked up. */
	for (; offset < FIRST_POSITION; offset++) {
		struct inode inode = {.kind = INODE_NONE,
				      .number = offset ? INODE_NUMBER_ROOT : directory->number};

		if (!add(buffer, names[offset], &inode, offset + 1))
			break;
	}
	return offset;
}

/* A record as it is known now; NULL if it was deleted or renamed since. */
static const struct record *present_record(const struct fs *fs, const struct record *record)
{
	const struct record *present = catalog_record(fs->catalog, record->entry_id);

	return present == record || (present && !strcmp(present->name, record->name)) ? present
										      : NULL;
}

/* The snapshot tells which there were, and in what order. */
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

/* What was created here and is not stored yet, in the order of its making. */
static void add_files(struct dirent_buffer *buffer, const struct directory *directory, off_t offset)
{
	uint32_t seen = offset > FILES_OFFSET ? (uint32_t)(offset - FILES_OFFSET) : 0;
	const struct file *in =
		directory->staged ? file_of_entry_id(buffer->fs, directory->staged) : NULL;

	for (struct file *file = buffer->fs->first_file; file && (in || !directory->staged);
	     file = file->next) {
		struct inode inode = {
			.kind = staging_kind(file), .file = file, .store = file->store};
		const char *name = staging_name_in(file, in);

		if (file->store != directory->store || !file_is_visible(file) ||
		    file->entry_id <= seen || file_is_stored(file) || !name)
			continue;
		inode.number = inode_number(buffer->fs, file->entry_id);
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

/* --- answering
 * ----------------------------------------------------------------------------------------------------------------
 */

static void readdir_request_end(struct readdir_request *pending)
{
	wait_end(&pending->wait);
	timer_stop(pending->deferred.fs->loop, &pending->timer);
	free(pending);
}

static void on_page(struct wait *wait)
{
	struct readdir_request *pending = container_of(wait, struct readdir_request, wait);
	struct fs *fs = pending->deferred.fs;
	fuse_req_t request = deferred_take(&pending->deferred);

	read_on(fs, request, pending->directory, pending->size, pending->offset, pending->plus);
	readdir_request_end(pending);
}

static void readdir_request_interrupted(struct deferred *deferred)
{
	struct readdir_request *pending = container_of(deferred, struct readdir_request, deferred);

	deferred_reply_err(deferred, EINTR);
	readdir_request_end(pending);
}

static void readdir_request_timed_out(struct timer *timer)
{
	struct readdir_request *pending = container_of(timer, struct readdir_request, timer);

	deferred_reply_err(&pending->deferred, ETIMEDOUT);
	readdir_request_end(pending);
}

static void wait_for_page(struct fs *fs, fuse_req_t request, struct directory *directory,
			  size_t size, off_t offset, bool plus)
{
	struct readdir_request *pending = calloc(1, sizeof *pending);

	if (!pending) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	*pending = (struct readdir_request){
		.directory = directory, .size = size, .offset = offset, .plus = plus};
	pending->wait.woken = on_page;
	pending->timer.expired = readdir_request_timed_out;
	deferred_begin(fs, &pending->deferred, request, readdir_request_interrupted);
	wait_begin(snapshot_waits(directory->views[0]), &pending->wait);
	/* The walk's own calls end in time; a little later than they do. */
	timer_start(fs->loop, &pending->timer, fs_deadline(fs) + 100);
}

static void reply_failure(struct fs *fs, fuse_req_t request, const struct directory *directory,
			  const struct failure *failure)
{
	error_log_report(fs->options.error_log, "list",
			 directory->store ? store_name(directory->store) : NULL, "", failure);
	fuse_reply_err(request, failure->errnum);
}

/* The answer's memory is kept from one READDIR to the next. */
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

/* Whether the present view can be read from now; if not, it has to be waited for. */
static bool view_is_ready(struct directory *directory)
{
	struct failure failure = {0};

	while (directory->awaiting_view) {
		if (snapshot_is_stale(directory->views[0]))
			return listing_last_refresh_failed(listing_of(directory)) &&
			       open_last_view(directory);
		directory->awaiting_view = false;
		open_view(directory, &failure);
	}
	return true;
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

/* What is in the present view, or was in the one before. */
static void read_view(struct fs *fs, fuse_req_t request, struct directory *directory,
		      const struct snapshot *view, struct dirent_buffer *buffer, off_t offset)
{
	bool grows = view && snapshot_is_filling(view);
	const struct failure *failure = view && !grows ? snapshot_failure(view) : NULL;

	fill(buffer, directory, view, offset % VIEW_OFFSET);
	if (buffer->used || buffer->full || (!grows && !failure)) {
		directory->next = buffer->last;
		fuse_reply_buf(request, buffer->data, buffer->used);
		return;
	}
	if ((failure || listing_last_refresh_failed(listing_of(directory))) &&
	    view == directory->views[0] && open_last_view(directory)) {
		read_on(fs, request, directory, buffer->size, offset, buffer->plus);
		return;
	}
	if (grows)
		wait_for_page(fs, request, directory, buffer->size, offset, buffer->plus);
	else
		reply_failure(fs, request, directory, failure);
}

static void read_on(struct fs *fs, fuse_req_t request, struct directory *directory, size_t size,
		    off_t offset, bool plus)
{
	struct dirent_buffer buffer = {.fs = fs, .request = request, .size = size, .plus = plus};
	const struct snapshot *view;

	buffer.data = grow_buffer(directory, size);
	if (!buffer.data) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	if (!view_is_ready(directory)) {
		wait_for_page(fs, request, directory, size, offset, plus);
		return;
	}
	view = view_of(directory, offset);
	buffer.view = offset - offset % VIEW_OFFSET;
	if (view || !directory->has_listing)
		read_view(fs, request, directory, view, &buffer, offset);
	else
		fuse_reply_buf(request, NULL, 0);
}

/* From the beginning: what there is now, however long ago it was opened. The beginning of another
 * view has its number on top, but for the very first. */
static off_t begin(struct directory *directory)
{
	struct failure failure = {0};

	if (directory->has_listing)
		open_view(directory, &failure);
	return directory->view * VIEW_OFFSET;
}

static void read_directory(fuse_req_t request, size_t size, off_t offset,
			   struct fuse_file_info *info, bool plus)
{
	struct directory *directory = (struct directory *)(uintptr_t)info->fh;

	if (offset <= 0)
		offset = begin(directory);
	read_on(directory->fs, request, directory, size, offset, plus);
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
