/*
 * WRITE and truncation: a value as it grows in its handle. Nothing here goes to the service.
 */
#include <errno.h>
#include <string.h>

#include "fs.h"
#include "sstorefs/name.h"

static struct handle *handle_of(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh;
}

/* Who writes may become the one whose FLUSH counts, where processes can't be told (DESIGN 3, rule 7). */
static void note_owner(struct opener *opener, uint64_t owner)
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
	size_t most =
		provider->value_bytes_max ? provider->value_bytes_max : provider->value_characters_max * 4;

	return most + !fs->config->keep_newline;
}

/* A value of its own for the handle, to be written to: what is on its way to the service stays as it is, and so does what other handles have. */
static int own_value(struct fs *fs, struct handle *handle)
{
	struct value *shared = handle->value, *own;
	int failed = 0;

	/* What is staged is one value for all who have it open; once it has its real name, each of them has its own. */
	if (shared && (handle->file->staged ? !shared->uploads : shared->references == 1))
		return 0;
	own = value_new(fs->options.pool);
	if (!own)
		return -ENOMEM;
	if (shared && shared->bytes.length)
		failed = locked_append(&own->bytes, shared->bytes.data, shared->bytes.length);
	own->whole = shared ? shared->whole : 0;
	own->characters = shared ? shared->characters : 0;
	if (failed) {
		value_release(own);
		return failed;
	}
	value_release(shared);
	handle->value = own;
	if (handle->file->staged == shared && shared) {
		value_release(shared);
		handle->file->staged = own;
		own->references++;
	}
	return 0;
}

/* What was changed before the end is counted anew, and looked at again when more follows: half a character may be there for a moment. */
static void recount(struct value *value, size_t changed_at)
{
	const struct locked *bytes = &value->bytes;

	if (changed_at < value->whole)
		value->whole = changed_at;
	/* The character before it may have lost its end. */
	while (value->whole > 0 && (bytes->data[value->whole - 1] & 0xc0) == 0x80)
		value->whole--;
	if (value->whole > 0 && bytes->data[value->whole - 1] >= 0xc0)
		value->whole--;
	value->characters = utf8_count(bytes->data, bytes->length);
}

/* Looks at what came since the last time, so that a value that comes byte by byte is read once. */
static int check_text(const struct fs *fs, struct value *value, size_t offset, size_t size)
{
	const struct provider *provider = fs->provider;
	const struct locked *bytes = &value->bytes;

	if (offset + size == bytes->length) {
		value->characters += utf8_count(bytes->data + offset, size);
		value->whole += utf8_whole(bytes->data + value->whole, bytes->length - value->whole);
		if (!utf8_is_begun(bytes->data + value->whole, bytes->length - value->whole))
			return -EILSEQ;
	}
	if (provider->value_characters_max &&
	    value->characters > provider->value_characters_max + !fs->config->keep_newline)
		return -EFBIG;
	return 0;
}

static int take_data(struct fs *fs, struct handle *handle, const char *data, size_t size, uint64_t offset)
{
	struct locked *bytes;
	size_t before;
	int failed = own_value(fs, handle);

	if (failed)
		return failed;
	bytes = &handle->value->bytes;
	before = bytes->length;
	if (handle->append)
		offset = bytes->length;
	if (offset > bytes->length)
		return -EINVAL;
	if (offset + size > bytes_max(fs))
		return -EFBIG;
	failed = locked_reserve(bytes, offset + size);
	if (failed)
		return failed;
	memcpy(bytes->data + offset, data, size);
	if (offset + size > bytes->length)
		bytes->length = offset + size;
	if (!fs->provider->text_only)
		return 0;
	if (offset < before)
		recount(handle->value, offset);
	failed = check_text(fs, handle->value, offset < before ? bytes->length : offset,
			    offset < before ? 0 : size);
	/* What is staged may never become a secret (an editor's swap file): it is judged when it gets its real name. */
	return handle->file->staged ? 0 : failed;
}

