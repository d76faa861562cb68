/*
 * Extended attributes: one table, and the four operations as loops over it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "fs.h"

/* What an attribute is shown from: the entry as the service told it, and the file where it is open or not settled. */
struct subject {
	struct fs *fs;
	const struct inode *inode;
	bool is_known; /* `entry` is filled in */
	struct entry entry;
	struct entry_text text;
};

struct xattr {
	const char *name;
	/* Appends the value; 0, or -ENODATA where the attribute does not apply. */
	int (*show)(const struct subject *subject, struct buffer *value);
	/* Reads what it is to be; NULL: it can't be set. */
	int (*set)(const struct fs *fs, const char *value, size_t size, struct wishes *wishes);
	bool on_stores, on_secrets;
	bool unlisted; /* can always be asked for, is listed only when the state is not `stored` */
};

static int show_text(struct buffer *value, const char *text)
{
	if (!text)
		return -ENODATA;
	buffer_string(value, text);
	return 0;
}

static int show_time(struct buffer *value, wall_time time, const char *unknown)
{
	char text[TIME_TEXT_SIZE];

	return show_text(value, time == TIME_UNKNOWN ? unknown : time_format(time, text));
}

static int show_digest(const struct subject *subject, struct buffer *value)
{
	struct entry_text room;

	return subject->is_known ? show_text(value, entry_digest(&subject->entry, &room)) : -ENODATA;
}

static int show_created_at(const struct subject *subject, struct buffer *value)
{
	return subject->is_known ? show_time(value, subject->entry.created_at, NULL) : -ENODATA;
}

static int show_modified_at(const struct subject *subject, struct buffer *value)
{
	/* Where the service only has the one time, it is created_at. */
	if (!subject->is_known || subject->entry.modified_at == subject->entry.created_at)
		return -ENODATA;
	return show_time(value, subject->entry.modified_at, NULL);
}

/* What was set and is still to be stored; NULL: nothing was, or it is stored. */
static const struct wishes *wishes_of(const struct subject *subject)
{
	const struct file *file = subject->inode->file;

	return file && (!subject->is_known || file_awaits_value(file)) ? &file->wishes : NULL;
}

static int show_expires_at(const struct subject *subject, struct buffer *value)
{
	const struct wishes *wishes = wishes_of(subject);

	if (wishes && wishes->expiry_is_set)
		return show_time(value, wishes->expires_at, "never");
	return subject->is_known ? show_time(value, subject->entry.expires_at, "never") : -ENODATA;
}

static int show_id(const struct subject *subject, struct buffer *value)
{
	if (!subject->is_known && subject->inode->kind == INODE_STORE)
		return show_text(value, store_id(subject->inode->store));
	return subject->is_known ? show_text(value, subject->entry.id) : -ENODATA;
}

static int show_status(const struct subject *subject, struct buffer *value)
{
	return subject->is_known ? show_text(value, subject->entry.status) : -ENODATA;
}

static int show_scopes(const struct subject *subject, struct buffer *value)
{
	const struct wishes *wishes = wishes_of(subject);

	if (wishes && wishes->scopes)
		return show_text(value, wishes->scopes);
	return subject->is_known ? show_text(value, subject->entry.scopes) : -ENODATA;
}

static int show_comment(const struct subject *subject, struct buffer *value)
{
	const struct wishes *wishes = wishes_of(subject);

	if (wishes && wishes->comment)
		return show_text(value, *wishes->comment ? wishes->comment : NULL);
	return subject->is_known ? show_text(value, subject->entry.comment) : -ENODATA;
}

static int show_livemode(const struct subject *subject, struct buffer *value)
{
	if (!subject->is_known || subject->entry.livemode < 0)
		return -ENODATA;
	return show_text(value, subject->entry.livemode ? "true" : "false");
}

static bool has_value(const struct file *file)
{
	for (const struct handle *handle = file->handles; handle; handle = handle->next)
		if (handle->due)
			return true;
	return file->uploads > 0;
}

/* Whether a publication whose outcome was unknown has been seen to have changed what is stored. */
static bool took_effect(const struct file *file)
{
	struct version now;

	file_version(file, &now);
	return file->unknown &&
	       (now.modified_at != file->before.modified_at || strcmp(now.digest, file->before.digest) != 0);
}

static const char *state_of(const struct subject *subject)
{
	const struct file *file = subject->inode->file;
	const struct listing *listing;

	if (file && file->staged)
		return "staged";
	if (file && has_value(file))
		return "pending";
	if (file && file->failure.error && !took_effect(file))
		return file->unknown && listing_doubts(store_secrets(file->store), file->name) ? "unknown"
											       : "failed";
	if (!subject->is_known)
		return "pending";
	listing = catalog_listing(subject->fs->catalog, subject->inode->record);
	return listing_is_stale(listing, subject->inode->record) ? "stale" : "stored";
}

static int show_state(const struct subject *subject, struct buffer *value)
{
	return show_text(value, state_of(subject));
}

static int show_error(const struct subject *subject, struct buffer *value)
{
	const struct file *file = subject->inode->file;

	if (file && file->failure.error)
		buffer_printf(value, "%s: %s", failure_errno_name(file->failure.error), file->failure.words);
	return 0;
}

static int show_request_id(const struct subject *subject, struct buffer *value)
{
	const struct file *file = subject->inode->file;

	return show_text(value, file ? file->failure.request_id : "");
}

