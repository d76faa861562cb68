/* READDIR: lists what a view of the directory has, and what is open here and not stored yet. */
#include "control.h"
#include "directory.h"
#include "fs_internal.h"
#include "operations.h"
#include "staging.h"

/* A READDIR and its reply, as large as the kernel's buffer. */
struct reading {
	struct fs *fs;
	fuse_req_t request;
	struct directory *directory;
	size_t size;
	off_t offset;
	bool plus;
	char *data;
	size_t used;
	off_t view; /* the bits of the view in its offsets */
	off_t last; /* the offset behind the last entry */
	bool full;
};

/* A READDIR that waits for the next page. */
struct readdir_request {
	struct deferred deferred;
	struct reading reading;
};

static void read_on(struct reading *reading);

/* --- entries */

/* Adds one entry. Returns false if the buffer is full. READDIRPLUS shows an inode of INODE_NONE by
 * name and number alone. */
static bool add(struct reading *reading, const char *name, const struct inode *inode, off_t next)
{
	struct fuse_entry_param entry = {.attr.st_ino = inode->number};
	char *at = reading->data + reading->used;
	size_t left = reading->size - reading->used, needed;

	if (reading->plus && inode->kind != INODE_NONE)
		inode_entry(reading->fs, inode, &entry);
	else
		entry.attr.st_mode = inode_mode(reading->fs, inode);
	next += reading->view;
	needed = reading->plus
			 ? fuse_add_direntry_plus(reading->request, at, left, name, &entry, next)
			 : fuse_add_direntry(reading->request, at, left, name, &entry.attr, next);
	reading->full = needed > left;
	if (reading->full)
		return false;
	reading->used += needed;
	reading->last = next;
	return true;
}

