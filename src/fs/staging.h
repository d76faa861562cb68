#pragma once

#include "fs_base.h"
#include "inode.h"
#include "precheck.h"

/*
 * Staging: new files under temporary names are held back until they are renamed.
 */

/* True if a new file `name` that is created with `flags` is to be staged. */
bool staging_applies(const struct fs *fs, const char *name, int flags);

/* True if a staged file that is renamed to `name` stays staged: that name is temporary too. */
bool staging_keeps(const struct fs *fs, const char *name);

/* True if programs give such names to temporary files. Secrets may have them too. */
bool staging_looks_temporary(const char *name);

/* Fills in the name of `name` in `directory` as file_find knows it: behind the name of a staged
 * directory. Returns why there is none. */
enum refusal staging_path(const struct inode *directory, const char *name,
			  char path[static NAME_LENGTH_MAX + 1]);

/* Returns a file's name in the staged `directory` (NULL: in a store); NULL if it is elsewhere. */
const char *staging_name_in(const struct file *file, const struct file *directory);

bool staging_directory_is_empty(const struct file *directory);

/* True if it is a staged file that may become a secret, and not a directory or link. */
bool staging_has_value(const struct file *file);

/* Returns the kind of inode that a file is: a secret, or a staged directory or link. */
enum inode_kind staging_kind(const struct file *file);

/* MKDIR and RMDIR of a directory for temporary files in a store. Return true after a reply, false
 * if it is not one. */
bool staging_mkdir(struct fs *fs, fuse_req_t request, fuse_ino_t parent, const char *name);

bool staging_rmdir(struct fs *fs, fuse_req_t request, fuse_ino_t parent, const char *name);

/* True if no more files can be staged. */
bool staging_is_full(const struct fs *fs);

/* Stages a new file. Returns 0, ENOMEM, or ENOBUFS when there are too many, which is recorded. */
int staging_begin(struct file *file);

/* Restarts the age of a staged file, which was used just now. */
void staging_refresh_age(struct file *file);

/* Wipes the staged value; does nothing for a file that is not staged. */
void staging_end(struct file *file);
