/*
 * Open directories. Each keeps the snapshot it was opened on, so that offsets stay valid however
 * the listing changes.
 */
#include "directory.h"
#include "fs_internal.h"
#include "operations.h"

struct listing *directory_listing(const struct directory *directory)
{
	return directory->store ? store_secrets(directory->store)
				: catalog_stores(directory->fs->catalog);
}

/* --- views */

static void set_view(struct directory *directory, struct snapshot *view)
{
	snapshot_release(directory->views[0]);
	directory->views[0] = view;
	directory->awaiting_view = snapshot_is_stale(view);
}

/* Takes a view of the listing as it is now. The old view stays if there is none. */
static void open_view(struct directory *directory, struct failure *failure)
{
	struct snapshot *view = listing_open_view(directory_listing(directory), failure);

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

bool directory_open_last_view(struct directory *directory)
{
	struct snapshot *known =
		directory->has_shown ? NULL : listing_last_complete(directory_listing(directory));

	if (known == directory->views[0] || !known) {
		snapshot_release(known);
		return false;
	}
	set_view(directory, known);
	return true;
}

struct snapshot *directory_view(const struct directory *directory, off_t offset)
{
	unsigned view = (unsigned)(offset / VIEW_OFFSET) % VIEWS_MAX;

	if (view == directory->view)
		return directory->views[0];
	return (view + 1) % VIEWS_MAX == directory->view ? directory->views[1] : NULL;
}

bool directory_is_ready(struct directory *directory)
{
	struct failure failure = {0};

	while (directory->awaiting_view) {
		if (snapshot_is_stale(directory->views[0]))
			return listing_last_refresh_failed(directory_listing(directory)) &&
			       directory_open_last_view(directory);
		directory->awaiting_view = false;
		open_view(directory, &failure);
	}
	return true;
}

off_t directory_rewind(struct directory *directory)
{
	struct failure failure = {0};

	if (directory->has_listing)
		open_view(directory, &failure);
	return directory->view * VIEW_OFFSET;
}

/* --- opening and closing */

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
	LIST_INSERT_HEAD(&fs->directories, directory, link);
	return directory;
}

static void directory_free(struct directory *directory)
{
	LIST_REMOVE(directory, link);
	snapshot_release(directory->views[0]);
	snapshot_release(directory->views[1]);
	store_release(directory->store);
	free(directory->data);
	free(directory);
}

void directories_forget(struct fs *fs)
{
	while (!LIST_EMPTY(&fs->directories))
		directory_free(LIST_FIRST(&fs->directories));
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
		fs_report(fs, "list", inode.store, "", &failure);
		directory_free(directory);
		fuse_reply_err(request, failure.errnum);
		return;
	}
	info->fh = (uint64_t)(uintptr_t)directory;
	/* The opendir was interrupted: no RELEASEDIR will come. */
	if (fuse_reply_open(request, info) == -ENOENT)
		directory_free(directory);
}

void fs_releasedir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	(void)number;
	directory_free(directory_of(info));
	fuse_reply_err(request, 0);
}
