/* OPEN and CREATE: refuses what can be refused now (precheck.c), then makes a handle. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "control.h"
#include "file.h"
#include "fs_internal.h"
#include "inode.h"
#include "open_wait.h"
#include "opener.h"
#include "operations.h"
#include "precheck.h"
#include "recent.h"
#include "sstorefs/name.h"
#include "staging.h"
#include "value.h"

/* A handle for the process that asks, with room for the first bytes of a value. NULL with `*error`
 * set: `file` may then be gone. */
static struct handle *open_handle(fuse_req_t request, struct file *file, fuse_ino_t number,
				  int flags, int *error)
{
	const struct fuse_ctx *context = fuse_req_ctx(request);
	struct handle *handle = handle_new(file);

	*error = ENOMEM;
	if (!handle) {
		file_put_if_unused(file);
		return NULL;
	}
	if (file->staged) {
		/* What is staged is one file for all who open it. */
		handle->value = file->staged;
		handle->value->references++;
	} else {
		handle->value = value_new(file->fs->options.pool);
	}
	handle->began_empty = file->staged || (file->created && file->awaited_until);
	*error = handle->value ? -locked_reserve(&handle->value->bytes, 1) : ENOMEM;
	if (!*error)
		*error = -opener_identify(file->fs, &handle->opener, context->pid);
	if (!*error && (flags & O_TRUNC))
		*error = handle_truncate(file->fs, handle, 0);
	if (*error) {
		handle_free(handle);
		return NULL;
	}
	/* What MKNOD made is now as if it had been created exclusively by this open. */
	handle->excl = file->awaited_until != 0;
	file->awaited_until = 0;
	handle->ino = number;
	handle->append = flags & O_APPEND;
	handle->uid = context->uid;
	handle->gid = context->gid;
	handle->pid = context->pid;
	cgroup_of(context->pid, handle->cgroup);
	return handle;
}

/* A handle for fsync alone: no value, and no memory for one. */
static struct handle *open_to_sync(fuse_req_t request, struct file *file, fuse_ino_t number,
				   int *error)
{
	const struct fuse_ctx *context = fuse_req_ctx(request);
	struct handle *handle = handle_new(file);

	*error = 0;
	if (!handle) {
		*error = ENOMEM;
		file_put_if_unused(file);
		return NULL;
	}
	/* Its descriptors can't be told from those that write: who has both is known to. */
	opener_identify(file->fs, &handle->opener, context->pid);
	handle->ino = number;
	handle->uid = context->uid;
	handle->gid = context->gid;
	handle->pid = context->pid;
	return handle;
}

static bool opens_to_read(int flags)
{
	return (flags & O_ACCMODE) == O_RDONLY;
}

/* Never the page cache: what is written goes to us alone, and nothing is read back (DESIGN 3, rule
 * 1). */
static void fill_info(struct fuse_file_info *info, struct handle *handle)
{
	info->fh = (uint64_t)(uintptr_t)handle;
	info->direct_io = 1;
	info->keep_cache = 0;
}

/* NULL: out of memory. */
static struct file *file_to_open(struct fs *fs, const struct inode *inode)
{
	struct file *file = inode->file;

	if (!file)
		return file_get_or_create(fs, inode->store, inode->record->name,
					  inode->record->entry_id);
	/* What is left of a creation that failed says nothing of what is there now. */
	if (inode->record && !file->handles && !file->uploads)
		file->created = false;
	return file;
}

/* Returns 0 where nothing is refused. */
static int refuse_open(struct fs *fs, const struct store *store, const char *name,
		       enum refusal refusal)
{
	return refusal_record(
		fs, &(struct audit_event){.operation = "open", .store = store, .name = name},
		refusal);
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
	/* Gone, which the kernel has yet to hear: it then looks the name up anew, and asks for a
	 * CREATE if its caller wants one. */
	if (inode.kind == INODE_NONE)
		return ESTALE;
	if (inode.kind != INODE_SECRET)
		return EISDIR;
	name = inode_name(&inode);
	if (inode.file && inode.file->staged)
		refusal = opens_to_read(info->flags) ? REFUSAL_READS : precheck_modify(fs);
	else if (opens_to_read(info->flags) && recent_has(fs, &inode))
		refusal = precheck_modify(fs);
	else
		refusal = precheck_open(fs, inode.store, name, info->flags, inode.record != NULL);
	error = refuse_open(fs, inode.store, name, refusal);
	if (error)
		return error;
	file = file_to_open(fs, &inode);
	if (!file)
		return ENOMEM;
	*handle = opens_to_read(info->flags)
			  ? open_to_sync(request, file, number, &error)
			  : open_handle(request, file, number, info->flags, &error);
	return error;
}

