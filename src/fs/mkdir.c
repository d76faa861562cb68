/* MKDIR and RMDIR: create and delete stores. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "deferred.h"
#include "file.h"
#include "fs_internal.h"
#include "inode.h"
#include "operations.h"
#include "precheck.h"
#include "sstorefs/name.h"
#include "staging.h"

struct store_request {
	struct deferred deferred;
	struct lookup lookup; /* of the store to be deleted */
	struct store_op op;
	struct store *store; /* to be deleted; NULL: it is created */
	char name[256];
};

static void store_request_free(struct store_request *pending)
{
	store_release(pending->store);
	free(pending);
}

static void reply_made(struct fs *fs, fuse_req_t request, const char *name)
{
	struct listing *stores = catalog_stores(fs->catalog);
	struct fuse_entry_param entry;
	const struct record *record;
	struct inode inode;

	if (listing_query(stores, name, &record) != CACHE_HIT) {
		fuse_reply_err(request, EIO);
		return;
	}
	inode_of_record(fs, stores, record, &inode);
	inode_entry(fs, &inode, &entry);
	fuse_reply_entry(request, &entry);
}

static void on_store_op(struct store_op *op)
{
	struct store_request *pending = container_of(op, struct store_request, op);
	struct fs *fs = pending->deferred.fs;
	fuse_req_t request = deferred_take(&pending->deferred);

	struct actor actor;

	actor_of_request(&actor, request);
	audit(fs, &actor,
	      &(struct audit_event){.operation = pending->store ? "rmdir" : "mkdir",
				    .name = pending->name},
	      &op->change.failure);
	if (op->change.failure.errnum) {
		fuse_reply_err(request, op->change.failure.errnum);
	} else if (pending->store) {
		fuse_reply_err(request, 0);
	} else {
		reply_made(fs, request, pending->name);
	}
	store_request_free(pending);
}

static void interrupted(struct deferred *deferred)
{
	struct store_request *pending = container_of(deferred, struct store_request, deferred);

	lookup_cancel(&pending->lookup);
	store_op_cancel(&pending->op);
	deferred_reply_err(deferred, EINTR);
	store_request_free(pending);
}

static struct store_request *store_request_new(struct fs *fs, fuse_req_t request, const char *name,
					       struct store *store)
{
	struct store_request *pending = calloc(1, sizeof *pending);

	if (!pending) {
		fuse_reply_err(request, ENOMEM);
		return NULL;
	}
	strcpy(pending->name, name);
	pending->store = store ? store_reference(store) : NULL;
	pending->op = (struct store_op){.catalog = fs->catalog,
					.change.name = pending->name,
					.change.store = store,
					.change.deadline = fs_deadline(fs),
					.done = on_store_op};
	deferred_begin(fs, &pending->deferred, request, interrupted);
	return pending;
}

/* What both have in common. */
static enum refusal precheck_exchange(struct fs *fs, const struct inode *directory,
				      const char *name)
{
	enum refusal refusal = precheck_create(fs);

	if (refusal)
		return refusal;
	if (directory->kind == INODE_CONTROL_DIRECTORY || !strcmp(name, ".sstorefs"))
		return REFUSAL_CONTROL;
	if (strlen(name) > NAME_LENGTH_MAX)
		return REFUSAL_LONG_NAME;
	return directory->kind == INODE_ROOT ? REFUSAL_NONE : REFUSAL_HOLDS_SECRETS;
}

static enum refusal precheck_mkdir(struct fs *fs, const struct inode *directory, const char *name)
{
	enum refusal refusal = precheck_exchange(fs, directory, name);
	const struct record *record;

	if (refusal)
		return refusal;
	if (!name_is_canonical(name) || !fs->provider->store_name_is_valid(name))
		return fs->provider->stores_are_local ? REFUSAL_USER_ID : REFUSAL_STORE_NAME;
	return listing_query(catalog_stores(fs->catalog), name, &record) == CACHE_HIT
		       ? REFUSAL_EXISTS
		       : REFUSAL_NONE;
}

void fs_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct fs *fs = fuse_req_userdata(request);
	struct store_request *pending;
	struct inode directory;
	enum refusal refusal;

	(void)mode;
	if (staging_mkdir(fs, request, parent, name))
		return;
	inode_find(fs, parent, &directory);
	refusal = precheck_mkdir(fs, &directory, name);
	if (refusal) {
		refusal_reply(request,
			      &(struct audit_event){
				      .operation = "mkdir", .store = directory.store, .name = name},
			      refusal);
		return;
	}
	pending = store_request_new(fs, request, name, NULL);
	if (pending)
		store_create_start(&pending->op);
}

/* Secrets that are being written into the store count, stored or not, and what is staged there. */
static bool has_files(struct fs *fs, const struct store *store)
{
	for (const struct file *file = fs->first_file; file; file = file->next)
		if (file->store == store && !file->unlinked &&
		    (file->handles || file->uploads || file->staged))
			return true;
	return false;
}

/* The store is known: deletes it, unless something is being written to it. Answers in any case. */
static void rmdir_found(struct store_request *pending, const struct record *record)
{
	struct fs *fs = pending->deferred.fs;
	struct store *store = catalog_store(fs->catalog, record);
	enum refusal refusal = !store		      ? REFUSAL_NO_MEMORY
			       : has_files(fs, store) ? REFUSAL_NOT_EMPTY
						      : REFUSAL_NONE;

	if (refusal) {
		deferred_reply_err(&pending->deferred,
				   refusal_record(fs,
						  &(struct audit_event){.operation = "rmdir",
									.name = pending->name},
						  refusal));
		store_request_free(pending);
		return;
	}
	pending->store = store_reference(store);
	pending->op.change.store = store;
	store_delete_start(&pending->op);
}

static void on_lookup(struct lookup *lookup)
{
	struct store_request *pending = container_of(lookup, struct store_request, lookup);

	if (!lookup->failure.errnum) {
		rmdir_found(pending, lookup->record);
		return;
	}
	if (lookup->failure.errnum != ENOENT) {
		struct actor actor;

		actor_of_request(&actor, pending->deferred.request);
		audit(pending->deferred.fs, &actor,
		      &(struct audit_event){.operation = "rmdir", .name = pending->name},
		      &lookup->failure);
	}
	deferred_reply_err(&pending->deferred, lookup->failure.errnum);
	store_request_free(pending);
}

void fs_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(request);
	struct store_request *pending;
	struct inode directory;
	enum refusal refusal;

	if (staging_rmdir(fs, request, parent, name))
		return;
	inode_find(fs, parent, &directory);
	refusal = precheck_exchange(fs, &directory, name);
	if (!refusal && fs->provider->stores_are_local &&
	    !strcmp(name, fs->provider->builtin_store))
		refusal = REFUSAL_STAYS;
	if (refusal) {
		refusal_reply(request,
			      &(struct audit_event){
				      .operation = "rmdir", .store = directory.store, .name = name},
			      refusal);
		return;
	}
	pending = store_request_new(fs, request, name, NULL);
	if (!pending)
		return;
	pending->lookup = (struct lookup){.deadline = fs_deadline(fs), .done = on_lookup};
	strcpy(pending->lookup.name, name);
	lookup_start(catalog_stores(fs->catalog), &pending->lookup);
}
