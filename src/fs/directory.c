/*
 * Directories as they are read: each keeps the snapshot it was opened on, so that offsets stay what they were however the listing changes meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

/*
 * Offsets: 0 the beginning, 1 behind ".", 2 behind "..", then the snapshot's positions (in units of 4, behind FIRST_POSITION); behind them, from
 * FILES_OFFSET on, serial numbers of files that are open and not stored yet.
 */
#define POSITION_UNIT  4
#define FIRST_POSITION 2
#define FILES_OFFSET   (INT64_C(1) << 48)

struct directory {
	struct fs *fs;
	struct store *store; /* referenced; NULL: the root of all stores, or the control directory */
	bool is_control;
	bool failed_once;
	struct snapshot *snapshot;
};

/* A READDIR that waits for the next page. */
struct reading {
	struct late late;
	struct directory *directory;
	struct wait wait;
	struct timer timer;
	size_t size;
	off_t offset;
	bool plus;
};

/* What fits the kernel's buffer. */
struct filling {
	struct fs *fs;
	fuse_req_t request;
	char *data;
	size_t size, used;
	bool plus, full;
};

static void read_on(struct fs *fs, fuse_req_t request, struct directory *directory, size_t size, off_t offset,
		    bool plus);

static struct listing *listing_of(const struct directory *directory)
{
	return directory->store ? store_secrets(directory->store) : catalog_stores(directory->fs->catalog);
}

void fs_opendir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct directory *directory;
	struct failure failure = {0};
	struct listing *listing;
	struct inode inode;

	inode_find(fs, number, &inode);
	listing = inode_listing(fs, &inode);
	if (!listing && inode.kind != INODE_CONTROL_DIRECTORY) {
		fuse_reply_err(request, inode.kind == INODE_NONE ? ENOENT : ENOTDIR);
		return;
	}
	directory = calloc(1, sizeof *directory);
	if (!directory) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	directory->fs = fs;
	directory->is_control = !listing;
	if (listing) {
		directory->store = inode.store ? store_reference(inode.store) : NULL;
		directory->snapshot = listing_view(listing, &failure);
	}
	if (failure.error) {
		journal_record(fs->options.journal, "list", inode.store ? store_name(inode.store) : NULL, "",
			       &failure);
		store_release(directory->store);
		free(directory);
		fuse_reply_err(request, failure.error);
		return;
	}
	info->fh = (uint64_t)(uintptr_t)directory;
	fuse_reply_open(request, info);
}

void fs_releasedir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	struct directory *directory = (struct directory *)(uintptr_t)info->fh;

	(void)number;
	snapshot_release(directory->snapshot);
	store_release(directory->store);
	free(directory);
	fuse_reply_err(request, 0);
}

void fs_fsyncdir(fuse_req_t request, fuse_ino_t number, int datasync, struct fuse_file_info *info)
{
	(void)number;
	(void)datasync;
	(void)info;
	fuse_reply_err(request, 0);
}

/* Adds one entry; `inode` with number 0 is shown by name alone, so that the kernel asks about it when somebody wants to know. */
static bool add(struct filling *filling, const char *name, const struct inode *inode, off_t next)
{
	struct fuse_entry_param entry = {.attr = {.st_ino = inode->number, .st_mode = S_IFDIR}};
	char *at = filling->data + filling->used;
	size_t left = filling->size - filling->used, needed;

	if (filling->plus && inode->kind != INODE_NONE)
		inode_entry(filling->fs, inode, &entry);
	else
		entry.attr.st_mode =
			inode->kind == INODE_SECRET || inode->kind == INODE_CONTROL_FILE ? S_IFREG : S_IFDIR;
	needed = filling->plus ? fuse_add_direntry_plus(filling->request, at, left, name, &entry, next)
			       : fuse_add_direntry(filling->request, at, left, name, &entry.attr, next);
	filling->full = needed > left;
	if (!filling->full)
		filling->used += needed;
	return !filling->full;
}

static off_t add_dots(struct filling *filling, off_t offset)
{
	static const char *const names[] = {".", ".."};

	/* The kernel knows what these are: an inode that is not looked up. */
	for (; offset < FIRST_POSITION; offset++) {
		struct inode inode = {.kind = INODE_NONE, .number = INODE_NUMBER_ROOT};

		if (!add(filling, names[offset], &inode, offset + 1))
			break;
	}
	return offset;
}

/* Records as they are known now, where they still are: the snapshot tells which there were, and in what order. */
static off_t add_records(struct filling *filling, struct directory *directory, off_t offset)
{
	uint64_t position = (uint64_t)(offset - FIRST_POSITION) * POSITION_UNIT;
	struct listing *listing = listing_of(directory);
	const struct record *record, *current;

	while ((record = snapshot_next(directory->snapshot, &position))) {
		off_t next = FIRST_POSITION + (off_t)(position / POSITION_UNIT);
		struct inode inode = {.kind = directory->store ? INODE_SECRET : INODE_STORE};

		current = record->serial ? catalog_record(filling->fs->catalog, record->serial) : NULL;
		if (current == record || (current && !strcmp(current->name, record->name)))
			inode_of_record(filling->fs, listing, current, &inode);
		else if (current || record->serial)
			continue; /* renamed or deleted since */
		if (!add(filling, record->name, &inode, next))
			return offset;
		offset = next;
	}
	return offset;
}

