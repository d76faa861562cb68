/*
 * RENAME and LINK. What is only here takes its new name here; what is staged is published under it; what is stored is moved at the service, where it can.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs_internal.h"
#include "sstorefs/name.h"

struct renaming {
	struct late late;
	struct store *store;
	char from[NAME_LENGTH_MAX + 1], to[NAME_LENGTH_MAX + 1];
	struct move move;
	struct upload *upload;
	struct wait wait;
	struct retained *retained; /* what is being stored under the new name */
	uint32_t written;	   /* serial number of a value that this mount has written; 0: it has not */
	bool links;		   /* LINK: the old name stays */
};

static void renaming_free(struct renaming *renaming)
{
	wait_end(&renaming->wait);
	upload_release(renaming->upload);
	retained_free(renaming->retained);
	store_release(renaming->store);
	free(renaming);
}

/* What was just stored under the old name, and what was asked for it beside the value. */
static bool recall(struct move *move, const struct record *record, struct publication *publication)
{
	struct renaming *renaming = container_of(move, struct renaming, move);
	struct fs *fs = renaming->late.fs;
	struct retained *retained = retained_take(fs, renaming->store, renaming->from, record);

	if (!retained)
		return false;
	retained_forget(fs, renaming->store, renaming->to);
	renaming->retained = retained;
	publication->value = retained->value->bytes.data;
	publication->length = retained->length;
	publication->pool = fs->options.pool;
	publication->scopes = retained->wishes.scopes;
	publication->comment = retained->wishes.comment;
	publication->expiry_is_set = retained->wishes.expiry_is_set;
	publication->expires_at = retained->wishes.expires_at;
	return true;
}

/* It is still there under the old name, and its writer may try again. */
static void give_back(struct renaming *renaming)
{
	if (renaming->retained)
		retained_return(renaming->retained);
	renaming->retained = NULL;
}

/* What was closed after the rename was asked for, and waits for its turn: under the new name it has lost it, under the old one it goes on under the new. */
static void rename_waiting(struct renaming *renaming)
{
	struct fs *fs = renaming->late.fs;
	struct file *replaced = file_find(fs, renaming->store, renaming->to);
	struct file *file = file_find(fs, renaming->store, renaming->from);

	if (replaced && replaced != file)
		uploads_drop(replaced);
	if (!file)
		return;
	uploads_rename(file, renaming->to);
	/* It is there now under the new name: nobody creates it any more. */
	for (struct handle *handle = file->handles; handle; handle = handle->next)
		handle->exclusive = false;
}

/* What was open under the new name has lost it; what was open under the old one goes on under the new. */
static void rename_files(struct renaming *renaming)
{
	struct fs *fs = renaming->late.fs;
	struct file *replaced = file_find(fs, renaming->store, renaming->to);
	struct file *file = file_find(fs, renaming->store, renaming->from);

	if (replaced && replaced != file)
		file_unlink(replaced);
	if (!file)
		return;
	if (renaming->upload)
		staging_end(file);
	file_rename(file, renaming->to);
}

static void reply_link(struct renaming *renaming, fuse_req_t request)
{
	struct fs *fs = renaming->late.fs;
	struct listing *listing = store_secrets(renaming->store);
	struct fuse_entry_param entry;
	const struct record *record;
	struct inode inode;

	if (listing_known(listing, renaming->to, &record) != KNOWN_PRESENT) {
		fuse_reply_err(request, EIO);
		return;
	}
	inode_of_record(fs, listing, record, &inode);
	inode_entry(fs, &inode, &entry);
	fuse_reply_entry(request, &entry);
}

/*
 * What was known of the old name's value is known of the new one's. Where the rename failed half-way
 * the new name may have it or not, and not every service shows which.
 */
static void keep_length(struct renaming *renaming, int error)
{
	const struct record *record = listing_record(store_secrets(renaming->store), renaming->to);
	struct fs *fs = renaming->late.fs;

	if (!record || error == EOPNOTSUPP || error == EEXIST)
		return;
	if (error)
		written_forget(fs, record->serial);
	else if (renaming->written)
		written_follow(fs, renaming->written, record);
}

