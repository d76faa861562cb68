#pragma once

#include "fs_base.h"

/*
 * Inodes: what a number refers to, its attributes, and how long the kernel may cache them.
 */

enum inode_kind {
	INODE_NONE,
	INODE_ROOT,
	INODE_STORE,
	INODE_SECRET,
	INODE_STAGED_DIRECTORY,
	INODE_STAGED_LINK,
	INODE_CONTROL_DIRECTORY,
	INODE_CONTROL_FILE
};

/* Numbers up to those of the control files are fixed; others are inode_number of an entry id. */
enum { INODE_NUMBER_ROOT = FUSE_ROOT_ID, INODE_NUMBER_CONTROL = 2, INODE_NUMBER_CONTROL_FIRST = 3 };

/* The object behind an inode number; valid until the next callback. */
struct inode {
	enum inode_kind kind;
	fuse_ino_t number;
	const struct record *record; /* of a store or secret in the cache; else NULL */
	struct store *store; /* the store itself, or that of the secret; NULL for the root of all */
	struct file *file;   /* of a secret that is open, staged or failed, and of what is staged
				beside secrets; else NULL */
	const struct control *control; /* of a control file; else NULL */
};

/* Fills in what `number` refers to. Returns its kind: INODE_NONE where that is gone. */
enum inode_kind inode_find(struct fs *fs, fuse_ino_t number, struct inode *inode);

/* Does the same. Returns false after a reply of ENOENT where it is gone. */
bool inode_find_or_reply(struct fs *fs, fuse_req_t request, fuse_ino_t number, struct inode *inode);

/* Returns the inode number of a secret or store. */
fuse_ino_t inode_number(const struct fs *fs, uint32_t entry_id);

/* Returns the name of a store, secret or control file; "." for another directory. */
const char *inode_name(const struct inode *inode);

/* Returns the listing that a directory shows; NULL for what has none. */
struct listing *inode_listing(struct fs *fs, const struct inode *inode);

void inode_attributes(struct fs *fs, const struct inode *inode, struct stat *attributes);

/* Fills in an answer to LOOKUP and its like, with the kernel's time-outs. */
void inode_entry(struct fs *fs, const struct inode *inode, struct fuse_entry_param *entry);

/* Returns type and permissions. */
mode_t inode_mode(const struct fs *fs, const struct inode *inode);

/* Returns for how many seconds the kernel may cache the attributes. */
double inode_attribute_timeout(struct fs *fs, const struct inode *inode);

/* Refreshes its record in the background if that is old. */
void inode_revalidate(struct fs *fs, const struct inode *inode);

/* Fills in the inode of a file that is open, staged, or not stored yet. */
void inode_of_file(struct fs *fs, struct file *file, struct inode *inode);

/* Answers LOOKUP, MKDIR and their like. */
void inode_reply(fuse_req_t request, const struct inode *inode);

/* Answers them with a file that is open, staged, or not stored yet. */
void inode_reply_file(fuse_req_t request, struct file *file);

/* Answers them with a record of `listing`. */
void inode_reply_record(struct fs *fs, fuse_req_t request, struct listing *listing,
			const struct record *record);

/* Answers them with the record that `listing` has as `name`, which was just made: EIO if it is not
 * there. */
void inode_reply_name(fuse_req_t request, struct listing *listing, const char *name);
