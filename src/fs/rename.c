/*
 * RENAME and LINK: renames a file that is only here, uploads a staged one under its new name, and
 * lets the service rename a stored one where it can.
 */
#include "fs_internal.h"
#include "operations.h"
#include "retained.h"
#include "staging.h"
#include "upload.h"

struct rename_request {
	struct deferred deferred; /* `name` is the old name */
	char to[NAME_LENGTH_MAX + 1];
	struct rename_op op;
	struct retained *retained; /* whose value is being stored under the new name */
	uint32_t written; /* entry id of a value that this mount has written; 0: it has not */
};

/* --- a stored secret: renamed by the service, or stored again from its retained value --- */

/* Fills in `put` with the value that was just stored under the old name, and its attributes. */
static bool recall(struct rename_op *op, const struct record *record, struct put_op *put)
{
	struct rename_request *rename = container_of(op, struct rename_request, op);
	struct fs *fs = rename->deferred.fs;
	struct retained *retained =
		retained_take(fs, rename->deferred.store, rename->deferred.name, record);

	if (!retained)
		return false;
	retained_forget(fs, rename->deferred.store, rename->to);
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

/* Retains the value again: it is still stored under the old name, and the rename may be retried. */
static void return_retained(struct rename_request *rename)
{
	if (rename->retained)
		retained_return(rename->retained);
	rename->retained = NULL;
}

/* Turns exclusive creates of a file's handles into writes: the name is known to be there now. */
static void end_creation(struct file *file)
{
	struct handle *handle;

	LIST_FOREACH (handle, &file->handles, link)
		handle->excl = false;
}

/*
 * Gives the file of the old name the new one, and takes that from the file that had it. If the new
 * name `is_stored` now, there may be uploads that were closed after the rename had begun and are
 * still queued: those of the file that had the new name are dropped, those of the old name
 * follow it.
 */
static void rename_files(struct rename_request *rename, bool is_stored)
{
	struct deferred *deferred = &rename->deferred;
	struct file *file = file_find(deferred->fs, deferred->store, deferred->name);
	struct file *replaced = file_find(deferred->fs, deferred->store, rename->to);

	if (replaced == file)
		replaced = NULL;
	if (is_stored && replaced)
		uploads_cancel_queued(replaced);
	if (is_stored && file) {
		uploads_rename(file, rename->to);
		end_creation(file);
	}
	if (replaced)
		file_unlink(replaced);
	if (!file)
		return;
	if (deferred->upload)
		staging_end(file);
	file_rename(file, rename->to);
}

/*
 * Moves the length that is known of the old name's value to the new one. Where the rename failed
 * half-way the new name may have the value or not, and not every service shows which.
 */
static void keep_length(struct rename_request *rename, int error)
{
	const struct record *record =
		listing_peek_any(store_secrets(rename->deferred.store), rename->to);
	struct fs *fs = rename->deferred.fs;

	if (!record || error == EOPNOTSUPP || error == EEXIST)
		return;
	if (error)
		written_forget(fs, record->entry_id);
	else if (rename->written)
		written_follow(fs, rename->written, record, NULL);
}

static void on_renamed(struct change_op *op)
{
	struct rename_request *rename = container_of(op, struct rename_request, op.change);
	struct deferred *deferred = &rename->deferred;
	struct fs *fs = deferred->fs;
	int error = op->failure.errnum;

	deferred_audit(deferred, rename->to, NULL, &op->failure);
	keep_length(rename, error);
	if (error) {
		return_retained(rename);
	} else if (rename->op.copy) {
		inode_reply_name(deferred_take(deferred), store_secrets(deferred->store),
				 rename->to);
	} else {
		retained_forget(fs, deferred->store, deferred->name);
		retained_forget(fs, deferred->store, rename->to);
		rename_files(rename, true);
	}
	deferred_end(deferred, error);
}

/* --- a staged file: its value is uploaded under the new name */

static void on_uploaded(struct wait *wait)
{
	struct rename_request *rename = container_of(wait, struct rename_request, deferred.wait);
	int error = rename->deferred.upload->put.change.failure.errnum;

	if (!error)
		rename_files(rename, true);
	deferred_end(&rename->deferred, error);
}

static void cancel(struct deferred *deferred)
{
	struct rename_request *rename = container_of(deferred, struct rename_request, deferred);

	wait_end(&deferred->wait);
	if (deferred->upload)
		upload_cancel(deferred->upload);
	else
		rename_cancel(&rename->op);
	if (deferred->upload || rename->op.change.listing) /* something may have been sent */
		keep_length(rename, EINTR);
	return_retained(rename);
}

static void finish(struct deferred *deferred)
{
	retained_free(container_of(deferred, struct rename_request, deferred)->retained);
}

/* Uploads a staged value under its real name. The file stays staged if that fails. */
static void publish_staged(struct rename_request *rename, struct file *file, bool only_free)
{
	struct deferred *deferred = &rename->deferred;
	struct failure failure;

	deferred->upload = upload_staged(file, rename->to, only_free, deferred->request, &failure);
	deferred->wait.woken = on_uploaded;
	if (!deferred->upload)
		deferred_end(deferred, failure.errnum ? failure.errnum : EINVAL);
	else if (deferred->upload->done)
		on_uploaded(&deferred->wait);
	else
		wait_begin(&deferred->upload->waits, &deferred->wait);
}

/* --- RENAME */

static struct rename_request *rename_request_new(const struct deferred_kind *kind,
						 fuse_req_t request, struct store *store,
						 const char *from, const char *to)
{
	struct rename_request *rename = deferred_new(kind, request, store, from);
	const struct record *record;

	if (!rename)
		return NULL;
	record = listing_peek_any(store_secrets(store), from);
	rename->written = written_has(rename->deferred.fs, record) ? record->entry_id : 0;
	strcpy(rename->to, to);
	deferred_change(&rename->deferred, &rename->op.change, on_renamed);
	rename->op.to = rename->to;
	rename->op.recall = recall;
	return rename;
}

/* True if the new name is temporary too, as when vim renames its swap file: nothing is uploaded. */
static bool stays_staged(const struct fs *fs, const struct inode *directory, const char *new_name)
{
	const struct record *record;

	if (directory->kind == INODE_STAGED_DIRECTORY)
		return true;
	return staging_keeps(fs, new_name) &&
	       listing_query(store_secrets(directory->store), new_name, &record) != CACHE_HIT;
}

/* Both names as files_by_name has them: behind the name of a staged directory. */
struct paths {
	char from[NAME_LENGTH_MAX + 1], to[NAME_LENGTH_MAX + 1];
};

/* Returns why a rename is refused without a call. Fills in `paths`. */
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
	return name_is_storable(fs, new_name) ? REFUSAL_NONE : REFUSAL_NAME;
}

