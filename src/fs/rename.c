/*
 * RENAME and LINK: renames a file that is only here, uploads a staged one under its new name, and
 * lets the service rename a stored one where it can.
 */
#include <errno.h>
#include <stdio.h>
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
#include "value.h"
#include "written.h"

struct rename_request {
	struct deferred deferred;
	struct store *store;
	char from[NAME_LENGTH_MAX + 1], to[NAME_LENGTH_MAX + 1];
	struct rename_op op;
	struct upload *upload;
	struct wait wait;
	struct retained *retained; /* what is being stored under the new name */
	uint32_t written; /* serial number of a value that this mount has written; 0: it has not */
	bool links;	  /* LINK: the old name stays */
};

static void rename_request_free(struct rename_request *rename)
{
	wait_end(&rename->wait);
	upload_release(rename->upload);
	retained_free(rename->retained);
	store_release(rename->store);
	free(rename);
}

/* What was just stored under the old name, and what was asked for it beside the value. */
static bool recall(struct rename_op *renaming, const struct record *record, struct put_op *put)
{
	struct rename_request *rename = container_of(renaming, struct rename_request, op);
	struct fs *fs = rename->deferred.fs;
	struct retained *retained = retained_take(fs, rename->store, rename->from, record);

	if (!retained)
		return false;
	retained_forget(fs, rename->store, rename->to);
	rename->retained = retained;
	put->value = retained->value->bytes.data;
	put->length = retained->length;
	put->pool = fs->options.pool;
	put->scopes = retained->pending_attrs.scopes;
	put->comment = retained->pending_attrs.comment;
	put->expiry_is_set = retained->pending_attrs.expiry_is_set;
	put->expires_at = retained->pending_attrs.expires_at;
	return true;
}

/* It is still there under the old name, and its writer may try again. */
static void give_back(struct rename_request *rename)
{
	if (rename->retained)
		retained_return(rename->retained);
	rename->retained = NULL;
}

/* What was closed after the rename was asked for, and waits for its turn: under the new name it has
 * lost it, under the old one it goes on under the new. */
static void redirect_queued_uploads(struct rename_request *rename)
{
	struct fs *fs = rename->deferred.fs;
	struct file *replaced = file_find(fs, rename->store, rename->to);
	struct file *file = file_find(fs, rename->store, rename->from);

	if (replaced && replaced != file)
		uploads_cancel_queued(replaced);
	if (!file)
		return;
	uploads_rename(file, rename->to);
	/* It is there now under the new name: nobody creates it any more. */
	for (struct handle *handle = file->handles; handle; handle = handle->next)
		handle->excl = false;
}

/* What was open under the new name has lost it; what was open under the old one goes on under the
 * new. */
static void rename_files(struct rename_request *rename)
{
	struct fs *fs = rename->deferred.fs;
	struct file *replaced = file_find(fs, rename->store, rename->to);
	struct file *file = file_find(fs, rename->store, rename->from);

	if (replaced && replaced != file)
		file_unlink(replaced);
	if (!file)
		return;
	if (rename->upload)
		staging_end(file);
	file_rename(file, rename->to);
}

static void reply_link(struct rename_request *rename, fuse_req_t request)
{
	struct fs *fs = rename->deferred.fs;
	struct listing *listing = store_secrets(rename->store);
	struct fuse_entry_param entry;
	const struct record *record;
	struct inode inode;

	if (listing_query(listing, rename->to, &record) != CACHE_HIT) {
		fuse_reply_err(request, EIO);
		return;
	}
	inode_of_record(fs, listing, record, &inode);
	inode_entry(fs, &inode, &entry);
	fuse_reply_entry(request, &entry);
}

/*
 * What was known of the old name's value is known of the new one's. Where the rename failed
 * half-way the new name may have it or not, and not every service shows which.
 */
