/*
 * Inode numbers: what each refers to, its attributes, and for how long the kernel may cache them.
 */
#include "control.h"
#include "fs_internal.h"
#include "staging.h"

#define KERNEL_TIMEOUT_MAX 1.0 /* seconds: `refresh` must be able to take effect */

fuse_ino_t inode_number(const struct fs *fs, uint32_t entry_id)
{
	return fs->inode_base + entry_id;
}

/* Fills in the inode of a record of `listing`; for a store without `store`. */
static void inode_of_record(struct fs *fs, struct listing *listing, const struct record *record,
			    struct inode *inode)
{
	*inode = (struct inode){.number = inode_number(fs, record->entry_id), .record = record};
	inode->store = listing_store(listing);
	inode->kind = inode->store ? INODE_SECRET : INODE_STORE;
	/* Found by its name: another client may have deleted and created again what is open here,
	 * and then the record has another number than the file. */
	inode->file = file_find(fs, inode->store, record->name);
}

static enum inode_kind entry_id_of(struct fs *fs, uint32_t entry_id, struct inode *inode)
{
	const struct record *record = catalog_record(fs->catalog, entry_id);
	struct listing *listing = record ? catalog_listing(fs->catalog, record) : NULL;

	if (listing) {
		inode_of_record(fs, listing, record, inode);
		if (inode->kind == INODE_STORE)
			inode->store = catalog_store(fs->catalog, record);
		return inode->kind;
	}
	inode->file = file_of_entry_id(fs, entry_id);
	if (inode->file) {
		inode->kind = staging_kind(inode->file);
		inode->store = inode->file->store;
	}
	return inode->kind;
}

enum inode_kind inode_find(struct fs *fs, fuse_ino_t number, struct inode *inode)
{
	*inode = (struct inode){.kind = INODE_NONE, .number = number};
	if (number > fs->inode_base && number - fs->inode_base <= UINT32_MAX)
		return entry_id_of(fs, (uint32_t)(number - fs->inode_base), inode);
	if (number == INODE_NUMBER_ROOT) {
		inode->store = catalog_only_store(fs->catalog);
		inode->kind = inode->store ? INODE_STORE : INODE_ROOT;
	} else if (number == INODE_NUMBER_CONTROL) {
		inode->kind = INODE_CONTROL_DIRECTORY;
	} else if (number >= INODE_NUMBER_CONTROL_FIRST &&
		   number < INODE_NUMBER_CONTROL_FIRST + CONTROL_COUNT) {
		inode->kind = INODE_CONTROL_FILE;
		inode->control = &controls[number - INODE_NUMBER_CONTROL_FIRST];
	}
	return inode->kind;
}

bool inode_find_or_reply(struct fs *fs, fuse_req_t request, fuse_ino_t number, struct inode *inode)
{
	if (inode_find(fs, number, inode) != INODE_NONE)
		return true;
	fuse_reply_err(request, ENOENT);
	return false;
}

const char *inode_name(const struct inode *inode)
{
	if (inode->kind == INODE_SECRET && inode->file)
		return inode->file->name;
	if (inode->record)
		return inode->record->name;
	return inode->control ? inode->control->name : ".";
}

struct listing *inode_listing(struct fs *fs, const struct inode *inode)
{
	if (inode->kind == INODE_ROOT)
		return catalog_stores(fs->catalog);
	return inode->kind == INODE_STORE && inode->store ? store_secrets(inode->store) : NULL;
}

mode_t inode_mode(const struct fs *fs, const struct inode *inode)
{
	mode_t mask = fs->config->umask, write = 0222 & ~mask;

	/* A kernel that checks permissions refuses getxattr without read permission: the mode it is
	 * shown gives read to the same classes as write. */
	if (inode->kind == INODE_SECRET)
		return S_IFREG | write | (fs->config->default_permissions ? write << 1 : 0);
	if (inode->control)
		return S_IFREG | inode->control->mode;
	if (inode->kind == INODE_STAGED_LINK)
		return S_IFLNK | 0777;
	return S_IFDIR | ((inode->kind == INODE_CONTROL_DIRECTORY ? 0555 : 0777) & ~mask);
}

static wall_time_ns changed_at(const struct fs *fs, const struct inode *inode)
{
	if (inode->record)
		return record_changed_at(inode->record);
	/* Their text is made when they are opened. */
	if (inode->kind == INODE_CONTROL_FILE)
		return clock_wall();
	return inode->file ? inode->file->modified_at : fs->mounted_at;
}

