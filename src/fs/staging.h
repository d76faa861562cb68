#ifndef SSTOREFS_FS_STAGING_H
#define SSTOREFS_FS_STAGING_H

#include "fs_base.h"
#include "inode.h"
#include "precheck.h"

/*
 * Staging: new files under temporary names.
 */

struct file;

/* Whether a new file `name` that is created with `flags` is to be staged. */
bool staging_applies(const struct fs *fs, const char *name, int flags);

/* Whether a staged file that is renamed to `name` stays staged: no secret is called so. */
bool staging_keeps(const struct fs *fs, const char *name);

/* Whether programs call files so that they mean to rename; secrets may be called so, too. */
bool staging_looks_temporary(const char *name);

/* What file_find knows `name` in `directory` by: with the staged directory's name in front. */
enum refusal staging_path(const struct inode *directory, const char *name,
			  char path[static NAME_LENGTH_MAX + 1]);

/* The name in `directory` of a file that is there, or NULL. */
const char *staging_name_in(const struct file *file, const struct file *directory);

bool staging_directory_is_empty(const struct file *directory);

/* Whether it is a staged file that may become a secret, and no directory or link. */
bool staging_has_value(const struct file *file);

enum inode_kind staging_kind(const struct file *file);

/* MKDIR and RMDIR of a directory for temporary files in a store. Return whether it was one, and was
 * answered. */
bool staging_mkdir(struct fs *fs, fuse_req_t request, fuse_ino_t parent, const char *name);

bool staging_rmdir(struct fs *fs, fuse_req_t request, fuse_ino_t parent, const char *name);

/* Whether as many are staged as may be. */
bool staging_is_full(const struct fs *fs);

/* 0, or a positive errno when there are too many, which is recorded. */
int staging_begin(struct file *file);

/* It was used just now. */
void staging_refresh_age(struct file *file);

void staging_end(struct file *file);

/* The end of the mount: what was never renamed goes. */
void staging_discard_all(struct fs *fs);

#endif
