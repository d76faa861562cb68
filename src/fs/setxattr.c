/*
 * Attributes that can be set: kept until the value is published if it is dirty, else changed at the
 * service now.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "deferred.h"
#include "digest.h"
#include "file.h"
#include "fs_internal.h"
#include "inode.h"
#include "precheck.h"
#include "setxattr.h"
#include "sstorefs/name.h"
#include "value.h"
#include "written.h"

/* Reading them */

int parse_scopes(const struct fs *fs, const char *value, size_t size, struct pending_attrs *attrs)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	size_t i, length = 0; /* of the scope that is being read */

	if (!fs->provider->has_update)
		return -EOPNOTSUPP;
	attrs->scopes = strndup(value, size);
	if (!attrs->scopes)
		return -ENOMEM;
	for (i = 0; i < size; i++) {
		bool ends = value[i] == ':' || value[i] == ',';

		if (ends ? length == 0 : !value[i] || !strchr(alphabet, value[i]))
			return -EINVAL;
		if (ends)
			attrs->scopes[i] = ':';
		length = ends ? 0 : length + 1;
	}
	return length ? 0 : -EINVAL;
}

int parse_comment(const struct fs *fs, const char *value, size_t size, struct pending_attrs *attrs)
{
	if (!fs->provider->has_update)
		return -EOPNOTSUPP;
	if (!utf8_is_valid(value, size))
		return -EILSEQ;
	if (memchr(value, '\0', size))
		return -EINVAL;
	attrs->comment = strndup(value, size);
	return attrs->comment ? 0 : -ENOMEM;
}

int parse_expires_at(const struct fs *fs, const char *value, size_t size,
		     struct pending_attrs *attrs)
{
	if (!fs->provider->has_expiry)
		return -EOPNOTSUPP;
	attrs->expiry_is_set = true;
	attrs->expires_at = TIME_UNKNOWN;
	if (size == strlen("never") && memcmp(value, "never", size) == 0)
		return 0;
	/* The last moment there is stands for all behind it: another one than was asked for. */
	if (time_parse_rfc3339(value, size, &attrs->expires_at) ||
	    attrs->expires_at <= clock_wall() || attrs->expires_at == INT64_MAX)
		return -EINVAL;
	return 0;
}

/* Keeping them for the publication */

bool file_awaits_value(const struct file *file)
{
	const struct handle *handle;

	if (file->staged)
		return true;
	for (handle = file->handles; handle; handle = handle->next)
		if (!handle->failed &&
		    (handle->dirty || !handle->value || handle->value->bytes.length == 0))
			return true;
	return false;
}

/* Texts that a publication under way has borrowed stay where they are. */
static bool can_defer(const struct inode *inode, const struct pending_attrs *attrs)
{
	const struct file *file = inode->file;

	if (!file || file->unlinked || !file_awaits_value(file))
		return false;
	return attrs->expiry_is_set || (!inode->record && !file->uploads);
}

static void opt_text(char **text, char **wanted)
{
	if (!*wanted)
		return;
	free(*text);
	*text = *wanted;
	*wanted = NULL;
}

static void defer(struct file *file, struct pending_attrs *attrs)
{
	opt_text(&file->pending_attrs.scopes, &attrs->scopes);
	opt_text(&file->pending_attrs.comment, &attrs->comment);
	if (!attrs->expiry_is_set)
		return;
	file->pending_attrs.expiry_is_set = true;
	file->pending_attrs.expires_at = attrs->expires_at;
}

/* Changing them at the service */

struct setxattr_request {
	struct deferred deferred;
	struct update_op op;
	struct store *store;
	struct pending_attrs attrs;
	struct actor actor;
	char name[NAME_LENGTH_MAX + 1];
	bool written; /* whether the value is one that this mount has written */
};

static void setxattr_request_free(struct setxattr_request *pending)
{
	store_release(pending->store);
	pending_attrs_free(&pending->attrs);
	free(pending);
}

static void on_updated(struct update_op *update)
{
	struct setxattr_request *pending = container_of(update, struct setxattr_request, op);
	struct audit_event event = {
		.operation = "setxattr", .store = pending->store, .name = pending->name};
	struct entry_text text;
	struct entry entry;

	if (!update->change.failure.errnum && update->record) {
		record_entry(update->record, &entry, &text);
		event.digest = entry_digest(&entry, &text);
		if (pending->written)
			written_follow(pending->deferred.fs, update->record->entry_id,
				       update->record);
	}
	audit(pending->deferred.fs, &pending->actor, &event, &update->change.failure);
	deferred_reply_err(&pending->deferred, update->change.failure.errnum);
	setxattr_request_free(pending);
}

static void interrupted(struct deferred *deferred)
{
	struct setxattr_request *pending =
		container_of(deferred, struct setxattr_request, deferred);

	update_cancel(&pending->op);
	deferred_reply_err(deferred, EINTR);
	setxattr_request_free(pending);
}

static void update_secret(struct fs *fs, fuse_req_t request, const struct inode *inode,
			  struct pending_attrs *attrs)
{
	struct setxattr_request *pending = calloc(1, sizeof *pending);

	if (!pending) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	pending->store = store_reference(inode->store);
	pending->attrs = *attrs;
	*attrs = (struct pending_attrs){0};
	strcpy(pending->name, inode->record ? inode->record->name : inode->file->name);
	pending->written = written_has(fs, inode->record);
	actor_of_request(&pending->actor, request);
	pending->op = (struct update_op){.change.store = pending->store,
					 .change.name = pending->name,
					 .scopes = pending->attrs.scopes,
					 .comment = pending->attrs.comment,
					 .change.deadline = fs_deadline(fs),
					 .done = on_updated};
	deferred_begin(fs, &pending->deferred, request, interrupted);
	update_start(&pending->op);
}

enum refusal precheck_attrs(const struct inode *inode, const struct pending_attrs *attrs)
{
	return attrs->expiry_is_set && !can_defer(inode, attrs) ? REFUSAL_LATE_EXPIRY
								: REFUSAL_NONE;
}

void setxattr_apply(struct fs *fs, fuse_req_t request, const struct inode *inode,
		    struct pending_attrs *attrs)
{
	if (can_defer(inode, attrs)) {
		defer(inode->file, attrs);
		fuse_reply_err(request, 0);
	} else {
		update_secret(fs, request, inode, attrs);
	}
}
