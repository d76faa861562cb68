/* OPEN and CREATE: refuses what can be refused now (precheck.c), then makes a handle. */
#include <errno.h>
#include <fcntl.h>

#include "audit.h"
#include "control.h"
#include "file.h"
#include "fs_internal.h"
#include "inode.h"
#include "open_wait.h"
#include "opener.h"
#include "operations.h"
#include "precheck.h"
#include "sstorefs/name.h"
#include "staging.h"
#include "value.h"

/* Makes a handle for the process that sent `request`. Returns NULL with `*error` set; `file` may
 * then be gone. */
static struct handle *new_handle(fuse_req_t request, struct file *file, fuse_ino_t number,
				 int *error)
{
	const struct fuse_ctx *context = fuse_req_ctx(request);
	struct handle *handle = handle_new(file);

	*error = handle ? 0 : ENOMEM;
	if (!handle)
		return NULL;
	handle->ino = number;
	handle->actor =
		(struct actor){.uid = context->uid, .gid = context->gid, .pid = context->pid};
	*error = -opener_identify(file->fs, handle);
	return handle;
}

/* Makes a handle with a buffer that has room for the first bytes of a value. */
static struct handle *open_to_write(fuse_req_t request, struct file *file, fuse_ino_t number,
				    int flags, int *error)
{
	struct handle *handle = new_handle(request, file, number, error);

	if (!handle)
		return NULL;
	/* All handles of a staged file share its value. */
	handle->value = file->staged;
	if (file->staged)
		handle->value->references++;
	else
		handle->value = value_new(file->fs->options.pool);
	handle->began_empty = file->staged || (file->created && file->awaited_until);
	if (!handle->value)
		*error = ENOMEM;
	if (!*error)
		*error = -locked_reserve(&handle->value->bytes, 1);
	if (!*error && (flags & O_TRUNC))
		*error = handle_truncate(file->fs, handle, 0);
	if (*error) {
		handle_free(handle);
		return NULL;
	}
	/* MKNOD and this open together are an exclusive create. */
	handle->excl = file->awaited_until != 0;
	file->awaited_until = 0;
	handle->append = flags & O_APPEND;
	cgroup_of(handle->actor.pid, handle->actor.cgroup);
	return handle;
}

/* Makes a handle for fsync alone, without a buffer. */
static struct handle *open_to_sync(fuse_req_t request, struct file *file, fuse_ino_t number,
				   int *error)
{
	struct handle *handle = new_handle(request, file, number, error);

	/* The opener is identified because fdinfo_scan.c cannot tell its descriptors from those of
	 * a handle that writes. Where that fails it is like any other process. */
	if (handle)
		*error = 0;
	return handle;
}

static bool opens_to_read(int flags)
{
	return (flags & O_ACCMODE) == O_RDONLY;
}

/* Keeps values out of the page cache: nothing can be read back from it. */
static void fill_info(struct fuse_file_info *info, struct handle *handle)
{
	info->fh = (uint64_t)(uintptr_t)handle;
	info->direct_io = 1;
	info->keep_cache = 0;
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
	if (!file)
		return ENOMEM;
	*handle = opens_to_read(info->flags)
			  ? open_to_sync(request, file, number, &error)
			  : open_to_write(request, file, number, info->flags, &error);
	return error;
}

/* Where a file is created. */
struct place {
	struct inode directory;
	char path[NAME_LENGTH_MAX + 1];
};

/* True if a new file is staged: by its name, or because it is in a staged directory. */
static bool must_stage(const struct fs *fs, const struct inode *directory, const char *name,
		       int flags)
{
	return directory->kind == INODE_STAGED_DIRECTORY || staging_applies(fs, name, flags);
}

/* Fills in `place`, and `record` if the name is stored. Returns why CREATE or MKNOD is refused. */
static enum refusal check_create(struct fs *fs, fuse_ino_t parent, const char *name, int flags,
				 struct place *place, const struct record **record)
{
	struct inode *directory = &place->directory;
	enum refusal refusal;
	struct file *file;

	inode_find(fs, parent, directory);
	refusal = staging_path(directory, name, place->path);
	if (refusal)
		return refusal;
	if (directory->kind == INODE_STORE)
		listing_query(store_secrets(directory->store), name, record);
	file = file_find(fs, directory->store, place->path);
	if ((flags & O_EXCL) && (*record || (file && file_is_visible(file))))
		return REFUSAL_EXISTS;
	if (!*record && ((file && file->staged) || must_stage(fs, directory, name, flags)))
		return (flags & O_ACCMODE) == O_RDONLY ? REFUSAL_READS : precheck_create(fs);
	return precheck_open(fs, directory->store, name, flags, *record != NULL);
}

