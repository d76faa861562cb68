/* Extended attributes: a table, and the four operations that use it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "digest.h"
#include "file.h"
#include "fs_internal.h"
#include "inode.h"
#include "operations.h"
#include "precheck.h"
#include "setxattr.h"
#include "value.h"

/* What an attribute is shown from: the entry as the service sent it, and the file where there is
 * one. */
struct xattr_context {
	struct fs *fs;
	const struct inode *inode;
	bool is_known; /* `entry` is filled in */
	struct entry entry;
	struct entry_text text;
};

struct xattr {
	const char *name;
	/* Appends the value. Returns 0, or -ENODATA where the secret does not have the attribute.
	 */
	int (*show)(const struct xattr_context *context, struct buffer *value);
	/* Parses a new value (setxattr.h); NULL: it cannot be set. */
	int (*set)(const struct fs *fs, const char *value, size_t size,
		   struct pending_attrs *attrs);
	bool on_stores, on_secrets;
	bool unlisted; /* getxattr shows it always, listxattr only when the state is not `stored` */
	bool clears;   /* the empty value removes it */
};

static int show_text(struct buffer *value, const char *text)
{
	if (!text)
		return -ENODATA;
	buffer_puts(value, text);
	return 0;
}

static int show_time(struct buffer *value, wall_time_ns time, const char *unknown)
{
	char text[TIME_TEXT_SIZE];

	return show_text(value, time == TIME_UNKNOWN ? unknown : time_format(time, text));
}

static int show_digest(const struct xattr_context *context, struct buffer *value)
{
	struct entry_text room;

	return context->is_known ? show_text(value, entry_digest(&context->entry, &room))
				 : -ENODATA;
}

static int show_created_at(const struct xattr_context *context, struct buffer *value)
{
	return context->is_known ? show_time(value, context->entry.created_at, NULL) : -ENODATA;
}

static int show_modified_at(const struct xattr_context *context, struct buffer *value)
{
	return context->is_known && context->fs->provider->tells_modified_at
		       ? show_time(value, context->entry.modified_at, NULL)
		       : -ENODATA;
}

/* Returns the attributes that will be stored with the next value; NULL: there are none. */
static const struct pending_attrs *pending_attrs_of(const struct xattr_context *context)
{
	const struct file *file = context->inode->file;

	return file && (!context->is_known || file_awaits_value(file)) ? &file->pending_attrs
								       : NULL;
}

static int show_expires_at(const struct xattr_context *context, struct buffer *value)
{
	const struct pending_attrs *attrs = pending_attrs_of(context);

	if (attrs && attrs->expiry_is_set)
		return show_time(value, attrs->expires_at, "never");
	return context->is_known ? show_time(value, context->entry.expires_at, "never") : -ENODATA;
}

static int show_id(const struct xattr_context *context, struct buffer *value)
{
	if (!context->is_known && context->inode->kind == INODE_STORE)
		return show_text(value, store_id(context->inode->store));
	return context->is_known ? show_text(value, context->entry.id) : -ENODATA;
}

static int show_status(const struct xattr_context *context, struct buffer *value)
{
	return context->is_known ? show_text(value, context->entry.status) : -ENODATA;
}

static int show_scopes(const struct xattr_context *context, struct buffer *value)
{
	const struct pending_attrs *attrs = pending_attrs_of(context);

	if (attrs && attrs->scopes)
		return show_text(value, attrs->scopes);
	return context->is_known ? show_text(value, context->entry.scopes) : -ENODATA;
}

static int show_comment(const struct xattr_context *context, struct buffer *value)
{
	const struct pending_attrs *attrs = pending_attrs_of(context);

	if (attrs && attrs->comment)
		return show_text(value, *attrs->comment ? attrs->comment : NULL);
	return context->is_known ? show_text(value, context->entry.comment) : -ENODATA;
}

static int show_livemode(const struct xattr_context *context, struct buffer *value)
{
	if (!context->is_known || context->entry.livemode < 0)
		return -ENODATA;
	return show_text(value, context->entry.livemode ? "true" : "false");
}

static bool is_pending(const struct file *file)
{
	const struct handle *handle;

	LIST_FOREACH (handle, &file->handles, link)
		if (handle->dirty)
			return true;
	return file->uploads > 0;
}

/* True if another version is stored than before the last upload, whose outcome was unknown. */
static bool took_effect(const struct file *file)
{
	struct version now;

	file_version(file, &now);
	return file->unknown && (now.modified_at != file->before.modified_at ||
				 strcmp(now.digest, file->before.digest) != 0);
}

static const char *upload_state(const struct xattr_context *context)
{
	const struct file *file = context->inode->file;
	const struct listing *listing;

	if (file && file->staged)
		return "staged";
	if (file && is_pending(file))
		return "pending";
	if (file && file->failure.errnum && !took_effect(file))
		return file->unknown && listing_is_invalid(store_secrets(file->store), file->name)
			       ? "unknown"
			       : "failed";
	if (!context->is_known)
		return "pending";
	listing = catalog_listing(context->fs->catalog, context->inode->record);
	return listing_is_stale(listing, context->inode->record) ? "stale" : "stored";
}

