/* LOOKUP, GETATTR and ACCESS. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "deferred.h"
#include "file.h"
#include "fs_internal.h"
#include "inode.h"
#include "operations.h"
#include "precheck.h"
#include "sstorefs/name.h"
#include "staging.h"

struct lookup_request {
	struct deferred deferred;
	struct lookup lookup;
	struct store *store; /* referenced; NULL: it is a store that is looked up */
};

static void lookup_request_free(struct lookup_request *pending)
{
	store_release(pending->store);
	free(pending);
}

static void reply_inode(struct fs *fs, fuse_req_t request, const struct inode *inode)
{
	struct fuse_entry_param entry;

	inode_entry(fs, inode, &entry);
	fuse_reply_entry(request, &entry);
}

/* That there is none may be kept by the kernel as well, for a moment. */
static void reply_absent(struct fs *fs, fuse_req_t request, struct listing *listing)
{
	struct fuse_entry_param entry = {0};
	uint64_t left = listing_time_left(listing, NULL), most = fs->config->negative_ttl;

	if (left > most)
		left = most;
	entry.entry_timeout = fs->config->negative_timeout >= 0 ? fs->config->negative_timeout
			      : left >= 1000			? 1.0
								: (double)left / 1000;
	if (entry.entry_timeout > 0)
		fuse_reply_entry(request, &entry);
	else
		fuse_reply_err(request, ENOENT);
}

static void reply_record(struct fs *fs, fuse_req_t request, struct listing *listing,
			 const struct record *record)
{
	struct inode inode;

	inode_of_record(fs, listing, record, &inode);
	reply_inode(fs, request, &inode);
}

/* A name whose outcome was unknown was read again, and there is none: nothing was stored, and there
 * is nothing to be shown. */
static void forget_absent(struct fs *fs, const struct store *store, const char *name)
{
	struct file *file = store ? file_find(fs, store, name) : NULL;

	if (!file || !file->unknown)
		return;
	file->unknown = false;
	file_put_if_unused(file);
}

static void on_lookup(struct lookup *lookup)
{
	struct lookup_request *pending = container_of(lookup, struct lookup_request, lookup);
	struct fs *fs = pending->deferred.fs;
	fuse_req_t request = deferred_take(&pending->deferred);
	int error = lookup->failure.errnum;

	if (error == ENOENT)
		forget_absent(fs, pending->store, lookup->name);
	if (!error)
		reply_record(fs, request, lookup->listing, lookup->record);
	else if (error == ENOENT)
		reply_absent(fs, request, lookup->listing);
	else {
		error_log_report(fs->options.error_log, "lookup",
				 pending->store ? store_name(pending->store) : NULL, lookup->name,
				 &lookup->failure);
		fuse_reply_err(request, error);
	}
	lookup_request_free(pending);
}

static void interrupted(struct deferred *deferred)
{
	struct lookup_request *pending = container_of(deferred, struct lookup_request, deferred);

	lookup_cancel(&pending->lookup);
	deferred_reply_err(deferred, EINTR);
	lookup_request_free(pending);
}

static void start_lookup(struct fs *fs, fuse_req_t request, struct listing *listing,
			 const char *name)
{
	struct lookup_request *pending = calloc(1, sizeof *pending);

	if (!pending) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	if (listing_store(listing))
		pending->store = store_reference(listing_store(listing));
	pending->lookup = (struct lookup){.deadline = fs_deadline(fs), .done = on_lookup};
	strcpy(pending->lookup.name, name);
	deferred_begin(fs, &pending->deferred, request, interrupted);
	lookup_start(listing, &pending->lookup);
}

/* A file that is open here and not stored yet is there for everybody. */
static bool reply_file(struct fs *fs, fuse_req_t request, const struct store *store,
		       const char *name)
{
	struct file *file = store ? file_find(fs, store, name) : NULL;
	struct inode inode = {.file = file};

	if (!file || !file_is_visible(file))
		return false;
	inode.kind = staging_kind(file);
	inode.number = inode_number(fs, file->entry_id);
	inode.store = file->store;
	inode.record = catalog_record(fs->catalog, file->entry_id);
	reply_inode(fs, request, &inode);
	return true;
}

