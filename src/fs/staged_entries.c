/*
 * Staged directories, in which programs collect temporary files, and staged symbolic links, which
 * editors use as locks. Neither is stored.
 */
#include <fnmatch.h>

#include "fs_internal.h"
#include "operations.h"
#include "staging.h"

/* True for the directories in which rsync collects files until it renames all of them. */
static bool takes_directory(const char *name)
{
	static const char *const names[] = {".~tmp~", ".rsync-partial", ".rsync-tmp"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

enum refusal staging_path(const struct inode *directory, const char *name,
			  char path[static NAME_LENGTH_MAX + 1])
{
	int length;

	if (directory->kind == INODE_ROOT)
		return REFUSAL_HOLDS_STORES;
	if (directory->kind != INODE_STORE && directory->kind != INODE_STAGED_DIRECTORY)
		return directory->kind == INODE_NONE ? REFUSAL_ABSENT : REFUSAL_CONTROL;
	if (directory->kind == INODE_STORE)
		length = snprintf(path, NAME_LENGTH_MAX + 1, "%s", name);
	else
		length = snprintf(path, NAME_LENGTH_MAX + 1, "%s/%s", directory->file->name, name);
	return length > NAME_LENGTH_MAX ? REFUSAL_LONG_NAME : REFUSAL_NONE;
}

/* Makes a staged file without a value. Returns 0 or a positive errno. */
static int make(struct fs *fs, struct store *store, const char *name, struct file **made)
{
	int error;

	if (file_find(fs, store, name))
		return EEXIST;
	*made = file_get_or_create(fs, store, name, catalog_new_entry_id(fs->catalog));
	if (!*made)
		return ENOMEM;
	error = staging_begin(*made);
	if (error)
		file_put_if_unused(*made);
	else
		(*made)->created = true;
	return error;
}

bool staging_mkdir(struct fs *fs, fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct inode directory;
	struct file *made;
	int error;

	if (inode_find(fs, parent, &directory) != INODE_STORE || precheck_create(fs) ||
	    !takes_directory(name))
		return false;
	error = make(fs, directory.store, name, &made);
	if (error) {
		fuse_reply_err(request, error);
	} else {
		made->is_directory = true;
		inode_reply_file(request, made);
	}
	return true;
}

bool staging_rmdir(struct fs *fs, fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct inode directory;
	struct file *file;

	if (inode_find(fs, parent, &directory) != INODE_STORE || precheck_create(fs))
		return false;
	file = file_find(fs, directory.store, name);
	if (!file || !file->is_directory)
		return false;
	fuse_reply_err(request, staging_directory_is_empty(file) ? 0 : ENOTEMPTY);
	if (staging_directory_is_empty(file))
		file_unlink(file);
	return true;
}

/* Emacs locks a file by a dangling symbolic link, else by a file that it would have to read. */
void fs_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(request);
	enum refusal refusal = precheck_create(fs);
	struct inode directory;
	struct file *made;
	char *link;
	int error;

	inode_find(fs, parent, &directory);
	if (!refusal && (directory.kind != INODE_STORE || fnmatch(".#*", name, 0) != 0))
		refusal = REFUSAL_SYMLINKS;
	if (!refusal && strlen(name) > NAME_LENGTH_MAX)
		refusal = REFUSAL_LONG_NAME;
	if (refusal_reply(request, "symlink", directory.store, name, refusal))
		return;
	link = strdup(target);
	error = link ? make(fs, directory.store, name, &made) : ENOMEM;
	if (error) {
		free(link);
		fuse_reply_err(request, error);
		return;
	}
	made->target = link;
	inode_reply_file(request, made);
}

void fs_readlink(fuse_req_t request, fuse_ino_t number)
{
	struct inode inode;

	if (inode_find(fuse_req_userdata(request), number, &inode) == INODE_STAGED_LINK)
		fuse_reply_readlink(request, inode.file->target);
	else
		fuse_reply_err(request, inode.kind == INODE_NONE ? ENOENT : EINVAL);
}
