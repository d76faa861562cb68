/* Extended attributes: a table, and the four operations that use it. */
#include <sys/xattr.h>

#include "await_description.h"
#include "digest.h"
#include "fs_internal.h"
#include "fuse_io.h"
#include "operations.h"
#include "setxattr.h"

/* The inode of a request, and what its attributes are shown from. */
struct xattr_context {
	struct fs *fs;
	struct inode inode;
	struct entry entry; /* as the service sent it; without a record nothing in it is known */
	struct entry_text text;
	const struct pending_attrs *pending; /* will be stored with the next value */
	char shown[600]; /* room for a text that is made here: an errno and a failure's message */
};

#define XATTR_NAME_SIZE 32

struct xattr {
	char name[XATTR_NAME_SIZE];
	/* Returns the value, valid as long as the context; NULL where there is none. */
	const char *(*show)(struct xattr_context *context);
	/* Parses a new value (setxattr.h); NULL: it cannot be set. */
	enum refusal (*set)(const struct fs *fs, const char *value, size_t size,
			    struct pending_attrs *attrs);
	bool on_stores, on_secrets;
	bool unlisted; /* getxattr shows it always, listxattr only when the state is not `stored` */
	bool clears;   /* the empty value removes it */
};

static const char *show_time(struct xattr_context *context, wall_time_ns time)
{
	return time == TIME_UNKNOWN ? NULL : time_format(time, context->shown);
}

static const char *show_digest(struct xattr_context *context)
{
	return context->inode.record ? entry_digest(&context->entry, &context->text) : NULL;
}

static const char *show_created_at(struct xattr_context *context)
{
	return show_time(context, context->entry.created_at);
}

static const char *show_modified_at(struct xattr_context *context)
{
	return context->fs->provider->tells_modified_at
		       ? show_time(context, context->entry.modified_at)
		       : NULL;
}

static const char *show_expires_at(struct xattr_context *context)
{
	const struct pending_attrs *pending = context->pending;
	wall_time_ns time =
		pending->expiry_is_set ? pending->expires_at : context->entry.expires_at;

	if (time == TIME_UNKNOWN && (pending->expiry_is_set || context->inode.record))
		return "never";
	return show_time(context, time);
}

static const char *show_id(struct xattr_context *context)
{
	const struct inode *inode = &context->inode;

	return !inode->record && inode->kind == INODE_STORE ? store_id(inode->store)
							    : context->entry.id;
}

static const char *show_status(struct xattr_context *context)
{
	return context->entry.status;
}

static const char *show_scopes(struct xattr_context *context)
{
	return context->pending->scopes ? context->pending->scopes : context->entry.scopes;
}

static const char *show_comment(struct xattr_context *context)
{
	const char *pending = context->pending->comment;

	if (!pending)
		return context->entry.comment;
	return *pending ? pending : NULL;
}

static const char *show_visibility(struct xattr_context *context)
{
	if (context->pending->repositories)
		return provider_selected(context->fs->provider);
	return context->pending->visibility ? context->pending->visibility
					    : context->entry.visibility;
}

/* Shown in place of repositories that only a call can tell. */
static const char not_cached[] = "";

static const char *show_repositories(struct xattr_context *context)
{
	const char *visibility = show_visibility(context);

	if (!visibility || strcmp(visibility, provider_selected(context->fs->provider)) != 0)
		return NULL;
	if (context->pending->repositories)
		return context->pending->repositories;
	return context->entry.repositories ? context->entry.repositories : not_cached;
}

