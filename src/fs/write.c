/* WRITE, truncation and fallocate: change the value in the buffer of a handle. */
#include <fcntl.h>
#include <linux/falloc.h>

#include "control.h"
#include "flush.h"
#include "fs_internal.h"
#include "operations.h"

/* Notes the lock owner of a WRITE: where /proc does not show the opener, the FLUSH of the only
 * owner that has written publishes (doc/semantics.md, rule 7). */
static void note_lock_owner(struct opener *opener, uint64_t owner)
{
	if (!opener->owner_known) {
		opener->owner = owner;
		opener->owner_known = true;
	} else if (opener->owner != owner && !opener->owner_opened) {
		opener->owner_ambiguous = true;
	}
}

/* Returns the size of the largest buffer: one byte over the limit where a newline is dropped. */
static size_t bytes_max(const struct fs *fs)
{
	const struct provider *provider = fs->provider;
	size_t most = provider->value_bytes_max ? provider->value_bytes_max
						: provider->value_characters_max * 4;

	return most + !fs->config->keep_newline;
}

/* Gives the handle a value of its own to write to: uploads and other handles that share the present
 * one keep it as it is. Returns 0 or -errno. */
static int make_private(struct fs *fs, struct handle *handle)
{
	struct value *shared = handle->value, *private;
	int failed = 0;

	/* The handles of a staged file share its value, until it is renamed to its real name. */
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
		handle->file->staged = value_reference(private);
	}
	return 0;
}

/* Counts the characters again after a change before the end, from which on the text has to be
 * validated again. */
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

/* Validates the bytes that were appended behind the first `length`, so that a value that is written
 * byte by byte is read once. Returns 0 or -errno. */
static int check_text(const struct fs *fs, struct value *value, size_t length)
{
	const struct provider *provider = fs->provider;
	const struct locked *bytes = &value->bytes;

	value->characters += utf8_length(bytes->data + length, bytes->length - length);
	value->valid_utf8_bytes += utf8_valid_prefix(bytes->data + value->valid_utf8_bytes,
						     bytes->length - value->valid_utf8_bytes);
	if (!utf8_is_prefix(bytes->data + value->valid_utf8_bytes,
			    bytes->length - value->valid_utf8_bytes))
		return -EILSEQ;
	if (provider->value_characters_max &&
	    value->characters > provider->value_characters_max + !fs->config->keep_newline)
		return -EFBIG;
	return 0;
}

/* Writes `size` bytes at `offset`, zeros where `data` is NULL. A gap before `offset` is filled with
 * zeros, if every byte of the value is known. Returns 0 or -errno. */
static int append_data(struct fs *fs, struct handle *handle, const char *data, size_t size,
		       uint64_t offset)
{
	struct locked *bytes;
	size_t before;
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
	failed = check_text(fs, handle->value, offset < before ? bytes->length : before);
	/* A staged value may never become a secret (an editor's swap file): it is checked when it
	 * is renamed to its real name. */
	return handle->file->staged ? 0 : failed;
}

/*
 * io_uring does not advance the position of a file that is open with direct_io (Linux 6.18, probed
 * by tests/integration/io_uring_write.c): a second write at the current position arrives with the
 * offset of the first. Returns -ESPIPE for a write of a thread of io_uring over bytes that are
 * there, which an explicit offset could mean as well; else 0. Zeros may be a gap, which writes that
 * overtake one another leave.
 */
static int check_position(const struct handle *handle, pid_t thread, uint64_t offset, size_t size)
{
	size_t length = handle_length(handle);
	char program[32];

	if (offset >= length || sodium_is_zero(handle->value->bytes.data + offset,
					       size < length - offset ? size : length - offset))
		return 0;
	program_of(thread, program);
	return strncmp(program, "iou-", strlen("iou-")) == 0 ? -ESPIPE : 0;
}

/* Notes that the value was changed and is to be published. */
static void mark_dirty(struct handle *handle)
{
	handle->dirty = true;
	handle->file->modified_at = clock_files();
	handle->file->times = (struct set_times){0};
}

/* Writes zeros from `from` to `to`; the value may grow. Unknown bytes cannot be changed. Returns 0
 * or -errno. */