/* A handle that refused a WRITE is spent: what its writer goes on to write is not the value any more. */
static void spend(struct fs *fs, struct handle *handle, int error)
{
	struct failure failure = {0};

	static const struct {
		int error;
		const char *words;
	} words[] = {
		{EFBIG, "the value is larger than the service takes"},
		{EINVAL, "the value would have a hole: write it from its beginning to its end"},
		{EILSEQ,
		 "the value is not UTF-8, and this service takes only text: encode it, in base64 for example"},
		{ENOBUFS,
		 "no locked memory is left for another value: raise RLIMIT_MEMLOCK or write fewer at once"},
	};

	handle_wipe(handle);
	handle->spent = error;
	failure_set(&failure, error, "%s", "out of memory");
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].error == error)
			failure_set(&failure, error, "%s", words[i].words);
	journal_record(fs->options.journal, "write", store_name(handle->file->store), handle->file->name,
		       &failure);
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
	if (!handle->spent) {
		note_owner(&handle->opener, info->lock_owner);
		failed = take_data(fs, handle, data, size, (uint64_t)offset);
		if (failed)
			spend(fs, handle, -failed);
	}
	if (handle->spent) {
		fuse_reply_err(request, handle->spent);
		return;
	}
	handle->due = true;
	handle->file->touched_at = clock_files();
	handle->file->times = (struct set_times){0};
	if (fs->config->commit == COMMIT_WRITE)
		publication_of_write(fs, request, handle, size);
	else
		fuse_reply_write(request, size);
}

size_t handle_length(const struct handle *handle)
{
	return handle->value ? handle->value->bytes.length : 0;
}

int handle_truncate(struct fs *fs, struct handle *handle, off_t size)
{
	size_t length = handle ? handle_length(handle) : 0;
	int failed;

	if (handle && handle->spent)
		return handle->spent;
	if (size < 0 || (uint64_t)size > length)
		return EINVAL;
	if ((size_t)size == length)
		return 0;
	failed = own_value(fs, handle);
	if (failed)
		return -failed;
	sodium_memzero(handle->value->bytes.data + size, length - (size_t)size);
	handle->value->bytes.length = (size_t)size;
	if (fs->provider->text_only)
		recount(handle->value, (size_t)size);
	return 0;
}

/* What is asked for beyond the size: granted where it changes nothing that the mount decides (DESIGN 3, rule 16). */
static int check_attributes(struct fs *fs, const struct inode *inode, const struct stat *wanted, int what)
{
	struct stat present;

	inode_attributes(fs, inode, &present);
	if ((what & FUSE_SET_ATTR_MODE) && (wanted->st_mode & 0222 & ~present.st_mode))
		return EPERM;
	if ((what & FUSE_SET_ATTR_UID) && wanted->st_uid != present.st_uid)
		return EPERM;
	if ((what & FUSE_SET_ATTR_GID) && wanted->st_gid != present.st_gid)
		return EPERM;
	return 0;
}

/* A descriptor has its file, even where its number stands for nothing any more: another client has deleted and made anew what it was opened as. */
static enum inode_kind find_inode(struct fs *fs, fuse_ino_t number, const struct fuse_file_info *info,
				  struct inode *inode)
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
	int error = 0;

	if (find_inode(fs, number, info, &inode) == INODE_NONE) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	if (what & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		error = check_attributes(fs, &inode, attributes, what);
	if (!error && (what & FUSE_SET_ATTR_SIZE) && inode.kind == INODE_SECRET)
		error = handle_truncate(fs, info ? handle_of(info) : NULL, attributes->st_size);
	if (error) {
		fuse_reply_err(request, error);
		return;
	}
	if (inode.kind == INODE_SECRET)
		written_set_times(fs, &inode, attributes, what);
	inode_attributes(fs, &inode, &present);
	fuse_reply_attr(request, &present, inode_attribute_timeout(fs, &inode));
}