static int create_file(fuse_req_t request, fuse_ino_t parent, const char *name,
		       struct fuse_file_info *info, struct handle **handle)
{
	struct fs *fs = fuse_req_userdata(request);
	const struct record *record = NULL;
	struct place place;
	enum refusal refusal;
	bool is_staged = false;
	struct file *file;
	int error;

	refusal = check_create(fs, parent, name, info->flags, &place, &record);
	error = refusal_record(fs, "open", place.directory.store, name, refusal);
	if (error)
		return error;
	file = file_get_or_create(fs, place.directory.store, place.path,
				  record ? record->entry_id : catalog_new_entry_id(fs->catalog));
	if (!file)
		return ENOMEM;
	if (!record && !file->staged && must_stage(fs, &place.directory, name, info->flags)) {
		error = staging_begin(file);
		is_staged = !error;
	}
	if (error)
		file_put_if_unused(file);
	else
		*handle = open_to_write(request, file, inode_number(fs, file->entry_id),
					info->flags, &error);
	if (error && is_staged) {
		/* A staged file would be kept without a handle. */
		staging_end(file);
		file_put_if_unused(file);
	}
	if (error)
		return error;
	file->created = !file_is_stored(file);
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

static int do_open(fuse_req_t request, fuse_ino_t number, const char *name,
		   struct fuse_file_info *info)
{
	struct handle *handle = NULL;
	int error = name ? create_file(request, number, name, info, &handle)
			 : open_file(request, number, info, &handle);

	if (error)
		return error;
	catalog_prepare_write(handle->file->store);
	fill_info(info, handle);
	if (name)
		reply_created(fuse_req_userdata(request), request, handle, info);
	else if (fuse_reply_open(request, info) == -ENOENT)
		handle_free(handle);
	return 0;
}

/* Opens now, or waits for what is missing. `name` is NULL for OPEN. */
static void begin(fuse_req_t request, fuse_ino_t number, const char *name,
		  struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	int error;

	/* An open for fsync alone needs neither memory nor the token. */
	if ((name || !opens_to_read(info->flags)) && open_must_wait(fs, number, name)) {
		open_wait_start(fs, request, number, name, info, do_open);
		return;
	}
	error = do_open(request, number, name, info);
	if (open_may_wait(fs, name, info->flags, error))
		open_wait_start(fs, request, number, name, info, do_open);
	else if (error)
		fuse_reply_err(request, error);
}

void fs_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct inode inode;

	if (inode_find(fs, number, &inode) == INODE_CONTROL_FILE)
		control_open(fs, request, inode.control, info);
	else
		begin(request, number, NULL, info);
}

void fs_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *info)
{
	(void)mode;
	begin(request, parent, name, info);
}

void fs_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
	     struct fuse_file_info *info)
{
	if (number >= INODE_NUMBER_CONTROL_FIRST &&
	    number < INODE_NUMBER_CONTROL_FIRST + control_count())
		control_read(request, size, offset, info);
	else
		fuse_reply_err(request, EACCES);
}

/* MKNOD of a regular file: a CREATE whose OPEN follows. The name is visible until its handle is
 * closed, or until no OPEN has come in time. */
static int make_file(struct fs *fs, fuse_ino_t parent, const char *name, struct inode *inode)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL;
	const struct record *record = NULL;
	struct place place;
	enum refusal refusal = check_create(fs, parent, name, flags, &place, &record);
	struct file *file;
	int error = refusal_record(fs, "open", place.directory.store, name, refusal);

	if (error)
		return error;
	file = file_get_or_create(fs, place.directory.store, place.path,
				  catalog_new_entry_id(fs->catalog));
	if (!file)
		return ENOMEM;
	if (must_stage(fs, &place.directory, name, flags))
		error = staging_begin(file);
	else
		file->awaited_until = fs_deadline(fs);
	file->created = true;
	inode_of_file(fs, file, inode);
	file_put_if_unused(file);
	return error;
}

void fs_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	struct fs *fs = fuse_req_userdata(request);
	enum refusal refusal = precheck_create(fs);
	struct inode inode;
	int error;

	(void)device;
	inode_find(fs, parent, &inode);
	if (!S_ISREG(mode)) {
		refused(request, "mknod", inode.store, name, refusal ? refusal : REFUSAL_ODD_FILE);
		return;
	}
	error = make_file(fs, parent, name, &inode);
	if (error)
		fuse_reply_err(request, error);
	else
		inode_reply(request, &inode);
}
