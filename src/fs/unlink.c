/*
 * UNLINK.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs_internal.h"
#include "sstorefs/name.h"

struct removing {
	struct late late;
	struct removal removal;
	struct store *store;
	char name[256];
	uint32_t serial; /* of what was known under the name; 0: nothing was */
};

static void removing_free(struct removing *removing)
{
	store_release(removing->store);
	free(removing);
}

static void removed(struct removal *removal)
{
	struct removing *removing = container_of(removal, struct removing, removal);
	struct fs *fs = removing->late.fs;
	struct file *file = file_find(fs, removing->store, removing->name);
	struct actor actor;

	/* There is none at the service; but what was to be seen here is gone. */
	if (removal->failure.error == ENOENT && file && file_is_there(file))
		removal->failure = (struct failure){0};
	if (file && (!removal->failure.error || removal->failure.error == ENOENT)) {
		uploads_drop(file);
		file_unlink(file);
	}
	if (!removal->failure.error)
		written_forget(fs, removing->serial);
	actor_of_request(&actor, removing->late.request);
	audit(fs, &actor,
	      &(struct deed){.operation = "unlink", .store = removing->store, .name = removing->name},
	      &removal->failure);
	late_error(&removing->late, removal->failure.error);
	removing_free(removing);
	fs_check_drained(fs);
}

static void interrupted(struct late *late)
{
	struct removing *removing = container_of(late, struct removing, late);

	removal_cancel(&removing->removal);
	late_error(late, EINTR);
	removing_free(removing);
}

/* Nobody but us knows of it yet; or, where it was renamed onto a secret and not stored yet, or another client was first, somebody does. */
static bool is_only_here(const struct file *file)
{
	struct listing *listing = store_secrets(file->store);
	const struct record *record;

	if (file->staged)
		return true;
	return file->created && !file->uploads && !file->unknown && !listing_doubts(listing, file->name) &&
	       listing_known(listing, file->name, &record) != KNOWN_PRESENT;
}

static enum refusal refusal_of_unlink(const struct fs *fs, const struct inode *directory, const char *name,
				      char path[static NAME_LENGTH_MAX + 1])
{
	enum refusal refusal = refusal_of_creation(fs);

	if (refusal)
		return refusal;
	return directory->kind == INODE_ROOT ? REFUSAL_IS_STORE : staging_path(directory, name, path);
}

void fs_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(request);
	const struct record *record;
	struct removing *removing;
	char path[NAME_LENGTH_MAX + 1];
	struct inode directory;
	enum refusal refusal;
	struct file *file;

	inode_find(fs, parent, &directory);
	refusal = refusal_of_unlink(fs, &directory, name, path);
	if (refusal) {
		refusal_reply(request,
			      &(struct deed){.operation = "unlink", .store = directory.store, .name = name},
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
	removing = calloc(1, sizeof *removing);
	if (!removing) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	removing->store = store_reference(directory.store);
	strcpy(removing->name, name);
	retained_forget(fs, removing->store, removing->name);
	record = listing_record(store_secrets(directory.store), name);
	removing->serial = record ? record->serial : 0;
	removing->removal = (struct removal){.store = removing->store,
					     .name = removing->name,
					     .deadline = fs_deadline(fs),
					     .done = removed};
	late_begin(fs, &removing->late, request, interrupted);
	removal_start(&removing->removal);
}
