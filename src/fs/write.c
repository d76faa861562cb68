/* WRITE and truncation: a value grows in its handle. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>

#include "audit.h"
#include "control.h"
#include "file.h"
#include "flush.h"
#include "fs_internal.h"
#include "inode.h"
#include "opener.h"
#include "operations.h"
#include "precheck.h"
#include "sstorefs/name.h"
#include "value.h"
#include "written.h"

static struct handle *handle_of(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh;
}

/* Who writes may become the one whose FLUSH counts, where processes can't be told (DESIGN 3, rule
 * 7). */
static void note_lock_owner(struct opener *opener, uint64_t owner)
{
	if (!opener->owner_known) {
		opener->owner = owner;
		opener->owner_known = true;
	} else if (opener->owner != owner && !opener->owner_opened) {
		opener->owner_ambiguous = true;
	}
}

/* The most a value may have: a newline that will go may stand behind it. */
static size_t bytes_max(const struct fs *fs)
{
	const struct provider *provider = fs->provider;
	size_t most = provider->value_bytes_max ? provider->value_bytes_max
						: provider->value_characters_max * 4;

	return most + !fs->config->keep_newline;
}

/* A value of its own for the handle, to be written to: what is on its way to the service stays as
 * it is, and so does what other handles have. */
static int make_private(struct fs *fs, struct handle *handle)
{
	struct value *shared = handle->value, *private;
	int failed = 0;

	/* What is staged is one value for all who have it open; once it has its real name, each of
	 * them has its own. */
	if (shared && (handle->file->staged ? !shared->uploads : shared->references == 1))
		return 0;
	private = value_new(fs->options.pool);
	if (!private)
		return -ENOMEM;
	if (shared && shared->bytes.length)
		failed = locked_append(&private->bytes, shared->bytes.data, shared->bytes.length);
	private->valid_utf8_bytes = shared ? shared->valid_utf8_bytes : 0;
	private->characters = shared ? shared->characters : 0;
	if (failed) {
		value_release(private);
		return failed;
	}
	value_release(shared);
	handle->value = private;
	if (handle->file->staged == shared && shared) {
		value_release(shared);
		handle->file->staged = private;
		private->references++;
	}
	return 0;
}

/* What was changed before the end is counted anew, and looked at again when more follows: half a
 * character may be there for a moment. */
static void revalidate_utf8(struct value *value, size_t changed_at)
{
	const struct locked *bytes = &value->bytes;

	if (changed_at < value->valid_utf8_bytes)
		value->valid_utf8_bytes = changed_at;
	/* The character before it may have lost its end. */
	while (value->valid_utf8_bytes > 0 &&
	       (bytes->data[value->valid_utf8_bytes - 1] & 0xc0) == 0x80)
		value->valid_utf8_bytes--;
	if (value->valid_utf8_bytes > 0 && bytes->data[value->valid_utf8_bytes - 1] >= 0xc0)
		value->valid_utf8_bytes--;
	value->characters = utf8_length(bytes->data, bytes->length);
}

/* Looks at what came since the last time, so that a value that comes byte by byte is read once. */
static int check_text(const struct fs *fs, struct value *value, size_t offset, size_t size)
{
	const struct provider *provider = fs->provider;
	const struct locked *bytes = &value->bytes;

	if (offset + size == bytes->length) {
		value->characters += utf8_length(bytes->data + offset, size);
		value->valid_utf8_bytes +=
			utf8_valid_prefix(bytes->data + value->valid_utf8_bytes,
					  bytes->length - value->valid_utf8_bytes);
		if (!utf8_is_prefix(bytes->data + value->valid_utf8_bytes,
				    bytes->length - value->valid_utf8_bytes))
			return -EILSEQ;
	}
	if (provider->value_characters_max &&
	    value->characters > provider->value_characters_max + !fs->config->keep_newline)
		return -EFBIG;
	return 0;
}

/* Writes `size` bytes at `offset`, zeros where `data` is NULL. What lies between the end and
 * `offset` becomes zeros, if every byte is known. */