static int write_zeros(struct fs *fs, struct handle *handle, uint64_t from, uint64_t to)
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
		mark_dirty(handle);
	return failed;
}

static enum refusal refusal_of(int error)
{
	switch (error) {
	case EFBIG:
		return REFUSAL_TOO_LARGE;
	case EINVAL:
		return REFUSAL_GROWS;
	case ESPIPE:
		return REFUSAL_POSITION;
	case EILSEQ:
		return REFUSAL_NOT_TEXT;
	case ENOBUFS:
		return REFUSAL_NO_LOCKED_MEMORY;
	}
	return REFUSAL_NO_MEMORY;
}

/* Fails a handle that refused a change: whatever is written next, its value is incomplete. */
static void fail_handle(struct handle *handle, const char *operation, int error)
{
	handle_wipe(handle);
	handle->failed = error;
	/* Other handles may share a staged value. The file keeps its name, so that it can be
	 * removed. */
	if (handle->file->staged)
		handle->file->spoiled = true;
	refusal_record(handle->file->fs, operation, handle->file->store, handle->file->name,
		       refusal_of(error));
	count_write(&handle->file->fs->writes, &(struct failure){.errnum = error}, false);
}

void fs_write(fuse_req_t request, fuse_ino_t number, const char *data, size_t size, off_t offset,
	      struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct handle *handle = handle_of(info);
	pid_t thread = fuse_req_ctx(request)->pid;
	int failed;

	if (number < fs->inode_base) {
		control_write(fs, request, size);
		return;
	}
	if (!handle->failed) {
		note_lock_owner(&handle->opener, info->lock_owner);
		handle->wrote = true;
		/* As they are now: fcntl(F_SETFL) changes them. */
		if (info->flags & O_APPEND)
			offset = (off_t)handle_length(handle);
		failed = writer_note(fs, handle, thread);
		if (!failed)
			failed = check_position(handle, thread, (uint64_t)offset, size);
		if (!failed)
			failed = append_data(fs, handle, data, size, (uint64_t)offset);
		if (failed)
			fail_handle(handle, "write", -failed);
	}
	if (handle->failed) {
		fuse_reply_err(request, handle->failed);
		return;
	}
	mark_dirty(handle);
	if (fs->config->commit == COMMIT_WRITE)
		write_through(request, handle, size);
	else
		fuse_reply_write(request, size);
}

/* Truncates and wipes the rest. Returns 0 or -errno. */
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
		failed = write_zeros(fs, handle, length, (uint64_t)size);
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
		mark_dirty(handle);
	}
	return 0;
}

/* fallocate(2) in one of the modes that the kernel lets through. It succeeds where it changes
 * nothing. Returns 0 or -errno. */
static int allocate(struct fs *fs, struct handle *handle, int mode, uint64_t from, uint64_t to)
{
	size_t length = handle_length(handle);

	if (mode & FALLOC_FL_PUNCH_HOLE || mode == (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE))
		return write_zeros(fs, handle, from,
				   handle->began_empty && to > length ? length : to);
	if (mode == FALLOC_FL_ZERO_RANGE)
		return write_zeros(fs, handle, from, to);
	return to > length ? write_zeros(fs, handle, length, to) : 0;
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
		/* This mode reserves space, and changes nothing. */
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

/* truncate(2) by name is open, ftruncate and close in one. A staged value is changed; a stored one
 * is unknown here, so it cannot be. Returns 0 or a positive errno. */
static int truncate_by_name(struct fs *fs, const struct inode *inode, off_t size)
{
	struct file *file = inode->file;
	struct handle *handle;
	int error;

	if (!file || !file->staged)
		return size ? refusal_record(fs, "truncate", inode->store, inode_name(inode),
					     REFUSAL_GROWS)
			    : 0;
	handle = handle_new(file);
	if (!handle)
		return ENOMEM;
	handle->value = value_reference(file->staged);
	handle->began_empty = true;
	error = handle_truncate(fs, handle, size);
	handle_free(handle);
	return error;
}

/* Finds an inode by its number, or by the descriptor `info`: another client may have deleted and
 * created again what that was opened as, and then the number refers to nothing. */
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
	error = refusal_record(fs, "setattr", inode.kind == INODE_SECRET ? inode.store : NULL,
			       inode_name(&inode),
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
