/*
 * OPEN and CREATE.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"
#include "sstorefs/name.h"

/* A handle for the process that asks. NULL when memory ran out. */
static struct handle *open_handle(fuse_req_t request, struct file *file, int flags)
{
	const struct fuse_ctx *context = fuse_req_ctx(request);
	struct handle *handle = handle_new(file);

	if (!handle)
		return NULL;
	opener_identify(&handle->opener, context->pid);
	handle->append = flags & O_APPEND;
	handle->uid = context->uid;
	handle->gid = context->gid;
	handle->pid = context->pid;
	return handle;
}

/* Never the page cache: what is written goes to us alone, and nothing is read back (DESIGN 3, rule 1). */
static void fill_info(struct fuse_file_info *info, struct handle *handle)
{
	info->fh = (uint64_t)(uintptr_t)handle;
	info->direct_io = 1;
	info->keep_cache = 0;
}

void fs_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct handle *handle;
	struct inode inode;
	struct file *file;
	const char *name;
	int error;

	inode_find(fs, number, &inode);
	if (inode.kind == INODE_CONTROL_FILE) {
		control_open(fs, request, inode.control, info);
		return;
	}
	if (inode.kind != INODE_SECRET) {
		fuse_reply_err(request, inode.kind == INODE_NONE ? ENOENT : EISDIR);
		return;
	}
	name = inode.file ? inode.file->name : inode.record->name;
	error = refusal_of_open(fs, inode.store, name, info->flags, inode.record != NULL);
	if (error) {
		fuse_reply_err(request, error);
		return;
	}
	file = inode.file ? inode.file : file_make(fs, inode.store, name, inode.record->serial);
	handle = file ? open_handle(request, file, info->flags) : NULL;
	if (!handle) {
		if (file)
			file_settle(file);
		fuse_reply_err(request, ENOMEM);
		return;
	}
	catalog_expect_write(fs->catalog);
	fill_info(info, handle);
	if (fuse_reply_open(request, info) == -ENOENT) /* interrupted: there will be no RELEASE */
		handle_free(handle);
}

/* What CREATE finds under the name; 0, or why there is nothing to be created. */
static int find_place(struct fs *fs, fuse_ino_t parent, const char *name, int flags, struct inode *directory,
		      const struct record **record)
{
	struct listing *listing;
	struct file *file;

	inode_find(fs, parent, directory);
	listing = inode_listing(fs, directory);
	if (!listing)
		return directory->kind == INODE_NONE ? ENOENT : EPERM;
	if (directory->kind == INODE_ROOT)
		return EPERM;
	if (strlen(name) > NAME_LENGTH_MAX)
		return ENAMETOOLONG;
	listing_known(listing, name, record);
	file = file_find(fs, directory->store, name);
	if ((flags & O_EXCL) && (*record || (file && file->created && file->handles)))
		return EEXIST;
	return refusal_of_open(fs, directory->store, name, flags, *record != NULL);
}

void fs_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	const struct record *record = NULL;
	struct fuse_entry_param entry;
	struct handle *handle;
	struct inode inode;
	struct file *file;
	int error;

	(void)mode;
	error = find_place(fs, parent, name, info->flags, &inode, &record);
	if (error) {
		fuse_reply_err(request, error);
		return;
	}
	file = file_make(fs, inode.store, name, record ? record->serial : catalog_serial(fs->catalog));
	handle = file ? open_handle(request, file, info->flags) : NULL;
	if (!handle) {
		if (file)
			file_settle(file);
		fuse_reply_err(request, ENOMEM);
		return;
	}
	file->created = !file_is_stored(file);
	handle->exclusive = file->created && (info->flags & O_EXCL);
	catalog_expect_write(fs->catalog);
	fill_info(info, handle);
	inode = (struct inode){.kind = INODE_SECRET, .store = file->store, .file = file,
			       .record = catalog_record(fs->catalog, file->serial),
			       .number = inode_number(fs, file->serial)};
	inode_entry(fs, &inode, &entry);
	if (fuse_reply_create(request, &entry, info) == -ENOENT)
		handle_free(handle);
}

void fs_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info)
{
	if (number >= INODE_NUMBER_CONTROL_FIRST && number < INODE_NUMBER_CONTROL_FIRST + control_count())
		control_read(request, size, offset, info);
	else
		fuse_reply_err(request, EACCES);
}
