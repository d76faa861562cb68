/*
 * Attributes that can be set: kept until the value is published if it is dirty, else changed at the
 * service now.
 */
#include "setxattr.h"
#include "digest.h"
#include "fs_internal.h"

#define NAMES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-:"

/* Copies a list `a:b`, in which commas may stand for the colons. Returns why it is none. */
static enum refusal parse_list(char **list, const char *value, size_t size, const char *alphabet)
{
	char *copy = *list = strndup(value, size);

	if (!copy)
		return REFUSAL_NO_MEMORY;
	for (char *comma = copy; (comma = strchr(comma, ','));)
		*comma = ':';
	if (!size || strspn(copy, alphabet) != size || copy[0] == ':' || copy[size - 1] == ':' ||
	    strstr(copy, "::"))
		return REFUSAL_ATTRIBUTE_VALUE;
	return REFUSAL_NONE;
}

enum refusal parse_scopes(const struct fs *fs, const char *value, size_t size,
			  struct pending_attrs *attrs)
{
	return fs->provider->has_update ? parse_list(&attrs->scopes, value, size, NAMES)
					: REFUSAL_ATTRIBUTE;
}

enum refusal parse_visibility(const struct fs *fs, const char *value, size_t size,
			      struct pending_attrs *attrs)
{
	const char *const *known = fs->provider->visibilities;

	if (!known)
		return REFUSAL_ATTRIBUTE;
	while (*known && (strlen(*known) != size || memcmp(*known, value, size) != 0))
		known++;
	if (!*known)
		return REFUSAL_ATTRIBUTE_VALUE;
	attrs->visibility = strdup(*known);
	return attrs->visibility ? REFUSAL_NONE : REFUSAL_NO_MEMORY;
}

enum refusal parse_repositories(const struct fs *fs, const char *value, size_t size,
				struct pending_attrs *attrs)
{
	return fs->provider->visibilities ? parse_list(&attrs->repositories, value, size, NAMES ".")
					  : REFUSAL_ATTRIBUTE;
}

enum refusal parse_comment(const struct fs *fs, const char *value, size_t size,
			   struct pending_attrs *attrs)
{
	if (!fs->provider->has_update)
		return REFUSAL_ATTRIBUTE;
	if (!utf8_is_valid(value, size))
		return REFUSAL_ATTRIBUTE_TEXT;
	if (memchr(value, '\0', size))
		return REFUSAL_ATTRIBUTE_VALUE;
	attrs->comment = strndup(value, size);
	return attrs->comment ? REFUSAL_NONE : REFUSAL_NO_MEMORY;
}

enum refusal parse_expires_at(const struct fs *fs, const char *value, size_t size,
			      struct pending_attrs *attrs)
{
	if (!fs->provider->has_expiry)
		return REFUSAL_ATTRIBUTE;
	attrs->expiry_is_set = true;
	attrs->expires_at = TIME_UNKNOWN;
	if (size == strlen("never") && memcmp(value, "never", size) == 0)
		return REFUSAL_NONE;
	/* INT64_MAX stands for every later time, too, and not for the one that was given. */
	if (time_parse_rfc3339(value, size, &attrs->expires_at) ||
	    attrs->expires_at <= catalog_time(fs->catalog) || attrs->expires_at == INT64_MAX)
		return REFUSAL_ATTRIBUTE_VALUE;
	return REFUSAL_NONE;
}

/* --- kept until the publication */

bool file_awaits_value(const struct file *file)
{
	const struct handle *handle;

	if (file->staged)
		return true;
	LIST_FOREACH (handle, &file->handles, link)
		if (!handle->failed &&
		    (handle->dirty || !handle->value || handle->value->bytes.length == 0))
			return true;
	return false;
}

/* True if `attrs` can wait for the next upload. Strings that an upload in flight refers to must
 * not be replaced, so scopes and comment wait only where there is none. */
static bool can_defer(const struct inode *inode, const struct pending_attrs *attrs)
{
	const struct file *file = inode->file;

	if (!file || file->unlinked || !file_awaits_value(file))
		return false;
	if (attrs->visibility || attrs->repositories)
		return !file->uploads;
	return attrs->expiry_is_set || (!inode->record && !file->uploads);
}

static void move_text(char **text, char **wanted)
{
	if (!*wanted)
		return;
	free(*text);
	*text = *wanted;
	*wanted = NULL;
}

static void defer(struct file *file, struct pending_attrs *attrs)
{
	move_text(&file->pending_attrs.scopes, &attrs->scopes);
	move_text(&file->pending_attrs.comment, &attrs->comment);
	/* Repositories imply a visibility: the last one that was set replaces both. */
	if (attrs->visibility || attrs->repositories) {
		free(file->pending_attrs.visibility);
		free(file->pending_attrs.repositories);
		file->pending_attrs.visibility = file->pending_attrs.repositories = NULL;
	}
	move_text(&file->pending_attrs.visibility, &attrs->visibility);
	move_text(&file->pending_attrs.repositories, &attrs->repositories);
	if (!attrs->expiry_is_set)
		return;
	file->pending_attrs.expiry_is_set = true;
	file->pending_attrs.expires_at = attrs->expires_at;
}

/* --- changed at the service now */

struct setxattr_request {
	struct deferred deferred; /* `name` is the secret */
	struct update_op op;
	struct pending_attrs attrs;
	uint32_t written; /* entry id, if it was written by this mount, and its length is known */
};

static void on_updated(struct change_op *op)
{
	struct setxattr_request *pending = container_of(op, struct setxattr_request, op.change);
	struct deferred *deferred = &pending->deferred;
	const struct record *record = op->failure.errnum ? NULL : pending->op.record;
	struct entry_text text;

	if (pending->written && !op->failure.errnum &&
	    (record || pending->op.stored_in.to != TIME_UNKNOWN))
		written_follow(deferred->fs, record ? record->entry_id : pending->written, record,
			       &pending->op.stored_in);
	deferred_audit(deferred, NULL, record_digest(record, &text), &op->failure);
	deferred_end(deferred, op->failure.errnum);
}

static void finish(struct deferred *deferred)
{
	pending_attrs_free(&container_of(deferred, struct setxattr_request, deferred)->attrs);
}

static const struct deferred_kind setxattr_kind = {"setxattr", sizeof(struct setxattr_request),
						   NULL, finish};

static void update_secret(struct fs *fs, fuse_req_t request, const struct inode *inode,
			  struct pending_attrs *attrs)
{
	struct setxattr_request *pending =
		deferred_new(&setxattr_kind, request, inode->store,
			     inode->record ? inode->record->name : inode->file->name);

	if (!pending)
		return;
	pending->attrs = *attrs;
	*attrs = (struct pending_attrs){0};
	pending->written = written_has(fs, inode->record) ? inode->record->entry_id : 0;
	deferred_change(&pending->deferred, &pending->op.change, on_updated);
	pending->op.scopes = pending->attrs.scopes;
	pending->op.comment = pending->attrs.comment;
	pending->op.visibility = pending->attrs.visibility;
	pending->op.repositories = pending->attrs.repositories;
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