static int append_data(struct fs *fs, struct handle *handle, const char *data, size_t size,
		       uint64_t offset)
{
	struct locked *bytes;
	size_t before, judged;
	int failed = make_private(fs, handle);

	if (failed)
		return failed;
	bytes = &handle->value->bytes;
	before = bytes->length;
	if (offset > before && !handle->began_empty)
		return -EINVAL;
	if (offset + size > bytes_max(fs))
		return -EFBIG;
	failed = locked_reserve(bytes, offset + size);
	if (failed)
		return failed;
	if (offset > before)
		memset(bytes->data + before, 0, offset - before);
	if (data)
		memcpy(bytes->data + offset, data, size);
	else
		memset(bytes->data + offset, 0, size);
	if (offset + size > bytes->length)
		bytes->length = offset + size;
	if (!fs->provider->text_only)
		return 0;
	if (offset < before)
		revalidate_utf8(handle->value, offset);
	judged = offset < before ? bytes->length : before;
	failed = check_text(fs, handle->value, judged, bytes->length - judged);
	/* What is staged may never become a secret (an editor's swap file): it is judged when it
	 * gets its real name. */
	return handle->file->staged ? 0 : failed;
}

/* The value is another one now, and still to be published. */
static void changed(struct handle *handle)
{
	handle->dirty = true;
	handle->file->modified_at = clock_files();
	handle->file->times = (struct set_times){0};
}

/* Zeros from `from` to `to`, where the value grows if need be. Bytes that are unknown can't be
 * changed. */
static int take_zeros(struct fs *fs, struct handle *handle, uint64_t from, uint64_t to)
{
	int failed;

	if (to > handle_length(handle) && !handle->began_empty)
		return -EINVAL;
	if (to > bytes_max(fs))
		return -EFBIG;
	if (from >= to)
		return 0;
	failed = append_data(fs, handle, NULL, to - from, from);
	if (!failed)
		changed(handle);
	return failed;
}

static void record_failed(const struct handle *handle, const char *operation, int error)
{
	static const enum refusal refusals[] = {REFUSAL_TOO_LARGE, REFUSAL_GROWS, REFUSAL_NOT_TEXT,
						REFUSAL_NO_LOCKED_MEMORY};
	static const int errors[] = {EFBIG, EINVAL, EILSEQ, ENOBUFS};
	const struct file *file = handle->file;
	enum refusal refusal = REFUSAL_NO_MEMORY;

	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (errors[i] == error)
			refusal = refusals[i];
	refusal_record(file->fs,
		       &(struct audit_event){
			       .operation = operation, .store = file->store, .name = file->name},
		       refusal);
}

/* A handle that refused a change is spent: what its writer goes on to write is not the value any
 * more. */
static void fail_handle(struct handle *handle, const char *operation, int error)
{
	handle_wipe(handle);
	handle->failed = error;
	/* Others may hold what is staged, and it keeps its name so that it can be removed by it. */
	if (handle->file->staged)
		handle->file->spoiled = true;
	record_failed(handle, operation, error);
}

void fs_write(fuse_req_t request, fuse_ino_t number, const char *data, size_t size, off_t offset,
	      struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct handle *handle = handle_of(info);
	int failed;

	if (number < fs->inode_base) {
		control_write(fs, request, size);
		return;
	}
	if (!handle->failed) {
		note_lock_owner(&handle->opener, info->lock_owner);
		handle->wrote = true;
		failed = writer_note(fs, handle, fuse_req_ctx(request)->pid);
		if (!failed)
			failed = append_data(fs, handle, data, size,
					     handle->append ? handle_length(handle)
							    : (uint64_t)offset);
		if (failed)
			fail_handle(handle, "write", -failed);
	}
	if (handle->failed) {
		fuse_reply_err(request, handle->failed);
		return;
	}
	changed(handle);
	if (fs->config->commit == COMMIT_WRITE)
		write_through(fs, request, handle, size);
	else
		fuse_reply_write(request, size);
}

/* Cuts the value. What is cut to nothing is known to be empty from then on. */
static int cut(struct fs *fs, struct handle *handle, size_t size)
{
	int failed = make_private(fs, handle);

	if (failed)
		return failed;
	sodium_memzero(handle->value->bytes.data + size, handle->value->bytes.length - size);
	handle->value->bytes.length = size;
	if (fs->provider->text_only)
		revalidate_utf8(handle->value, size);
	return 0;
}