static void keep_length(struct rename_request *rename, int error)
{
	const struct record *record = listing_peek_any(store_secrets(rename->store), rename->to);
	struct fs *fs = rename->deferred.fs;

	if (!record || error == EOPNOTSUPP || error == EEXIST)
		return;
	if (error)
		written_forget(fs, record->entry_id);
	else if (rename->written)
		written_follow(fs, rename->written, record);
}

static void on_renamed(struct rename_op *renaming)
{
	struct rename_request *rename = container_of(renaming, struct rename_request, op);
	struct fs *fs = rename->deferred.fs;
	fuse_req_t request = deferred_take(&rename->deferred);
	const struct audit_event event = {.operation = rename->links ? "link" : "rename",
					  .store = rename->store,
					  .name = rename->from,
					  .to = rename->to};
	struct actor actor;

	actor_of_request(&actor, request);
	audit(fs, &actor, &event, &renaming->change.failure);
	keep_length(rename, renaming->change.failure.errnum);
	if (renaming->change.failure.errnum) {
		give_back(rename);
		fuse_reply_err(request, renaming->change.failure.errnum);
	} else if (rename->links) {
		reply_link(rename, request);
	} else {
		retained_forget(fs, rename->store, rename->from);
		retained_forget(fs, rename->store, rename->to);
		redirect_queued_uploads(rename);
		rename_files(rename);
		fuse_reply_err(request, 0);
	}
	rename_request_free(rename);
	fs_check_drained(fs);
}

static void published(struct wait *wait)
{
	struct rename_request *rename = container_of(wait, struct rename_request, wait);
	int error = rename->upload->put.change.failure.errnum;

	if (!error) {
		redirect_queued_uploads(rename);
		rename_files(rename);
	}
	deferred_reply_err(&rename->deferred, error);
	rename_request_free(rename);
}

static void interrupted(struct deferred *deferred)
{
	struct rename_request *rename = container_of(deferred, struct rename_request, deferred);

	wait_end(&rename->wait);
	if (rename->upload)
		upload_cancel(rename->upload);
	else
		rename_cancel(&rename->op);
	keep_length(rename, EINTR);
	give_back(rename);
	deferred_reply_err(deferred, EINTR);
	rename_request_free(rename);
}

/* A staged value under its real name. It stays staged under the old one if it can't be published.
 */
static void publish_staged(struct rename_request *rename, struct file *file, bool only_free)
{
	struct failure failure;

	rename->upload =
		upload_staged(file, rename->to, only_free, rename->deferred.request, &failure);
	rename->wait.woken = published;
	if (!rename->upload) {
		deferred_reply_err(&rename->deferred, failure.errnum ? failure.errnum : EINVAL);
		rename_request_free(rename);
	} else if (rename->upload->done) {
		published(&rename->wait);
	} else {
		wait_begin(&rename->upload->waits, &rename->wait);
	}
}

static struct rename_request *rename_request_new(struct fs *fs, fuse_req_t request,
						 struct store *store, const char *from,
						 const char *to)
{
	struct rename_request *rename = calloc(1, sizeof *rename);
	const struct record *record;

	if (!rename) {
		fuse_reply_err(request, ENOMEM);
		return NULL;
	}
	rename->store = store_reference(store);
	record = listing_peek_any(store_secrets(store), from);
	rename->written = written_has(fs, record) ? record->entry_id : 0;
	strcpy(rename->from, from);
	strcpy(rename->to, to);
	rename->op = (struct rename_op){.change.store = rename->store,
					.change.name = rename->from,
					.to = rename->to,
					.change.deadline = fs_deadline(fs),
					.done = on_renamed,
					.recall = recall};
	deferred_begin(fs, &rename->deferred, request, interrupted);
	return rename;
}

/* From one temporary name to another, as vim does with its swap file: it is still none of the
 * service's business. */