/* Renames a file that only this mount has, or else the stored secret. */
static void rename_known(struct rename_request *rename)
{
	struct deferred *deferred = &rename->deferred;
	struct file *file = file_find(deferred->fs, deferred->store, deferred->name);

	if (!file ||
	    !(file->staged || (file->created && !file->uploads && !file_is_stored(file)))) {
		rename_start(&rename->op);
		return;
	}
	/* Its buffer is published later under the new name, and replaces what has that. */
	if (!rename->op.no_replace)
		end_creation(file);
	listing_reassign_id(store_secrets(deferred->store), deferred->name, file->entry_id);
	rename_files(rename, false);
	deferred_end(deferred, 0);
}

/* The lookup of a name that was created without one. */
static void on_lookup(struct lookup *lookup)
{
	struct rename_request *rename =
		container_of(lookup, struct rename_request, deferred.lookup);
	struct deferred *deferred = &rename->deferred;
	struct file *file = file_find(deferred->fs, deferred->store, deferred->name);
	int error = lookup->failure.errnum;

	if (error && error != ENOENT) {
		deferred_audit(deferred, rename->to, NULL, &lookup->failure);
		deferred_end(deferred, error);
		return;
	}
	if (file) {
		file->is_guess = false;
		file->created &= error == ENOENT;
	}
	if (file && !error)
		listing_assign_id(lookup->listing, deferred->name, file->entry_id);
	rename_known(rename);
}

static const struct deferred_kind rename_kind = {"rename", sizeof(struct rename_request), cancel,
						 finish};

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
	if (refusal_reply(request, "rename", from.store, refusal == REFUSAL_NAME ? new_name : name,
			  refusal))
		return;
	rename = rename_request_new(&rename_kind, request, from.store, paths.from, paths.to);
	if (!rename)
		return;
	rename->op.no_replace = flags & RENAME_NOREPLACE;
	file = file_find(fs, from.store, paths.from);
	if (file && file->staged && !stays_staged(fs, &to, new_name)) {
		publish_staged(rename, file, flags & RENAME_NOREPLACE);
	} else if (file && file->is_guess && !file->uploads) {
		deferred_lookup(&rename->deferred, store_secrets(from.store), false, on_lookup);
	} else {
		rename_known(rename);
	}
}

/* --- LINK */

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
	return name_is_storable(fs, new_name) ? REFUSAL_NONE : REFUSAL_NAME;
}

static const struct deferred_kind link_kind = {"link", sizeof(struct rename_request), cancel,
					       finish};

void fs_link(fuse_req_t request, fuse_ino_t number, fuse_ino_t new_parent, const char *new_name)
{
	struct fs *fs = fuse_req_userdata(request);
	struct rename_request *rename;
	struct inode inode, to;

	inode_find(fs, number, &inode);
	inode_find(fs, new_parent, &to);
	if (refusal_reply(request, "link", to.store, new_name,
			  precheck_link(fs, &inode, &to, new_name)))
		return;
	rename = rename_request_new(&link_kind, request, inode.store, inode.record->name, new_name);
	if (!rename)
		return;
	rename->op.copy = true;
	rename->op.no_replace = true;
	rename_start(&rename->op);
}