int handle_truncate(struct fs *fs, struct handle *handle, off_t size)
{
	size_t length = handle_length(handle);
	int failed = 0;

	if (handle->failed)
		return handle->failed;
	if ((uint64_t)size > length)
		failed = take_zeros(fs, handle, length, (uint64_t)size);
	else if ((size_t)size < length)
		failed = cut(fs, handle, (size_t)size);
	if (failed) {
		fail_handle(handle, "truncate", -failed);
		return -failed;
	}
	if (size == 0) {
		handle->began_empty = true;
		handle->file->spoiled = false;
	} else if ((size_t)size < length) {
		changed(handle);
	}
	return 0;
}

/* fallocate(2) in one of the modes that the kernel lets through. What needs no change of the value
 * always succeeds. */
static int allocate(struct fs *fs, struct handle *handle, int mode, uint64_t from, uint64_t to)
{
	size_t length = handle_length(handle);

	if (mode & FALLOC_FL_PUNCH_HOLE || mode == (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE))
		return take_zeros(fs, handle, from,
				  handle->began_empty && to > length ? length : to);
	if (mode == FALLOC_FL_ZERO_RANGE)
		return take_zeros(fs, handle, from, to);
	return to > length ? take_zeros(fs, handle, length, to) : 0;
}

void fs_fallocate(fuse_req_t request, fuse_ino_t number, int mode, off_t offset, off_t length,
		  struct fuse_file_info *info)
{
	const int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
	struct fs *fs = fuse_req_userdata(request);
	struct handle *handle = handle_of(info);
	int failed;

	if (number < fs->inode_base || mode & ~known) {
		fuse_reply_err(request, EOPNOTSUPP);
	} else if (handle->failed) {
		fuse_reply_err(request, handle->failed);
	} else if (mode == FALLOC_FL_KEEP_SIZE) {
		/* Room is reserved, and nothing changes. */
		fuse_reply_err(request,
			       (uint64_t)offset + (uint64_t)length > bytes_max(fs) ? EFBIG : 0);
	} else {
		failed = allocate(fs, handle, mode, (uint64_t)offset,
				  (uint64_t)offset + (uint64_t)length);
		if (failed)
			fail_handle(handle, "fallocate", -failed);
		fuse_reply_err(request, -failed);
	}
}

/* truncate(2) by name is open, ftruncate and close in one: what is staged is changed, and a stored
 * value is not known here. */
static int truncate_by_name(struct fs *fs, const struct inode *inode, off_t size)
{
	struct file *file = inode->file;
	struct handle *handle;
	int error;

	if (!file || !file->staged)
		return size ? refusal_record(fs,
					     &(struct audit_event){.operation = "truncate",
								   .store = inode->store,
								   .name = inode_name(inode)},
					     REFUSAL_GROWS)
			    : 0;
	handle = handle_new(file);
	if (!handle)
		return ENOMEM;
	handle->value = file->staged;
	handle->value->references++;
	handle->began_empty = true;
	error = handle_truncate(fs, handle, size);
	handle_free(handle);
	return error;
}

/* A descriptor has its file, even where its number stands for nothing any more: another client has
 * deleted and made anew what it was opened as. */
static enum inode_kind find_inode(struct fs *fs, fuse_ino_t number,
				  const struct fuse_file_info *info, struct inode *inode)
{
	if (inode_find(fs, number, inode) == INODE_NONE && info) {
		inode->kind = INODE_SECRET;
		inode->file = handle_of(info)->file;
		inode->store = inode->file->store;
	}
	return inode->kind;
}

void fs_setattr(fuse_req_t request, fuse_ino_t number, struct stat *attributes, int what,
		struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct stat present;
	struct inode inode;
	int error;

	if (find_inode(fs, number, info, &inode) == INODE_NONE) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	error = refusal_record(
		fs,
		&(struct audit_event){.operation = "setattr",
				      .store = inode.kind == INODE_SECRET ? inode.store : NULL,
				      .name = inode_name(&inode)},
		precheck_setattr(request, &inode, attributes, what));
	if (!error && (what & FUSE_SET_ATTR_SIZE) && inode.kind == INODE_SECRET)
		error = info ? handle_truncate(fs, handle_of(info), attributes->st_size)
			     : truncate_by_name(fs, &inode, attributes->st_size);
	if (error) {
		fuse_reply_err(request, error);
		return;
	}
	if (inode.kind == INODE_SECRET)
		written_set_times(fs, &inode, attributes, what);
	inode_attributes(fs, &inode, &present);
	fuse_reply_attr(request, &present, inode_attribute_timeout(fs, &inode));
}
