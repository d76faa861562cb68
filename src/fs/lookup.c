/* LOOKUP, GETATTR and ACCESS: from memory where the name is known, else by one query. */
#include "await_description.h"
#include "control.h"
#include "fs_internal.h"
#include "intent.h"
#include "operations.h"
#include "staging.h"

/*
 * Answers that there is no such name, and lets the kernel cache that for at most a second. Drops
 * the file of an upload whose outcome was unknown: the service was read, and it does not have the
 * name.
 */
static void reply_absent(fuse_req_t request, struct listing *listing, const char *name)
{
	struct fs *fs = fuse_req_userdata(request);
	struct file *file = file_find(fs, listing_store(listing), name);
	uint64_t left = listing_time_left(listing, NULL), most = fs->config->negative_ttl;
	struct fuse_entry_param entry = {.entry_timeout = fs->config->negative_timeout};

	if (file && file->unknown) {
		file->unknown = false;
		file_put_if_unused(file);
	}
	if (left > most)
		left = most;
	if (entry.entry_timeout < 0)
		entry.entry_timeout = left >= 1000 ? 1.0 : (double)left / 1000;
	if (entry.entry_timeout > 0)
		fuse_reply_entry(request, &entry);
	else
		fuse_reply_err(request, ENOENT);
}

static void on_lookup(struct lookup *lookup)
{
	struct deferred *deferred = container_of(lookup, struct deferred, lookup);
	struct fs *fs = deferred->fs;
	int error = lookup->failure.errnum;

	if (!error) {
		inode_reply_record(fs, deferred_take(deferred), lookup->listing, lookup->record);
	} else if (error == ENOENT) {
		reply_absent(deferred_take(deferred), lookup->listing, lookup->name);
	} else {
		fs_report(fs, "lookup", deferred->store, lookup->name, &lookup->failure);
	}
	deferred_end(deferred, error);
}

static const struct deferred_kind lookup_kind = {"lookup", sizeof(struct deferred)};

static void start_lookup(fuse_req_t request, struct listing *listing, const char *name)
{
	struct deferred *deferred =
		deferred_new(&lookup_kind, request, listing_store(listing), name);

	if (deferred)
		deferred_lookup(deferred, listing, false, on_lookup);
}

/* Answers with a file that is open here and not stored yet: every process can see it. Returns false
 * without a reply where there is none. */
static bool reply_file(struct fs *fs, fuse_req_t request, const struct store *store,
		       const char *name)
{
	struct file *file = file_find(fs, store, name);

	if (!file || !file_is_visible(file))
		return false;
	inode_reply_file(request, file);
	return true;
}

static void lookup_control(struct fs *fs, fuse_req_t request, fuse_ino_t parent, const char *name)
{
	fuse_ino_t number = INODE_NUMBER_CONTROL;
	struct inode inode;
	unsigned i = 0;

	if (parent == INODE_NUMBER_CONTROL) {
		while (i < CONTROL_COUNT && strcmp(controls[i].name, name))
			i++;
		number = INODE_NUMBER_CONTROL_FIRST + i;
	}
	if (inode_find_or_reply(fs, request, number, &inode))
		inode_reply(request, &inode);
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
		inode_reply_record(fs, request, listing, record);
		break;
	case CACHE_NEGATIVE:
		reply_absent(request, listing, name);
		break;
	case CACHE_MISS:
		if (!name_is_canonical(name) ||
		    (listing_store(listing) && intent_is_to_put(fs, listing_store(listing), name,
								fuse_req_ctx(request)->pid)))
			fuse_reply_err(request, ENOENT);
		else
			start_lookup(request, listing, name);
		break;
	}
}

static void answer_getattr(fuse_req_t request, fuse_ino_t number,
			   const struct metadata_query *query)
{
	(void)query;
	fs_getattr(request, number, NULL);
}

void fs_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	static const struct metadata_query query = {.answer = answer_getattr};
	struct fs *fs = fuse_req_userdata(request);
	struct stat attributes;
	struct inode inode;

	if (!inode_find_or_reply(fs, request, number, &inode) ||
	    (!info && await_description(request, number, &inode, &query)))
		return;
	inode_attributes(fs, &inode, &attributes);
	/* The kernel names a handle for lseek(SEEK_END): what is written there next must go behind
	 * what was written so far. */
	if (info && inode.kind == INODE_SECRET)
		attributes.st_size = (off_t)handle_length(handle_of(info));
	fuse_reply_attr(request, &attributes, inode_attribute_timeout(fs, &inode));
	inode_revalidate(fs, &inode);
}

void fs_access(fuse_req_t request, fuse_ino_t number, int mask)
{
	struct fs *fs = fuse_req_userdata(request);
	struct inode inode;
	mode_t mode = 0777;
	int granted;

	if (!inode_find_or_reply(fs, request, number, &inode))
		return;
	if (inode.kind == INODE_SECRET)
		mode = 0222;
	else if (inode.control)
		mode = inode.control->mode;
	granted = (mode & 0444 ? R_OK : 0) | (mode & 0222 ? W_OK : 0) | (mode & 0111 ? X_OK : 0);
	if (mask & ~granted)
		fuse_reply_err(request, EACCES);
	else
		fuse_reply_err(request,
			       mask & W_OK && fs->config->read_only && !inode.control ? EROFS : 0);
}