void inode_attributes(struct fs *fs, const struct inode *inode, struct stat *attributes)
{
	wall_time_ns time = changed_at(fs, inode);
	mode_t mode = inode_mode(fs, inode);

	*attributes = (struct stat){.st_ino = inode->number,
				    .st_mode = mode,
				    .st_nlink = S_ISDIR(mode) ? 2 : 1,
				    .st_uid = fs->config->uid,
				    .st_gid = fs->config->gid,
				    .st_blksize = 4096};
	if (inode->kind == INODE_STAGED_LINK)
		attributes->st_size = (off_t)strlen(inode->file->target);
	if (time != TIME_UNKNOWN) {
		attributes->st_mtim.tv_sec = time / NANOSECONDS;
		attributes->st_mtim.tv_nsec = time % NANOSECONDS;
	}
	attributes->st_ctim = attributes->st_mtim;
	attributes->st_atim = attributes->st_mtim;
	if (inode->kind == INODE_SECRET)
		written_show(fs, inode, attributes);
}

/* Seconds that are left of the record's TTL, at most one. 0 while the file is open, uploaded,
 * staged or failed. */
static double time_left(struct fs *fs, const struct inode *inode)
{
	struct listing *listing;
	uint64_t left;

	if (inode->file)
		return 0;
	if (!inode->record)
		return inode->kind == INODE_SECRET ? 0 : KERNEL_TIMEOUT_MAX;
	listing = catalog_listing(fs->catalog, inode->record);
	left = listing ? listing_time_left(listing, inode->record) : 0;
	return left >= 1000 ? KERNEL_TIMEOUT_MAX : (double)left / 1000;
}

double inode_attribute_timeout(struct fs *fs, const struct inode *inode)
{
	if (inode->kind == INODE_CONTROL_FILE)
		return 0; /* it changes all the time */
	if (fs->config->attr_timeout >= 0 && !inode->file)
		return fs->config->attr_timeout;
	return time_left(fs, inode);
}

void inode_entry(struct fs *fs, const struct inode *inode, struct fuse_entry_param *entry)
{
	entry->ino = inode->number;
	entry->generation = 0; /* a number is never used again */
	inode_attributes(fs, inode, &entry->attr);
	entry->attr_timeout = inode_attribute_timeout(fs, inode);
	entry->entry_timeout = fs->config->entry_timeout >= 0 && !inode->file
				       ? fs->config->entry_timeout
				       : time_left(fs, inode);
}

void inode_revalidate(struct fs *fs, const struct inode *inode)
{
	struct listing *listing =
		inode->record ? catalog_listing(fs->catalog, inode->record) : NULL;

	if (listing && !inode->file) /* what is open here is about to be changed */
		listing_revalidate(listing, inode->record);
}

enum inode_kind staging_kind(const struct file *file)
{
	return file->is_directory ? INODE_STAGED_DIRECTORY
	       : file->target	  ? INODE_STAGED_LINK
				  : INODE_SECRET;
}

void inode_of_file(struct fs *fs, struct file *file, struct inode *inode)
{
	*inode = (struct inode){.kind = staging_kind(file),
				.number = inode_number(fs, file->entry_id),
				.store = file->store,
				.file = file,
				.record = catalog_record(fs->catalog, file->entry_id)};
}

void inode_reply(fuse_req_t request, const struct inode *inode)
{
	struct fuse_entry_param entry;

	inode_entry(fuse_req_userdata(request), inode, &entry);
	fuse_reply_entry(request, &entry);
}

void inode_reply_file(fuse_req_t request, struct file *file)
{
	struct inode inode;

	inode_of_file(file->fs, file, &inode);
	inode_reply(request, &inode);
}

void inode_reply_record(struct fs *fs, fuse_req_t request, struct listing *listing,
			const struct record *record)
{
	struct inode inode;

	inode_of_record(fs, listing, record, &inode);
	inode_reply(request, &inode);
}

void inode_reply_name(fuse_req_t request, struct listing *listing, const char *name)
{
	struct fs *fs = fuse_req_userdata(request);
	const struct record *record;

	if (listing_query(listing, name, &record) == CACHE_HIT)
		inode_reply_record(fs, request, listing, record);
	else
		fuse_reply_err(request, EIO);
}
