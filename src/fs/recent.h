#ifndef SSTOREFS_FS_RECENT_H
#define SSTOREFS_FS_RECENT_H

#include "fs_base.h"

/*
 * * Which names this mount has written lately, or failed to: they may be opened for reading, so
 * that `sync NAME` can ask what became of it. Nothing else can be done with such a handle.
 */

struct inode;

/* A file of this serial number was written, or could not be. */
void recent_note(struct fs *fs, uint32_t entry_id);

/* Whether a secret was, within the last ten minutes. */
bool recent_has(const struct fs *fs, const struct inode *inode);

void recent_finish(struct fs *fs);

#endif