static int show_state(const struct xattr_context *context, struct buffer *value)
{
	return show_text(value, upload_state(context));
}

static int show_error(const struct xattr_context *context, struct buffer *value)
{
	const struct file *file = context->inode->file;

	if (file && file->failure.errnum)
		buffer_printf(value, "%s: %s", failure_errno_name(file->failure.errnum),
			      file->failure.message);
	return 0;
}

static int show_request_id(const struct xattr_context *context, struct buffer *value)
{
	const struct file *file = context->inode->file;

	return show_text(value, file ? file->failure.request_id : "");
}

static const struct xattr xattrs[] = {
	/* name                       what it shows     can it be set?   stores secrets unlisted
	   clears */
	{"user.created_at", show_created_at, NULL, true, true, false, false},
	{"user.digest", show_digest, NULL, false, true, false, false},
	{"user.expires_at", show_expires_at, parse_expires_at, false, true, false, false},
	{"user.id", show_id, NULL, true, true, false, false},
	{"user.modified_at", show_modified_at, NULL, false, true, false, false},
	{"user.status", show_status, NULL, false, true, false, false},
	{"user.scopes", show_scopes, parse_scopes, false, true, false, false},
	{"user.comment", show_comment, parse_comment, false, true, false, true},
	{"user.livemode", show_livemode, NULL, false, true, false, false},
	{"user.sstorefs.state", show_state, NULL, false, true, true, false},
	{"user.sstorefs.error", show_error, NULL, false, true, true, false},
	{"user.sstorefs.request_id", show_request_id, NULL, false, true, true, false},
};

#define XATTR_COUNT (sizeof xattrs / sizeof *xattrs)

static const struct xattr *xattr_find(const char *name)
{
	for (size_t i = 0; i < XATTR_COUNT; i++)
		if (!strcmp(xattrs[i].name, name))
			return &xattrs[i];
	return NULL;
}

static bool applies(const struct xattr *xattr, const struct inode *inode)
{
	return (inode->kind == INODE_STORE && xattr->on_stores) ||
	       (inode->kind == INODE_SECRET && xattr->on_secrets);
}

static void context_fill(struct xattr_context *context, struct fs *fs, const struct inode *inode)
{
	context->fs = fs;
	context->inode = inode;
	context->is_known = inode->record != NULL;
	if (inode->record)
		record_entry(inode->record, &context->entry, &context->text);
}

/* Answers with `value`, or with its size where `size` is 0. */
static void reply_sized(fuse_req_t request, const struct buffer *value, size_t size)
{
	if (buffer_error(value))
		fuse_reply_err(request, ENOMEM);
	else if (!size)
		fuse_reply_xattr(request, value->length);
	else if (value->length > size)
		fuse_reply_err(request, ERANGE);
	else
		fuse_reply_buf(request, buffer_cstr(value), value->length);
}

static void revalidate(struct fs *fs, const struct inode *inode)
{
	struct listing *listing =
		inode->record ? catalog_listing(fs->catalog, inode->record) : NULL;

	if (listing)
		listing_revalidate(listing, inode->record);
}

void fs_getxattr(fuse_req_t request, fuse_ino_t number, const char *name, size_t size)
{
	struct fs *fs = fuse_req_userdata(request);
	const struct xattr *xattr = xattr_find(name);
	struct buffer *value = &fs->xattr_scratch;
	struct xattr_context context;
	struct inode inode;

	if (!xattr) {
		/* The kernel and ls ask for such attributes of every file. */
		fuse_reply_err(request, ENODATA);
		return;
	}
	if (inode_find(fs, number, &inode) == INODE_NONE) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	context_fill(&context, fs, &inode);
	buffer_clear(value);
	if (!applies(xattr, &inode) || xattr->show(&context, value))
		fuse_reply_err(request, ENODATA);
	else
		reply_sized(request, value, size);
	revalidate(fs, &inode);
}

void fs_listxattr(fuse_req_t request, fuse_ino_t number, size_t size)
{
	struct fs *fs = fuse_req_userdata(request);
	struct buffer names = {0}, ignored = {0};
	struct xattr_context context;
	struct inode inode;
	bool is_stored;

	if (inode_find(fs, number, &inode) == INODE_NONE) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	context_fill(&context, fs, &inode);
	is_stored = inode.kind != INODE_SECRET || !strcmp(upload_state(&context), "stored");
	for (size_t i = 0; i < XATTR_COUNT; i++) {
		const struct xattr *xattr = &xattrs[i];

		buffer_clear(&ignored);
		if (!applies(xattr, &inode) || (xattr->unlisted && is_stored) ||
		    xattr->show(&context, &ignored))
			continue;
		buffer_append(&names, xattr->name, strlen(xattr->name) + 1);
	}
	reply_sized(request, &names, size);
	buffer_finish(&names);
	buffer_finish(&ignored);
}