static off_t add_dots(struct reading *reading, off_t offset)
{
	static const char *const names[] = {".", ".."};

	/* INODE_NONE: the kernel must not count these as looked up. */
	for (; offset < FIRST_POSITION; offset++) {
		struct inode inode = {.kind = INODE_NONE,
				      .number = offset ? INODE_NUMBER_ROOT
						       : reading->directory->number};

		if (!add(reading, names[offset], &inode, offset + 1))
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
static off_t add_records(struct reading *reading, const struct snapshot *view, off_t offset)
{
	const struct directory *directory = reading->directory;
	uint64_t position = (uint64_t)(offset - FIRST_POSITION) * POSITION_UNIT;
	struct inode inode = {.kind = directory->store ? INODE_SECRET : INODE_STORE,
			      .store = directory->store};
	const struct record *record;

	if (offset + reading->view != directory->next)
		position = snapshot_align_position(view, position);
	while ((record = snapshot_next(view, &position))) {
		inode.record = present_record(reading->fs, record);
		if (!inode.record)
			continue;
		inode.number = inode_number(reading->fs, record->entry_id);
		inode.file = file_find(reading->fs, directory->store, record->name);
		offset = FIRST_POSITION + (off_t)(position / POSITION_UNIT);
		if (!add(reading, record->name, &inode, offset))
			break;
	}
	return offset;
}

/* Adds files that were created here and are not stored yet, in the order of their creation. */
static void add_files(struct reading *reading, off_t offset)
{
	const struct directory *directory = reading->directory;
	uint32_t seen = offset > FILES_OFFSET ? (uint32_t)(offset - FILES_OFFSET) : 0;
	const struct file *in =
		directory->staged ? file_of_entry_id(reading->fs, directory->staged) : NULL;
	struct file *file;

	if (directory->staged && !in)
		return;
	TAILQ_FOREACH (file, &reading->fs->files, link) {
		const char *name = staging_name_in(file, in);
		struct inode inode;

		if (file->store != directory->store || !file_is_visible(file) ||
		    file->entry_id <= seen || file_is_stored(file) || !name)
			continue;
		inode_of_file(reading->fs, file, &inode);
		if (!add(reading, name, &inode, FILES_OFFSET + file->entry_id))
			return;
	}
}

static void add_control(struct reading *reading, off_t offset)
{
	struct inode inode;

	for (; offset < FIRST_POSITION + CONTROL_COUNT; offset++) {
		inode_find(reading->fs,
			   (fuse_ino_t)(INODE_NUMBER_CONTROL_FIRST + offset - FIRST_POSITION),
			   &inode);
		if (!add(reading, inode.control->name, &inode, offset + 1))
			return;
	}
}

/* --- replies */

static const struct deferred_kind readdir_kind = {"list", sizeof(struct readdir_request)};

static void on_page(struct wait *wait)
{
	struct readdir_request *pending = container_of(wait, struct readdir_request, deferred.wait);

	pending->reading.request = deferred_take(&pending->deferred);
	read_on(&pending->reading);
	deferred_end(&pending->deferred, 0);
}

static void on_deadline(struct timer *timer)
{
	deferred_end(container_of(timer, struct deferred, timer), ETIMEDOUT);
}

static void wait_for_page(const struct reading *reading)
{
	struct readdir_request *pending = deferred_new(&readdir_kind, reading->request, NULL, "");
	struct deferred *deferred;

	if (!pending)
		return;
	deferred = &pending->deferred;
	pending->reading = *reading;
	deferred->wait.woken = on_page;
	deferred->timer.expired = on_deadline;
	wait_begin(snapshot_waits(reading->directory->views[0]), &deferred->wait);
	/* A little later than the walk's own calls, which have the same deadline. */
	if (timer_start(deferred->fs->loop, &deferred->timer, fs_deadline(deferred->fs) + 100))
		deferred_end(deferred, ENOMEM);
}

/* Makes room for a reply in memory that is kept from one READDIR to the next. Returns false when
 * memory ran out. */
static bool reserve(struct reading *reading)
{
	struct directory *directory = reading->directory;

	if (reading->size > directory->size) {
		char *data = realloc(directory->data, reading->size);

		if (!data)
			return false;
		directory->data = data;
		directory->size = reading->size;
	}
	reading->data = directory->data;
	return true;
}

static void fill(struct reading *reading, const struct snapshot *view)
{
	struct directory *directory = reading->directory;
	off_t offset = reading->offset % VIEW_OFFSET;
	size_t used;

	if (offset < FIRST_POSITION)
		offset = add_dots(reading, offset);
	if (!reading->full && directory->staged)
		add_files(reading, offset);
	else if (!reading->full && !directory->has_listing)
		add_control(reading, offset);
	if (!directory->has_listing)
		return;
	used = reading->used;
	if (!reading->full && offset < FILES_OFFSET)
		add_records(reading, view, offset);
	directory->has_shown |= reading->used > used;
	if (!reading->full && directory->store && !snapshot_is_filling(view) &&
	    !snapshot_failure(view))
		add_files(reading, offset);
}

/* Replies with entries of `view`, or waits for its next page. */
static void read_view(struct reading *reading, const struct snapshot *view)
{
	struct directory *directory = reading->directory;
	bool grows = view && snapshot_is_filling(view);
	const struct failure *failure = view && !grows ? snapshot_failure(view) : NULL;

	fill(reading, view);
	if (reading->used || reading->full || (!grows && !failure)) {
		directory->next = reading->last;
		fuse_reply_buf(reading->request, reading->data, reading->used);
	} else if ((failure || listing_last_refresh_failed(directory_listing(directory))) &&
		   view == directory->views[0] && directory_open_last_view(directory)) {
		read_on(reading);
	} else if (grows) {
		wait_for_page(reading);
	} else {
		fs_report(reading->fs, "list", directory->store, "", failure);
		fuse_reply_err(reading->request, failure->errnum);
	}
}

static void read_on(struct reading *reading)
{
	struct directory *directory = reading->directory;
	const struct snapshot *view;

	if (!reserve(reading)) {
		fuse_reply_err(reading->request, ENOMEM);
		return;
	}
	if (!directory_is_ready(directory)) {
		wait_for_page(reading);
		return;
	}
	view = directory_view(directory, reading->offset);
	reading->view = reading->offset - reading->offset % VIEW_OFFSET;
	if (view || !directory->has_listing)
		read_view(reading, view);
	else
		fuse_reply_buf(reading->request, NULL, 0);
}

static void read_directory(fuse_req_t request, size_t size, off_t offset,
			   struct fuse_file_info *info, bool plus)
{
	struct directory *directory = directory_of(info);
	struct reading reading = {.fs = directory->fs,
				  .request = request,
				  .directory = directory,
				  .size = size,
				  .offset = offset > 0 ? offset : directory_rewind(directory),
				  .plus = plus};

	read_on(&reading);
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
