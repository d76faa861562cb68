#ifndef SSTOREFS_FS_INODE_H
#define SSTOREFS_FS_INODE_H

#include "fs_base.h"

/*
 * Inodes: what a number stands for, and what is shown of it.
 */

struct file;

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

/* Numbers below FIRST_SERIAL_INODE have a fixed meaning. */
enum { INODE_NUMBER_ROOT = FUSE_ROOT_ID, INODE_NUMBER_CONTROL = 2, INODE_NUMBER_CONTROL_FIRST = 3 };

/* What an inode number stands for at this moment. */
struct inode {
	enum inode_kind kind;
	fuse_ino_t number;
	const struct record *record; /* of a store or secret that is known; else NULL */
	struct store *store; /* the store it is, or is in; NULL for the root of all stores */
	struct file *file;   /* of a secret that is open or not settled, and of a staged directory;
				else NULL */
	unsigned control;    /* which control file */
};

/* Finds out what `number` is; INODE_NONE where it stands for nothing any more. Returns the kind. */
enum inode_kind inode_find(struct fs *fs, fuse_ino_t number, struct inode *inode);

fuse_ino_t inode_number(const struct fs *fs, uint32_t entry_id);

/* The name of a store or secret; of another directory ".". */
const char *inode_name(const struct inode *inode);

/* The listing that a directory shows; NULL where it is none, or the control directory. */
struct listing *inode_listing(struct fs *fs, const struct inode *inode);

void inode_attributes(struct fs *fs, const struct inode *inode, struct stat *attributes);

/* Fills in an answer to LOOKUP and its like, the kernel's time-outs included. */
void inode_entry(struct fs *fs, const struct inode *inode, struct fuse_entry_param *entry);

double inode_attribute_timeout(struct fs *fs, const struct inode *inode);

/* The inode of a record of `listing`. That of a store comes without its `store`. */
void inode_of_record(struct fs *fs, struct listing *listing, const struct record *record,
		     struct inode *inode);

#endif