static void moved(struct move *move)
{
	struct renaming *renaming = container_of(move, struct renaming, move);
	struct fs *fs = renaming->late.fs;
	fuse_req_t request = late_take(&renaming->late);
	const struct deed deed = {.operation = renaming->links ? "link" : "rename",
				  .store = renaming->store,
				  .name = renaming->from,
				  .to = renaming->to};
	struct actor actor;

	actor_of_request(&actor, request);
	audit(fs, &actor, &deed, &move->failure);
	keep_length(renaming, move->failure.error);
	if (move->failure.error) {
		give_back(renaming);
		fuse_reply_err(request, move->failure.error);
	} else if (renaming->links) {
		reply_link(renaming, request);
	} else {
		retained_forget(fs, renaming->store, renaming->from);
		retained_forget(fs, renaming->store, renaming->to);
		rename_waiting(renaming);
		rename_files(renaming);
		fuse_reply_err(request, 0);
	}
	renaming_free(renaming);
	fs_check_drained(fs);
}

static void published(struct wait *wait)
{
	struct renaming *renaming = container_of(wait, struct renaming, wait);
	int error = renaming->upload->publication.failure.error;

	if (!error) {
		rename_waiting(renaming);
		rename_files(renaming);
	}
	late_error(&renaming->late, error);
	renaming_free(renaming);
}

static void interrupted(struct late *late)
{
	struct renaming *renaming = container_of(late, struct renaming, late);

	wait_end(&renaming->wait);
	if (renaming->upload)
		upload_cancel(renaming->upload);
	else
		move_cancel(&renaming->move);
	keep_length(renaming, EINTR);
	give_back(renaming);
	late_error(late, EINTR);
	renaming_free(renaming);
}

/* A staged value under its real name. It stays staged under the old one if it can't be published. */
static void publish_staged(struct renaming *renaming, struct file *file, bool only_free)
{
	struct failure failure;

	renaming->upload = upload_staged(file, renaming->to, only_free, renaming->late.request, &failure);
	renaming->wait.woken = published;
	if (!renaming->upload) {
		late_error(&renaming->late, failure.error ? failure.error : EINVAL);
		renaming_free(renaming);
	} else if (renaming->upload->done) {
		published(&renaming->wait);
	} else {
		wait_begin(&renaming->upload->waits, &renaming->wait);
	}
}

static struct renaming *renaming_new(struct fs *fs, fuse_req_t request, struct store *store, const char *from,
				     const char *to)
{
	struct renaming *renaming = calloc(1, sizeof *renaming);
	const struct record *record;

	if (!renaming) {
		fuse_reply_err(request, ENOMEM);
		return NULL;
	}
	renaming->store = store_reference(store);
	record = listing_record(store_secrets(store), from);
	renaming->written = written_has(fs, record) ? record->serial : 0;
	strcpy(renaming->from, from);
	strcpy(renaming->to, to);
	renaming->move = (struct move){.store = renaming->store,
				       .from = renaming->from,
				       .to = renaming->to,
				       .deadline = fs_deadline(fs),
				       .done = moved,
				       .recall = recall};
	late_begin(fs, &renaming->late, request, interrupted);
	return renaming;
}

/* From one temporary name to another, as vim does with its swap file: it is still none of the service's business. */
static bool stays_staged(const struct fs *fs, const struct inode *directory, const char *new_name)
{
	const struct record *record;

	if (directory->kind == INODE_STAGED_DIRECTORY)
		return true;
	return staging_keeps(fs, new_name) &&
	       listing_known(store_secrets(directory->store), new_name, &record) != KNOWN_PRESENT;
}

/* What both are called here: with a staged directory's name in front. */
struct paths {
	char from[NAME_LENGTH_MAX + 1], to[NAME_LENGTH_MAX + 1];
};

/* What keeps any rename from being tried. */
static enum refusal refusal_of_rename(struct fs *fs, const struct inode *from, const struct inode *to,
				      const char *name, const char *new_name, struct paths *paths)
{
	enum refusal refusal = refusal_of_creation(fs);
	const struct file *file, *replaced;

	if (refusal)
		return refusal;
	if (to->kind == INODE_CONTROL_DIRECTORY || from->kind == INODE_CONTROL_DIRECTORY ||
	    (from->number == INODE_NUMBER_ROOT && !strcmp(name, ".sstorefs")))
		return REFUSAL_CONTROL;
	if (from->kind == INODE_ROOT)
		return REFUSAL_RENAMES_STORE;
	if (from->store != to->store || to->kind == INODE_ROOT)
		return REFUSAL_LEAVES_STORE;
	refusal = staging_path(from, name, paths->from);
	if (!refusal)
		refusal = staging_path(to, new_name, paths->to);
	if (refusal)
		return refusal;
	file = file_find(fs, from->store, paths->from);
	replaced = file_find(fs, to->store, paths->to);
	if ((file && staging_kind(file) != INODE_SECRET) ||
	    (replaced && staging_kind(replaced) != INODE_SECRET))
		return REFUSAL_RENAMES_STAGED;
	if (to->kind == INODE_STAGED_DIRECTORY)
		return file && file->staged ? REFUSAL_NONE : REFUSAL_RENAMES_STAGED;
	if (from->kind == INODE_STAGED_DIRECTORY && !file)
		return REFUSAL_ABSENT;
	if (file && file->staged && staging_keeps(fs, new_name))
		return REFUSAL_NONE;
	if (file && file->staged && file->spoiled)
		return REFUSAL_SPENT;
	return name_is_canonical(new_name) && fs->provider->name_is_valid(new_name) ? REFUSAL_NONE
										    : REFUSAL_NAME;
}

