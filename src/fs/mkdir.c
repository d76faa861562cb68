/*
 * MKDIR and RMDIR: stores that are created and deleted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs_internal.h"
#include "sstorefs/name.h"

struct changing {
	struct late late;
	struct lookup lookup; /* of the store to be deleted */
	struct store_change change;
	struct store *store; /* to be deleted; NULL: it is created */
	char name[256];
};

static void changing_free(struct changing *changing)
{
	store_release(changing->store);
	free(changing);
}

static void reply_made(struct fs *fs, fuse_req_t request, const char *name)
{
	struct listing *stores = catalog_stores(fs->catalog);
	struct fuse_entry_param entry;
	const struct record *record;
	struct inode inode;

	if (listing_known(stores, name, &record) != KNOWN_PRESENT) {
		fuse_reply_err(request, EIO);
		return;
	}
	inode_of_record(fs, stores, record, &inode);
	inode_entry(fs, &inode, &entry);
	fuse_reply_entry(request, &entry);
}

static void changed(struct store_change *change)
{
	struct changing *changing = container_of(change, struct changing, change);
	struct fs *fs = changing->late.fs;
	fuse_req_t request = late_take(&changing->late);

	struct actor actor;

	actor_of_request(&actor, request);
	audit(fs, &actor,
	      &(struct deed){.operation = changing->store ? "rmdir" : "mkdir", .name = changing->name},
	      &change->failure);
	if (change->failure.error) {
		fuse_reply_err(request, change->failure.error);
	} else if (changing->store) {
		fuse_reply_err(request, 0);
	} else {
		reply_made(fs, request, changing->name);
	}
	changing_free(changing);
}

static void interrupted(struct late *late)
{
	struct changing *changing = container_of(late, struct changing, late);

	lookup_cancel(&changing->lookup);
	store_change_cancel(&changing->change);
	late_error(late, EINTR);
	changing_free(changing);
}

static struct changing *changing_new(struct fs *fs, fuse_req_t request, const char *name, struct store *store)
{
	struct changing *changing = calloc(1, sizeof *changing);

	if (!changing) {
		fuse_reply_err(request, ENOMEM);
		return NULL;
	}
	strcpy(changing->name, name);
	changing->store = store ? store_reference(store) : NULL;
	changing->change = (struct store_change){.catalog = fs->catalog,
						 .name = changing->name,
						 .store = store,
						 .deadline = fs_deadline(fs),
						 .done = changed};
	late_begin(fs, &changing->late, request, interrupted);
	return changing;
}

/* What both have in common. */
static enum refusal refusal_of_both(struct fs *fs, const struct inode *directory, const char *name)
{
	enum refusal refusal = refusal_of_creation(fs);

	if (refusal)
		return refusal;
	if (directory->kind == INODE_CONTROL_DIRECTORY || !strcmp(name, ".sstorefs"))
		return REFUSAL_CONTROL;
	if (strlen(name) > NAME_LENGTH_MAX)
		return REFUSAL_LONG_NAME;
	return directory->kind == INODE_ROOT ? REFUSAL_NONE : REFUSAL_HOLDS_SECRETS;
}

static enum refusal refusal_of_mkdir(struct fs *fs, const struct inode *directory, const char *name)
{
	enum refusal refusal = refusal_of_both(fs, directory, name);
	const struct record *record;

	if (refusal)
		return refusal;
	if (!name_is_canonical(name) || !fs->provider->store_name_is_valid(name))
		return fs->provider->stores_are_local ? REFUSAL_USER_ID : REFUSAL_STORE_NAME;
	return listing_known(catalog_stores(fs->catalog), name, &record) == KNOWN_PRESENT ? REFUSAL_EXISTS
											  : REFUSAL_NONE;
}

void fs_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct fs *fs = fuse_req_userdata(request);
	struct changing *changing;
	struct inode directory;
	enum refusal refusal;

	(void)mode;
	if (staging_mkdir(fs, request, parent, name))
		return;
	inode_find(fs, parent, &directory);
	refusal = refusal_of_mkdir(fs, &directory, name);
	if (refusal) {
		refusal_reply(request,
			      &(struct deed){.operation = "mkdir", .store = directory.store, .name = name},
			      refusal);
		return;
	}
	changing = changing_new(fs, request, name, NULL);
	if (changing)
		store_create_start(&changing->change);
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
static void delete_known(struct changing *changing, const struct record *record)
{
	struct fs *fs = changing->late.fs;
	struct store *store = catalog_store(fs->catalog, record);
	enum refusal refusal = !store		      ? REFUSAL_NO_MEMORY
			       : has_files(fs, store) ? REFUSAL_NOT_EMPTY
						      : REFUSAL_NONE;

	if (refusal) {
		late_error(&changing->late,
			   refusal_record(fs, &(struct deed){.operation = "rmdir", .name = changing->name},
					  refusal));
		changing_free(changing);
		return;
	}
	changing->store = store_reference(store);
	changing->change.store = store;
	store_delete_start(&changing->change);
}

static void looked(struct lookup *lookup)
{
	struct changing *changing = container_of(lookup, struct changing, lookup);

	if (!lookup->failure.error) {
		delete_known(changing, lookup->record);
		return;
	}
	if (lookup->failure.error != ENOENT) {
		struct actor actor;

		actor_of_request(&actor, changing->late.request);
		audit(changing->late.fs, &actor, &(struct deed){.operation = "rmdir", .name = changing->name},
		      &lookup->failure);
	}
	late_error(&changing->late, lookup->failure.error);
	changing_free(changing);
}

void fs_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(request);
	struct changing *changing;
	struct inode directory;
	enum refusal refusal;

	if (staging_rmdir(fs, request, parent, name))
		return;
	inode_find(fs, parent, &directory);
	refusal = refusal_of_both(fs, &directory, name);
	if (!refusal && fs->provider->stores_are_local && !strcmp(name, fs->provider->lasting_store))
		refusal = REFUSAL_STAYS;
	if (refusal) {
		refusal_reply(request,
			      &(struct deed){.operation = "rmdir", .store = directory.store, .name = name},
			      refusal);
		return;
	}
	changing = changing_new(fs, request, name, NULL);
	if (!changing)
		return;
	changing->lookup = (struct lookup){.deadline = fs_deadline(fs), .done = looked};
	strcpy(changing->lookup.name, name);
	lookup_start(catalog_stores(fs->catalog), &changing->lookup);
}