static void lookup_control(struct fs *fs, fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct inode inode;
	int control = -1;

	if (parent == INODE_NUMBER_CONTROL)
		control = control_find(name);
	if (parent == INODE_NUMBER_CONTROL && control < 0) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	inode_find(fs,
		   parent == INODE_NUMBER_CONTROL ? INODE_NUMBER_CONTROL_FIRST + (unsigned)control
						  : INODE_NUMBER_CONTROL,
		   &inode);
	reply_inode(fs, request, &inode);
}

static void look_up_staged(struct fs *fs, fuse_req_t request, const struct inode *directory,
			   const char *name)
{
	char path[NAME_LENGTH_MAX + 1];
	enum refusal refusal = staging_path(directory, name, path);

	if (refusal || !reply_file(fs, request, directory->store, path))
		fuse_reply_err(request, refusal == REFUSAL_LONG_NAME ? ENAMETOOLONG : ENOENT);
}

void fs_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(request);
	const struct record *record;
	struct listing *listing;
	struct inode inode;

	if (parent == INODE_NUMBER_CONTROL ||
	    (parent == INODE_NUMBER_ROOT && !strcmp(name, ".sstorefs"))) {
		lookup_control(fs, request, parent, name);
		return;
	}
	inode_find(fs, parent, &inode);
	if (inode.kind == INODE_STAGED_DIRECTORY) {
		look_up_staged(fs, request, &inode, name);
		return;
	}
	listing = inode_listing(fs, &inode);
	if (!listing) {
		fuse_reply_err(request, inode.kind == INODE_NONE ? ENOENT : ENOTDIR);
		return;
	}
	if (strlen(name) > NAME_LENGTH_MAX) {
		fuse_reply_err(request, ENAMETOOLONG);
		return;
	}
	if (reply_file(fs, request, listing_store(listing), name))
		return;
	switch (listing_query(listing, name, &record)) {
	case CACHE_HIT:
		reply_record(fs, request, listing, record);
		break;
	case CACHE_NEGATIVE:
		forget_absent(fs, listing_store(listing), name);
		reply_absent(fs, request, listing);
		break;
	case CACHE_MISS:
		if (name_is_canonical(name))
			start_lookup(fs, request, listing, name);
		else
			fuse_reply_err(request, ENOENT);
		break;
	}
}

void fs_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(request);
	struct stat attributes;
	struct listing *listing;
	struct inode inode;

	if (inode_find(fs, number, &inode) == INODE_NONE) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	listing = inode.record ? catalog_listing(fs->catalog, inode.record) : NULL;
	inode_attributes(fs, &inode, &attributes);
	/* The kernel names a handle when its writer looks for the end (SEEK_END): what he writes
	 * there must not come to stand at the beginning. */
	if (info && inode.kind == INODE_SECRET)
		attributes.st_size =
			(off_t)handle_length((const struct handle *)(uintptr_t)info->fh);
	fuse_reply_attr(request, &attributes, inode_attribute_timeout(fs, &inode));
	if (listing)
		listing_revalidate(listing, inode.record);
}

void fs_access(fuse_req_t request, fuse_ino_t number, int mask)
{
	struct fs *fs = fuse_req_userdata(request);
	struct inode inode;
	mode_t mode = 0;
	int error = 0;

	if (inode_find(fs, number, &inode) == INODE_NONE)
		error = ENOENT;
	else if (inode.kind == INODE_CONTROL_FILE)
		mode = control_mode(inode.control);
	else if (inode.kind == INODE_SECRET)
		mode = 0222;
	else
		mode = 0777;
	if (!error && (((mask & R_OK) && !(mode & 0444)) || ((mask & W_OK) && !(mode & 0222)) ||
		       ((mask & X_OK) && !(mode & 0111))))
		error = EACCES;
	if (!error && (mask & W_OK) && fs->config->read_only && inode.kind != INODE_CONTROL_FILE)
		error = EROFS;
	fuse_reply_err(request, error);
}