void fs_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	       const char *new_name, unsigned flags)
{
	struct fs *fs = fuse_req_userdata(request);
	struct renaming *renaming;
	const struct record *taken = NULL;
	struct inode from, to;
	enum refusal refusal;
	struct paths paths;
	struct file *file;

	inode_find(fs, parent, &from);
	inode_find(fs, new_parent, &to);
	refusal = refusal_of_rename(fs, &from, &to, name, new_name, &paths);
	if (!refusal && flags & ~(unsigned)RENAME_NOREPLACE)
		refusal = REFUSAL_EXCHANGES;
	if (!refusal && flags && listing_known(store_secrets(to.store), paths.to, &taken) == KNOWN_PRESENT)
		refusal = REFUSAL_EXISTS;
	if (refusal) {
		refusal_reply(request,
			      &(struct deed){.operation = "rename",
					     .store = from.store,
					     .name = refusal == REFUSAL_NAME ? new_name : name},
			      refusal);
		return;
	}
	renaming = renaming_new(fs, request, from.store, paths.from, paths.to);
	if (!renaming)
		return;
	file = file_find(fs, from.store, paths.from);
	if (file && file->staged && !stays_staged(fs, &to, new_name)) {
		publish_staged(renaming, file, flags & RENAME_NOREPLACE);
	} else if (file && (file->staged || (file->created && !file->uploads && !file_is_stored(file)))) {
		/* Nobody but us knows of it yet: it takes its buffer along, to replace what has the new name. */
		for (struct handle *handle = file->handles; handle && !flags; handle = handle->next)
			handle->exclusive = false;
		listing_disown(store_secrets(from.store), paths.from, file->serial);
		rename_files(renaming);
		late_error(&renaming->late, 0);
		renaming_free(renaming);
	} else {
		renaming->move.only_free = flags & RENAME_NOREPLACE;
		move_start(&renaming->move);
	}
}

static enum refusal refusal_of_link(struct fs *fs, const struct inode *inode, const struct inode *to,
				    const char *new_name)
{
	enum refusal refusal = refusal_of_creation(fs);

	if (refusal)
		return refusal;
	if (to->kind == INODE_CONTROL_DIRECTORY || inode->kind == INODE_CONTROL_FILE)
		return REFUSAL_CONTROL;
	if (!fs->provider->duplicates)
		return REFUSAL_LINKS;
	if (inode->kind != INODE_SECRET || !inode->record || to->kind != INODE_STORE ||
	    to->store != inode->store)
		return REFUSAL_LINKS_UNSTORED;
	return name_is_canonical(new_name) && fs->provider->name_is_valid(new_name) ? REFUSAL_NONE
										    : REFUSAL_NAME;
}

void fs_link(fuse_req_t request, fuse_ino_t number, fuse_ino_t new_parent, const char *new_name)
{
	struct fs *fs = fuse_req_userdata(request);
	struct renaming *renaming;
	struct inode inode, to;
	enum refusal refusal;

	inode_find(fs, number, &inode);
	inode_find(fs, new_parent, &to);
	refusal = refusal_of_link(fs, &inode, &to, new_name);
	if (refusal) {
		refusal_reply(request,
			      &(struct deed){.operation = "link", .store = to.store, .name = new_name},
			      refusal);
		return;
	}
	renaming = renaming_new(fs, request, inode.store, inode.record->name, new_name);
	if (!renaming)
		return;
	renaming->links = true;
	renaming->move.copy = true;
	renaming->move.only_free = true;
	move_start(&renaming->move);
}
