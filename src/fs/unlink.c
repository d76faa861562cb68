/* UNLINK: deletes a secret. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "deferred.h"
#include "drain.h"
#include "file.h"
#include "fs_internal.h"
#include "inode.h"
#include "operations.h"
#include "precheck.h"
#include "retained.h"
#include "sstorefs/name.h"
#include "staging.h"
#include "upload.h"
#include "written.h"

struct unlink_request {
	struct deferred deferred;
	struct delete_op op;
	struct store *store;
	char name[256];
	uint32_t serial; /* of what was known under the name; 0: nothing was */
};

static void unlink_request_free(struct unlink_request *unlinking)
{
	store_release(unlinking->store);
	free(unlinking);
}

static void on_deleted(struct delete_op *deletion)
{
	struct unlink_request *unlinking = container_of(deletion, struct unlink_request, op);
	struct fs *fs = unlinking->deferred.fs;
	struct file *file = file_find(fs, unlinking->store, unlinking->name);
	struct actor actor;

	/* There is none at the service; but what was to be seen here is gone. */
	if (deletion->change.failure.errnum == ENOENT && file && file_is_visible(file))
		deletion->change.failure = (struct failure){0};
	if (file &&
	    (!deletion->change.failure.errnum || deletion->change.failure.errnum == ENOENT)) {
		uploads_cancel_queued(file);
		file_unlink(file);
	}
	if (!deletion->change.failure.errnum)
		written_forget(fs, unlinking->serial);
	actor_of_request(&actor, unlinking->deferred.request);
	audit(fs, &actor,
	      &(struct audit_event){
		      .operation = "unlink", .store = unlinking->store, .name = unlinking->name},
	      &deletion->change.failure);
	deferred_reply_err(&unlinking->deferred, deletion->change.failure.errnum);
	unlink_request_free(unlinking);
	fs_check_drained(fs);
}

static void interrupted(struct deferred *deferred)
{
	struct unlink_request *unlinking = container_of(deferred, struct unlink_request, deferred);

	delete_cancel(&unlinking->op);
	deferred_reply_err(deferred, EINTR);
	unlink_request_free(unlinking);
}

/* Nobody but us knows of it yet; or, where it was renamed onto a secret and not stored yet, or
 * another client was first, somebody does. */
static bool is_only_here(const struct file *file)
{
	struct listing *listing = store_secrets(file->store);
	const struct record *record;

	if (file->staged)
		return true;
	return file->created && !file->uploads && !file->unknown &&
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

void fs_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(request);
	const struct record *record;
	struct unlink_request *unlinking;
	char path[NAME_LENGTH_MAX + 1];
	struct inode directory;
	enum refusal refusal;
	struct file *file;

	inode_find(fs, parent, &directory);
	refusal = precheck_unlink(fs, &directory, name, path);
	if (refusal) {
		refusal_reply(request,
			      &(struct audit_event){.operation = "unlink",
						    .store = directory.store,
						    .name = name},
			      refusal);
		return;
	}
	file = file_find(fs, directory.store, path);
	if (file && is_only_here(file)) {
		bool is_directory = file->is_directory;

		if (!is_directory)
			file_unlink(file);
		fuse_reply_err(request, is_directory ? EISDIR : 0);
		return;
	}
	if (directory.kind == INODE_STAGED_DIRECTORY) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	unlinking = calloc(1, sizeof *unlinking);
	if (!unlinking) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	unlinking->store = store_reference(directory.store);
	strcpy(unlinking->name, name);
	retained_forget(fs, unlinking->store, unlinking->name);
	record = listing_peek_any(store_secrets(directory.store), name);
	unlinking->serial = record ? record->entry_id : 0;
	unlinking->op = (struct delete_op){.change.store = unlinking->store,
					   .change.name = unlinking->name,
					   .change.deadline = fs_deadline(fs),
					   .done = on_deleted};
	deferred_begin(fs, &unlinking->deferred, request, interrupted);
	delete_start(&unlinking->op);
}