static const char *show_livemode(struct xattr_context *context)
{
	if (context->entry.livemode < 0)
		return NULL;
	return context->entry.livemode ? "true" : "false";
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

static const char *show_state(struct xattr_context *context)
{
	const struct record *record = context->inode.record;
	const struct file *file = context->inode.file;

	if (file && file->staged)
		return "staged";
	if (file && is_pending(file))
		return "pending";
	if (file && file->failure.errnum && !took_effect(file))
		return file->unknown && listing_is_invalid(store_secrets(file->store), file->name)
			       ? "unknown"
			       : "failed";
	if (!record)
		return "pending";
	return listing_is_stale(catalog_listing(context->fs->catalog, record), record) ? "stale"
										       : "stored";
}

static const char *show_error(struct xattr_context *context)
{
	const struct file *file = context->inode.file;

	if (!file || !file->failure.errnum)
		return "";
	snprintf(context->shown, sizeof context->shown, "%s: %s",
		 failure_errno_name(file->failure.errnum), file->failure.message);
	return context->shown;
}

static const char *show_request_id(struct xattr_context *context)
{
	return context->inode.file ? context->inode.file->failure.request_id : "";
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
	{"user.visibility", show_visibility, parse_visibility, false, true, false, false},
	{"user.repositories", show_repositories, parse_repositories, false, true, false, false},
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

/* Fills in the context of an inode. Returns false after a reply where that is gone. */
static bool find_context(fuse_req_t request, fuse_ino_t number, struct xattr_context *context)
{
	static const struct pending_attrs none;
	struct inode *inode = &context->inode;

	context->fs = fuse_req_userdata(request);
	if (!inode_find_or_reply(context->fs, request, number, inode))
		return false;
	if (inode->record)
		record_entry(inode->record, &context->entry, &context->text);
	else
		context->entry = (struct entry){.created_at = TIME_UNKNOWN,
						.modified_at = TIME_UNKNOWN,
						.expires_at = TIME_UNKNOWN,
						.livemode = -1};
	context->pending = inode->file && (!inode->record || file_awaits_value(inode->file))
				   ? &inode->file->pending_attrs
				   : &none;
	return true;
}

/* Returns what is shown of an attribute, valid as long as the context; NULL if it is not there. */
static const char *show(struct xattr_context *context, const struct xattr *xattr)
{
	return xattr && applies(xattr, &context->inode) ? xattr->show(context) : NULL;
}

static void answer_getxattr(fuse_req_t request, fuse_ino_t number,
			    const struct metadata_query *query)
{
	fs_getxattr(request, number, query->attribute, query->size);
}

static void answer_listxattr(fuse_req_t request, fuse_ino_t number,
			     const struct metadata_query *query)
{
	fs_listxattr(request, number, query->size);
}

void fs_getxattr(fuse_req_t request, fuse_ino_t number, const char *name, size_t size)
{
	struct metadata_query query = {.answer = answer_getxattr, .size = size};
	const struct xattr *xattr = xattr_find(name);
	struct xattr_context context;
	const char *shown;

	if (!xattr) {
		/* The kernel and ls request such attributes of every file. */
		fuse_reply_err(request, ENODATA);
		return;
	}
	if (!find_context(request, number, &context))
		return;
	strcpy(query.attribute, xattr->name);
	if (await_description(request, number, &context.inode, &query))
		return;
	shown = show(&context, xattr);
	if (shown == not_cached)
		repositories_reply(request, &context.inode, size);
	else if (shown)
		reply_sized(request, shown, strlen(shown), size);
	else
		fuse_reply_err(request, ENODATA);
	inode_revalidate(context.fs, &context.inode);
}

void fs_listxattr(fuse_req_t request, fuse_ino_t number, size_t size)
{
	struct xattr_context context;
	const struct metadata_query query = {.answer = answer_listxattr, .size = size};
	char names[XATTR_COUNT * XATTR_NAME_SIZE], *end = names;
	bool is_stored;

	if (!find_context(request, number, &context) ||
	    await_description(request, number, &context.inode, &query))
		return;
	is_stored = context.inode.kind != INODE_SECRET || !strcmp(show_state(&context), "stored");
	for (const struct xattr *xattr = xattrs; xattr < xattrs + XATTR_COUNT; xattr++)
		if (!(xattr->unlisted && is_stored) && show(&context, xattr))
			end = stpcpy(end, xattr->name) + 1;
	reply_sized(request, names, (size_t)(end - names), size);
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
	return xattr && xattr->set && context->inode.kind == INODE_SECRET ? REFUSAL_NONE
									  : REFUSAL_ATTRIBUTE;
}

/* Parses a value into zeroed `attrs`. Returns why it cannot be set. */
static enum refusal precheck_text(const struct xattr_context *context, const struct xattr *xattr,
				  const char *value, size_t size, struct pending_attrs *attrs)
{
	enum refusal refusal = xattr->set(context->fs, value, size, attrs);

	return refusal ? refusal : precheck_attrs(&context->inode, attrs);
}

/* Checks XATTR_CREATE and XATTR_REPLACE of setxattr(2). Returns 0 or a positive errno. */
static int check_presence(int flags, bool present)
{
	if (flags & XATTR_CREATE && present)
		return EEXIST;
	return flags & XATTR_REPLACE && !present ? ENODATA : 0;
}

static void refuse(fuse_req_t request, const struct inode *inode, const char *operation,
		   enum refusal refusal)
{
	refusal_reply(request, operation, inode->kind == INODE_SECRET ? inode->store : NULL,
		      inode_name(inode), refusal);
}

void fs_setxattr(fuse_req_t request, fuse_ino_t number, const char *name, const char *value,
		 size_t size, int flags)
{
	const struct xattr *xattr = xattr_find(name);
	struct pending_attrs attrs = {0};
	struct xattr_context context;
	enum refusal refusal;
	const char *shown;
	bool is_same;
	int error;

	if (!find_context(request, number, &context))
		return;
	shown = show(&context, xattr);
	is_same = shown && strlen(shown) == size && memcmp(shown, value, size) == 0;
	error = check_presence(flags, shown != NULL);
	refusal = precheck_set(&context, xattr, name);
	if (!refusal)
		refusal = precheck_text(&context, xattr, value, size, &attrs);
	/* An attribute may be set to its present value: programs that copy attributes do that. */
	if (refusal && (!is_same || refusal == REFUSAL_READ_ONLY))
		refuse(request, &context.inode, "setxattr", refusal);
	else if (refusal || error)
		fuse_reply_err(request, error);
	else
		setxattr_apply(context.fs, request, &context.inode, &attrs);
	pending_attrs_free(&attrs);
}

/* Removing an attribute that cannot be removed succeeds and changes nothing: programs that copy
 * attributes remove those that their source does not have. */
void fs_removexattr(fuse_req_t request, fuse_ino_t number, const char *name)
{
	const struct xattr *xattr = xattr_find(name);
	struct pending_attrs attrs = {0};
	struct xattr_context context;
	enum refusal refusal;

	if (!find_context(request, number, &context))
		return;
	refusal = precheck_modify(context.fs);
	if (!refusal && xattr && xattr->clears)
		refusal = precheck_set(&context, xattr, name);
	if (refusal != REFUSAL_READ_ONLY && !show(&context, xattr))
		fuse_reply_err(request, ENODATA);
	else if (refusal)
		refuse(request, &context.inode, "removexattr", refusal);
	else if (xattr->clears && !precheck_text(&context, xattr, "", 0, &attrs))
		setxattr_apply(context.fs, request, &context.inode, &attrs);
	else
		fuse_reply_err(request, 0);
	pending_attrs_free(&attrs);
}
