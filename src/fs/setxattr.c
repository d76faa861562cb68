/*
 * Attributes that can be set: what is wanted of a secret beside its value. Kept until the value is published, where that is still to come, and else changed at the
 * service. Which attributes there are is xattr.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs_internal.h"
#include "sstorefs/name.h"

void wishes_finish(struct wishes *wishes)
{
	free(wishes->scopes);
	free(wishes->comment);
	*wishes = (struct wishes){0};
}

/* Reading them */

int wish_scopes(const struct fs *fs, const char *value, size_t size, struct wishes *wishes)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	size_t i, length = 0; /* of the scope that is being read */

	if (!fs->provider->edits)
		return -EOPNOTSUPP;
	wishes->scopes = strndup(value, size);
	if (!wishes->scopes)
		return -ENOMEM;
	for (i = 0; i < size; i++) {
		bool ends = value[i] == ':' || value[i] == ',';

		if (ends ? length == 0 : !value[i] || !strchr(alphabet, value[i]))
			return -EINVAL;
		if (ends)
			wishes->scopes[i] = ':';
		length = ends ? 0 : length + 1;
	}
	return length ? 0 : -EINVAL;
}

int wish_comment(const struct fs *fs, const char *value, size_t size, struct wishes *wishes)
{
	if (!fs->provider->edits)
		return -EOPNOTSUPP;
	if (!utf8_is_valid(value, size))
		return -EILSEQ;
	if (memchr(value, '\0', size))
		return -EINVAL;
	wishes->comment = strndup(value, size);
	return wishes->comment ? 0 : -ENOMEM;
}

int wish_expires_at(const struct fs *fs, const char *value, size_t size, struct wishes *wishes)
{
	if (!fs->provider->expires)
		return -EOPNOTSUPP;
	wishes->expiry_is_set = true;
	wishes->expires_at = TIME_UNKNOWN;
	if (size == strlen("never") && memcmp(value, "never", size) == 0)
		return 0;
	/* The last moment there is stands for all behind it: another one than was asked for. */
	if (time_parse_rfc3339(value, size, &wishes->expires_at) || wishes->expires_at <= clock_wall() ||
	    wishes->expires_at == INT64_MAX)
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
		if (!handle->spent && (handle->due || !handle->value || handle->value->bytes.length == 0))
			return true;
	return false;
}

/* Texts that a publication under way has borrowed stay where they are. */
static bool can_join(const struct inode *inode, const struct wishes *wishes)
{
	const struct file *file = inode->file;

	if (!file || file->unlinked || !file_awaits_value(file))
		return false;
	return wishes->expiry_is_set || (!inode->record && !file->uploads);
}

static void take_text(char **text, char **wanted)
{
	if (!*wanted)
		return;
	free(*text);
	*text = *wanted;
	*wanted = NULL;
}

static void join(struct file *file, struct wishes *wishes)
{
	take_text(&file->wishes.scopes, &wishes->scopes);
	take_text(&file->wishes.comment, &wishes->comment);
	if (!wishes->expiry_is_set)
		return;
	file->wishes.expiry_is_set = true;
	file->wishes.expires_at = wishes->expires_at;
}

/* Changing them at the service */

struct editing {
	struct late late;
	struct edit edit;
	struct store *store;
	struct wishes wishes;
	struct actor actor;
	char name[NAME_LENGTH_MAX + 1];
	bool written; /* whether the value is one that this mount has written */
};

static void editing_free(struct editing *editing)
{
	store_release(editing->store);
	wishes_finish(&editing->wishes);
	free(editing);
}

static void edited(struct edit *edit)
{
	struct editing *editing = container_of(edit, struct editing, edit);
	struct deed deed = {.operation = "setxattr", .store = editing->store, .name = editing->name};
	struct entry_text text;
	struct entry entry;

	if (!edit->failure.error && edit->record) {
		record_entry(edit->record, &entry, &text);
		deed.digest = entry_digest(&entry, &text);
		if (editing->written)
			written_follow(editing->late.fs, edit->record->serial, edit->record);
	}
	audit(editing->late.fs, &editing->actor, &deed, &edit->failure);
	late_error(&editing->late, edit->failure.error);
	editing_free(editing);
}

static void interrupted(struct late *late)
{
	struct editing *editing = container_of(late, struct editing, late);

	edit_cancel(&editing->edit);
	late_error(late, EINTR);
	editing_free(editing);
}

static void edit_secret(struct fs *fs, fuse_req_t request, const struct inode *inode, struct wishes *wishes)
{
	struct editing *editing = calloc(1, sizeof *editing);

	if (!editing) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	editing->store = store_reference(inode->store);
	editing->wishes = *wishes;
	*wishes = (struct wishes){0};
	strcpy(editing->name, inode->record ? inode->record->name : inode->file->name);
	editing->written = written_has(fs, inode->record);
	actor_of_request(&editing->actor, request);
	editing->edit = (struct edit){.store = editing->store,
				      .name = editing->name,
				      .scopes = editing->wishes.scopes,
				      .comment = editing->wishes.comment,
				      .deadline = fs_deadline(fs),
				      .done = edited};
	late_begin(fs, &editing->late, request, interrupted);
	edit_start(&editing->edit);
}

enum refusal refusal_of_wishes(const struct inode *inode, const struct wishes *wishes)
{
	return wishes->expiry_is_set && !can_join(inode, wishes) ? REFUSAL_LATE_EXPIRY : REFUSAL_NONE;
}

void wishes_carry_out(struct fs *fs, fuse_req_t request, const struct inode *inode, struct wishes *wishes)
{
	if (can_join(inode, wishes)) {
		join(inode->file, wishes);
		fuse_reply_err(request, 0);
	} else {
		edit_secret(fs, request, inode, wishes);
	}
}