static const struct xattr xattrs[] = {
	/* name                       what it shows     can it be set?   stores secrets unlisted */
	{"user.created_at", show_created_at, NULL, true, true, false},
	{"user.digest", show_digest, NULL, false, true, false},
	{"user.expires_at", show_expires_at, wish_expires_at, false, true, false},
	{"user.id", show_id, NULL, true, true, false},
	{"user.modified_at", show_modified_at, NULL, false, true, false},
	{"user.status", show_status, NULL, false, true, false},
	{"user.scopes", show_scopes, wish_scopes, false, true, false},
	{"user.comment", show_comment, wish_comment, false, true, false},
	{"user.livemode", show_livemode, NULL, false, true, false},
	{"user.sstorefs.state", show_state, NULL, false, true, true},
	{"user.sstorefs.error", show_error, NULL, false, true, true},
	{"user.sstorefs.request_id", show_request_id, NULL, false, true, true},
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

static void subject_fill(struct subject *subject, struct fs *fs, const struct inode *inode)
{
	subject->fs = fs;
	subject->inode = inode;
	subject->is_known = inode->record != NULL;
	if (inode->record)
		record_entry(inode->record, &subject->entry, &subject->text);
}

/* Answers with `value`, or with its size where that is what was asked for. */
static void reply_sized(fuse_req_t request, const struct buffer *value, size_t size)
{
	if (buffer_result(value))
		fuse_reply_err(request, ENOMEM);
	else if (!size)
		fuse_reply_xattr(request, value->length);
	else if (value->length > size)
		fuse_reply_err(request, ERANGE);
	else
		fuse_reply_buf(request, buffer_text(value), value->length);
}

static void touch(struct fs *fs, const struct inode *inode)
{
	struct listing *listing = inode->record ? catalog_listing(fs->catalog, inode->record) : NULL;

	if (listing)
		listing_touch(listing, inode->record);
}

void fs_getxattr(fuse_req_t request, fuse_ino_t number, const char *name, size_t size)
{
	struct fs *fs = fuse_req_userdata(request);
	const struct xattr *xattr = xattr_find(name);
	struct buffer *value = &fs->shown;
	struct subject subject;
	struct inode inode;

	if (!xattr) {
		/* Asked for by the kernel and by ls at every turn: answered without a thought. */
		fuse_reply_err(request, ENODATA);
		return;
	}
	if (inode_find(fs, number, &inode) == INODE_NONE) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	subject_fill(&subject, fs, &inode);
	buffer_clear(value);
	if (!applies(xattr, &inode) || xattr->show(&subject, value))
		fuse_reply_err(request, ENODATA);
	else
		reply_sized(request, value, size);
	touch(fs, &inode);
}

void fs_listxattr(fuse_req_t request, fuse_ino_t number, size_t size)
{
	struct fs *fs = fuse_req_userdata(request);
	struct buffer names = {0}, ignored = {0};
	struct subject subject;
	struct inode inode;
	bool settled;

	if (inode_find(fs, number, &inode) == INODE_NONE) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	subject_fill(&subject, fs, &inode);
	settled = inode.kind != INODE_SECRET || !strcmp(state_of(&subject), "stored");
	for (size_t i = 0; i < XATTR_COUNT; i++) {
		const struct xattr *xattr = &xattrs[i];

		buffer_clear(&ignored);
		if (!applies(xattr, &inode) || (xattr->unlisted && settled) ||
		    xattr->show(&subject, &ignored))
			continue;
		buffer_append(&names, xattr->name, strlen(xattr->name) + 1);
	}
	reply_sized(request, &names, size);
	buffer_finish(&names);
	buffer_finish(&ignored);
}

/* Why an attribute can't be set: 0, or a positive errno. The kernel's own ones are for nobody, whatever the mount is for. */
static int refusal_of_setting(struct fs *fs, const struct xattr *xattr, const char *name)
{
	int error = refusal_of_change(fs);

	if (!error && strncmp(name, "user.", strlen("user.")) == 0 && fs->config->nocreate)
		error = EPERM;
	return error || (xattr && xattr->set) ? error : EOPNOTSUPP;
}

/* setxattr(2) can ask for an attribute to be there already, or not to be. */
static int check_presence(const struct xattr *xattr, const struct subject *subject, int flags)
{
	struct buffer ignored = {0};
	bool present = xattr->show(subject, &ignored) == 0;

	buffer_finish(&ignored);
	if (flags & XATTR_CREATE && present)
		return EEXIST;
	return flags & XATTR_REPLACE && !present ? ENODATA : 0;
}

void fs_setxattr(fuse_req_t request, fuse_ino_t number, const char *name, const char *value, size_t size,
		 int flags)
{
	struct fs *fs = fuse_req_userdata(request);
	const struct xattr *xattr = xattr_find(name);
	int error = refusal_of_setting(fs, xattr, name);
	struct wishes wishes = {0};
	struct subject subject;
	struct inode inode;

	if (!error && inode_find(fs, number, &inode) != INODE_SECRET)
		error = inode.kind == INODE_NONE ? ENOENT : EOPNOTSUPP;
	if (!error) {
		subject_fill(&subject, fs, &inode);
		error = -xattr->set(fs, value, size, &wishes);
	}
	if (!error)
		error = check_presence(xattr, &subject, flags);
	if (error)
		fuse_reply_err(request, error);
	else
		wishes_carry_out(fs, request, &inode, &wishes);
	wishes_finish(&wishes);
}

void fs_removexattr(fuse_req_t request, fuse_ino_t number, const char *name)
{
	(void)number;
	(void)name;
	fuse_reply_err(request, EOPNOTSUPP);
}
