/* UNLINK: deletes a secret. */
#include "fs_internal.h"
#include "operations.h"
#include "retained.h"
#include "staging.h"
#include "upload.h"

struct unlink_request {
	struct deferred deferred; /* `name` is the secret */
	struct change_op op;
	uint32_t entry_id; /* of what was known under the name; 0: nothing was */
};

static void on_deleted(struct change_op *op)
{
	struct unlink_request *pending = container_of(op, struct unlink_request, op);
	struct deferred *deferred = &pending->deferred;
	struct fs *fs = deferred->fs;
	struct file *file = file_find(fs, deferred->store, deferred->name);
	struct failure *failure = &op->failure;

	/* The service has no such secret, but what was shown here under the name is gone. */
	if (failure->errnum == ENOENT && file && file_is_visible(file))
		*failure = (struct failure){0};
	if (file && (!failure->errnum || failure->errnum == ENOENT)) {
		uploads_cancel_queued(file);
		file_unlink(file);
	}
	if (!failure->errnum)
		written_forget(fs, pending->entry_id);
	deferred_audit(deferred, NULL, NULL, failure);
	deferred_end(deferred, failure->errnum);
}

static const struct deferred_kind unlink_kind = {"unlink", sizeof(struct unlink_request)};

/*
 * True if the service does not have the file, so that removing it needs no call. A file that was
 * created here may have been renamed onto a secret, and another client may have created the same
 * name: then the service has one.
 */
static bool is_only_here(const struct file *file)
{
	struct listing *listing = store_secrets(file->store);
	const struct record *record;

	if (file->staged)
		return true;
	return file->created && !file->is_guess && !file->uploads && !file->unknown &&
	       !listing_is_invalid(listing, file->name) &&
	       listing_query(listing, file->name, &record) != CACHE_HIT;
}

static enum refusal precheck_unlink(const struct fs *fs, const struct inode *directory,
				    const char *name, char path[static NAME_LENGTH_MAX + 1])
{
	enum refusal refusal = precheck_create(fs);

	if (refusal)
		return refusal;
	return directory->kind == INODE_ROOT ? REFUSAL_IS_STORE
					     : staging_path(directory, name, path);
}

static void delete_secret(struct fs *fs, fuse_req_t request, struct store *store, const char *name)
{
	const struct record *record = listing_peek_any(store_secrets(store), name);
	struct unlink_request *pending = deferred_new(&unlink_kind, request, store, name);

	if (!pending)
		return;
	retained_forget(fs, store, name);
	pending->entry_id = record ? record->entry_id : 0;
	deferred_change(&pending->deferred, &pending->op, on_deleted);
	delete_start(&pending->op);
}

void fs_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(request);
	char path[NAME_LENGTH_MAX + 1];
	struct inode directory;
	struct file *file;

	inode_find(fs, parent, &directory);
	if (refusal_reply(request, "unlink", directory.store, name,
			  precheck_unlink(fs, &directory, name, path)))
		return;
	file = file_find(fs, directory.store, path);
	if (file && is_only_here(file)) {
		fuse_reply_err(request, file->is_directory ? EISDIR : 0);
		if (!file->is_directory)
			file_unlink(file);
	} else if (directory.kind == INODE_STAGED_DIRECTORY) {
		fuse_reply_err(request, ENOENT);
	} else {
		delete_secret(fs, request, directory.store, name);
	}
}
