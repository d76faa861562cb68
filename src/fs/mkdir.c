/* MKDIR and RMDIR: create and delete stores. */
#include "fs_internal.h"
#include "operations.h"
#include "staging.h"

struct store_request {
	struct deferred deferred; /* `name` is the store; `store` is NULL while it is created */
	struct store_op op;
};

static const struct deferred_kind mkdir_kind = {"mkdir", sizeof(struct store_request)};
static const struct deferred_kind rmdir_kind = {"rmdir", sizeof(struct store_request)};

static void on_store_op(struct change_op *op)
{
	struct deferred *deferred = &container_of(op, struct store_request, op.change)->deferred;
	int error = op->failure.errnum;

	/* The log has the store as the name of what is changed. */
	store_release(deferred->store);
	deferred->store = NULL;
	deferred_audit(deferred, NULL, NULL, &op->failure);
	if (!error && deferred->kind == &mkdir_kind)
		inode_reply_name(deferred_take(deferred), catalog_stores(deferred->fs->catalog),
				 deferred->name);
	deferred_end(deferred, error);
}

static struct store_request *store_request_new(const struct deferred_kind *kind, fuse_req_t request,
					       const char *name)
{
	struct store_request *pending = deferred_new(kind, request, NULL, name);

	if (!pending)
		return NULL;
	deferred_change(&pending->deferred, &pending->op.change, on_store_op);
	pending->op.catalog = pending->deferred.fs->catalog;
	return pending;
}

/* Returns why neither MKDIR nor RMDIR of `name` is possible in `directory`. */
static enum refusal precheck_store(struct fs *fs, const struct inode *directory, const char *name)
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
	enum refusal refusal = precheck_store(fs, directory, name);
	const struct record *record;

	if (refusal)
		return refusal;
	if (!name_is_canonical(name) || !fs->provider->store_name_is_valid(name))
		return fs->provider->stores_are_fixed ? REFUSAL_FIXED_STORES : REFUSAL_STORE_NAME;
	return listing_query(catalog_stores(fs->catalog), name, &record) == CACHE_HIT
		       ? REFUSAL_EXISTS
		       : REFUSAL_NONE;
}

void fs_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct fs *fs = fuse_req_userdata(request);
	struct store_request *pending;
	struct inode directory;

	(void)mode;
	if (staging_mkdir(fs, request, parent, name))
		return;
	inode_find(fs, parent, &directory);
	if (refusal_reply(request, "mkdir", directory.store, name,
			  precheck_mkdir(fs, &directory, name)))
		return;
	pending = store_request_new(&mkdir_kind, request, name);
	if (pending)
		store_create_start(&pending->op);
}

/* True if secrets are being written to the store, or are staged there: they count as content. */
static bool has_files(struct fs *fs, const struct store *store)
{
	const struct file *file;

	TAILQ_FOREACH (file, &fs->files, link)
		if (file->store == store && !file->unlinked &&
		    (!LIST_EMPTY(&file->handles) || file->uploads || file->staged))
			return true;
	return false;
}

/* Deletes the store of `record` unless something is being written to it. Ends `pending` or starts
 * its operation. */
static void delete_store(struct store_request *pending, const struct record *record)
{
	struct fs *fs = pending->deferred.fs;
	const char *name = pending->deferred.name;
	struct store *store = catalog_store(fs->catalog, record);
	enum refusal refusal = REFUSAL_NONE;

	if (!store)
		refusal = REFUSAL_NO_MEMORY;
	else if (has_files(fs, store))
		refusal = REFUSAL_NOT_EMPTY;
	if (refusal) {
		deferred_end(&pending->deferred, refusal_record(fs, "rmdir", NULL, name, refusal));
		return;
	}
	pending->deferred.store = store_reference(store);
	pending->op.change.store = store;
	store_delete_start(&pending->op);
}

static void on_lookup(struct lookup *lookup)
{
	struct deferred *deferred = container_of(lookup, struct deferred, lookup);

	if (!lookup->failure.errnum) {
		delete_store(container_of(deferred, struct store_request, deferred),
			     lookup->record);
		return;
	}
	if (lookup->failure.errnum != ENOENT)
		deferred_audit(deferred, NULL, NULL, &lookup->failure);
	deferred_end(deferred, lookup->failure.errnum);
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
	refusal = precheck_store(fs, &directory, name);
	if (!refusal && provider_has_builtin_store(fs->provider, name))
		refusal = REFUSAL_STAYS;
	if (refusal_reply(request, "rmdir", directory.store, name, refusal))
		return;
	pending = store_request_new(&rmdir_kind, request, name);
	if (pending)
		deferred_lookup(&pending->deferred, catalog_stores(fs->catalog), false, on_lookup);
}