/* Where a file is created. */
struct place {
	struct inode directory;
	char path[NAME_LENGTH_MAX + 1];
};

/* Nothing that is in a staged directory can be stored there. */
static bool must_stage(const struct fs *fs, const struct inode *directory, const char *name,
		       int flags)
{
	return directory->kind == INODE_STAGED_DIRECTORY || staging_applies(fs, name, flags);
}

/* What CREATE and MKNOD find under the name; why nothing can be created there. */
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
	error = refuse_open(fs, place.directory.store, name, refusal);
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
		*handle = open_handle(request, file, inode_number(fs, file->entry_id), info->flags,
				      &error);
	if (error && is_staged) {
		/* What is staged is kept without a handle, too. */
		staging_end(file);
		file_put_if_unused(file);
	}
	if (error)
		return error;
	file->created = !file_is_stored(file);
	(*handle)->excl = file->created && (info->flags & O_EXCL);
	(*handle)->began_empty |= file->created && !(*handle)->next;
	return 0;
}

/* The kernel does not want the answer any more: there will be no RELEASE. */
static void forget(struct handle *handle)
{
	handle_free(handle);
}

static void reply_created(struct fs *fs, fuse_req_t request, struct handle *handle,
			  struct fuse_file_info *info)
{
	struct file *file = handle->file;
	struct inode inode = {.kind = INODE_SECRET,
			      .store = file->store,
			      .file = file,
			      .record = catalog_record(fs->catalog, file->entry_id),
			      .number = inode_number(fs, file->entry_id)};
	struct fuse_entry_param entry;

	inode_entry(fs, &inode, &entry);
	entry.attr.st_size = (off_t)handle_length(handle); /* where the kernel appends */
	if (fuse_reply_create(request, &entry, info) == -ENOENT)
		forget(handle);
}

static int do_open(fuse_req_t request, fuse_ino_t number, const char *name,
		   struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct handle *handle = NULL;
	int error = name ? create_file(request, number, name, info, &handle)
			 : open_file(request, number, info, &handle);

	if (error)
		return error;
	catalog_prepare_write(fs->catalog);
	fill_info(info, handle);
	if (name)
		reply_created(fs, request, handle, info);
	else if (fuse_reply_open(request, info) == -ENOENT)
		forget(handle);
	return 0;
}

static void begin(fuse_req_t request, fuse_ino_t number, const char *name,
		  struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	int error;

	/* What is opened for fsync tells what is known, and waits for nothing. */
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

/* MKNOD of a regular file: a CREATE whose OPEN follows. The name is there until it is opened and
 * closed, or that has not come in time. */
static int make_file(struct fs *fs, fuse_ino_t parent, const char *name, struct inode *inode)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL;
	const struct record *record = NULL;
	struct place place;
	enum refusal refusal = check_create(fs, parent, name, flags, &place, &record);
	struct file *file;
	int error = refuse_open(fs, place.directory.store, name, refusal);

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
	*inode = (struct inode){.kind = INODE_SECRET,
				.store = file->store,
				.file = file,
				.number = inode_number(fs, file->entry_id)};
	file_put_if_unused(file);
	return error;
}

void fs_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	struct fs *fs = fuse_req_userdata(request);
	enum refusal refusal = precheck_create(fs);
	struct fuse_entry_param entry;
	struct inode inode;
	int error;

	(void)device;
	inode_find(fs, parent, &inode);
	if (!S_ISREG(mode)) {
		refusal_reply(request,
			      &(struct audit_event){
				      .operation = "mknod", .store = inode.store, .name = name},
			      refusal ? refusal : REFUSAL_ODD_FILE);
		return;
	}
	error = make_file(fs, parent, name, &inode);
	if (error) {
		fuse_reply_err(request, error);
		return;
	}
	inode_entry(fs, &inode, &entry);
	fuse_reply_entry(request, &entry);
}