/* Returns why an attribute cannot be set or removed. */
static enum refusal precheck_set(const struct xattr_context *context, const struct xattr *xattr,
				 const char *name)
{
	enum refusal refusal = precheck_modify(context->fs);

	if (refusal)
		return refusal;
	if (strncmp(name, "user.", strlen("user.")) != 0)
		return REFUSAL_FOREIGN_ATTRIBUTE;
	if (context->fs->config->nocreate)
		return REFUSAL_REPLACES_ONLY;
	return xattr && xattr->set && context->inode->kind == INODE_SECRET ? REFUSAL_NONE
									   : REFUSAL_ATTRIBUTE;
}

/* Parses a value into zeroed `attrs`. Returns why it cannot be set. */
static enum refusal precheck_text(const struct xattr_context *context, const struct xattr *xattr,
				  const char *value, size_t size, struct pending_attrs *attrs)
{
	switch (-xattr->set(context->fs, value, size, attrs)) {
	case 0:
		return precheck_attrs(context->inode, attrs);
	case EOPNOTSUPP:
		return REFUSAL_ATTRIBUTE;
	case ENOMEM:
		return REFUSAL_NO_MEMORY;
	case EILSEQ:
		return REFUSAL_ATTRIBUTE_TEXT;
	}
	return REFUSAL_ATTRIBUTE_VALUE;
}

/* Appends what is shown of the attribute. Returns false if it is not there. */
static bool shows(const struct xattr_context *context, const struct xattr *xattr,
		  struct buffer *text)
{
	return xattr && applies(xattr, context->inode) && xattr->show(context, text) == 0 &&
	       !buffer_error(text);
}

/* Checks XATTR_CREATE and XATTR_REPLACE of setxattr(2). Returns 0 or a positive errno. */
static int check_presence(int flags, bool present)
{
	if (flags & XATTR_CREATE && present)
		return EEXIST;
	return flags & XATTR_REPLACE && !present ? ENODATA : 0;
}

static void refuse(fuse_req_t request, const struct xattr_context *context, const char *operation,
		   enum refusal refusal)
{
	const struct inode *inode = context->inode;

	refused(request, operation, inode->kind == INODE_SECRET ? inode->store : NULL,
		inode_name(inode), refusal);
}

void fs_setxattr(fuse_req_t request, fuse_ino_t number, const char *name, const char *value,
		 size_t size, int flags)
{
	struct fs *fs = fuse_req_userdata(request);
	const struct xattr *xattr = xattr_find(name);
	struct pending_attrs attrs = {0};
	struct buffer shown = {0};
	enum refusal refusal;
	struct xattr_context context;
	struct inode inode;
	bool is_shown;
	int error;

	if (inode_find(fs, number, &inode) == INODE_NONE) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	context_fill(&context, fs, &inode);
	is_shown = shows(&context, xattr, &shown);
	refusal = precheck_set(&context, xattr, name);
	if (!refusal)
		refusal = precheck_text(&context, xattr, value, size, &attrs);
	error = check_presence(flags, is_shown);
	/* An attribute may be set to its present value: programs that copy attributes do that. */
	if (refusal && refusal != REFUSAL_READ_ONLY && is_shown && shown.length == size &&
	    memcmp(buffer_cstr(&shown), value, size) == 0)
		fuse_reply_err(request, error);
	else if (refusal)
		refuse(request, &context, "setxattr", refusal);
	else if (error)
		fuse_reply_err(request, error);
	else
		setxattr_apply(fs, request, &inode, &attrs);
	pending_attrs_free(&attrs);
	buffer_finish(&shown);
}

/* Removing an attribute that cannot be removed succeeds and changes nothing: programs that copy
 * attributes remove those that their source does not have. */
void fs_removexattr(fuse_req_t request, fuse_ino_t number, const char *name)
{
	struct fs *fs = fuse_req_userdata(request);
	const struct xattr *xattr = xattr_find(name);
	struct pending_attrs attrs = {0};
	struct buffer shown = {0};
	enum refusal refusal;
	struct xattr_context context;
	struct inode inode;

	if (inode_find(fs, number, &inode) == INODE_NONE) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	context_fill(&context, fs, &inode);
	refusal = precheck_modify(fs);
	if (!refusal && xattr && xattr->clears)
		refusal = precheck_set(&context, xattr, name);
	if (refusal == REFUSAL_READ_ONLY)
		refuse(request, &context, "removexattr", refusal);
	else if (!shows(&context, xattr, &shown))
		fuse_reply_err(request, ENODATA);
	else if (refusal)
		refuse(request, &context, "removexattr", refusal);
	else if (xattr->clears && !precheck_text(&context, xattr, "", 0, &attrs))
		setxattr_apply(fs, request, &inode, &attrs);
	else
		fuse_reply_err(request, 0);
	pending_attrs_free(&attrs);
	buffer_finish(&shown);
}