/* What was created here and is not stored yet, in the order of its making. */
static void add_files(struct filling *filling, const struct directory *directory, off_t offset)
{
	uint32_t seen = offset > FILES_OFFSET ? (uint32_t)(offset - FILES_OFFSET) : 0;

	for (struct file *file = filling->fs->first_file; file; file = file->next) {
		struct inode inode = {.kind = INODE_SECRET, .file = file, .store = file->store};

		if (file->store != directory->store || !file_is_there(file) || file->serial <= seen ||
		    file_is_stored(file))
			continue;
		inode.number = inode_number(filling->fs, file->serial);
		if (!add(filling, file->name, &inode, FILES_OFFSET + file->serial))
			return;
	}
}

static void add_control(struct filling *filling, off_t offset)
{
	for (; (unsigned)(offset - FIRST_POSITION) < control_count(); offset++) {
		unsigned control = (unsigned)(offset - FIRST_POSITION);
		struct inode inode;

		inode_find(filling->fs, INODE_NUMBER_CONTROL_FIRST + control, &inode);
		if (!add(filling, control_name(control), &inode, offset + 1))
			return;
	}
}

static void reading_end(struct reading *reading)
{
	wait_end(&reading->wait);
	timer_stop(reading->late.fs->loop, &reading->timer);
	free(reading);
}

static void page_came(struct wait *wait)
{
	struct reading *reading = container_of(wait, struct reading, wait);
	struct fs *fs = reading->late.fs;
	fuse_req_t request = late_take(&reading->late);

	read_on(fs, request, reading->directory, reading->size, reading->offset, reading->plus);
	reading_end(reading);
}

static void reading_interrupted(struct late *late)
{
	struct reading *reading = container_of(late, struct reading, late);

	late_error(late, EINTR);
	reading_end(reading);
}

static void reading_timed_out(struct timer *timer)
{
	struct reading *reading = container_of(timer, struct reading, timer);

	late_error(&reading->late, ETIMEDOUT);
	reading_end(reading);
}

static void wait_for_page(struct fs *fs, fuse_req_t request, struct directory *directory, size_t size,
			  off_t offset, bool plus)
{
	struct reading *reading = calloc(1, sizeof *reading);

	if (!reading) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	*reading = (struct reading){.directory = directory, .size = size, .offset = offset, .plus = plus};
	reading->wait.woken = page_came;
	reading->timer.expired = reading_timed_out;
	late_begin(fs, &reading->late, request, reading_interrupted);
	wait_begin(snapshot_waits(directory->snapshot), &reading->wait);
	/* The walk's own calls end in time; a little later than they do. */
	timer_start(fs->loop, &reading->timer, fs_deadline(fs) + 100);
}

/* There is nothing to show, and there will not be: the walk failed. What is known from before will do, if there is any. */
static void reply_failure(struct fs *fs, fuse_req_t request, struct directory *directory, size_t size,
			  off_t offset, bool plus)
{
	const struct failure *failure = snapshot_failure(directory->snapshot);
	struct snapshot *other;

	if (offset <= FIRST_POSITION && !directory->failed_once) {
		directory->failed_once = true;
		other = listing_known_view(listing_of(directory));
		if (other) {
			snapshot_release(directory->snapshot);
			directory->snapshot = other;
			read_on(fs, request, directory, size, offset, plus);
			return;
		}
	}
	journal_record(fs->options.journal, "list", directory->store ? store_name(directory->store) : NULL,
		       "", failure);
	fuse_reply_err(request, failure->error);
}

static void read_on(struct fs *fs, fuse_req_t request, struct directory *directory, size_t size, off_t offset,
		    bool plus)
{
	struct filling filling = {.fs = fs, .request = request, .size = size, .plus = plus};
	bool grows = directory->snapshot && snapshot_grows(directory->snapshot);
	bool failed = directory->snapshot && !grows && snapshot_failure(directory->snapshot);

	filling.data = malloc(size);
	if (!filling.data) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	if (offset < FIRST_POSITION)
		offset = add_dots(&filling, offset);
	if (directory->is_control && !filling.full)
		add_control(&filling, offset);
	else if (!filling.full && offset < FILES_OFFSET)
		offset = add_records(&filling, directory, offset);
	if (!directory->is_control && !filling.full && !grows && !failed && directory->store)
		add_files(&filling, directory, offset);
	if (filling.used || filling.full || directory->is_control || (!grows && !failed))
		fuse_reply_buf(request, filling.data, filling.used);
	else if (grows)
		wait_for_page(fs, request, directory, size, offset, plus);
	else
		reply_failure(fs, request, directory, size, offset, plus);
	free(filling.data);
}

void fs_readdir(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info)
{
	(void)number;
	read_on(fuse_req_userdata(request), request, (struct directory *)(uintptr_t)info->fh, size, offset,
		false);
}

void fs_readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	(void)number;
	read_on(fuse_req_userdata(request), request, (struct directory *)(uintptr_t)info->fh, size, offset,
		true);
}
