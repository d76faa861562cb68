/* OPEN and CREATE: refuses what can be refused now (precheck.c), then makes a handle. */
#include <fcntl.h>

#include "control.h"
#include "fs_internal.h"
#include "open_wait.h"
#include "operations.h"
#include "staging.h"

static bool opens_to_read(int flags)
{
	return (flags & O_ACCMODE) == O_RDONLY;
}

/* Gives a handle a buffer with room for the first bytes of a value. Returns 0 or a positive errno.
 */
static int add_buffer(struct handle *handle, int flags)
{
	struct file *file = handle->file;
	struct fs *fs = file->fs;
	int error;

	/* All handles of a staged file share its value. */
	handle->value = file->staged ? value_reference(file->staged) : value_new(fs->options.pool);
	handle->began_empty = file->staged || (file->created && file->awaited_until);
	error = handle->value ? -locked_reserve(&handle->value->bytes, 1) : ENOMEM;
	if (!error && (flags & O_TRUNC))
		error = handle_truncate(fs, handle, 0);
	if (error)
		return error;
	/* MKNOD and this open together are an exclusive create. */
	handle->excl = file->awaited_until != 0;
	file->awaited_until = 0;
	cgroup_of(handle->actor.pid, handle->actor.cgroup);
	return 0;
}

/* Makes a handle for the process that sent `request`, for fsync alone if it is opened to read.
 * Returns 0 or a positive errno; `file` may then be gone. */
static int make_handle(fuse_req_t request, struct file *file, fuse_ino_t number, int flags,
		       struct handle **made)
{
	const struct fuse_ctx *context = fuse_req_ctx(request);
	struct handle *handle = handle_new(file);
	int error;

	if (!handle)
		return ENOMEM;
	handle->ino = number;
	handle->actor =
		(struct log_actor){.uid = context->uid, .gid = context->gid, .pid = context->pid};
	error = -opener_identify(file->fs, handle);
	/* A handle for fsync has an opener because fdinfo_scan.c cannot tell its descriptors from
	 * those of a handle that writes. Where that fails it is like any other process. */
	if (opens_to_read(flags))
		error = 0;
	else if (!error)
		error = add_buffer(handle, flags);
	*made = handle;
	if (error)
		handle_free(handle);
	return error;
}

/* Returns the file of an inode that is opened; NULL when memory ran out. */
static struct file *file_to_open(struct fs *fs, const struct inode *inode)
{
	struct file *file = inode->file;

	if (!file)
		return file_get_or_create(fs, inode->store, inode->record->name,
					  inode->record->entry_id);
	/* The file is left from a failed create, and another client has stored the name since. */
	if (inode->record && LIST_EMPTY(&file->handles) && !file->uploads)
		file->created = false;
	return file;
}

static int open_file(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info,
		     struct handle **handle)
{
	struct fs *fs = fuse_req_userdata(request);
	struct inode inode;
	enum refusal refusal;
	struct file *file;
	const char *name;
	int error;

	inode_find(fs, number, &inode);
	/* The name is gone, and the kernel does not know it yet. After ESTALE it looks the name up
	 * again, and sends a CREATE if its caller wants one. */
	if (inode.kind == INODE_NONE)
		return ESTALE;
	if (inode.kind != INODE_SECRET)
		return EISDIR;
	name = inode_name(&inode);
	if (inode.file && inode.file->staged)
		refusal = opens_to_read(info->flags) ? REFUSAL_READS : precheck_modify(fs);
	else if (opens_to_read(info->flags) && written_lately(fs, &inode))
		refusal = precheck_modify(fs);
	else
		refusal = precheck_open(fs, inode.store, name, info->flags, inode.record != NULL);
	error = refusal_record(fs, "open", inode.store, name, refusal);
	if (error)
		return error;
	file = file_to_open(fs, &inode);
	return file ? make_handle(request, file, number, info->flags, handle) : ENOMEM;
}

/* True if a new file is staged: by its name, or because it is in a staged directory. */
static bool must_stage(const struct fs *fs, const struct inode *directory, const char *name,
		       int flags)
{
	return directory->kind == INODE_STAGED_DIRECTORY || staging_applies(fs, name, flags);
}

/* Fills in `path`, as file_find has it, and `record` if the name is stored. Returns why CREATE or
 * MKNOD is refused. */
static enum refusal check_create(struct fs *fs, const struct inode *directory, const char *name,
				 int flags, char path[static NAME_LENGTH_MAX + 1],
				 const struct record **record)
{
	enum refusal refusal = staging_path(directory, name, path);
	const struct file *file;

	if (refusal)
		return refusal;
	if (directory->kind == INODE_STORE)
		listing_query_for_change(store_secrets(directory->store), name, record);
	file = file_find(fs, directory->store, path);
	if ((flags & O_EXCL) && (*record || (file && file_is_visible(file))))
		return REFUSAL_EXISTS;
	if (!*record && ((file && file->staged) || must_stage(fs, directory, name, flags)))
		return opens_to_read(flags) ? REFUSAL_READS : precheck_create(fs);
	return precheck_open(fs, directory->store, name, flags, *record != NULL);
}

/* Finds or makes the file of a CREATE or MKNOD. Sets `is_staged` if it was staged for that. Returns
 * 0 or a positive errno. */