static bool stays_staged(const struct fs *fs, const struct inode *directory, const char *new_name)
{
	const struct record *record;

	if (directory->kind == INODE_STAGED_DIRECTORY)
		return true;
	return staging_keeps(fs, new_name) &&
	       listing_query(store_secrets(directory->store), new_name, &record) != CACHE_HIT;
}

/* What both are called here: with a staged directory's name in front. */
struct paths {
	char from[NAME_LENGTH_MAX + 1], to[NAME_LENGTH_MAX + 1];
};

/* What keeps any rename from being tried. */
static enum refusal precheck_rename(struct fs *fs, const struct inode *from, const struct inode *to,
				    const char *name, const char *new_name, struct paths *paths)
{
	enum refusal refusal = precheck_create(fs);
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
		return REFUSAL_FAILED;
	return name_is_canonical(new_name) && fs->provider->name_is_valid(new_name) ? REFUSAL_NONE
										    : REFUSAL_NAME;
}

void fs_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	       const char *new_name, unsigned flags)
{
	struct fs *fs = fuse_req_userdata(request);
	struct rename_request *rename;
	const struct record *target_exists = NULL;
	struct inode from, to;
	enum refusal refusal;
	struct paths paths;
	struct file *file;

	inode_find(fs, parent, &from);
	inode_find(fs, new_parent, &to);
	refusal = precheck_rename(fs, &from, &to, name, new_name, &paths);
	if (!refusal && flags & ~(unsigned)RENAME_NOREPLACE)
		refusal = REFUSAL_EXCHANGES;
	if (!refusal && flags &&
	    listing_query(store_secrets(to.store), paths.to, &target_exists) == CACHE_HIT)
		refusal = REFUSAL_EXISTS;
	if (refusal) {
		refusal_reply(
			request,
			&(struct audit_event){.operation = "rename",
					      .store = from.store,
					      .name = refusal == REFUSAL_NAME ? new_name : name},
			refusal);
		return;
	}
	rename = rename_request_new(fs, request, from.store, paths.from, paths.to);
	if (!rename)
		return;
	file = file_find(fs, from.store, paths.from);
	if (file && file->staged && !stays_staged(fs, &to, new_name)) {
		publish_staged(rename, file, flags & RENAME_NOREPLACE);
	} else if (file &&
		   (file->staged || (file->created && !file->uploads && !file_is_stored(file)))) {
		/* Nobody but us knows of it yet: it takes its buffer along, to replace what has the
		 * new name. */
		for (struct handle *handle = file->handles; handle && !flags; handle = handle->next)
			handle->excl = false;
		listing_reassign_id(store_secrets(from.store), paths.from, file->entry_id);
		rename_files(rename);
		deferred_reply_err(&rename->deferred, 0);
		rename_request_free(rename);
	} else {
		rename->op.no_replace = flags & RENAME_NOREPLACE;
		rename_start(&rename->op);
	}
}

static enum refusal precheck_link(struct fs *fs, const struct inode *inode, const struct inode *to,
				  const char *new_name)
{
	enum refusal refusal = precheck_create(fs);

	if (refusal)
		return refusal;
	if (to->kind == INODE_CONTROL_DIRECTORY || inode->kind == INODE_CONTROL_FILE)
		return REFUSAL_CONTROL;
	if (!fs->provider->has_copy)
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
	struct rename_request *rename;
	struct inode inode, to;
	enum refusal refusal;

	inode_find(fs, number, &inode);
	inode_find(fs, new_parent, &to);
	refusal = precheck_link(fs, &inode, &to, new_name);
	if (refusal) {
		refusal_reply(request,
			      &(struct audit_event){
				      .operation = "link", .store = to.store, .name = new_name},
			      refusal);
		return;
	}
	rename = rename_request_new(fs, request, inode.store, inode.record->name, new_name);
	if (!rename)
		return;
	rename->links = true;
	rename->op.copy = true;
	rename->op.no_replace = true;
	rename_start(&rename->op);
}