static int begin_creation(struct fs *fs, fuse_ino_t parent, const char *name, int flags,
			  struct file **made, bool *is_staged)
{
	const struct record *record = NULL;
	char path[NAME_LENGTH_MAX + 1];
	struct inode directory;
	struct file *file;
	int error;

	inode_find(fs, parent, &directory);
	error = refusal_record(fs, "open", directory.store, name,
			       check_create(fs, &directory, name, flags, path, &record));
	if (error)
		return error;
	file = file_get_or_create(fs, directory.store, path,
				  record ? record->entry_id : catalog_new_entry_id(fs->catalog));
	if (!file)
		return ENOMEM;
	*is_staged = !record && !file->staged && must_stage(fs, &directory, name, flags);
	error = *is_staged ? staging_begin(file) : 0;
	if (error)
		file_put_if_unused(file);
	*made = file;
	return error;
}

/* True if the cache does not tell whether the service has the name. */
static bool is_unknown(const struct file *file)
{
	const struct record *record;

	return listing_query_for_change(store_secrets(file->store), file->name, &record) ==
	       CACHE_MISS;
}

static int create_file(fuse_req_t request, fuse_ino_t parent, const char *name,
		       struct fuse_file_info *info, struct handle **handle)
{
	struct fs *fs = fuse_req_userdata(request);
	struct file *file;
	bool is_staged;
	int error = begin_creation(fs, parent, name, info->flags, &file, &is_staged);

	if (error)
		return error;
	error = make_handle(request, file, inode_number(fs, file->entry_id), info->flags, handle);
	if (error && is_staged) {
		/* A staged file would be kept without a handle. */
		staging_end(file);
		file_put_if_unused(file);
	}
	if (error)
		return error;
	file->created = !file_is_stored(file);
	file->is_guess = file->created && !file->staged && is_unknown(file);
	(*handle)->excl = file->created && (info->flags & O_EXCL);
	(*handle)->began_empty |= file->created && !LIST_NEXT(*handle, link);
	return 0;
}

static void reply_created(struct fs *fs, fuse_req_t request, struct handle *handle,
			  struct fuse_file_info *info)
{
	struct file *file = handle->file;
	struct fuse_entry_param entry;
	struct inode inode;

	inode_of_file(fs, file, &inode);
	inode_entry(fs, &inode, &entry);
	entry.attr.st_size = (off_t)handle_length(handle); /* the kernel appends there */
	/* The open was interrupted: no RELEASE will come. */
	if (fuse_reply_create(request, &entry, info) == -ENOENT)
		handle_free(handle);
}

/* Opens an inode, or creates `name`, and replies (open_call). */
static int open_now(fuse_req_t request, fuse_ino_t number, const char *name,
		    struct fuse_file_info *info)
{
	struct handle *handle = NULL;
	int error = name ? create_file(request, number, name, info, &handle)
			 : open_file(request, number, info, &handle);

	if (error)
		return error;
	catalog_prepare_write(handle->file->store, handle->file->name);
	info->fh = (uint64_t)(uintptr_t)handle;
	info->direct_io = 1; /* no value is kept in the page cache, from which it could be read */
	if (name)
		reply_created(fuse_req_userdata(request), request, handle, info);
	else if (fuse_reply_open(request, info) == -ENOENT)
		handle_free(handle);
	return 0;
}

/* Opens now, or waits for what is missing. `name` is NULL for OPEN. */
static void open_or_wait(fuse_req_t request, fuse_ino_t number, const char *name,
			 struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	int error;

	/* An open for fsync alone needs neither memory nor the token. */
	if ((name || !opens_to_read(info->flags)) && open_must_wait(fs, number, name)) {
		open_wait_start(fs, request, number, name, info, open_now);
		return;
	}
	error = open_now(request, number, name, info);
	if (open_may_wait(fs, name, info->flags, error)) {
		open_wait_start(fs, request, number, name, info, open_now);
		return;
	}
	count_open(&fs->writes, info->flags, error);
	if (error)
		fuse_reply_err(request, error);
}

void fs_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct inode inode;

	if (inode_find(fs, number, &inode) == INODE_CONTROL_FILE)
		control_open(fs, request, inode.control, info);
	else
		open_or_wait(request, number, NULL, info);
}

void fs_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *info)
{
	(void)mode;
	open_or_wait(request, parent, name, info);
}

void fs_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
	     struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);

	if (number < fs->inode_base)
		control_read(request, size, offset, info);
	else
		fuse_reply_err(request, EACCES);
}

/* MKNOD of a regular file is a CREATE whose OPEN follows. The name is visible until its handle is
 * closed, or until no OPEN has come in time. */
void fs_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	struct fs *fs = fuse_req_userdata(request);
	struct inode directory;
	struct file *file;
	bool is_staged;
	int error;

	(void)device;
	if (!S_ISREG(mode)) {
		enum refusal refusal = precheck_create(fs);

		inode_find(fs, parent, &directory);
		refusal_reply(request, "mknod", directory.store, name,
			      refusal ? refusal : REFUSAL_ODD_FILE);
		return;
	}
	error = begin_creation(fs, parent, name, O_WRONLY | O_CREAT | O_EXCL, &file, &is_staged);
	count_open(&fs->writes, O_WRONLY, error);
	if (error) {
		fuse_reply_err(request, error);
		return;
	}
	file->awaited_until = is_staged ? 0 : fs_deadline(fs);
	file->created = true;
	inode_reply_file(request, file);
	file_put_if_unused(file);
}
